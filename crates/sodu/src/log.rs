//! Where log lines go and how they look: standard error, as text on a terminal and as JSON lines otherwise.
//!
//! Lines are written by sodu's own crates, which never log a key, a secret, a path or a header. Libraries are heard
//! from the level of a warning on, whatever is configured, because what they would tell at `debug` is not in our hands.
//! There is no access log: requests are counted in the metrics, and paths of the older calls carry keys.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use crate::config::{Log, LogFormat};

/// Sends log lines to standard error from now on.
///
/// # Errors
/// When something else in this process has taken the log already.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    let terminal = std::io::stderr().is_terminal();
    let lines = match (log.format, terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => json(std::io::stderr),
        (LogFormat::Text, _) | (LogFormat::Auto, true) => text(std::io::stderr, terminal),
    };
    tracing_subscriber::registry().with(lines.with_filter(levels(log.level))).try_init()
}

/// Own crates at `level`, everything else at `warn` or what is more severe.
fn levels(level: LevelFilter) -> Targets {
    let others = level.min(LevelFilter::WARN);
    let own = ["sodu", "store", "ledger", "wire"].map(|target| (target, level));
    // Any scanner could fill the log with what rustls thinks of its alerts; failed handshakes are counted.
    Targets::new().with_default(others).with_targets(own).with_target("rustls", LevelFilter::OFF)
}

fn json<W>(writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer).boxed()
}

fn text<S, W>(writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().with_target(false).with_ansi(colours).with_writer(writer).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_kept_quiet() {
        let levels = levels(LevelFilter::DEBUG);
        assert!(levels.would_enable("sodu::public", &tracing::Level::DEBUG));
        assert!(!levels.would_enable("axum::serve", &tracing::Level::INFO));
        assert!(levels.would_enable("axum::serve", &tracing::Level::WARN));
        assert!(!levels.would_enable("rustls::server", &tracing::Level::ERROR));
    }
}
