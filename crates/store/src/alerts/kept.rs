//! Alert rules, what they have reached, and contacts, as rows.

use ledger::{AccountId, Events, Level, Minor, Reached, Rules, Time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{AlertSettings, AlertState, Channel, Contact, Language, Quiet};
use crate::rows::{self, damage};
use crate::watch::{Ruled, Series};

const RULES: &str = "levels, margin_percent, remind_hours, events, reached, low_since, remind_at, refused_since, \
    refused_amount, refused_count, quiet_from, quiet_until, quiet_zone";

/// The rules of every account that has some.
pub(crate) fn load(
    db: &Connection,
    mut add: impl FnMut(AccountId, Ruled) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {RULES}, account FROM alert_rules");
    let mut select = db.prepare(&sql)?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let id: u32 = row.get("account")?;
        let account = AccountId::new(id).ok_or_else(|| damage(format!("alert rules of {id}: account is not one")))?;
        add(account, ruled(row, account)?)?;
    }
    Ok(())
}

pub(super) fn state(db: &Connection, account: AccountId) -> rusqlite::Result<Option<AlertState>> {
    let sql = format!("SELECT {RULES} FROM alert_rules WHERE account = ?1");
    let read = |row: &Row<'_>| {
        let Ruled { rules, reached, low_since, remind_at, refused } = ruled(row, account)?;
        let refused = refused.map(|series| (series.since, series.count));
        let settings = AlertSettings { rules, quiet: quiet(row)?, contacts: Vec::new() };
        Ok(AlertState { settings, reached, low_since, remind_at, refused })
    };
    let Some(mut state) = db.prepare_cached(&sql)?.query_row([account.get()], read).optional()? else {
        return Ok(None);
    };
    state.settings.contacts = contacts(db, account)?;
    Ok(Some(state))
}

fn ruled(row: &Row<'_>, account: AccountId) -> rusqlite::Result<Ruled> {
    let wrong = |column: &str| damage(format!("alert rules of account {account}: {column} is not one"));
    let time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_micros));
    let refused = match (time("refused_since")?, row.get::<_, Option<i64>>("refused_amount")?) {
        (Some(since), Some(amount)) => Some(Series {
            since,
            amount: Minor::new(amount).ok_or_else(|| wrong("refused_amount"))?,
            count: u64::try_from(row.get::<_, i64>("refused_count")?).map_err(|_| wrong("refused_count"))?,
        }),
        _ => None,
    };
    let rules = Rules {
        levels: levels(row.get_ref("levels")?.as_str()?).ok_or_else(|| wrong("levels"))?,
        margin_percent: row.get("margin_percent")?,
        remind_hours: row.get("remind_hours")?,
        events: Events::from_bits(row.get("events")?).ok_or_else(|| wrong("events"))?,
    };
    let reached = Reached::from_bits(row.get("reached")?);
    Ok(Ruled { rules, reached, low_since: time("low_since")?, remind_at: time("remind_at")?, refused })
}

/// The hours of a row of rules in which people are left alone.
pub(crate) fn quiet(row: &Row<'_>) -> rusqlite::Result<Option<Quiet>> {
    let Some(zone) = row.get::<_, Option<String>>("quiet_zone")? else { return Ok(None) };
    Ok(Some(Quiet { from_minute: row.get("quiet_from")?, until_minute: row.get("quiet_until")?, zone }))
}

/// Whom an account wants to be told.
pub(crate) fn contacts(db: &Connection, account: AccountId) -> rusqlite::Result<Vec<Contact>> {
    let mut select = db.prepare_cached(
        "SELECT channel, address, language, secret FROM alert_contacts WHERE account = ?1 ORDER BY number",
    )?;
    let wrong = |column: &str| damage(format!("alert contacts of account {account}: {column} is not one"));
    let read = |row: &Row<'_>| {
        let (channel, language) = (row.get_ref(0)?.as_str()?, row.get_ref(2)?.as_str()?);
        Ok(Contact {
            channel: Channel::parse(channel).ok_or_else(|| wrong("channel"))?,
            address: row.get(1)?,
            language: Language::parse(language).ok_or_else(|| wrong("language"))?,
            secret: row.get(3)?,
        })
    };
    select.query_map([account.get()], read)?.collect()
}

