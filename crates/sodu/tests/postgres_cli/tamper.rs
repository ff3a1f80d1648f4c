//! `sodu verify` of a ledger that was tampered with by somebody whom PostgreSQL lets do everything: it says which entry of
//! which account is no longer true.

use crate::against::save;
use crate::engine::tamper;
use crate::tampered::Size::Small;
use crate::tampered::{copy, false_lines, falsehoods};

/// Fails the test unless `sql`, on a copy of the ledger, makes exactly `found` false.
#[track_caller]
fn finds(sql: &str, found: &[&str]) {
    assert_eq!(falsehoods(Small, sql), found, "{sql}");
}

/// Sets something in an entry.
fn set(change: &str, account: u32, number: u64) -> String {
    format!("UPDATE entries SET {change} WHERE account = {account} AND number = {number}")
}

#[test]
fn a_changed_byte_of_an_entry_is_found() {
    let hash = "account 7, entry 2: its hash does not follow from its content and the entry before it";
    for change in [
        "reference = 'vcb-2'",
        "reason = 'Paid'",
        "actor = 'local:eve'",
        "metadata = '{\"bank\":\"vcb-2\"}'",
        "key = 'ib'",
        "at = at + 1, recorded_at = recorded_at + 1",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 1)",
    ] {
        finds(&set(change, 7, 2), &[hash]);
    }
    finds(
        &set("key = NULL", 7, 2),
        &["account 7, entry 2: it lacks what its kind carries, or carries what its kind does not"],
    );
    let posted = falsehoods(Small, &set("amount = amount + 1", 7, 2));
    assert!(posted[0].starts_with("account 7, entry 2: the posted figure"), "{posted:?}");
    let unreadable = falsehoods(Small, &set("kind = 99", 7, 3));
    assert!(unreadable[0].starts_with("account 7, entry 3: it does not read as an entry"), "{unreadable:?}");
}

#[test]
fn a_removed_entry_is_found_wherever_it_stood() {
    let removed = |account: u32, number: u64| {
        falsehoods(Small, &format!("DELETE FROM entries WHERE account = {account} AND number = {number}"))
    };
    assert_eq!(removed(7, 13), ["account 7, entry 13: the account's row includes an entry that is not there"]);
    assert_eq!(removed(8, 5), ["account 8, entry 5: the account's row includes an entry that is not there"]);
    assert_eq!(
        removed(7, 4),
        ["account 7, entry 5: entry 4 should stand here: one is missing, doubled or out of place"]
    );
    assert_eq!(removed(8, 3)[..1], ["account 7, entry 10: the transfer has no other side"]);
}

#[test]
fn a_raised_limit_is_found_in_the_row_and_in_the_entries() {
    finds(
        "UPDATE accounts SET credit_limit = 100000000 WHERE id = 7",
        &["account 7, entry 13: the account's row differs from the sum of its entries"],
    );
    let from = |number| format!("UPDATE entries SET credit_limit = 100000000 WHERE account = 7 AND number >= {number}");
    finds(&from(10), &["account 7, entry 10: the credit limit differs without an entry that sets it"]);
    finds(&from(9), &["account 7, entry 9: its hash does not follow from its content and the entry before it"]);
}

#[test]
fn a_changed_account_row_is_found_by_every_figure_that_it_derives() {
    let differs = "account 7, entry 13: the account's row differs from the sum of its entries";
    for change in ["posted = posted + 1", "held = 0", "status = 1", "at = at + 1", "hash = set_byte(hash, 0, 0)"] {
        let sql = format!("UPDATE accounts SET {change} WHERE id = 7");
        finds(&sql, &[differs]);
    }
    finds(
        "UPDATE accounts SET number = 99 WHERE id = 7",
        &["account 7, entry 99: the account's row includes an entry that is not there"],
    );
    finds("DELETE FROM accounts WHERE id = 7", &["account 7: the account has entries and no row"]);
}

#[test]
fn a_refund_that_was_pointed_elsewhere_is_found() {
    let hash = "account 7, entry 5: its hash does not follow from its content and the entry before it";
    finds(&set("target_number = 4", 7, 5), &[hash]);
    let later = "account 7, entry 5: it lacks what its kind carries, or carries what its kind does not";
    finds(&set("target_number = 99", 7, 5), &[later]);
}

#[test]
fn a_changed_open_hold_is_found_at_the_entry_that_made_it() {
    let differs = "account 7, entry 6: the open hold differs from its row";
    for sql in [
        "UPDATE open_holds SET remaining = remaining - 1",
        "UPDATE open_holds SET expires_at = expires_at + 1",
        "DELETE FROM open_holds",
    ] {
        finds(sql, &[differs]);
    }
}

#[test]
fn a_removed_row_of_the_audit_trail_is_found() {
    let found = falsehoods(Small, "DELETE FROM audit WHERE id = 1");
    assert!(found.len() == 1 && found[0].starts_with("ledger: the audit trail has "), "{found:?}");
}

#[test]
fn a_removed_last_entry_with_everything_rolled_back_is_shown_by_the_file_only() {
    let sodu = copy();
    save(&sodu, "links");
    tamper(
        &sodu,
        "DELETE FROM entries WHERE account = 8 AND number = 5; \
         UPDATE accounts a SET (posted, number, at, hash) = (e.posted, e.number, e.at, e.hash) FROM entries e \
         WHERE a.id = 8 AND e.account = 8 AND e.number = 4",
    );
    assert_eq!(sodu.json(&["verify"])["ok"], true, "nothing in the database contradicts it");
    let told = sodu.run(&["verify", "--against", "links"]).expect(1);
    assert_eq!(false_lines(&told), ["account 8, entry 5: the entry that was there before is gone"]);
}
