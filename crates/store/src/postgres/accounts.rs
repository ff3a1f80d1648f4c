//! Accounts: opened, brought in from elsewhere, and their settings changed.

use std::collections::BTreeSet;
use std::time::Duration;

use ledger::{Account, AccountId, Amount, Command, Facts, Key, Minor, Movement, Reason, Reference, Verdict, decide};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::batch::{Draft, Found};
use super::change::{Change, Tx};
use super::credentials;
use super::facts;
use super::rows::{self, account_columns, entry_columns};
use super::session::Error;
use super::{runway, statement};
use crate::audit::{self, Origin};
use crate::measure::CATCH_UP_MAX;
use crate::{
    AccountChange, ChangeError, Imported, ImportedAccount, NewAccount, NewCredential, Outcome, ProfileChange,
    RequestId, settings_version,
};

const OPENED_UNDER: &str = concat!("SELECT ", entry_columns!(), " FROM entries e WHERE e.kind = 1 AND e.key = $1");

const ACCOUNT: &str =
    concat!("SELECT ", account_columns!(), " FROM accounts a JOIN currencies c ON c.id = a.currency WHERE a.id = $1");

const CURRENCY: &str = "SELECT c.code, c.scale, c.public_decimals, c.id FROM currencies c WHERE c.code = $1";

/// The number after the greatest, or the first gap once the greatest is taken.
const FREE: &str = "SELECT CASE WHEN greatest.id < 2147483647 THEN greatest.id + 1 \
    WHEN NOT EXISTS (SELECT FROM accounts WHERE id = 1) THEN 1 \
    ELSE (SELECT min(a.id) + 1 FROM accounts a WHERE a.id < 2147483647 \
    AND NOT EXISTS (SELECT FROM accounts n WHERE n.id = a.id + 1)) END \
    FROM (SELECT coalesce(max(id), 0) AS id FROM accounts) greatest";

const INSERT: &str = "INSERT INTO accounts (id, currency, posted, held, credit_limit, status, number, at, hash, opened_at, \
    name, external_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11)";

const IS_TAKEN: &str = "SELECT FROM accounts WHERE external_id = $1 AND id <> $2";

const UPDATE: &str = "UPDATE accounts SET name = coalesce($2, name), \
    external_id = CASE WHEN $3 THEN $4 ELSE external_id END, shows_available = coalesce($5, shows_available), \
    metered = coalesce($6, metered) WHERE id = $1";

/// How many rows of an import share a transaction: few enough that no other change waits long for the lock of all changes.
pub(super) const IMPORT_ROWS_MAX: usize = 64;

/// How long an import of many may take.
pub(super) const IMPORT_TIME_LIMIT: Duration = Duration::from_secs(60);

/// An account to be opened.
pub(super) struct Open {
    pub(super) new: NewAccount,
    pub(super) request_id: Option<RequestId>,
}

impl Change for Open {
    type Done = Outcome;

    fn has_key(&self) -> bool {
        self.new.key.is_some()
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Outcome, ChangeError>, Error> {
        open(tx, &self.new, self.request_id.as_ref()).await
    }
}

/// Opens an account, its entry, its row and its line in the audit trail together.
async fn open(
    tx: &mut Tx<'_>,
    new: &NewAccount,
    request_id: Option<&RequestId>,
) -> Result<Result<Outcome, ChangeError>, Error> {
    let opened = match opening(tx, new).await? {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error)),
    };
    if !opened.replayed {
        let entry = &opened.entry;
        let origin = Origin { by: new.by.clone(), request_id: request_id.cloned() };
        tx.note(&origin, "account.open", &audit::of_entry(entry), &audit::opening(new, entry));
    }
    Ok(Ok(opened))
}

