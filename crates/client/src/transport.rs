//! One exchange over HTTP and TLS, for this library's own calls and for what `sodu` sends by itself.
//!
//! Public for `sodu` alone: none of it is documented or kept stable for others. The HTTP library follows no redirect,
//! retries nothing by itself and decompresses nothing here, so that all of what happens to a secret stands in this file and
//! in its callers. Errors carry no URL.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{ClientBuilder, RequestBuilder, Response, StatusCode, Url, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::fault::Fault;
use crate::settings::SetupError;

/// No answer.
pub struct Failed {
    /// What happened.
    pub fault: Fault,
    /// Whether the request may have reached the server.
    pub sent: bool,
}

/// TLS 1.2 and 1.3 by ring, the certificates judged by the system's roots and `extra_roots`. Without `Some`, none is trusted,
/// which plain HTTP can do with.
pub fn tls(extra_roots: Option<Vec<CertificateDer<'static>>>) -> Result<ClientConfig, SetupError> {
    let failed = |error: rustls::Error| SetupError::Tls { detail: error.to_string() };
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = if let Some(extra_roots) = extra_roots {
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
pub fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
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

/// An HTTP client that does nothing by itself; `agent` is what it calls itself.
pub fn client(tls: ClientConfig, connect_timeout: Duration, agent: &str) -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(connect_timeout)
        .user_agent(agent)
}

/// Sends `request` and waits for the head of the answer. A redirect is a fault.
pub async fn send(request: RequestBuilder) -> Result<Response, Failed> {
    let response = request.send().await.map_err(|error| {
        let detail = innermost(&error);
        if error.is_connect() {
            Failed { fault: Fault::Connection { detail }, sent: false }
        } else {
            Failed { fault: Fault::Broken { detail }, sent: true }
        }
    })?;
    let status = response.status();
    if !status.is_redirection() {
        return Ok(response);
    }
    // Only "see other" says that what was asked for may be done (RFC 9110, section 15.4.4).
    let fault = Fault::Redirected { to: target(response.url(), response.headers()) };
    Err(Failed { fault, sent: status == StatusCode::SEE_OTHER })
}

/// Reads the body up to that many bytes; what is announced to be longer is not read at all.
pub async fn body(response: &mut Response, len_max: usize) -> Result<Vec<u8>, Fault> {
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

/// How long the server wants to be left alone, where it says so in seconds (RFC 9110, section 10.2.3).
pub fn told_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The origin that a redirect names. Its path stays untold: it may carry what should not be shown.
fn target(asked: &Url, headers: &HeaderMap) -> Option<String> {
    let target = asked.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    target.has_host().then(|| target.origin().ascii_serialization())
}

/// The cause of an error: what it wraps says only where it passed through, or names a URL.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "no reason given".to_owned(), ToString::to_string)
}
