//! The pair of keys that a caller proves itself with.
//!
//! Nothing here compares keys or says what a good one looks like: that is for whoever holds the credentials.

use std::borrow::Cow;
use std::fmt;

/// `ApiKey` and `SecretKey` as the caller sent them, borrowed from the request wherever they needed no decoding.
///
/// A key that is missing, null, empty or of another type is `""`, which no credential has, so that all of these get
/// the same 101 as a wrong key (`esms-wire` section 4).
///
/// There is no `PartialEq`: a comparison of secrets has to take constant time, and `==` does not.
#[derive(Clone, Default)]
pub struct Keys<'a> {
    /// The account's API key.
    pub api_key: Cow<'a, str>,
    /// The account's secret key.
    pub secret_key: Cow<'a, str>,
}

/// Hides both keys, so that a `{:?}` in a log line cannot leak them.
impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
