//! Credentials: kept, narrowed, revoked, listed.

use std::collections::BTreeSet;

use ledger::{AccountId, Event, Time};
use serde_json::{Map, Value, json};
use tokio_postgres::Row;

use super::change::{Change, Tx};
use super::rows;
use super::session::{Error, Session};
use crate::audit::{self, Origin};
use crate::settings::{called, joined, limits_of, subject};
use crate::{AlertEvent, ChangeError, Credential, CredentialChange, NewCredential, digest};

macro_rules! credential_columns {
    () => {
        "id, account, api_key, label, cidrs, created_at, expires_at, revoked_at, last_used_at"
    };
}

const UNDER_KEY: &str =
    concat!("SELECT ", credential_columns!(), ", digest FROM credentials WHERE account = $1 AND idempotency_key = $2");

const FIND: &str = concat!("SELECT ", credential_columns!(), " FROM credentials WHERE api_key = $1");

const OF_ACCOUNT: &str = concat!("SELECT ", credential_columns!(), " FROM credentials WHERE account = $1 ORDER BY id");

const INSERT: &str = "INSERT INTO credentials (account, digest, cidrs, expires_at, api_key, label, created_at, \
    idempotency_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const UPDATE: &str = "UPDATE credentials SET label = $2, cidrs = $3, expires_at = $4, revoked_at = $5 WHERE id = $1";

/// A credential to be kept.
pub(super) struct Add {
    pub(super) origin: Origin,
    pub(super) new: NewCredential,
}

impl Change for Add {
    type Done = (Credential, bool);

    fn accounts(&self) -> BTreeSet<AccountId> {
        BTreeSet::from([self.new.account])
    }

    fn has_key(&self) -> bool {
        self.new.key.is_some()
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Self::Done, ChangeError>, Error> {
        add(tx, &self.origin, &self.new).await
    }
}

/// Keeps a new credential of an account that this transaction locked or made; true beside it where an earlier use of the
/// same idempotency key made it.
pub(super) async fn add(
    tx: &mut Tx<'_>,
    origin: &Origin,
    new: &NewCredential,
) -> Result<Result<(Credential, bool), ChangeError>, Error> {
    let account = rows::int(new.account);
    if !tx.batch.drafts.contains_key(&new.account) && !is_there(tx.session, account).await? {
        return Ok(Err(ChangeError::UnknownAccount));
    }
    let digest = digest::of(&new.api_key, &new.secret_key);
    let key = new.key.as_ref().map(ledger::Key::as_str);
    let earlier = match key {
        Some(key) => tx.session.row(UNDER_KEY, &[&account, &key]).await?,
        None => None,
    };
    if let Some(row) = earlier {
        let (_, earlier) = credential(&row)?;
        let earlier_digest: &[u8] = row.try_get(9)?;
        let is_same = (&earlier.label, &earlier.cidrs, earlier.expires_at) == (&new.label, &new.cidrs, new.expires_at)
            && (!new.is_imported || earlier_digest == digest);
        return Ok(if is_same { Ok((earlier, true)) } else { Err(ChangeError::KeyReused) });
    }
    if is_key_taken(tx.session, &new.api_key).await? {
        return Ok(Err(ChangeError::CredentialExists));
    }
    let row: super::session::Params<'_> = &[
        &account,
        &digest.as_slice(),
        &joined(&new.cidrs),
        &new.expires_at.map(Time::micros),
        &new.api_key,
        &new.label,
        &tx.now_us(),
        &key,
    ];
    tx.session.execute(INSERT, row).await?;
    let credential = Credential {
        account: new.account,
        api_key: new.api_key.clone(),
        label: new.label.clone(),
        cidrs: new.cidrs.clone(),
        created_at: tx.batch.now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let action = if new.is_imported { "credential.import" } else { "credential.issue" };
    tx.note(origin, action, &subject(&credential), &limits_of(&credential).into());
    let told = AlertEvent::KeyIssued { key: called(&credential), by: origin.by.as_str().into() };
    tx.batch.watch_key(new.account, Event::KeyIssued, &told);
    Ok(Ok((credential, false)))
}

async fn is_there(session: &Session, account: i32) -> Result<bool, Error> {
    Ok(session.row("SELECT FROM accounts WHERE id = $1", &[&account]).await?.is_some())
}

/// Whether that API key is in use, by whichever account.
pub(super) async fn is_key_taken(session: &Session, api_key: &str) -> Result<bool, Error> {
    Ok(session.row(FIND, &[&api_key]).await?.is_some())
}

/// A credential to be changed; what is revoked stays so.
pub(super) struct Alter {
    pub(super) origin: Origin,
    pub(super) account: AccountId,
    pub(super) api_key: String,
    pub(super) change: CredentialChange,
}

impl Change for Alter {
    type Done = Credential;

    fn accounts(&self) -> BTreeSet<AccountId> {
        BTreeSet::from([self.account])
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Credential, ChangeError>, Error> {
        let row = tx.session.row(FIND, &[&self.api_key]).await?;
        let found = row.as_ref().map(credential).transpose()?.filter(|(_, found)| found.account == self.account);
        let Some((id, before)) = found else { return Ok(Err(ChangeError::UnknownCredential)) };
        let (change, mut after) = (&self.change, before.clone());
        if let Some(label) = &change.label {
            after.label.clone_from(label);
        }
        if let Some(cidrs) = &change.cidrs {
            after.cidrs.clone_from(cidrs);
        }
        if let Some(expires_at) = change.expires_at {
            after.expires_at = expires_at;
        }
        if change.revoke && after.revoked_at.is_none() {
            after.revoked_at = Some(tx.batch.now);
        }
        let (end, revoked_at) = (after.expires_at.map(Time::micros), after.revoked_at.map(Time::micros));
        let row: super::session::Params<'_> = &[&id, &after.label, &joined(&after.cidrs), &end, &revoked_at];
        tx.session.execute(UPDATE, row).await?;
        let (mut was, is) = (limits_of(&before), limits_of(&after));
        let mut detail = Map::new();
        for (name, to) in is {
            audit::change(&mut detail, &name, was.remove(&name).unwrap_or_default(), to);
        }
        if !detail.is_empty() {
            tx.note(&self.origin, "credential.change", &subject(&after), &Value::Object(detail));
        }
        if before.revoked_at != after.revoked_at {
            tx.note(&self.origin, "credential.revoke", &subject(&after), &json!({ "label": after.label }));
            let told = AlertEvent::KeyRevoked { key: called(&after), by: self.origin.by.as_str().into() };
            tx.batch.watch_key(self.account, Event::KeyRevoked, &told);
        }
        Ok(Ok(after))
    }
}

/// An account's credentials with their ids, oldest first.
pub(super) async fn of_account(session: &Session, account: AccountId) -> Result<Vec<(i64, Credential)>, Error> {
    session.rows(OF_ACCOUNT, &[&rows::int(account)]).await?.iter().map(credential).collect()
}

fn credential(row: &Row) -> Result<(i64, Credential), Error> {
    let time = |column: usize| Ok::<_, Error>(row.try_get::<_, Option<i64>>(column)?.map(Time::from_micros));
    let credential = Credential {
        account: rows::id_at(row, 1)?,
        api_key: row.try_get(2)?,
        label: row.try_get(3)?,
        cidrs: rows::cidrs(row.try_get(4)?)?,
        created_at: Time::from_micros(row.try_get(5)?),
        expires_at: time(6)?,
        revoked_at: time(7)?,
        last_used_at: time(8)?,
    };
    Ok((row.try_get(0)?, credential))
}
