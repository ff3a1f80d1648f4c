//! Accounts that come from elsewhere: opened with their key pair and their balance, in one commit.
//!
//! Every part is made under the row's own idempotency key, each in its own scope, so that an import that was cut off is run
//! again and makes only what is missing.

use ipnet::IpNet;
use ledger::{AccountId, Amount, Command, Minor, Movement, Reason, Reference, Time};

use crate::audit::{self, Origin};
use crate::batch::Batch;
use crate::perform::Asked;
use crate::{ChangeError, NewAccount, NewCredential, settings};

/// An account as it comes from elsewhere.
pub struct ImportedAccount {
    /// The account; its idempotency key is also that of everything below.
    pub account: NewAccount,
    /// The key pair that its owner has already.
    pub credential: Option<ImportedCredential>,
    /// What it has, or (below zero) owes.
    pub balance: Minor,
}

/// A key pair as it comes from elsewhere.
pub struct ImportedCredential {
    /// The key.
    pub api_key: String,
    /// The secret; never stored.
    pub secret_key: String,
    /// What people call it.
    pub label: Option<String>,
    /// The addresses it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    /// When it stops to work.
    pub expires_at: Option<Time>,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The account's number.
    pub account: AccountId,
    /// Whether an earlier import had made it already.
    pub replayed: bool,
}

type Changed = rusqlite::Result<Result<Imported, ChangeError>>;

/// Makes what is missing of one account. With `is_check` nothing is made, and `Ok` says that nothing stands in the way.
pub(crate) fn import(batch: &mut Batch<'_>, origin: &Origin, row: &ImportedAccount, is_check: bool) -> Changed {
    if let Some(in_the_way) = in_the_way(batch, row)? {
        return Ok(Err(in_the_way));
    }
    if is_check {
        let account = row.account.id.or(AccountId::new(1)).expect("1 is a number of an account");
        return Ok(Ok(Imported { account, replayed: false }));
    }
    let opened = match audit::open(batch, &row.account, origin.request_id.as_ref())? {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error)),
    };
    let (account, key) = (opened.entry.account, row.account.key.clone());
    if let Some(credential) = &row.credential {
        let new = NewCredential {
            account,
            api_key: credential.api_key.clone(),
            secret_key: credential.secret_key.clone(),
            is_imported: true,
            label: credential.label.clone(),
            cidrs: credential.cidrs.clone(),
            expires_at: credential.expires_at,
            key: key.clone(),
        };
        if let Err(error) = settings::add_credential(batch, origin, &new)? {
            return Ok(Err(error));
        }
    }
    let reason = Reason::new("opening balance").expect("a short reason");
    let movement = match Amount::new(row.balance) {
        Some(amount) => Some(Movement::Topup { amount }),
        None if row.balance < Minor::ZERO => Some(Movement::Adjust { amount: row.balance, reason: reason.clone() }),
        None => None,
    };
    if let Some(movement) = movement {
        let command = Command {
            account,
            movement,
            key,
            reference: Some(Reference::new("import").expect("a short reference")),
            reason: Some(reason),
            metadata: ledger::Metadata::default(),
            by: origin.by.clone(),
        };
        let asked = Asked::new(command, &batch.shared.accounts);
        if let Err(refused) = audit::perform(batch, &asked, origin.request_id.as_ref())? {
            return Ok(Err(ChangeError::Refused(refused.refusal)));
        }
    }
    Ok(Ok(Imported { account, replayed: opened.replayed }))
}

/// What keeps an account from being made whole, asked before any part of it is made.
fn in_the_way(batch: &mut Batch<'_>, row: &ImportedAccount) -> rusqlite::Result<Option<ChangeError>> {
    if batch.is_opened_under(row.account.key.as_ref())? {
        // Opening it again changes nothing, and says whether it was just so.
        return Ok(batch.open(&row.account)?.err());
    }
    if batch.shared.accounts.currency_by_code(&row.account.currency).is_none() {
        return Ok(Some(ChangeError::UnknownCurrency));
    }
    let is_taken = row.account.id.is_some_and(|id| batch.slot_of(id).is_some());
    let nobody = AccountId::new(AccountId::MAX).expect("the greatest number");
    let but_by = row.account.id.unwrap_or(nobody);
    if is_taken || batch.is_external_id_taken(row.account.external_id.as_deref(), but_by)? {
        return Ok(Some(ChangeError::AccountExists));
    }
    match &row.credential {
        Some(credential) if settings::is_key_taken(batch.db, &credential.api_key)? => {
            Ok(Some(ChangeError::CredentialExists))
        }
        _ => Ok(None),
    }
}
