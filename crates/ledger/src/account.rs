//! An account as the fold of its entries.

use std::fmt;

use crate::{AccountId, Currency, Entry, Hash, Kind, Lifetime, Minor, Status, Time, canonical};

/// An account right after one of its entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// Its money, without holds and credit.
    pub posted: Minor,
    /// Its money promised to open holds.
    pub held: Minor,
    /// How far below zero it may spend.
    pub credit_limit: Minor,
    /// Whether it may spend.
    pub status: Status,
    /// The number of its last entry.
    pub number: u64,
    /// When that entry took effect.
    pub at: Time,
    /// The last link of its chain.
    pub hash: Hash,
}

impl Account {
    /// The account that its first entry opens, or what is wrong with that entry.
    pub fn opened_by(entry: &Entry) -> Result<Account, Broken> {
        let (Kind::Open, 1, Some(currency)) = (entry.kind, entry.number, entry.currency) else {
            return Err(Broken::NoOpening);
        };
        let mut account = Account {
            id: entry.account,
            currency,
            posted: Minor::ZERO,
            held: Minor::ZERO,
            credit_limit: entry.credit_limit,
            status: Status::Active,
            number: 0,
            at: entry.at,
            hash: Hash::default(),
        };
        account.apply(entry)?;
        Ok(account)
    }

    /// What may be spent: posted − held + limit.
    pub fn available(&self) -> Minor {
        self.posted.minus(self.held).and_then(|own| own.plus(self.credit_limit)).expect(
            "three figures within a quarter of i64 sum within three quarters; decide and apply keep each in bounds",
        )
    }

    /// Folds the next entry in, or says what about it cannot be true and changes nothing.
    ///
    /// This checks the entry against the account alone; that a capture fits its hold and a refund its charge needs the
    /// entry it names.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Broken> {
        let expected = self.number.saturating_add(1);
        if entry.account != self.id || entry.number != expected {
            return Err(Broken::Number { expected });
        }
        let is_late = entry.recorded_at > entry.at && entry.kind != Kind::Expire;
        if entry.at < self.at || entry.recorded_at < entry.at || is_late {
            return Err(Broken::Time);
        }
        if (entry.kind == Kind::Open) != (entry.number == 1) {
            return Err(Broken::NoOpening);
        }
        if entry.credit_limit < Minor::ZERO || (entry.credit_limit != self.credit_limit && entry.kind != Kind::Limit) {
            return Err(Broken::Limit);
        }
        self.check_status(entry)?;
        check_form(entry)?;
        self.check_figures(entry)?;
        if canonical::link(self.hash, entry) != entry.hash {
            return Err(Broken::Hash);
        }
        self.posted = entry.posted_after;
        self.held = entry.held_after;
        self.credit_limit = entry.credit_limit;
        self.status = entry.status;
        self.number = entry.number;
        self.at = entry.at;
        self.hash = entry.hash;
        Ok(())
    }

    /// The status changes only by an entry that sets it, a closed account has no further entries and no money, and a locked
    /// one does not spend.
    fn check_status(&self, entry: &Entry) -> Result<(), Broken> {
        if entry.status != self.status && entry.kind != Kind::Status {
            return Err(Broken::Status);
        }
        let is_empty = (entry.posted_after, entry.held_after) == (Minor::ZERO, Minor::ZERO);
        if self.status == Status::Closed
            || (self.status == Status::Locked && spends(entry))
            || (entry.status == Status::Closed && !is_empty)
        {
            return Err(Broken::Forbidden);
        }
        Ok(())
    }

    fn check_figures(&self, entry: &Entry) -> Result<(), Broken> {
        let amount = entry.amount;
        let posted = match entry.kind {
            Kind::Topup | Kind::Refund | Kind::Transfer | Kind::Adjust => self.posted.plus(amount),
            Kind::Charge | Kind::Capture => self.posted.minus(amount),
            Kind::Open | Kind::Limit | Kind::Status | Kind::Hold | Kind::Extend | Kind::Void | Kind::Expire => {
                Some(self.posted)
            }
        };
        if posted != Some(entry.posted_after) {
            return Err(Broken::Posted);
        }
        let held_fits = match entry.kind {
            Kind::Hold => self.held.plus(amount) == Some(entry.held_after),
            Kind::Void | Kind::Expire => self.held.minus(amount) == Some(entry.held_after),
            // A final capture releases the rest of its hold beside what it spends.
            Kind::Capture => self.held.minus(amount).is_some_and(|most| entry.held_after <= most),
            Kind::Open
            | Kind::Limit
            | Kind::Status
            | Kind::Topup
            | Kind::Charge
            | Kind::Extend
            | Kind::Refund
            | Kind::Transfer
            | Kind::Adjust => entry.held_after == self.held,
        };
        if !held_fits || entry.held_after < Minor::ZERO {
            return Err(Broken::Held);
        }
        let own = entry.posted_after.minus(entry.held_after);
        let most = entry.posted_after.plus(entry.credit_limit);
        let (Some(own), Some(_)) = (own, most) else { return Err(Broken::Bounds) };
        if spends(entry) && own.plus(entry.credit_limit).is_none_or(|available| available < Minor::ZERO) {
            return Err(Broken::Overdraft);
        }
        Ok(())
    }
}

