//! Short constructors for the types of a command, and the one way in which these tests decide and fold.

use ledger::{
    Account, AccountId, Actor, Amount, Command, Currency, Entry, Facts, Hash, Key, Metadata, Minor, Movement, Reason,
    Reference, Refusal, Status, Time, Verdict, canonical, decide,
};

/// The greatest figure, in minor units: a quarter of i64, written out.
pub(crate) const MAX: i64 = 2_305_843_009_213_693_951;

pub(crate) fn account_id(id: u32) -> AccountId {
    AccountId::new(id).expect("an account number")
}

/// A figure of so many minor units.
pub(crate) fn minor(units: i64) -> Minor {
    Minor::new(units).expect("a figure within bounds")
}

pub(crate) fn amount(units: i64) -> Amount {
    Amount::new(minor(units)).expect("a positive figure")
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

pub(crate) fn reference(text: &str) -> Reference {
    Reference::new(text).expect("a reference")
}

pub(crate) fn reason(text: &str) -> Reason {
    Reason::new(text).expect("a reason")
}

pub(crate) fn actor(text: &str) -> Actor {
    Actor::new(text).expect("an actor")
}

pub(crate) fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let owned = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Metadata::new(owned).expect("metadata within bounds")
}

pub(crate) fn time(micros: i64) -> Time {
    Time::from_micros(micros)
}

/// A command on account 1 with nothing optional in it.
pub(crate) fn command(movement: Movement) -> Command {
    Command {
        account: account_id(1),
        movement,
        key: None,
        reference: None,
        reason: None,
        metadata: Metadata::default(),
        by: actor("local:test"),
    }
}

pub(crate) fn open(credit_limit: i64) -> Movement {
    Movement::Open { currency: Currency::VND, credit_limit: minor(credit_limit) }
}

pub(crate) fn topup(units: i64) -> Movement {
    Movement::Topup { amount: amount(units) }
}

pub(crate) fn charge(units: i64) -> Movement {
    Movement::Charge { amount: amount(units) }
}

/// An account after an entry that nobody sees: the one way to held money before a movement makes it.
pub(crate) fn account(posted: i64, held: i64, credit_limit: i64, status: Status) -> Account {
    Account {
        id: account_id(1),
        currency: Currency::VND,
        posted: minor(posted),
        held: minor(held),
        credit_limit: minor(credit_limit),
        status,
        number: 1,
        at: time(0),
        hash: Hash::default(),
    }
}

/// The one entry that `command` becomes under a key not used before.
pub(crate) fn decided(account: Option<&Account>, command: &Command, now: Time) -> Result<Entry, Refusal> {
    match decide(&Facts { account, to: None, named: None, earlier: None }, command, now)? {
        Verdict::Entry { entry, .. } => Ok(entry),
        Verdict::Replay => panic!("a replay of a key that did nothing before"),
    }
}

/// The account after `entry`, which must fold.
pub(crate) fn folded(account: Option<&Account>, entry: &Entry) -> Account {
    let Some(account) = account else {
        return Account::opened_by(entry).expect("what was decided opens");
    };
    let mut after = account.clone();
    after.apply(entry).expect("what was decided folds");
    after
}

/// `entry` with the link that makes it the true successor of `previous`, as a forger who knows the format would.
pub(crate) fn sealed(previous: Hash, entry: Entry) -> Entry {
    let hash = canonical::link(previous, &entry);
    Entry { hash, ..entry }
}
