//! `sodu operator …`: who may use the operator API over a network.
//!
//! A token is printed once, on standard output and by itself, so that a script can catch it; everything else about it goes to
//! standard error.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Global;
use super::failure::Failure;
use super::output::{note, text, width};
use super::session::{Intent, Session};
use super::table::{Lean, Table};
use crate::door::{Call, encode};
use crate::times::{self, Bound};

#[derive(Subcommand)]
pub(super) enum Operator {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Add an operator and print their token, for the only time
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu operator add anna --role read
  export SODU_TOKEN=$(sodu operator add gateway --role money)
  curl -H \"Authorization: Bearer $SODU_TOKEN\" http://127.0.0.1:8081/v1/accounts

Roles: read looks; money also moves money; admin does everything. Name and role
are for ever: whoever needs another role gets another name.")]
pub(super) struct Add {
    /// 1 to 64 lower-case letters, digits and . _ - @; entries and the audit trail keep it
    name: String,
    /// What they may do
    #[arg(long, value_enum)]
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Read,
    Money,
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Read => store::Role::Read.name(),
            Role::Money => store::Role::Money.name(),
            Role::Admin => store::Role::Admin.name(),
        }
    }
}

/// List everyone who is or was an operator
#[derive(Args)]
#[command(after_help = "Example:\n  sodu operator list")]
pub(super) struct List {}

/// Revoke an operator for ever; their token stops at once
#[derive(Args)]
#[command(after_help = "Example:\n  sodu operator revoke anna")]
pub(super) struct Revoke {
    /// The operator's name
    name: String,
}

impl Operator {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Operator::Add(add) => Session::run(global, Intent::Create, async |session| add.run(session).await),
            Operator::List(List {}) => Session::run(global, Intent::Read, async |session| list(session).await),
            Operator::Revoke(revoke) => Session::run(global, Intent::Write, async |session| revoke.run(session).await),
        }
    }
}

impl Add {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let body = json!({ "name": self.name, "role": self.role.name() });
        let added = session.send(Method::POST, "/v1/operators".into(), None, body).await?;
        if session.out.json {
            return session.out.json(&added);
        }
        session.out.line(text(&added, "token"))?;
        note(&format!("operator {} has the role {}", text(&added, "name"), text(&added, "role")));
        note("the token is shown this once; the ledger keeps only a digest of it");
        Ok(())
    }
}

async fn list(session: &mut Session) -> Result<(), Failure> {
    let listed = session.get("/v1/operators".into()).await?;
    if session.out.json {
        return session.out.json(&listed);
    }
    let columns = [
        ("name", 12, Lean::Left),
        ("role", 5, Lean::Left),
        ("added", 10, Lean::Left),
        ("revoked", 10, Lean::Left),
        ("added by", 0, Lean::Left),
    ];
    let mut table = Table::new(&columns, width());
    let operators = listed["operators"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<String>> = operators.iter().map(|operator| row(session, operator)).collect();
    table.fit(&rows);
    session.out.line(&table.titles())?;
    rows.iter().try_for_each(|row| session.out.line(&table.row(row)))
}

fn row(session: &Session, operator: &Value) -> Vec<String> {
    let zone = &session.config.time_zone;
    let day = |name: &str| {
        let time = times::parse(text(operator, name), Bound::Start, zone);
        time.map_or_else(|_| String::new(), |time| times::for_people(time, zone)[..10].to_owned())
    };
    let plain = |name: &str| text(operator, name).to_owned();
    vec![plain("name"), plain("role"), day("created_at"), day("revoked_at"), plain("created_by")]
}

impl Revoke {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let path = format!("/v1/operators/{}", encode(&self.name));
        let operator = session.ask(Call { method: Method::DELETE, path, key: None, body: None }).await?;
        if session.out.json {
            return session.out.json(&operator);
        }
        session.out.line(&format!("revoked: {}", text(&operator, "name")))
    }
}
