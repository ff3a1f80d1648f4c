//! Settings through every source, without touching the process's own environment.

use std::path::Path;

use super::fields::FIELDS;
use super::*;

/// What the file, the environment and the flags give together; an error as its text.
fn load(file: &str, environment: &[(&str, &str)], flags: Overrides) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_sources(Some((Path::new("sodu.toml"), file)), environment, flags).map_err(|error| error.to_string())
}

fn from_file(text: &str) -> Result<Config, String> {
    load(text, &[], Overrides::default())
}

#[test]
fn the_default_text_gives_the_defaults_and_names_every_setting() {
    assert_eq!(from_file(DEFAULT_TEXT), Ok(Config::default()));
    // With its examples taken out of their comments it still parses, and holds each setting exactly once.
    let is_setting =
        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
    let uncommented: Vec<&str> = DEFAULT_TEXT
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line))
        .collect();
    let settings = sources::settings_of_file(Path::new("sodu.toml"), &uncommented.join("\n")).expect("a valid example");
    let mut named: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
    let mut known = FIELDS.to_vec();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn flags_outrank_the_environment_which_outranks_the_file() {
    let file = "listen = '127.0.0.1:1'\nops_listen = '127.0.0.1:1'\nthreads = 1";
    let environment = [("SODU_OPS_LISTEN", "127.0.0.1:2"), ("SODU_LISTEN", "127.0.0.1:2"), ("SODU_THREADS", "")];
    let flags = Overrides { listen: Some("127.0.0.1:3".into()), insecure_ops: true, ..Overrides::default() };
    let config = load(file, &environment, flags).expect("valid settings");
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.ops_listen.port(), 2);
    assert_eq!(config.threads, 1, "an empty variable is none");
    assert!(config.insecure_ops);
}

#[test]
fn every_type_of_value_is_read() {
    let file = r#"
        database = "sqlite:/tmp/x.db"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        legacy_get = false
        header_timeout_s = 3
        connections_max = 20_000
        time_zone = "UTC"
        tls = { cert = "c.pem", key = "k.pem" }
        [log]
        format = "json"
        level = "warn"
    "#;
    let config = from_file(file).expect("valid settings");
    assert_eq!(config.database.to_string(), "sqlite:/tmp/x.db");
    assert_eq!(config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
    assert!(!config.legacy_get);
    assert_eq!(config.header_timeout, Duration::from_secs(3));
    assert_eq!(config.connections_max, 20_000);
    assert_eq!(config.time_zone.iana_name(), Some("UTC"));
    assert_eq!(config.tls, Some(TlsFiles { cert: "c.pem".into(), key: "k.pem".into() }));
    assert_eq!(config.log, Log { format: LogFormat::Json, level: LevelFilter::WARN });
    let environment = [("SODU_TRUSTED_PROXIES", "10.0.0.1, fd00::/8"), ("SODU_LOG_LEVEL", "debug")];
    let config = load("", &environment, Overrides::default()).expect("valid settings");
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.log.level, LevelFilter::DEBUG);
}

#[test]
fn errors_name_the_place_and_what_would_be_right() {
    let cases = [
        ("\nlisten = 'x'", "sodu.toml, line 2: \"x\" is not an address with a port"),
        ("\n\nlisen = '127.0.0.1:1'", "sodu.toml, line 3: there is no setting lisen; the nearest one is listen "),
        ("[log]\nlevle = 'info'", "sodu.toml, line 2: there is no setting log.levle; the nearest one is log.level "),
        ("[logs]", "sodu.toml, line 1: there is no setting logs; the nearest one is log.level"),
        ("tls.crt = 'x'", "line 1: there is no setting tls.crt; the nearest one is tls.cert"),
        ("[tls]\ncert = 'x'", "tls.cert: tls.key is missing"),
        ("threads = 0", "line 1: \"0\" is not a whole number from 1 to 1024"),
        ("threads = 1.5", "line 1: threads takes a text, a whole number, true or false, or a list of texts"),
        ("threads = [1, 2]", "line 1: threads takes one value, not a list of 2"),
        ("legacy_get = 'yes'", "line 1: \"yes\" is neither true nor false"),
        ("body_timeout_s = 0", "line 1: \"0\" is not a whole number from 1 to 3600 (seconds)"),
        ("trusted_proxies = ['10.0.0.0/33']", "line 1: \"10.0.0.0/33\" is not a network or address"),
        ("time_zone = 'Hanoi'", "line 1: \"Hanoi\" is not a time zone"),
        ("log.level = 'loud'", "line 1: \"loud\" is not a log level"),
        ("database = 'mysql:x'", "line 1: not a database URL"),
        ("threads = 1\nthreads = 2", "line 2: duplicate key"),
        ("listen", "sodu.toml, line 1: "),
    ];
    for (file, expected) in cases {
        let error = from_file(file).expect_err(file);
        assert!(error.contains(expected), "{file:?} gives {error:?}");
    }
    let flags = Overrides { listen: Some("8080".into()), ..Overrides::default() };
    let error = load("", &[], flags).expect_err("a port alone");
    assert!(error.starts_with("--listen: \"8080\" is not an address"), "{error}");
}

#[test]
fn a_slip_in_a_variable_is_caught_and_a_platforms_own_variables_are_let_be() {
    let environment = [("SODU_LISEN", "127.0.0.1:1")];
    let error = load("", &environment, Overrides::default()).expect_err("a slip");
    assert_eq!(error, "SODU_LISEN: there is no such variable; the nearest one is SODU_LISTEN");
    let platform = [("SODU_PORT", "tcp://10.0.0.1:8080"), ("SODU_SERVICE_HOST", "10.0.0.1"), ("SODU_CONFIG", "x")];
    assert_eq!(load("", &platform, Overrides::default()), Ok(Config::default()));
}
