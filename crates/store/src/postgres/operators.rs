//! Operators, currencies, and what is only noted in the audit trail.

use ledger::{Actor, Currency, Time};
use serde_json::{Value, json};
use tokio_postgres::Row;

use super::change::{Change, Tx};
use super::rows;
use super::session::{Error, Session};
use crate::audit::Origin;
use crate::currencies::LEN_MAX;
use crate::{ChangeError, NewOperator, Operator, OperatorName, Role, digest};

const ALL: &str = "SELECT name, role, created_at, created_by, revoked_at FROM operators ORDER BY id";

const FIND: &str = "SELECT name, role, created_at, created_by, revoked_at FROM operators WHERE name = $1";

const INSERT: &str =
    "INSERT INTO operators (name, role, token_digest, created_at, created_by) VALUES ($1, $2, $3, $4, $5)";

const REVOKE: &str = "UPDATE operators SET revoked_at = $2 WHERE name = $1";

const CURRENCIES: &str = "SELECT code, scale, public_decimals, id FROM currencies ORDER BY id";

const INSERT_CURRENCY: &str = "INSERT INTO currencies (id, code, scale, public_decimals) VALUES ($1, $2, $3, $4)";

/// An operator to be added; the name of one who was revoked is taken too.
pub(super) struct Add {
    pub(super) origin: Origin,
    pub(super) new: NewOperator,
}

impl Change for Add {
    type Done = Operator;

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Operator, ChangeError>, Error> {
        let Add { origin, new } = self;
        if find(tx.session, &new.name).await?.is_some() {
            return Ok(Err(ChangeError::OperatorExists));
        }
        let digest = digest::of_token(&new.token);
        let (name, role, by) = (new.name.as_str(), new.role.name(), origin.by.as_str());
        tx.session.execute(INSERT, &[&name, &role, &digest.as_slice(), &tx.now_us(), &by]).await?;
        tx.note(origin, "operator.add", &format!("operator {name}"), &json!({ "role": role }));
        let (name, role, created_by) = (new.name.clone(), new.role, origin.by.clone());
        Ok(Ok(Operator { name, role, created_at: tx.batch.now, created_by, revoked_at: None }))
    }
}

/// An operator to be revoked, for ever; one who was revoked before stays as they are.
pub(super) struct Revoke {
    pub(super) origin: Origin,
    pub(super) name: OperatorName,
}

impl Change for Revoke {
    type Done = Operator;

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Operator, ChangeError>, Error> {
        let Some(mut operator) = find(tx.session, &self.name).await? else {
            return Ok(Err(ChangeError::UnknownOperator));
        };
        if operator.revoked_at.is_some() {
            return Ok(Ok(operator));
        }
        operator.revoked_at = Some(tx.batch.now);
        let name = self.name.as_str();
        tx.session.execute(REVOKE, &[&name, &tx.now_us()]).await?;
        tx.note(&self.origin, "operator.revoke", &format!("operator {name}"), &json!({ "role": operator.role.name() }));
        Ok(Ok(operator))
    }
}

/// A currency to be added; true beside it where it was there already, exactly so.
pub(super) struct AddCurrency {
    pub(super) origin: Origin,
    pub(super) new: Currency,
}

impl Change for AddCurrency {
    type Done = (Currency, bool);

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Self::Done, ChangeError>, Error> {
        let (known, new) = (currencies(tx.session).await?, self.new);
        if let Some(earlier) = known.iter().find(|known| known.code() == new.code()) {
            let is_same = (earlier.scale(), earlier.public_decimals()) == (new.scale(), new.public_decimals());
            return Ok(if is_same { Ok((new, true)) } else { Err(ChangeError::CurrencyExists) });
        }
        let Some(id) = i16::try_from(known.len()).ok().filter(|_| known.len() < LEN_MAX) else {
            return Ok(Err(ChangeError::TooManyCurrencies));
        };
        let (scale, public_decimals) = (i16::from(new.scale()), i16::from(new.public_decimals()));
        tx.session.execute(INSERT_CURRENCY, &[&id, &new.code(), &scale, &public_decimals]).await?;
        let detail = json!({ "scale": new.scale(), "public_decimals": new.public_decimals() });
        tx.note(&self.origin, "currency.add", &format!("currency {}", new.code()), &detail);
        Ok(Ok((new, false)))
    }
}

/// A row of the audit trail for what changes nothing in the ledger.
pub(super) struct Note {
    pub(super) origin: Origin,
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) detail: Value,
}

impl Change for Note {
    type Done = ();

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<(), ChangeError>, Error> {
        tx.note(&self.origin, self.action, &self.subject, &self.detail);
        Ok(Ok(()))
    }
}

/// All currencies, in the order of their ids, which count from 0.
pub(super) async fn currencies(session: &Session) -> Result<Vec<Currency>, Error> {
    let mut all = Vec::new();
    for row in session.rows(CURRENCIES, &[]).await? {
        if usize::try_from(row.try_get::<_, i16>(3)?) != Ok(all.len()) {
            return Err(Error::Damage(format!("row {} of currencies is missing", all.len())));
        }
        all.push(rows::currency(&row, 0)?);
    }
    Ok(all)
}

/// Everyone who ever was an operator, in the order in which they were added.
pub(super) async fn all(session: &Session) -> Result<Vec<Operator>, Error> {
    session.rows(ALL, &[]).await?.iter().map(operator).collect()
}

async fn find(session: &Session, name: &OperatorName) -> Result<Option<Operator>, Error> {
    session.row(FIND, &[&name.as_str()]).await?.as_ref().map(operator).transpose()
}

fn operator(row: &Row) -> Result<Operator, Error> {
    let name: &str = row.try_get(0)?;
    let wrong = |column: &str| Error::Damage(format!("operator {name}: {column} is not one"));
    Ok(Operator {
        name: OperatorName::new(name).ok_or_else(|| wrong("name"))?,
        role: Role::parse(row.try_get(1)?).ok_or_else(|| wrong("role"))?,
        created_at: Time::from_micros(row.try_get(2)?),
        created_by: Actor::new(row.try_get(3)?).map_err(|_| wrong("created_by"))?,
        revoked_at: row.try_get::<_, Option<i64>>(4)?.map(Time::from_micros),
    })
}
