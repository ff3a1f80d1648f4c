//! The clock: a time of this age, not behind the ledger, and kept right by somebody.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SpanRound, Timestamp, Unit};
use ledger::Time;

use super::report::Check;
use crate::{clock, times};

/// sodu is younger than 2026, and no server of this version runs in 2100.
const SANE: [&str; 2] = ["2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];

/// Clocks are corrected by less without harm: the ledger's time waits for them.
const BEHIND_MAX_US: i64 = 1_000_000;

/// How long `timedatectl` may take: it asks over D-Bus.
const PATIENCE: Duration = Duration::from_secs(5);

/// `last_time` is the ledger's, read before this looks at the clock.
pub(super) fn check(last_time: Option<Time>) -> Vec<Check> {
    let now = clock::system()();
    let mut checks = vec![sane(now)];
    checks.extend(last_time.map(|last| beside_ledger(now, last)));
    checks.push(synchronized());
    checks
}

fn sane(now: Time) -> Check {
    const NAME: &str = "clock";
    let shown = times::rfc3339(now);
    let [first, last] = SANE.map(|text| text.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond));
    if (first..last).contains(&now.micros()) {
        return Check::ok(NAME, shown);
    }
    let advice = "set it (`timedatectl set-ntp true`) before a server starts: the ledger's time never goes back";
    Check::problem(NAME, format!("it says {shown}, which cannot be"), advice)
}

fn beside_ledger(now: Time, last: Time) -> Check {
    const NAME: &str = "clock.ledger";
    let behind = last.micros() - now.micros();
    let shown = times::rfc3339(last);
    if behind <= BEHIND_MAX_US {
        return Check::ok(NAME, format!("not behind the ledger, whose last time is {shown}"));
    }
    Check::problem(
        NAME,
        format!("{} behind the ledger, whose last time is {shown}", span(behind)),
        "if the clock is wrong, set it; if it is right, it was ahead once: until it has caught up, every movement gets \
         that last time, and no hold ends",
    )
}

/// A length of time as people say it.
fn span(micros: i64) -> String {
    let span = jiff::SignedDuration::from_micros(micros);
    let round = SpanRound::new().largest(Unit::Day).smallest(Unit::Second).days_are_24_hours();
    let rounded = jiff::Span::try_from(span).and_then(|span| span.round(round));
    rounded.map_or_else(|_| format!("{} s", micros / 1_000_000), |span| format!("{span:#}"))
}

/// Whether the system says that somebody keeps the clock right.
fn synchronized() -> Check {
    const NAME: &str = "clock.synchronized";
    // systemd-timesyncd makes this file when it has set the clock (systemd-timesyncd.service(8)).
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Check::ok(NAME, "by systemd-timesyncd");
    }
    match timedatectl() {
        Some(true) => Check::ok(NAME, "the kernel says so"),
        Some(false) => Check::warning(
            NAME,
            "nobody keeps the clock right",
            "install chrony, or `timedatectl set-ntp true`; a clock that jumps ahead cannot be taken back in the ledger",
        ),
        None => Check::skipped(NAME, "the system does not say whether it is (there is no timedatectl that answers)"),
    }
}

fn timedatectl() -> Option<bool> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() > until {
            child.kill().ok()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