async fn opening(tx: &mut Tx<'_>, new: &NewAccount) -> Result<Result<Outcome, ChangeError>, Error> {
    let Some(row) = tx.session.row(CURRENCY, &[&new.currency]).await? else {
        return Ok(Err(ChangeError::UnknownCurrency));
    };
    let (currency, currency_id): (_, i16) = (rows::currency(&row, 0)?, row.try_get(3)?);
    let found = opened_under(tx, new.key.as_ref()).await?;
    let earlier_id = match &found {
        Some(Found::Entry(entry)) => Some(entry.account),
        Some(Found::Refusal { .. }) | None => None,
    };
    let id = match new.id.or(earlier_id) {
        Some(id) => id,
        None => match tx.session.row(FREE, &[]).await?.map(|row| row.try_get::<_, Option<i32>>(0)).transpose()? {
            Some(Some(free)) => rows::id(free).ok_or_else(|| Error::Damage("a free number is none".into()))?,
            Some(None) | None => return Ok(Err(ChangeError::AccountExists)),
        },
    };
    let command = Command {
        account: id,
        movement: Movement::Open { currency, credit_limit: new.credit_limit },
        key: new.key.clone(),
        reference: None,
        reason: None,
        metadata: ledger::Metadata::default(),
        by: new.by.clone(),
    };
    let existing = match tx.session.row(ACCOUNT, &[&rows::int(id)]).await? {
        Some(row) => Some(rows::account(&row, 0)?),
        None => None,
    };
    let earlier = found.as_ref().map(Found::earlier);
    let facts = Facts { account: existing.as_ref(), to: None, named: None, earlier };
    let entry = match (decide(&facts, &command, tx.batch.now), found) {
        (Ok(Verdict::Replay), Some(Found::Entry(entry))) => return Ok(Ok(Outcome { entry: *entry, replayed: true })),
        (Ok(Verdict::Replay), _) => {
            unreachable!("the rules replay only what was found, and no opening's refusal is kept")
        }
        (Ok(Verdict::Entry { entry, .. }), _) => entry,
        (Err(ledger::Refusal::AccountExists), _) => return Ok(Err(ChangeError::AccountExists)),
        (Err(ledger::Refusal::KeyReused { .. }), _) => return Ok(Err(ChangeError::KeyReused)),
        (Err(refusal), _) => return Ok(Err(ChangeError::Refused(refusal))),
    };
    if is_taken(tx, new.external_id.as_deref(), id).await? {
        return Ok(Err(ChangeError::AccountExists));
    }
    let account = Account::opened_by(&entry).map_err(|broken| Error::Damage(broken.to_string()))?;
    insert(tx, new, &account, currency_id).await?;
    // What is shown of a currency is no part of an entry; the draft knows it like every other account.
    tx.batch.drafts.insert(id, Draft::new(Account { currency, ..account }, false, false, (0, 0)));
    tx.batch.made.entries.push(entry.clone());
    Ok(Ok(Outcome { entry, replayed: false }))
}

async fn insert(tx: &Tx<'_>, new: &NewAccount, account: &Account, currency: i16) -> Result<(), Error> {
    let row: super::session::Params<'_> = &[
        &rows::int(account.id),
        &currency,
        &account.posted.units(),
        &account.held.units(),
        &account.credit_limit.units(),
        &i16::from(account.status.code()),
        &crate::rows::number(account.number),
        &account.at.micros(),
        &account.hash.0.as_slice(),
        &new.name,
        &new.external_id,
    ];
    tx.session.execute(INSERT, row).await.map(drop)
}

async fn opened_under(tx: &Tx<'_>, key: Option<&Key>) -> Result<Option<Found>, Error> {
    let Some(key) = key else { return Ok(None) };
    let row = tx.session.row(OPENED_UNDER, &[&key.as_str()]).await?;
    row.map(|row| Ok(Found::Entry(Box::new(rows::entry(&row)?)))).transpose()
}

async fn is_taken(tx: &Tx<'_>, external_id: Option<&str>, but_by: AccountId) -> Result<bool, Error> {
    let Some(external_id) = external_id else { return Ok(false) };
    Ok(tx.session.row(IS_TAKEN, &[&external_id, &rows::int(but_by)]).await?.is_some())
}

/// Settings to be changed.
pub(super) struct Settings {
    pub(super) origin: Origin,
    pub(super) id: AccountId,
    pub(super) change: AccountChange,
}

impl Change for Settings {
    type Done = ();

    fn accounts(&self) -> BTreeSet<AccountId> {
        BTreeSet::from([self.id])
    }

    fn commands(&self) -> &[Command] {
        &self.change.commands
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<(), ChangeError>, Error> {
        let Settings { origin, id, change } = self;
        let Some(now) = tx.batch.drafts.get(id).map(Draft::now) else {
            return Ok(Err(ChangeError::UnknownAccount));
        };
        let profile = statement::profile(tx.session, *id).await?;
        let profile = profile.ok_or_else(|| Error::Damage(format!("account {id} has no row")))?;
        if change.expected.as_ref().is_some_and(|expected| *expected != settings_version(&profile, &now)) {
            return Ok(Err(ChangeError::SettingsChanged));
        }
        let new_external_id = change.profile.external_id.as_ref().and_then(Option::as_deref);
        if is_taken(tx, new_external_id, *id).await? {
            return Ok(Err(ChangeError::AccountExists));
        }
        for command in &change.commands {
            if let Err(refused) = tx.batch.perform(command, origin.request_id.as_ref())? {
                return Ok(Err(ChangeError::Refused(refused.refusal)));
            }
        }
        if change.profile == ProfileChange::default() {
            return Ok(Ok(()));
        }
        let ProfileChange { name, external_id, shows_available, metered } = &change.profile;
        let mut detail = Map::new();
        if let Some(to) = external_id {
            audit::change(&mut detail, "external_id", json!(profile.external_id), json!(to));
        }
        if let Some(to) = name {
            audit::change(&mut detail, "name", json!(profile.name), json!(to));
        }
        let (from, to) = (now.shows_available, shows_available.unwrap_or(now.shows_available));
        audit::change(&mut detail, "shows_available", from.into(), to.into());
        audit::change(&mut detail, "metered", now.metered.into(), metered.unwrap_or(now.metered).into());
        let is_set = external_id.is_some();
        let external_id = external_id.clone().flatten();
        let update: super::session::Params<'_> =
            &[&rows::int(*id), name, &is_set, &external_id, shows_available, metered];
        tx.session.execute(UPDATE, update).await?;
        match metered {
            Some(true) if !now.metered => {
                // With what this change has appended.
                tx.writes_so_far().await?;
                let measured = runway::look_back(tx.session, *id, tx.batch.now, CATCH_UP_MAX).await?;
                tx.begin_watch(*id, &measured).await?;
            }
            Some(false) if now.metered => tx.end_watch(*id, false)?,
            Some(_) | None => {}
        }
        if !detail.is_empty() {
            tx.note(origin, "account.change", &format!("account {id}"), &Value::Object(detail));
        }
        Ok(Ok(()))
    }
}

/// Accounts that come from elsewhere, all in one commit; with `is_check` only what stands in their way is told.
pub(super) struct Import {
    pub(super) origin: Origin,
    pub(super) rows: Vec<ImportedAccount>,
    pub(super) is_check: bool,
    /// By when all of the import has to be made, of which this is a part.
    pub(super) deadline: Instant,
}

impl Change for Import {
    type Done = Vec<Result<Imported, ChangeError>>;

