//! Signed webhooks as Standard Webhooks 1.0.0 has them (standard-webhooks, spec/standard-webhooks.md).
//!
//! 2xx is delivered, whatever its body, which is not read. 410 is the end. Everything else may pass, as the specification
//! has it: a receiver that answers 404 or 401 today is often one that is being set up, or whose secret is being replaced.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use ring::hmac;
use sodu_client::transport;

use super::http::{advice, later, url};
use super::{Courier, Message, Undelivered};

/// How many bytes a secret has.
const SECRET_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// How many secrets may sign at a time: the one in use, the next one, and one that was forgotten.
const SECRETS_MAX: usize = 3;

/// Secrets are read with padding and without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A webhook that can be sent to.
pub(super) struct Webhook {
    pub(super) url: Url,
    keys: Vec<hmac::Key>,
}

impl Webhook {
    pub(super) fn parse(address: &str, secrets: &[String]) -> Result<Webhook, String> {
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(format!("a webhook takes 1 to {SECRETS_MAX} secrets, not {}", secrets.len()));
        }
        let keys = secrets.iter().map(|secret| key(secret)).collect::<Result<_, _>>()?;
        Ok(Webhook { url: url("webhook", address)?, keys })
    }

    pub(super) async fn send(&self, courier: &Courier, message: &Message) -> Result<(), Undelivered> {
        // The time of the attempt, not of the event: receivers refuse what is old, since it may be a replay.
        let now_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let body = message.event.to_string();
        let signatures = sign(&self.keys, &message.id, now_unix_s, &body);
        let header = |text: &str| HeaderValue::from_str(text).expect("ids, digits and base64 are visible ASCII");
        let headers = HeaderMap::from_iter([
            ("webhook-id".parse().expect("a name"), header(&message.id)),
            ("webhook-timestamp".parse().expect("a name"), header(&now_unix_s.to_string())),
            ("webhook-signature".parse().expect("a name"), header(&signatures)),
        ]);
        let response = courier.in_time(courier.post(&self.url, headers, body.into_bytes())).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Undelivered::give_up(advice(StatusCode::GONE))),
            status => Err(later(transport::told_wait(response.headers()), advice(status))),
        }
    }
}

/// Reads `whsec_` and base64.
fn key(secret: &str) -> Result<hmac::Key, String> {
    let wanted =
        "it is whsec_ and base64 of 24 to 64 random bytes; make one with: echo whsec_$(openssl rand -base64 32)";
    let text = secret.strip_prefix("whsec_").ok_or_else(|| format!("secret does not begin with whsec_: {wanted}"))?;
    let bytes = LENIENT.decode(text).map_err(|_| format!("secret is no base64 after whsec_: {wanted}"))?;
    if !SECRET_LEN.contains(&bytes.len()) {
        return Err(format!("secret has {} bytes: {wanted}", bytes.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// A signature by each key, separated by spaces.
fn sign(keys: &[hmac::Key], id: &str, timestamp_s: u64, body: &str) -> String {
    let signed = format!("{id}.{timestamp_s}.{body}");
    let signatures = keys.iter().map(|key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes()))));
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own test suites.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let keys = [key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key")];
        let signature = sign(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_have_a_form_and_a_length() {
        let of = |len: usize| format!("whsec_{}", STANDARD.encode(vec![7; len]));
        for good in [of(24), of(64), of(32).trim_end_matches('=').to_owned()] {
            assert!(key(&good).is_ok(), "{good}");
        }
        let cases = [
            (of(23), "secret has 23 bytes"),
            (of(65), "secret has 65 bytes"),
            (of(32)[6..].to_owned(), "secret does not begin with whsec_"),
            ("whsec_ÄÖ".to_owned(), "secret is no base64"),
        ];
        for (bad, why) in cases {
            let error = key(&bad).expect_err(&bad);
            assert!(error.starts_with(why) && error.contains("openssl rand"), "{error}");
            assert!(!error.contains(&bad), "{error}");
        }
    }
}
