//! The watched balances for Prometheus, and what is counted on the way.

use std::collections::BTreeMap;

use super::burn::Left;
use super::memory::Outcome;
use super::view::{Board, Row};
use crate::exposition::Exposition;

/// What happened since the start.
#[derive(Default)]
pub(super) struct Counts {
    good: BTreeMap<String, u64>,
    failed: BTreeMap<(String, String), u64>,
    delivered: BTreeMap<(String, String), [u64; 2]>,
}

impl Counts {
    pub(super) fn polled(&mut self, account: &str, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Good { .. } => self.good.entry(account.to_owned()),
            Outcome::Failed { failed, .. } => {
                *self.failed.entry((account.to_owned(), failed.clone())).or_default() += 1;
                return;
            }
        };
        *count.or_default() += 1;
    }

    pub(super) fn delivered(&mut self, account: &str, target: &str, is_good: bool) {
        let counts = self.delivered.entry((account.to_owned(), target.to_owned())).or_default();
        counts[usize::from(!is_good)] += 1;
    }
}

/// Everything, in the text format of Prometheus.
pub(super) fn render(board: &Board<'_>, counts: &Counts) -> String {
    let mut out = Exposition::default();
    out.family("sodu_watch_build_info", "gauge", "The running version.");
    out.sample("sodu_watch_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let mut gauge = |name: &str, help: &str, figure: fn(&Row<'_>) -> Option<String>| {
        out.family(name, "gauge", help);
        for row in &board.rows {
            if let Some(figure) = figure(row) {
                out.sample(name, &[("account", row.name)], figure);
            }
        }
    };
    gauge("sodu_watch_up", "Whether the last poll gave a balance.", |row| {
        row.known.map(|known| u8::from(known.failure.is_none()).to_string())
    });
    gauge("sodu_watch_balance", "The balance of the last good poll.", |row| Some(row.last()?.balance.to_string()));
    gauge("sodu_watch_burn_per_hour", "What an hour takes, by the last 24 hours.", |row| {
        Some(row.burn?.per_hour.to_string())
    });
    gauge("sodu_watch_left_seconds", "How long the balance lasts at that speed; +Inf where nothing was used.", |row| {
        match row.left {
            Left::Unknown => None,
            Left::Endless => Some("+Inf".to_owned()),
            Left::Minutes(minutes) => Some(minutes.saturating_mul(60).to_string()),
        }
    });
    gauge("sodu_watch_low", "Whether the balance is below a threshold.", |row| {
        row.last().map(|_| u8::from(row.is_low).to_string())
    });
    gauge("sodu_watch_last_success_timestamp_seconds", "When the last good poll was, since 1970.", |row| {
        Some(row.last()?.at.as_second().to_string())
    });
    render_counts(&mut out, board, counts);
    out.family("sodu_watch_notifications_pending", "gauge", "Deliveries that are still to be made.");
    out.sample("sodu_watch_notifications_pending", &[], board.undelivered);
    out.family("sodu_watch_history_writable", "gauge", "1 while the history file takes what is known.");
    out.sample("sodu_watch_history_writable", &[], u8::from(!board.history_lost));
    out.into_text()
}

fn render_counts(out: &mut Exposition, board: &Board<'_>, counts: &Counts) {
    out.family("sodu_watch_polls_total", "counter", "Polls that gave a balance.");
    for row in &board.rows {
        let good = counts.good.get(row.name).copied().unwrap_or_default();
        out.sample("sodu_watch_polls_total", &[("account", row.name)], good);
    }
    out.family("sodu_watch_poll_failures_total", "counter", "Polls that gave none, by the reason.");
    for ((account, kind), failed) in &counts.failed {
        out.sample("sodu_watch_poll_failures_total", &[("account", account), ("kind", kind)], failed);
    }
    out.family("sodu_watch_notifications_total", "counter", "Attempts to deliver a message, by how they ended.");
    for ((account, target), ends) in &counts.delivered {
        for (result, count) in ["sent", "failed"].into_iter().zip(ends) {
            let labels = [("account", account.as_str()), ("target", target), ("result", result)];
            out.sample("sodu_watch_notifications_total", &labels, count);
        }
    }
}