    fn has_key(&self) -> bool {
        self.rows.iter().all(|row| row.account.key.is_some())
    }

    fn time_limit(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Self::Done, ChangeError>, Error> {
        let mut all = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            all.push(self.one(tx, row).await?);
            // The next row has to see this one.
            tx.writes_so_far().await?;
        }
        Ok(Ok(all))
    }
}

impl Import {
    async fn one(&self, tx: &mut Tx<'_>, row: &ImportedAccount) -> Result<Result<Imported, ChangeError>, Error> {
        if let Some(in_the_way) = in_the_way(tx, row).await? {
            return Ok(Err(in_the_way));
        }
        if self.is_check {
            let account = row.account.id.or(AccountId::new(1)).expect("1 is a number of an account");
            return Ok(Ok(Imported { account, replayed: false }));
        }
        let opened = match open(tx, &row.account, self.origin.request_id.as_ref()).await? {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let (account, key) = (opened.entry.account, row.account.key.clone());
        if let Some(pair) = &row.credential {
            let new = NewCredential {
                account,
                api_key: pair.api_key.clone(),
                secret_key: pair.secret_key.clone(),
                is_imported: true,
                label: pair.label.clone(),
                cidrs: pair.cidrs.clone(),
                expires_at: pair.expires_at,
                key: key.clone(),
            };
            // The credential names the account's row, which has to be there.
            tx.writes_so_far().await?;
            if let Err(error) = credentials::add(tx, &self.origin, &new).await? {
                return Ok(Err(error));
            }
        }
        let Some(movement) = opening_balance(row.balance) else {
            return Ok(Ok(Imported { account, replayed: opened.replayed }));
        };
        let command = Command {
            account,
            movement,
            key,
            reference: Some(Reference::new("import").expect("a short reference")),
            reason: Some(Reason::new("opening balance").expect("a short reason")),
            metadata: ledger::Metadata::default(),
            by: self.origin.by.clone(),
        };
        if opened.replayed {
            // Locked after the audit trail, for once: who waits crosswise is told by the server, and begins again.
            let (accounts, commands) = (BTreeSet::from([account]), std::slice::from_ref(&command));
            facts::gather_more(tx.session, &mut tx.batch, &accounts, commands).await?;
        }
        if let Err(refused) = tx.batch.perform(&command, self.origin.request_id.as_ref())? {
            return Ok(Err(ChangeError::Refused(refused.refusal)));
        }
        Ok(Ok(Imported { account, replayed: opened.replayed }))
    }
}

fn opening_balance(balance: Minor) -> Option<Movement> {
    match Amount::new(balance) {
        Some(amount) => Some(Movement::Topup { amount }),
        None if balance < Minor::ZERO => {
            Some(Movement::Adjust { amount: balance, reason: Reason::new("opening balance").expect("a short reason") })
        }
        None => None,
    }
}

/// What keeps an account from being made whole, asked before any part of it is made.
async fn in_the_way(tx: &mut Tx<'_>, row: &ImportedAccount) -> Result<Option<ChangeError>, Error> {
    if opened_under(tx, row.account.key.as_ref()).await?.is_some() {
        // Opening it again changes nothing, and says whether it was just so.
        return Ok(opening(tx, &row.account).await?.err());
    }
    if tx.session.row(CURRENCY, &[&row.account.currency]).await?.is_none() {
        return Ok(Some(ChangeError::UnknownCurrency));
    }
    let is_there = match row.account.id {
        Some(id) => tx.session.row(ACCOUNT, &[&rows::int(id)]).await?.is_some(),
        None => false,
    };
    let nobody = AccountId::new(AccountId::MAX).expect("the greatest number");
    let but_by = row.account.id.unwrap_or(nobody);
    if is_there || is_taken(tx, row.account.external_id.as_deref(), but_by).await? {
        return Ok(Some(ChangeError::AccountExists));
    }
    match &row.credential {
        Some(pair) if credentials::is_key_taken(tx.session, &pair.api_key).await? => {
            Ok(Some(ChangeError::CredentialExists))
        }
        _ => Ok(None),
    }
}
