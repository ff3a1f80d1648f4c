//! The check that the caller's address arrives through haproxy: a key that only one address may use.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Cluster;
use crate::http::{Connection, Request};
use crate::operator::get_balance_body;
use crate::random::Random;

/// Whose key it is; the account of the demo.
const ACCOUNT: u64 = 9999;
const ALLOWED: Ipv4Addr = Ipv4Addr::LOCALHOST;
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// As many calls as let each node have some, whichever comes first.
const CALLS: usize = 6;

/// A pair that only [`ALLOWED`] may use.
pub(super) struct Pair {
    pub(super) api_key: String,
    pub(super) secret_key: String,
}

/// Makes the account and the pair, and sees that it is answered to the one address and refused (140) to the other.
pub(super) fn check(cluster: &Cluster) -> Result<Pair> {
    let mut random = Random::new(Random::fresh_seed());
    let pair = Pair { api_key: random.hex(30), secret_key: random.hex(30) };
    let account = format!("/v1/accounts/{ACCOUNT}");
    let asked = [
        ("/v1/accounts".to_owned(), "open", json!({ "id": ACCOUNT, "name": "Cluster" })),
        (format!("{account}/topups"), "first", json!({ "amount": "36693" })),
        (
            format!("{account}/credentials"),
            "pair",
            json!({ "api_key": pair.api_key, "secret_key": pair.secret_key, "cidrs": [format!("{ALLOWED}/32")] }),
        ),
    ];
    for (path, key, body) in asked {
        let answer = cluster.operate(&path, key, &body)?;
        ensure!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
    }
    let body = get_balance_body(&pair.api_key, &pair.secret_key);
    for (source, code) in [(ALLOWED, "100"), (OTHER, "140")] {
        for _ in 0..CALLS {
            let mut connection = Connection::open_from(source, cluster.haproxy.public)?;
            let path = "/MainService.svc/json/GetBalance_json";
            let reply = connection.call(&Request { method: "POST", path, key: None, body: &body })?;
            let answer: Value = serde_json::from_slice(&reply.body).context("GetBalance answered no JSON")?;
            ensure!(
                answer["CodeResponse"] == code,
                "GetBalance from {source} through haproxy should answer code {code}, and answered {answer}"
            );
        }
    }
    Ok(pair)
}
