//! The closed list of the rules' noes, each with the figures that explain it.

use crate::{Minor, Status};

/// Why a command is not carried out. Nothing has changed; asking again under a new key may end otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The charge is greater than what may be spent.
    InsufficientCredit {
        /// posted − held + limit when it was decided.
        available: Minor,
        /// What was asked for.
        amount: Minor,
    },
    /// The account is locked and this movement spends.
    AccountLocked,
    /// The account is closed; it takes nothing any more.
    AccountClosed,
    /// An account is closed only with nothing posted and nothing held.
    AccountNotEmpty {
        /// What is posted.
        posted: Minor,
        /// What is held.
        held: Minor,
    },
    /// The amount is zero, a limit is negative, or the sum would leave the bounds of a figure.
    AmountOutOfRange {
        /// What was asked for.
        amount: Minor,
    },
    /// The key was used before, for something else.
    KeyReused {
        /// The entry that it made then; none where it was refused then.
        number: Option<u64>,
    },
    /// There is no such account.
    UnknownAccount,
    /// There is such an account already.
    AccountExists,
}

impl Refusal {
    /// The stable name that programs read.
    pub fn slug(&self) -> &'static str {
        match self {
            Refusal::InsufficientCredit { .. } => "insufficient_credit",
            Refusal::AccountLocked => "account_locked",
            Refusal::AccountClosed => "account_closed",
            Refusal::AccountNotEmpty { .. } => "account_not_empty",
            Refusal::AmountOutOfRange { .. } => "amount_out_of_range",
            Refusal::KeyReused { .. } => "key_reused",
            Refusal::UnknownAccount => "unknown_account",
            Refusal::AccountExists => "account_exists",
        }
    }

    /// Whether it is decided against an existing account and so uses the key up: the same key then gives the same answer.
    pub fn burns_key(&self) -> bool {
        match self {
            Refusal::InsufficientCredit { .. }
            | Refusal::AccountLocked
            | Refusal::AccountClosed
            | Refusal::AccountNotEmpty { .. }
            | Refusal::AmountOutOfRange { .. } => true,
            Refusal::KeyReused { .. } | Refusal::UnknownAccount | Refusal::AccountExists => false,
        }
    }

    /// The money figures that explain it, by their names: what is stored beside the slug, and shown again.
    pub fn figures(&self) -> Vec<(&'static str, Minor)> {
        match *self {
            Refusal::InsufficientCredit { available, amount } => vec![("available", available), ("amount", amount)],
            Refusal::AccountNotEmpty { posted, held } => vec![("posted", posted), ("held", held)],
            Refusal::AmountOutOfRange { amount } => vec![("amount", amount)],
            Refusal::AccountLocked
            | Refusal::AccountClosed
            | Refusal::KeyReused { .. }
            | Refusal::UnknownAccount
            | Refusal::AccountExists => Vec::new(),
        }
    }

    /// The refusal that was stored as `slug` and its figures, if it is one that burns a key.
    pub fn from_parts(slug: &str, figure: impl Fn(&str) -> Option<Minor>) -> Option<Refusal> {
        Some(match slug {
            "insufficient_credit" => {
                Refusal::InsufficientCredit { available: figure("available")?, amount: figure("amount")? }
            }
            "account_locked" => Refusal::AccountLocked,
            "account_closed" => Refusal::AccountClosed,
            "account_not_empty" => Refusal::AccountNotEmpty { posted: figure("posted")?, held: figure("held")? },
            "amount_out_of_range" => Refusal::AmountOutOfRange { amount: figure("amount")? },
            _ => return None,
        })
    }

    /// The refusal with which an account of that status turns every movement away that spends, if it does.
    pub(crate) fn of_status(status: Status) -> Option<Refusal> {
        match status {
            Status::Active => None,
            Status::Locked => Some(Refusal::AccountLocked),
            Status::Closed => Some(Refusal::AccountClosed),
        }
    }
}
