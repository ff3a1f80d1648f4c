//! How long accounts last: of those that are watched from memory, of any other from its newest entries.

use std::collections::BTreeSet;

use ledger::{AccountId, Runway};

use crate::measure::{self, ANSWER_BACK_MAX, WATCH_BACK_MAX};
use crate::statement::Last;
use crate::{AccountNow, Fault, Measured, Sqlite};

/// How many watched accounts are looked at before the writer may go on.
const AT_ONCE: usize = 1024;

impl Sqlite {
    /// How long what an account may spend lasts; `None` where too little is known, or there is no such account.
    ///
    /// Of a watched account (one with alerts, or with a metric of its own) from memory. Of any other from its newest entries,
    /// at most 5,000: where those do not reach back a day, the time that they do is what [`Runway::since`] says. Blocks on
    /// the disk then.
    pub fn runway(&self, account: &AccountNow) -> Result<Option<Runway>, Fault> {
        let now = self.now();
        let Some((slot, last)) = self.place(account.id) else { return Ok(None) };
        if let Some(watch) = self.shared().watches().get(slot) {
            return Ok(watch.usage.runway(account.available(), now));
        }
        let usage = self.read(|db| measure::measure(db, last, now, ANSWER_BACK_MAX))?;
        Ok(usage.runway(account.available(), now))
    }

    /// The accounts whose balance is a metric of its own, and how long each lasts.
    pub fn metered_accounts(&self) -> Vec<(AccountNow, Option<Runway>)> {
        let now = self.now();
        let metered = self.shared().accounts.metered();
        metered.map(|slot| self.figures_at(slot, now)).map(|account| (account, self.watched(&account))).collect()
    }

    /// The same from memory alone: `None` also for an account that is not watched.
    fn watched(&self, account: &AccountNow) -> Option<Runway> {
        let (slot, _) = self.place(account.id)?;
        let now = self.now();
        self.shared().watches().get(slot).and_then(|watch| watch.usage.runway(account.available(), now))
    }

    /// The watched accounts that run dry first, at most `limit`: those with the shortest time left before the others. An
    /// account of which too little is known, or that uses nothing, is not among them.
    pub fn dry_first(&self, limit: usize) -> Vec<(AccountNow, Runway)> {
        let now = self.now();
        let mut first: BTreeSet<(i64, u32)> = BTreeSet::new();
        for from in (0..).step_by(AT_ONCE) {
            // The writer waits for no more than these.
            let some = self.shared().watches().usages(from, AT_ONCE);
            if some.is_empty() {
                break;
            }
            for (slot, usage) in some {
                let available = self.figures_at(slot, now).available();
                if let Some(left_s) = usage.runway(available, now).and_then(|runway| runway.left_s) {
                    first.insert((left_s, slot));
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
            }
        }
        let shown = first.into_iter().filter_map(|(_, slot)| {
            let account = self.figures_at(slot, now);
            Some((account, self.watched(&account)?))
        });
        shown.collect()
    }

    /// Measures an account, for [`Sqlite::change_alerts`]: a look back at its newest entries, at most 100,000. Blocks on the
    /// disk.
    pub fn measure(&self, account: AccountId) -> Result<Option<Measured>, Fault> {
        let Some((slot, last)) = self.place(account) else { return Ok(None) };
        if let Some(watch) = self.shared().watches().get(slot).filter(|watch| watch.usage.last_topup.is_some()) {
            return Ok(Some(Measured(watch.usage.clone())));
        }
        let now = self.now();
        self.read(|db| measure::measure(db, last, now, WATCH_BACK_MAX)).map(|usage| Some(Measured(usage)))
    }

    fn place(&self, account: AccountId) -> Option<(u32, Last)> {
        let accounts = &self.shared().accounts;
        let slot = accounts.slot_of(account)?;
        let figures = accounts.figures(slot);
        Some((slot, Last { account, number: figures.number, row: figures.row }))
    }
}
