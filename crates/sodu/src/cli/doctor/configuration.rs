//! The settings: whether they are taken, and whether together they let strangers in.

use store::DatabaseUrl;

use super::report::Check;
use crate::cli::Global;
use crate::config::{self, Config, Overrides};

const NAME: &str = "configuration";

/// The settings, if they are taken; else the defaults with the database that was named, if one was.
pub(super) fn load(global: &Global) -> (Option<Config>, Vec<Check>) {
    let file = config::file_of(global.config.as_deref());
    let place = file.as_deref().map_or_else(
        || format!("no file ({} does not exist): defaults, environment and flags", config::DEFAULT_FILE),
        |file| format!("{} is taken", file.display()),
    );
    match Config::load(
        global.config.as_deref(),
        Overrides { database: global.database.clone(), ..Overrides::default() },
    ) {
        Ok(config) => (Some(config), vec![Check::ok(NAME, place)]),
        Err(error) => {
            let advice =
                "correct it; a server that runs goes on with what it read at its start, and would not start again";
            let database = global.database.as_deref().and_then(|url| DatabaseUrl::parse(url).ok());
            let config = database.map(|database| Config { database, ..Config::default() });
            (config, vec![Check::problem(NAME, error.to_string(), advice)])
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
