//! The first half of a transaction: the accounts locked, then everything read that its decisions need, in one round trip.
//!
//! The lock is a statement of its own and the first: under READ COMMITTED each statement sees what was committed before it
//! began, so that keys, holds and refunds are read as of after the lock, and the clock is too.

use std::collections::BTreeSet;
use std::future::{Future, ready};

use futures_util::future::{join, join5};
use ledger::{AccountId, Command, Hold, Key, Kind, Minor, Named, Time};
use tokio_postgres::Row;

use super::batch::{Batch, Draft, Found, Known};
use super::rows::{self, ACCOUNT_LEN, ENTRY_LEN, account_columns, entry_columns};
use super::session::{Error, Session};
use super::shared::Shared;
use super::{runway, tell};
use crate::watch::Watch;

/// The lock. It gives the rows as they are once the lock is there.
const LOCK: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", a.refused_second, a.refused, a.ruled, a.watch FROM accounts a JOIN currencies c ON c.id = a.currency \
     WHERE a.id = ANY($1) ORDER BY a.id FOR UPDATE OF a"
);

/// The time, and the holds that have ended by it. An account's own time never goes back, whatever the clock does.
const DUE: &str = "WITH clock AS MATERIALIZED (SELECT ledger_clock() AS now) \
    SELECT clock.now, current_setting('synchronous_standby_names') <> '', due.account, due.number, due.remaining, \
    due.expires_at \
    FROM clock LEFT JOIN LATERAL (SELECT h.* FROM accounts a JOIN open_holds h \
    ON h.account = a.id AND h.expires_at <= greatest(clock.now, a.at) WHERE a.id = ANY($1)) due ON true \
    ORDER BY due.account, due.expires_at, due.number";

const KEYS: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM unnest($1::int4[], $2::text[]) AS k (account, key) \
     JOIN entries e ON e.account = k.account AND e.key = k.key AND e.kind <> 1"
);

const REFUSALS: &str = "SELECT r.account, r.key, r.content, r.slug, r.facts, r.at \
    FROM unnest($1::int4[], $2::text[]) AS k (account, key) \
    JOIN refusals r ON r.account = k.account AND r.key = k.key";

/// Entries that commands name, by number or by key, and what became of them.
const NAMED: &str = concat!(
    "WITH named AS (\
     SELECT e.account, e.number FROM unnest($1::int4[], $2::int8[]) AS n (account, number) \
     JOIN entries e ON e.account = n.account AND e.number = n.number \
     UNION SELECT e.account, e.number FROM unnest($3::int4[], $4::text[]) AS k (account, key) \
     JOIN entries e ON e.account = k.account AND e.key = k.key AND e.kind <> 1) SELECT ",
    entry_columns!(),
    ", h.remaining, h.expires_at, ended.kind, ended.at, refunds.given \
     FROM named n JOIN entries e ON e.account = n.account AND e.number = n.number \
     LEFT JOIN open_holds h ON e.kind = 6 AND h.account = e.account AND h.number = e.number \
     LEFT JOIN LATERAL (SELECT x.kind, x.at FROM entries x WHERE e.kind = 6 AND x.account = e.account \
     AND x.target_number = e.number AND x.kind IN (8, 9, 10) ORDER BY x.number DESC LIMIT 1) ended ON true \
     LEFT JOIN LATERAL (SELECT sum(x.amount)::int8 AS given FROM entries x WHERE e.kind IN (5, 8) \
     AND x.account = e.account AND x.target_number = e.number AND x.kind = 11) refunds ON true"
);

/// What begins a transaction: the statements of [`gather`], for a session to know before it sends them together.
const STATEMENTS: [&str; 5] = [LOCK, DUE, KEYS, REFUSALS, NAMED];

/// What commands ask about, as the statements take it.
#[derive(Default)]
struct Asked {
    keys: (Vec<i32>, Vec<String>),
    numbers: (Vec<i32>, Vec<i64>),
    named_keys: (Vec<i32>, Vec<String>),
}

