//! Turns the texts of a request into the types of the ledger: past this file, no raw string decides anything.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};
use jiff::tz::TimeZone;
use ledger::{AccountId, Amount, AmountError, Currency, Key, Metadata, Minor, Reason, Reference, TextError, Time};

use super::members::Members;
use super::problem::{Problem, Slug};
use crate::times::{self, Bound};

/// Bytes from the system's generator.
pub(super) fn random<const LEN: usize>() -> Result<[u8; LEN], Problem> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(|_| {
        Problem::new(
            Slug::Unavailable,
            "The system's random generator gave nothing; nothing happened, try again later.",
        )
    })?;
    Ok(bytes)
}

/// An account number out of a path.
pub(super) fn account_id(text: &str) -> Result<AccountId, Problem> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).and_then(AccountId::new).ok_or_else(not_an_account)
}

/// An entry's number out of a path: digits and nothing else, so that each entry has one name.
pub(super) fn entry_number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An account number out of a body.
pub(super) fn new_account_id(number: u64) -> Result<AccountId, Problem> {
    u32::try_from(number).ok().and_then(AccountId::new).ok_or_else(not_an_account)
}

fn not_an_account() -> Problem {
    Problem::malformed(format!("an account is named by its number, 1 to {}", AccountId::MAX))
}

/// The `Idempotency-Key` header, with or without quotes around it; none where it is not sent.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::malformed("the Idempotency-Key header stands there twice; send one"));
    }
    let text = value.to_str().unwrap_or_default();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    Key::new(bare).map(Some).map_err(|error| Problem::malformed(format!("Idempotency-Key: {error}")))
}

/// A key out of a path or a member.
pub(super) fn key(text: &str) -> Result<Key, Problem> {
    Key::new(text).map_err(bad_text)
}

/// The account that a member names.
pub(super) fn account_member(members: &mut Members, name: &str) -> Result<AccountId, Problem> {
    let missing = || Problem::malformed(format!("the member \"{name}\" (an account's number) is missing"));
    new_account_id(members.whole(name)?.ok_or_else(missing)?)
}

/// The key of a movement, which never goes without one.
pub(super) fn required_key(headers: &HeaderMap) -> Result<Key, Problem> {
    idempotency_key(headers)?.ok_or_else(|| {
        Problem::new(
            Slug::IdempotencyKeyRequired,
            "Send the header Idempotency-Key: 1 to 128 visible ASCII characters, new for each movement and the same for \
             each repetition of it, so that a retry never moves money twice.",
        )
    })
}

/// A positive amount of `currency`.
pub(super) fn amount(name: &str, text: &str, currency: Currency) -> Result<Amount, Problem> {
    Amount::parse(text, currency).map_err(|error| bad_amount(name, error))
}

/// A signed figure of `currency`.
pub(super) fn figure(name: &str, text: &str, currency: Currency) -> Result<Minor, Problem> {
    Minor::parse(text, currency).map_err(|error| bad_amount(name, error))
}

/// A credit limit: zero or more.
pub(super) fn credit_limit(text: &str, currency: Currency) -> Result<Minor, Problem> {
    let limit = figure("credit_limit", text, currency)?;
    if limit < Minor::ZERO {
        let detail = "\"credit_limit\" is how far below zero the account may spend, zero or more: leave the minus out.";
        return Err(Problem::new(Slug::AmountOutOfRange, detail));
    }
    Ok(limit)
}

fn bad_amount(name: &str, error: AmountError) -> Problem {
    let slug = match error {
        AmountError::Malformed => Slug::Malformed,
        AmountError::TooPrecise { .. } | AmountError::OutOfRange | AmountError::NotPositive => Slug::AmountOutOfRange,
    };
    Problem::new(slug, format!("\"{name}\" is {error}"))
}

/// The members `reference` and `metadata`, which every movement may carry.
pub(super) fn reference(members: &mut Members) -> Result<(Option<Reference>, Metadata), Problem> {
    let reference = members.text("reference")?.map(|text| Reference::new(&text)).transpose().map_err(bad_text)?;
    let metadata = Metadata::new(members.pairs("metadata")?).map_err(bad_text)?;
    Ok((reference, metadata))
}

/// The member `reason`, where it is given.
pub(super) fn reason(members: &mut Members) -> Result<Option<Reason>, Problem> {
    members.text("reason")?.map(|text| Reason::new(&text)).transpose().map_err(bad_text)
}

fn bad_text(error: TextError) -> Problem {
    Problem::malformed(error.to_string())
}

/// A name, a label, an external id: 1 to `len_max` bytes that cannot confuse a terminal or a log.
pub(super) fn plain(name: &str, text: String, len_max: usize) -> Result<String, Problem> {
    if (1..=len_max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(Problem::malformed(format!("\"{name}\" must be 1 to {len_max} bytes of text without control characters")))
}

/// An API key or a secret, compared exactly for ever after. The message never repeats it.
pub(super) fn visible(name: &str, text: String) -> Result<String, Problem> {
    if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    Err(Problem::malformed(format!("\"{name}\" must be 1 to 128 visible ASCII characters, without spaces")))
}

/// The end of something's life: an instant, or a date, that day included.
pub(super) fn expiry(text: &str, zone: &TimeZone) -> Result<Time, Problem> {
    times::parse(text, Bound::End, zone).map_err(|error| Problem::malformed(format!("\"expires_at\": {error}")))
}

/// A list of networks (`10.0.0.0/8`) and single addresses.
pub(super) fn cidrs(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    const LEN_MAX: usize = 100;
    if texts.len() > LEN_MAX {
        return Err(Problem::malformed(format!("\"cidrs\" holds at most {LEN_MAX} networks")));
    }
    texts.iter().map(|text| cidr(text)).collect()
}

fn cidr(text: &str) -> Result<IpNet, Problem> {
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(net) = parsed else {
        let shown: String = text.chars().take(64).collect();
        return Err(Problem::malformed(format!(
            "{shown:?} is no network: write 192.0.2.0/24, 2001:db8::/32 or an address"
        )));
    };
    if net.trunc() != net {
        return Err(Problem::malformed(format!(
            "{net} names an address inside a network: write {} for the network or {} for the one address",
            net.trunc(),
            net.addr()
        )));
    }
    Ok(unmapped(net))
}

/// Callers are compared as IPv4 wherever they are (an IPv4-mapped IPv6 network would never match one).
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let ipv4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let mapped = |(address, len): (Ipv4Addr, u8)| Ipv4Net::new(address, len).ok();
    ipv4.and_then(mapped).map_or(net, IpNet::V4)
}
