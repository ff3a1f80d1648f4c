//! Writes the answer, as JSON or as XML, byte for byte in the published shape (`esms-wire` sections 1, 2 and 4).
//!
//! Chooses nothing: which balance, which code and which HTTP status go out is decided by the server. Appends to the
//! caller's buffer and allocates nothing else.

use crate::money::{DIGITS_MAX, Money, decimal};
use crate::{Format, Malformed};

/// What a caller of GetBalance hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The account's balance; code 100.
    Balance {
        /// The figure, already rounded down to the decimals that are shown.
        balance: Money,
        /// The account's number, 1 to 2147483647 (`esms-wire` section 2: a 32-bit signed integer at the clients).
        user_id: u32,
    },
    /// Every other answer. Its balance is 0, which clients rely on (`esms-wire` section 3, row 7).
    Refused {
        /// Any code but [`Code::Success`].
        code: Code,
        /// What went wrong and what to do about it; [`Code::message`] or a more exact sentence.
        message: &'a str,
    },
}

impl Answer<'static> {
    /// A refusal with the fixed message of its code.
    pub const fn refused(code: Code) -> Self {
        let message = code.message();
        Self::Refused { code, message }
    }
}

impl Answer<'_> {
    /// The code that the answer carries, for counting.
    pub const fn code(&self) -> Code {
        match self {
            Self::Balance { .. } => Code::Success,
            Self::Refused { code, .. } => *code,
        }
    }
}

/// A body that could not be read, as the answer to it.
impl From<Malformed> for Answer<'static> {
    fn from(malformed: Malformed) -> Self {
        let (code, message) = (malformed.code(), malformed.sentence());
        Self::Refused { code, message }
    }
}

/// `CodeResponse`: the codes that this call answers with (`esms-wire` section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Code {
    /// Unknown error, try again later. Also a malformed request, which has no code of its own.
    Unknown = 99,
    /// Success.
    Success = 100,
    /// Wrong `ApiKey` or `SecretKey`, or a credential that is revoked or expired.
    AuthorizeFailed = 101,
    /// The account is locked or closed.
    AccountLocked = 102,
    /// The caller's address is not on the credential's allow-list.
    AddressNotAllowed = 140,
}

impl Code {
    /// The code as it is written: a string of digits, even in JSON (`esms-wire` section 1).
    pub const fn digits(self) -> &'static str {
        match self {
            Self::Unknown => "99",
            Self::Success => "100",
            Self::AuthorizeFailed => "101",
            Self::AccountLocked => "102",
            Self::AddressNotAllowed => "140",
        }
    }

    /// The fixed `ErrorMessage` of the code.
    ///
    /// That of 101 is the published one. The others are ours: no answer with them is published, only the meaning of
    /// the code. [`Code::Success`] has one for logs; its answer carries none.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown error, please try again later",
            Self::Success => "Success",
            Self::AuthorizeFailed => "Authorize Failed",
            Self::AccountLocked => "Account locked, please contact your provider",
            Self::AddressNotAllowed => "IP address not allowed, please have it added to the allow-list of this ApiKey",
        }
    }
}

/// Appends the answer to `out`, in the members and the order that are published.
///
/// XML goes out without a declaration: it would say nothing that the content type does not (and UTF-8 is what an
/// undeclared document is in; XML 1.0, section 4.3.3), while parsers that are handed an already decoded string,
/// Python's lxml for one, refuse a string that declares an encoding.
pub fn write(format: Format, answer: &Answer<'_>, out: &mut Vec<u8>) {
    debug_assert!(
        !matches!(answer, Answer::Refused { code, .. } if *code == Code::Success),
        "a refusal must not say that it is a success"
    );
    match (format, *answer) {
        (Format::Json, Answer::Balance { balance, user_id }) => {
            out.extend_from_slice(b"{\"Balance\":");
            balance.write(out);
            out.extend_from_slice(b",\"CodeResponse\":\"100\",\"UserID\":");
            write_u32(user_id, out);
            out.push(b'}');
        }
        (Format::Json, Answer::Refused { code, message }) => {
            out.extend_from_slice(b"{\"Balance\":0,\"CodeResponse\":\"");
            out.extend_from_slice(code.digits().as_bytes());
            out.extend_from_slice(b"\",\"ErrorMessage\":");
            serde_json::to_writer(&mut *out, message).expect("a Vec takes every write");
            out.push(b'}');
        }
        (Format::Xml, Answer::Balance { balance, user_id }) => {
            out.extend_from_slice(b"<MemberModel><Balance>");
            balance.write(out);
            out.extend_from_slice(b"</Balance><UserID>");
            write_u32(user_id, out);
            out.extend_from_slice(b"</UserID><CodeResponse>100</CodeResponse></MemberModel>");
        }
        (Format::Xml, Answer::Refused { code, message }) => {
            out.extend_from_slice(b"<MemberModel><Balance>0</Balance><ErrorMessage>");
            write_xml_text(message, out);
            out.extend_from_slice(b"</ErrorMessage><CodeResponse>");
            out.extend_from_slice(code.digits().as_bytes());
            out.extend_from_slice(b"</CodeResponse></MemberModel>");
        }
    }
}

fn write_u32(number: u32, out: &mut Vec<u8>) {
    let mut buffer = [0; DIGITS_MAX];
    out.extend_from_slice(decimal(number.into(), &mut buffer));
}

/// Appends element content: markup escaped, a carriage return kept from being read as a line feed (XML 1.0, section
/// 2.11), and what no XML 1.0 document may hold, even escaped (section 2.2), replaced.
fn write_xml_text(text: &str, out: &mut Vec<u8>) {
    for char in text.chars() {
        match char {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '\r' => out.extend_from_slice(b"&#13;"),
            '\t' | '\n' => out.push(char as u8),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => out.extend_from_slice("\u{fffd}".as_bytes()),
            _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
