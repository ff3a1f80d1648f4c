//! Alert rules of accounts: what their people want to hear, whom to tell, and when not to.
//!
//! Rules change like every other setting, through the writer and with a row in the audit trail. What they have reached is
//! decided in `hear`.

mod kept;

use std::fmt;

use ledger::{AccountId, Event, Reached, Rules, Standing, Time, Usage};
use rusqlite::params;
use serde_json::{Map, Value, json};

use crate::audit::{self, Origin};
use crate::batch::Batch;
use crate::watch::{self, Ruled};
use crate::{ChangeError, Fault, Sqlite, measure};
pub(crate) use kept::{contacts, keep, levels, load, quiet, spelled};
use kept::{insert, remove, state};

/// An account's alerts, as its operator sets them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlertSettings {
    /// What is worth telling.
    pub rules: Rules,
    /// When people are left alone.
    pub quiet: Option<Quiet>,
    /// Whom to tell, at most [`AlertSettings::CONTACTS_MAX`]; beside the operator's own targets.
    pub contacts: Vec<Contact>,
}

impl AlertSettings {
    /// The most contacts that an account has.
    pub const CONTACTS_MAX: usize = 16;
}

/// Hours of each day in which people are left alone: what happens in them is told at their end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Minutes since midnight at which they begin.
    pub from_minute: u16,
    /// Minutes since midnight at which they end; on the next day where that is before they begin.
    pub until_minute: u16,
    /// The time zone's name, such as `Asia/Ho_Chi_Minh`.
    pub zone: String,
}

/// One who is told. `{:?}` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// By what.
    pub channel: Channel,
    /// Where: an e-mail address, a URL, the number of a chat.
    pub address: String,
    /// In which language.
    pub language: Language,
    /// What a webhook is signed with.
    pub secret: Option<String>,
}

/// By what a contact is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// A mail.
    Email,
    /// A signed HTTP request.
    Webhook,
    /// A message of the operator's Telegram bot.
    Telegram,
}

/// The language of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Vietnamese.
    Vietnamese,
}

/// An account's alerts with what has been reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertState {
    /// What was set.
    pub settings: AlertSettings,
    /// The levels that are reached and not left again.
    pub reached: Reached,
    /// Since when any is.
    pub low_since: Option<Time>,
    /// When people are told again.
    pub remind_at: Option<Time>,
    /// Since when charges have been refused with no money coming in, and how many.
    pub refused: Option<(Time, u64)>,
}

/// What was measured of an account before its watch begins; see [`crate::Store::measure`].
#[derive(Clone)]
pub struct Measured(pub(crate) Usage);

impl Contact {
    /// Who it is, for lists and logs: without the path of a URL, which may be a secret.
    pub fn label(&self) -> String {
        match self.channel {
            Channel::Webhook => format!("webhook {}", host(&self.address)),
            Channel::Email | Channel::Telegram => format!("{} {}", self.channel.name(), self.address),
        }
    }

    /// As deliveries name it.
    pub(crate) fn target(&self) -> String {
        format!("{}:{}", self.channel.name(), self.address)
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contact({} in {})", self.label(), self.language.code())
    }
}

/// The host of a URL.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 3] = [Channel::Email, Channel::Webhook, Channel::Telegram];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Email => "email",
            Channel::Webhook => "webhook",
            Channel::Telegram => "telegram",
        }
    }

    /// The channel of that name.
    pub fn parse(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

impl Language {
    /// Its code in ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Vietnamese => "vi",
        }
    }

    /// The language with that code.
    pub fn parse(code: &str) -> Option<Language> {
        [Language::English, Language::Vietnamese].into_iter().find(|language| language.code() == code)
    }
}

impl Sqlite {
    /// An account's alerts; `None` where it has none. Blocks on the disk.
    pub fn alerts(&self, account: AccountId) -> Result<Option<AlertState>, Fault> {
        self.read(|db| state(db, account))
    }
}

