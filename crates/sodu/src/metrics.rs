//! What the server counts, and its text for Prometheus.
//!
//! Counting costs a few nanoseconds and never waits: each public thread has its own `Tally`, and both faces share the
//! rest as atomics. No label ever holds a path, a key or anything else that a caller chose: routes are named by their
//! templates. Nothing here decides anything, and figures of the ledger are read from the store when they are asked for.

mod histogram;
mod tally;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ledger::Runway;
use store::{AccountNow, Store};

use crate::exposition::Exposition;

use histogram::Histogram;
pub(crate) use tally::{Cut, Outcome, Route, Tally};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The counters of one process, shared by both faces.
#[derive(Default)]
pub struct Metrics {
    tallies: Mutex<Vec<Arc<Tally>>>,
    operator: RwLock<BTreeMap<String, OperatorRoute>>,
    refusals: RwLock<BTreeMap<&'static str, AtomicU64>>,
}

#[derive(Default)]
struct OperatorRoute {
    by_status: RwLock<BTreeMap<u16, AtomicU64>>,
    seconds: Histogram,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Metrics {
        Metrics::default()
    }

    /// Counts a movement that the rules refused, by the stable name of the rule ([`ledger::Refusal::slug`]).
    pub fn refused(&self, slug: &'static str) {
        count(&self.refusals, &slug, || slug);
    }

    /// Counts an answer of the operator face; `route` is the template that matched, never the path.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        let known = self.operator.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(operator_route) = known.get(route) {
            operator_route.count(status, took);
            return;
        }
        drop(known);
        let mut routes = self.operator.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.to_owned()).or_default().count(status, took);
    }

    /// The counters of one more public thread.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    /// Everything, in the text format of Prometheus (version 0.0.4); `metered` are the accounts whose balance is a metric.
    /// Blocks on the disk.
    pub fn render(&self, store: &Store, metered: &[(AccountNow, Option<Runway>)]) -> String {
        let mut out = Exposition::default();
        out.family("sodu_build_info", "gauge", "The running version.");
        out.sample("sodu_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.render_requests(&mut out);
        out.family("sodu_refusals_total", "counter", "Movements refused, by the rule that refused them.");
        for (slug, refused) in self.refusals.read().unwrap_or_else(PoisonError::into_inner).iter() {
            out.sample("sodu_refusals_total", &[("refusal", slug)], refused.load(Relaxed));
        }
        render_ledger(&mut out, store, metered);
        out.into_text()
    }

    fn render_requests(&self, out: &mut Exposition) {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let operator = self.operator.read().unwrap_or_else(PoisonError::into_inner);
        out.family("sodu_connections", "gauge", "Connections of eSMS clients that are open.");
        out.sample("sodu_connections", &[], tallies.iter().map(|tally| tally.connections()).sum::<u64>());
        out.family(
            "sodu_connections_cut_total",
            "counter",
            "Connections of eSMS clients that were ended, by the reason.",
        );
        for cut in Cut::ALL {
            let cuts = tallies.iter().map(|tally| tally.cuts(cut)).sum::<u64>();
            out.sample("sodu_connections_cut_total", &[("reason", cut.reason())], cuts);
        }
        out.family("sodu_requests_total", "counter", "Requests answered; code is the eSMS CodeResponse of the answer.");
        for (route, outcome, answers) in tally::requests(&tallies) {
            let (code, status) = (outcome.code().map_or("", wire::Code::digits), outcome.status().as_u16().to_string());
            let labels = [("face", "public"), ("route", route.template()), ("code", code), ("status", &status)];
            out.sample("sodu_requests_total", &labels, answers);
        }
        for (route, tally) in operator.iter() {
            for (status, answers) in tally.by_status.read().unwrap_or_else(PoisonError::into_inner).iter() {
                let labels = [("face", "operator"), ("route", route.as_str()), ("status", &status.to_string())];
                out.sample("sodu_requests_total", &labels, answers.load(Relaxed));
            }
        }
        out.family("sodu_request_seconds", "histogram", "Time from a request's head to its answer.");
        for route in Route::ALL {
            let labels = [("face", "public"), ("route", route.template())];
            out.histogram("sodu_request_seconds", &labels, tallies.iter().map(|tally| tally.seconds(route)));
        }
        for (route, tally) in operator.iter() {
            let labels = [("face", "operator"), ("route", route.as_str())];
            out.histogram("sodu_request_seconds", &labels, [&tally.seconds].into_iter());
        }
    }
}

impl OperatorRoute {
    fn count(&self, status: u16, took: Duration) {
        count(&self.by_status, &status, || status);
        self.seconds.record(took);
    }
}

