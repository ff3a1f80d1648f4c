//! What the callers send: movements on a hundred accounts, each under its own key, dealt so that some keys are in
//! several callers' hands at once and every key of a killed round is sent again.
//!
//! The seed decides which commands there are and in which order they are dealt, not how the callers interleave.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::money;
use crate::operator::Account;
use crate::random::Random;

/// The most decided commands of one round that are sent again after it.
const RESENT_MAX: usize = 8_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Topup,
    Charge,
    Adjust,
}

impl Kind {
    /// Its name in an entry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Topup => "topup",
            Kind::Charge => "charge",
            Kind::Adjust => "adjust",
        }
    }

    /// Its collection in the operator API.
    fn route(self) -> &'static str {
        match self {
            Kind::Topup => "topups",
            Kind::Charge => "charges",
            Kind::Adjust => "adjustments",
        }
    }
}

/// One movement to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    /// Which of the accounts, by index.
    pub(crate) account: usize,
    pub(crate) account_id: u64,
    pub(crate) kind: Kind,
    /// Minor units; negative only in an adjustment.
    pub(crate) amount: i64,
    pub(crate) key: String,
}

impl Command {
    pub(crate) fn path(&self) -> String {
        format!("/v1/accounts/{}/{}", self.account_id, self.kind.route())
    }

    pub(crate) fn body(&self) -> Value {
        let amount = money::decimal(self.amount);
        match self.kind {
            Kind::Topup | Kind::Charge => json!({ "amount": amount, "reference": format!("for {}", self.key) }),
            Kind::Adjust => json!({ "amount": amount, "reason": format!("because of {}", self.key) }),
        }
    }

    /// What it adds to what is posted.
    pub(crate) fn effect(&self) -> i64 {
        match self.kind {
            Kind::Topup | Kind::Adjust => self.amount,
            Kind::Charge => -self.amount,
        }
    }

    /// The same key with other content, which the ledger must refuse to confuse with it.
    pub(crate) fn altered(&self) -> Command {
        Command { amount: self.amount + 1, ..self.clone() }
    }
}

/// What a caller is to send next.
#[derive(Clone, Debug)]
pub(crate) enum Card {
    Send(Arc<Command>),
    /// Its key with other content, if its outcome is known by then.
    Misuse(Arc<Command>),
}

/// Deals cards to callers: first those in hand, then new ones, if there are to be any.
pub(crate) struct Deck {
    random: Random,
    accounts: Vec<u64>,
    hand: VecDeque<Card>,
    older: Vec<Arc<Command>>,
    dealt_new: u64,
    /// Whether new commands follow when the hand is empty.
    pub(crate) goes_on: bool,
}

impl Deck {
    pub(crate) fn new(random: Random, accounts: &[Account]) -> Deck {
        let accounts = accounts.iter().map(|account| account.id).collect();
        Deck { random, accounts, hand: VecDeque::new(), older: Vec::new(), dealt_new: 0, goes_on: true }
    }

    /// Puts commands of an earlier round into the hand, each for one caller or two at once: all that are in doubt, and
    /// of the others as many as leave room for new ones.
    pub(crate) fn resend(&mut self, in_doubt: Vec<Arc<Command>>, mut decided: Vec<Arc<Command>>) {
        while decided.len() > RESENT_MAX {
            let index = self.random.index(decided.len());
            decided.swap_remove(index);
        }
        for command in in_doubt.into_iter().chain(decided) {
            for _ in 0..=self.random.below(2) {
                self.hand.push_back(Card::Send(Arc::clone(&command)));
            }
        }
    }

    /// The next card; `None` when the hand is empty and nothing new is wanted.
    pub(crate) fn deal(&mut self) -> Option<Card> {
        if self.hand.is_empty() {
            if !self.goes_on {
                return None;
            }
            self.draw();
        }
        self.hand.pop_front()
    }

    /// Puts something new into the hand: mostly one command for one caller, often for several, sometimes an old one.
    fn draw(&mut self) {
        match self.random.below(100) {
            0..4 if !self.older.is_empty() => {
                let old = Arc::clone(&self.older[self.random.index(self.older.len())]);
                self.hand.push_back(if self.random.chance(50) { Card::Misuse(old) } else { Card::Send(old) });
            }
            _ => {
                let command = Arc::new(self.invent());
                let callers = if self.random.chance(25) { 2 + self.random.below(4) } else { 1 };
                for _ in 0..callers {
                    self.hand.push_back(Card::Send(Arc::clone(&command)));
                }
                if self.random.chance(5) {
                    self.older.push(command);
                }
            }
        }
    }

    /// A new command. A few accounts are hot, and charges ask for a little more than top-ups bring, so that many are
    /// refused.
    fn invent(&mut self) -> Command {
        self.dealt_new += 1;
        let account =
            if self.random.chance(30) { self.random.index(5) } else { self.random.index(self.accounts.len()) };
        let (kind, amount) = match self.random.below(10) {
            0..3 => (Kind::Topup, self.random.amount(100_000)),
            3..9 => (Kind::Charge, self.random.amount(60_000)),
            _ if self.random.chance(50) => (Kind::Adjust, self.random.amount(20_000)),
            _ => (Kind::Adjust, -self.random.amount(20_000)),
        };
        let key = format!("crash-{:07}-{}", self.dealt_new, self.random.hex(6));
        Command { account, account_id: self.accounts[account], kind, amount, key }
    }
}
