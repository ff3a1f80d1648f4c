//! Open holds from disk into memory, and the proof that they are what their accounts hold.

use std::collections::HashMap;

use ledger::{AccountId, Hold, Minor, Time};
use rusqlite::Connection;

use crate::holds::{Holds, OpenHold};
use crate::memory::{self, Accounts, Figures};
use crate::rows::damage;

/// Replaces what is known of open holds by what is durable. The accounts must be as of the last row already.
///
/// An account's `held` comes from its entries and its open holds from their own table: where the two differ, expiry would
/// release what nobody promised, or money would stay held for ever, so that is damage.
pub(super) fn load(db: &Connection, accounts: &Accounts, holds: &mut Holds) -> rusqlite::Result<()> {
    let before = std::mem::take(holds);
    let mut sums: HashMap<u32, Minor> = HashMap::new();
    let mut select = db.prepare("SELECT account, number, entry, remaining, expires_at FROM open_holds")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let (account, number): (u32, i64) = (row.get(0)?, row.get(1)?);
        let wrong = |column: &str| damage(format!("hold {number} of account {account}: {column} is not one"));
        let slot = AccountId::new(account).and_then(|id| accounts.slot_of(id)).ok_or_else(|| wrong("account"))?;
        let number = u64::try_from(number).map_err(|_| wrong("number"))?;
        let left = Minor::new(row.get(3)?).filter(|left| *left > Minor::ZERO).ok_or_else(|| wrong("remaining"))?;
        let sum = sums.entry(slot).or_default();
        *sum = sum.plus(left).ok_or_else(|| wrong("remaining"))?;
        let hold = Hold { number, left, expires_at: Time::from_micros(row.get(4)?) };
        holds.set(slot, number, Some(OpenHold { hold, row: row.get(2)? }));
    }
    for slot in 0..memory::to_slot(accounts.len()) {
        let (held, sum) = (accounts.figures(slot).held, sums.get(&slot).copied().unwrap_or_default());
        if held != sum {
            let scale = accounts.currency(accounts.figures(slot).traits.currency).scale();
            return Err(damage(format!(
                "account {}: it holds {}, and its open holds together are {}",
                accounts.id_of(slot),
                held.decimal(scale),
                sum.decimal(scale)
            )));
        }
    }
    for slot in before.slots().union(&holds.slots()).copied() {
        let figures = accounts.figures(slot);
        accounts.publish(slot, &Figures { no_end_before: holds.no_end_before(slot), ..figures });
    }
    Ok(())
}
