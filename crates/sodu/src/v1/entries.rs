//! `…/entries`: the statement, page by page, oldest first.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::problem::{Problem, Slug};
use super::query::Query;
use super::{Api, Place, fields, show};
use crate::times::Bound;

/// `GET …/entries?from=&to=&cursor=&limit=`: those with from ≤ at < to; a date in `to` includes that day.
pub(super) async fn list(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account)?;
    let query = Query::read(&uri, &["from", "to", "cursor", "limit"])?;
    let from = query.time("from", Bound::Start, &api.zone)?;
    let to = query.time("to", Bound::End, &api.zone)?;
    let (after, limit) = (query.cursor()?.unwrap_or(0), query.limit()?);
    let page = api.read(move |store| store.entries(account.id, from, to, after, limit)).await?;
    let entries: Vec<_> = page.items.iter().map(|entry| show::entry(entry, account.currency)).collect();
    Ok(Json(json!({ "entries": entries, "next_cursor": page.next.map(|number| number.to_string()) })))
}

/// `GET …/entries/{number}`.
pub(super) async fn show(State(api): State<Api>, place: Place, uri: Uri) -> Result<Response, Problem> {
    let account = api.account(place.account)?;
    Query::read(&uri, &[])?;
    let number = fields::entry_number(&place.part)
        .ok_or_else(|| Problem::malformed("an entry is named by its number within the account, from 1"))?;
    let entry = api.read(move |store| store.entry(account.id, number)).await?.ok_or_else(|| {
        let detail = format!("Account {} has no entry {number}; its last is {}.", account.id, account.number);
        Problem::new(Slug::UnknownEntry, detail)
    })?;
    Ok(Json(show::entry(&entry, account.currency)).into_response())
}
