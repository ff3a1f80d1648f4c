//! `POST /v1/imports`: accounts that come from elsewhere, each with its key pair and its balance.
//!
//! Up to a thousand in one commit, or with PostgreSQL in several short ones. Each has an idempotency key of its own, under
//! which all its parts are made: an import that was cut off is sent again and makes only what is missing. With
//! `"check": true` nothing is made, and the answer says what stands in the way.

use axum::extract::State;
use axum::{Extension, Json};
use ledger::{Actor, Currency, Minor};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{ChangeError, Imported, ImportedAccount, ImportedCredential, NewAccount};

use super::accounts::{self, CURRENCY};
use super::credentials;
use super::members::Members;
use super::problem::{Problem, Slug};
use super::{Api, Caller, Whole, batch, fields, refused};

/// The most accounts of one request.
const LEN_MAX: usize = 1000;

const MEMBERS: [&str; 12] = [
    "key",
    "id",
    "name",
    "currency",
    "credit_limit",
    "external_id",
    "api_key",
    "secret_key",
    "label",
    "cidrs",
    "expires_at",
    "balance",
];

/// `{accounts: […], check?}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts<'a> {
    #[serde(borrow)]
    accounts: Vec<&'a RawValue>,
    #[serde(default)]
    check: bool,
}

/// `POST /v1/imports` `{accounts: [{key, name, id?, …}], check?}`.
pub(super) async fn import(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Whole(body): Whole,
) -> Result<Json<Value>, Problem> {
    let Accounts { accounts, check } =
        serde_json::from_slice(&body).map_err(|error| batch::unreadable("accounts", &error))?;
    if accounts.len() > LEN_MAX {
        let detail = format!("an import takes up to {LEN_MAX} accounts a request, and this one has {}", accounts.len());
        return Err(Problem::malformed(detail));
    }
    let mut rows = Vec::with_capacity(accounts.len());
    let mut outcomes: Vec<Option<Value>> = Vec::with_capacity(accounts.len());
    let currencies = api.store.currencies().await.map_err(refused::of_fault)?;
    for account in accounts {
        match read(&api, &currencies, account.get().as_bytes(), &by) {
            Ok(row) => {
                rows.push(row);
                outcomes.push(None);
            }
            Err(problem) => outcomes.push(Some(no(&problem))),
        }
    }
    let made = api.changes().import(by, rows, check).await.map_err(refused::of_fault)?;
    let mut made = made.iter();
    let outcomes: Vec<Value> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| shown(made.next().expect("each row has its outcome"), check)))
        .collect();
    Ok(Json(json!({ "outcomes": outcomes })))
}

fn shown(made: &Result<Imported, ChangeError>, is_check: bool) -> Value {
    match made {
        Ok(_) if is_check => json!({ "status": 200 }),
        Ok(Imported { account, replayed }) => {
            let status = if *replayed { 200 } else { 201 };
            json!({ "status": status, "account": account.get(), "replayed": replayed })
        }
        Err(error) => no(&refused::opening(error)),
    }
}

fn no(problem: &Problem) -> Value {
    json!({ "status": problem.status().as_u16(), "problem": problem.document() })
}

fn read(api: &Api, currencies: &[Currency], account: &[u8], by: &Actor) -> Result<ImportedAccount, Problem> {
    let mut members = Members::read(account, &MEMBERS)?;
    let key = fields::key(&members.required_text("key")?)?;
    let name = accounts::name(members.required_text("name")?)?;
    let id = members.whole("id")?.map(fields::new_account_id).transpose()?;
    let external_id = accounts::external_id(members.text("external_id")?)?;
    let code = members.text("currency")?.unwrap_or_else(|| CURRENCY.to_owned());
    let currency = currencies.iter().copied().find(|currency| currency.code() == code).ok_or_else(|| {
        Problem::new(Slug::UnknownCurrency, "There is no such currency; add it first, or leave it out for VND.")
    })?;
    let limit = members.decimal("credit_limit")?;
    let credit_limit = limit.map_or(Ok(Minor::ZERO), |text| fields::credit_limit(&text, currency))?;
    let balance = members.decimal("balance")?;
    let balance = balance.map_or(Ok(Minor::ZERO), |text| fields::figure("balance", &text, currency))?;
    let label = credentials::label(members.text("label")?)?;
    let cidrs = fields::cidrs(&members.texts("cidrs")?.unwrap_or_default())?;
    let expires_at = members.text("expires_at")?.map(|text| fields::expiry(&text, &api.zone)).transpose()?;
    let credential = match (members.text("api_key")?, members.text("secret_key")?) {
        (Some(api_key), Some(secret_key)) => Some(ImportedCredential {
            api_key: fields::visible("api_key", api_key)?,
            secret_key: fields::visible("secret_key", secret_key)?,
            label,
            cidrs,
            expires_at,
        }),
        (None, None) if label.is_none() && cidrs.is_empty() && expires_at.is_none() => None,
        _ => {
            return Err(Problem::malformed(
                "\"api_key\" and \"secret_key\" go together, and all else of a key with them",
            ));
        }
    };
    let account = NewAccount { id, name, external_id, currency: code, credit_limit, key: Some(key), by: by.clone() };
    Ok(ImportedAccount { account, credential, balance })
}
