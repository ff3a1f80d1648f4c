//! What a caller hears when the answer is no: RFC 9457 problem documents, from one table.
//!
//! A problem carries fixed words, a stable slug and the figures that explain it, and says what to do next. It never
//! carries a secret, a full API key, or the cause of a fault: causes go to the log, where they are handled.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::request;

/// Declares [`Slug`] from its table: the name that programs read, the HTTP status, the title that people read.
macro_rules! slugs {
    ($($variant:ident = ($name:literal, $status:ident, $title:literal),)*) => {
        /// Every way in which the operator API says no.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Slug {
            $($variant),*
        }

        impl Slug {
            /// All of them.
            pub(super) const ALL: &[Slug] = &[$(Slug::$variant),*];

            fn row(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Slug::$variant => ($name, StatusCode::$status, $title)),*
                }
            }
        }
    };
}

slugs! {
    Malformed = ("malformed", BAD_REQUEST, "The request cannot be understood"),
    IdempotencyKeyRequired = ("idempotency_key_required", BAD_REQUEST, "A movement needs an idempotency key"),
    Unauthorized = ("unauthorized", UNAUTHORIZED, "The caller is not known"),
    Forbidden = ("forbidden", FORBIDDEN, "The caller's role does not reach that far"),
    NotFound = ("not_found", NOT_FOUND, "There is no such route"),
    UnknownAccount = ("unknown_account", NOT_FOUND, "There is no such account"),
    UnknownEntry = ("unknown_entry", NOT_FOUND, "There is no such entry"),
    UnknownCredential = ("unknown_credential", NOT_FOUND, "There is no such credential"),
    UnknownCurrency = ("unknown_currency", NOT_FOUND, "There is no such currency"),
    UnknownOperator = ("unknown_operator", NOT_FOUND, "There is no such operator"),
    UnknownDelivery = ("unknown_delivery", NOT_FOUND, "There is no such delivery"),
    UnknownHold = ("unknown_hold", NOT_FOUND, "There is no such hold"),
    UnknownCharge = ("unknown_charge", NOT_FOUND, "There is no such charge"),
    UnknownKey = ("unknown_key", NOT_FOUND, "The idempotency key has done nothing"),
    MethodNotAllowed = ("method_not_allowed", METHOD_NOT_ALLOWED, "The route does not take this method"),
    InsufficientCredit = ("insufficient_credit", CONFLICT, "Not enough credit"),
    AccountLocked = ("account_locked", CONFLICT, "The account is locked"),
    AccountClosed = ("account_closed", CONFLICT, "The account is closed"),
    RecipientClosed = ("recipient_closed", CONFLICT, "The account that would get it is closed"),
    AccountNotEmpty = ("account_not_empty", CONFLICT, "The account is not empty"),
    HoldNotOpen = ("hold_not_open", CONFLICT, "The hold has ended"),
    AccountExists = ("account_exists", CONFLICT, "The account exists already"),
    CredentialExists = ("credential_exists", CONFLICT, "The API key exists already"),
    OperatorExists = ("operator_exists", CONFLICT, "The operator's name is taken"),
    CurrencyExists = ("currency_exists", CONFLICT, "The currency exists already"),
    TooManyCurrencies = ("too_many_currencies", CONFLICT, "No further currency can be kept"),
    FileExists = ("file_exists", CONFLICT, "The file exists already"),
    SettingsChanged = ("settings_changed", PRECONDITION_FAILED, "The settings changed since they were read"),
    BodyTooLarge = ("body_too_large", PAYLOAD_TOO_LARGE, "The body is too large"),
    AmountOutOfRange = ("amount_out_of_range", UNPROCESSABLE_ENTITY, "The amount cannot be taken"),
    CaptureExceedsHold = ("capture_exceeds_hold", UNPROCESSABLE_ENTITY, "The capture is greater than the hold"),
    RefundExceedsCharge = ("refund_exceeds_charge", UNPROCESSABLE_ENTITY, "The refund is greater than the charge"),
    SameAccount = ("same_account", UNPROCESSABLE_ENTITY, "Both accounts are the same"),
    CurrencyMismatch = ("currency_mismatch", UNPROCESSABLE_ENTITY, "The accounts have different currencies"),
    KeyReused = ("key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for something else"),
    TooManyRefusals = ("too_many_refusals", TOO_MANY_REQUESTS, "The account is refused too often; nothing was decided"),
    Unavailable = ("unavailable", SERVICE_UNAVAILABLE, "Nothing happened; try again later"),
    OutcomeUnknown = ("outcome_unknown", SERVICE_UNAVAILABLE, "It may have happened; send the same key again"),
    BackupFailed = ("backup_failed", INTERNAL_SERVER_ERROR, "The backup was not written"),
    NotSaved = ("not_saved", INTERNAL_SERVER_ERROR, "The links were not saved"),
}

impl Slug {
    /// The name that programs read.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The status that it is sent with.
    pub(super) fn status(self) -> StatusCode {
        self.row().1
    }

    /// What it means, for people.
    pub(super) fn title(self) -> &'static str {
        self.row().2
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
        self.slug.status()
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