/// Adds one; the lock is taken for writing only when a key is counted for the first time.
fn count<K: Ord>(counters: &RwLock<BTreeMap<K, AtomicU64>>, key: &K, owned: impl FnOnce() -> K) {
    if let Some(counter) = counters.read().unwrap_or_else(PoisonError::into_inner).get(key) {
        counter.fetch_add(1, Relaxed);
        return;
    }
    let mut counters = counters.write().unwrap_or_else(PoisonError::into_inner);
    counters.entry(owned()).or_default().fetch_add(1, Relaxed);
}

fn render_ledger(out: &mut Exposition, store: &Store, metered: &[(AccountNow, Option<Runway>)]) {
    let stats = store.stats();
    let mut single = |name, kind, help, value: u64| {
        out.family(name, kind, help);
        out.sample(name, &[], value);
    };
    single("sodu_writable", "gauge", "1 while the ledger takes movements.", u64::from(stats.writable));
    single("sodu_accounts", "gauge", "Accounts kept.", stats.accounts);
    single("sodu_queue_length", "gauge", "Movements that wait for the ledger's writer.", stats.queue_len);
    single("sodu_commits_total", "counter", "Commits of the ledger.", stats.commits);
    single("sodu_commit_failures_total", "counter", "Commits that failed.", stats.commit_failures);
    let help = "Movements decided in those commits; divided by sodu_commits_total, the size of a batch.";
    single("sodu_commit_movements_total", "counter", help, stats.commands);
    out.family("sodu_commit_seconds_total", "counter", "Time spent in commits.");
    out.sample("sodu_commit_seconds_total", &[], histogram::seconds(stats.commit_us.saturating_mul(1000)));
    out.family("sodu_account_balance", "gauge", "Posted less held, of the accounts marked for it.");
    for (account, _) in metered {
        let (id, currency) = (account.id.to_string(), account.currency);
        let labels = [("account", id.as_str()), ("currency", currency.code())];
        out.sample("sodu_account_balance", &labels, account.balance().decimal(currency.scale()));
    }
    out.family("sodu_account_available", "gauge", "What may be spent, credit included, of the accounts marked for it.");
    for (account, _) in metered {
        let (id, currency) = (account.id.to_string(), account.currency);
        let labels = [("account", id.as_str()), ("currency", currency.code())];
        out.sample("sodu_account_available", &labels, account.available().decimal(currency.scale()));
    }
    let help =
        "How long that lasts at the rate of the last day; not there where nothing was used or too little is known.";
    out.family("sodu_account_runway_seconds", "gauge", help);
    for (account, runway) in metered {
        if let Some(left_s) = runway.and_then(|runway| runway.left_s) {
            out.sample("sodu_account_runway_seconds", &[("account", account.id.to_string().as_str())], left_s);
        }
    }
    // Where the database does not answer, the rest is still told.
    if let Ok((waiting, given_up)) = store.delivery_counts() {
        out.family("sodu_deliveries_waiting", "gauge", "Deliveries of alerts that are to be tried, or tried again.");
        out.sample("sodu_deliveries_waiting", &[], waiting);
        out.family("sodu_deliveries_given_up", "gauge", "Deliveries of alerts that were given up and not sent again.");
        out.sample("sodu_deliveries_given_up", &[], given_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_latencies_are_summed_over_threads() {
        let metrics = Metrics::new();
        for took in [40, 60, 2_000_000] {
            metrics.tally().answered(Route::PostJson, Outcome::Success, Duration::from_micros(took));
        }
        metrics.answered("/v1/accounts/{id}", 404, Duration::from_millis(3));
        let mut out = Exposition::default();
        metrics.render_requests(&mut out);
        let text = out.into_text();
        let route = r#"face="public",route="/MainService.svc/json/GetBalance_json""#;
        for expected in [
            format!(r#"sodu_requests_total{{{route},code="100",status="200"}} 3"#),
            format!(r#"sodu_request_seconds_bucket{{{route},le="0.00005"}} 1"#),
            format!(r#"sodu_request_seconds_bucket{{{route},le="0.0001"}} 2"#),
            format!(r#"sodu_request_seconds_bucket{{{route},le="+Inf"}} 3"#),
            format!(r#"sodu_request_seconds_sum{{{route}}} 2.0001"#),
            format!(r#"sodu_request_seconds_count{{{route}}} 3"#),
            r#"sodu_requests_total{face="operator",route="/v1/accounts/{id}",status="404"} 1"#.to_owned(),
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn refusals_are_counted_by_rule() {
        let metrics = Metrics::new();
        metrics.refused("insufficient_credit");
        metrics.refused("insufficient_credit");
        let refusals = metrics.refusals.read().expect("no panic");
        assert_eq!(refusals["insufficient_credit"].load(Relaxed), 2);
    }
}