/// Sets an account's alerts, or with `None` takes them away. What is reached already is told at once, but for what was
/// reached under the rules before, and for an account that never had money.
pub(crate) fn change(
    batch: &mut Batch<'_>,
    origin: &Origin,
    id: AccountId,
    settings: Option<&AlertSettings>,
    measured: Measured,
) -> rusqlite::Result<Result<(), ChangeError>> {
    let Some(slot) = batch.slot_of(id) else {
        return Ok(Err(ChangeError::UnknownAccount));
    };
    let before = state(batch.db, id)?.map(|state| state.settings);
    if before.as_ref() == settings {
        return Ok(Ok(()));
    }
    batch.expire_due(slot, usize::MAX)?;
    match settings {
        Some(settings) => {
            batch.begin_watch(slot, measured)?;
            let (db, now) = (batch.db, batch.now);
            let draft = batch.watched(slot);
            let watch = draft.watch.as_deref_mut().expect("its watch has just begun");
            let standing = Standing { available: draft.account.available(), usage: &watch.usage, now };
            let (ruled, told) = Ruled::under(&settings.rules, watch.ruled.take().as_deref(), &standing);
            insert(db, id, settings, &ruled)?;
            watch.calm_down_to = None;
            watch.ruled = Some(Box::new(ruled));
            if let Some(told) = told {
                batch.tell(slot, &told)?;
            }
        }
        None => {
            remove(batch.db, id)?;
            if let Some(watch) = &mut batch.watched(slot).watch {
                watch.ruled = None;
            }
            batch.end_watch(slot)?;
        }
    }
    let mut detail = Map::new();
    audit::change(&mut detail, "alerts", shown(before.as_ref()), shown(settings));
    audit::write(batch, origin, "account.alerts", &format!("account {id}"), &Value::Object(detail))?;
    Ok(Ok(()))
}

impl Batch<'_> {
    /// Watches an account from here on, with what was measured of it where that is more than is known.
    pub(crate) fn begin_watch(&mut self, slot: u32, measured: Measured) -> rusqlite::Result<()> {
        let (db, now) = (self.db, self.now);
        let draft = self.watched(slot);
        draft.is_watch_changed = true;
        let before = draft.watch.take();
        let known = before.as_ref().and_then(|before| measure::known_for_longer(&before.usage, &measured.0));
        let usage = match known {
            Some(usage) => usage,
            None => measure::catch_up(db, draft.last(), now, measured.0)?,
        };
        let id = draft.account.id;
        let mut update = db.prepare_cached("UPDATE accounts SET watch = ?2 WHERE id = ?1")?;
        update.execute(params![id.get(), watch::encode(&usage)])?;
        draft.watch = Some(Box::new(watch::Watch::new(usage, before.and_then(|before| before.ruled))));
        self.set_traits(slot, |traits| traits.is_watched = true);
        Ok(())
    }

    /// Ends the watch of an account that has neither rules nor a metric.
    pub(crate) fn end_watch(&mut self, slot: u32) -> rusqlite::Result<()> {
        let draft = self.watched(slot);
        draft.is_watch_changed = true;
        if draft.traits.metered || draft.watch.as_ref().is_some_and(|watch| watch.ruled.is_some()) {
            return Ok(());
        }
        draft.watch = None;
        let id = draft.account.id;
        self.set_traits(slot, |traits| traits.is_watched = false);
        self.db.prepare_cached("UPDATE accounts SET watch = NULL WHERE id = ?1")?.execute([id.get()])?;
        Ok(())
    }
}

/// Settings as the audit trail tells them: no secret, and of a URL no more than its host.
pub(crate) fn shown(settings: Option<&AlertSettings>) -> Value {
    let Some(AlertSettings { rules, quiet, contacts }) = settings else { return Value::Null };
    let events: Vec<&str> = rules.events.iter().map(Event::name).collect();
    let contacts: Vec<String> =
        contacts.iter().map(|contact| format!("{} ({})", contact.label(), contact.language.code())).collect();
    json!({
        "levels": spelled(&rules.levels),
        "margin_percent": rules.margin_percent,
        "remind_hours": rules.remind_hours,
        "events": events,
        "quiet": quiet.as_ref().map(|quiet| format!("{}-{} {}", quiet.from_minute, quiet.until_minute, quiet.zone)),
        "contacts": contacts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_the_debug_form_show_no_secret() {
        let contact = Contact {
            channel: Channel::Webhook,
            address: "https://user:pass@hooks.example.com:8443/T0KEN?x=1".into(),
            language: Language::Vietnamese,
            secret: Some("whsec_c2VjcmV0".into()),
        };
        assert_eq!(contact.label(), "webhook hooks.example.com:8443");
        assert_eq!(format!("{contact:?}"), "Contact(webhook hooks.example.com:8443 in vi)");
        assert_eq!(Contact { channel: Channel::Email, address: "a@b.vn".into(), ..contact }.label(), "email a@b.vn");
    }
}
