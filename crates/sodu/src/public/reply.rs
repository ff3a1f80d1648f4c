//! HTTP around an eSMS answer: status, headers, and the sentences for what never reaches the contract.
//!
//! Every answer may be read by scripts of any origin: what it says depends only on the keys that the request itself
//! carried, and credentials of the browser are never allowed along. No answer to a GET may be kept by a cache: a
//! balance is true now. An answer to a POST is kept by none anyway (RFC 9110, section 9.3.3).

use std::io::Cursor;

use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER,
};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use wire::{Answer, Code, Format, Route};

use crate::metrics::Outcome;

/// The body of an answer.
pub(super) type Body = Full<Cursor<Vec<u8>>>;

static JSON: HeaderValue = HeaderValue::from_static(Format::Json.content_type());
static XML: HeaderValue = HeaderValue::from_static(Format::Xml.content_type());
static ANY: HeaderValue = HeaderValue::from_static("*");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The length that nearly every answer stays under.
const ANSWER_LEN: usize = 128;

/// What a request is answered with.
pub(super) struct Reply {
    outcome: Outcome,
    format: Format,
    answer: Answer<'static>,
    /// What the route takes, where the answer is to say so.
    allow: &'static str,
    /// Whether the connection ends with it.
    closes: bool,
    /// Whether a cache could keep it if it were not told otherwise.
    could_be_kept: bool,
}

impl Reply {
    /// An answer of the contract itself.
    pub(super) fn new(outcome: Outcome, format: Format, answer: Answer<'static>) -> Reply {
        Reply { outcome, format, answer, allow: "", closes: false, could_be_kept: false }
    }

    /// The same, as an answer to what may be a GET.
    pub(super) fn not_kept(self) -> Reply {
        Reply { could_be_kept: true, ..self }
    }

    fn unknown(outcome: Outcome, format: Format, message: &'static str) -> Reply {
        Reply::new(outcome, format, Answer::Refused { code: Code::Unknown, message })
    }

    /// 404.
    pub(super) fn unknown_path() -> Reply {
        let message = "There is no such path: send POST /MainService.svc/json/GetBalance_json";
        Reply::unknown(Outcome::UnknownPath, Format::Json, message)
    }

    /// 405, with what the route takes.
    pub(super) fn wrong_method(route: &Route<'_>) -> Reply {
        let message = match route {
            Route::Post(_) => "This path takes POST only, with ApiKey and SecretKey in the body",
            Route::Get(..) => "This path takes GET only, with ApiKey and SecretKey in the path",
        };
        Reply { allow: route.allow(), ..Reply::unknown(Outcome::WrongMethod, route.format(), message) }
    }

    /// 204: what a browser asks before it sends a request from another origin (Fetch Standard, CORS-preflight request).
    pub(super) fn preflight(route: &Route<'_>) -> Reply {
        Reply { allow: route.allow(), ..Reply::unknown(Outcome::Preflight, route.format(), "") }
    }

    /// 413.
    pub(super) fn too_large(format: Format) -> Reply {
        let message = "The request body is larger than 65536 bytes: send only ApiKey and SecretKey";
        Reply { closes: true, ..Reply::unknown(Outcome::TooLarge, format, message) }
    }

    /// 408.
    pub(super) fn too_slow(format: Format) -> Reply {
        let message = "The request body did not arrive in time, please try again";
        Reply { closes: true, ..Reply::unknown(Outcome::TooSlow, format, message) }
    }

    /// 400, to a body that ends before its end or is not chunked as it says.
    pub(super) fn broken_off(format: Format) -> Reply {
        let message = "The request body broke off, please try again";
        Reply { closes: true, ..Reply::unknown(Outcome::Malformed, format, message) }
    }

    /// 503.
    pub(super) fn stopping(format: Format) -> Reply {
        let message = "The service is restarting, please try again in a moment";
        Reply { closes: true, ..Reply::unknown(Outcome::Unavailable, format, message) }
    }

    /// What it is, for counting.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The response. `headers` are the request's: their memory is used again, since an allocation for each response
    /// costs as much as the rest of it.
    pub(super) fn into_response(self, mut headers: HeaderMap) -> Response<Body> {
        let preflight = self.outcome == Outcome::Preflight;
        let asked_headers = if preflight { headers.remove(ACCESS_CONTROL_REQUEST_HEADERS) } else { None };
        headers.clear();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY.clone());
        let mut body = Vec::new();
        if preflight {
            let any_header = HeaderValue::from_static("Content-Type, Accept, Authorization, X-Requested-With");
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(self.allow));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked_headers.unwrap_or(any_header));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        } else {
            let content_type = match self.format {
                Format::Json => &JSON,
                Format::Xml => &XML,
            };
            headers.insert(CONTENT_TYPE, content_type.clone());
            body.reserve(ANSWER_LEN);
            wire::write(self.format, &self.answer, &mut body);
        }
        let status = self.outcome.status();
        if !self.allow.is_empty() {
            headers.insert(ALLOW, HeaderValue::from_static(self.allow));
        }
        if self.could_be_kept {
            headers.insert(CACHE_CONTROL, NO_STORE.clone());
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let mut response = Response::new(Full::new(Cursor::new(body)));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

// The sentence of 413 spells the limit out.
const _: () = assert!(wire::BODY_LEN_MAX == 65536);
