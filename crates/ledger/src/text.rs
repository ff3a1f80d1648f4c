//! The small types that a command is made of: whoever holds one knows that its bounds were checked.

use std::fmt;

/// An account's number, and its `UserID` on the eSMS wire: 1 to 2147483647 (a 32-bit signed integer there, esms-wire
/// section 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(u32);

impl AccountId {
    /// The greatest account number.
    pub const MAX: u32 = 2_147_483_647;

    /// The account `id`, or `None` outside 1 to 2147483647.
    pub fn new(id: u32) -> Option<AccountId> {
        (1..=AccountId::MAX).contains(&id).then_some(AccountId(id))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant of ledger time: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(i64);

impl Time {
    /// The instant `micros` microseconds after (before, if negative) 1970-01-01 UTC.
    pub fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// Why a text cannot be what it was meant to be; its `Display` says what is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextError(&'static str);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TextError {}

/// Declares a text type whose constructor checks `$valid` and fails with `$allowed`.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $valid:expr, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the bounds named on the type; the error says what is allowed.
            pub fn new(text: &str) -> Result<$name, TextError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok($name(text.into())) } else { Err(TextError($allowed)) }
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_type!(
    /// An idempotency key: 1 to 128 visible ASCII characters, chosen by the caller, scoped to one account.
    Key,
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()),
    "an idempotency key is 1 to 128 visible ASCII characters"
);

text_type!(
    /// What a movement belongs to outside the ledger: a payment, a message id, a campaign. 1 to 256 bytes, no control
    /// characters.
    Reference,
    |text| plain(text, 256),
    "a reference is 1 to 256 bytes of text without control characters"
);

text_type!(
    /// Why an operator did something by hand. 1 to 512 bytes, no control characters.
    Reason,
    |text| plain(text, 512),
    "a reason is 1 to 512 bytes of text without control characters"
);

text_type!(
    /// Who moved the money: an operator (`operator:anna`) or the local user of the command line (`local:root`). 1 to 128
    /// bytes, no control characters.
    Actor,
    |text| plain(text, 128),
    "an actor is 1 to 128 bytes of text without control characters"
);

fn plain(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Flat string pairs that travel with an entry: names and values together at most 1 KiB, sorted by name, each name once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata(Box<[(Box<str>, Box<str>)]>);

impl Metadata {
    /// The most bytes that all names and values may have together.
    pub const LEN_MAX: usize = 1024;

    /// Sorts and checks the pairs; the error says what is allowed.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Metadata, TextError> {
        let mut pairs: Vec<(Box<str>, Box<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        pairs.sort();
        let len =
            pairs.iter().fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()));
        let repeated = pairs.iter().zip(pairs.iter().skip(1)).any(|(one, next)| one.0 == next.0);
        if len > Metadata::LEN_MAX || repeated || pairs.iter().any(|(name, _)| name.is_empty()) {
            return Err(TextError("metadata is an object of strings, each name once and not empty, 1024 bytes in all"));
        }
        Ok(Metadata(pairs.into()))
    }

    /// The pairs in the order of their names.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_their_edges() {
        assert!(AccountId::new(0).is_none());
        assert!(AccountId::new(AccountId::MAX).is_some());
        assert!(AccountId::new(2_147_483_648).is_none());
        assert!(Key::new(&"k".repeat(128)).is_ok());
        for bad in ["", "with space", "tab\t", "dấu", &"k".repeat(129)] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
        assert!(Reference::new("Thanh toán 12").is_ok());
        assert!(Reference::new("line\nbreak").is_err());
        assert!(Reference::new("").is_err());
    }

    #[test]
    fn metadata_is_sorted_and_bounded() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let metadata = Metadata::new([pair("b", "2"), pair("a", "1")]).expect("two pairs");
        assert_eq!(metadata.pairs().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert!(Metadata::new([pair("a", "1"), pair("a", "2")]).is_err());
        assert!(Metadata::new([pair("", "1")]).is_err());
        assert!(Metadata::new([pair("a", &"v".repeat(1023))]).is_ok());
        assert!(Metadata::new([pair("a", &"v".repeat(1024))]).is_err());
    }
}
