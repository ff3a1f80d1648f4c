//! What a caller hears when the answer is no: RFC 9457 problem documents, from one table.
//!
//! A problem carries fixed words, a stable slug and the figures that explain it, and says what to do next. It never
//! carries a secret, a full API key, or the cause of a fault: causes go to the log, where they are handled.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::request;

/// Every way in which the operator API says no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slug {
    Malformed,
    IdempotencyKeyRequired,
    Unauthorized,
    Forbidden,
    NotFound,
    UnknownAccount,
    UnknownEntry,
    UnknownCredential,
    UnknownCurrency,
    UnknownOperator,
    UnknownHold,
    UnknownCharge,
    UnknownKey,
    MethodNotAllowed,
    InsufficientCredit,
    AccountLocked,
    AccountClosed,
    RecipientClosed,
    AccountNotEmpty,
    HoldNotOpen,
    AccountExists,
    CredentialExists,
    OperatorExists,
    CurrencyExists,
    TooManyCurrencies,
    FileExists,
    SettingsChanged,
    BodyTooLarge,
    AmountOutOfRange,
    CaptureExceedsHold,
    RefundExceedsCharge,
    SameAccount,
    CurrencyMismatch,
    KeyReused,
    TooManyRefusals,
    Unavailable,
    OutcomeUnknown,
    BackupFailed,
    NotSaved,
}

impl Slug {
    /// The name that programs read.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The table: the name that programs read, the HTTP status, the title that people read.
    fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Slug::Malformed => ("malformed", S::BAD_REQUEST, "The request cannot be understood"),
            Slug::IdempotencyKeyRequired => {
                ("idempotency_key_required", S::BAD_REQUEST, "A movement needs an idempotency key")
            }
            Slug::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "The caller is not known"),
            Slug::Forbidden => ("forbidden", S::FORBIDDEN, "The caller's role does not reach that far"),
            Slug::NotFound => ("not_found", S::NOT_FOUND, "There is no such route"),
            Slug::UnknownAccount => ("unknown_account", S::NOT_FOUND, "There is no such account"),
            Slug::UnknownEntry => ("unknown_entry", S::NOT_FOUND, "There is no such entry"),
            Slug::UnknownCredential => ("unknown_credential", S::NOT_FOUND, "There is no such credential"),
            Slug::UnknownCurrency => ("unknown_currency", S::NOT_FOUND, "There is no such currency"),
            Slug::UnknownOperator => ("unknown_operator", S::NOT_FOUND, "There is no such operator"),
            Slug::UnknownHold => ("unknown_hold", S::NOT_FOUND, "There is no such hold"),
            Slug::UnknownCharge => ("unknown_charge", S::NOT_FOUND, "There is no such charge"),
            Slug::UnknownKey => ("unknown_key", S::NOT_FOUND, "The idempotency key has done nothing"),
            Slug::MethodNotAllowed => {
                ("method_not_allowed", S::METHOD_NOT_ALLOWED, "The route does not take this method")
            }
            Slug::InsufficientCredit => ("insufficient_credit", S::CONFLICT, "Not enough credit"),
            Slug::AccountLocked => ("account_locked", S::CONFLICT, "The account is locked"),
            Slug::AccountClosed => ("account_closed", S::CONFLICT, "The account is closed"),
            Slug::RecipientClosed => ("recipient_closed", S::CONFLICT, "The account that would get it is closed"),
            Slug::HoldNotOpen => ("hold_not_open", S::CONFLICT, "The hold has ended"),
            Slug::AccountNotEmpty => ("account_not_empty", S::CONFLICT, "The account is not empty"),
            Slug::AccountExists => ("account_exists", S::CONFLICT, "The account exists already"),
            Slug::CredentialExists => ("credential_exists", S::CONFLICT, "The API key exists already"),
            Slug::OperatorExists => ("operator_exists", S::CONFLICT, "The operator's name is taken"),
            Slug::CurrencyExists => ("currency_exists", S::CONFLICT, "The currency exists already"),
            Slug::TooManyCurrencies => ("too_many_currencies", S::CONFLICT, "No further currency can be kept"),
            Slug::FileExists => ("file_exists", S::CONFLICT, "The file exists already"),
            Slug::SettingsChanged => {
                ("settings_changed", S::PRECONDITION_FAILED, "The settings changed since they were read")
            }
            Slug::BodyTooLarge => ("body_too_large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Slug::AmountOutOfRange => ("amount_out_of_range", S::UNPROCESSABLE_ENTITY, "The amount cannot be taken"),
            Slug::CaptureExceedsHold => {
                ("capture_exceeds_hold", S::UNPROCESSABLE_ENTITY, "The capture is greater than the hold")
            }
            Slug::RefundExceedsCharge => {
                ("refund_exceeds_charge", S::UNPROCESSABLE_ENTITY, "The refund is greater than the charge")
            }
            Slug::SameAccount => ("same_account", S::UNPROCESSABLE_ENTITY, "Both accounts are the same"),
            Slug::CurrencyMismatch => {
                ("currency_mismatch", S::UNPROCESSABLE_ENTITY, "The accounts have different currencies")
            }
            Slug::TooManyRefusals => {
                ("too_many_refusals", S::TOO_MANY_REQUESTS, "The account is refused too often; nothing was decided")
            }
            Slug::KeyReused => {
                ("key_reused", S::UNPROCESSABLE_ENTITY, "The idempotency key was used for something else")
            }
            Slug::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "Nothing happened; try again later"),
            Slug::OutcomeUnknown => {
                ("outcome_unknown", S::SERVICE_UNAVAILABLE, "It may have happened; send the same key again")
            }
            Slug::NotSaved => ("not_saved", S::INTERNAL_SERVER_ERROR, "The links were not saved"),
            Slug::BackupFailed => ("backup_failed", S::INTERNAL_SERVER_ERROR, "The backup was not written"),
        }
    }
}

/// One problem document.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Problem {
    slug: Slug,
    detail: String,
    figures: Map<String, Value>,
}

impl Problem {
    /// `detail` says in a sentence what is wrong and what to do.
    pub(crate) fn new(slug: Slug, detail: impl Into<String>) -> Problem {
        Problem { slug, detail: detail.into(), figures: Map::new() }
    }

    /// The request, or a part of it, is not of the form that the route takes.
    pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(Slug::Malformed, detail)
    }

    /// With a member that explains it further.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// The status that it is sent with.
    pub(crate) fn status(&self) -> StatusCode {
        self.slug.row().1
    }

    /// The document, as it is sent; while a request is being answered, with its id.
    pub(crate) fn document(&self) -> Value {
        let (slug, status, title) = self.slug.row();
        let mut document = json!({
            "type": format!("urn:sodu:problem:{slug}"),
            "slug": slug,
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        if let Value::Object(members) = &mut document {
            members.extend(self.figures.clone());
            if let Some(id) = request::current() {
                members.insert("request_id".into(), id.as_str().into());
            }
        }
        document
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.document())).into_response();
        response.extensions_mut().insert(self.slug);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.slug, Slug::Unavailable | Slug::OutcomeUnknown | Slug::TooManyRefusals) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.slug == Slug::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
