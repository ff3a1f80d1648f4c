//! Alert rules of accounts and whom they tell: set, taken away, shown. What the rules have reached is decided in `tell`.

use std::collections::BTreeSet;

use ledger::{AccountId, Events, Minor, Reached, Rules, Standing, Time};
use serde_json::{Map, Value};
use tokio_postgres::Row;

use super::change::{Change, Tx};
use super::rows;
use super::session::{Error, Params, Session};
use super::{Postgres, runway};
use crate::alerts::{levels, shown, spelled};
use crate::audit::{self, Origin};
use crate::rows::number;
use crate::watch::{Ruled, Series};
use crate::{AlertSettings, AlertState, ChangeError, Channel, Contact, Fault, Language, Measured, Quiet};

macro_rules! rules_columns {
    () => {
        "account, levels, margin_percent, remind_hours, events, reached, low_since, remind_at, refused_since, \
         refused_amount, refused_count"
    };
}

/// What accounts want to hear, as [`ruled`] reads it.
pub(super) const RULES: &str = concat!("SELECT ", rules_columns!(), " FROM alert_rules WHERE account = ANY($1)");

const STATE: &str =
    concat!("SELECT ", rules_columns!(), ", quiet_from, quiet_until, quiet_zone FROM alert_rules WHERE account = $1");

const CONTACTS: &str =
    "SELECT channel, address, language, secret FROM alert_contacts WHERE account = $1 ORDER BY number";

const REMOVE: [&str; 2] =
    ["DELETE FROM alert_contacts WHERE account = $1", "DELETE FROM alert_rules WHERE account = $1"];

const INSERT: &str = concat!(
    "INSERT INTO alert_rules (",
    rules_columns!(),
    ", quiet_from, quiet_until, quiet_zone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
);

const INSERT_CONTACT: &str = "INSERT INTO alert_contacts (account, number, channel, address, language, secret) \
    VALUES ($1, $2, $3, $4, $5, $6)";

const IS_RULED: &str = "UPDATE accounts SET ruled = $2 WHERE id = $1";

impl Postgres {
    pub(crate) fn alerts(&self, account: AccountId) -> Result<Option<AlertState>, Fault> {
        self.wait(move |session| Box::pin(state(session, account)))
    }

    pub(crate) async fn change_alerts(
        &self,
        by: ledger::Actor,
        account: AccountId,
        settings: Option<AlertSettings>,
        measured: Measured,
    ) -> Result<(), ChangeError> {
        self.change(Set { origin: self.origin(by), account, settings, measured }).await
    }
}

/// Alerts to be set, or with `None` taken away.
struct Set {
    origin: Origin,
    account: AccountId,
    settings: Option<AlertSettings>,
    measured: Measured,
}

impl Change for Set {
    type Done = ();

    fn accounts(&self) -> BTreeSet<AccountId> {
        BTreeSet::from([self.account])
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<(), ChangeError>, Error> {
        let (id, settings) = (self.account, self.settings.as_ref());
        if !tx.batch.drafts.contains_key(&id) {
            return Ok(Err(ChangeError::UnknownAccount));
        }
        let before = state(tx.session, id).await?.map(|state| state.settings);
        if before.as_ref() == settings {
            return Ok(Ok(()));
        }
        tx.batch.expire_due(id)?;
        match settings {
            Some(settings) => self.set(tx, settings).await?,
            None => {
                remove(tx.session, id).await?;
                let draft = tx.draft(id)?;
                if let Some(watch) = &mut draft.watch {
                    watch.ruled = None;
                }
                let metered = draft.metered;
                tx.end_watch(id, metered)?;
            }
        }
        tx.session.execute(IS_RULED, &[&rows::int(id), &settings.is_some()]).await?;
        let mut detail = Map::new();
        audit::change(&mut detail, "alerts", shown(before.as_ref()), shown(settings));
        tx.note(&self.origin, "account.alerts", &format!("account {id}"), &Value::Object(detail));
        Ok(Ok(()))
    }
}

impl Set {
    async fn set(&self, tx: &mut Tx<'_>, settings: &AlertSettings) -> Result<(), Error> {
        let (id, now) = (self.account, tx.batch.now);
        tx.begin_watch(id, &self.measured.0).await?;
        let draft = tx.draft(id)?;
        let available = draft.account.available();
        let Some(watch) = draft.watch.as_deref_mut() else { return Ok(()) };
        let standing = Standing { available, usage: &watch.usage, now };
        let (ruled, told) = Ruled::under(&settings.rules, watch.ruled.take().as_deref(), &standing);
        watch.ruled = Some(Box::new(ruled.clone()));
        insert(tx.session, id, settings, &ruled).await?;
        told.into_iter().for_each(|told| tx.batch.tell(id, &told));
        Ok(())
    }
}

impl Tx<'_> {
    /// Watches an account from here on, with what was measured of it where that is more than is known.
    pub(super) async fn begin_watch(&mut self, id: AccountId, measured: &ledger::Usage) -> Result<(), Error> {
        // What this transaction has appended is looked at like all else.
        self.writes_so_far().await?;
        let (session, now) = (self.session, self.batch.now);
        let draft = self.draft(id)?;
        let before = draft.watch.take();
        let known = before.as_ref().and_then(|watch| crate::measure::known_for_longer(&watch.usage, measured));
        let usage = match known {
            Some(usage) => usage,
            None => runway::caught_up(session, &draft.account, now, measured.clone()).await?,
        };
        draft.watch = Some(Box::new(crate::watch::Watch::new(usage, before.and_then(|before| before.ruled))));
        draft.is_changed = true;
        Ok(())
    }

