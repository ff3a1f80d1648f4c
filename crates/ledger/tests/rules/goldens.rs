//! Entries of the kinds that name another, as literal hex, and their links.
//!
//! Hex and hashes were computed outside this project, as those of [`crate::canonical`] were; its second encoder has to give
//! the same.

use ledger::{Content, Entry, Hash, Kind, Status, Target, canonical};

use crate::canonical::{encoded, hex};
use crate::make;

/// 2026-11-01 00:00 UTC.
const START: i64 = 1_793_491_200_000_000;

const HOLD: &str = "\
    01\
    04000000270f\
    08000000000000000002\
    010006\
    080000000000000061a8\
    080000000000000186a0\
    080000000000000061a8\
    08000000000000000000\
    010000\
    080000065f2bb5e24000\
    080000065f2bb5e24000\
    080000065f2c8c75e400\
    ffffffffffffffff\
    0300682d31\
    1000000102030405060708090a0b0c0d0e0f\
    ffffffffffff\
    0d006f70657261746f723a616e6e61";

const CAPTURE: &str = "\
    01\
    04000000270f\
    08000000000000000003\
    010008\
    08000000000000002710\
    08000000000000015f90\
    08000000000000000000\
    08000000000000000000\
    010000\
    080000065f2bb5e24001\
    080000065f2bb5e24001\
    ffff\
    04000000270f\
    08000000000000000002\
    ffffffff\
    0300702d31\
    1000000102030405060708090a0b0c0d0e0f\
    ffffffffffff\
    0d006f70657261746f723a616e6e61";

const EXPIRE: &str = "\
    01\
    04000000270f\
    08000000000000000005\
    01000a\
    080000000000000061a8\
    08000000000000014ff0\
    08000000000000000000\
    08000000000000000000\
    010000\
    080000065f2bb5e24000\
    080000065f2bb5e24007\
    ffff\
    04000000270f\
    08000000000000000002\
    ffffffffffffffffffffffffffff\
    06006c6564676572";

const DEPARTURE: &str = "\
    01\
    04000000270f\
    08000000000000000004\
    01000c\
    0800fffffffffffff060\
    08000000000000014ff0\
    08000000000000000000\
    08000000000000000000\
    010000\
    080000065f2bb5e24002\
    080000065f2bb5e24002\
    ffff\
    040000002710\
    08000000000000000001\
    ffffffff\
    0300742d31\
    1000000102030405060708090a0b0c0d0e0f\
    010072\
    05006d6f766564\
    ffff\
    0d006f70657261746f723a616e6e61";

const ARRIVAL: &str = "\
    01\
    040000002710\
    08000000000000000002\
    01000c\
    08000000000000000fa0\
    08000000000000000fa0\
    08000000000000000000\
    08000000000000000000\
    010001\
    080000065f2bb5e24002\
    080000065f2bb5e24002\
    ffff\
    04000000270f\
    08000000000000000004\
    ffffffffffffffff\
    010072\
    05006d6f766564\
    ffff\
    0d006f70657261746f723a616e6e61";

fn commanded(number: u64, kind: Kind, amount: i64, posted: i64, held: i64, key: &str) -> Entry {
    let at = make::time(START);
    Entry {
        account: make::account_id(9999),
        number,
        kind,
        amount: make::minor(amount),
        posted_after: make::minor(posted),
        held_after: make::minor(held),
        credit_limit: make::minor(0),
        status: Status::Active,
        at,
        recorded_at: at,
        expires_at: None,
        target: None,
        currency: None,
        key: Some(make::key(key)),
        content: Some(Content([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
        reference: None,
        reason: None,
        metadata: make::metadata(&[]),
        by: make::actor("operator:anna"),
        hash: Hash([0xee; 32]),
    }
}

fn target(account: u32, number: u64) -> Option<Target> {
    Some(Target { account: make::account_id(account), number })
}

fn after(micros: i64, entry: Entry) -> Entry {
    let at = make::time(START + micros);
    Entry { at, recorded_at: at, ..entry }
}

#[test]
fn what_names_another_entry_has_exactly_these_bytes_and_this_link() {
    let end = Some(make::time(START + 3_600_000_000));
    let hold = Entry { expires_at: end, ..commanded(2, Kind::Hold, 25_000, 100_000, 25_000, "h-1") };
    let capture = Entry { target: target(9999, 2), ..commanded(3, Kind::Capture, 10_000, 90_000, 0, "p-1") };
    let moved = (Some(make::reference("r")), Some(make::reason("moved")));
    let departure = commanded(4, Kind::Transfer, -4_000, 86_000, 0, "t-1");
    let (reference, reason) = moved;
    let departure = after(2, Entry { target: target(10_000, 1), reference, reason, ..departure });
    let arrival = Entry {
        account: make::account_id(10_000),
        number: 2,
        amount: make::minor(4_000),
        posted_after: make::minor(4_000),
        status: Status::Locked,
        target: target(9999, 4),
        key: None,
        content: None,
        ..departure.clone()
    };
    let expire = Entry {
        recorded_at: make::time(START + 7),
        target: target(9999, 2),
        key: None,
        content: None,
        by: make::actor("ledger"),
        ..commanded(5, Kind::Expire, 25_000, 86_000, 0, "x")
    };
    for (entry, bytes, link) in [
        (hold, HOLD, "4a3b217b217f3894abb8e147b1e7dced11175f7e66cc0ff8c8470a2bb468b4f8"),
        (after(1, capture), CAPTURE, "4da030e7c3c2c673dda25c060bbeeaa955e5d7fde29e44fb54bc6df911061518"),
        (expire, EXPIRE, "452f95e34d02d3711ade9740da46071c142ef1a870bbc72c2ae55a9b24ae63be"),
        (departure, DEPARTURE, "db24a211bc93742970f1c6625aaf14cef4720ed0b6285d9fb1ef6b05f7f0b7cf"),
        (arrival, ARRIVAL, "8ece61d2a5e78ab2e73fead6973e225d4b3a7df2e40827bc50b6d335291705c7"),
    ] {
        assert_eq!(hex(&canonical::entry_bytes(&entry)), bytes, "{:?}", entry.kind);
        assert_eq!(hex(&encoded(&entry)), bytes, "{:?} by the second encoder", entry.kind);
        assert_eq!(hex(&canonical::link(Hash::default(), &entry).0), link, "{:?}", entry.kind);
    }
}
