//! `/v1/currencies`: what accounts are kept in, and how exactly.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ledger::Currency;
use serde_json::{Value, json};

use super::members::Members;
use super::problem::Problem;
use super::query::Query;
use super::{Api, Body, Caller, refused};

/// `POST /v1/currencies` `{code, scale, public_decimals?}`: adds one, for ever. Said again exactly so, it is there already.
pub(super) async fn add(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let mut members = Members::read(&body, &["code", "scale", "public_decimals"])?;
    let code = members.required_text("code")?;
    let scale = members.whole("scale")?.ok_or_else(|| {
        Problem::malformed("the member \"scale\" (how many decimals figures keep, 0 to 9) is missing; it is for ever")
    })?;
    // eSMS clients decode the balance into a whole number, so that is what they get unless asked otherwise.
    let public_decimals = members.whole("public_decimals")?.unwrap_or(0);
    let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    let currency = Currency::new(&code, small(scale), small(public_decimals))
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let (currency, existed) =
        api.changes().add_currency(by, currency).await.map_err(|error| refused::setting(&error))?;
    let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(shown(currency))).into_response())
}

/// `GET /v1/currencies`: all of them, in the order in which they were added.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    Query::read(&uri, &[])?;
    let currencies: Vec<Value> =
        api.store.currencies().await.map_err(refused::of_fault)?.into_iter().map(shown).collect();
    Ok(Json(json!({ "currencies": currencies })))
}

fn shown(currency: Currency) -> Value {
    json!({ "code": currency.code(), "scale": currency.scale(), "public_decimals": currency.public_decimals() })
}
