//! Holds answers against the OpenAPI document: the client of these tests asks it of every answer that it gets.
//!
//! A documented route answers with a documented status, content type, headers and body, and with no member that the
//! document does not name; what it took, the document allows. All else is a problem document.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::http::HeaderMap;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::common::Api;

/// What was sent and what came back.
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a str,
    /// The path, with or without a query.
    pub(crate) target: &'a str,
    /// The body that was sent; empty where there was none.
    pub(crate) sent: &'a str,
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    /// The body that came back.
    pub(crate) text: &'a str,
}

/// Panics unless the answer is one that the document describes.
#[track_caller]
pub(crate) fn check(exchange: &Exchange<'_>) {
    let Exchange { method, target, sent, status, headers, text } = *exchange;
    let what = format!("{method} {target} {status}");
    let path = target.split('?').next().unwrap_or_default();
    let template = template_of(path);
    let operation = template.as_ref().and_then(|template| {
        let pointer = format!("/paths/{}/{}", template.replace('/', "~1"), method.to_lowercase());
        STRICT.pointer(&pointer).map(|_| pointer)
    });
    let Some(operation) = operation else {
        let expected: &[u16] = if template.is_some() { &[400, 401, 405] } else { &[400, 401, 404] };
        assert!(expected.contains(&status), "{what}: no such operation is described");
        return holds("/components/schemas/Problem", &parsed(text, &what), &what);
    };
    let response = followed(format!("{operation}/responses/{status}"));
    let described = STRICT.pointer(&response).unwrap_or_else(|| panic!("{what}: the status is not described"));
    for name in described["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        let value = headers.get(name).unwrap_or_else(|| panic!("{what}: the header {name} is missing"));
        let schema = format!("{}/schema", followed(format!("{response}/headers/{name}")));
        holds(&schema, &value.to_str().expect("ASCII").into(), &what);
    }
    let content_type = headers["content-type"].to_str().expect("ASCII").split(';').next().unwrap_or_default();
    let media = &described["content"][content_type];
    assert!(media.is_object(), "{what}: the content type {content_type} is not described");
    let media_pointer = format!("{response}/content/{}", content_type.replace('/', "~1"));
    match content_type {
        "application/json" | "application/problem+json" => {
            holds(&format!("{media_pointer}/schema"), &parsed(text, &what), &what);
        }
        "application/x-ndjson" => {
            text.lines().for_each(|line| holds(&format!("{media_pointer}/x-line"), &parsed(line, &what), &what));
        }
        _ => holds(&format!("{media_pointer}/schema"), &text.into(), &what),
    }
    // Whatever is wrong with one item of these is said of that item alone.
    let is_list = ["/v1/batch", "/v1/imports"].contains(&path);
    if status < 300 && !sent.is_empty() && !is_list {
        let body = format!("{operation}/requestBody/content/application~1json/schema");
        holds(&body, &parsed(sent, &what), &format!("what {what} took"));
    }
}

/// The document, with no member in any of its objects but those that it names.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = sodu::v1::document().clone();
    narrow(&mut document);
    document
});

fn narrow(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("type") == Some(&json!("object")) && members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
            members.values_mut().for_each(narrow);
        }
        Value::Array(items) => items.iter_mut().for_each(narrow),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The documented path that `path` is one of.
fn template_of(path: &str) -> Option<String> {
    let is_of = |template: &&String| {
        let parts: Vec<_> = template.split('/').collect();
        let given: Vec<_> = path.split('/').collect();
        let fits = |(part, given): (&&str, &&str)| part == given || (part.starts_with('{') && !given.is_empty());
        parts.len() == given.len() && parts.iter().zip(&given).all(fits)
    };
    STRICT["paths"].as_object().expect("paths").keys().find(is_of).cloned()
}

/// Where `pointer` leads, its own `$ref` followed.
fn followed(pointer: String) -> String {
    let reference = STRICT.pointer(&pointer).and_then(|value| value["$ref"].as_str());
    reference.map_or(pointer, |reference| reference.trim_start_matches('#').to_owned())
}

fn parsed(text: &str, what: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{what}: no JSON: {text}"))
}

/// Panics unless `value` is as the schema at `pointer` says.
#[track_caller]
fn holds(pointer: &str, value: &Value, what: &str) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *validators.entry(pointer.to_owned()).or_insert_with(|| {
        let mut schema = STRICT.clone();
        schema["$ref"] = format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D")).into();
        let options = jsonschema::options().should_validate_formats(true);
        Box::leak(Box::new(options.build(&schema).expect("a schema")))
    });
    drop(validators);
    if let Err(error) = validator.validate(value) {
        panic!("{what}: {error} at {}, by {pointer}: {value}", error.instance_path());
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let api = Api::new();
    let served = api.get("/v1/openapi.json").await.expect(200);
    assert_eq!(served.headers["content-type"], "application/json");
    assert_eq!(served.json, *sodu::v1::document());
    assert_eq!(served.json["openapi"], "3.1.0");
}

#[test]
fn the_document_has_the_routes_and_no_others() {
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, item) in sodu::v1::document()["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("methods").keys().filter(|name| *name != "parameters");
        described.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    let mut routes: Vec<(String, String)> =
        sodu::v1::roles().into_iter().map(|(method, path, _)| (path.to_owned(), method.to_string())).collect();
    routes.extend(["/healthz", "/metrics", "/readyz"].map(|path| (path.to_owned(), "GET".to_owned())));
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
}

#[test]
fn parameters_in_the_path_are_described_each() {
    for (path, item) in sodu::v1::document()["paths"].as_object().expect("paths") {
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let described = item["parameters"].as_array().into_iter().flatten().map(|parameter| {
            let reference = parameter["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
            let whole = sodu::v1::document().pointer(reference).filter(|_| !reference.is_empty()).unwrap_or(parameter);
            assert_eq!((&whole["in"], &whole["required"]), (&json!("path"), &json!(true)), "{path}");
            whole["name"].as_str().expect("a name")
        });
        assert!(in_path.eq(described), "{path}");
    }
}

/// The check itself can fail.
#[test]
fn an_answer_that_is_not_described_is_found() {
    let headers = |content_type: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().expect("a type"));
        headers.insert("x-request-id", "r".parse().expect("an id"));
        headers
    };
    let found = |target: &str, status: u16, content_type: &str, text: &str| {
        let headers = headers(content_type);
        let exchange = Exchange { method: "GET", target, sent: "", status, headers: &headers, text };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&exchange))).is_err()
    };
    let fine = r#"{"currencies":[{"code":"VND","scale":2,"public_decimals":0}]}"#;
    assert!(!found("/v1/currencies", 200, "application/json", fine));
    assert!(found("/v1/currencies", 204, "application/json", fine), "a status");
    assert!(found("/v1/currencies", 200, "text/plain", fine), "a content type");
    assert!(found("/v1/currencies", 200, "application/json", &fine.replace('2', "12")), "a figure");
    assert!(found("/v1/currencies", 200, "application/json", &fine.replace("scale", "scales")), "a member");
    assert!(found("/v1/coins", 200, "application/json", fine), "a route");
}
