//! The server's settings, from a file, the environment and flags, each of which outranks the one before it.
//!
//! Whoever holds a [`Config`] holds checked values: addresses, networks, durations, a time zone. Every setting has one
//! name, `section.name` at most, which is its name in the file and, in capitals behind `SODU_`, in the environment; an
//! unknown name is refused with the nearest known one, because a setting that silently does nothing is how a server
//! ends up trusting the wrong proxy. Nothing here opens a socket or a database, or reads a certificate.

mod alerts;
mod fields;
mod sources;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use store::DatabaseUrl;
use tracing::level_filters::LevelFilter;

use crate::times;

pub use alerts::Alerts;

/// The commented default configuration, as `sodu config` prints it.
pub const DEFAULT_TEXT: &str = include_str!("config/default.toml");

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/sodu/sodu.toml";

/// Every setting of a server; `DEFAULT_TEXT` says what each is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the ledger is kept.
    pub database: DatabaseUrl,
    /// How many connections to a PostgreSQL database this process may have.
    pub database_connections: usize,
    /// Where eSMS clients connect.
    pub listen: SocketAddr,
    /// Where the operator API, health and metrics are served.
    pub ops_listen: SocketAddr,
    /// Whether `ops_listen` may be reachable from elsewhere without TLS.
    pub insecure_ops: bool,
    /// How many threads answer eSMS clients.
    pub threads: usize,
    /// Whose word about the caller's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the older calls, with the keys in the path, are answered.
    pub legacy_get: bool,
    /// Certificate and key of `listen`.
    pub tls: Option<TlsFiles>,
    /// Certificate and key of `ops_listen`.
    pub ops_tls: Option<TlsFiles>,
    /// How long a request's head may take, from its first byte (on a new connection: from the connect) to its last.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How many eSMS clients may be connected at once; further ones wait.
    pub connections_max: usize,
    /// How many movements may wait for the ledger's writer; further ones are turned away.
    pub queue_len_max: usize,
    /// How many days a refused idempotency key stays used up.
    pub refusal_days: u32,
    /// How many refusals of one account are kept within one second; further ones are turned away undecided.
    pub refusals_per_second: u32,
    /// How long a stop waits for requests that are being answered.
    pub shutdown_timeout: Duration,
    /// What is logged, and how.
    pub log: Log,
    /// The zone of dates without time, and of times that are shown to people.
    pub time_zone: TimeZone,
    /// How alerts are delivered.
    pub alerts: Alerts,
}

/// A certificate chain and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: LevelFilter,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// One readable line.
    Text,
    /// One JSON object a line.
    Json,
}

/// What was given as flags; the texts are parsed like those of any other source.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--database`
    pub database: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--ops-listen`
    pub ops_listen: Option<String>,
    /// `--insecure-ops`
    pub insecure_ops: bool,
}

impl Config {
    /// Reads the settings: defaults, then `file` (or `SODU_CONFIG`, or [`DEFAULT_FILE`] where that exists), then the
    /// environment, then `flags`.
    ///
    /// # Errors
    /// The first setting, in that order, that is unknown or not what it should be, and where it stands.
    pub fn load(file: Option<&Path>, flags: Overrides) -> Result<Config, ConfigError> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let path = file_of(file);
        let text = path.as_deref().map(sources::text).transpose()?;
        Config::from_sources(path.as_deref().zip(text.as_deref()), environment, flags)
    }

    /// An instant of the operator API as people read it, in the configured zone; as it is where it is none.
    pub fn for_people(&self, rfc3339: &str) -> String {
        let time = times::parse(rfc3339, times::Bound::Start, &self.time_zone);
        time.map_or_else(|_| rfc3339.to_owned(), |time| times::for_people(time, &self.time_zone))
    }

    fn from_sources(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Overrides,
    ) -> Result<Config, ConfigError> {
        let mut settings = Vec::new();
        if let Some((path, text)) = file {
            settings.extend(sources::settings_of_file(path, text)?);
        }
        settings.extend(sources::settings_of_environment(environment)?);
        settings.extend(sources::settings_of_flags(flags));
        let mut draft = fields::Draft::default();
        for setting in &settings {
            draft.set(&setting.name, &setting.values).map_err(|what| ConfigError::new(&setting.origin, &what))?;
        }
        draft.finish()
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            database: default_database(),
            database_connections: 12,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            insecure_ops: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            trusted_proxies: Vec::new(),
            legacy_get: true,
            tls: None,
            ops_tls: None,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            connections_max: 10_000,
            queue_len_max: 32_768,
            refusal_days: 30,
            refusals_per_second: 20,
            shutdown_timeout: Duration::from_secs(10),
            log: Log { format: LogFormat::Auto, level: LevelFilter::INFO },
            time_zone: TimeZone::system(),
            alerts: Alerts::default(),
        }
    }
}

/// The file that settings are read from: the `named` one, that of `SODU_CONFIG`, or [`DEFAULT_FILE`] where that exists.
pub fn file_of(named: Option<&Path>) -> Option<PathBuf> {
    let variable = std::env::var(sources::FILE_VARIABLE).ok().filter(|value| !value.is_empty());
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|default| default.exists());
    named.map(Path::to_owned).or_else(|| variable.map(PathBuf::from)).or_else(default)
}

/// The database that is used when none is named: `sodu/sodu.db` in the user's own data folder (XDG Base Directory
/// Specification), or under `/var/lib` for a user without a home.
pub fn default_database() -> DatabaseUrl {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    DatabaseUrl::file(data.unwrap_or_else(|| "/var/lib".into()).join("sodu/sodu.db"))
}

/// A setting that cannot be taken: where it stands, what is wrong with it and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    fn new(origin: &str, what: &str) -> ConfigError {
        ConfigError(format!("{origin}: {what}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
