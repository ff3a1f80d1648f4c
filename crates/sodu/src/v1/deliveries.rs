//! `/v1/deliveries`: what was told to whom, what is still to be told and why not yet, and what was given up.

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::{Extension, Json};
use serde_json::{Value, json};
use store::{Attempt, Delivery, DeliveryQuery, DeliveryStatus};

use super::problem::{Problem, Slug};
use super::query::Query;
use super::{Api, Caller, fields, refused};
use crate::times::rfc3339;

/// `GET /v1/deliveries?account=&status=&cursor=&limit=`: in the order in which they came to be, oldest first.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    let query = Query::read(&uri, &["account", "status", "cursor", "limit"])?;
    let status = query.text("status").map(|name| {
        let known = DeliveryStatus::ALL.into_iter().find(|status| status.name() == name);
        known.ok_or_else(|| Problem::malformed("\"status\" must be \"waiting\", \"delivered\" or \"given_up\""))
    });
    let wanted = DeliveryQuery {
        account: query.text("account").map(fields::account_id).transpose()?,
        status: status.transpose()?,
        after: query.cursor()?.unwrap_or(0),
    };
    let limit = query.limit()?;
    let page = api.read(move |store| store.deliveries(&wanted, limit)).await?;
    let deliveries: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "deliveries": deliveries, "next_cursor": page.next.map(|id| id.to_string()) })))
}

/// `GET /v1/deliveries/{id}`: one, with every attempt.
pub(super) async fn show(State(api): State<Api>, Numbered(id): Numbered, uri: Uri) -> Result<Json<Value>, Problem> {
    Query::read(&uri, &[])?;
    let (delivery, attempts) = api.read(move |store| store.delivery(id)).await?.ok_or_else(unknown)?;
    let attempt =
        |attempt: &Attempt| json!({ "number": attempt.number, "at": rfc3339(attempt.at), "error": attempt.error });
    let mut shape = shown(&delivery);
    shape["tries"] = attempts.iter().map(attempt).collect();
    Ok(Json(shape))
}

/// `POST /v1/deliveries/{id}/resend` `{}`: tried again at once, under the same name, whatever became of it before.
pub(super) async fn resend(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Numbered(id): Numbered,
) -> Result<Json<Value>, Problem> {
    let delivery = api.changes().resend(by, id).await.map_err(refused::of_fault)?;
    Ok(Json(shown(&delivery.ok_or_else(unknown)?)))
}

fn shown(delivery: &Delivery) -> Value {
    let alert = &delivery.alert;
    json!({
        "id": delivery.id,
        "alert": alert.name,
        "event": alert.kind(),
        "account": alert.account.get(),
        "at": rfc3339(alert.at),
        "to": delivery.target.label(),
        "status": delivery.status.name(),
        "due_at": (delivery.status == DeliveryStatus::Waiting).then(|| rfc3339(delivery.due_at)),
        "attempts": delivery.attempts,
        "attempted_at": delivery.attempted_at.map(rfc3339),
        "error": delivery.error,
    })
}

fn unknown() -> Problem {
    Problem::new(Slug::UnknownDelivery, "There is no such delivery; list them, old ones are forgotten after a while.")
}

/// The number of a delivery in a path.
pub(super) struct Numbered(u64);

impl<S: Send + Sync> FromRequestParts<S> for Numbered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Numbered, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| super::not_utf8())?;
        let text = params.iter().next().map_or("", |(_, value)| value);
        fields::entry_number(text).map(Numbered).ok_or_else(unknown)
    }
}
