//! What a watcher writes for programs: one JSON object a line for each poll and each thing that follows from it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::burn::METHOD;
use super::notice::hours;
use super::view::{Board, Event, Row, View};

/// JSON on an output.
pub struct Json<W> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    /// JSON on `out`.
    pub fn new(out: W) -> Json<W> {
        Json { out }
    }
}

impl<W: Write + Send> View for Json<W> {
    fn tell(&mut self, event: &Event<'_>, board: &Board<'_>) -> io::Result<()> {
        let mut told = object(event, board);
        told["at"] = json!(board.now);
        writeln!(self.out, "{told}")?;
        self.out.flush()
    }
}

fn object(event: &Event<'_>, board: &Board<'_>) -> Value {
    match event {
        Event::Polled(index) => polled(&board.rows[*index]),
        Event::Alert(notice) => json!({
            "event": "alert",
            "account": notice.account,
            "id": notice.id,
            "title": notice.title,
            "text": notice.text,
            "alert": notice.event,
        }),
        Event::Delivered { notice, target } => {
            json!({ "event": "delivered", "account": notice.account, "id": notice.id, "target": target })
        }
        Event::Undelivered { notice, target, detail, again_at } => json!({
            "event": "undelivered",
            "account": notice.account,
            "id": notice.id,
            "target": target,
            "detail": detail,
            "again_at": again_at,
        }),
        Event::HistoryLost(error) => json!({ "event": "history_lost", "detail": error.to_string() }),
        Event::HistoryKept => json!({ "event": "history_kept" }),
    }
}

fn polled(row: &Row<'_>) -> Value {
    if let Some((failed, detail)) = row.failure() {
        return json!({ "event": "poll_failed", "account": row.name, "failed": failed, "detail": detail });
    }
    let burn = row.burn.map(|burn| {
        json!({
            "per_hour": burn.per_hour,
            "used": burn.used,
            "covered_s": burn.covered_ms / 1000,
            "method": METHOD,
        })
    });
    json!({
        "event": "poll",
        "account": row.name,
        "user_id": row.known.and_then(|known| known.user_id),
        "balance": row.last().map(|last| last.balance),
        "burn": burn,
        "hours_left": hours(row.left),
        "low": row.is_low,
    })
}
