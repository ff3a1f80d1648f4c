//! One call over HTTP, within its limits: time, size, retries. Knows neither eSMS nor the operator API.
//!
//! The HTTP library follows no redirect, retries nothing by itself and decompresses nothing here, so that all of what
//! happens to a secret stands in this file. Errors carry no URL.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::Fault;
use crate::settings::{Base, Settings, SetupError};

/// The wait before the first retry is up to this long, before each further one up to twice as long.
const WAIT: Duration = Duration::from_millis(200);

/// Longer than any call: what is further away than this cannot be told from "no limit", nor always be added to a clock.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A way to one server.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    settings: Settings,
}

/// A request that can be sent more than once.
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Below the base, without a slash in front, percent-encoded.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) repeat: Repeat,
    /// Whether an answer that says "not now" leaves it open what the server did: a gateway that gave up waiting may have
    /// passed the request on.
    pub(crate) leaves_open: fn(&Answered) -> bool,
}

/// When a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// Sending it twice does what sending it once does.
    Harmless,
    /// Only where it certainly did not reach the server.
    #[cfg_attr(not(feature = "operator"), expect(dead_code, reason = "only the operator API changes anything"))]
    UnlessSent,
}

/// A whole answer, whatever its status.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether an earlier attempt of the same call may have done what it was for, without saying so.
    #[cfg_attr(not(feature = "operator"), expect(dead_code, reason = "only the operator API changes anything"))]
    pub(crate) after_lost: bool,
}

/// No answer.
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    /// Whether the request may have reached the server.
    pub(crate) sent: bool,
}

impl Http {
    pub(crate) fn new(base: &str, settings: Settings) -> Result<Http, SetupError> {
        let Base { url, is_loopback } = Base::parse(base, &settings)?;
        let tls = tls(&url, &settings.extra_roots)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .user_agent(concat!("sodu-client/", env!("CARGO_PKG_VERSION")));
        if is_loopback {
            // What is meant for this machine, perhaps in clear text, must not travel to a proxy.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SetupError::Tls { detail: innermost(&error) })?;
        Ok(Http { client, base: url, settings })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends `ask`, again after a failure that passes if that is allowed, and reads the whole answer.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Answered, Failed> {
        let until = Instant::now() + self.settings.timeout.min(YEAR);
        let timeout = Fault::Timeout { limit: self.settings.timeout };
        let mut lost = false;
        let mut retries = 0;
        loop {
            let Ok(tried) = timeout_at(until, self.once(ask)).await else {
                return Err(Failed { fault: timeout, sent: true });
            };
            let (may_repeat, told_wait) = match &tried {
                Ok(answered) => (is_passing(answered.status) && ask.repeat == Repeat::Harmless, wait_of(answered)),
                Err(failed) => {
                    lost |= failed.sent;
                    let is_passing = matches!(failed.fault, Fault::Connection { .. } | Fault::Broken { .. });
                    (is_passing && (!lost || ask.repeat == Repeat::Harmless), None)
                }
            };
            // No wait is longer than the call may take, whatever number of seconds a server names.
            let wait = told_wait.unwrap_or_default().max(jitter(retries)).min(self.settings.timeout.min(YEAR));
            if !may_repeat || retries == self.settings.retries_max || Instant::now() + wait >= until {
                return match tried {
                    Ok(answered) => Ok(Answered { after_lost: lost, ..answered }),
                    Err(failed) => Err(Failed { sent: lost, ..failed }),
                };
            }
            lost |= tried.is_ok_and(|answered| (ask.leaves_open)(&answered));
            sleep(wait).await;
            retries += 1;
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answered, Failed> {
        let url = self.base.join(&ask.path).expect("a path below a base is a URL");
        let mut request = self.client.request(ask.method.clone(), url).headers(ask.headers.clone());
        request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(body) = &ask.body {
            request = request.header("content-type", HeaderValue::from_static("application/json")).body(body.clone());
        }
        let sent = |fault| Failed { fault, sent: true };
        let mut response = request.send().await.map_err(|error| {
            let detail = innermost(&error);
            if error.is_connect() {
                Failed { fault: Fault::Connection { detail }, sent: false }
            } else {
                sent(Fault::Broken { detail })
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            // Only "see other" says that what was asked for may be done (RFC 9110, section 15.4.4).
            let fault = Fault::Redirected { to: target(&self.base, &headers) };
            return Err(Failed { fault, sent: status == StatusCode::SEE_OTHER });
        }
        if let Some(coding) = coding(&headers).filter(|_| status.is_success()) {
            let found = format!("an answer compressed as {coding}, which was not asked for,");
            return Err(sent(Fault::Unexpected { found, expected: "a plain one" }));
        }
        let body = self.body(&mut response).await.map_err(sent)?;
        Ok(Answered { status, headers, body, after_lost: false })
    }

    /// Reads the body; what is announced too long is not read at all.
    async fn body(&self, response: &mut reqwest::Response) -> Result<Vec<u8>, Fault> {
        let len_max = self.settings.answer_len_max;
        let too_large = || Fault::TooLarge { len_max };
        if response.content_length().is_some_and(|length| length > len_max as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Fault::Broken { detail: innermost(&error) })? {
            if body.len() + chunk.len() > len_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// TLS 1.2 and 1.3 by ring, the certificates judged by the system's roots and `extra_roots`; none is needed to speak plain
/// HTTP.
fn tls(url: &Url, extra_roots: &str) -> Result<ClientConfig, SetupError> {
    let failed = |error: rustls::Error| SetupError::Tls { detail: error.to_string() };
    let extra_roots = roots(extra_roots)?;
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = if url.scheme() == "https" {
        let verifier = Verifier::new_with_extra_roots(extra_roots, provider).map_err(failed)?;
        // Dangerous would be a verifier of our own; this one is what the library itself would set.
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in `pem`, each of which can be an authority's.
fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let bad = |detail: String| SetupError::BadRoots { detail };
    if pem.is_empty() {
        return Ok(Vec::new());
    }
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| bad("one is damaged".into()))?;
    let mut store = RootCertStore::empty();
    roots.iter().try_for_each(|root| store.add(root.clone())).map_err(|error| bad(error.to_string()))?;
    if roots.is_empty() { Err(bad("there is none in them".into())) } else { Ok(roots) }
}

/// Statuses that say "not now".
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// How long the server wants to be left alone, where it says so in seconds (RFC 9110, section 10.2.3).
fn wait_of(answered: &Answered) -> Option<Duration> {
    let seconds = answered.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Up to `WAIT`, doubled with each retry before: clients that failed together do not come back together.
fn jitter(retries: u32) -> Duration {
    let mut byte = [0];
    // Without randomness the longest wait is the friendliest.
    let part = if getrandom::fill(&mut byte).is_ok() { u32::from(byte[0]) + 1 } else { 256 };
    WAIT * 2_u32.saturating_pow(retries.min(6)) * part / 256
}

/// The origin that a redirect names. Its path stays untold: it may carry what should not be shown.
fn target(base: &Url, headers: &HeaderMap) -> Option<String> {
    let target = base.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    target.has_host().then(|| target.origin().ascii_serialization())
}

/// How a body is compressed, where it is.
fn coding(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("something unknown").trim().to_ascii_lowercase();
    let shown: String = coding.chars().filter(|letter| letter.is_ascii_graphic()).take(20).collect();
    (!coding.is_empty() && coding != "identity").then_some(shown)
}

/// The cause of an error: what it wraps says only where it passed through, or names a URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "no reason given".to_owned(), ToString::to_string)
}
