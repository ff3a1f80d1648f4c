//! What a client is told before its first call: where to, how long, how much, and what is not allowed.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

/// Limits of every call. The defaults suit a balance that a person or a monitor waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The most that one call takes, its retries and the waits between them included. 10 s.
    pub timeout: Duration,
    /// The most that one connection takes to be made. 5 s.
    pub connect_timeout: Duration,
    /// How often a call is tried again, at most, after a failure that passes (no connection, a connection that broke, HTTP
    /// 429, 502, 503, 504), and only where asking twice does no harm. 2.
    pub retries_max: u32,
    /// The longest answer that is read, in bytes. 64 KiB, for an operator 16 MiB.
    pub answer_len_max: usize,
    /// Whether secrets may be sent in clear text to other machines. To this one they always may. No.
    pub allow_plain_http: bool,
    /// Certificates of authorities to trust beside the system's own, as PEM: of a company's own authority, or of a
    /// `sodu demo --tls`. None.
    pub extra_roots: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            retries_max: 2,
            answer_len_max: 64 * 1024,
            allow_plain_http: false,
            extra_roots: String::new(),
        }
    }
}

/// Why a client could not be made. Nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupError {
    /// The address is no URL of a server.
    BadAddress {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The address begins with `http://` and is another machine's.
    PlainHttp,
    /// A key or token is empty or has characters that none has.
    BadKey {
        /// Which one.
        name: &'static str,
    },
    /// The system gave no thread to wait with.
    NoThread {
        /// What it says.
        detail: String,
    },
    /// The [`Settings::extra_roots`] are not what they should be.
    BadRoots {
        /// What is wrong with them.
        detail: String,
    },
    /// TLS cannot be set up, for example because the system has no root certificates.
    Tls {
        /// What the system says.
        detail: String,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::BadAddress { why } => write!(f, "the address cannot be used: {why}"),
            SetupError::PlainHttp => f.write_str(
                "the address begins with http://, which would send the keys in clear text; use https://, or allow plain \
                 HTTP explicitly",
            ),
            SetupError::BadKey { name } => {
                write!(f, "the {name} must be visible ASCII characters without spaces, and not empty; look where it was copied from")
            }
            SetupError::NoThread { detail } => write!(f, "the system gave no thread to wait with: {detail}"),
            SetupError::BadRoots { detail } => write!(
                f,
                "the extra root certificates cannot be used ({detail}); they must be PEM, with BEGIN CERTIFICATE above each"
            ),
            SetupError::Tls { detail } => {
                write!(f, "TLS cannot be set up ({detail}); does this system have root certificates (ca-certificates)?")
            }
        }
    }
}

impl std::error::Error for SetupError {}

/// A server's address, checked: it carries no secrets and none is sent to it in clear text.
pub(crate) struct Base {
    pub(crate) url: Url,
    pub(crate) is_loopback: bool,
}

impl Base {
    pub(crate) fn parse(text: &str, settings: &Settings) -> Result<Base, SetupError> {
        let bad = |why| SetupError::BadAddress { why };
        let mut url = Url::parse(text.trim()).map_err(|_| bad("write it like https://rest.example.com"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_loopback = is_loopback(&host);
        if host.is_empty() {
            return Err(bad("it names no host; write it like https://rest.example.com"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback || settings.allow_plain_http => {}
            "http" => return Err(SetupError::PlainHttp),
            _ => return Err(bad("it must begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("take user name and password out of it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("take what follows ? or # out of it"));
        }
        if url.path().to_ascii_lowercase().contains("/mainservice.svc") {
            return Err(bad("leave /MainService.svc and what follows out of it"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Base { url, is_loopback })
    }
}

/// Whether the host is this machine, as far as its name tells.
fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    address.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
}

/// A key or token as it may stand in a header or a body.
pub(crate) fn checked<'a>(name: &'static str, text: &'a str) -> Result<&'a str, SetupError> {
    let is_good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(text) } else { Err(SetupError::BadKey { name }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(text: &str) -> Result<String, SetupError> {
        Base::parse(text, &Settings::default()).map(|base| base.url.to_string())
    }

    #[test]
    fn secrets_go_out_encrypted_or_stay_on_this_machine() {
        for good in ["https://rest.example.com", "http://127.0.0.1:8080", "http://[::1]/a/", "http://localhost:1"] {
            assert!(parse(good).expect("an address").starts_with(good));
        }
        for plain in
            ["http://rest.example.com", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.nip.io"]
        {
            assert_eq!(parse(plain), Err(SetupError::PlainHttp), "{plain}");
            let settings = Settings { allow_plain_http: true, ..Settings::default() };
            assert!(Base::parse(plain, &settings).is_ok());
        }
    }

    #[test]
    fn an_address_is_no_place_for_anything_else() {
        let bad = ["", "rest.example.com", "ftp://a", "https://", "https://u:p@a", "https://a/?k=1", "https://a/#b"];
        let pasted = "https://a/MainService.svc/json/GetBalance_json";
        for bad in bad.into_iter().chain([pasted]) {
            assert!(matches!(parse(bad), Err(SetupError::BadAddress { .. })), "{bad}");
        }
        assert_eq!(parse(" https://a/sms ").as_deref(), Ok("https://a/sms/"));
    }
}
