//! `/v1/accounts`: opening, finding, showing and changing accounts.
//!
//! What decides money (credit limit, status) becomes an entry of the ledger; what does not (name, external id, how the
//! balance is shown) is a property beside it.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ledger::{AccountId, Command, Metadata, Minor, Movement, Reason, Status};
use serde_json::{Value, json};
use store::{AccountChange, AccountNow, ChangeError, NewAccount, Profile, ProfileChange, settings_version};

use super::members::Members;
use super::problem::{Problem, Slug};
use super::query::Query;
use super::{Api, Body, Caller, Place, fields, refused, runway, show, together, written};
use crate::times::Bound;

/// The currency of an account for which none is named.
pub(super) const CURRENCY: &str = "VND";
/// The longest name, in bytes.
const NAME_LEN_MAX: usize = 200;
/// The longest external id, in bytes.
const EXTERNAL_ID_LEN_MAX: usize = 128;

/// `POST /v1/accounts`: opens an account; an idempotency key is taken, not demanded.
pub(super) async fn open(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let key = fields::idempotency_key(&headers)?;
    let mut members = Members::read(&body, &["name", "id", "currency", "credit_limit", "external_id"])?;
    let name = name(members.required_text("name")?)?;
    let id = members.whole("id")?.map(fields::new_account_id).transpose()?;
    let external_id = external_id(members.text("external_id")?)?;
    let code = members.text("currency")?.unwrap_or_else(|| CURRENCY.to_owned());
    let currency = api.store.currency(&code).await.map_err(refused::of_fault)?.ok_or_else(|| {
        Problem::new(
            Slug::UnknownCurrency,
            "There is no such currency; list the currencies, or leave \"currency\" out for VND.",
        )
    })?;
    let limit = members.decimal("credit_limit")?;
    let credit_limit = limit.map_or(Ok(Minor::ZERO), |text| fields::credit_limit(&text, currency))?;

    let new = NewAccount { id, name, external_id, currency: code, credit_limit, key, by };
    let outcome = api.changes().open_account(new).await.map_err(|error| {
        count(&api, &error);
        refused::opening(&error)
    })?;
    let (id, entry) = (outcome.entry.account, &outcome.entry);
    let profile = profile(&api, id).await?;
    let now = api.account(id).await?;
    let account = show::account(show::figures_after(entry, currency), &profile, &now, api.open_hold_count(id).await?);
    let status = if outcome.replayed { StatusCode::OK } else { StatusCode::CREATED };
    let location: [(HeaderName, String); 1] = [(header::LOCATION, format!("/v1/accounts/{id}"))];
    let shape = json!({ "account": account, "entry": written::entry(entry, currency), "replayed": outcome.replayed });
    Ok((status, location, Json(shape)).into_response())
}

/// `GET /v1/accounts?query=&cursor=&limit=`: accounts in the order of their numbers, those only that match.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    let query = Query::read(&uri, &["query", "cursor", "limit"])?;
    let limit = query.limit()?;
    let after = query.cursor()?.map(fields::new_account_id).transpose()?;
    let wanted = query.text("query").map(str::to_owned);
    let page = api.read(move |store| store.profiles(wanted.as_deref(), after, limit)).await?;
    let shown = async |profile: &Profile| {
        let now = api.account(profile.id).await?;
        Ok(json!(show::account(show::figures(&now), profile, &now, api.open_hold_count(now.id).await?)))
    };
    let accounts = together(page.items.iter().map(shown)).await.into_iter().collect::<Result<Vec<Value>, Problem>>()?;
    Ok(Json(json!({ "accounts": accounts, "next_cursor": page.next.map(|id| id.to_string()) })))
}

/// `GET /v1/accounts/{id}`.
pub(super) async fn show(State(api): State<Api>, place: Place, uri: Uri) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let now = api.account(place.account).await?;
    whole(&api, &now).await
}

/// `GET /v1/accounts/{id}/balance?at=`: now, from memory, or as it was at an instant.
pub(super) async fn balance(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    let found = api.store.account_and_time(place.account).await.map_err(refused::of_fault)?;
    let (now, clock) = found.ok_or_else(|| refused::unknown_account(place.account))?;
    let query = Query::read(&uri, &["at"])?;
    let Some(at) = query.time("at", Bound::End, &api.zone)? else {
        return Ok(Json(json!(show::balance(&now, clock))));
    };
    if at > clock {
        return Err(Problem::malformed("\"at\" lies in the future; nobody knows yet what is charged until then"));
    }
    let then = api.read(move |store| store.account_as_of(now.id, at)).await?;
    let then = then.ok_or_else(|| {
        Problem::new(Slug::UnknownAccount, format!("Account {} was opened after that instant.", now.id))
    })?;
    Ok(Json(json!(show::balance(&then, at))))
}

