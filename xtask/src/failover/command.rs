//! What the callers send: movements in whole units, each under a key of its own, among them holds that their caller later
//! captures in parts or voids.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::money;
use crate::operator::Account;
use crate::random::Random;

/// Minor units of one unit: amounts are whole, so that GetBalance shows all of them.
pub(crate) const UNIT: i64 = 100;

/// A day: no hold ends by itself while this runs.
const HOLD_S: u64 = 86_400;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Topup,
    Charge,
    Hold,
    /// Of the hold with that key.
    Capture {
        hold: String,
        is_final: bool,
    },
    Void {
        hold: String,
    },
}

/// One movement to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    /// Which of the accounts, by index.
    pub(crate) account: usize,
    pub(crate) account_id: u64,
    pub(crate) kind: Kind,
    /// Minor units; zero for a void.
    pub(crate) amount: i64,
    pub(crate) key: String,
}

impl Command {
    pub(crate) fn path(&self) -> String {
        let account = format!("/v1/accounts/{}", self.account_id);
        match &self.kind {
            Kind::Topup => format!("{account}/topups"),
            Kind::Charge => format!("{account}/charges"),
            Kind::Hold => format!("{account}/holds"),
            Kind::Capture { hold, .. } => format!("{account}/holds/key:{hold}/captures"),
            Kind::Void { hold } => format!("{account}/holds/key:{hold}/void"),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let amount = money::decimal(self.amount);
        match self.kind {
            Kind::Topup | Kind::Charge => json!({ "amount": amount }),
            Kind::Hold => json!({ "amount": amount, "expires_in": HOLD_S }),
            Kind::Capture { is_final, .. } => json!({ "amount": amount, "final": is_final }),
            Kind::Void { .. } => json!({}),
        }
    }

    /// Its name in an entry.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Topup => "topup",
            Kind::Charge => "charge",
            Kind::Hold => "hold",
            Kind::Capture { .. } => "capture",
            Kind::Void { .. } => "void",
        }
    }
}

/// A hold of a caller that is open, and what is left of it.
struct Open {
    account: usize,
    key: String,
    left: i64,
}

/// What one caller sends, by its own seed.
pub(crate) struct Script {
    name: String,
    random: Random,
    accounts: Vec<u64>,
    made: u64,
    holds: Vec<Open>,
}

impl Script {
    pub(crate) fn new(name: String, random: Random, accounts: &[Account]) -> Script {
        let accounts = accounts.iter().map(|account| account.id).collect();
        Script { name, random, accounts, made: 0, holds: Vec::new() }
    }

    /// The next movement. Charges and holds ask for a little more than top-ups bring, so that some are refused.
    pub(crate) fn next(&mut self) -> Arc<Command> {
        let is_of_hold = !self.holds.is_empty() && self.random.chance(if self.holds.len() > 8 { 60 } else { 25 });
        if is_of_hold {
            return self.of_hold();
        }
        let account = self.random.index(self.accounts.len());
        let (kind, greatest) = match self.random.below(100) {
            0..38 => (Kind::Topup, 100_000),
            38..80 => (Kind::Charge, 80_000),
            _ => (Kind::Hold, 60_000),
        };
        let amount = self.random.amount(greatest) * UNIT;
        self.command(account, kind, amount)
    }

    /// Takes part or all of a hold of this caller's own, or gives it back.
    fn of_hold(&mut self) -> Arc<Command> {
        let index = self.random.index(self.holds.len());
        let (account, hold, left) = (self.holds[index].account, self.holds[index].key.clone(), self.holds[index].left);
        if self.random.chance(25) {
            return self.command(account, Kind::Void { hold }, 0);
        }
        let amount = if self.random.chance(30) { left } else { self.random.amount(left.unsigned_abs() / 100) * UNIT };
        let is_final = self.random.chance(30);
        self.command(account, Kind::Capture { hold, is_final }, amount)
    }

    fn command(&mut self, account: usize, kind: Kind, amount: i64) -> Arc<Command> {
        self.made += 1;
        let key = format!("{}-{}", self.name, self.made);
        Arc::new(Command { account, account_id: self.accounts[account], kind, amount, key })
    }

    /// Notes that a command of this script was done.
    pub(crate) fn done(&mut self, command: &Command) {
        match &command.kind {
            Kind::Topup | Kind::Charge => {}
            Kind::Hold => {
                self.holds.push(Open { account: command.account, key: command.key.clone(), left: command.amount });
            }
            Kind::Capture { hold, is_final } => {
                self.holds.iter_mut().filter(|open| open.key == *hold).for_each(|open| open.left -= command.amount);
                self.holds.retain(|open| open.key != *hold || (open.left > 0 && !is_final));
            }
            Kind::Void { hold } => self.holds.retain(|open| open.key != *hold),
        }
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}
