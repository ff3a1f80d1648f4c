//! Currencies: added once, for ever, since every figure of an account is counted in its currency's minor units.
//!
//! They are numbered from 0 without gaps, on disk and in memory alike; an account carries that number.

use ledger::Currency;
use rusqlite::params;
use serde_json::json;

use crate::audit::{self, Origin};
use crate::batch::Batch;
use crate::{ChangeError, Sqlite, load};

/// How many there can be: an account carries its currency's number in one byte.
pub(crate) const LEN_MAX: usize = 256;

impl Sqlite {
    /// The currency with that code, if there is one.
    pub fn currency(&self, code: &str) -> Option<Currency> {
        self.shared().accounts.currency_by_code(code).map(|(_, currency)| currency)
    }

    /// All currencies, in the order in which they were added.
    pub fn currencies(&self) -> Vec<Currency> {
        self.shared().accounts.all_currencies()
    }
}

/// Adds a currency; true beside it where it was there already, with the same scale and the same public decimals.
pub(crate) fn add(
    batch: &mut Batch<'_>,
    origin: &Origin,
    new: Currency,
) -> rusqlite::Result<Result<(Currency, bool), ChangeError>> {
    let known = load::currencies(batch.db)?;
    if let Some(earlier) = known.iter().find(|known| known.code() == new.code()) {
        let is_same = (earlier.scale(), earlier.public_decimals()) == (new.scale(), new.public_decimals());
        return Ok(if is_same { Ok((new, true)) } else { Err(ChangeError::CurrencyExists) });
    }
    if known.len() >= LEN_MAX {
        return Ok(Err(ChangeError::TooManyCurrencies));
    }
    let id = u8::try_from(known.len()).expect("fewer than 256");
    batch
        .db
        .prepare_cached("INSERT INTO currencies (id, code, scale, public_decimals) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, new.code(), new.scale(), new.public_decimals()])?;
    let detail = json!({ "scale": new.scale(), "public_decimals": new.public_decimals() });
    audit::write(batch, origin, "currency.add", &format!("currency {}", new.code()), &detail)?;
    batch.done.currencies.push(new);
    Ok(Ok((new, false)))
}