/// The accounts that commands touch.
pub(super) fn accounts(commands: &[Command]) -> BTreeSet<AccountId> {
    commands.iter().flat_map(|command| [Some(command.account), command.movement.to()]).flatten().collect()
}

/// Begins a transaction: locks `accounts` and reads what `commands` need.
pub(super) async fn gather(
    shared: &Shared,
    session: &Session,
    accounts: &BTreeSet<AccountId>,
    commands: &[Command],
) -> Result<Batch, Error> {
    session.know(&STATEMENTS).await?;
    let mut batch = Batch::new(shared);
    read(session, session.say("BEGIN"), &mut batch, accounts, commands).await?;
    Ok(batch)
}

/// The same in a transaction that has begun, for further accounts; everything that was decided before is written.
pub(super) async fn gather_more(
    session: &Session,
    batch: &mut Batch,
    accounts: &BTreeSet<AccountId>,
    commands: &[Command],
) -> Result<(), Error> {
    session.know(&STATEMENTS).await?;
    read(session, ready(Ok(())), batch, accounts, commands).await
}

async fn read(
    session: &Session,
    begin: impl Future<Output = Result<(), Error>>,
    batch: &mut Batch,
    accounts: &BTreeSet<AccountId>,
    commands: &[Command],
) -> Result<(), Error> {
    let ids: Vec<i32> = accounts.iter().copied().map(rows::int).collect();
    let asked = Asked::by(commands);
    let Asked { keys, numbers, named_keys } = &asked;
    let has_named = !numbers.0.is_empty() || !named_keys.0.is_empty();
    // Polled in this order, and so sent in it; the server carries them out one after the other.
    let ((begun, locked), due, found, refused, named) = join5(
        join(begin, session.rows(LOCK, &[&ids])),
        session.rows(DUE, &[&ids]),
        wanted(!keys.0.is_empty(), session.rows(KEYS, &[&keys.0, &keys.1])),
        wanted(!keys.0.is_empty(), session.rows(REFUSALS, &[&keys.0, &keys.1])),
        wanted(has_named, session.rows(NAMED, &[&numbers.0, &numbers.1, &named_keys.0, &named_keys.1])),
    )
    .await;
    begun?;
    for row in locked? {
        batch.lock(&row)?;
    }
    batch.tell_time(&due?)?;
    for row in found? {
        batch.find(rows::entry(&row)?);
    }
    for row in refused? {
        batch.find_refusal(&row)?;
    }
    for row in named? {
        batch.know(&row)?;
    }
    tell::gather(session, batch, accounts).await
}

/// The rows of a statement, or none where nothing is to be asked.
pub(super) async fn wanted(
    is_wanted: bool,
    rows: impl Future<Output = Result<Vec<Row>, Error>>,
) -> Result<Vec<Row>, Error> {
    if is_wanted { rows.await } else { Ok(Vec::new()) }
}

impl Asked {
    fn by(commands: &[Command]) -> Asked {
        let mut asked = Asked::default();
        for command in commands {
            let id = rows::int(command.account);
            if let Some(key) = &command.key {
                asked.keys.0.push(id);
                asked.keys.1.push(key.as_str().into());
            }
            match command.movement.named() {
                Some(Named::Number(number)) => {
                    // A number beyond every entry's names none of them.
                    asked.numbers.0.push(id);
                    asked.numbers.1.push(i64::try_from(*number).unwrap_or(i64::MAX));
                }
                Some(Named::Key(key)) => {
                    asked.named_keys.0.push(id);
                    asked.named_keys.1.push(key.as_str().into());
                }
                None => {}
            }
        }
        asked
    }
}

