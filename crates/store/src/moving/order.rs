//! The order in which entries go into the other database: every account's by number, the two sides of a transfer side by
//! side.
//!
//! A source gives them by the time at which they were written. Where accounts each have a time of their own, as over
//! PostgreSQL after its clock went back, that alone puts some before what they follow from: those wait here, and only those.

use std::collections::{BTreeMap, HashMap};

use ledger::{AccountId, Entry, Kind, Minor};

/// Puts entries in order.
#[derive(Default)]
pub(super) struct Order {
    /// The last number of each account that was let through.
    last: HashMap<AccountId, u64>,
    waiting: BTreeMap<(AccountId, u64), Entry>,
    ready: Vec<Entry>,
}

impl Order {
    /// Takes an entry in; it and what waited for it become ready where nothing before them is missing.
    pub(super) fn put(&mut self, entry: Entry) {
        if entry.kind != Kind::Transfer && self.waiting.is_empty() && self.follows(entry.account, entry.number) {
            return self.let_through(entry);
        }
        let mut looked_at = vec![entry.account];
        self.waiting.insert((entry.account, entry.number), entry);
        while let Some(account) = looked_at.pop() {
            while let Some(other) = self.advance(account) {
                looked_at.extend(Some(other).filter(|other| *other != account));
            }
        }
    }

    /// How many entries are ready.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// What is ready, in its order; never one side of a transfer without the other.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.ready)
    }

    /// An entry that still waits when there are no more.
    pub(super) fn stuck(&self) -> Option<(AccountId, u64)> {
        self.waiting.keys().next().copied()
    }

    fn follows(&self, account: AccountId, number: u64) -> bool {
        self.last.get(&account).copied().unwrap_or(0).checked_add(1) == Some(number)
    }

    /// Lets the account's next entry through, and gives an account that may go on because of that.
    fn advance(&mut self, account: AccountId) -> Option<AccountId> {
        let next = (account, self.last.get(&account).copied().unwrap_or(0).checked_add(1)?);
        let target = self.waiting.get(&next)?.target.filter(|target| target.account != account);
        let other = target.map(|target| (target.account, target.number));
        let is_other_through = |(account, number)| self.last.get(&account).is_some_and(|last| *last >= number);
        let Some(other) = other.filter(|other| !is_other_through(*other)) else {
            let entry = self.waiting.remove(&next)?;
            self.let_through(entry);
            return Some(account);
        };
        if !self.follows(other.0, other.1) || !self.waiting.contains_key(&other) {
            return None;
        }
        let (one, two) = (self.waiting.remove(&next)?, self.waiting.remove(&other)?);
        // The side that pays comes first.
        let (pays, gets) = if one.amount < Minor::ZERO { (one, two) } else { (two, one) };
        self.let_through(pays);
        self.let_through(gets);
        Some(other.0)
    }

    fn let_through(&mut self, entry: Entry) {
        self.last.insert(entry.account, entry.number);
        self.ready.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Actor, Hash, Metadata, Status, Target, Time};

    use super::*;

    fn entry(account: u32, number: u64, kind: Kind, amount: i64, other: Option<(u32, u64)>) -> Entry {
        let id = |id| AccountId::new(id).expect("a number");
        Entry {
            account: id(account),
            number,
            kind,
            amount: Minor::new(amount).expect("an amount"),
            posted_after: Minor::ZERO,
            held_after: Minor::ZERO,
            credit_limit: Minor::ZERO,
            status: Status::Active,
            at: Time::default(),
            recorded_at: Time::default(),
            expires_at: None,
            target: other.map(|(account, number)| Target { account: id(account), number }),
            currency: None,
            key: None,
            content: None,
            reference: None,
            reason: None,
            metadata: Metadata::default(),
            by: Actor::new("test").expect("a name"),
            hash: Hash::default(),
        }
    }

    /// Account and number.
    type Name = (u32, u64);

    fn ordered(entries: &[Entry]) -> (Vec<Name>, Option<(AccountId, u64)>) {
        let mut order = Order::default();
        entries.iter().cloned().for_each(|entry| order.put(entry));
        let names = order.take().iter().map(|entry| (entry.account.get(), entry.number)).collect();
        (names, order.stuck())
    }

    #[test]
    fn whatever_order_they_come_in_none_goes_before_what_it_follows_from() {
        let chain = [
            entry(1, 1, Kind::Open, 0, None),
            entry(2, 1, Kind::Open, 0, None),
            entry(1, 2, Kind::Topup, 5, None),
            entry(1, 3, Kind::Transfer, -5, Some((2, 2))),
            entry(2, 2, Kind::Transfer, 5, Some((1, 3))),
            entry(2, 3, Kind::Transfer, -1, Some((1, 4))),
            entry(1, 4, Kind::Transfer, 1, Some((2, 3))),
            entry(2, 4, Kind::Charge, 1, None),
        ];
        // Every order of eight: the entries before are there, and sides lie together, in each.
        let mut orders = vec![Vec::new()];
        for at in 0..chain.len() {
            orders = orders
                .into_iter()
                .flat_map(|order: Vec<usize>| {
                    (0..=order.len()).map(move |place| {
                        let mut order = order.clone();
                        order.insert(place, at);
                        order
                    })
                })
                .collect();
        }
        for order in orders {
            let entries: Vec<Entry> = order.iter().map(|at| chain[*at].clone()).collect();
            let (names, stuck) = ordered(&entries);
            assert_eq!((names.len(), stuck), (chain.len(), None), "{order:?}");
            let place = |name: (u32, u64)| names.iter().position(|other| *other == name).expect("it is there");
            assert!([(1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4)].iter().all(|&(account, number)| place((
                account,
                number - 1
            )) < place((
                account, number
            ))));
            assert!(place((1, 3)) + 1 == place((2, 2)) && place((2, 3)) + 1 == place((1, 4)), "{names:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_by_what_waits_for_it() {
        let opened = entry(1, 1, Kind::Open, 0, None);
        let (names, stuck) = ordered(&[opened.clone(), entry(1, 3, Kind::Topup, 5, None)]);
        assert_eq!((names, stuck), (vec![(1, 1)], AccountId::new(1).map(|id| (id, 3))));
        let (names, stuck) = ordered(&[opened, entry(1, 2, Kind::Transfer, -5, Some((2, 1)))]);
        assert_eq!((names, stuck), (vec![(1, 1)], AccountId::new(1).map(|id| (id, 2))));
    }
}
