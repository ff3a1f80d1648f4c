//! The rules: what a command does to an account, or why it does nothing.

use crate::canonical::{self, Content};
use crate::{Account, Amount, Command, Entry, Hash, Kind, Minor, Movement, Reason, Refusal, Status, Time};

/// What a decision needs to know, read by the caller as of one instant.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The command's account; `None` where there is no such account.
    pub account: Option<&'a Account>,
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Write these entries, in this order, in one commit.
    Entries(Vec<Entry>),
    /// The same command under the same key was decided before: give that outcome again.
    Replay,
}

/// Decides `command` at the instant `now` of ledger time, or refuses and changes nothing.
///
/// Pure: the same facts, command and instant always give the same verdict, hash included.
pub fn decide(facts: &Facts<'_>, command: &Command, now: Time) -> Result<Verdict, Refusal> {
    let content = command.key.is_some().then(|| canonical::content(command));
    if let (Some(earlier), Some(content)) = (facts.earlier, content) {
        if earlier.content == content {
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
            change(account, movement, &mut entry)?;
            keeps_bounds(&entry)?;
            entry
        }
    };
    let previous = facts.account.map_or(Hash::default(), |account| account.hash);
    let hash = canonical::link(previous, &entry);
    Ok(Verdict::Entries(vec![Entry { hash, ..entry }]))
}

/// Writes into `entry` what `movement` changes about `account`, or refuses.
fn change(account: &Account, movement: &Movement, entry: &mut Entry) -> Result<(), Refusal> {
    match movement {
        Movement::Open { .. } => return Err(Refusal::AccountExists),
        Movement::Limit { credit_limit, reason } => {
            if *credit_limit < Minor::ZERO {
                return Err(Refusal::AmountOutOfRange { amount: *credit_limit });
            }
            entry.credit_limit = *credit_limit;
            entry.reason.clone_from(reason);
        }
        Movement::Status { status, reason } => {
            if *status == Status::Closed && (account.posted, account.held) != (Minor::ZERO, Minor::ZERO) {
                return Err(Refusal::AccountNotEmpty { posted: account.posted, held: account.held });
            }
            entry.status = *status;
            entry.reason.clone_from(reason);
        }
        Movement::Topup { amount } => {
            entry.amount = amount.minor();
            entry.posted_after = moved(account.posted.plus(entry.amount), entry.amount)?;
        }
        Movement::Charge { amount } => charge(account, *amount, entry)?,
        Movement::Adjust { amount, reason } => adjust(account, *amount, reason, entry)?,
    }
    Ok(())
}

/// Spends `amount`. The test is against *available* credit: money promised to a hold is already spent as far as this
/// caller is concerned.
fn charge(account: &Account, amount: Amount, entry: &mut Entry) -> Result<(), Refusal> {
    if let Some(refusal) = Refusal::of_status(account.status) {
        return Err(refusal);
    }
    entry.amount = amount.minor();
    if entry.amount > account.available() {
        return Err(Refusal::InsufficientCredit { available: account.available(), amount: entry.amount });
    }
    entry.posted_after = moved(account.posted.minus(entry.amount), entry.amount)?;
    Ok(())
}

fn adjust(account: &Account, amount: Minor, reason: &Reason, entry: &mut Entry) -> Result<(), Refusal> {
    if amount == Minor::ZERO {
        return Err(Refusal::AmountOutOfRange { amount });
    }
    entry.amount = amount;
    entry.posted_after = moved(account.posted.plus(amount), amount)?;
    entry.reason = Some(reason.clone());
    Ok(())
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
        reason: None,
        metadata: command.metadata.clone(),
        by: command.by.clone(),
        hash: Hash::default(),
    }
}

/// `entry` as the one that comes next in `account`. Its time never precedes the account's last, whatever the clock says.
fn following(account: &Account, entry: Entry) -> Entry {
    let at = entry.at.max(account.at);
    Entry {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, Actor, Currency, Metadata};

    /// Decides `movement` for `account` and folds it in.
    fn step(account: Option<Account>, movement: Movement) -> Result<Account, Refusal> {
        let command = Command {
            account: AccountId::new(1).expect("a number"),
            movement,
            key: None,
            reference: None,
            metadata: Metadata::default(),
            by: Actor::new("test").expect("a name"),
        };
        let facts = Facts { account: account.as_ref(), earlier: None };
        let Verdict::Entries(entries) = decide(&facts, &command, Time::from_micros(1))? else { panic!("a replay") };
        let [entry] = entries.as_slice() else { panic!("one command, one entry") };
        let Some(mut account) = account else { return Ok(Account::opened_by(entry).expect("it folds")) };
        account.apply(entry).expect("it folds");
        Ok(account)
    }

    #[test]
    fn what_is_available_is_always_a_figure() {
        let greatest = Minor::parse("23058430092136939.51", Currency::VND).expect("the greatest figure");
        let one = Minor::new(1).expect("a figure");
        let top_up = Movement::Topup { amount: Amount::new(one).expect("positive") };
        let limit = |credit_limit| Movement::Limit { credit_limit, reason: None };

        let open = |credit_limit| step(None, Movement::Open { currency: Currency::VND, credit_limit });
        let full = open(greatest).expect("a limit may be any figure");
        assert_eq!(full.available(), greatest);
        assert_eq!(step(Some(full.clone()), top_up.clone()), Err(Refusal::AmountOutOfRange { amount: one }));

        let paid = step(Some(open(Minor::ZERO).expect("an account")), top_up).expect("a top-up");
        assert_eq!(step(Some(paid), limit(greatest)), Err(Refusal::AmountOutOfRange { amount: greatest }));
    }
}