    /// Ends the watch of an account that has neither rules nor a metric.
    pub(super) fn end_watch(&mut self, id: AccountId, metered: bool) -> Result<(), Error> {
        let draft = self.draft(id)?;
        if !metered && draft.watch.as_ref().is_none_or(|watch| watch.ruled.is_none()) {
            draft.watch = None;
            draft.is_changed = true;
        }
        Ok(())
    }
}

/// An account's rules with their state and contacts, if it has any.
async fn state(session: &Session, id: AccountId) -> Result<Option<AlertState>, Error> {
    let Some(row) = session.row(STATE, &[&rows::int(id)]).await? else { return Ok(None) };
    let (_, Ruled { rules, reached, low_since, remind_at, refused }) = ruled(&row)?;
    let contacts = session.rows(CONTACTS, &[&rows::int(id)]).await?;
    let contacts = contacts.iter().map(|row| contact(row, 0)).collect::<Result<_, _>>()?;
    let refused = refused.map(|series| (series.since, series.count));
    let settings = AlertSettings { rules, quiet: quiet(&row, 11)?, contacts };
    Ok(Some(AlertState { settings, reached, low_since, remind_at, refused }))
}

/// An account's rules and what they have reached, from a row that begins with them.
pub(super) fn ruled(row: &Row) -> Result<(AccountId, Ruled), Error> {
    let account = rows::id_at(row, 0)?;
    let wrong = |column: &str| Error::Damage(format!("alert rules of account {account}: {column} is not one"));
    let time = |column: usize| Ok::<_, Error>(row.try_get::<_, Option<i64>>(column)?.map(Time::from_micros));
    let hours = |hours: i64| u32::try_from(hours).map_err(|_| wrong("remind_hours"));
    let refused = match (time(8)?, row.try_get::<_, Option<i64>>(9)?) {
        (Some(since), Some(amount)) => Some(Series {
            since,
            amount: Minor::new(amount).ok_or_else(|| wrong("refused_amount"))?,
            count: u64::try_from(row.try_get::<_, i64>(10)?).map_err(|_| wrong("refused_count"))?,
        }),
        _ => None,
    };
    let events = u8::try_from(row.try_get::<_, i16>(4)?).ok().and_then(Events::from_bits);
    let rules = Rules {
        levels: levels(row.try_get(1)?).ok_or_else(|| wrong("levels"))?,
        margin_percent: u32::try_from(row.try_get::<_, i64>(2)?).map_err(|_| wrong("margin_percent"))?,
        remind_hours: row.try_get::<_, Option<i64>>(3)?.map(hours).transpose()?,
        events: events.ok_or_else(|| wrong("events"))?,
    };
    let reached = u8::try_from(row.try_get::<_, i16>(5)?).map_err(|_| wrong("reached"))?;
    let reached = Reached::from_bits(reached);
    Ok((account, Ruled { rules, reached, low_since: time(6)?, remind_at: time(7)?, refused }))
}

/// The hours in which people are left alone, from column `first` on.
pub(super) fn quiet(row: &Row, first: usize) -> Result<Option<Quiet>, Error> {
    let Some(zone) = row.try_get::<_, Option<String>>(first + 2)? else { return Ok(None) };
    let minute = |column: usize| {
        let minute = u16::try_from(row.try_get::<_, i16>(column)?);
        minute.map_err(|_| Error::Damage("quiet hours are not ones".into()))
    };
    Ok(Some(Quiet { from_minute: minute(first)?, until_minute: minute(first + 1)?, zone }))
}

/// A contact, from column `first` on.
pub(super) fn contact(row: &Row, first: usize) -> Result<Contact, Error> {
    let wrong = |column: &str| Error::Damage(format!("an alert contact: {column} is not one"));
    let (channel, language): (&str, &str) = (row.try_get(first)?, row.try_get(first + 2)?);
    Ok(Contact {
        channel: Channel::parse(channel).ok_or_else(|| wrong("channel"))?,
        address: row.try_get(first + 1)?,
        language: Language::parse(language).ok_or_else(|| wrong("language"))?,
        secret: row.try_get(first + 3)?,
    })
}

async fn insert(session: &Session, id: AccountId, settings: &AlertSettings, ruled: &Ruled) -> Result<(), Error> {
    remove(session, id).await?;
    let AlertSettings { rules, quiet, contacts } = settings;
    let minute = |minute: u16| i16::try_from(minute).unwrap_or(i16::MAX);
    let row: Params<'_> = &[
        &rows::int(id),
        &spelled(&rules.levels),
        &i64::from(rules.margin_percent),
        &rules.remind_hours.map(i64::from),
        &i16::from(rules.events.bits()),
        &i16::from(ruled.reached.bits()),
        &ruled.low_since.map(Time::micros),
        &ruled.remind_at.map(Time::micros),
        &ruled.refused.map(|series| series.since.micros()),
        &ruled.refused.map(|series| series.amount.units()),
        &ruled.refused.map(|series| number(series.count)),
        &quiet.as_ref().map(|quiet| minute(quiet.from_minute)),
        &quiet.as_ref().map(|quiet| minute(quiet.until_minute)),
        &quiet.as_ref().map(|quiet| quiet.zone.as_str()),
    ];
    session.execute(INSERT, row).await?;
    for (contact, number) in contacts.iter().zip(1_i32..) {
        let Contact { channel, address, language, secret } = contact;
        let row: Params<'_> = &[&rows::int(id), &number, &channel.name(), address, &language.code(), secret];
        session.execute(INSERT_CONTACT, row).await?;
    }
    Ok(())
}

async fn remove(session: &Session, id: AccountId) -> Result<(), Error> {
    for sql in REMOVE {
        session.execute(sql, &[&rows::int(id)]).await?;
    }
    Ok(())
}
