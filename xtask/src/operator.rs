//! The `/v1` calls and the GetBalance call that the checks make, and their answers taken apart.
//!
//! It reads only what a caller may rely on, and fails on an answer without it. No retries: what came back, or that
//! nothing did, is what the checks are about.

use std::io;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{Address, Connection, Reply, Request};
use crate::money;

/// A caller of the operator API.
pub(crate) struct Operator {
    connection: Connection,
}

/// An answer of the operator API.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// An entry of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) kind: String,
    /// Minor units, as signed as the answer has it.
    pub(crate) amount: i64,
    pub(crate) posted_after: i64,
    pub(crate) at: String,
    pub(crate) key: Option<String>,
    pub(crate) hash: String,
}

/// An account and the key pair that GetBalance is asked with.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) credit_limit: i64,
    pub(crate) api_key: String,
    pub(crate) secret_key: String,
}

impl Operator {
    pub(crate) fn open(address: &Address) -> io::Result<Operator> {
        Connection::open(address).map(|connection| Operator { connection })
    }

    /// Sends one request; an error means that no answer came.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let reply = self.connection.call(request)?;
        Ok(Answer { status: reply.status, body: serde_json::from_slice(&reply.body).unwrap_or(Value::Null) })
    }

    pub(crate) fn post(&mut self, path: &str, key: &str, body: &Value) -> io::Result<Answer> {
        self.call(&Request { method: "POST", path, key: Some(key), body: &body.to_string() })
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.call(&Request { method: "GET", path, key: None, body: "" })
    }

    /// Opens an account and gives it a key pair.
    pub(crate) fn open_account(&mut self, account: &Account) -> Result<()> {
        let Account { id, credit_limit, api_key, secret_key } = account;
        let new = json!({ "id": id, "name": format!("account {id}"), "credit_limit": money::decimal(*credit_limit) });
        let opened = self.post("/v1/accounts", &format!("open-{id}"), &new)?;
        ensure!(matches!(opened.status, 200 | 201), "an account was not opened: {opened:?}");
        let pair = json!({ "api_key": api_key, "secret_key": secret_key });
        let issued = self.post(&format!("/v1/accounts/{id}/credentials"), &format!("pair-{id}"), &pair)?;
        ensure!(matches!(issued.status, 200 | 201), "a key pair was not taken: {issued:?}");
        Ok(())
    }

    /// The entries of an account with `at >= from`, oldest first.
    pub(crate) fn statement(&mut self, account: u64, from: Option<&str>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec!["limit=1000".to_owned()];
            query.extend(from.map(|from| format!("from={from}")));
            query.extend(cursor.map(|cursor| format!("cursor={cursor}")));
            let path = format!("/v1/accounts/{account}/entries?{}", query.join("&"));
            let page = self.get(&path)?;
            let items = page.body["entries"].as_array().filter(|_| page.status == 200);
            for item in items.with_context(|| format!("not a statement: {page:?}"))? {
                entries.push(Entry::read(item)?);
            }
            let next = page.body.get("next_cursor").context("a page does not say whether it is the last")?;
            cursor = next.as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(entries);
            }
        }
    }

    /// What is posted on an account, in minor units, and the number of its last entry.
    pub(crate) fn balance(&mut self, account: u64) -> io::Result<Result<(i64, u64)>> {
        let answer = self.get(&format!("/v1/accounts/{account}/balance"))?;
        let read = figure(&answer.body, "posted").zip(answer.body["last_entry"].as_u64());
        Ok(read.filter(|_| answer.status == 200).with_context(|| format!("not a balance: {answer:?}")))
    }
}

impl Answer {
    /// The stable name of a refusal or a fault.
    pub(crate) fn slug(&self) -> &str {
        self.body["slug"].as_str().unwrap_or_default()
    }

    /// Whether it says that the key had been decided before.
    pub(crate) fn replayed(&self) -> bool {
        self.body["replayed"] == true
    }
}

impl Entry {
    pub(crate) fn read(value: &Value) -> Result<Entry> {
        let read = || {
            Some(Entry {
                number: value["number"].as_u64()?,
                kind: value["kind"].as_str()?.to_owned(),
                amount: figure(value, "amount")?,
                posted_after: figure(value, "posted_after")?,
                at: value["at"].as_str()?.to_owned(),
                key: value["key"].as_str().map(str::to_owned),
                hash: value["hash"].as_str()?.to_owned(),
            })
        };
        read().with_context(|| format!("not an entry: {value}"))
    }
}

/// The money figure `name` of an object, in minor units.
pub(crate) fn figure(object: &Value, name: &str) -> Option<i64> {
    object[name].as_str().and_then(money::minor)
}

/// The body of a GetBalance call.
pub(crate) fn get_balance_body(api_key: &str, secret_key: &str) -> String {
    format!(r#"{{"ApiKey":"{api_key}","SecretKey":"{secret_key}"}}"#)
}

/// Asks GetBalance and returns the figure; an outer error means that no answer came, an inner one a wrong answer.
pub(crate) fn get_balance(connection: &mut Connection, account: &Account) -> io::Result<Result<i64>> {
    let body = get_balance_body(&account.api_key, &account.secret_key);
    let path = "/MainService.svc/json/GetBalance_json";
    let reply = connection.call(&Request { method: "POST", path, key: None, body: &body })?;
    Ok(read_balance(&reply, account.id))
}

fn read_balance(reply: &Reply, account: u64) -> Result<i64> {
    let value: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    let right = reply.status == 200 && value["CodeResponse"] == "100" && value["UserID"] == account;
    ensure!(right, "GetBalance of account {account} answered {}: {}", reply.status, reply.text());
    value["Balance"].as_i64().with_context(|| format!("not an integral balance: {}", reply.text()))
}
