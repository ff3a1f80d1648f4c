//! Reads the JSON request: `{"ApiKey":"…","SecretKey":"…", …}` (`esms-wire` sections 1 and 2).
//!
//! This is the hot path: keys without escapes are borrowed from the body, and nothing is allocated for a request as
//! published. Members that are not keys are checked for grammar and dropped unparsed, so that `1e999` or half a
//! surrogate pair in one of them does no harm. No member is required here; the missing ones come back empty.

use crate::{Format, Keys, Malformed, NESTING_MAX, WHITE_SPACE};
use memchr::memchr;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

pub(crate) fn read(text: &str) -> Result<Keys<'_>, Malformed> {
    let text = text.trim_start_matches(WHITE_SPACE);
    if text.is_empty() {
        return Err(Malformed::Empty(Format::Json));
    }
    if nests_too_deep(text.as_bytes()) {
        return Err(Malformed::TooDeep);
    }
    if !text.starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Malformed::NotAnObject,
            Err(_) => Malformed::NotJson,
        });
    }
    let members: Members = serde_json::from_str(text).map_err(|_| Malformed::NotJson)?;
    if members.repeated {
        return Err(Malformed::Repeated);
    }
    Ok(Keys {
        api_key: members.api_key.map_or(Cow::Borrowed(""), string),
        secret_key: members.secret_key.map_or(Cow::Borrowed(""), string),
    })
}

/// The members of a request that matter, as they stand in the body.
#[derive(Default)]
struct Members<'a> {
    api_key: Option<&'a RawValue>,
    secret_key: Option<&'a RawValue>,
    repeated: bool,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum Name {
    ApiKey,
    SecretKey,
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
        f.write_str("an object with ApiKey and SecretKey")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key()? {
            let earlier = match name {
                Name::ApiKey => members.api_key.replace(map.next_value()?),
                Name::SecretKey => members.secret_key.replace(map.next_value()?),
                Name::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            members.repeated |= earlier.is_some();
        }
        Ok(members)
    }
}

/// The value of a key: its text if it is a string, `""` if it is anything else.
///
/// Looking at the raw value first, instead of asking serde for "any" value, keeps a number that no `f64` can hold
/// what it is here: another type, thus 101, and not a malformed body.
fn string(value: &RawValue) -> Cow<'_, str> {
    let raw = value.get();
    let Some(inner) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) else {
        return Cow::Borrowed("");
    };
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    // Fails only on half a surrogate pair, which is no text, so it equals no key.
    serde_json::from_str(raw).map(Cow::Owned).unwrap_or_default()
}

/// Whether objects and arrays nest deeper than `NESTING_MAX`.
///
/// serde_json limits the depth of what it parses but not of what it skips, and a limit that depends on that is none.
/// A published request is too short to nest deep, since what opens must close; and most longer ones have too few
/// brackets.
fn nests_too_deep(text: &[u8]) -> bool {
    text.len() > 2 * NESTING_MAX && opening_count(text) > NESTING_MAX && depth_max(text) > NESTING_MAX
}

/// Sums in the width of a byte, a block at a time, so that the compiler compares many bytes at once.
fn opening_count(text: &[u8]) -> usize {
    let block_sum = |block: &[u8]| block.iter().map(|b| u8::from(is_opening(*b))).sum::<u8>();
    text.chunks(255).map(|block| usize::from(block_sum(block))).sum()
}

/// The greatest depth, brackets in strings apart. Means little where the text is not JSON; that is found out later.
fn depth_max(text: &[u8]) -> usize {
    let (mut depth, mut depth_max) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            _ if in_string => {}
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ if is_opening(byte) => {
                depth += 1;
                depth_max = depth_max.max(depth);
            }
            _ => {}
        }
    }
    depth_max
}

fn is_opening(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}