impl Batch {
    fn lock(&mut self, row: &Row) -> Result<(), Error> {
        let (account, now) = (rows::account(row, 0)?, rows::account_now(row, 0)?);
        let kept: i32 = row.try_get(ACCOUNT_LEN + 1)?;
        let refused = (row.try_get(ACCOUNT_LEN)?, u32::try_from(kept).unwrap_or(0));
        let mut draft = Draft::new(account, now.shows_available, now.metered, refused);
        draft.ruled = row.try_get(ACCOUNT_LEN + 2)?;
        let usage = runway::usage(row, ACCOUNT_LEN + 3, now.id)?;
        draft.watch = usage.map(|usage| Box::new(Watch::new(usage, None)));
        self.drafts.insert(now.id, draft);
        Ok(())
    }

    fn tell_time(&mut self, due: &[Row]) -> Result<(), Error> {
        for row in due {
            self.now = Time::from_micros(row.try_get(0)?);
            self.has_standbys = row.try_get(1)?;
            if row.try_get::<_, Option<i32>>(2)?.is_none() {
                continue;
            }
            let (id, number, left) = (rows::id_at(row, 2)?, rows::number_at(row, 3)?, rows::figure_at(row, 4)?);
            let hold = Hold { number, left, expires_at: Time::from_micros(row.try_get(5)?) };
            if let Some(draft) = self.drafts.get_mut(&id) {
                draft.due.push(hold);
            }
        }
        Ok(())
    }

    /// What a key did is an entry before it is a refusal, which had lapsed when the entry was made.
    fn find(&mut self, entry: ledger::Entry) {
        if let Some(key) = entry.key.clone() {
            self.keys.insert((entry.account, key), Found::Entry(Box::new(entry)));
        }
    }

    fn find_refusal(&mut self, row: &Row) -> Result<(), Error> {
        let id = rows::id_at(row, 0)?;
        let wrong = |column: &str| Error::Damage(format!("a refusal of account {id}: {column} is not one"));
        let key = Key::new(row.try_get(1)?).map_err(|_| wrong("key"))?;
        let content = rows::content(row.try_get(2)?).map_err(|()| wrong("content"))?;
        let (refusal, at) = rows::refusal(row, 3)?;
        if at.micros() >= self.now.micros().saturating_sub(self.refusal_us) {
            self.keys.entry((id, key)).or_insert(Found::Refusal { content, refusal, at });
        }
        Ok(())
    }

    fn know(&mut self, row: &Row) -> Result<(), Error> {
        let entry = rows::entry(row)?;
        let (id, number) = (entry.account, entry.number);
        let known = match entry.kind {
            Kind::Hold => match row.try_get::<_, Option<i64>>(ENTRY_LEN)? {
                Some(_) => Known::Open(Hold {
                    number,
                    left: rows::figure_at(row, ENTRY_LEN)?,
                    expires_at: Time::from_micros(row.try_get(ENTRY_LEN + 1)?),
                }),
                None => ended(row)
                    .ok_or_else(|| Error::Damage(format!("account {id}: nothing says what ended hold {number}")))?,
            },
            Kind::Charge | Kind::Capture => {
                let given = row.try_get::<_, Option<i64>>(ENTRY_LEN + 4)?.unwrap_or(0);
                let refunded = Minor::new(given).ok_or_else(|| {
                    Error::Damage(format!("account {id}: the refunds of entry {number} are no figure"))
                })?;
                Known::Spent { amount: entry.amount, refunded }
            }
            Kind::Open
            | Kind::Limit
            | Kind::Status
            | Kind::Topup
            | Kind::Extend
            | Kind::Void
            | Kind::Expire
            | Kind::Refund
            | Kind::Transfer
            | Kind::Adjust => Known::Other,
        };
        if let Some(draft) = self.drafts.get_mut(&id) {
            draft.known.insert(number, known);
        }
        self.find(entry);
        Ok(())
    }
}

fn ended(row: &Row) -> Option<Known> {
    let by = rows::kind(row.try_get(ENTRY_LEN + 2).ok()?)?;
    Some(Known::Ended { by, at: Time::from_micros(row.try_get(ENTRY_LEN + 3).ok()?) })
}
