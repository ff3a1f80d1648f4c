//! What the platform owes and is owed: every account added up.
//!
//! It reads every account, so it has a longer limit than what callers wait for, takes no lock that a movement would meet, and
//! comes on a session of its own. What has ended without an entry is summed beside the accounts, not account by account.

use ledger::Time;
use tokio_postgres::Row;

use super::rows;
use super::session::{Error, Session};
use super::statement::now;
use crate::Totals;

/// Lifts the session's limit on statements to [`super::pool::LONG_TIME_LIMIT`].
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '60s'";

/// The figures of a currency out of `live (currency, posted, held, credit_limit)`. Sums may be greater than any integer of
/// the database; they come as text.
macro_rules! summed {
    () => {
        " SELECT c.code, c.scale, c.public_decimals, count(live.currency), coalesce(sum(posted), 0)::text, \
         coalesce(sum(held), 0)::text, coalesce(sum(credit_limit), 0)::text, \
         coalesce(sum(greatest(posted - held, 0)), 0)::text, coalesce(sum(greatest(held - posted, 0)), 0)::text \
         FROM currencies c LEFT JOIN live ON live.currency = c.id \
         GROUP BY c.id, c.code, c.scale, c.public_decimals ORDER BY c.id"
    };
}

const NOW: &str = concat!(
    "WITH ended AS (SELECT h.account, sum(h.remaining)::int8 AS due FROM open_holds h JOIN accounts a ON a.id = h.account \
     WHERE h.expires_at <= greatest($1, a.at) GROUP BY h.account), \
     live AS (SELECT a.currency, a.posted, a.held - coalesce(ended.due, 0) AS held, a.credit_limit \
     FROM accounts a LEFT JOIN ended ON ended.account = a.id)",
    summed!()
);

/// An account that has not moved since is as its row has it; only of the others is an entry looked up.
const THEN: &str = concat!(
    "WITH ended AS (SELECT h.account, sum(h.remaining)::int8 AS due FROM open_holds h WHERE h.expires_at <= $1 \
     GROUP BY h.account), \
     known AS (SELECT id, currency, posted, held, credit_limit FROM accounts WHERE at <= $1 \
     UNION ALL SELECT a.id, a.currency, e.posted, e.held, e.credit_limit FROM accounts a \
     JOIN entries e ON e.account = a.id AND e.number = last_number(a.id, $1) WHERE a.at > $1 AND a.opened_at <= $1), \
     live AS (SELECT k.currency, k.posted, k.held - coalesce(ended.due, 0) AS held, k.credit_limit \
     FROM known k LEFT JOIN ended ON ended.account = k.id)",
    summed!()
);

/// The sums by currency as of an instant that has passed, or now.
pub(super) async fn totals(session: &Session, at: Option<Time>) -> Result<Vec<Totals>, Error> {
    session.say(BEGIN).await?;
    let found = summed_up(session, at).await;
    // Also where it failed: the session is used again.
    let ended = session.say("COMMIT").await;
    let found = found?;
    ended?;
    found.iter().map(of_row).collect()
}

async fn summed_up(session: &Session, at: Option<Time>) -> Result<Vec<Row>, Error> {
    match at {
        Some(at) => session.rows(THEN, &[&at.micros()]).await,
        None => session.rows(NOW, &[&now(session).await?.micros()]).await,
    }
}

fn of_row(row: &Row) -> Result<Totals, Error> {
    let sum = |column: usize| {
        let text: &str = row.try_get(column)?;
        text.parse::<i128>().map_err(|_| Error::Damage("a sum is not one".into()))
    };
    Ok(Totals {
        currency: rows::currency(row, 0)?,
        accounts: u64::try_from(row.try_get::<_, i64>(3)?).unwrap_or(0),
        posted: sum(4)?,
        held: sum(5)?,
        credit_limit: sum(6)?,
        owed: sum(7)?,
        owing: sum(8)?,
    })
}
