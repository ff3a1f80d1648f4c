//! What a movement did, written straight into the bytes of its answer.
//!
//! A batch is answered with thousands of these, and a serializer that knows nothing of their shape took a fifth of all the
//! time that a charge takes: it looks for what has to be escaped in every name, figure and hash. Here only what people chose
//! is looked at. Members stand in the order in which they are written.

use ledger::{Currency, Entry, Key, Metadata, Reason, Reference, Target, Time};
use serde_json::value::RawValue;
use store::Outcome;

use super::show::{Figures, Hex, Money, Pairs, figures_after};
use crate::times::rfc3339;

/// A text to which the answer of one movement is added, within a batch after its `status`.
pub(super) fn moved(text: &mut Vec<u8>, status: Option<u16>, outcome: &Outcome, currency: Currency) {
    let mut answer = Object::new(text);
    if let Some(status) = status {
        answer.number("status", status.into());
    }
    write_entry(answer.inner("entry"), &outcome.entry, currency);
    write_figures(answer.inner("account"), &figures_after(&outcome.entry, currency));
    answer.flag("replayed", outcome.replayed);
    answer.end();
}

/// One entry. Members that only some kinds have (`currency`, `expires_at`, `target`) are left out of the others.
pub(super) fn entry(entry: &Entry, currency: Currency) -> Box<RawValue> {
    let mut text = Vec::with_capacity(640);
    write_entry(&mut text, entry, currency);
    let text = String::from_utf8(text).expect("it is made of texts");
    RawValue::from_string(text).expect("it is JSON")
}

fn write_entry(text: &mut Vec<u8>, entry: &Entry, currency: Currency) {
    let own = entry.posted_after.minus(entry.held_after).expect("figures are within a quarter of i64");
    let at = rfc3339(entry.at);
    let mut line = Object::new(text);
    line.number("account", entry.account.get().into());
    line.number("number", entry.number);
    line.plain("kind", entry.kind.name());
    for (name, figure) in [
        ("amount", entry.amount),
        ("posted_after", entry.posted_after),
        ("held_after", entry.held_after),
        ("balance_after", own),
        ("credit_limit", entry.credit_limit),
    ] {
        line.money(name, &Money::new(figure, currency));
    }
    line.plain("status", entry.status.name());
    line.plain("at", &at);
    if entry.recorded_at == entry.at {
        line.plain("recorded_at", &at);
    } else {
        line.time("recorded_at", entry.recorded_at);
    }
    if let Some(expires_at) = entry.expires_at {
        line.time("expires_at", expires_at);
    }
    if let Some(Target { account, number }) = entry.target {
        let mut target = Object::new(line.inner("target"));
        target.number("account", account.get().into());
        target.number("number", number);
        target.end();
    }
    if let Some(currency) = &entry.currency {
        line.plain("currency", currency.code());
    }
    line.chosen("key", entry.key.as_ref().map(Key::as_str));
    line.chosen("reference", entry.reference.as_ref().map(Reference::as_str));
    line.chosen("reason", entry.reason.as_ref().map(Reason::as_str));
    line.metadata("metadata", &entry.metadata);
    line.chosen("by", Some(entry.by.as_str()));
    line.plain("hash", &Hex(entry.hash).to_string());
    line.end();
}

/// The same as [`Figures`] serialize to.
fn write_figures(text: &mut Vec<u8>, figures: &Figures) {
    let Figures { id, currency, status, balance, posted, held, available, credit_limit, last_entry } = figures;
    let mut object = Object::new(text);
    object.number("id", (*id).into());
    object.plain("currency", currency.0.code());
    object.plain("status", status);
    object.money("balance", balance);
    object.money("posted", posted);
    object.money("held", held);
    object.money("available", available);
    object.money("credit_limit", credit_limit);
    object.number("last_entry", *last_entry);
    object.end();
}

