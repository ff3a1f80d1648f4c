//! `postgres://…`: where the database is, what opens it, and how the way there is protected.
//!
//! What is read here is checked and holds no secret that could be shown: `Display` and `Debug` leave the password out. A
//! password that the URL does not have is looked for when a connection is made, so that it can be changed meanwhile.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// A PostgreSQL database, or several servers of which one takes writes.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
    protection: Protection,
    passfile: Option<PathBuf>,
    gathers: bool,
    allows_stale_reads: bool,
}

/// How the way to the server is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Protection {
    /// Nobody else is on it: a Unix socket, the loopback device, or a network for which somebody said so.
    Plain,
    /// TLS, and the server proves its name.
    Tls {
        /// PEM certificates to be trusted instead of the system's own roots.
        roots: Option<PathBuf>,
    },
}

/// What is taken out of the URL's parameters before PostgreSQL's own are read.
#[derive(Default)]
struct Own {
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
    passfile: Option<PathBuf>,
    is_gathering_off: bool,
    allows_stale_reads: bool,
}

impl PostgresUrl {
    /// Reads `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?…]`; the error is a sentence that repeats nothing of it.
    pub(crate) fn parse(text: &str) -> Result<PostgresUrl, String> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (own, rest) = own_parameters(query)?;
        let config = Config::from_str(&format!("{base}?{rest}")).map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            format!(
                "the database URL cannot be read ({cause}): write postgres://USER@HOST/DATABASE, with letters such as @ \
                 or / in a password percent-encoded"
            )
        })?;
        if config.get_dbname().is_none_or(str::is_empty) || config.get_user().is_none_or(str::is_empty) {
            return Err("the database URL lacks a user or a database: write postgres://USER@HOST/DATABASE".into());
        }
        // A host with an @ in it is the end of a password that was not encoded, and would be shown as what it is not.
        let is_name = |host: &Host| !matches!(host, Host::Tcp(name) if name.contains('@'));
        if config.get_hosts().is_empty() || !config.get_hosts().iter().all(is_name) {
            return Err("the database URL names no host: write postgres://USER@HOST/DATABASE, with letters such as @ \
                        or / in a password percent-encoded"
                .into());
        }
        let is_near = config.get_hosts().iter().all(is_near);
        let protection = match own.sslmode.as_deref() {
            None if is_near && own.sslrootcert.is_none() => Protection::Plain,
            Some("disable") => Protection::Plain,
            None | Some("require" | "verify-ca" | "verify-full") => Protection::Tls { roots: own.sslrootcert },
            Some(_) => {
                return Err("sslmode is \"disable\" or \"verify-full\" (\"require\" and \"verify-ca\" check the \
                            server's name too); what falls back to an open line is not taken"
                    .into());
            }
        };
        let (gathers, allows_stale_reads) = (!own.is_gathering_off, own.allows_stale_reads);
        Ok(PostgresUrl { config, protection, passfile: own.passfile, gathers, allows_stale_reads })
    }

    /// What the driver needs to connect to each of the servers by itself, with the password that there is now.
    pub(super) fn servers(&self) -> Result<Vec<Config>, String> {
        let password = match self.config.get_password() {
            Some(password) => Some(password.to_owned()),
            None => self.password()?.map(String::into_bytes),
        };
        let hosts = self.config.get_hosts().iter().enumerate();
        Ok(hosts.map(|(at, host)| self.server(at, host, password.as_deref())).collect())
    }

    fn server(&self, at: usize, host: &Host, password: Option<&[u8]>) -> Config {
        let (all, mut one) = (&self.config, Config::new());
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(folder) => one.host_path(folder),
        };
        let ports = all.get_ports();
        ports.get(at).or(ports.first()).map(|port| one.port(*port));
        all.get_hostaddrs().get(at).map(|address| one.hostaddr(*address));
        all.get_user().map(|user| one.user(user));
        password.map(|password| one.password(password));
        all.get_dbname().map(|name| one.dbname(name));
        all.get_options().map(|options| one.options(options));
        all.get_application_name().map(|name| one.application_name(name));
        all.get_connect_timeout().map(|time| one.connect_timeout(*time));
        one.channel_binding(all.get_channel_binding()).ssl_negotiation(all.get_ssl_negotiation());
        one
    }

    /// Whether calls that come together share a round trip. `gather=off` is there to measure what that brings.
    pub(super) fn gathers(&self) -> bool {
        self.gathers
    }

    /// Whether what is read is answered without a look whether its server is still the primary. `unsafe_stale_reads=on` is
    /// there for `cargo xtask failover`, to show that it finds what comes of that.
    pub(super) fn allows_stale_reads(&self) -> bool {
        self.allows_stale_reads
    }

    pub(super) fn protection(&self) -> &Protection {
        &self.protection
    }

    /// `PGPASSWORD`, else the line of the password file that fits.
    fn password(&self) -> Result<Option<String>, String> {
        if let Some(password) = std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty()) {
            return Ok(Some(password));
        }
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = self.passfile.clone().or_else(|| variable("PGPASSFILE"));
        let (path, is_named) = match named {
            Some(path) => (path, true),
            None => match variable("HOME") {
                Some(home) => (home.join(".pgpass"), false),
                None => return Ok(None),
            },
        };
        if !is_named && !path.exists() {
            return Ok(None);
        }
        let text = passfile(&path)?;
        Ok(self.hosts().find_map(|(host, port)| {
            let wanted = [&*host, &*port, self.config.get_dbname()?, self.config.get_user()?];
            text.lines().find_map(|line| of_line(line, wanted))
        }))
    }

    fn hosts(&self) -> impl Iterator<Item = (String, String)> {
        let ports = self.config.get_ports();
        self.config.get_hosts().iter().enumerate().map(move |(at, host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(folder) => folder.display().to_string(),
            };
            (host, port.to_string())
        })
    }
}

