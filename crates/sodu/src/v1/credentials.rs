//! `…/credentials`: the keys with which an account's owner calls the eSMS face.
//!
//! A secret leaves this server once, in the answer that issues it; an imported one never does. Nothing here logs a key.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ledger::Actor;
use serde_json::{Value, json};
use store::{ChangeError, CredentialChange, NewCredential};

use super::members::Members;
use super::problem::Problem;
use super::query::Query;
use super::{Api, Body, Caller, Place, fields, refused, show};

/// The longest label, in bytes.
const LABEL_LEN_MAX: usize = 100;
/// A secret shorter than this is taken, with a warning.
const SECRET_LEN_MIN: usize = 16;

/// `POST …/credentials` `{label?, cidrs?, expires_at?, api_key?, secret_key?}`: issues a pair, or imports the given one.
pub(super) async fn add(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let account = api.account(place.account).await?.id;
    let key = fields::idempotency_key(&headers)?;
    let mut members = Members::read(&body, &["label", "cidrs", "expires_at", "api_key", "secret_key"])?;
    let label = label(members.text("label")?)?;
    let cidrs = fields::cidrs(&members.texts("cidrs")?.unwrap_or_default())?;
    let expires_at = members.text("expires_at")?.map(|text| fields::expiry(&text, &api.zone)).transpose()?;
    let (api_key, secret_key) = (members.text("api_key")?, members.text("secret_key")?);
    let pair = match (api_key, secret_key) {
        (None, None) => Pair { api_key: random_key()?, secret_key: random_key()?, is_imported: false },
        (Some(api_key), Some(secret_key)) => Pair {
            api_key: fields::visible("api_key", api_key)?,
            secret_key: fields::visible("secret_key", secret_key)?,
            is_imported: true,
        },
        (Some(_), None) | (None, Some(_)) => {
            return Err(Problem::malformed(
                "send \"api_key\" and \"secret_key\" to import a pair, or neither to issue one",
            ));
        }
    };
    let Pair { api_key, secret_key, is_imported } = pair;
    let shown = secret_key.clone();
    let new = NewCredential { account, api_key, secret_key, is_imported, label, cidrs, expires_at, key };
    let (credential, replayed) =
        api.changes().add_credential(by, new).await.map_err(|error| refused::change(account, &error, None))?;

    let mut shape = json!(show::credential(&credential));
    shape["replayed"] = replayed.into();
    if replayed {
        shape["note"] = "A secret is shown once, in the first answer; if it is lost, issue another pair.".into();
        return Ok((StatusCode::OK, Json(shape)).into_response());
    }
    if is_imported && shown.len() < SECRET_LEN_MIN {
        let warning = format!("This secret has under {SECRET_LEN_MIN} characters and can be guessed; replace it soon.");
        shape["warning"] = warning.into();
    }
    if !is_imported {
        shape["secret_key"] = shown.into();
    }
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

/// `GET …/credentials`: all of them, without their secrets.
pub(super) async fn list(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    Query::read(&uri, &[])?;
    let account = api.account(place.account).await?.id;
    let credentials = api.read(move |store| store.credentials(account)).await?;
    let shapes: Vec<_> = credentials.iter().map(show::credential).collect();
    Ok(Json(json!({ "credentials": shapes })))
}

/// `PATCH …/credentials/{api_key}` `{label?, cidrs?, expires_at?}`: restricts it otherwise; `null` takes a limit away.
pub(super) async fn change(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
    Body(body): Body,
) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?.id;
    let mut members = Members::read(&body, &["label", "cidrs", "expires_at"])?;
    let expiry = |text: Option<String>| text.map(|text| fields::expiry(&text, &api.zone)).transpose();
    let cidrs = if members.has("cidrs") { Some(members.texts("cidrs")?.unwrap_or_default()) } else { None };
    let change = CredentialChange {
        label: members.nullable_text("label")?.map(label).transpose()?,
        cidrs: cidrs.map(|texts| fields::cidrs(&texts)).transpose()?,
        expires_at: members.nullable_text("expires_at")?.map(expiry).transpose()?,
        revoke: false,
    };
    apply(&api, by, &place, change).await.map_err(|error| refused::change(account, &error, None))
}

/// `DELETE …/credentials/{api_key}`: it answers 101 from now on, for ever.
pub(super) async fn revoke(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    place: Place,
) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?.id;
    let change = CredentialChange { revoke: true, ..CredentialChange::default() };
    apply(&api, by, &place, change).await.map_err(|error| refused::change(account, &error, None))
}

async fn apply(api: &Api, by: Actor, place: &Place, change: CredentialChange) -> Result<Json<Value>, ChangeError> {
    let credential = api.changes().change_credential(by, place.account, &place.part, change).await?;
    Ok(Json(json!(show::credential(&credential))))
}

/// A key and its secret, before the store has them.
struct Pair {
    api_key: String,
    secret_key: String,
    is_imported: bool,
}

/// 30 upper-case hex digits (120 bits) from the system's generator, as eSMS keys look (esms-wire section 3).
fn random_key() -> Result<String, Problem> {
    let bytes: [u8; 15] = fields::random()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// What people call a credential.
pub(super) fn label(text: Option<String>) -> Result<Option<String>, Problem> {
    text.map(|text| fields::plain("label", text, LABEL_LEN_MAX)).transpose()
}
