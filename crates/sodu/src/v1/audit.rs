//! `GET /v1/audit`: who changed what besides ordinary movements, oldest first.
//!
//! Oldest first like every list here: rows are only ever added at the end, so that a cursor never skips or repeats one, and
//! a program that copies the trail elsewhere goes on where it stopped.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use ledger::Time;
use serde_json::{Value, json};
use store::{AuditQuery, AuditRow};

use super::Api;
use super::problem::Problem;
use super::query::Query;
use crate::times::{Bound, rfc3339};

/// `GET /v1/audit?from=&to=&actor=&cursor=&limit=`: rows with from ≤ at < to; a date in `to` includes that day.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    let query = Query::read(&uri, &["from", "to", "actor", "cursor", "limit"])?;
    let wanted = AuditQuery {
        from: query.time("from", Bound::Start, &api.zone)?,
        to: query.time("to", Bound::End, &api.zone)?,
        actor: query.text("actor").map(str::to_owned),
        after: query.cursor()?.unwrap_or(0),
    };
    let limit = query.limit()?;
    let page = api.read(move |store| store.audit(&wanted, limit)).await?;
    let rows: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "audit": rows, "next_cursor": page.next.map(|id| id.to_string()) })))
}

fn shown(row: &AuditRow) -> Value {
    json!({
        "id": row.id,
        "at": rfc3339(row.at),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "detail": detail(&row.detail),
        "request_id": row.request_id,
    })
}

/// What changed, with its times as this API writes them: the store keeps microseconds.
fn detail(text: &str) -> Value {
    let mut detail: Value = serde_json::from_str(text).unwrap_or_default();
    for place in ["/expires_at", "/expires_at/from", "/expires_at/to"] {
        if let Some(time) = detail.pointer_mut(place)
            && let Some(micros) = time.as_i64()
        {
            *time = rfc3339(Time::from_micros(micros)).into();
        }
    }
    detail
}
