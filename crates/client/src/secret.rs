//! Text that may be used but never shown.

use std::fmt;

/// A key or token. `{:?}` shows nothing of it; [`Secret::expose`] is the one way to read it.
///
/// There is no `PartialEq`: comparing secrets has to take constant time, and `==` does not.
#[derive(Clone)]
#[cfg_attr(feature = "operator", derive(serde::Deserialize), serde(transparent))]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for whoever has to send or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
