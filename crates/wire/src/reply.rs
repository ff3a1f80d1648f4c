//! The client's side: writes the JSON request and reads the JSON answer (`esms-wire` sections 1 and 2).
//!
//! Reads leniently where the published page and the service differ: `Balance` and `UserID` as number or string, decimals
//! and doubles in scientific notation, the code as string or number. What cannot be read is told by what was expected
//! instead, never by what stood there: that may be anything, a login page or a proxy's words.

use crate::{Code, Decimal, Keys, WHITE_SPACE};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The longest `ErrorMessage` that is kept, in characters.
const MESSAGE_LEN_MAX: usize = 300;

/// Appends the published request with these keys.
pub fn write_request(keys: &Keys<'_>, out: &mut Vec<u8>) {
    let mut member = |name: &[u8], value: &str| {
        out.extend_from_slice(name);
        serde_json::to_writer(&mut *out, value).expect("a Vec takes every write");
    };
    member(b"{\"ApiKey\":", &keys.api_key);
    member(b",\"SecretKey\":", &keys.secret_key);
    out.push(b'}');
}

/// What a GetBalance answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Code 100: the balance, exactly as it was written, and the account's number.
    Balance {
        /// The balance of the main account; may be negative.
        balance: Decimal,
        /// The account's number at the service, 0 to 2147483647.
        user_id: u32,
    },
    /// Any other code.
    Refused {
        /// The code; those that are known are [`Code`]s.
        code: u32,
        /// `ErrorMessage` without control characters, at most 300 characters of it; empty where none came.
        message: String,
    },
}

/// Why a body is no GetBalance answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAReply {
    /// Nothing, or only white space.
    Empty,
    /// It begins like HTML or XML: a page for people.
    Markup,
    /// Neither of these, and not JSON either.
    NotJson,
    /// JSON, but no object.
    NotAnObject,
    /// A member stands there more than once.
    Repeated,
    /// There is no `CodeResponse`, or it is no whole number.
    NoCode,
    /// It says 100, but `Balance` is missing or no number.
    NoBalance,
    /// It says 100, but `UserID` is missing or no account's number.
    NoUserId,
}

impl NotAReply {
    /// What came instead of an answer, as the end of a sentence.
    pub const fn found(self) -> &'static str {
        match self {
            Self::Empty => "an empty body",
            Self::Markup => "an HTML or XML page",
            Self::NotJson => "something that is not JSON",
            Self::NotAnObject => "JSON that is not an object",
            Self::Repeated => "an object with a member twice",
            Self::NoCode => "an object without a numeric CodeResponse",
            Self::NoBalance => "a success without a numeric Balance",
            Self::NoUserId => "a success without an account's number in UserID",
        }
    }

    /// What was expected, as the published example.
    pub const EXPECTED: &'static str = r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#;
}

impl fmt::Display for NotAReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {}", self.found(), Self::EXPECTED)
    }
}

impl std::error::Error for NotAReply {}

/// Reads the body of an answer. A byte order mark is skipped and unknown members are ignored.
///
/// # Errors
/// [`NotAReply`] where it is of another shape.
pub fn read_reply(body: &[u8]) -> Result<Reply, NotAReply> {
    let text = str::from_utf8(body).map_err(|_| NotAReply::NotJson)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start_matches(WHITE_SPACE);
    match text.as_bytes().first() {
        None => return Err(NotAReply::Empty),
        Some(b'<') => return Err(NotAReply::Markup),
        Some(b'{') => {}
        Some(_) => {
            let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            return Err(if is_json { NotAReply::NotAnObject } else { NotAReply::NotJson });
        }
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| NotAReply::NotJson)?;
    if members.repeated {
        return Err(NotAReply::Repeated);
    }
    let code = members.code.and_then(whole).ok_or(NotAReply::NoCode)?;
    if code != Code::Success as u32 {
        return Ok(Reply::Refused { code, message: members.message.map(message).unwrap_or_default() });
    }
    let balance = members.balance.and_then(decimal).ok_or(NotAReply::NoBalance)?;
    let user_id = members.user_id.and_then(whole).filter(|id| *id <= i32::MAX as u32).ok_or(NotAReply::NoUserId)?;
    Ok(Reply::Balance { balance, user_id })
}

/// The members of an answer, as they stand in the body.
#[derive(Default)]
struct Members<'a> {
    balance: Option<&'a RawValue>,
    code: Option<&'a RawValue>,
    user_id: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    repeated: bool,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum Name {
    Balance,
    CodeResponse,
    #[serde(rename = "UserID")]
    UserId,
    ErrorMessage,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with CodeResponse")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key()? {
            let place = match name {
                Name::Balance => &mut members.balance,
                Name::CodeResponse => &mut members.code,
                Name::UserId => &mut members.user_id,
                Name::ErrorMessage => &mut members.message,
                Name::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            members.repeated |= place.replace(map.next_value()?).is_some();
        }
        Ok(members)
    }
}

/// A JSON number, or a string that holds one, perhaps with white space around it.
fn decimal(value: &RawValue) -> Option<Decimal> {
    let raw = value.get();
    if raw.starts_with('"') {
        return serde_json::from_str::<String>(raw).ok()?.trim_matches(WHITE_SPACE).parse().ok();
    }
    raw.parse().ok()
}

/// The same, where it must be a whole number from zero up.
fn whole(value: &RawValue) -> Option<u32> {
    u32::try_from(decimal(value)?.to_minor(0)?).ok()
}

/// What may be shown to people of an `ErrorMessage`; nothing of one that is no string.
fn message(value: &RawValue) -> String {
    let text: String = serde_json::from_str(value.get()).unwrap_or_default();
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.trim().chars().take(MESSAGE_LEN_MAX).map(plain).collect()
}
