//! Requests to targets that are reached over HTTP, and what their answers mean for another attempt.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode, Url};
use sodu_client::{Fault, transport};

use super::reach::NOT_PUBLIC;
use super::{Courier, Reach, Retry, Undelivered};

/// A receiver that wants to be left alone for longer is asked again after this time all the same.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// Reads a URL of HTTP that was written for a target.
pub(super) fn url(name: &str, text: &str) -> Result<Url, String> {
    // The parser's own error is left out: it may quote the text, which may be a secret.
    let url =
        Url::parse(text).map_err(|_| format!("{name} is no URL; write it like https://hooks.example.com/path"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(format!("{name} must begin with https://")),
    }
}

/// Whether the host is this machine, as far as its name tells.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

impl Courier {
    /// Refuses what must not be asked, as far as the URL tells. What its name leads to is looked at when the connection is
    /// made; an address in its place would be connected to without being looked up.
    pub(super) fn admit(&self, url: &Url) -> Result<(), Undelivered> {
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse();
        if address.is_ok_and(|address| !self.names.admits(address)) {
            return Err(Undelivered::give_up(NOT_PUBLIC));
        }
        if url.scheme() == "http" && !self.settings.allow_plain_http && !is_loopback(host) {
            return Err(Undelivered::give_up(
                "its address begins with http://, which others on the way can read; use https://, or allow plain HTTP \
                 explicitly",
            ));
        }
        Ok(())
    }

    /// Posts JSON and waits for the head of an answer that is no redirect.
    pub(super) async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Response, Undelivered> {
        let is_direct = self.settings.reach == Reach::PublicOnly || is_loopback(url.host_str().unwrap_or_default());
        let client = if is_direct { &self.direct_http } else { &self.http };
        let request = client.post(url.clone()).headers(headers).body(body);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        transport::send(request).await.map_err(|failed| unanswered(&failed.fault))
    }

    /// The time that a whole request has.
    pub(super) async fn in_time<T>(
        &self,
        request: impl Future<Output = Result<T, Undelivered>>,
    ) -> Result<T, Undelivered> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, request).await.unwrap_or_else(|_| Err(unanswered(&Fault::Timeout { limit })))
    }
}

/// What it means that there was no answer.
pub(super) fn unanswered(fault: &Fault) -> Undelivered {
    match fault {
        Fault::Connection { detail } if detail == NOT_PUBLIC => Undelivered::give_up(NOT_PUBLIC),
        Fault::Connection { .. }
        | Fault::Broken { .. }
        | Fault::Timeout { .. }
        | Fault::TooLarge { .. }
        | Fault::Redirected { .. }
        | Fault::Status { .. }
        | Fault::Unexpected { .. } => Undelivered::try_again(fault.to_string()),
    }
}

/// To try again, after as long as the answer says.
pub(super) fn later(after: Option<Duration>, detail: String) -> Undelivered {
    let after = after.map(|after| after.min(WAIT_MAX));
    Undelivered { retry: Retry::TryAgain { after }, detail }
}

/// What a status other than 2xx says, and what to do about it.
pub(super) fn advice(status: StatusCode) -> String {
    let advice = match status.as_u16() {
        401 | 403 => "it does not let sodu in; compare the secret on both sides",
        404 | 405 => "there is no such receiver at this address; check it",
        407 => "the proxy wants a user name and password",
        410 => "the receiver is gone and wants no more messages; remove this target, or give it its new address",
        413 => "the message is too long for it; allow longer ones there",
        429 => "it gets too many messages",
        500.. => "it is in trouble; look at its logs if that goes on",
        _ => "it does not take the message; look at its logs",
    };
    format!("the receiver answers HTTP status {}: {advice}", status.as_u16())
}
