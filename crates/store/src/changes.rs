//! The store as those see it who change something: each change is one job for the writer, and durable when it returns.
//!
//! Whatever is no ordinary movement of money leaves a row in the audit trail, in the same commit: nothing here can be called
//! without saying who asks.

use ledger::{AccountId, Actor, Command, Currency, Key};
use serde_json::Value;

use crate::audit::Origin;
use crate::batch::Batch;
use crate::perform::Asked;
use crate::{
    AccountChange, AlertSettings, ChangeError, Credential, CredentialChange, Fault, Imported, ImportedAccount,
    KeyOutcome, Measured, NewAccount, NewCredential, NewOperator, Operator, OperatorName, Outcome, Refused, Sqlite,
    alerts, audit, currencies, import, operators, settings,
};

/// How many commands ahead of the one being decided the processor is told of: what it waits for is here by then, and not yet
/// gone again.
const APPROACHED: usize = 8;

impl Sqlite {
    /// Decides the commands in their order and keeps what comes of them; returns when all of it is durable. Openings go
    /// through [`Sqlite::open_account`].
    pub async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Result<Outcome, Refused>>, Fault> {
        let (len, request_id) = (commands.len(), self.request_id.clone());
        if len == 0 {
            return Ok(Vec::new());
        }
        let accounts = self.accounts();
        let asked: Vec<_> = commands.into_iter().map(|command| Asked::new(command, accounts)).collect();
        let perform = move |batch: &mut Batch<'_>| {
            // One alone is looked up at once anyway.
            if len > 1 {
                asked.iter().take(APPROACHED).for_each(|asked| batch.approach(asked));
            }
            let mut outcomes = Vec::with_capacity(len);
            for (at, this) in asked.iter().enumerate() {
                if let Some(soon) = asked.get(at + APPROACHED) {
                    batch.approach(soon);
                }
                outcomes.push(audit::perform(batch, this, request_id.as_ref())?);
            }
            // Whoever brought them clears them away, too.
            Ok((outcomes, asked))
        };
        self.send(len, perform).await.map(|(outcomes, _)| outcomes)
    }

    /// What a key of an account has done, if it has done anything. Answered by the writer, which alone knows every key; it
    /// costs no commit.
    pub async fn key_outcome(&self, account: AccountId, key: Key) -> Result<Option<KeyOutcome>, Fault> {
        self.send(1, move |batch| batch.outcome_of(account, &key)).await
    }

    /// Opens an account.
    pub async fn open_account(&self, new: NewAccount) -> Result<Outcome, ChangeError> {
        let request_id = self.request_id.clone();
        self.send(1, move |batch| audit::open(batch, &new, request_id.as_ref())).await?
    }

    /// Makes accounts that come from elsewhere, as far as they are missing, in one commit; with `is_check` only says what
    /// stands in the way of each.
    pub async fn import(
        &self,
        by: Actor,
        rows: Vec<ImportedAccount>,
        is_check: bool,
    ) -> Result<Vec<Result<Imported, ChangeError>>, Fault> {
        let (len, origin) = (rows.len(), self.origin(by));
        let import =
            move |batch: &mut Batch<'_>| rows.iter().map(|row| import::import(batch, &origin, row, is_check)).collect();
        self.send(len, import).await
    }

    /// Changes settings of an account.
    pub async fn change_account(
        &self,
        by: Actor,
        account: AccountId,
        change: AccountChange,
    ) -> Result<(), ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| settings::change_account(batch, &origin, account, &change)).await?
    }

    /// Sets an account's alerts, or with `None` takes them away.
    pub async fn change_alerts(
        &self,
        by: Actor,
        account: AccountId,
        settings: Option<AlertSettings>,
        measured: Measured,
    ) -> Result<(), ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| alerts::change(batch, &origin, account, settings.as_ref(), measured)).await?
    }

    /// Keeps a credential; true beside it where an earlier use of the same idempotency key made it.
    pub async fn add_credential(&self, by: Actor, new: NewCredential) -> Result<(Credential, bool), ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| settings::add_credential(batch, &origin, &new)).await?
    }

    /// Changes a credential.
    pub async fn change_credential(
        &self,
        by: Actor,
        account: AccountId,
        api_key: &str,
        change: CredentialChange,
    ) -> Result<Credential, ChangeError> {
        let (api_key, origin) = (api_key.to_owned(), self.origin(by));
        self.send(1, move |batch| settings::change_credential(batch, &origin, account, &api_key, &change)).await?
    }

    /// Adds an operator, whose token works when this returns.
    pub async fn add_operator(&self, by: Actor, new: NewOperator) -> Result<Operator, ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| operators::add(batch, &origin, &new)).await?
    }

    /// Revokes an operator, whose token has stopped to work when this returns.
    pub async fn revoke_operator(&self, by: Actor, name: OperatorName) -> Result<Operator, ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| operators::revoke(batch, &origin, &name)).await?
    }

    /// Adds a currency; true beside it where it was there already, exactly so.
    pub async fn add_currency(&self, by: Actor, new: Currency) -> Result<(Currency, bool), ChangeError> {
        let origin = self.origin(by);
        self.send(1, move |batch| currencies::add(batch, &origin, new)).await?
    }

    /// Puts into the audit trail what changes nothing in the ledger, such as a backup that begins; `detail` is its members.
    pub async fn note(
        &self,
        by: Actor,
        action: &'static str,
        subject: String,
        detail: Vec<(&'static str, String)>,
    ) -> Result<(), Fault> {
        let origin = self.origin(by);
        let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        self.send(1, move |batch| audit::write(batch, &origin, action, &subject, &Value::Object(detail))).await
    }

    fn origin(&self, by: Actor) -> Origin {
        Origin { by, request_id: self.request_id.clone() }
    }
}
