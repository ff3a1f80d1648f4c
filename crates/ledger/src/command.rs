//! What a caller asks for, after parsing: nothing in it can be malformed any more.

use crate::{AccountId, Actor, Amount, Currency, Key, Kind, Lifetime, Metadata, Minor, Reason, Reference, Status};

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
    /// Why, where somebody says so; an adjustment's reason, which it never goes without, is part of the movement.
    pub reason: Option<Reason>,
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
    },
    /// Activate, lock or close.
    Status {
        /// The new status.
        status: Status,
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
    /// Money promised, until it is captured, voided or its time is over.
    Hold {
        /// How much.
        amount: Amount,
        /// How long.
        expires_in: Lifetime,
    },
    /// An open hold's end moved to this long from now; never to an earlier instant than it has.
    Extend {
        /// Which hold.
        hold: Named,
        /// How long from now.
        expires_in: Lifetime,
    },
    /// Part or whole of an open hold spent.
    Capture {
        /// Which hold.
        hold: Named,
        /// How much; all that is left where none is given.
        amount: Option<Amount>,
        /// Whether what is left afterwards is released.
        is_final: bool,
    },
    /// What is left of an open hold released.
    Void {
        /// Which hold.
        hold: Named,
    },
    /// A charge or a capture given back, or part of it.
    Refund {
        /// How much.
        amount: Amount,
        /// Which charge or capture.
        charge: Named,
    },
    /// Money to another account of the same currency.
    Transfer {
        /// The account that gets it.
        to: AccountId,
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

/// How a command names an earlier entry of its account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// By its number within the account.
    Number(u64),
    /// By the idempotency key that it was commanded under.
    Key(Key),
}

impl Command {
    /// Why, if anybody said so.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.movement {
            Movement::Adjust { reason, .. } => Some(reason),
            Movement::Open { .. }
            | Movement::Limit { .. }
            | Movement::Status { .. }
            | Movement::Topup { .. }
            | Movement::Charge { .. }
            | Movement::Hold { .. }
            | Movement::Extend { .. }
            | Movement::Capture { .. }
            | Movement::Void { .. }
            | Movement::Refund { .. }
            | Movement::Transfer { .. } => self.reason.as_ref(),
        }
    }
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
            Movement::Hold { .. } => Kind::Hold,
            Movement::Extend { .. } => Kind::Extend,
            Movement::Capture { .. } => Kind::Capture,
            Movement::Void { .. } => Kind::Void,
            Movement::Refund { .. } => Kind::Refund,
            Movement::Transfer { .. } => Kind::Transfer,
            Movement::Adjust { .. } => Kind::Adjust,
        }
    }

    /// The earlier entry that it names: a hold, or the charge or capture of a refund.
    pub fn named(&self) -> Option<&Named> {
        match self {
            Movement::Extend { hold, .. } | Movement::Capture { hold, .. } | Movement::Void { hold } => Some(hold),
            Movement::Refund { charge, .. } => Some(charge),
            Movement::Open { .. }
            | Movement::Limit { .. }
            | Movement::Status { .. }
            | Movement::Topup { .. }
            | Movement::Charge { .. }
            | Movement::Hold { .. }
            | Movement::Transfer { .. }
            | Movement::Adjust { .. } => None,
        }
    }

    /// The other account that it touches.
    pub fn to(&self) -> Option<AccountId> {
        if let Movement::Transfer { to, .. } = self { Some(*to) } else { None }
    }
}
