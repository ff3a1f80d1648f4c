//! The rules: what a command does to an account, or why it does nothing.

use crate::canonical::{self, Content};
use crate::hold::{Hold, Subject};
use crate::{Account, Amount, Command, Entry, Hash, Kind, Minor, Movement, Refusal, Status, Target, Time};

/// What a decision needs to know, read by the caller as of one instant. Holds that are due have had their expire entries
/// (see [`crate::expire`]) before.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The command's account; `None` where there is no such account.
    pub account: Option<&'a Account>,
    /// The account that a transfer goes to; `None` for every other command, and where there is no such account.
    pub to: Option<&'a Account>,
    /// The hold, charge or capture that the command names; `None` where it names none, or there is no such entry.
    pub named: Option<Subject>,
    /// What the command's key did before; `None` where it is new, or the command has none.
    pub earlier: Option<Earlier>,
}

/// What a key did when it was used first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Earlier {
    /// The digest of what was asked for then.
    pub content: Content,
    /// The entry that it made; `None` where it was refused.
    pub number: Option<u64>,
}

/// A decision that is not a refusal.
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, once a command; a box would be its cost")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Write this entry, and with it the other side of a transfer, in one commit.
    Entry {
        /// The command's outcome.
        entry: Entry,
        /// What the account at the other end of a transfer gets.
        other: Option<Entry>,
    },
    /// The same command under the same key was decided before: give that outcome again.
    Replay,
}

/// Decides `command` at the instant `now` of ledger time, or refuses and changes nothing.
///
/// Pure: the same facts, command and instant always give the same verdict, hash included.
pub fn decide(facts: &Facts<'_>, command: &Command, now: Time) -> Result<Verdict, Refusal> {
    let number = facts.named.as_ref().map(Subject::number);
    let content = command.key.is_some().then(|| canonical::content(command, number));
    if let (Some(earlier), Some(content)) = (facts.earlier, content) {
        // What was named by a key that had done nothing yet may be there by now.
        if earlier.content == content || (number.is_some() && earlier.content == canonical::content(command, None)) {
            return Ok(Verdict::Replay);
        }
        return Err(Refusal::KeyReused { number: earlier.number });
    }
    let entry = match (facts.account, &command.movement) {
        (None, Movement::Open { currency, credit_limit }) => {
            if *credit_limit < Minor::ZERO {
                return Err(Refusal::AmountOutOfRange { amount: *credit_limit });
            }
            let mut entry = blank(command, content, now);
            entry.currency = Some(*currency);
            entry.credit_limit = *credit_limit;
            entry
        }
        (Some(_), Movement::Open { .. }) => return Err(Refusal::AccountExists),
        (None, _) => return Err(Refusal::UnknownAccount),
        (Some(account), movement) => {
            if account.status == Status::Closed {
                return Err(Refusal::AccountClosed);
            }
            let mut entry = following(account, blank(command, content, now));
            change(account, facts, movement, &mut entry)?;
            keeps_bounds(&entry)?;
            entry
        }
    };
    let other = match (&command.movement, facts.to) {
        (Movement::Transfer { amount, .. }, Some(to)) => Some(arrival(to, *amount, &entry)?),
        _ => None,
    };
    let previous = facts.account.map_or(Hash::default(), |account| account.hash);
    Ok(Verdict::Entry { entry: sealed(previous, entry), other })
}

/// Writes into `entry` what `movement` changes about `account`, or refuses.
fn change(account: &Account, facts: &Facts<'_>, movement: &Movement, entry: &mut Entry) -> Result<(), Refusal> {
    match movement {
        Movement::Open { .. } => return Err(Refusal::AccountExists),
        Movement::Limit { credit_limit } => {
            if *credit_limit < Minor::ZERO {
                return Err(Refusal::AmountOutOfRange { amount: *credit_limit });
            }
            entry.credit_limit = *credit_limit;
        }
        Movement::Status { status } => {
            if *status == Status::Closed && (account.posted, account.held) != (Minor::ZERO, Minor::ZERO) {
                return Err(Refusal::AccountNotEmpty { posted: account.posted, held: account.held });
            }
            entry.status = *status;
        }
        Movement::Topup { amount } => credit(account, amount.minor(), entry)?,
        Movement::Charge { amount } => {
            let amount = affordable(account, *amount)?;
            debit(account, amount, entry)?;
        }
        Movement::Hold { amount, expires_in } => {
            entry.amount = affordable(account, *amount)?;
            entry.held_after = moved(account.held.plus(entry.amount), entry.amount)?;
            entry.expires_at = Some(expires_in.after(entry.at));
        }
        Movement::Extend { expires_in, .. } => {
            let hold = open_hold(facts)?;
            entry.expires_at = Some(expires_in.after(entry.at).max(hold.expires_at));
            names(entry, hold.number);
        }
        Movement::Capture { amount, is_final, .. } => capture(account, open_hold(facts)?, *amount, *is_final, entry)?,
        Movement::Void { .. } => {
            let hold = open_hold(facts)?;
            entry.amount = hold.left;
            entry.held_after = moved(account.held.minus(hold.left), hold.left)?;
            names(entry, hold.number);
        }
        Movement::Refund { amount, .. } => refund(account, facts, amount.minor(), entry)?,
        Movement::Transfer { to, amount } => {
            let Some(recipient) = facts.to else { return Err(Refusal::UnknownAccount) };
            if *to == account.id {
                return Err(Refusal::SameAccount);
            }
            if recipient.currency != account.currency {
                return Err(Refusal::CurrencyMismatch);
            }
            if recipient.status == Status::Closed {
                return Err(Refusal::RecipientClosed);
            }
            let amount = affordable(account, *amount)?;
            debit(account, amount, entry)?;
            // A transfer's amount is signed: it leaves here.
            entry.amount = moved(Minor::ZERO.minus(amount), amount)?;
            entry.target = Some(Target { account: *to, number: recipient.number.saturating_add(1) });
        }
        Movement::Adjust { amount, .. } => {
            if *amount == Minor::ZERO {
                return Err(Refusal::AmountOutOfRange { amount: *amount });
            }
            credit(account, *amount, entry)?;
        }
    }
    Ok(())
}

