//! Operators: who may use the operator API over a network, and how their tokens are known.
//!
//! A token is known only by its digest. Those that work lie in memory, where a login finds them without a lock; the table
//! keeps everyone who ever was one, since entries and the audit trail name them for ever. What a role may do is not
//! decided here.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger::{Actor, Time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::audit::{self, Origin};
use crate::batch::Batch;
use crate::rows::damage;
use crate::{ChangeError, Fault, Sqlite, digest};

/// What an operator may do; each role includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Look.
    Read,
    /// Move money.
    Money,
    /// Everything: accounts, credentials, corrections, operators.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 3] = [Role::Read, Role::Money, Role::Admin];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Money => "money",
            Role::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// An operator's name: 1 to 64 lower-case letters, digits, `.`, `_`, `@` and `-`, beginning with a letter or digit, so that
/// no two look alike in an audit trail and none has to be quoted in a shell or a path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OperatorName(Box<str>);

impl OperatorName {
    /// `text` as a name, or `None` where it is none.
    pub fn new(text: &str) -> Option<OperatorName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| plain(byte) || b"._@-".contains(&byte))
            && text.bytes().next().is_some_and(plain);
        is_name.then(|| OperatorName(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As entries and the audit trail name them: `operator:anna`.
    pub fn actor(&self) -> Actor {
        Actor::new(&format!("operator:{}", self.0)).expect("a short name of plain letters")
    }
}

/// An operator to be added; the token is digested before it reaches the disk.
pub struct NewOperator {
    /// Never given out before.
    pub name: OperatorName,
    /// What they may do, for as long as they are one.
    pub role: Role,
    /// The token that proves who they are; never stored.
    pub token: String,
}

/// An operator as they may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// Their name, for ever.
    pub name: OperatorName,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: Time,
    /// By whom.
    pub created_by: Actor,
    /// When their token stopped to work.
    pub revoked_at: Option<Time>,
}

/// An operator whose token was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Who it is, as entries name them.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
}

/// What a commit does to the tokens that work.
pub(crate) enum TokenChange {
    Works([u8; 32], Login),
    Stops([u8; 32]),
}

/// The tokens that work, by a keyed hash of their digest. Replaced whole by the writer; read by any thread without a lock.
pub(crate) struct Tokens {
    by_hash: ArcSwap<HashMap<u64, Vec<Token>>>,
    hasher: RandomState,
}

#[derive(Clone)]
struct Token {
    digest: [u8; 32],
    login: Login,
}

impl Tokens {
    pub(crate) fn new() -> Tokens {
        Tokens { by_hash: ArcSwap::default(), hasher: RandomState::new() }
    }

    /// Whose token that is. What a lookup does depends on a hash that nobody outside can compute, and the digests under it
    /// are compared in constant time, so that how long it takes tells nothing about a token that works.
    pub(crate) fn login(&self, token: &str) -> Option<Login> {
        let given = digest::of_token(token);
        let by_hash = self.by_hash.load();
        let found = by_hash.get(&self.hasher.hash_one(given)).and_then(|tokens| {
            tokens.iter().find(|token| bool::from(token.digest.ct_eq(&given))).map(|token| token.login.clone())
        });
        if found.is_none() {
            // The comparison that an unknown token has not cost yet; its result cannot be anything but no.
            std::hint::black_box(bool::from(given.ct_eq(&[0; 32])));
        }
        found
    }

    /// Makes durable changes count, in their order. Only the writer calls this.
    pub(crate) fn publish(&self, changes: Vec<TokenChange>) {
        if changes.is_empty() {
            return;
        }
        let mut by_hash = HashMap::clone(&self.by_hash.load());
        for change in changes {
            match change {
                TokenChange::Works(digest, login) => {
                    by_hash.entry(self.hasher.hash_one(digest)).or_default().push(Token { digest, login });
                }
                TokenChange::Stops(digest) => {
                    by_hash.entry(self.hasher.hash_one(digest)).or_default().retain(|token| token.digest != digest);
                }
            }
        }
        self.by_hash.store(Arc::new(by_hash));
    }

    /// Replaces what is known by what the table says.
    pub(crate) fn load(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql = format!("SELECT {OPERATOR}, token_digest FROM operators WHERE revoked_at IS NULL ORDER BY id");
        let mut select = db.prepare(&sql)?;
        let mut found = select.query([])?;
        let mut by_hash: HashMap<u64, Vec<Token>> = HashMap::new();
        while let Some(row) = found.next()? {
            let operator = operator(row)?;
            let digest = row.get(5)?;
            let login = Login { actor: operator.name.actor(), role: operator.role };
            by_hash.entry(self.hasher.hash_one(digest)).or_default().push(Token { digest, login });
        }
        self.by_hash.store(Arc::new(by_hash));
        Ok(())
    }
}

const OPERATOR: &str = "name, role, created_at, created_by, revoked_at";

type Changed<T> = rusqlite::Result<Result<T, ChangeError>>;

