//! Where a ledger came from and where it went: rows of the table `moves`, made by the first move of a database.
//!
//! The last row says whether the database may be used. One whose ledger went elsewhere must not be, nor one whose ledger is
//! still on its way in: the embedded engine gives such a file another kind (see `schema`), so that no program that does not
//! know of moves takes it; over PostgreSQL each session looks before it does anything.

use ledger::Hash;

use super::Figures;
use crate::OpenError;

/// The table, in words that both engines understand.
pub(crate) const TABLE: &str = "moves (number BIGINT PRIMARY KEY, way TEXT NOT NULL, peer TEXT NOT NULL, begun_at TEXT NOT \
    NULL, ended_at TEXT, accounts BIGINT, entries BIGINT, root TEXT)";

/// The last row: way, peer, when it began and ended, and the figures.
pub(crate) const LAST: &str = "SELECT way, peer, begun_at, ended_at, accounts, entries, root FROM moves \
    ORDER BY number DESC LIMIT 1";

/// The ledger came, or is coming, from the peer.
pub(crate) const FROM: &str = "from";

/// It went to the peer.
pub(crate) const TO: &str = "to";

/// What the last row says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub(crate) way: String,
    /// The other database, without a password.
    pub(crate) peer: String,
    pub(crate) begun_at: String,
    pub(crate) ended_at: Option<String>,
    pub(crate) figures: Option<Figures>,
}

impl Mark {
    /// Why the database cannot be used, if it cannot.
    pub(crate) fn bar(&self) -> Option<OpenError> {
        match (self.way == TO, &self.ended_at) {
            (true, at) => {
                let at = at.clone().unwrap_or_else(|| self.begun_at.clone());
                Some(OpenError::Moved { to: self.peer.clone(), at })
            }
            (false, None) => Some(OpenError::Arriving { from: self.peer.clone() }),
            (false, Some(_)) => None,
        }
    }

    /// Whether the ledger is still on its way in.
    pub(crate) fn is_arriving(&self) -> bool {
        self.way == FROM && self.ended_at.is_none()
    }
}

/// Figures as a row has them.
pub(crate) fn figures(accounts: Option<i64>, entries: Option<i64>, root: Option<&str>) -> Option<Figures> {
    let root = blake3::Hash::from_hex(root?).ok()?;
    Some(Figures {
        accounts: u64::try_from(accounts?).ok()?,
        entries: u64::try_from(entries?).ok()?,
        root: Hash(*root.as_bytes()),
    })
}

/// A count as a row has it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A root as a row has it, and as people see it.
pub(crate) fn hex(root: Hash) -> String {
    blake3::Hash::from_bytes(root.0).to_hex().to_string()
}