/// `PATCH /v1/accounts/{id}`: sets what is named and leaves the rest. What is set already stays without an entry, so that
/// sending the same again is harmless. All of it is one commit, or none; with `If-Match` none where the settings changed
/// since the caller read them.
pub(super) async fn change(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let now = api.account(place.account).await?;
    let expected = expected(&headers)?;
    let Changes { profile: settings, movements, reason } = Changes::read(&body, &now)?;
    // Checked before anything is done: a closed account takes no setting that decides money, and half of a change that
    // could have been refused whole would be a surprise.
    if now.status == Status::Closed && !movements.is_empty() {
        let error = ChangeError::Refused(ledger::Refusal::AccountClosed);
        count(&api, &error);
        return Err(refused::change(now.id, &error, Some(&now)));
    }
    let command = |movement| {
        let (reason, metadata, by) = (reason.clone(), Metadata::default(), by.clone());
        Command { account: now.id, movement, key: None, reference: None, reason, metadata, by }
    };
    let commands = movements.into_iter().map(command).collect();
    let change = AccountChange { profile: settings, commands, expected };
    if let Err(error) = api.changes().change_account(by.clone(), now.id, change).await {
        count(&api, &error);
        let account = api.store.account(now.id).await.ok().flatten();
        return Err(refused::change(now.id, &error, account.as_ref()));
    }
    whole(&api, &api.account(now.id).await?).await
}

/// The version of the settings that the caller has seen (RFC 9110, section 13.1.1).
fn expected(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(version) => Ok(Some(version.to_owned())),
        None if text == "*" => Ok(None),
        None => Err(Problem::malformed("If-Match takes one ETag of this account, in its quotes")),
    }
}

async fn whole(api: &Api, now: &AccountNow) -> Result<Response, Problem> {
    let profile = profile(api, now.id).await?;
    let etag: [(HeaderName, String); 1] = [(header::ETAG, format!("\"{}\"", settings_version(&profile, now)))];
    let holds = api.open_hold_count(now.id).await?;
    let mut shape = json!(show::account(show::figures(now), &profile, now, holds));
    let account = *now;
    let estimate = api.read(move |store| store.runway(&account)).await?;
    if let Some(estimate) = estimate {
        shape["runway"] = runway::shown(&estimate, now.currency, api.now().await?);
    } else {
        shape["runway"] = Value::Null;
    }
    Ok((etag, Json(shape)).into_response())
}

/// What a PATCH asks for.
struct Changes {
    profile: ProfileChange,
    movements: Vec<Movement>,
    reason: Option<Reason>,
}

impl Changes {
    fn read(body: &[u8], now: &AccountNow) -> Result<Changes, Problem> {
        let known = ["name", "external_id", "credit_limit", "status", "shows_available", "metered", "reason"];
        let mut members = Members::read(body, &known)?;
        let others = known.iter().any(|name| !["status", "reason"].contains(name) && members.has(name));
        let reason = fields::reason(&mut members)?;
        let profile = ProfileChange {
            name: members.text("name")?.map(name).transpose()?,
            external_id: members.nullable_text("external_id")?.map(external_id).transpose()?,
            shows_available: members.flag("shows_available")?,
            metered: members.flag("metered")?,
        };
        let limit = members.decimal("credit_limit")?;
        let limit = limit.map(|text| fields::credit_limit(&text, now.currency)).transpose()?;
        let status = members.text("status")?.map(|text| status(&text)).transpose()?;
        if reason.is_some() && limit.is_none() && status.is_none() {
            return Err(Problem::malformed("\"reason\" goes with \"credit_limit\" or \"status\"; nothing was changed"));
        }
        if status == Some(Status::Closed) && others {
            return Err(Problem::malformed("close an account by itself: send \"status\" and \"reason\" only"));
        }
        Ok(Changes { profile, movements: movements(now, limit, status), reason })
    }
}

fn movements(now: &AccountNow, limit: Option<Minor>, status: Option<Status>) -> Vec<Movement> {
    let limit = limit.filter(|limit| *limit != now.credit_limit);
    let status = status.filter(|status| *status != now.status);
    let limit = limit.map(|credit_limit| Movement::Limit { credit_limit });
    limit.into_iter().chain(status.map(|status| Movement::Status { status })).collect()
}

fn status(text: &str) -> Result<Status, Problem> {
    let named = |status: &Status| status.name() == text;
    let known = [Status::Active, Status::Locked, Status::Closed].into_iter().find(named);
    known.ok_or_else(|| Problem::malformed("\"status\" must be \"active\", \"locked\" or \"closed\""))
}

/// What people call an account.
pub(super) fn name(text: String) -> Result<String, Problem> {
    fields::plain("name", text, NAME_LEN_MAX)
}

/// An account's id in the operator's own system.
pub(super) fn external_id(text: Option<String>) -> Result<Option<String>, Problem> {
    text.map(|text| fields::plain("external_id", text, EXTERNAL_ID_LEN_MAX)).transpose()
}

async fn profile(api: &Api, id: AccountId) -> Result<Profile, Problem> {
    api.read(move |store| store.profile(id)).await?.ok_or_else(|| refused::unknown_account(id))
}

/// Counts a refusal of the rules; other errors are not refusals.
fn count(api: &Api, error: &ChangeError) {
    if let ChangeError::Refused(refusal) = error {
        api.metrics.refused(refusal.slug());
    }
}
