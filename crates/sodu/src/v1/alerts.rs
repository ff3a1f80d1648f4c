//! `…/alerts`: what an account's people want to hear, whom to tell and in which language, and when to leave them alone.
//!
//! Set whole, since half of a rule is none. A webhook's signing secret leaves this server once, in the answer that makes it;
//! a webhook that is set again keeps the one that it has.

use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use ledger::{Currency, Event, Level, Minor, Rules};
use serde_json::{Value, json};
use store::{AccountNow, AlertSettings, AlertState, Channel, Contact, Language, Quiet};

use super::members::Members;
use super::problem::Problem;
use super::query::Query;
use super::{Api, Body, Caller, Place, fields, refused};
use crate::notify::Target;
use crate::times::rfc3339;

/// How far a figure must rise above a level before it can be told again, unless somebody says otherwise.
const MARGIN_PERCENT: u32 = 10;
/// The longest time that anything here is told in, in hours: a year.
const HOURS_MAX: u32 = 8_784;
/// The longest address of a contact, in bytes.
const ADDRESS_LEN_MAX: usize = 1_000;

const MEMBERS: [&str; 8] =
    ["below", "hours_left", "percent_of_topup", "margin_percent", "remind_hours", "events", "quiet", "contacts"];

/// `GET …/alerts`: what was set, and what has been reached.
pub(super) async fn show(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    Query::read(&uri, &[])?;
    let account = api.account(place.account).await?;
    let state = api.read(move |store| store.alerts(account.id)).await?;
    Ok(Json(shown(&account, state.as_ref(), &[])))
}

/// `PUT …/alerts` `{below?, hours_left?, percent_of_topup?, margin_percent?, remind_hours?, events?, quiet?, contacts?}`.
pub(super) async fn set(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    Body(body): Body,
) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?;
    let mut members = Members::read(&body, &MEMBERS)?;
    let mut settings = AlertSettings {
        rules: rules(&mut members, account.currency)?,
        quiet: quiet(&mut members)?,
        contacts: contacts(&mut members)?,
    };
    let id = account.id;
    let before = api.read(move |store| store.alerts(id)).await?;
    let made = sign(&mut settings.contacts, before.as_ref())?;
    change(&api, by, &account, Some(settings)).await?;
    let state = api.read(move |store| store.alerts(id)).await?;
    Ok(Json(shown(&account, state.as_ref(), &made)))
}

/// `DELETE …/alerts`: nobody is told any more. What was written before is delivered all the same.
pub(super) async fn clear(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?;
    change(&api, by, &account, None).await?;
    Ok(Json(shown(&account, None, &[])))
}

async fn change(
    api: &Api,
    by: ledger::Actor,
    account: &AccountNow,
    settings: Option<AlertSettings>,
) -> Result<(), Problem> {
    let id = account.id;
    let measured = api.read(move |store| store.measure(id)).await?.ok_or_else(|| refused::unknown_account(id))?;
    let changed = api.changes().change_alerts(by, id, settings, measured).await;
    changed.map_err(|error| refused::change(id, &error, None))
}

fn rules(members: &mut Members, currency: Currency) -> Result<Rules, Problem> {
    let whole = |name: &str, number: u64, max: u32| {
        let number = u32::try_from(number).ok().filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| Problem::malformed(format!("\"{name}\" must be from 1 to {max}")))
    };
    let mut below = Vec::new();
    for text in members.texts("below")?.unwrap_or_default() {
        let figure = fields::figure("below", &text, currency)?;
        if figure < Minor::ZERO {
            return Err(Problem::malformed("\"below\" takes amounts of zero or more; nothing is below zero already"));
        }
        below.push(figure);
    }
    let hours = members.wholes("hours_left")?.into_iter().map(|hours| whole("hours_left", hours, HOURS_MAX));
    let mut hours = hours.collect::<Result<Vec<_>, _>>()?;
    let percent = members.wholes("percent_of_topup")?.into_iter().map(|part| whole("percent_of_topup", part, 100));
    let mut percent = percent.collect::<Result<Vec<_>, _>>()?;
    // The most urgent last: of several that are crossed at once, that one is told.
    for list in [&mut percent, &mut hours] {
        list.sort_unstable_by(|a, b| b.cmp(a));
        list.dedup();
    }
    // Nothing left is always told, beside whatever else is.
    if !(below.is_empty() && hours.is_empty() && percent.is_empty()) {
        below.push(Minor::ZERO);
    }
    below.sort_unstable_by(|a, b| b.cmp(a));
    below.dedup();
    let levels = percent.into_iter().map(Level::Percent).chain(hours.into_iter().map(Level::Hours));
    let levels: Box<[Level]> = levels.chain(below.into_iter().map(Level::Money)).collect();
    if levels.len() > Rules::LEVELS_MAX {
        return Err(Problem::malformed(format!(
            "an account has up to {} levels in all, zero among them",
            Rules::LEVELS_MAX
        )));
    }
    let margin = members.whole("margin_percent")?.map(|margin| {
        u32::try_from(margin)
            .ok()
            .filter(|margin| *margin <= 1_000)
            .ok_or_else(|| Problem::malformed("\"margin_percent\" must be from 0 to 1000"))
    });
    let events = members.texts("events")?.unwrap_or_default().into_iter().map(|name| {
        let known = Event::ALL.map(Event::name).join(", ");
        Event::parse(&name).ok_or_else(|| Problem::malformed(format!("\"events\" takes {known}")))
    });
    Ok(Rules {
        levels,
        margin_percent: margin.transpose()?.unwrap_or(MARGIN_PERCENT),
        remind_hours: members.whole("remind_hours")?.map(|n| whole("remind_hours", n, HOURS_MAX)).transpose()?,
        events: events.collect::<Result<_, _>>()?,
    })
}

