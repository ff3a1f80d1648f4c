//! Which GetBalance call a path is, and the keys of the older calls that carry them in the path.
//!
//! Knows neither hosts nor methods: clients reach the service under several names (`esms-wire` section 3), and
//! whether a method fits a route is answered by the server, with [`Route::allow`]. Percent-encoding in the fixed
//! segments is not decoded; no client needs to encode their letters.

use crate::{Format, Keys};
use memchr::memchr;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;

/// A known path.
#[derive(Clone, Copy, Debug)]
pub enum Route<'a> {
    /// `/MainService.svc/{json|xml}/GetBalance_json`, the documented call: the keys are in the body (`esms-wire`
    /// sections 1 and 2).
    Post(Format),
    /// `/MainService.svc/{json|xml}/GetBalance/{ApiKey}/{SecretKey}`, older and still much used (section 2).
    Get(Format, PathKeys<'a>),
}

/// Finds the route of a path, which must come without its query string.
///
/// The fixed segments match in any case and one slash may trail (`esms-wire` section 2; section 3, rows 5 and 6).
/// Keys keep their case. A key segment may be empty: `…/GetBalance//` is a client whose keys are not set, and hears
/// 101 rather than 404. `None` is for the server to answer with 404.
pub fn route(path: &str) -> Option<Route<'_>> {
    let rest = strip_prefix(path, "/MainService.svc/")?;
    let (format, rest) = match strip_prefix(rest, "json/") {
        Some(rest) => (Format::Json, rest),
        None => (Format::Xml, strip_prefix(rest, "xml/")?),
    };
    match strip_prefix(rest, "GetBalance_json") {
        Some("" | "/") => Some(Route::Post(format)),
        Some(_) => None,
        None => {
            let keys = PathKeys::split(strip_prefix(rest, "GetBalance/")?)?;
            Some(Route::Get(format, keys))
        }
    }
}

impl Route<'_> {
    /// The path with placeholders for the keys: safe for logs and metric labels.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Post(Format::Json) => "/MainService.svc/json/GetBalance_json",
            Self::Post(Format::Xml) => "/MainService.svc/xml/GetBalance_json",
            Self::Get(Format::Json, _) => "/MainService.svc/json/GetBalance/{ApiKey}/{SecretKey}",
            Self::Get(Format::Xml, _) => "/MainService.svc/xml/GetBalance/{ApiKey}/{SecretKey}",
        }
    }

    /// The `Allow` header of this route. OPTIONS is a browser's preflight (`esms-wire` section 3, row 10); HEAD goes
    /// with every GET (RFC 9110, section 9.3.2).
    pub const fn allow(&self) -> &'static str {
        match self {
            Self::Post(_) => "POST, OPTIONS",
            Self::Get(..) => "GET, HEAD, OPTIONS",
        }
    }

    /// The format of the request, and so of its answer.
    pub const fn format(&self) -> Format {
        match self {
            Self::Post(format) | Self::Get(format, _) => *format,
        }
    }
}

/// The two key segments of a path, still percent-encoded.
#[derive(Clone, Copy)]
pub struct PathKeys<'a> {
    api_key: &'a str,
    secret_key: &'a str,
}

impl<'a> PathKeys<'a> {
    /// Splits `{ApiKey}/{SecretKey}` with an optional trailing slash; `None` for fewer or more segments.
    fn split(segments: &'a str) -> Option<Self> {
        let (api_key, rest) = segments.split_once('/')?;
        let secret_key = rest.strip_suffix('/').unwrap_or(rest);
        let keys = Self { api_key, secret_key };
        (!secret_key.contains('/')).then_some(keys)
    }

    /// Percent-decodes both keys, each on its own, so that an encoded slash stays part of its key.
    ///
    /// A key that does not decode to UTF-8 is `""`. A `%` that starts no escape stands for itself, and `+` is a plus:
    /// this is a path, not a form.
    pub fn decode(self) -> Keys<'a> {
        Keys { api_key: decode(self.api_key), secret_key: decode(self.secret_key) }
    }
}

/// Hides both keys, so that a `{:?}` of a route cannot leak them.
impl fmt::Debug for PathKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathKeys").finish_non_exhaustive()
    }
}

fn decode(segment: &str) -> Cow<'_, str> {
    // Every key seen so far is plain, and the general way takes ten times as long to find that out.
    if memchr(b'%', segment.as_bytes()).is_none() {
        return Cow::Borrowed(segment);
    }
    percent_decode_str(segment).decode_utf8().unwrap_or_default()
}

/// `str::strip_prefix` without regard to ASCII case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}
