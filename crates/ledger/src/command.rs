//! What a caller asks for, after parsing: nothing in it can be malformed any more.

use crate::{AccountId, Actor, Amount, Currency, Key, Kind, Metadata, Minor, Reason, Reference, Status};

/// One request to move money or to change a setting that decides money.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The account it is about.
    pub account: AccountId,
    /// What is to happen.
    pub movement: Movement,
    /// The idempotency key; every path to money carries one, settings may go without.
    pub key: Option<Key>,
    /// What it belongs to outside the ledger.
    pub reference: Option<Reference>,
    /// Whatever the caller wants to find again.
    pub metadata: Metadata,
    /// Who asks.
    pub by: Actor,
}

/// What a command wants to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Movement {
    /// Open the account.
    Open {
        /// Its currency, for ever.
        currency: Currency,
        /// How far below zero it may spend; zero or more.
        credit_limit: Minor,
    },
    /// Set the credit limit, also below what is already used: charges are then refused.
    Limit {
        /// The new limit; zero or more.
        credit_limit: Minor,
        /// Why.
        reason: Option<Reason>,
    },
    /// Activate, lock or close.
    Status {
        /// The new status.
        status: Status,
        /// Why.
        reason: Option<Reason>,
    },
    /// Money in.
    Topup {
        /// How much.
        amount: Amount,
    },
    /// Money spent.
    Charge {
        /// How much.
        amount: Amount,
    },
    /// A correction, up or down, past the limit if need be.
    Adjust {
        /// How much, signed; zero is refused.
        amount: Minor,
        /// Why; a correction without one is not taken.
        reason: Reason,
    },
}

impl Movement {
    /// The kind of the entry that it becomes.
    pub fn kind(&self) -> Kind {
        match self {
            Movement::Open { .. } => Kind::Open,
            Movement::Limit { .. } => Kind::Limit,
            Movement::Status { .. } => Kind::Status,
            Movement::Topup { .. } => Kind::Topup,
            Movement::Charge { .. } => Kind::Charge,
            Movement::Adjust { .. } => Kind::Adjust,
        }
    }

    /// The reason it carries, if any.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Movement::Limit { reason, .. } | Movement::Status { reason, .. } => reason.as_ref(),
            Movement::Adjust { reason, .. } => Some(reason),
            Movement::Open { .. } | Movement::Topup { .. } | Movement::Charge { .. } => None,
        }
    }
}
