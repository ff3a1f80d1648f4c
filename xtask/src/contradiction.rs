//! The one error that means: the check worked, the server did not.
//!
//! Everything else (a tool that is missing, a folder that cannot be made) is an ordinary error, so that a planted bug
//! counts as found only where it was.

use std::fmt;

/// What contradicts the laws of the design, with the evidence.
#[derive(Debug)]
pub(crate) struct Contradiction(pub(crate) String);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Contradiction {}
