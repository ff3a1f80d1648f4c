//! Why a request body is not a GetBalance request, in words that its sender can act on.
//!
//! The sentences are fixed: they never quote the body, which may hold keys, nor a parser's own message, which changes
//! with its version. Wrong keys in a well-formed body are no matter of this file; they are code 101.

use crate::{Code, Format};
use std::fmt;

/// A request body that cannot be read. Answered with HTTP 400, [`Code::Unknown`] and [`sentence`](Self::sentence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// No bytes, or only white space, where this format was expected.
    Empty(Format),
    /// Bytes that are not UTF-8, anywhere in the body.
    NotUtf8,
    /// Not JSON, or something after it.
    NotJson,
    /// JSON, but an array, a string, a number, a boolean or null.
    NotAnObject,
    /// Not well-formed XML, or something after it.
    NotXml,
    /// XML whose root element is not `ApiModel`.
    WrongRoot,
    /// XML with a document type declaration, which can define entities that grow without bound.
    Doctype,
    /// XML that declares an encoding other than UTF-8.
    Encoding,
    /// Nested deeper than [`NESTING_MAX`](crate::NESTING_MAX).
    TooDeep,
    /// `ApiKey` or `SecretKey` more than once: two readers could take different ones for the caller's.
    Repeated,
}

impl Malformed {
    /// What was expected, in one sentence for the answer's `ErrorMessage`.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty(Format::Json) => "The request body is empty: send a JSON object with ApiKey and SecretKey",
            Self::Empty(Format::Xml) => {
                "The request body is empty: send an XML element ApiModel with ApiKey and SecretKey"
            }
            Self::NotUtf8 => "The request body is not UTF-8: send it in UTF-8",
            Self::NotJson => "The request body is not JSON: send one JSON object with ApiKey and SecretKey",
            Self::NotAnObject => {
                "The request body is JSON but not an object: send one JSON object with ApiKey and SecretKey"
            }
            Self::NotXml => {
                "The request body is not well-formed XML: send one element ApiModel with ApiKey and SecretKey"
            }
            Self::WrongRoot => {
                "The root of the request body is not ApiModel: send one element ApiModel with ApiKey and SecretKey"
            }
            Self::Doctype => "The request body has a DOCTYPE, which is not accepted: send it without one",
            Self::Encoding => "The request body declares an encoding other than UTF-8: send and declare UTF-8",
            Self::TooDeep => "The request body is nested too deep: at most 64 levels are accepted",
            Self::Repeated => "The request body has ApiKey or SecretKey more than once: send each of them once",
        }
    }

    /// The code that goes with every malformed body (`esms-wire` section 4).
    pub const fn code(self) -> Code {
        Code::Unknown
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Malformed {}

// The sentence for `TooDeep` spells the limit out.
const _: () = assert!(crate::NESTING_MAX == 64);
