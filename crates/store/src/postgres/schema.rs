//! The database's schema: made where there is none, looked at where there is one.
//!
//! It refuses to serve with a role that may change what is written: then a mistake, or a hole in this program, could.

use super::session::{Error, Session};
use crate::OpenError;

/// The schema that this build writes.
pub(super) const VERSION: i64 = 1;

/// One node at a time makes or changes the schema.
const ALONE: &str = "SELECT pg_advisory_xact_lock(8388002217265783148)";

const TABLES: &str = include_str!("schema.sql");

/// Makes sure of the schema; true where it was made now. Nothing is changed where that fails.
pub(super) async fn ready(session: &Session, create: bool) -> Result<bool, OpenError> {
    let said = |error: Error| OpenError::Io(error.to_string());
    session.say("BEGIN").await.map_err(said)?;
    session.say(ALONE).await.map_err(said)?;
    let ready = async {
        let created = made(session, create).await?;
        check_rights(session).await?;
        Ok(created)
    };
    let created = match ready.await {
        Ok(created) => created,
        Err(error) => {
            // The error is told, whatever becomes of the transaction, which ends with the session.
            drop(session.say("ROLLBACK").await);
            return Err(error);
        }
    };
    session.say("COMMIT").await.map_err(said)?;
    Ok(created)
}

async fn made(session: &Session, create: bool) -> Result<bool, OpenError> {
    let said = |error: Error| OpenError::Io(error.to_string());
    let encoding = text(session, "SELECT current_setting('server_encoding')").await.map_err(said)?;
    if encoding != "UTF8" {
        return Err(OpenError::Io(format!(
            "its encoding is {encoding} and must be UTF8: create it with ENCODING 'UTF8'"
        )));
    }
    let tables = text(
        session,
        "SELECT count(*)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                                WHERE n.nspname = 'sodu'",
    );
    if tables.await.map_err(said)? == "0" {
        if !create {
            return Err(OpenError::Missing);
        }
        session.say("CREATE SCHEMA IF NOT EXISTS sodu").await.map_err(said)?;
        session.say(TABLES).await.map_err(said)?;
        return Ok(true);
    }
    let is_ours = text(session, "SELECT coalesce(to_regclass('sodu.meta')::text, '')").await.map_err(said)?;
    if is_ours.is_empty() {
        return Err(OpenError::Io("its schema \"sodu\" belongs to something else; name another database".into()));
    }
    let found = text(session, "SELECT value::text FROM sodu.meta WHERE name = 'schema'").await.map_err(said)?;
    let found = found.parse::<i64>().map_err(|_| OpenError::Damaged("it does not say which schema it has".into()))?;
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    Ok(false)
}

/// A superuser passes every check of rights, and an owner may have given themselves those rights again.
async fn check_rights(session: &Session) -> Result<(), OpenError> {
    let rights = "SELECT (bool_or(has_table_privilege(name, 'UPDATE') OR has_table_privilege(name, 'DELETE') \
                  OR has_table_privilege(name, 'TRUNCATE')))::text FROM unnest(ARRAY['sodu.entries', 'sodu.audit']) AS name";
    match text(session, rights).await {
        Ok(may) if may == "false" => Ok(()),
        Ok(_) => Err(OpenError::Io(
            "its user may change entries that are written, as a superuser may: connect as a plain role that owns the \
             database, and leave it without UPDATE, DELETE and TRUNCATE on sodu.entries and sodu.audit"
                .into(),
        )),
        Err(error) => Err(OpenError::Io(error.to_string())),
    }
}

async fn text(session: &Session, sql: &'static str) -> Result<String, Error> {
    let row = session.row(sql, &[]).await?.ok_or_else(|| Error::Damage("a row is missing".into()))?;
    Ok(row.try_get(0)?)
}
