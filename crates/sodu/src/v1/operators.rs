//! `/v1/operators`: who may use this API over a network.
//!
//! A token leaves this server once, in the answer that makes it. An operator keeps their role and their name for ever: who
//! needs another role, or lost the token, is added under another name.

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use store::{ChangeError, NewOperator, Operator, OperatorName, Role};

use super::members::Members;
use super::problem::Problem;
use super::query::Query;
use super::{Api, Body, Caller, fields, refused};
use crate::times::rfc3339;

/// `POST /v1/operators` `{name, role}`: adds one, and answers with the token.
pub(super) async fn add(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let mut members = Members::read(&body, &["name", "role"])?;
    let name = members.required_text("name")?;
    let name = OperatorName::new(&name).ok_or_else(|| {
        Problem::malformed(
            "\"name\" must be 1 to 64 lower-case letters, digits, dots, underscores, dashes and at signs, beginning \
             with a letter or digit",
        )
    })?;
    let role = Role::parse(&members.required_text("role")?)
        .ok_or_else(|| Problem::malformed("\"role\" must be \"read\", \"money\" or \"admin\""))?;
    let token = new_token()?;
    let new = NewOperator { name, role, token: token.clone() };
    let operator = api.changes().add_operator(by, new).await.map_err(|error| refused::setting(&error))?;
    let shape = json!({
        "name": operator.name.as_str(),
        "role": operator.role.name(),
        "created_at": rfc3339(operator.created_at),
        "token": token,
    });
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

/// `GET /v1/operators`: everyone who ever was one, in the order in which they were added.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Value>, Problem> {
    Query::read(&uri, &[])?;
    let operators = api.read(store::Store::operators).await?;
    Ok(Json(json!({ "operators": operators.iter().map(shown).collect::<Vec<_>>() })))
}

/// `DELETE /v1/operators/{name}`: their token stops to work, for ever. Said again, it is so already.
pub(super) async fn revoke(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Named(name): Named,
) -> Result<Json<Value>, Problem> {
    let name = OperatorName::new(&name).ok_or_else(|| refused::setting(&ChangeError::UnknownOperator))?;
    let operator = api.changes().revoke_operator(by, name).await.map_err(|error| refused::setting(&error))?;
    Ok(Json(shown(&operator)))
}

fn shown(operator: &Operator) -> Value {
    json!({
        "name": operator.name.as_str(),
        "role": operator.role.name(),
        "created_at": rfc3339(operator.created_at),
        "created_by": operator.created_by.as_str(),
        "revoked_at": operator.revoked_at.map(rfc3339),
    })
}

/// `sodu_` and 40 lower-case hex digits (160 bits) from the system's generator; the prefix lets scanners for leaked secrets
/// know one when they see it.
fn new_token() -> Result<String, Problem> {
    let bytes: [u8; 20] = fields::random()?;
    Ok(bytes.iter().fold("sodu_".to_owned(), |token, byte| format!("{token}{byte:02x}")))
}

/// The last part of the path.
pub(super) struct Named(String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| super::not_utf8())?;
        Ok(Named(params.iter().last().map_or("", |(_, value)| value).to_owned()))
    }
}