/// Adds an operator; the name of one who was revoked is taken too.
pub(crate) fn add(batch: &mut Batch<'_>, origin: &Origin, new: &NewOperator) -> Changed<Operator> {
    if find(batch.db, &new.name)?.is_some() {
        return Ok(Err(ChangeError::OperatorExists));
    }
    let digest = digest::of_token(&new.token);
    batch
        .db
        .prepare_cached(
            "INSERT INTO operators (name, role, token_digest, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            new.name.as_str(),
            new.role.name(),
            digest.as_slice(),
            batch.now.micros(),
            origin.by.as_str()
        ])?;
    let subject = format!("operator {}", new.name.as_str());
    audit::write(batch, origin, "operator.add", &subject, &json!({ "role": new.role.name() }))?;
    let login = Login { actor: new.name.actor(), role: new.role };
    batch.done.tokens.push(TokenChange::Works(digest, login));
    Ok(Ok(Operator {
        name: new.name.clone(),
        role: new.role,
        created_at: batch.now,
        created_by: origin.by.clone(),
        revoked_at: None,
    }))
}

/// Revokes an operator, for ever; one who was revoked before stays as they are.
pub(crate) fn revoke(batch: &mut Batch<'_>, origin: &Origin, name: &OperatorName) -> Changed<Operator> {
    let Some((digest, mut operator)) = find(batch.db, name)? else {
        return Ok(Err(ChangeError::UnknownOperator));
    };
    if operator.revoked_at.is_some() {
        return Ok(Ok(operator));
    }
    operator.revoked_at = Some(batch.now);
    let mut update = batch.db.prepare_cached("UPDATE operators SET revoked_at = ?2 WHERE name = ?1")?;
    update.execute(params![name.as_str(), batch.now.micros()])?;
    let subject = format!("operator {}", name.as_str());
    audit::write(batch, origin, "operator.revoke", &subject, &json!({ "role": operator.role.name() }))?;
    batch.done.tokens.push(TokenChange::Stops(digest));
    Ok(Ok(operator))
}

/// Everyone who ever was an operator, in the order in which they were added.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<Operator>> {
    let sql = format!("SELECT {OPERATOR} FROM operators ORDER BY id");
    let mut select = db.prepare_cached(&sql)?;
    select.query_map([], operator)?.collect()
}

fn find(db: &Connection, name: &OperatorName) -> rusqlite::Result<Option<([u8; 32], Operator)>> {
    let sql = format!("SELECT {OPERATOR}, token_digest FROM operators WHERE name = ?1");
    let with_digest = |row: &Row<'_>| Ok((row.get(5)?, operator(row)?));
    db.prepare_cached(&sql)?.query_row([name.as_str()], with_digest).optional()
}

fn operator(row: &Row<'_>) -> rusqlite::Result<Operator> {
    let name = row.get_ref(0)?.as_str()?;
    let wrong = |column: &str| damage(format!("operator {name}: {column} is not one"));
    Ok(Operator {
        name: OperatorName::new(name).ok_or_else(|| wrong("name"))?,
        role: Role::parse(row.get_ref(1)?.as_str()?).ok_or_else(|| wrong("role"))?,
        created_at: Time::from_micros(row.get(2)?),
        created_by: Actor::new(row.get_ref(3)?.as_str()?).map_err(|_| wrong("created_by"))?,
        revoked_at: row.get::<_, Option<i64>>(4)?.map(Time::from_micros),
    })
}

impl Sqlite {
    /// The operator whose token that is; `None` for a token that never worked and for one that was revoked.
    pub fn login(&self, token: &str) -> Option<Login> {
        self.shared().tokens.login(token)
    }

    /// Everyone who ever was an operator, in the order in which they were added.
    pub fn operators(&self) -> Result<Vec<Operator>, Fault> {
        self.read(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        for good in ["a", "anna", "anna.n@example.vn", "7", &"a".repeat(64)] {
            assert!(OperatorName::new(good).is_some(), "{good}");
        }
        for bad in ["", "Anna", "-a", ".a", "a b", "a/b", "đức", "a\n", &"a".repeat(65)] {
            assert!(OperatorName::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_works_from_its_publication_until_it_is_stopped() {
        let tokens = Tokens::new();
        let login = Login { actor: Actor::new("operator:anna").expect("an actor"), role: Role::Money };
        let digest = digest::of_token("sodu_1");
        assert_eq!(tokens.login("sodu_1"), None);
        tokens.publish(vec![TokenChange::Works(digest, login.clone())]);
        assert_eq!(tokens.login("sodu_1"), Some(login.clone()));
        for wrong in ["", "sodu_", "sodu_2", "SODU_1", "sodu_1 "] {
            assert_eq!(tokens.login(wrong), None, "{wrong}");
        }
        tokens.publish(vec![TokenChange::Stops(digest), TokenChange::Works(digest::of_token("sodu_2"), login.clone())]);
        assert_eq!((tokens.login("sodu_1"), tokens.login("sodu_2")), (None, Some(login)));
    }

    #[test]
    fn each_role_includes_those_before_it() {
        assert!(Role::Read < Role::Money && Role::Money < Role::Admin);
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.name()) == Some(role)));
        assert_eq!(Role::parse("root"), None);
    }
}
