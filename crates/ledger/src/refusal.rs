//! The closed list of the rules' noes, each with the facts that explain it.

use crate::{Kind, Minor, Status, Time};

/// Why a command is not carried out. Nothing has changed; asking again under a new key may end otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// What is to be spent or promised is greater than what may be spent.
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
    /// The account that a transfer goes to is closed.
    RecipientClosed,
    /// A transfer goes to the account that it comes from.
    SameAccount,
    /// The two accounts of a transfer have different currencies.
    CurrencyMismatch,
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
    /// What is named is no hold of the account.
    UnknownHold,
    /// The hold has ended.
    HoldNotOpen {
        /// The number of its entry.
        hold: u64,
        /// What ended it: capture, void or expire.
        ended_by: Kind,
        /// When it ended.
        ended_at: Time,
    },
    /// The capture is greater than what is left of the hold.
    CaptureExceedsHold {
        /// What is left of it.
        left: Minor,
        /// What was asked for.
        amount: Minor,
    },
    /// What is named is neither a charge nor a capture of the account.
    UnknownCharge,
    /// The refund is greater than what is left of the charge or capture to give back.
    RefundExceedsCharge {
        /// What can still be given back.
        refundable: Minor,
        /// What was asked for.
        amount: Minor,
    },
    /// The key was used before, for something else.
    KeyReused {
        /// The entry that it made then; none where it was refused then.
        number: Option<u64>,
    },
    /// The account was refused so often within this second that a further refusal would not be kept.
    TooManyRefusals,
    /// There is no such account.
    UnknownAccount,
    /// There is such an account already.
    AccountExists,
}

/// One fact that explains a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// Money.
    Money(Minor),
    /// The number of an entry.
    Number(u64),
    /// The kind of an entry.
    Kind(Kind),
    /// An instant.
    Time(Time),
}

impl Refusal {
    /// The stable name that programs read.
    pub fn slug(&self) -> &'static str {
        match self {
            Refusal::InsufficientCredit { .. } => "insufficient_credit",
            Refusal::AccountLocked => "account_locked",
            Refusal::AccountClosed => "account_closed",
            Refusal::RecipientClosed => "recipient_closed",
            Refusal::SameAccount => "same_account",
            Refusal::CurrencyMismatch => "currency_mismatch",
            Refusal::AccountNotEmpty { .. } => "account_not_empty",
            Refusal::AmountOutOfRange { .. } => "amount_out_of_range",
            Refusal::UnknownHold => "unknown_hold",
            Refusal::HoldNotOpen { .. } => "hold_not_open",
            Refusal::CaptureExceedsHold { .. } => "capture_exceeds_hold",
            Refusal::UnknownCharge => "unknown_charge",
            Refusal::RefundExceedsCharge { .. } => "refund_exceeds_charge",
            Refusal::KeyReused { .. } => "key_reused",
            Refusal::TooManyRefusals => "too_many_refusals",
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
            | Refusal::RecipientClosed
            | Refusal::SameAccount
            | Refusal::CurrencyMismatch
            | Refusal::AccountNotEmpty { .. }
            | Refusal::AmountOutOfRange { .. }
            | Refusal::UnknownHold
            | Refusal::HoldNotOpen { .. }
            | Refusal::CaptureExceedsHold { .. }
            | Refusal::UnknownCharge
            | Refusal::RefundExceedsCharge { .. } => true,
            Refusal::KeyReused { .. } | Refusal::TooManyRefusals | Refusal::UnknownAccount | Refusal::AccountExists => {
                false
            }
        }
    }

    /// The facts that explain it, by their names: what is stored beside the slug, and shown again.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        let amount = |amount| ("amount", Fact::Money(amount));
        match *self {
            Refusal::InsufficientCredit { available, amount: asked } => {
                vec![("available", Fact::Money(available)), amount(asked)]
            }
            Refusal::AccountNotEmpty { posted, held } => {
                vec![("posted", Fact::Money(posted)), ("held", Fact::Money(held))]
            }
            Refusal::AmountOutOfRange { amount: asked } => vec![amount(asked)],
            Refusal::HoldNotOpen { hold, ended_by, ended_at } => vec![
                ("hold", Fact::Number(hold)),
                ("ended_by", Fact::Kind(ended_by)),
                ("ended_at", Fact::Time(ended_at)),
            ],
            Refusal::CaptureExceedsHold { left, amount: asked } => vec![("left", Fact::Money(left)), amount(asked)],
            Refusal::RefundExceedsCharge { refundable, amount: asked } => {
                vec![("refundable", Fact::Money(refundable)), amount(asked)]
            }
            Refusal::AccountLocked
            | Refusal::AccountClosed
            | Refusal::RecipientClosed
            | Refusal::SameAccount
            | Refusal::CurrencyMismatch
            | Refusal::UnknownHold
            | Refusal::UnknownCharge
            | Refusal::KeyReused { .. }
            | Refusal::TooManyRefusals
            | Refusal::UnknownAccount
            | Refusal::AccountExists => Vec::new(),
        }
    }

    /// The refusal that was stored as `slug` and its facts as integers ([`Fact::code`]), if it is one that burns a key.
    pub fn from_parts(slug: &str, fact: impl Fn(&str) -> Option<i64>) -> Option<Refusal> {
        let money = |name: &str| fact(name).and_then(Minor::new);
        Some(match slug {
            "insufficient_credit" => {
                Refusal::InsufficientCredit { available: money("available")?, amount: money("amount")? }
            }
            "account_locked" => Refusal::AccountLocked,
            "account_closed" => Refusal::AccountClosed,
            "recipient_closed" => Refusal::RecipientClosed,
            "same_account" => Refusal::SameAccount,
            "currency_mismatch" => Refusal::CurrencyMismatch,
            "account_not_empty" => Refusal::AccountNotEmpty { posted: money("posted")?, held: money("held")? },
            "amount_out_of_range" => Refusal::AmountOutOfRange { amount: money("amount")? },
            "unknown_hold" => Refusal::UnknownHold,
            "hold_not_open" => Refusal::HoldNotOpen {
                hold: u64::try_from(fact("hold")?).ok()?,
                ended_by: u8::try_from(fact("ended_by")?).ok().and_then(Kind::from_code)?,
                ended_at: Time::from_micros(fact("ended_at")?),
            },
            "capture_exceeds_hold" => Refusal::CaptureExceedsHold { left: money("left")?, amount: money("amount")? },
            "unknown_charge" => Refusal::UnknownCharge,
            "refund_exceeds_charge" => {
                Refusal::RefundExceedsCharge { refundable: money("refundable")?, amount: money("amount")? }
            }
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

impl Fact {
    /// The integer that it is stored as: minor units, a number, a kind's code, microseconds.
    pub fn code(self) -> i64 {
        match self {
            Fact::Money(figure) => figure.units(),
            Fact::Number(number) => i64::try_from(number).unwrap_or(i64::MAX),
            Fact::Kind(kind) => i64::from(kind.code()),
            Fact::Time(time) => time.micros(),
        }
    }
}
