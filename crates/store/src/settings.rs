//! Changes of what decides no movement: profiles and credentials. They go through the writer and its commits like all else.

use ipnet::IpNet;
use ledger::{AccountId, Event, Time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use crate::audit::{self, Origin};
use crate::batch::{Batch, NewSlot};
use crate::credentials::{Credentials, Limits};
use crate::perform::Asked;
use crate::rows::damage;
use crate::{
    AccountChange, AccountNow, AlertEvent, ChangeError, Credential, CredentialChange, Fault, Measured, NewCredential,
    Page, Profile, ProfileChange, Sqlite, digest, load, measure,
};

const PROFILE: &str = "id, name, external_id, opened_at";

const CREDENTIAL: &str = "id, account, api_key, label, cidrs, created_at, expires_at, revoked_at, last_used_at";

type Changed<T> = rusqlite::Result<Result<T, ChangeError>>;

impl Sqlite {
    /// An account's profile. Blocks on the disk, as do the next two.
    pub fn profile(&self, id: AccountId) -> Result<Option<Profile>, Fault> {
        self.read(|db| profile(db, id))
    }

    /// Accounts with a number above `after`, in order; with `query` those whose number starts with it or whose name or
    /// external id contains it.
    pub fn profiles(
        &self,
        query: Option<&str>,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Profile, AccountId>, Fault> {
        self.read(|db| profiles(db, query, after, limit))
    }

    /// An account's credentials, oldest first.
    pub fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Fault> {
        self.read(|db| credentials(db, &self.shared().credentials, account))
    }
}

/// Which settings an account has: changes when any of them does, and with nothing else. 16 hex digits.
pub fn settings_version(profile: &Profile, now: &AccountNow) -> String {
    let settings = json!([
        profile.name,
        profile.external_id,
        now.credit_limit.units(),
        now.status.code(),
        now.shows_available,
        now.metered,
    ]);
    blake3::hash(settings.to_string().as_bytes()).to_hex().chars().take(16).collect()
}

/// Changes settings of an account in one commit: what decides no money, then `commands` in their order. With `expected`
/// nothing is changed unless the settings still have that version.
pub(crate) fn change_account(
    batch: &mut Batch<'_>,
    origin: &Origin,
    id: AccountId,
    change: &AccountChange,
) -> Changed<()> {
    let Some(slot) = batch.slot_of(id) else {
        return Ok(Err(ChangeError::UnknownAccount));
    };
    if let Some(expected) = &change.expected {
        let now = batch.account_now(slot);
        let found = profile(batch.db, id)?.map(|profile| settings_version(&profile, &now));
        if found.as_ref() != Some(expected) {
            return Ok(Err(ChangeError::SettingsChanged));
        }
    }
    // All that can say no comes first, so that no half of a change is made.
    if batch.is_external_id_taken(change.profile.external_id.as_ref().and_then(Option::as_deref), id)? {
        return Ok(Err(ChangeError::AccountExists));
    }
    for command in &change.commands {
        let asked = Asked::new(command.clone(), &batch.shared.accounts);
        if let Err(refused) = audit::perform(batch, &asked, origin.request_id.as_ref())? {
            return Ok(Err(ChangeError::Refused(refused.refusal)));
        }
    }
    change_profile(batch, origin, slot, id, &change.profile).map(Ok)
}

/// Changes an account's profile.
fn change_profile(
    batch: &mut Batch<'_>,
    origin: &Origin,
    slot: u32,
    id: AccountId,
    change: &ProfileChange,
) -> rusqlite::Result<()> {
    if *change == ProfileChange::default() {
        return Ok(());
    }
    let Some(before) = profile(batch.db, id)? else {
        return Err(damage(format!("account {id} has no row")));
    };
    let mut detail = Map::new();
    if let Some(external_id) = &change.external_id {
        let mut update = batch.db.prepare_cached("UPDATE accounts SET external_id = ?2 WHERE id = ?1")?;
        update.execute(params![id.get(), external_id])?;
        audit::change(&mut detail, "external_id", json!(before.external_id), json!(external_id));
    }
    if let Some(name) = &change.name {
        let mut update = batch.db.prepare_cached("UPDATE accounts SET name = ?2 WHERE id = ?1")?;
        update.execute(params![id.get(), name])?;
        audit::change(&mut detail, "name", json!(before.name), json!(name));
    }
    let before = batch.account_now(slot);
    let traits = batch.set_traits(slot, |traits| {
        traits.shows_available = change.shows_available.unwrap_or(traits.shows_available);
        traits.metered = change.metered.unwrap_or(traits.metered);
    });
    let mut update = batch.db.prepare_cached("UPDATE accounts SET shows_available = ?2, metered = ?3 WHERE id = ?1")?;
    update.execute(params![id.get(), traits.shows_available, traits.metered])?;
    let (from, to) = (before.shows_available, traits.shows_available);
    audit::change(&mut detail, "shows_available", from.into(), to.into());
    audit::change(&mut detail, "metered", before.metered.into(), traits.metered.into());
    if before.metered != traits.metered {
        if traits.metered {
            let (last, now) = (batch.draft(slot).last(), batch.now);
            let measured = measure::measure(batch.db, last, now, measure::CATCH_UP_MAX)?;
            batch.begin_watch(slot, Measured(measured))?;
        } else {
            batch.end_watch(slot)?;
        }
    }
    if !detail.is_empty() {
        audit::write(batch, origin, "account.change", &format!("account {id}"), &Value::Object(detail))?;
    }
    Ok(())
}

/// Keeps a new credential; true beside it where an earlier use of the same idempotency key made it.
pub(crate) fn add_credential(
    batch: &mut Batch<'_>,
    origin: &Origin,
    new: &NewCredential,
) -> Changed<(Credential, bool)> {
    let Some(account) = batch.slot_of(new.account) else {
        return Ok(Err(ChangeError::UnknownAccount));
    };
    let digest = digest::of(&new.api_key, &new.secret_key);
    if let Some((earlier, earlier_digest)) = under_key(batch.db, new)? {
        let is_same = (&earlier.label, &earlier.cidrs, earlier.expires_at) == (&new.label, &new.cidrs, new.expires_at)
            && (!new.is_imported || earlier_digest == digest);
        return Ok(if is_same { Ok((earlier, true)) } else { Err(ChangeError::KeyReused) });
    }
    if find(batch.db, &new.api_key)?.is_some() {
        return Ok(Err(ChangeError::CredentialExists));
    }
    let slot = batch.shared.credentials.len() + batch.done.credentials.len();
    let cidrs = joined(&new.cidrs);
    batch
        .db
        .prepare_cached(
            "INSERT INTO credentials (id, account, digest, cidrs, expires_at, api_key, label, created_at, idempotency_key) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            i64::try_from(slot + 1).expect("credentials are counted"),
            new.account.get(),
            digest.as_slice(),
            cidrs,
            new.expires_at.map(Time::micros),
            new.api_key,
            new.label,
            batch.now.micros(),
            new.key.as_ref().map(ledger::Key::as_str)
        ])?;
    let limits = Limits { cidrs: new.cidrs.clone(), expires_at: new.expires_at, revoked: false };
    batch.done.credentials.push(NewSlot { api_key: new.api_key.clone(), digest, account, limits });
    let credential = Credential {
        account: new.account,
        api_key: new.api_key.clone(),
        label: new.label.clone(),
        cidrs: new.cidrs.clone(),
        created_at: batch.now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let action = if new.is_imported { "credential.import" } else { "credential.issue" };
    audit::write(batch, origin, action, &subject(&credential), &limits_of(&credential).into())?;
    let told = AlertEvent::KeyIssued { key: called(&credential), by: origin.by.as_str().into() };
    batch.watch_key(new.account, Event::KeyIssued, &told)?;
    Ok(Ok((credential, false)))
}

/// Changes a credential; what is revoked stays so.
pub(crate) fn change_credential(
    batch: &mut Batch<'_>,
    origin: &Origin,
    account: AccountId,
    api_key: &str,
    change: &CredentialChange,
) -> Changed<Credential> {
    let Some((id, mut credential)) = find(batch.db, api_key)?.filter(|(_, found)| found.account == account) else {
        return Ok(Err(ChangeError::UnknownCredential));
    };
    let before = credential.clone();
    if let Some(label) = &change.label {
        credential.label.clone_from(label);
    }
    if let Some(cidrs) = &change.cidrs {
        credential.cidrs.clone_from(cidrs);
    }
    if let Some(expires_at) = change.expires_at {
        credential.expires_at = expires_at;
    }
    if change.revoke && credential.revoked_at.is_none() {
        credential.revoked_at = Some(batch.now);
    }
    batch
        .db
        .prepare_cached(
            "UPDATE credentials SET label = ?2, cidrs = ?3, expires_at = ?4, revoked_at = ?5 WHERE id = ?1",
        )?
        .execute(params![
            id,
            credential.label,
            joined(&credential.cidrs),
            credential.expires_at.map(Time::micros),
            credential.revoked_at.map(Time::micros)
        ])?;
    let limits = Limits {
        cidrs: credential.cidrs.clone(),
        expires_at: credential.expires_at,
        revoked: credential.revoked_at.is_some(),
    };
    batch.done.limits.push((slot(id)?, limits));
    note_change(batch, origin, &before, &credential)?;
    Ok(Ok(credential))
}

/// Notes what was done to a credential, if anything: a change of what narrows it, its end, or both.
fn note_change(
    batch: &mut Batch<'_>,
    origin: &Origin,
    before: &Credential,
    after: &Credential,
) -> rusqlite::Result<()> {
    let (mut was, is) = (limits_of(before), limits_of(after));
    let mut detail = Map::new();
    for (name, to) in is {
        audit::change(&mut detail, &name, was.remove(&name).unwrap_or_default(), to);
    }
    if !detail.is_empty() {
        audit::write(batch, origin, "credential.change", &subject(after), &Value::Object(detail))?;
    }
    if before.revoked_at != after.revoked_at {
        audit::write(batch, origin, "credential.revoke", &subject(after), &json!({ "label": after.label }))?;
        let told = AlertEvent::KeyRevoked { key: called(after), by: origin.by.as_str().into() };
        batch.watch_key(after.account, Event::KeyRevoked, &told)?;
    }
    Ok(())
}

pub(crate) fn subject(credential: &Credential) -> String {
    format!("account {} key {}", credential.account, audit::shortened(&credential.api_key))
}

/// How people know a credential: what may be told of its key, and its label.
pub(crate) fn called(credential: &Credential) -> String {
    let key = audit::shortened(&credential.api_key);
    credential.label.as_ref().map_or_else(|| key.clone(), |label| format!("{key} ({label})"))
}

/// What narrows a credential, as the audit trail tells it; its end is in microseconds, as all times of the database are.
pub(crate) fn limits_of(credential: &Credential) -> Map<String, Value> {
    let cidrs: Vec<String> = credential.cidrs.iter().map(IpNet::to_string).collect();
    let members = [
        ("label", json!(credential.label)),
        ("cidrs", json!(cidrs)),
        ("expires_at", json!(credential.expires_at.map(Time::micros))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The credentials of an account, oldest first, with their last use as memory knows it.
pub(crate) fn credentials(
    db: &Connection,
    known: &Credentials,
    account: AccountId,
) -> rusqlite::Result<Vec<Credential>> {
    let sql = format!("SELECT {CREDENTIAL} FROM credentials WHERE account = ?1 ORDER BY id");
    let mut select = db.prepare_cached(&sql)?;
    let mut found = select.query([account.get()])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let (id, mut credential) = credential(row)?;
        let slot = slot(id)?;
        // One that is on disk and not yet published is not there yet.
        if load::index(slot) < known.len() {
            credential.last_used_at = known.get(slot).last_used().or(credential.last_used_at);
            all.push(credential);
        }
    }
    Ok(all)
}

/// An account's profile.
pub(crate) fn profile(db: &Connection, id: AccountId) -> rusqlite::Result<Option<Profile>> {
    let sql = format!("SELECT {PROFILE} FROM accounts WHERE id = ?1");
    db.prepare_cached(&sql)?.query_row([id.get()], to_profile).optional()
}

/// Accounts after `after` by number; with a query only those whose number starts with it, or whose name or external id
/// contains it, whatever its case.
pub(crate) fn profiles(
    db: &Connection,
    query: Option<&str>,
    after: Option<AccountId>,
    limit: usize,
) -> rusqlite::Result<Page<Profile, AccountId>> {
    let sql = format!(
        "SELECT {PROFILE} FROM accounts WHERE id > ?1 AND (?2 IS NULL OR instr(id, ?2) = 1 \
         OR instr(lower(name), lower(?2)) > 0 OR instr(lower(external_id), lower(?2)) > 0) ORDER BY id LIMIT ?3"
    );
    let after = after.map_or(0, AccountId::get);
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut select = db.prepare_cached(&sql)?;
    let found = select.query_map(params![after, query, one_more], to_profile)?;
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(|last| last.id).filter(|_| is_more);
    Ok(Page { items, next })
}

fn to_profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    Ok(Profile {
        id: AccountId::new(row.get(0)?).ok_or_else(|| damage("an account's id is not one".into()))?,
        name: row.get(1)?,
        external_id: row.get(2)?,
        opened_at: Time::from_micros(row.get(3)?),
    })
}

/// Whether that API key is in use, by whichever account.
pub(crate) fn is_key_taken(db: &Connection, api_key: &str) -> rusqlite::Result<bool> {
    Ok(find(db, api_key)?.is_some())
}

fn find(db: &Connection, api_key: &str) -> rusqlite::Result<Option<(i64, Credential)>> {
    let sql = format!("SELECT {CREDENTIAL} FROM credentials WHERE api_key = ?1");
    db.prepare_cached(&sql)?.query_row([api_key], credential).optional()
}

fn under_key(db: &Connection, new: &NewCredential) -> rusqlite::Result<Option<(Credential, [u8; 32])>> {
    let Some(key) = &new.key else {
        return Ok(None);
    };
    let sql = format!("SELECT {CREDENTIAL}, digest FROM credentials WHERE account = ?1 AND idempotency_key = ?2");
    let with_digest = |row: &Row<'_>| Ok((credential(row)?.1, row.get(9)?));
    db.prepare_cached(&sql)?.query_row(params![new.account.get(), key.as_str()], with_digest).optional()
}

fn credential(row: &Row<'_>) -> rusqlite::Result<(i64, Credential)> {
    let id: i64 = row.get(0)?;
    let wrong = |column: &str| damage(format!("row {id} of credentials: {column} is not one"));
    let time = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_micros));
    let credential = Credential {
        account: AccountId::new(row.get(1)?).ok_or_else(|| wrong("account"))?,
        api_key: row.get(2)?,
        label: row.get(3)?,
        cidrs: load::cidrs(row.get_ref(4)?.as_str_or_null()?).ok_or_else(|| wrong("cidrs"))?,
        created_at: Time::from_micros(row.get(5)?),
        expires_at: time(6)?,
        revoked_at: time(7)?,
        last_used_at: time(8)?,
    };
    Ok((id, credential))
}

/// A credential's slot: ids count from 1 in the order of the slots.
fn slot(id: i64) -> rusqlite::Result<u32> {
    u32::try_from(id - 1).map_err(|_| damage(format!("row {id} of credentials: id is not one")))
}

pub(crate) fn joined(cidrs: &[IpNet]) -> Option<String> {
    (!cidrs.is_empty()).then(|| cidrs.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" "))
}