/// Whether an entry spends or promises what is available.
fn spends(entry: &Entry) -> bool {
    match entry.kind {
        Kind::Charge | Kind::Hold => true,
        Kind::Transfer => entry.amount < Minor::ZERO,
        Kind::Open
        | Kind::Limit
        | Kind::Status
        | Kind::Topup
        | Kind::Extend
        | Kind::Capture
        | Kind::Void
        | Kind::Expire
        | Kind::Refund
        | Kind::Adjust => false,
    }
}

/// An amount has the sign of its kind, and what only some kinds carry is there if and only if the kind carries it.
fn check_form(entry: &Entry) -> Result<(), Broken> {
    let amount_fits = match entry.kind {
        Kind::Open | Kind::Limit | Kind::Status | Kind::Extend => entry.amount == Minor::ZERO,
        Kind::Transfer | Kind::Adjust => entry.amount != Minor::ZERO,
        Kind::Topup | Kind::Charge | Kind::Hold | Kind::Capture | Kind::Void | Kind::Expire | Kind::Refund => {
            entry.amount > Minor::ZERO
        }
    };
    if !amount_fits {
        return Err(Broken::Amount);
    }
    let names_own = match entry.kind {
        Kind::Extend | Kind::Capture | Kind::Void | Kind::Expire | Kind::Refund => true,
        Kind::Open
        | Kind::Limit
        | Kind::Status
        | Kind::Topup
        | Kind::Charge
        | Kind::Hold
        | Kind::Transfer
        | Kind::Adjust => false,
    };
    let target_fits = match entry.target {
        Some(target) if names_own => target.account == entry.account && target.number < entry.number,
        Some(target) => entry.kind == Kind::Transfer && target.account != entry.account,
        None => !names_own && entry.kind != Kind::Transfer,
    };
    let ends = entry.kind == Kind::Hold || entry.kind == Kind::Extend;
    let latest = Lifetime::LONGEST.after(entry.at);
    let end_fits = entry.expires_at.map_or(!ends, |end| ends && end > entry.at && end <= latest);
    let is_opening = entry.kind == Kind::Open;
    // Nobody commanded an expiry, and what arrives from another account was commanded there.
    let by_itself = entry.kind == Kind::Expire || (entry.kind == Kind::Transfer && entry.amount > Minor::ZERO);
    let is_known = entry.key.is_some() == entry.content.is_some() && !(by_itself && entry.key.is_some());
    let reasoned = entry.kind != Kind::Adjust || entry.reason.is_some();
    if target_fits && end_fits && is_known && reasoned && entry.currency.is_some() == is_opening {
        Ok(())
    } else {
        Err(Broken::Form)
    }
}

/// What about an entry cannot be true of the account it is folded into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// An entry is missing, doubled, or of another account.
    Number {
        /// The number that should have come.
        expected: u64,
    },
    /// It takes effect before the entry before it, or was written before it took effect, or after that though it is no
    /// expiry.
    Time,
    /// The first entry is no opening, or a later one is.
    NoOpening,
    /// The credit limit changes without an entry that sets it, or is negative.
    Limit,
    /// The status changes without an entry that sets it.
    Status,
    /// A closed account is written to or a locked one spends, or an account is closed with money in it.
    Forbidden,
    /// The amount is not of the sign that the kind has.
    Amount,
    /// What the kind carries is missing (the entry it names, its end, its currency, its reason), or what it does not is
    /// there.
    Form,
    /// The posted figure is not the one before it with the amount.
    Posted,
    /// The held figure is not the one before it with the amount.
    Held,
    /// What is available, or would be without holds, leaves the bounds of a figure.
    Bounds,
    /// A spending entry leaves less than nothing available.
    Overdraft,
    /// The link does not follow from the one before it and the entry's bytes.
    Hash,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Number { expected } => {
                write!(f, "entry {expected} should stand here: one is missing, doubled or out of place")
            }
            Broken::Time => {
                f.write_str("its time is earlier than the entry before it, or not the one at which it was written")
            }
            Broken::NoOpening => f.write_str("an account's first entry, and only that, is its opening"),
            Broken::Limit => f.write_str("the credit limit differs without an entry that sets it"),
            Broken::Status => f.write_str("the status differs without an entry that sets it"),
            Broken::Forbidden => {
                f.write_str("a closed account is written to, a locked one spends, or one with money is closed")
            }
            Broken::Amount => f.write_str("the amount does not have the sign of its kind"),
            Broken::Form => f.write_str("it lacks what its kind carries, or carries what its kind does not"),
            Broken::Posted => f.write_str("the posted figure does not follow from the amount"),
            Broken::Held => f.write_str("the held figure does not follow from the amount"),
            Broken::Bounds => f.write_str("what is available would leave the bounds of a figure"),
            Broken::Overdraft => f.write_str("it spends more than was available"),
            Broken::Hash => f.write_str("its hash does not follow from its content and the entry before it"),
        }
    }
}

impl std::error::Error for Broken {}
