//! The settings: whether they are taken, and whether together they let strangers in.

use store::DatabaseUrl;

use super::report::Check;
use crate::cli::Global;
use crate::config::{self, Config, Overrides};

const NAME: &str = "configuration";

/// What is known of the settings.
pub(super) enum Settings {
    Taken(Config),
    /// They are not, but the database was named; all else is the default and means nothing.
    Database(Config),
    Unknown,
}

/// Reads the settings as a server would.
pub(super) fn load(global: &Global) -> (Settings, Check) {
    let flags = Overrides { database: global.database.clone(), ..Overrides::default() };
    match Config::load(global.config.as_deref(), flags) {
        Ok(config) => {
            let place = match config::file_of(global.config.as_deref()) {
                Some(file) => format!("{} is taken", file.display()),
                None => format!("no file ({} does not exist): defaults, environment and flags", config::DEFAULT_FILE),
            };
            (Settings::Taken(config), Check::ok(NAME, place))
        }
        Err(error) => {
            let named = global.database.as_deref().and_then(|url| DatabaseUrl::parse(url).ok());
            let known = named.map(|database| Settings::Database(Config { database, ..Config::default() }));
            let advice =
                "correct it; a server that runs goes on with what it read at its start, and would not start again";
            (known.unwrap_or(Settings::Unknown), Check::problem(NAME, error.to_string(), advice))
        }
    }
}

/// What the settings mean together.
pub(super) fn combinations(config: &Config) -> Vec<Check> {
    const NAME: &str = "configuration.security";
    let ops_is_open = !config.ops_listen.ip().is_loopback() && config.ops_tls.is_none();
    let mut checks = Vec::new();
    if ops_is_open && !config.insecure_ops {
        checks.push(Check::problem(
            NAME,
            format!(
                "ops_listen {} is reachable from other machines without TLS: a server does not start",
                config.ops_listen
            ),
            "give it a certificate with [ops_tls], or bind it to 127.0.0.1",
        ));
    } else if ops_is_open {
        checks.push(Check::warning(
            NAME,
            format!("ops_listen {} takes operators' tokens in clear text (insecure_ops)", config.ops_listen),
            "give it a certificate with [ops_tls], or bind it to 127.0.0.1; then revoke tokens that were used over it",
        ));
    }
    if !config.listen.ip().is_loopback() && config.tls.is_none() && config.trusted_proxies.is_empty() {
        checks.push(Check::warning(
            NAME,
            format!("listen {} takes customers' secrets in clear text, and no proxy is named", config.listen),
            "give it a certificate with [tls], or bind it to where only a proxy with TLS reaches it (trusted_proxies)",
        ));
    }
    if let Some(network) = config.trusted_proxies.iter().find(|network| network.prefix_len() == 0) {
        checks.push(Check::problem(
            NAME,
            format!("trusted_proxies has {network}: every caller may name any address as its own"),
            "list the addresses of the proxies alone; address lists of keys protect nothing until then",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "no setting lets strangers in"));
    }
    checks
}
