//! Gathered reads: what callers ask at the same time shares a round trip, one statement for each kind of question.
//!
//! Always the primary's own figures, and the primary's clock. Where commits wait for standbys, an answer also waits for a
//! commit that began after the question came: a server that was primary once, and has not noticed that it no longer is,
//! cannot make one.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join4;
use ledger::{AccountId, Actor, Minor, Time};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Row;

use super::facts::wanted;
use super::pool::TIME_LIMIT;
use super::rows::{self, ACCOUNT_LEN, account_columns};
use super::session::{Error, MARK, STANDBYS, Session, unproven};
use super::shared::Shared;
use crate::credentials::Limits;
use crate::{AccountNow, Fault, Login, OperatorName, Role};

/// The most questions that share a round trip.
const BATCH_LEN_MAX: usize = 1024;

const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The instant of a read, never earlier than the account's last entry, and what has ended by then without an entry.
macro_rules! live {
    () => {
        " JOIN currencies c ON c.id = a.currency \
         CROSS JOIN LATERAL (SELECT greatest(ledger_clock(), a.at) AS now) t \
         CROSS JOIN LATERAL (SELECT coalesce(sum(h.remaining), 0)::int8 AS due FROM open_holds h \
         WHERE h.account = a.id AND h.expires_at <= t.now) ended "
    };
}

const ACCOUNTS: &str =
    concat!("SELECT ", account_columns!(), ", t.now, ended.due FROM accounts a", live!(), "WHERE a.id = ANY($1)");

const CREDENTIALS: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", t.now, ended.due, k.id, k.api_key, k.digest, k.cidrs, k.expires_at, k.revoked_at IS NOT NULL, k.last_used_at \
     FROM credentials k JOIN accounts a ON a.id = k.account",
    live!(),
    "WHERE k.api_key = ANY($1)"
);

const LOGINS: &str =
    "SELECT token_digest, name, role FROM operators WHERE token_digest = ANY($1) AND revoked_at IS NULL";

/// All accounts whose balance is a metric of its own.
pub(super) const METERED: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", t.now, ended.due, a.watch FROM accounts a",
    live!(),
    "WHERE a.metered ORDER BY a.id"
);

/// Watched accounts, with what they used.
pub(super) const WATCHED: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", t.now, ended.due, a.watch FROM accounts a",
    live!(),
    "WHERE (a.metered OR a.ruled) AND a.id > $1 ORDER BY a.id LIMIT $2"
);

/// A credential whose key and secret were right.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) account: AccountNow,
    pub(super) now: Time,
    pub(super) credential: i64,
    pub(super) limits: Limits,
    pub(super) last_used_at: Option<Time>,
}

type Answer<T> = oneshot::Sender<Result<T, Fault>>;

/// What is asked, and where whoever asks waits.
pub(super) enum Question {
    Credential { api_key: String, digest: [u8; 32], answer: Answer<Option<Seen>> },
    Account { id: AccountId, answer: Answer<Option<(AccountNow, Time)>> },
    Login { digest: [u8; 32], answer: Answer<Option<Login>> },
}

/// A question with the time at which it came.
pub(super) type Asked = (Question, Instant);

/// Where questions wait for whichever reader is free.
pub(super) type Questions = Arc<Mutex<mpsc::UnboundedReceiver<Asked>>>;

/// Answers until nobody can ask any more.
pub(super) async fn work(shared: Arc<Shared>, questions: Questions) {
    let mut reader = Reader { shared, session: None, has_standbys: false };
    loop {
        let mut asked = Vec::new();
        let len_max = if reader.shared.gathers { BATCH_LEN_MAX } else { 1 };
        if questions.lock().await.recv_many(&mut asked, len_max).await == 0 {
            return;
        }
        reader.answer(asked).await;
    }
}

/// One reader with its connection.
struct Reader {
    shared: Arc<Shared>,
    session: Option<Session>,
    /// Whether commits waited for standbys at the last look.
    has_standbys: bool,
}

impl Reader {
    /// Answers all that was asked, within its time.
    async fn answer(&mut self, mut asked: Vec<Asked>) {
        let Some(since) = asked.iter().map(|(_, since)| *since).min() else { return };
        let found = loop {
            let failure = match timeout_at(since + TIME_LIMIT, self.attempt(&asked)).await {
                Ok(Ok(found)) => break Some(found),
                Ok(Err(error)) => error,
                Err(_) => break None,
            };
            if failure.is_lost() {
                self.shared.goes_wrong(&failure);
                if timeout_at(since + TIME_LIMIT, sleep(PAUSE)).await.is_err() {
                    break None;
                }
            } else if asked.len() > 1 {
                // Something is wrong with one of them: the others are answered.
                for question in asked {
                    Box::pin(self.answer(vec![question])).await;
                }
                return;
            } else {
                tracing::error!(error = %failure, "a read failed");
                break None;
            }
        };
        asked.drain(..).for_each(|(question, _)| question.told(found.as_ref()));
    }

