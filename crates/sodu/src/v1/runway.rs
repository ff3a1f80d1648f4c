//! How long accounts last at the rate of the last day: of one, and of those that run dry first.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use ledger::{Currency, Runway, Time};
use serde_json::{Value, json};
use store::Profile;

use super::Api;
use super::problem::Problem;
use super::query::Query;
use super::show::Money;
use crate::times::rfc3339;

/// `GET /v1/runway?limit=`: watched accounts (with alerts, or with a metric) in the order in which they run dry.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    let query = Query::read(&uri, &["limit"])?;
    let limit = query.limit()?;
    let first = api.read(move |store| {
        let first = store.dry_first(limit)?;
        let name = |id| Ok(store.profile(id)?.map(|Profile { name, .. }| name).unwrap_or_default());
        first.into_iter().map(|(now, runway)| Ok((name(now.id)?, now, runway))).collect::<Result<Vec<_>, _>>()
    });
    let now = api.now().await?;
    let accounts = first.await?.into_iter().map(|(name, account, runway)| {
        json!({
            "account": account.id.get(),
            "name": name,
            "currency": account.currency.code(),
            "available": Money::new(account.available(), account.currency),
            "runway": shown(&runway, account.currency, now),
        })
    });
    Ok(Json(json!({ "accounts": accounts.collect::<Vec<_>>() })))
}

/// An estimate, and what it was made from.
pub(super) fn shown(runway: &Runway, currency: Currency, now: Time) -> Value {
    let dry_at = runway.left_s.and_then(|left_s| now.micros().checked_add(left_s.checked_mul(1_000_000)?));
    // The year 9999 is where RFC 3339 ends.
    let dry_at = dry_at.filter(|at| *at < 253_402_300_800_000_000);
    json!({
        "used": Money::new(runway.used, currency),
        "since": rfc3339(runway.since),
        "left_s": runway.left_s,
        "dry_at": dry_at.map(|at| rfc3339(Time::from_micros(at))),
    })
}
