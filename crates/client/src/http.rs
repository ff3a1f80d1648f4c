//! One call over HTTP, within its limits: time, size, retries. Knows neither eSMS nor the operator API.
//!
//! What a single exchange is, and what it does not do by itself, stands in `transport`. Errors carry no URL.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::Fault;
use crate::settings::{Base, Settings, SetupError};
use crate::transport::{self, Failed};

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

impl Http {
    pub(crate) fn new(base: &str, settings: Settings) -> Result<Http, SetupError> {
        let Base { url, is_loopback } = Base::parse(base, &settings)?;
        let extra_roots = transport::roots(&settings.extra_roots)?;
        // Plain HTTP needs no root certificates, so that it works where the system has none.
        let tls = transport::tls((url.scheme() == "https").then_some(extra_roots))?;
        let agent = concat!("sodu-client/", env!("CARGO_PKG_VERSION"));
        let mut builder = transport::client(tls, settings.connect_timeout, agent);
        if is_loopback {
            // What is meant for this machine, perhaps in clear text, must not travel to a proxy.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SetupError::Tls { detail: transport::innermost(&error) })?;
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
                Ok(answered) => (
                    is_passing(answered.status) && ask.repeat == Repeat::Harmless,
                    transport::told_wait(&answered.headers),
                ),
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
        let mut response = transport::send(request).await?;
        let sent = |fault| Failed { fault, sent: true };
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(coding) = coding(&headers).filter(|_| status.is_success()) {
            let found = format!("an answer compressed as {coding}, which was not asked for,");
            return Err(sent(Fault::Unexpected { found, expected: "a plain one" }));
        }
        let body = transport::body(&mut response, self.settings.answer_len_max).await.map_err(sent)?;
        Ok(Answered { status, headers, body, after_lost: false })
    }
}

/// Statuses that say "not now".
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// Up to `WAIT`, doubled with each retry before: clients that failed together do not come back together.
fn jitter(retries: u32) -> Duration {
    let mut byte = [0];
    // Without randomness the longest wait is the friendliest.
    let part = if getrandom::fill(&mut byte).is_ok() { u32::from(byte[0]) + 1 } else { 256 };
    WAIT * 2_u32.saturating_pow(retries.min(6)) * part / 256
}

/// How a body is compressed, where it is.
fn coding(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("something unknown").trim().to_ascii_lowercase();
    let shown: String = coding.chars().filter(|letter| letter.is_ascii_graphic()).take(20).collect();
    (!coding.is_empty() && coding != "identity").then_some(shown)
}