/// A JSON object that is being written; names are ours, and need no escaping.
struct Object<'a> {
    text: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn new(text: &'a mut Vec<u8>) -> Object<'a> {
        text.push(b'{');
        Object { text, is_empty: true }
    }

    fn end(self) {
        self.text.push(b'}');
    }

    /// Writes a member's name; its value is to follow.
    #[inline]
    fn inner(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.text.push(b',');
        }
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        self.text
    }

    #[inline]
    fn number(&mut self, name: &'static str, number: u64) {
        self.inner(name).extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    #[inline]
    fn flag(&mut self, name: &'static str, flag: bool) {
        self.inner(name).extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// A value in which nothing needs escaping.
    #[inline]
    fn plain(&mut self, name: &'static str, value: &str) {
        quote(self.inner(name), value);
    }

    #[inline]
    fn money(&mut self, name: &'static str, money: &Money) {
        let text = self.inner(name);
        text.push(b'"');
        money.write(text);
        text.push(b'"');
    }

    fn time(&mut self, name: &'static str, time: Time) {
        self.plain(name, &rfc3339(time));
    }

    /// A value that somebody outside chose; `null` where there is none.
    fn chosen(&mut self, name: &'static str, value: Option<&str>) {
        let Some(value) = value else { return self.inner(name).extend_from_slice(b"null") };
        let is_plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
        if value.bytes().fold(true, |all, byte| all & is_plain(byte)) {
            self.plain(name, value);
        } else {
            serde_json::to_writer(self.inner(name), value).expect("memory takes any text");
        }
    }

    fn metadata(&mut self, name: &'static str, metadata: &Metadata) {
        if metadata.is_empty() {
            self.inner(name).extend_from_slice(b"{}");
        } else {
            serde_json::to_writer(self.inner(name), &Pairs(metadata)).expect("memory takes any text");
        }
    }
}

#[inline]
fn quote(text: &mut Vec<u8>, value: &str) {
    text.push(b'"');
    text.extend_from_slice(value.as_bytes());
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use ledger::{AccountId, Actor, Hash, Kind, Minor, Status};
    use serde_json::{Value, json};
    use store::AccountNow;

    use super::*;
    use crate::v1::show;

    #[test]
    fn figures_are_written_as_they_are_serialized() {
        for (scale, units) in [(0, 36_693), (2, -1_205), (2, 7), (3, -70), (3, i64::MAX / 8), (2, 0)] {
            let figure = Minor::new(units).expect("a figure");
            let figures = show::figures(&AccountNow {
                id: AccountId::new(9999).expect("an account"),
                currency: Currency::new("USD", scale, 0).expect("a currency"),
                posted: figure,
                held: Minor::ZERO,
                credit_limit: figure,
                status: Status::Locked,
                number: u64::MAX,
                shows_available: false,
                metered: false,
            });
            let mut text = Vec::new();
            write_figures(&mut text, &figures);
            assert_eq!(String::from_utf8(text).ok(), serde_json::to_string(&figures).ok());
        }
    }

    #[test]
    fn what_people_chose_is_read_again_as_they_wrote_it() {
        for chosen in ["plain", "Ti\u{1ec1}n \u{1f600}", "\"quoted\" \\ and \u{1}\n\u{7f}", ""] {
            let mut text = Vec::new();
            let mut object = Object::new(&mut text);
            object.chosen("a", Some(chosen));
            object.chosen("b", None);
            object.end();
            assert_eq!(serde_json::from_slice::<Value>(&text).ok(), Some(json!({ "a": chosen, "b": null })));
        }
    }

    #[test]
    fn an_answer_is_one_object_with_all_members() {
        let money = |units| Minor::new(units).expect("a figure");
        let vnd = Currency::new("VND", 0, 0).expect("a currency");
        let entry = Entry {
            account: AccountId::new(7).expect("an account"),
            number: 3,
            kind: Kind::Refund,
            amount: money(5),
            posted_after: money(10),
            held_after: money(4),
            credit_limit: money(0),
            status: Status::Active,
            at: Time::from_micros(1_793_491_200_123_456),
            recorded_at: Time::from_micros(1_793_491_200_123_457),
            expires_at: Some(Time::from_micros(1_793_491_200_000_000)),
            target: Some(Target { account: AccountId::new(7).expect("an account"), number: 2 }),
            currency: Some(vnd),
            key: Some(Key::new("k").expect("a key")),
            content: None,
            reference: None,
            reason: Some(Reason::new("why \"this\"").expect("a reason")),
            metadata: Metadata::new([("a".to_owned(), "\\".to_owned())]).expect("pairs"),
            by: Actor::new("local:anna").expect("a name"),
            hash: Hash([0xab; 32]),
        };
        let mut text = Vec::new();
        moved(&mut text, Some(201), &Outcome { entry, replayed: false }, vnd);
        let expected = json!({
            "status": 201,
            "entry": {
                "account": 7, "number": 3, "kind": "refund", "amount": "5", "posted_after": "10", "held_after": "4",
                "balance_after": "6", "credit_limit": "0", "status": "active", "at": "2026-11-01T00:00:00.123456Z",
                "recorded_at": "2026-11-01T00:00:00.123457Z", "expires_at": "2026-11-01T00:00:00.000000Z",
                "target": { "account": 7, "number": 2 }, "currency": "VND", "key": "k", "reference": null,
                "reason": "why \"this\"", "metadata": { "a": "\\" }, "by": "local:anna", "hash": "ab".repeat(32),
            },
            "account": {
                "id": 7, "currency": "VND", "status": "active", "balance": "6", "posted": "10", "held": "4",
                "available": "6", "credit_limit": "0", "last_entry": 3,
            },
            "replayed": false,
        });
        assert_eq!(serde_json::from_slice::<Value>(&text).ok(), Some(expected));
    }
}
