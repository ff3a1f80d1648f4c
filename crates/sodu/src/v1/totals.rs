//! `GET /v1/totals`: what the platform owes, and what it is owed.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use ledger::Decimal;
use serde_json::{Value, json};
use store::Totals;

use super::problem::Problem;
use super::query::Query;
use super::{Api, show};
use crate::times::Bound;

/// `GET /v1/totals?at=`: every account added up, by currency, now or as of an instant.
pub(super) async fn totals(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    let query = Query::read(&uri, &["at"])?;
    let now = api.now().await?;
    let at = query.time("at", Bound::End, &api.zone)?;
    if at.is_some_and(|at| at > now) {
        return Err(Problem::malformed("\"at\" lies in the future; nobody knows yet what is charged until then"));
    }
    let all = api.read(move |store| store.totals(at)).await?;
    let currencies: Vec<Value> = all.iter().map(shape).collect();
    Ok(Json(json!({ "at": show::Instant(at.unwrap_or(now)), "currencies": currencies })))
}

fn shape(totals: &Totals) -> Value {
    let money = |units: i128| Decimal::of_sum(units, totals.currency.scale()).to_string();
    json!({
        "currency": totals.currency.code(),
        "accounts": totals.accounts,
        "posted": money(totals.posted),
        "held": money(totals.held),
        "balance": money(totals.posted - totals.held),
        "owed": money(totals.owed),
        "owing": money(totals.owing),
        "credit_limit": money(totals.credit_limit),
    })
}
