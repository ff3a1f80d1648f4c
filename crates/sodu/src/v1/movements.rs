//! The routes that move credit: top-ups, charges, holds and what becomes of them, refunds, transfers, adjustments.
//!
//! Each demands an idempotency key, becomes one typed command, and answers with its entry and the account right after
//! it: 201 when it was done now, 200 when the same key did it before.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ledger::{AccountId, Actor, Currency, Kind, Named};
use serde_json::{Value, json};
use store::{KeyOutcome, Outcome};

use super::members::Members;
use super::problem::{Problem, Slug};
use super::query::Query;
use super::{Api, Body, Caller, Place, commands, fields, refused, show, written};

/// Declares the route of a kind of movement on an account that the path names.
macro_rules! movement {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        pub(super) async fn $name(
            State(api): State<Api>,
            Extension(Caller(by)): Extension<Caller>,
            place: Place,
            headers: HeaderMap,
            Body(body): Body,
        ) -> Result<Response, Problem> {
            let hold = if place.part.is_empty() { None } else { Some(commands::hold_of_path(&place.part)?) };
            let members = Members::read(&body, &commands::of_route($kind))?;
            carry_out(&api, $kind, place.account, hold, &headers, members, by).await
        }
    };
}

movement!(
    /// `POST …/topups` `{amount, reference?, reason?, metadata?}`: money in.
    top_up,
    Kind::Topup
);
movement!(
    /// `POST …/charges` `{amount, reference?, reason?, metadata?}`: money spent, as far as there is credit.
    charge,
    Kind::Charge
);
movement!(
    /// `POST …/holds` `{amount, expires_in?, …}`: money promised, for an hour unless it says otherwise.
    hold,
    Kind::Hold
);
movement!(
    /// `POST …/holds/{hold}/captures` `{amount?, final?, …}`: part or whole of a hold spent.
    capture,
    Kind::Capture
);
movement!(
    /// `POST …/holds/{hold}/void` `{…}`: what is left of a hold released.
    void,
    Kind::Void
);
movement!(
    /// `POST …/holds/{hold}/extend` `{expires_in, …}`: a hold's end moved to later.
    extend,
    Kind::Extend
);
movement!(
    /// `POST …/refunds` `{amount, charge or charge_key, …}`: a charge or capture given back, or part of it.
    refund,
    Kind::Refund
);
movement!(
    /// `POST …/adjustments` `{amount (signed), reason, …}`: an operator's correction.
    adjust,
    Kind::Adjust
);

/// `POST /v1/transfers` `{from, to, amount, …}`: money from one account to another.
pub(super) async fn transfer(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let mut members = Members::read(&body, &commands::of_route(Kind::Transfer))?;
    let from = fields::account_member(&mut members, "from")?;
    carry_out(&api, Kind::Transfer, from, None, &headers, members, by).await
}

async fn carry_out(
    api: &Api,
    kind: Kind,
    account: AccountId,
    hold: Option<Named>,
    headers: &HeaderMap,
    mut members: Members,
    by: Actor,
) -> Result<Response, Problem> {
    let now = api.account(account).await?;
    let key = fields::required_key(headers)?;
    let command = commands::read(kind, &mut members, &now, hold, key, by)?;
    if let Some(to) = command.movement.to() {
        api.account(to).await?;
    }
    let outcome = api.submit(command).await?;
    let status = if outcome.replayed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, moved(&outcome, now.currency)).into_response())
}

fn moved(outcome: &Outcome, currency: Currency) -> Response {
    let mut text = Vec::with_capacity(1024);
    written::moved(&mut text, None, outcome, currency);
    super::json(text)
}

/// `GET …/holds?cursor=&limit=`: the account's open holds, in the order of their entries.
pub(super) async fn holds(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?;
    let query = Query::read(&uri, &["cursor", "limit"])?;
    let (after, limit) = (query.cursor()?.unwrap_or(0), query.limit()?);
    let page = api.read(move |store| store.open_holds(account.id, after, limit)).await?;
    let holds: Vec<_> = page.items.iter().map(|(hold, entry)| show::hold(hold, entry, account.currency)).collect();
    Ok(Json(json!({ "holds": holds, "next_cursor": page.next.map(|number| number.to_string()) })))
}

/// `GET …/keys/{key}`: what an idempotency key of the account has done.
pub(super) async fn key(State(api): State<Api>, place: Place, uri: Uri) -> Result<Response, Problem> {
    let now = api.account(place.account).await?;
    Query::read(&uri, &[])?;
    let key = fields::key(&place.part)?;
    match api.store.key_outcome(now.id, key).await.map_err(refused::of_fault)? {
        Some(KeyOutcome::Entry(entry)) => Ok(moved(&Outcome { entry: *entry, replayed: true }, now.currency)),
        Some(KeyOutcome::Refused { refusal, at }) => {
            let refused = store::Refused { refusal, replayed_from: Some(at), account: Some(now) };
            let problem = refused::movement(now.id, &refused).document();
            Ok(Json(json!({ "refused": problem, "replayed": true })).into_response())
        }
        None => Err(Problem::new(
            Slug::UnknownKey,
            format!("Account {} has done nothing under this idempotency key; it is free to be used.", now.id),
        )),
    }
}
