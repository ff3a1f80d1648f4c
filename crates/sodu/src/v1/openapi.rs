//! `GET /v1/openapi.json`: the operator API as an OpenAPI 3.1 document, for clients that are generated and for tests.
//!
//! The document is written by hand, in the parts beside this file, family by family. What follows from the tables of routes
//! and of problems is added here rather than written out: an operation names its own problems by slug (`x-problems`), and
//! gets those that every operation of its kind shares, the role that it needs (`x-role`), and the headers of every answer.
//! Tests hold every answer that they get against it, and the routes against its paths.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use store::Role;

use super::problem::{Problem, Slug};
use super::query::Query;

const PARTS: [&str; 9] = [
    include_str!("openapi/head.json"),
    include_str!("openapi/accounts.json"),
    include_str!("openapi/history.json"),
    include_str!("openapi/movements.json"),
    include_str!("openapi/batch.json"),
    include_str!("openapi/credentials.json"),
    include_str!("openapi/alerts.json"),
    include_str!("openapi/settings.json"),
    include_str!("openapi/chores.json"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(assembled);
static TEXT: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

/// The whole document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// `GET /v1/openapi.json`.
pub(super) async fn show(uri: Uri) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    Ok(([(header::CONTENT_TYPE, "application/json")], TEXT.clone()).into_response())
}

fn assembled() -> Value {
    let mut document = json!({});
    for part in PARTS {
        merge(&mut document, serde_json::from_str(part).expect("a part of the document is JSON"));
    }
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let slugs: Vec<&str> = Slug::ALL.iter().map(|slug| slug.name()).collect();
    document["components"]["schemas"]["Problem"]["properties"]["slug"]["enum"] = slugs.into();
    if let Some(responses) = document["components"]["responses"].as_object_mut() {
        responses.values_mut().for_each(identified);
    }
    for (method, path, role) in super::roles() {
        let operation = &mut document["paths"][path][method.as_str().to_lowercase()];
        if let Value::Object(operation) = operation {
            complete(operation, &method, path, role);
        }
    }
    document
}

/// Puts `part` into `document`, object by object.
fn merge(document: &mut Value, part: Value) {
    match (document, part) {
        (Value::Object(members), Value::Object(part)) => {
            for (name, value) in part {
                merge(members.entry(name).or_insert(Value::Null), value);
            }
        }
        (place, part) => *place = part,
    }
}

/// Adds what follows from the route of an operation.
fn complete(operation: &mut Map<String, Value>, method: &Method, path: &str, role: Role) {
    let request_id = json!({ "$ref": "#/components/parameters/RequestId" });
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let is_movement = parameters.to_string().contains("/MovementKey\"");
    parameters.as_array_mut().expect("parameters are a list").push(request_id);
    operation.insert("x-role".into(), role.name().into());

    let own = operation.remove("x-problems").unwrap_or_else(|| json!([]));
    let mut slugs = vec![Slug::Malformed, Slug::Unauthorized, Slug::Unavailable];
    slugs.extend(own.as_array().expect("problems are a list").iter().map(named));
    slugs.extend((role > Role::Read).then_some(Slug::Forbidden));
    slugs.extend(path.contains('{').then_some(Slug::NotFound));
    slugs.extend((*method != Method::GET).then_some(Slug::OutcomeUnknown));
    slugs.extend(operation.contains_key("requestBody").then_some(Slug::BodyTooLarge));
    if is_movement {
        let shared = [Slug::IdempotencyKeyRequired, Slug::UnknownAccount, Slug::KeyReused, Slug::TooManyRefusals];
        slugs.extend(shared);
    }
    let responses = operation["responses"].as_object_mut().expect("responses are an object");
    responses.values_mut().for_each(identified);
    let mut by_status = BTreeMap::<StatusCode, Vec<Slug>>::new();
    slugs.into_iter().for_each(|slug| by_status.entry(slug.status()).or_default().push(slug));
    for (status, slugs) in by_status {
        responses.insert(status.as_str().to_owned(), problem_response(status, &slugs));
    }
}

fn named(name: &Value) -> Slug {
    let slug = Slug::ALL.iter().find(|slug| name == slug.name());
    *slug.expect("the document names only problems that there are")
}

/// One answer of `status`, with any of `slugs`.
fn problem_response(status: StatusCode, slugs: &[Slug]) -> Value {
    let told: Vec<String> = slugs.iter().map(|slug| format!("{}: {}", slug.name(), slug.title())).collect();
    let names: Vec<&str> = slugs.iter().map(|slug| slug.name()).collect();
    let only = json!({ "properties": { "status": { "const": status.as_u16() }, "slug": { "enum": names } } });
    let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Problem" }, only] });
    let mut response =
        json!({ "description": told.join(". "), "content": { "application/problem+json": { "schema": schema } } });
    let header = match status {
        StatusCode::UNAUTHORIZED => Some(("WWW-Authenticate", "Authenticate")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(("Retry-After", "RetryAfter")),
        _ => None,
    };
    if let Some((name, shape)) = header {
        response["headers"][name] = json!({ "$ref": format!("#/components/headers/{shape}") });
    }
    identified(&mut response);
    response
}

/// Every answer says which request it answers.
fn identified(response: &mut Value) {
    if response.get("$ref").is_none() {
        response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/RequestId" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_overwrites_another() {
        let leaves = |document: &Value| -> usize {
            fn count(value: &Value) -> usize {
                match value {
                    Value::Object(members) => members.values().map(count).sum::<usize>().max(1),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => 1,
                }
            }
            count(document)
        };
        let parts: Vec<Value> = PARTS.iter().map(|part| serde_json::from_str(part).expect("JSON")).collect();
        let mut merged = json!({});
        parts.iter().cloned().for_each(|part| merge(&mut merged, part));
        assert_eq!(leaves(&merged), parts.iter().map(leaves).sum::<usize>());
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_is_referred_to() {
        let document = document();
        let text = document.to_string();
        let mut named = std::collections::BTreeSet::new();
        for reference in text.split("\"$ref\":\"").skip(1) {
            let pointer = reference.split('"').next().unwrap_or_default().trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            named.insert(pointer.to_owned());
        }
        for family in ["schemas", "parameters", "headers", "responses"] {
            for name in document["components"][family].as_object().expect("an object").keys() {
                assert!(named.contains(&format!("/components/{family}/{name}")), "{family} {name} is of no use");
            }
        }
    }

    #[test]
    fn every_part_has_well_formed_json_without_a_name_twice() {
        for part in PARTS {
            let names = part.matches("\":").count();
            let value: Value = serde_json::from_str(part).expect("JSON");
            assert!(value.to_string().matches("\":").count() == names, "a name stands twice in one object");
        }
    }
}