/// Without the password and whatever else could hold one.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A folder as a URL has it, so that what is shown can be written again.
        let hosts: Vec<String> =
            self.hosts().map(|(host, port)| format!("{}:{port}", host.replace('/', "%2F"))).collect();
        let (user, dbname) = (self.config.get_user().unwrap_or_default(), self.config.get_dbname().unwrap_or_default());
        write!(f, "postgres://{user}@{}/{dbname}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
    }
}

/// The parameters that are ours, and the text of the others.
fn own_parameters(query: &str) -> Result<(Own, String), String> {
    let mut own = Own::default();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("{name} is not UTF-8"))?;
        match name {
            "sslmode" => own.sslmode = Some(value.into_owned()),
            "sslrootcert" => own.sslrootcert = Some(PathBuf::from(&*value)),
            "gather" => own.is_gathering_off = value == "off",
            "unsafe_stale_reads" => own.allows_stale_reads = value == "on",
            "passfile" => own.passfile = Some(PathBuf::from(&*value)),
            // A standby cannot take a movement, and what it answers may be old.
            "target_session_attrs" if value != "read-write" => {
                return Err("target_session_attrs can only be read-write, which it is without saying so".into());
            }
            _ => rest.push(pair),
        }
    }
    Ok((own, rest.join("&")))
}

/// The text of a password file that nobody else can read.
fn passfile(path: &Path) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: std::io::Error| format!("the password file {} cannot be read: {error}", path.display());
    if path.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(format!("the password file {} can be read by others: run `chmod 600` on it", path.display()));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The password of a line `host:port:database:user:password` that fits; `*` fits everything, `\` quotes.
fn of_line(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => fields.last_mut()?.extend(letters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            letter => fields.last_mut()?.push(letter),
        }
    }
    let password = fields.pop().filter(|_| fields.len() == 4)?;
    fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(url: &str) -> Protection {
        PostgresUrl::parse(url).expect("a URL").protection
    }

    #[test]
    fn no_password_is_ever_shown() {
        for url in ["postgres://sodu:hush@db/ledger", "postgresql://sodu@db/ledger?password=hush&passfile=/x"] {
            let url = PostgresUrl::parse(url).expect("a URL");
            for shown in [url.to_string(), format!("{url:?}")] {
                assert_eq!(shown, "postgres://sodu@db:5432/ledger");
            }
        }
        let bad =
            ["sodu:hu@sh@db/ledger", "sodu:hush@db", "sodu:hush@db/x?sslmode=allow", "sodu:hush@db:hush/x", "hush"];
        for bad in bad {
            let error = PostgresUrl::parse(&format!("postgres://{bad}")).expect_err("no URL of a ledger");
            assert!(!error.contains("hu"), "{error}");
        }
    }

    #[test]
    fn a_way_that_others_may_share_is_protected_unless_somebody_says_otherwise() {
        let tls = |roots: Option<&str>| Protection::Tls { roots: roots.map(PathBuf::from) };
        assert_eq!(protection("postgres://u@localhost/d"), Protection::Plain);
        assert_eq!(protection("postgres://u@127.0.0.1,127.0.0.2:5433/d"), Protection::Plain);
        assert_eq!(protection("postgres://u@%2Frun%2Fpostgresql/d"), Protection::Plain);
        assert_eq!(protection("postgres://u@db.example.vn/d"), tls(None));
        assert_eq!(protection("postgres://u@127.0.0.1,db.example.vn/d"), tls(None));
        assert_eq!(protection("postgres://u@10.0.0.5/d?sslmode=disable"), Protection::Plain);
        assert_eq!(
            protection("postgres://u@db/d?sslmode=require&sslrootcert=%2Fetc%2Fca.pem"),
            tls(Some("/etc/ca.pem"))
        );
        assert!(PostgresUrl::parse("postgres://u@db/d?sslmode=prefer").is_err());
        assert!(PostgresUrl::parse("postgres://u@db/d?target_session_attrs=any").is_err());
        assert!(PostgresUrl::parse("postgres://u@db/d?target_session_attrs=read-write").is_ok());
    }

    #[test]
    fn each_server_is_reached_by_itself() {
        let url = PostgresUrl::parse("postgres://u:p@a:1,b/d?connect_timeout=7&options=-cx%3D1").expect("a URL");
        let servers = url.servers().expect("servers");
        let seen: Vec<_> = servers.iter().map(|server| (server.get_hosts(), server.get_ports())).collect();
        let host = |name: &str| Host::Tcp(name.into());
        assert_eq!(seen, [(&[host("a")][..], &[1][..]), (&[host("b")][..], &[5432][..])]);
        for server in &servers {
            assert_eq!((server.get_user(), server.get_dbname()), (Some("u"), Some("d")));
            assert_eq!((server.get_password(), server.get_options()), (Some(&b"p"[..]), Some("-cx=1")));
            assert_eq!(server.get_connect_timeout(), Some(&std::time::Duration::from_secs(7)));
        }
    }

    #[test]
    fn the_first_line_of_a_password_file_that_fits_counts() {
        let wanted = ["db", "5432", "ledger", "sodu"];
        assert_eq!(of_line("db:5432:ledger:sodu:a:b", wanted), Some("a:b".into()));
        assert_eq!(of_line(r"*:*:*:*:p\:q\\r", wanted), Some(r"p:q\r".into()));
        assert_eq!(of_line("db:5433:ledger:sodu:a", wanted), None);
        assert_eq!(of_line("# db:5432:ledger:sodu:a", wanted), None);
        assert_eq!(of_line("db:5432:ledger:sodu", wanted), None);
    }
}
