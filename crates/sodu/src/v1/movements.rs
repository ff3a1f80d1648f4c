//! `…/topups`, `…/charges`, `…/adjustments`: the three ways in which credit moves.
//!
//! Each demands an idempotency key, becomes one typed command, and answers with its entry and the account right after
//! it: 201 when it was done now, 200 when the same key did it before.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ledger::{Actor, Command, Movement};
use serde_json::json;
use store::AccountNow;

use super::members::Members;
use super::problem::Problem;
use super::{Api, Body, Caller, Place, fields, show};

/// `POST …/topups` `{amount, reference?, metadata?}`: money in.
pub(super) async fn top_up(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let now = api.account(place.account)?;
    let mut members = Members::read(&body, &["amount", "reference", "metadata"])?;
    let amount = fields::amount("amount", &members.required_decimal("amount")?, now.currency)?;
    carry_out(&api, &now, &headers, members, Movement::Topup { amount }, by).await
}

/// `POST …/charges` `{amount, reference?, metadata?}`: money spent, as far as there is credit.
pub(super) async fn charge(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let now = api.account(place.account)?;
    let mut members = Members::read(&body, &["amount", "reference", "metadata"])?;
    let amount = fields::amount("amount", &members.required_decimal("amount")?, now.currency)?;
    carry_out(&api, &now, &headers, members, Movement::Charge { amount }, by).await
}

/// `POST …/adjustments` `{amount (signed), reason, reference?, metadata?}`: an operator's correction.
pub(super) async fn adjust(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let now = api.account(place.account)?;
    let mut members = Members::read(&body, &["amount", "reason", "reference", "metadata"])?;
    let amount = fields::figure("amount", &members.required_decimal("amount")?, now.currency)?;
    let reason = fields::reason(&mut members)?
        .ok_or_else(|| Problem::malformed("the member \"reason\" is missing: an adjustment says why it is made"))?;
    carry_out(&api, &now, &headers, members, Movement::Adjust { amount, reason }, by).await
}

async fn carry_out(
    api: &Api,
    now: &AccountNow,
    headers: &HeaderMap,
    mut members: Members,
    movement: Movement,
    by: Actor,
) -> Result<Response, Problem> {
    let (reference, metadata) = fields::reference(&mut members)?;
    let key = Some(fields::required_key(headers)?);
    let outcome = api.submit(Command { account: now.id, movement, key, reference, metadata, by }).await?;
    let status = if outcome.replayed { StatusCode::OK } else { StatusCode::CREATED };
    let shape = json!({
        "entry": show::entry(&outcome.entry, now.currency),
        "account": show::figures_after(&outcome.entry, now.currency),
        "replayed": outcome.replayed,
    });
    Ok((status, Json(shape)).into_response())
}