/// `{"from": "22:00", "until": "07:00", "time_zone": "Asia/Ho_Chi_Minh"}`.
fn quiet(members: &mut Members) -> Result<Option<Quiet>, Problem> {
    let pairs = members.pairs("quiet")?;
    if pairs.is_empty() {
        return Ok(None);
    }
    let names = ["from", "until", "time_zone"];
    let wrong = || {
        Problem::malformed(
            "\"quiet\" takes \"from\", \"until\" and \"time_zone\": {\"from\": \"22:00\", \"until\": \"07:00\", \
             \"time_zone\": \"Asia/Ho_Chi_Minh\"}",
        )
    };
    if pairs.iter().any(|(name, _)| !names.contains(&name.as_str())) {
        return Err(wrong());
    }
    let member = |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, text)| text.as_str());
    let (from, until, zone) = (member("from"), member("until"), member("time_zone"));
    let (Some(from), Some(until), Some(zone)) = (from, until, zone) else { return Err(wrong()) };
    let (from_minute, until_minute) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
    if from_minute == until_minute {
        return Err(Problem::malformed("\"quiet\" must end at another time than it begins"));
    }
    TimeZone::get(zone).map_err(|_| {
        let shown: String = zone.chars().take(64).collect();
        Problem::malformed(format!("{shown:?} is not a time zone that this server knows, such as Asia/Ho_Chi_Minh"))
    })?;
    Ok(Some(Quiet { from_minute, until_minute, zone: zone.to_owned() }))
}

/// `22:00` as minutes since midnight.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, max: u16| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_plain && *number <= max)
    };
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

/// `22:00` again.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `[{"channel": "email", "address": "…", "language"?: "vi", "secret"?: "whsec_…"}]`.
fn contacts(members: &mut Members) -> Result<Vec<Contact>, Problem> {
    let contacts = members.objects("contacts")?.into_iter().map(contact).collect::<Result<Vec<_>, _>>()?;
    if contacts.len() > AlertSettings::CONTACTS_MAX {
        return Err(Problem::malformed(format!("an account has up to {} contacts", AlertSettings::CONTACTS_MAX)));
    }
    let twice = |n: usize, contact: &Contact| {
        contacts[..n].iter().any(|other| (other.channel, &other.address) == (contact.channel, &contact.address))
    };
    if let Some((_, contact)) = contacts.iter().enumerate().find(|(n, contact)| twice(*n, contact)) {
        return Err(Problem::malformed(format!("the contact {} stands there twice", contact.label())));
    }
    Ok(contacts)
}

fn contact(mut members: Members) -> Result<Contact, Problem> {
    members.check(&["channel", "address", "language", "secret"])?;
    let channel = members.required_text("channel")?;
    let channel = Channel::ALL
        .into_iter()
        .find(|known| known.name() == channel)
        .ok_or_else(|| Problem::malformed("\"channel\" must be \"email\", \"webhook\" or \"telegram\""))?;
    let address = fields::plain("address", members.required_text("address")?, ADDRESS_LEN_MAX)?;
    let language = match members.text("language")? {
        Some(code) => Language::parse(&code)
            .ok_or_else(|| Problem::malformed("\"language\" must be \"en\" (English) or \"vi\" (Vietnamese)"))?,
        None => Language::default(),
    };
    let secret = members.text("secret")?;
    if secret.is_some() && channel != Channel::Webhook {
        return Err(Problem::malformed("\"secret\" goes with a webhook"));
    }
    let contact = Contact { channel, address, language, secret };
    is_usable(&contact)?;
    Ok(contact)
}

