//! The demo's accounts: one to play with, and one for each other thing that GetBalance can say.

use axum::http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::text;
use crate::door::{Call, Door};

/// An account that stands ready, with the pair that calls it.
#[derive(Serialize)]
pub(super) struct DemoAccount {
    pub(super) id: u32,
    pub(super) name: &'static str,
    /// What GetBalance answers it.
    pub(super) code: &'static str,
    pub(super) balance: String,
    pub(super) api_key: String,
    pub(super) secret_key: String,
}

struct Plan {
    id: u32,
    name: &'static str,
    code: &'static str,
    credit_limit: &'static str,
    topup: Option<&'static str>,
    charge: Option<&'static str>,
    locked: bool,
    cidrs: &'static [&'static str],
}

const PLAIN: Plan = Plan {
    id: 9999,
    name: "Demo",
    code: "100",
    credit_limit: "0",
    topup: Some("36693"),
    charge: None,
    locked: false,
    cidrs: &[],
};

const PLANS: [Plan; 5] = [
    PLAIN,
    Plan { id: 1001, name: "Nothing left", topup: None, ..PLAIN },
    Plan {
        id: 1002,
        name: "Credit in use",
        credit_limit: "50000",
        topup: Some("10000"),
        charge: Some("22500"),
        ..PLAIN
    },
    Plan { id: 1003, name: "Locked", code: "102", topup: Some("5000"), locked: true, ..PLAIN },
    // TEST-NET-1 (RFC 5737): an address that no caller of a demo has.
    Plan { id: 1004, name: "Other address only", code: "140", topup: Some("8000"), cidrs: &["192.0.2.0/24"], ..PLAIN },
];

/// Opens them all, the one to play with first.
pub(super) async fn open(api: &mut Door) -> Result<Vec<DemoAccount>, Failure> {
    let mut accounts = Vec::with_capacity(PLANS.len());
    for plan in &PLANS {
        accounts.push(plan.carry_out(api).await?);
    }
    Ok(accounts)
}

/// Adds an operator who moves money; gives the token.
pub(super) async fn operator(api: &mut Door, name: &str) -> Result<String, Failure> {
    let body = Some(json!({ "name": name, "role": "money" }));
    let added = answered(api, Call { method: Method::POST, path: "/v1/operators".into(), key: None, body }).await?;
    Ok(text(&added, "token").to_owned())
}

impl Plan {
    async fn carry_out(&self, api: &mut Door) -> Result<DemoAccount, Failure> {
        let account = format!("/v1/accounts/{}", self.id);
        let new = json!({ "id": self.id, "name": self.name, "credit_limit": self.credit_limit });
        self.post(api, "/v1/accounts", new).await?;
        let wanted = json!({ "label": "demo", "cidrs": self.cidrs });
        let pair = self.post(api, &format!("{account}/credentials"), wanted).await?;
        for (route, amount) in [("topups", self.topup), ("charges", self.charge)] {
            if let Some(amount) = amount {
                self.post(api, &format!("{account}/{route}"), json!({ "amount": amount })).await?;
            }
        }
        if self.locked {
            let body = Some(json!({ "status": "locked", "reason": "demo" }));
            answered(api, Call { method: Method::PATCH, path: account.clone(), key: None, body }).await?;
        }
        let shown = answered(api, Call::get(account)).await?;
        Ok(DemoAccount {
            id: self.id,
            name: self.name,
            code: self.code,
            balance: text(&shown, "balance").to_owned(),
            api_key: text(&pair, "api_key").to_owned(),
            secret_key: text(&pair, "secret_key").to_owned(),
        })
    }

    async fn post(&self, api: &mut Door, path: &str, body: Value) -> Result<Value, Failure> {
        // Each route is called once for each account, so that both together are key enough.
        let key = format!("demo-{}{}", self.id, path.replace('/', "-"));
        answered(api, Call { method: Method::POST, path: path.to_owned(), key: Some(&key), body: Some(body) }).await
    }
}

async fn answered(api: &mut Door, call: Call<'_>) -> Result<Value, Failure> {
    let answer = api.call(call).await?;
    if answer.is_success() { Ok(answer.json) } else { Err(Failure::Problem(answer.json)) }
}
