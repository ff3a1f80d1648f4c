//! One immutable line of an account's history.
//!
//! An entry carries everything that decides money after it, so that the last entry alone (with the open holds) is the
//! account's state. It never carries a row number of a storage engine: chains must agree between engines.

use crate::canonical::{Content, Hash};
use crate::{AccountId, Actor, Currency, Key, Metadata, Minor, Reason, Reference, Time};

/// What an entry records. The code is part of the hashed form and never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]

pub enum Kind {
    /// The account came to be; carries its currency and its first credit limit.
    Open,
    /// The credit limit was set.
    Limit,
    /// The account was activated, locked or closed.
    Status,
    /// Money in.
    Topup,
    /// Money spent.
    Charge,
    /// Money promised until `expires_at`.
    Hold,
    /// A hold's end was moved to `expires_at`.
    Extend,
    /// Part or whole of a hold was spent.
    Capture,
    /// What was left of a hold was released.
    Void,
    /// What was left of a hold ended by itself.
    Expire,
    /// A charge or capture, or part of it, was given back.
    Refund,
    /// Money went to (negative) or came from (positive) another account.
    Transfer,
    /// An operator's correction, signed, with its reason.
    Adjust,
}

impl Kind {
    /// Every kind, in the order of their codes.
    pub const ALL: [Kind; 13] = [
        Kind::Open,
        Kind::Limit,
        Kind::Status,
        Kind::Topup,
        Kind::Charge,
        Kind::Hold,
        Kind::Extend,
        Kind::Capture,
        Kind::Void,
        Kind::Expire,
        Kind::Refund,
        Kind::Transfer,
        Kind::Adjust,
    ];

    /// The code that is hashed and stored.
    pub fn code(self) -> u8 {
        match self {
            Kind::Open => 1,
            Kind::Limit => 2,
            Kind::Status => 3,
            Kind::Topup => 4,
            Kind::Charge => 5,
            Kind::Hold => 6,
            Kind::Extend => 7,
            Kind::Capture => 8,
            Kind::Void => 9,
            Kind::Expire => 10,
            Kind::Refund => 11,
            Kind::Transfer => 12,
            Kind::Adjust => 13,
        }
    }

    /// The kind with that code, if there is one.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word that people and programs read.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Open => "open",
            Kind::Limit => "limit",
            Kind::Status => "status",
            Kind::Topup => "topup",
            Kind::Charge => "charge",
            Kind::Hold => "hold",
            Kind::Extend => "extend",
            Kind::Capture => "capture",
            Kind::Void => "void",
            Kind::Expire => "expire",
            Kind::Refund => "refund",
            Kind::Transfer => "transfer",
            Kind::Adjust => "adjust",
        }
    }
}

/// Whether an account may spend.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// Takes every movement.
    Active,
    /// Refuses to spend; still takes money and settles what was promised.
    Locked,
    /// Ended, with nothing posted or held; refuses everything, for ever.
    Closed,
}

impl Status {
    /// The code that is hashed and stored.
    pub fn code(self) -> u8 {
        match self {
            Status::Active => 0,
            Status::Locked => 1,
            Status::Closed => 2,
        }
    }

    /// The status with that code, if there is one.
    pub fn from_code(code: u8) -> Option<Status> {
        [Status::Active, Status::Locked, Status::Closed].into_iter().find(|status| status.code() == code)
    }

    /// The word that people and programs read.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Locked => "locked",
            Status::Closed => "closed",
        }
    }
}

/// The entry that another one refers to: the hold of a capture, the charge of a refund, the other side of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// Its account.
    pub account: AccountId,
    /// Its number within that account.
    pub number: u64,
}

/// One line of an account's history, immutable once durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The account it belongs to.
    pub account: AccountId,
    /// 1 for the opening, then without gaps.
    pub number: u64,
    /// What it records.
    pub kind: Kind,
    /// The movement's amount. Signed where the kind alone does not tell the direction (transfer, adjust); zero for
    /// open, limit, status and extend.
    pub amount: Minor,
    /// The money after it, without holds and credit.
    pub posted_after: Minor,
    /// The money promised to open holds after it.
    pub held_after: Minor,
    /// The credit limit in force after it.
    pub credit_limit: Minor,
    /// The status in force after it.
    pub status: Status,
    /// When it took effect; never earlier than the entry before it.
    pub at: Time,
    /// When it was written; later than `at` only for an expiry.
    pub recorded_at: Time,
    /// The end of a hold (hold, extend).
    pub expires_at: Option<Time>,
    /// The entry it refers to.
    pub target: Option<Target>,
    /// The account's currency (open).
    pub currency: Option<Currency>,
    /// The idempotency key it was commanded under.
    pub key: Option<Key>,
    /// The digest of what was commanded, by which a repeated key is compared; there whenever `key` is.
    pub content: Option<Content>,
    /// What it belongs to outside the ledger.
    pub reference: Option<Reference>,
    /// Why, for what an operator does by hand.
    pub reason: Option<Reason>,
    /// Whatever the caller wants to find again.
    pub metadata: Metadata,
    /// Who did it.
    pub by: Actor,
    /// The link of the chain: over the account's previous link and this entry's canonical bytes.
    pub hash: Hash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_one_kind_each() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.code()), index + 1);
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(14), None);
        assert_eq!(Status::from_code(3), None);
    }
}
