//! The bytes that are hashed, as literal hex: version 1 of the format cannot drift without these tests failing.
//!
//! The hex and the hashes were computed outside this project, from the description in `canonical.rs` and BLAKE3's
//! specification. [`encoded`] is a second encoder, written from the same description, which the other tests hold
//! against random entries too.

use ledger::{Content, Currency, Entry, Hash, Kind, Status, Target, canonical};

use crate::make;

/// Every field filled.
const FULL: &str = "\
    01\
    04000000270f\
    08000000000000000007\
    010008\
    080000000000000004e2\
    0800000000000037fd34\
    08000000000000001068\
    0800000000000007a120\
    010001\
    080000065f2bb5e42240\
    080000065f2bb5ec3bf1\
    080000065f2c8c77c640\
    04007fffffff\
    08000000000000000006\
    0300564e44\
    010002\
    03006b2d31\
    1000000102030405060708090a0b0c0d0e0f\
    0e005468616e6820746fc3a16e203132\
    090061736b656420666f72\
    16000100610000080063616d706169676e050074e1babf74\
    0d006f70657261746f723a616e6e61";

/// Nothing optional, and figures below zero.
const MINIMAL: &str = "\
    01\
    040000000001\
    08000000000000000002\
    01000d\
    0800ffffffffffffffff\
    0800ffffffffffffffff\
    08000000000000000000\
    08000000000000000000\
    010000\
    08000000000000000000\
    08000000000000000000\
    ffffffffffffffffffffffffffffffffffffffff\
    010078";

pub(crate) fn full() -> Entry {
    Entry {
        account: make::account_id(9999),
        number: 7,
        kind: Kind::Capture,
        amount: make::minor(1_250),
        posted_after: make::minor(3_669_300),
        held_after: make::minor(4_200),
        credit_limit: make::minor(500_000),
        status: Status::Locked,
        at: make::time(1_793_491_200_123_456),
        recorded_at: make::time(1_793_491_200_654_321),
        expires_at: Some(make::time(1_793_494_800_123_456)),
        target: Some(Target { account: make::account_id(2_147_483_647), number: 6 }),
        currency: Some(Currency::VND),
        key: Some(make::key("k-1")),
        content: Some(Content([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
        reference: Some(make::reference("Thanh toán 12")),
        reason: Some(make::reason("asked for")),
        metadata: make::metadata(&[("campaign", "tết"), ("a", "")]),
        by: make::actor("operator:anna"),
        hash: Hash([0xee; 32]),
    }
}

fn minimal() -> Entry {
    Entry {
        account: make::account_id(1),
        number: 2,
        kind: Kind::Adjust,
        amount: make::minor(-1),
        posted_after: make::minor(-1),
        held_after: make::minor(0),
        credit_limit: make::minor(0),
        status: Status::Active,
        at: make::time(0),
        recorded_at: make::time(0),
        expires_at: None,
        target: None,
        currency: None,
        key: None,
        content: None,
        reference: None,
        reason: None,
        metadata: make::metadata(&[]),
        by: make::actor("x"),
        hash: Hash([0xee; 32]),
    }
}

#[test]
fn an_entry_has_exactly_these_bytes() {
    assert_eq!(hex(&canonical::entry_bytes(&full())), FULL);
    assert_eq!(hex(&canonical::entry_bytes(&minimal())), MINIMAL);
}

#[test]
fn a_second_encoder_gives_the_same_bytes() {
    assert_eq!(hex(&encoded(&full())), FULL);
    assert_eq!(hex(&encoded(&minimal())), MINIMAL);
}

#[test]
fn a_link_is_exactly_this_hash() {
    let first = |entry: &Entry| hex(&canonical::link(Hash::default(), entry).0);
    let later = |entry: &Entry| hex(&canonical::link(Hash([0x11; 32]), entry).0);
    assert_eq!(first(&full()), "34911ee8716bcc8a982aad9a4ace43e244a391c03200b44567f449f0d033c9c7");
    assert_eq!(later(&full()), "73024f5ba983a7df7f8d4181c02179ab4aec1d10e82b2b7244ac0e6fedcd0737");
    assert_eq!(first(&minimal()), "c6eccd3817af6439b897483ac5f6d0d9736931bbe26373c39e37b1ae719bc25b");
    assert_eq!(later(&minimal()), "2371e49ca039e47cb2e8c1702098f3b60c76b1cb0ed6d99dcbdba84f16e47bf7");
}

#[test]
fn a_link_is_blake3_over_the_one_before_and_the_bytes() {
    let previous = Hash([0x5a; 32]);
    let together = [previous.0.as_slice(), &encoded(&full())].concat();
    assert_eq!(canonical::link(previous, &full()).0, *blake3::hash(&together).as_bytes());
}

/// The canonical bytes of an entry: a version byte, then each field as its length and its bytes, in the entry's order.
pub(crate) fn encoded(entry: &Entry) -> Vec<u8> {
    let target = entry.target;
    let currency = entry.currency.as_ref();
    let mut pairs = Vec::new();
    for (name, value) in entry.metadata.pairs() {
        pairs.extend(prefixed(Some(name.as_bytes())));
        pairs.extend(prefixed(Some(value.as_bytes())));
    }
    let fields: [Option<Vec<u8>>; 21] = [
        Some(entry.account.get().to_be_bytes().into()),
        Some(entry.number.to_be_bytes().into()),
        Some(vec![entry.kind.code()]),
        Some(entry.amount.units().to_be_bytes().into()),
        Some(entry.posted_after.units().to_be_bytes().into()),
        Some(entry.held_after.units().to_be_bytes().into()),
        Some(entry.credit_limit.units().to_be_bytes().into()),
        Some(vec![entry.status.code()]),
        Some(entry.at.micros().to_be_bytes().into()),
        Some(entry.recorded_at.micros().to_be_bytes().into()),
        entry.expires_at.map(|at| at.micros().to_be_bytes().into()),
        target.map(|target| target.account.get().to_be_bytes().into()),
        target.map(|target| target.number.to_be_bytes().into()),
        currency.map(|currency| currency.code().into()),
        currency.map(|currency| vec![currency.scale()]),
        entry.key.as_ref().map(|key| key.as_str().into()),
        entry.content.map(|content| content.0.into()),
        entry.reference.as_ref().map(|reference| reference.as_str().into()),
        entry.reason.as_ref().map(|reason| reason.as_str().into()),
        (!entry.metadata.is_empty()).then_some(pairs),
        Some(entry.by.as_str().into()),
    ];
    let mut bytes = vec![1];
    bytes.extend(fields.iter().flat_map(|field| prefixed(field.as_deref())));
    bytes
}

fn prefixed(field: Option<&[u8]>) -> Vec<u8> {
    let Some(field) = field else {
        return vec![0xff, 0xff];
    };
    let len = u16::try_from(field.len()).expect("fields are short");
    [&len.to_le_bytes(), field].concat()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
