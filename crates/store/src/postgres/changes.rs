//! The node as those see it who change something besides movements: each change is durable when it returns.

use std::sync::Arc;

use ledger::{AccountId, Actor, Currency};
use serde_json::Value;
use tokio::time::Instant;

use super::accounts::{IMPORT_ROWS_MAX, IMPORT_TIME_LIMIT};
use super::change::Change;
use super::{Postgres, accounts, change, credentials, operators};
use crate::audit::Origin;
use crate::{
    AccountChange, ChangeError, Credential, CredentialChange, Fault, Imported, ImportedAccount, NewAccount,
    NewCredential, NewOperator, Operator, OperatorName, Outcome,
};

impl Postgres {
    pub(crate) async fn open_account(&self, new: NewAccount) -> Result<Outcome, ChangeError> {
        self.change(accounts::Open { new, request_id: self.request_id.clone() }).await
    }

    /// In transactions of a few rows: the lock of all changes is free between them.
    pub(crate) async fn import(
        &self,
        by: Actor,
        mut rows: Vec<ImportedAccount>,
        is_check: bool,
    ) -> Result<Vec<Result<Imported, ChangeError>>, Fault> {
        let (origin, deadline) = (self.origin(by), Instant::now() + IMPORT_TIME_LIMIT);
        let mut all = Vec::with_capacity(rows.len());
        while !rows.is_empty() {
            let rows = rows.drain(..rows.len().min(IMPORT_ROWS_MAX)).collect();
            let made = self.change(accounts::Import { origin: origin.clone(), rows, is_check, deadline }).await;
            match made.map_err(fault) {
                Ok(made) => all.extend(made),
                // What came before is made; the same rows sent again make the rest.
                Err(_) if !is_check && !all.is_empty() => return Err(Fault::OutcomeUnknown),
                Err(fault) => return Err(fault),
            }
        }
        Ok(all)
    }

    pub(crate) async fn change_account(
        &self,
        by: Actor,
        id: AccountId,
        change: AccountChange,
    ) -> Result<(), ChangeError> {
        self.change(accounts::Settings { origin: self.origin(by), id, change }).await
    }

    pub(crate) async fn add_credential(
        &self,
        by: Actor,
        new: NewCredential,
    ) -> Result<(Credential, bool), ChangeError> {
        self.change(credentials::Add { origin: self.origin(by), new }).await
    }

    pub(crate) async fn change_credential(
        &self,
        by: Actor,
        account: AccountId,
        api_key: &str,
        change: CredentialChange,
    ) -> Result<Credential, ChangeError> {
        let api_key = api_key.to_owned();
        self.change(credentials::Alter { origin: self.origin(by), account, api_key, change }).await
    }

    pub(crate) async fn add_operator(&self, by: Actor, new: NewOperator) -> Result<Operator, ChangeError> {
        self.change(operators::Add { origin: self.origin(by), new }).await
    }

    pub(crate) async fn revoke_operator(&self, by: Actor, name: OperatorName) -> Result<Operator, ChangeError> {
        self.change(operators::Revoke { origin: self.origin(by), name }).await
    }

    pub(crate) async fn add_currency(&self, by: Actor, new: Currency) -> Result<(Currency, bool), ChangeError> {
        self.change(operators::AddCurrency { origin: self.origin(by), new }).await
    }

    pub(crate) async fn note(
        &self,
        by: Actor,
        action: &'static str,
        subject: String,
        detail: Vec<(&'static str, String)>,
    ) -> Result<(), Fault> {
        let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let (origin, detail) = (self.origin(by), Value::Object(detail));
        self.change(operators::Note { origin, action, subject, detail }).await.map_err(fault)
    }

    pub(super) fn origin(&self, by: Actor) -> Origin {
        Origin { by, request_id: self.request_id.clone() }
    }

    /// Makes a change on the node's own threads: it goes on even where its caller goes away.
    pub(super) async fn change<C: Change + 'static>(&self, change: C) -> Result<C::Done, ChangeError> {
        if self.is_closed() {
            return Err(Fault::Stopping.into());
        }
        let shared = Arc::clone(&self.inner.shared);
        let made = self.inner.handle.spawn(async move { change::make(&shared, &change).await });
        made.await.unwrap_or(Err(Fault::OutcomeUnknown.into()))
    }
}

/// What a change that cannot be refused ends with.
pub(super) fn fault(error: ChangeError) -> Fault {
    match error {
        ChangeError::Fault(fault) => fault,
        ChangeError::UnknownAccount
        | ChangeError::UnknownCredential
        | ChangeError::UnknownCurrency
        | ChangeError::UnknownOperator
        | ChangeError::OperatorExists
        | ChangeError::CurrencyExists
        | ChangeError::TooManyCurrencies
        | ChangeError::AccountExists
        | ChangeError::CredentialExists
        | ChangeError::KeyReused
        | ChangeError::SettingsChanged
        | ChangeError::Refused(_) => unreachable!("the change has no such end"),
    }
}