/// The amount of a movement that spends or promises. The test is against *available* credit: money promised to another hold
/// is already spent as far as this caller is concerned.
fn affordable(account: &Account, amount: Amount) -> Result<Minor, Refusal> {
    if let Some(refusal) = Refusal::of_status(account.status) {
        return Err(refusal);
    }
    let (amount, available) = (amount.minor(), account.available());
    if amount > available { Err(Refusal::InsufficientCredit { available, amount }) } else { Ok(amount) }
}

fn credit(account: &Account, amount: Minor, entry: &mut Entry) -> Result<(), Refusal> {
    entry.amount = amount;
    entry.posted_after = moved(account.posted.plus(amount), amount)?;
    Ok(())
}

fn debit(account: &Account, amount: Minor, entry: &mut Entry) -> Result<(), Refusal> {
    entry.amount = amount;
    entry.posted_after = moved(account.posted.minus(amount), amount)?;
    Ok(())
}

/// The open hold that the command names, or why it cannot be touched.
fn open_hold(facts: &Facts<'_>) -> Result<Hold, Refusal> {
    match facts.named {
        Some(Subject::Open(hold)) => Ok(hold),
        Some(Subject::Ended { number, by, at }) => {
            Err(Refusal::HoldNotOpen { hold: number, ended_by: by, ended_at: at })
        }
        Some(Subject::Spent { .. } | Subject::Other { .. }) | None => Err(Refusal::UnknownHold),
    }
}

fn capture(
    account: &Account,
    hold: Hold,
    amount: Option<Amount>,
    is_final: bool,
    entry: &mut Entry,
) -> Result<(), Refusal> {
    let amount = amount.map_or(hold.left, Amount::minor);
    if amount > hold.left {
        return Err(Refusal::CaptureExceedsHold { left: hold.left, amount });
    }
    debit(account, amount, entry)?;
    let released = if is_final { hold.left } else { amount };
    entry.held_after = moved(account.held.minus(released), amount)?;
    names(entry, hold.number);
    Ok(())
}

fn refund(account: &Account, facts: &Facts<'_>, amount: Minor, entry: &mut Entry) -> Result<(), Refusal> {
    let Some(Subject::Spent { number, amount: spent, refunded }) = facts.named else {
        return Err(Refusal::UnknownCharge);
    };
    let refundable = moved(spent.minus(refunded), amount)?;
    if amount > refundable {
        return Err(Refusal::RefundExceedsCharge { refundable, amount });
    }
    names(entry, number);
    credit(account, amount, entry)
}

/// The entry at the other end of a transfer: it has no key of its own and names the one that it comes from.
fn arrival(to: &Account, amount: Amount, from: &Entry) -> Result<Entry, Refusal> {
    let mut entry = following(to, Entry { key: None, content: None, ..from.clone() });
    credit(to, amount.minor(), &mut entry)?;
    entry.target = Some(Target { account: from.account, number: from.number });
    keeps_bounds(&entry)?;
    Ok(sealed(to.hash, entry))
}

/// Lets `entry` name another of its own account.
fn names(entry: &mut Entry, number: u64) {
    entry.target = Some(Target { account: entry.account, number });
}

/// A limit beside a balance may leave the bounds that each of them keeps, and `available` has to be a figure: also after
/// every hold has been released, so that releasing one is never refused.
fn keeps_bounds(entry: &Entry) -> Result<(), Refusal> {
    let own = entry.posted_after.minus(entry.held_after);
    let most = entry.posted_after.plus(entry.credit_limit);
    if own.is_some() && most.is_some() {
        return Ok(());
    }
    let amount = if entry.kind == Kind::Limit { entry.credit_limit } else { entry.amount };
    Err(Refusal::AmountOutOfRange { amount })
}

fn moved(figure: Option<Minor>, amount: Minor) -> Result<Minor, Refusal> {
    figure.ok_or(Refusal::AmountOutOfRange { amount })
}

/// The entry that changes nothing yet: what every kind has in common.
fn blank(command: &Command, content: Option<Content>, now: Time) -> Entry {
    Entry {
        account: command.account,
        number: 1,
        kind: command.movement.kind(),
        amount: Minor::ZERO,
        posted_after: Minor::ZERO,
        held_after: Minor::ZERO,
        credit_limit: Minor::ZERO,
        status: Status::Active,
        at: now,
        recorded_at: now,
        expires_at: None,
        target: None,
        currency: None,
        key: command.key.clone(),
        content,
        reference: command.reference.clone(),
        reason: command.reason().cloned(),
        metadata: command.metadata.clone(),
        by: command.by.clone(),
        hash: Hash::default(),
    }
}

/// `entry` as the one that comes next in `account`. Its time never precedes the account's last, whatever the clock says.
fn following(account: &Account, entry: Entry) -> Entry {
    let at = entry.at.max(account.at);
    Entry {
        account: account.id,
        number: account.number.saturating_add(1),
        posted_after: account.posted,
        held_after: account.held,
        credit_limit: account.credit_limit,
        status: account.status,
        at,
        recorded_at: at,
        ..entry
    }
}

fn sealed(previous: Hash, entry: Entry) -> Entry {
    let hash = canonical::link(previous, &entry);
    Entry { hash, ..entry }
}