pub(super) fn insert(
    db: &Connection,
    account: AccountId,
    settings: &AlertSettings,
    ruled: &Ruled,
) -> rusqlite::Result<()> {
    remove(db, account)?;
    let AlertSettings { rules, quiet, contacts } = settings;
    db.prepare_cached(
        "INSERT INTO alert_rules (account, levels, margin_percent, remind_hours, events, quiet_from, quiet_until, \
         quiet_zone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        account.get(),
        spelled(&rules.levels),
        rules.margin_percent,
        rules.remind_hours,
        rules.events.bits(),
        quiet.as_ref().map(|quiet| quiet.from_minute),
        quiet.as_ref().map(|quiet| quiet.until_minute),
        quiet.as_ref().map(|quiet| &quiet.zone),
    ])?;
    keep(db, account, ruled)?;
    let mut insert = db.prepare_cached("INSERT INTO alert_contacts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (contact, number) in contacts.iter().zip(1..) {
        let Contact { channel, address, language, secret } = contact;
        insert.execute(params![account.get(), number, channel.name(), address, language.code(), secret])?;
    }
    Ok(())
}

/// Keeps what is reached, in the commit in which that changes.
pub(crate) fn keep(db: &Connection, account: AccountId, ruled: &Ruled) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE alert_rules SET reached = ?2, low_since = ?3, remind_at = ?4, refused_since = ?5, refused_amount = ?6, \
         refused_count = ?7 WHERE account = ?1",
    )?
    .execute(params![
        account.get(),
        ruled.reached.bits(),
        ruled.low_since.map(Time::micros),
        ruled.remind_at.map(Time::micros),
        ruled.refused.map(|series| series.since.micros()),
        ruled.refused.map(|series| series.amount.units()),
        ruled.refused.map(|series| rows::number(series.count)),
    ])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, account: AccountId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM alert_contacts WHERE account = ?1")?.execute([account.get()])?;
    db.prepare_cached("DELETE FROM alert_rules WHERE account = ?1")?.execute([account.get()])?;
    Ok(())
}

/// Levels as they are stored: `percent:20 hours:24 money:5000000`.
pub(crate) fn spelled(levels: &[Level]) -> String {
    let spelled = levels.iter().map(|level| match level {
        Level::Money(figure) => format!("money:{}", figure.units()),
        Level::Hours(hours) => format!("hours:{hours}"),
        Level::Percent(percent) => format!("percent:{percent}"),
    });
    spelled.collect::<Vec<_>>().join(" ")
}

/// The same, read again.
pub(crate) fn levels(text: &str) -> Option<Box<[Level]>> {
    let level = |text: &str| {
        let (kind, figure) = text.split_once(':')?;
        match kind {
            "money" => figure.parse().ok().and_then(Minor::new).map(Level::Money),
            "hours" => figure.parse().ok().map(Level::Hours),
            "percent" => figure.parse().ok().map(Level::Percent),
            _ => None,
        }
    };
    text.split_whitespace().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_spelled_and_read() {
        let all = [Level::Percent(20), Level::Hours(24), Level::Money(Minor::new(5_000_000).expect("a figure"))];
        assert_eq!(spelled(&all), "percent:20 hours:24 money:5000000");
        assert_eq!(levels(&spelled(&all)).as_deref(), Some(&all[..]));
        assert_eq!(levels("").as_deref(), Some(&[][..]));
        assert!(
            ["money", "days:1", "hours:-1", "money:9223372036854775807"].into_iter().all(|bad| levels(bad).is_none())
        );
    }
}
