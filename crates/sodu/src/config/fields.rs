//! The list of settings and what each takes: the one place to change when a setting is added.
//!
//! Knows no source: a value is a list of texts, of which most settings want exactly one. The errors are sentences
//! without their place, which the caller puts in front.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use store::DatabaseUrl;
use tracing::level_filters::LevelFilter;

use crate::notify::texts::Language;

use super::{Config, ConfigError, LogFormat, TlsFiles};

/// The name of every setting.
pub(super) const FIELDS: &[&str] = &[
    "database",
    "database_connections",
    "listen",
    "ops_listen",
    "insecure_ops",
    "threads",
    "trusted_proxies",
    "legacy_get",
    "header_timeout_s",
    "body_timeout_s",
    "idle_timeout_s",
    "connections_max",
    "queue_len_max",
    "refusal_days",
    "refusals_per_second",
    "shutdown_timeout_s",
    "time_zone",
    "tls.cert",
    "tls.key",
    "ops_tls.cert",
    "ops_tls.key",
    "log.format",
    "log.level",
    "alerts.smtp",
    "alerts.from",
    "alerts.telegram",
    "alerts.language",
    "alerts.allow_private",
    "alerts.give_up_days",
    "alerts.keep_days",
    "alerts.targets",
];

/// The settings that take any number of values.
pub(super) const LISTS: &[&str] = &["trusted_proxies"];

/// A configuration that is being put together; a certificate may still lack its key.
#[derive(Default)]
pub(super) struct Draft {
    config: Config,
    tls: [Option<PathBuf>; 2],
    ops_tls: [Option<PathBuf>; 2],
    /// Read at the end: targets by mail go through the mail server of the same section.
    targets: Option<String>,
}

impl Draft {
    /// Takes one setting, or says what it should have been.
    pub(super) fn set(&mut self, name: &str, values: &[String]) -> Result<(), String> {
        let config = &mut self.config;
        if name == "trusted_proxies" {
            config.trusted_proxies = values.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
            return Ok(());
        }
        let [text] = values else { return Err(format!("{name} takes one value, not a list of {}", values.len())) };
        match name {
            "database" => config.database = DatabaseUrl::parse(text)?,
            "database_connections" => config.database_connections = number(text, 6..=1_000)?,
            "listen" => config.listen = address(text)?,
            "ops_listen" => config.ops_listen = address(text)?,
            "insecure_ops" => config.insecure_ops = flag(text)?,
            "threads" => config.threads = number(text, 1..=1024)?,
            "legacy_get" => config.legacy_get = flag(text)?,
            "header_timeout_s" => config.header_timeout = seconds(text)?,
            "body_timeout_s" => config.body_timeout = seconds(text)?,
            "idle_timeout_s" => config.idle_timeout = seconds(text)?,
            "connections_max" => config.connections_max = number(text, 1..=1_000_000)?,
            "queue_len_max" => config.queue_len_max = number(text, 1..=10_000_000)?,
            "refusal_days" => config.refusal_days = number(text, 1..=3_650)?,
            "refusals_per_second" => config.refusals_per_second = number(text, 1..=1_000_000)?,
            "shutdown_timeout_s" => config.shutdown_timeout = seconds(text)?,
            "time_zone" => config.time_zone = time_zone(text)?,
            "tls.cert" => self.tls[0] = Some(path(text)?),
            "tls.key" => self.tls[1] = Some(path(text)?),
            "ops_tls.cert" => self.ops_tls[0] = Some(path(text)?),
            "ops_tls.key" => self.ops_tls[1] = Some(path(text)?),
            "log.format" => config.log.format = log_format(text)?,
            "log.level" => config.log.level = log_level(text)?,
            "alerts.smtp" => config.alerts.smtp = Some(text.as_str().into()),
            "alerts.from" => config.alerts.from = Some(text.clone()),
            "alerts.telegram" => config.alerts.telegram = Some(text.as_str().into()),
            "alerts.language" => config.alerts.language = language(text)?,
            "alerts.allow_private" => config.alerts.allow_private = flag(text)?,
            "alerts.give_up_days" => config.alerts.give_up_days = number(text, 1..=365)?,
            "alerts.keep_days" => config.alerts.keep_days = number(text, 1..=3_650)?,
            "alerts.targets" => self.targets = Some(text.clone()),
            unknown => return Err(unknown_field(unknown)),
        }
        Ok(())
    }

    /// The configuration, if no certificate lacks its key or the other way round.
    pub(super) fn finish(self) -> Result<Config, ConfigError> {
        let tls = tls_files("tls", self.tls)?;
        let ops_tls = tls_files("ops_tls", self.ops_tls)?;
        let mut alerts = self.config.alerts;
        if let Some(targets) = &self.targets {
            alerts.set_targets(targets).map_err(|what| ConfigError::new("alerts.targets", &what))?;
        }
        Ok(Config { tls, ops_tls, alerts, ..self.config })
    }
}

/// What to say about a name that is none of [`FIELDS`].
pub(super) fn unknown_field(name: &str) -> String {
    let nearest = FIELDS.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    let nearest = nearest.expect("there are settings");
    format!("there is no setting {name}; the nearest one is {nearest} (`sodu config` lists them all)")
}

fn tls_files(section: &str, files: [Option<PathBuf>; 2]) -> Result<Option<TlsFiles>, ConfigError> {
    match files {
        [None, None] => Ok(None),
        [Some(cert), Some(key)] => Ok(Some(TlsFiles { cert, key })),
        [Some(_), None] => Err(ConfigError::new(&format!("{section}.cert"), &format!("{section}.key is missing"))),
        [None, Some(_)] => Err(ConfigError::new(&format!("{section}.key"), &format!("{section}.cert is missing"))),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address with a port, such as 127.0.0.1:8080 or [::]:8080"))
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| single())
        .map_err(|_| format!("{text:?} is not a network or address, such as 10.0.0.0/8, fd00::/8 or 127.0.0.1"))
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

fn number<N: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<N>) -> Result<N, String> {
    let parsed = text.parse().ok().filter(|number| range.contains(number));
    parsed.ok_or_else(|| format!("{text:?} is not a whole number from {} to {}", range.start(), range.end()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 1..=3_600).map(Duration::from_secs).map_err(|what| format!("{what} (seconds)"))
}

fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!("{text:?} is not a time zone that this machine knows, such as Asia/Ho_Chi_Minh or UTC (package tzdata)")
    })
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the name of a file is missing".into()) } else { Ok(text.into()) }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not a log format: auto, text or json")),
    }
}

fn language(text: &str) -> Result<Language, String> {
    match text {
        "en" => Ok(Language::English),
        "vi" => Ok(Language::Vietnamese),
        _ => Err(format!("{text:?} is not a language: en or vi")),
    }
}

fn log_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        _ => Err(format!("{text:?} is not a log level: error, warn, info or debug")),
    }
}
