//! What the platform owes: every account added up, by currency, now or as of an instant.

use ledger::{AccountId, Currency, Minor, Time};

use crate::{AccountNow, Fault, Sqlite};

/// The sums of one currency, in its minor units. They may be greater than any figure of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// The currency.
    pub currency: Currency,
    /// How many accounts have it.
    pub accounts: u64,
    /// All posted figures.
    pub posted: i128,
    /// All held figures.
    pub held: i128,
    /// All credit limits.
    pub credit_limit: i128,
    /// The balances (posted less held) above zero: what is owed to customers.
    pub owed: i128,
    /// The balances below zero, as a positive sum: what customers owe.
    pub owing: i128,
}

impl Totals {
    fn new(currency: Currency) -> Totals {
        Totals { currency, accounts: 0, posted: 0, held: 0, credit_limit: 0, owed: 0, owing: 0 }
    }

    fn add(&mut self, account: &AccountNow) {
        let units = |figure: Minor| i128::from(figure.units());
        self.accounts += 1;
        self.posted += units(account.posted);
        self.held += units(account.held);
        self.credit_limit += units(account.credit_limit);
        match units(account.balance()) {
            balance if balance < 0 => self.owing -= balance,
            balance => self.owed += balance,
        }
    }
}

impl Sqlite {
    /// The sums over all accounts by currency, in the order in which currencies were made: now, from memory; or as of an
    /// instant not later than now, from disk, which takes some microseconds an account.
    pub fn totals(&self, at: Option<Time>) -> Result<Vec<Totals>, Fault> {
        let mut all: Vec<Totals> = self.currencies().into_iter().map(Totals::new).collect();
        for id in self.account_ids() {
            let account = match at {
                None => self.account(id),
                Some(at) => self.account_as_of(id, at)?,
            };
            let Some(account) = account else { continue };
            if let Some(totals) = all.iter_mut().find(|totals| totals.currency == account.currency) {
                totals.add(&account);
            }
        }
        Ok(all)
    }

    fn account_ids(&self) -> impl Iterator<Item = AccountId> {
        self.accounts().ids()
    }
}