    /// One round trip; two where standbys were not expected. A session whose attempt fails is not kept.
    async fn attempt(&mut self, asked: &[Asked]) -> Result<Found, Error> {
        let session = match self.session.take().filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => self.shared.pool.connector().session().await?,
        };
        session.know(&[ACCOUNTS, CREDENTIALS, LOGINS, STANDBYS, MARK]).await?;
        let (mut ids, mut keys, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for (question, _) in asked {
            match question {
                Question::Account { id, .. } => ids.push(rows::int(*id)),
                Question::Credential { api_key, .. } => keys.push(api_key.as_str()),
                Question::Login { digest, .. } => digests.push(digest.as_slice()),
            }
        }
        let warnings = session.warnings();
        let expects_standbys = self.has_standbys;
        let (accounts, credentials, logins, standbys) = join4(
            wanted(!ids.is_empty(), session.rows(ACCOUNTS, &[&ids])),
            wanted(!keys.is_empty(), session.rows(CREDENTIALS, &[&keys])),
            wanted(!digests.is_empty(), session.rows(LOGINS, &[&digests])),
            async {
                if expects_standbys {
                    session.execute(MARK, &[]).await?;
                }
                session.row(STANDBYS, &[]).await
            },
        )
        .await;
        self.has_standbys = standbys?.map_or(Ok(false), |row| row.try_get(0))? && self.shared.proves_reads;
        if self.has_standbys && !expects_standbys {
            session.execute(MARK, &[]).await?;
        }
        if session.warnings() != warnings {
            return Err(unproven());
        }
        let found = Found::read(&accounts?, &credentials?, &logins?)?;
        self.session = Some(session);
        self.shared.is_well();
        Ok(found)
    }
}

/// What was found for all that was asked.
struct Found {
    accounts: HashMap<AccountId, (AccountNow, Time)>,
    credentials: HashMap<String, ([u8; 32], Seen)>,
    logins: Vec<([u8; 32], Login)>,
}

impl Found {
    fn read(accounts: &[Row], credentials: &[Row], logins: &[Row]) -> Result<Found, Error> {
        let accounts = accounts.iter().map(|row| live(row).map(|(account, now)| (account.id, (account, now))));
        let credentials = credentials.iter().map(|row| Ok((row.try_get(ACCOUNT_LEN + 3)?, credential(row)?)));
        Ok(Found {
            accounts: accounts.collect::<Result<_, Error>>()?,
            credentials: credentials.collect::<Result<_, Error>>()?,
            logins: logins.iter().map(login).collect::<Result<_, Error>>()?,
        })
    }
}

/// An account at the instant of its read: what has ended by then does not count (law 4).
pub(super) fn live(row: &Row) -> Result<(AccountNow, Time), Error> {
    let account = rows::account_now(row, 0)?;
    let due = rows::figure_at(row, ACCOUNT_LEN + 1)?;
    let wrong = || Error::Damage(format!("account {}: its holds are more than what it holds", account.id));
    let held = account.held.minus(due).filter(|held| *held >= Minor::ZERO).ok_or_else(wrong)?;
    Ok((AccountNow { held, ..account }, Time::from_micros(row.try_get(ACCOUNT_LEN)?)))
}

fn credential(row: &Row) -> Result<([u8; 32], Seen), Error> {
    let (account, now) = live(row)?;
    let at = |column: usize| ACCOUNT_LEN + column;
    let limits = Limits {
        cidrs: rows::cidrs(row.try_get(at(5))?)?,
        expires_at: row.try_get::<_, Option<i64>>(at(6))?.map(Time::from_micros),
        revoked: row.try_get(at(7))?,
    };
    let last_used_at = row.try_get::<_, Option<i64>>(at(8))?.map(Time::from_micros);
    let seen = Seen { account, now, credential: row.try_get(at(2))?, limits, last_used_at };
    Ok((digest(row.try_get(at(4))?)?, seen))
}

fn login(row: &Row) -> Result<([u8; 32], Login), Error> {
    let (name, role): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    let wrong = || Error::Damage(format!("operator {name}: its name or role is not one"));
    let actor: Actor = OperatorName::new(name).ok_or_else(wrong)?.actor();
    Ok((digest(row.try_get(0)?)?, Login { actor, role: Role::parse(role).ok_or_else(wrong)? }))
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Damage("a digest is not one".into()))
}

impl Question {
    /// Tells whoever asks what was found.
    fn told(self, found: Option<&Found>) {
        let found = found.ok_or(Fault::Unavailable);
        let is_heard = match self {
            Question::Account { id, answer } => {
                answer.send(found.map(|found| found.accounts.get(&id).copied())).is_ok()
            }
            Question::Credential { api_key, digest, answer } => {
                answer.send(found.map(|found| found.credential(&api_key, &digest))).is_ok()
            }
            Question::Login { digest, answer } => answer.send(found.map(|found| found.login(&digest))).is_ok(),
        };
        if !is_heard {
            tracing::debug!("whoever asked has gone");
        }
    }
}

impl Found {
    /// An unknown key and a wrong secret do the same work.
    fn credential(&self, api_key: &str, given: &[u8; 32]) -> Option<Seen> {
        let known = self.credentials.get(api_key);
        let expected = known.map_or(&[0; 32], |(digest, _)| digest);
        let is_right = bool::from(expected.ct_eq(given));
        known.filter(|_| is_right).map(|(_, seen)| seen.clone())
    }

    fn login(&self, given: &[u8; 32]) -> Option<Login> {
        self.logins.iter().find(|(digest, _)| bool::from(digest.ct_eq(given))).map(|(_, login)| login.clone())
    }
}
