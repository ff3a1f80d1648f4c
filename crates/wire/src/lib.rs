//! The eSMS GetBalance contract: the only place that knows its paths, field names and codes.
//!
//! A server asks [`route()`] which call a path is, gets the caller's [`Keys`] from [`read`] (body) or from
//! [`PathKeys::decode`] (path), and renders its [`Answer`] with [`write()`]. A client asks with [`write_request`] and
//! understands what comes back with [`read_reply`]. The facts come from `esms-wire`, sections 1
//! to 4; each golden test names the section that it holds.
//!
//! Deliberately absent: HTTP (methods, status codes and headers are the server's), who may see which balance, and how a
//! balance is rounded to the decimals that are shown. Nothing here reads a clock, a file or a socket.

mod answer;
mod decimal;
mod json;
mod keys;
mod malformed;
mod money;
mod reply;
mod route;
mod xml;

pub use answer::{Answer, Code, write};
pub use decimal::{Decimal, NotDecimal};
pub use keys::Keys;
pub use malformed::Malformed;
pub use money::Money;
pub use reply::{NotAReply, Reply, read_reply, write_request};
pub use route::{PathKeys, Route, route};

/// The longest request body that a server should take, in bytes; it answers 413 above that.
///
/// A published request is about 100 bytes, and the whole `ApiModel` that some clients send a few hundred. [`read`]
/// does not check it: by then the bytes have been taken.
pub const BODY_LEN_MAX: usize = 64 * 1024;

/// How deep a request body may nest: objects and arrays, or elements, the outermost one included.
///
/// The deepest member of a real `ApiModel` (`Params`) stands at 3. Neither reader recurses, so this bounds what a
/// request may mean, not the stack.
pub const NESTING_MAX: usize = 64;

/// What both JSON (RFC 8259, section 2) and XML (XML 1.0, section 2.3) take for white space; Rust's own sets are wider.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The two twins of every call.
///
/// The path alone says which one is meant. Content type and `Accept` do not: clients of one and the same call send
/// different ones, or none (`esms-wire` section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `/MainService.svc/json/…`
    Json,
    /// `/MainService.svc/xml/…`
    Xml,
}

impl Format {
    /// The `Content-Type` of an answer in this format.
    ///
    /// XML is `application/xml`, not `text/xml`: by the older rules (RFC 3023, section 3.1) a client that overlooks the
    /// charset reads `text/xml` as US-ASCII, and would garble a message with Vietnamese in it. No client of
    /// `esms-wire` section 3 looks at it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }
}

/// Reads the keys out of the body of a POST, whatever its content type says.
///
/// A UTF-8 byte order mark is skipped (`esms-wire` section 3, row 4), members may stand in any order, and unknown
/// members of any type are ignored (section 2). Member names are matched with their case, and a repeated key is
/// refused: the service's own `DataContractJsonSerializer` does both. A key that is missing, null, empty or of
/// another type comes back as `""`, which never authenticates.
///
/// # Errors
/// [`Malformed`] when the body does not have the shape of a request at all; the server answers it with HTTP 400 and
/// [`Code::Unknown`].
pub fn read(format: Format, body: &[u8]) -> Result<Keys<'_>, Malformed> {
    let text = str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => json::read(text),
        Format::Xml => xml::read(text),
    }
}