/// Whether an address has the form of its channel, as those who deliver to it see it.
fn is_usable(contact: &Contact) -> Result<(), Problem> {
    let Contact { channel, address, secret, .. } = contact;
    let target = match channel {
        Channel::Email => {
            json!({ "email": address, "smtp": "smtps://localhost", "from": "sodu@localhost.localdomain" })
        }
        Channel::Webhook => json!({ "webhook": address, "secret": secret.clone().map_or_else(fresh_secret, Ok)? }),
        Channel::Telegram => json!({ "telegram": "1:A", "chat": address }),
    };
    let names_elsewhere = |text: &str| text.starts_with("env:") || text.starts_with("file:");
    if names_elsewhere(address) || secret.as_deref().is_some_and(names_elsewhere) {
        return Err(Problem::malformed("a contact names nothing of the server's own machine; write it out"));
    }
    serde_json::from_value::<Target>(target)
        .map(drop)
        .map_err(|error| Problem::malformed(format!("the {} contact cannot be told: {error}", channel.name())))
}

/// Gives every webhook the secret that it is signed with: its own, the one that it had, or a new one. Gives back which got a
/// new one, by address.
fn sign(contacts: &mut [Contact], before: Option<&AlertState>) -> Result<Vec<String>, Problem> {
    let mut made = Vec::new();
    for contact in contacts.iter_mut().filter(|contact| contact.channel == Channel::Webhook && contact.secret.is_none())
    {
        let known = before.into_iter().flat_map(|state| &state.settings.contacts);
        let known = known.filter(|known| (known.channel, &known.address) == (contact.channel, &contact.address));
        contact.secret = known.filter_map(|known| known.secret.clone()).next();
        if contact.secret.is_none() {
            contact.secret = Some(fresh_secret()?);
            made.push(contact.address.clone());
        }
    }
    Ok(made)
}

fn fresh_secret() -> Result<String, Problem> {
    Ok(format!("whsec_{}", STANDARD.encode(fields::random::<32>()?)))
}

/// Settings with their state; the secrets of `made` are shown, for the only time.
fn shown(account: &AccountNow, state: Option<&AlertState>, made: &[String]) -> Value {
    let fresh =
        AlertSettings { rules: Rules { margin_percent: MARGIN_PERCENT, ..Rules::default() }, ..Default::default() };
    let AlertSettings { rules, quiet, contacts } = state.map_or(&fresh, |state| &state.settings);
    let scale = account.currency.scale();
    let decimal = |figure: Minor| figure.decimal(scale).to_string();
    let (mut below, mut hours, mut percent) = (Vec::new(), Vec::new(), Vec::new());
    let mut reached = Vec::new();
    for (n, level) in rules.levels.iter().enumerate() {
        if state.is_some_and(|state| state.reached.has(n)) {
            reached.push(shown_level(level, account.currency));
        }
        match level {
            Level::Money(figure) => below.push(decimal(*figure)),
            Level::Hours(figure) => hours.push(*figure),
            Level::Percent(figure) => percent.push(*figure),
        }
    }
    let quiet = quiet.as_ref().map(|quiet| {
        json!({ "from": clock(quiet.from_minute), "until": clock(quiet.until_minute), "time_zone": quiet.zone })
    });
    let contact = |contact: &Contact| {
        let mut shown = json!({
            "channel": contact.channel.name(), "address": contact.address, "language": contact.language.code(),
        });
        if made.contains(&contact.address) && contact.channel == Channel::Webhook {
            shown["secret"] = json!(contact.secret);
        }
        shown
    };
    let refused = state.and_then(|state| state.refused);
    json!({
        "account": account.id.get(),
        "below": below,
        "hours_left": hours,
        "percent_of_topup": percent,
        "margin_percent": rules.margin_percent,
        "remind_hours": rules.remind_hours,
        "events": rules.events.iter().map(Event::name).collect::<Vec<_>>(),
        "quiet": quiet,
        "contacts": contacts.iter().map(contact).collect::<Vec<_>>(),
        "reached": reached,
        "low_since": state.and_then(|state| state.low_since).map(rfc3339),
        "remind_at": state.and_then(|state| state.remind_at).map(rfc3339),
        "refused_since": refused.map(|(since, _)| rfc3339(since)),
        "refused_count": refused.map_or(0, |(_, count)| count),
    })
}

/// One level, by its kind.
fn shown_level(level: &Level, currency: Currency) -> Value {
    match level {
        Level::Money(figure) => json!({ "below": figure.decimal(currency.scale()).to_string() }),
        Level::Hours(hours) => json!({ "hours_left": hours }),
        Level::Percent(percent) => json!({ "percent_of_topup": percent }),
    }
}
