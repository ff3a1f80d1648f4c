//! `sodu verify` of a ledger that was tampered with: it says which entry of which account is no longer true.

use crate::against::save;
use crate::engine::tamper;
use crate::tampered::Size::{Large, Small};
use crate::tampered::{Size, copy, copy_of, false_lines, falsehoods};

/// Fails the test unless `sql`, on a copy of the large ledger or of the small one, makes exactly `found` false.
#[track_caller]
fn finds(size: Size, sql: &str, found: &[&str]) {
    assert_eq!(falsehoods(size, sql), found, "{sql}");
}

#[test]
fn what_nobody_touched_is_proved() {
    for sodu in [copy(), copy_of(Large)] {
        let ended = sodu.run(&["verify"]).expect(0);
        assert!(ended.out.contains("everything agrees") && ended.err.is_empty(), "{}{}", ended.out, ended.err);
        // A name decides no money and lies outside the chains: the audit trail tells who changed it.
        tamper(&sodu, "UPDATE accounts SET name = 'another' WHERE id = 7");
        assert_eq!(sodu.json(&["verify"])["ok"], true);
    }
}

#[test]
fn a_falsehood_is_told_to_people_and_to_programs() {
    let sodu = copy();
    tamper(&sodu, "UPDATE entries SET amount = amount + 1 WHERE account = 7 AND number = 3");
    let told = sodu.run(&["verify"]).expect(1);
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines[0], "FALSE  account 7, entry 3: the posted figure does not follow from the amount");
    assert!(lines[1].ends_with("(accounts: 2, entries: 18): 1 contradiction"), "{}", told.out);
    let told = sodu.run(&["verify", "--json"]).expect(1);
    let report = told.json();
    let finding = &report["findings"][0];
    assert_eq!((&report["ok"], &finding["account"], &finding["number"]), (&false.into(), &7.into(), &3.into()));
    assert!(finding["what"].as_str().is_some_and(|what| what.contains("posted")), "{finding}");
    assert_eq!(told.err, "");
}

/// (account, entry, what is changed): every column, by one byte or more.
const CHANGES: [(u32, u64, &str); 60] = [
    (7, 1, "currency = 'VNE'"),
    (7, 1, "scale = 3"),
    (7, 1, "key = 'open-9'"),
    (7, 2, "amount = amount + 1"),
    (7, 2, "posted = posted + 1"),
    (7, 2, "credit_limit = credit_limit + 1"),
    (7, 2, "status = 1"),
    (7, 2, "at = at + 1"),
    (7, 2, "at = at + 1, recorded_at = recorded_at + 1"),
    (7, 2, "recorded_at = recorded_at + 1"),
    (7, 2, "expires_at = recorded_at + 1"),
    (7, 2, "target_account = 7, target_number = 1"),
    (7, 2, "currency = 'VND', scale = 2"),
    (7, 2, "key = 'im'"),
    (7, 2, "key = NULL"),
    (7, 2, "content = x'00112233445566778899aabbccddeeff'"),
    (7, 2, "content = NULL"),
    (7, 2, "content = x'00'"),
    (7, 2, "reference = 'vcb-2'"),
    (7, 2, "reference = NULL"),
    (7, 2, "reason = 'laid'"),
    (7, 2, "metadata = replace(metadata, 'vcb', 'vcc')"),
    (7, 2, "metadata = NULL"),
    (7, 2, "metadata = '{'"),
    (7, 2, "actor = 'operator:eve'"),
    (7, 2, "kind = 13"),
    (7, 2, "kind = 99"),
    (7, 2, "hash = CAST(x'00' || substr(hash, 2) AS BLOB)"),
    (7, 2, "hash = zeroblob(32)"),
    (7, 3, "kind = 8"),
    (7, 3, "kind = 99"),
    (7, 5, "amount = amount - 1"),
    (7, 5, "target_number = 4"),
    (7, 5, "target_account = 8"),
    (7, 5, "target_row = 6"),
    (7, 5, "target_row = 100"),
    (7, 5, "target_number = 4, target_row = 6"),
    (7, 5, "settled = settled + 1"),
    (7, 5, "settled = NULL"),
    (7, 5, "previous = 1"),
    (7, 5, "previous = NULL"),
    (7, 6, "expires_at = expires_at + 1"),
    (7, 6, "held = held - 1"),
    (7, 7, "held = 0"),
    (7, 7, "target_number = 11"),
    (7, 7, "target_row = 1"),
    (7, 7, "settled = settled + 1"),
    (7, 8, "expires_at = expires_at - 1"),
    (7, 8, "settled = settled + 1"),
    (7, 9, "credit_limit = 1000000"),
    (7, 10, "target_account = 9"),
    (7, 10, "target_number = 4"),
    (7, 10, "amount = -1"),
    (7, 12, "settled = 1"),
    (7, 13, "hash = zeroblob(32)"),
    (7, 13, "amount = 2"),
    (8, 3, "target_number = 9"),
    (8, 3, "key = 'mine', content = zeroblob(16)"),
    (8, 4, "reason = 'thrice'"),
    (8, 4, "reason = NULL"),
];

#[test]
fn every_changed_column_of_an_entry_is_found_at_that_entry() {
    let mut missed = Vec::new();
    for (account, number, change) in CHANGES {
        let sodu = copy();
        tamper(&sodu, &format!("UPDATE entries SET {change} WHERE account = {account} AND number = {number}"));
        let ended = sodu.run(&["verify"]);
        let found = false_lines(&ended);
        let place = format!("account {account}, entry {number}: ");
        if ended.code != 1 || !found.first().is_some_and(|first| first.starts_with(&place)) {
            missed.push(format!("{place}{change}: {} {found:?} {}", ended.code, ended.err));
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn an_entry_that_is_gone_moved_or_of_another_account_is_found() {
    let gone =
        |row: &str, after: &str| format!("ledger: row {row} of the log, after {after}, is gone: an entry or a refusal");
    let first = falsehoods(Small, "DELETE FROM entries WHERE account = 7 AND number = 4");
    assert_eq!(first[0], gone("6", "entry 3 of account 7"));
    assert_eq!(first[1], "account 7, entry 5: entry 4 should stand here: one is missing, doubled or out of place");
    // The last of its account, the last of the log, and several.
    finds(Small, "DELETE FROM entries WHERE id = 19", &[&gone("19", "entry 12 of account 7")]);
    finds(Small, "DELETE FROM entries WHERE id = 20", &[&gone("20", "entry 13 of account 7")]);
    let last = "account 7, entry 13: the account's row includes an entry that is not there";
    finds(Large, "DELETE FROM entries WHERE id = 19", &[&gone("19", "entry 12 of account 7"), last]);
    finds(Small, "DELETE FROM entries WHERE id >= 17", &[&gone("17 to 20", "entry 4 of account 8")]);

    let renumbered = falsehoods(Small, "UPDATE entries SET number = 14 WHERE account = 7 AND number = 13");
    assert_eq!(
        renumbered[0],
        "account 7, entry 14: entry 13 should stand here: one is missing, doubled or out of place"
    );
    let given = falsehoods(Small, "UPDATE entries SET account = 8, number = 6 WHERE account = 7 AND number = 13");
    assert!(given[0].starts_with("account 8, entry 5: ") || given[0].starts_with("account 8, entry 6: "), "{given:?}");
    let swapped = "UPDATE entries SET id = 99 WHERE id = 19; UPDATE entries SET id = 19 WHERE id = 20; \
                   UPDATE entries SET id = 20 WHERE id = 99";
    finds(Small, swapped, &["account 7, entry 13: it was written before what stands before it"]);
}

#[test]
fn two_accounts_that_were_swapped_are_found() {
    let entries = "UPDATE entries SET account = 15 - account WHERE account IN (7, 8);";
    let rows = "UPDATE accounts SET id = -id WHERE id IN (7, 8); UPDATE accounts SET id = 15 + id WHERE id < 0;";
    let differs = |account: u32, number: u64| {
        format!("account {account}, entry {number}: the account's row differs from the sum of its entries")
    };
    finds(Small, rows, &[&differs(7, 1), &differs(8, 1)]);
    let missing = "account 8, entry 13: the account's row includes an entry that is not there";
    finds(Large, rows, &[&differs(7, 5), missing]);
    // Their histories as well, so that every sum is right: the chains are bound to their accounts.
    let hash = |account: u32| {
        format!("account {account}, entry 1: its hash does not follow from its content and the entry before it")
    };
    for sql in [entries.to_owned(), format!("{entries} {rows}")] {
        assert_eq!(falsehoods(Large, &sql)[..2], [hash(8), hash(7)], "{sql}");
    }
}

#[test]
fn a_raised_limit_is_found_in_the_row_and_in_the_entries() {
    let differs = |number| format!("account 7, entry {number}: the account's row differs from the sum of its entries");
    let in_row = "UPDATE accounts SET credit_limit = 100000000 WHERE id = 7";
    finds(Small, in_row, &[&differs(1)]);
    finds(Large, in_row, &[&differs(13)]);
    let from = |number| format!("UPDATE entries SET credit_limit = 100000000 WHERE account = 7 AND number >= {number}");
    let limit = "account 7, entry 10: the credit limit differs without an entry that sets it";
    finds(Small, &from(10), &[limit]);
    let hash = "account 7, entry 9: its hash does not follow from its content and the entry before it";
    finds(Small, &from(9), &[hash]);
}

#[test]
fn a_changed_account_row_is_found_by_every_figure_that_it_derives() {
    for (change, account) in [
        ("posted = posted + 1", 7),
        ("held = 0", 7),
        ("status = 1", 7),
        ("number = 12", 7),
        ("entry = 12", 7),
        ("at = at + 1", 7),
        ("hash = zeroblob(32)", 7),
        ("posted = posted - 1", 8),
        ("status = 2", 8),
    ] {
        let number = if account == 8 {
            5
        } else if change.starts_with("number") {
            12
        } else {
            13
        };
        let differs =
            format!("account {account}, entry {number}: the account's row differs from the sum of its entries");
        finds(Large, &format!("UPDATE accounts SET {change} WHERE id = {account}"), &[&differs]);
    }
    let dollars = "INSERT INTO currencies VALUES (1, 'USD', 2, 2); UPDATE accounts SET currency = 1 WHERE id = 7";
    finds(Large, dollars, &["account 7, entry 13: the account's row differs from the sum of its entries"]);
    let ahead = "account 7, entry 99: the account's row includes an entry that is not there";
    finds(Large, "UPDATE accounts SET number = 99 WHERE id = 7", &[ahead]);
    finds(
        Large,
        "UPDATE accounts SET hash = x'00' WHERE id = 7",
        &["account 7: the account's row does not read as one"],
    );
    finds(Small, "DELETE FROM accounts WHERE id = 7", &["account 7: the account has entries and no row"]);
    finds(Large, "DELETE FROM accounts WHERE id = 7", &["account 7: the account has entries and no row"]);
}

#[test]
fn a_key_that_leads_nowhere_is_found_at_the_entry_that_was_made_under_it() {
    let without = |account: u32, number: u64| {
        format!("account {account}, entry {number}: its idempotency key does not lead to it")
    };
    let first = "(SELECT min(id) FROM key_pages)";
    let page = falsehoods(Large, &format!("DELETE FROM key_pages WHERE id = {first}"));
    // The entries with the least fingerprints of all: those of its page, and the first of the next.
    assert_eq!((&page[..2], page.len()), (&[without(7, 1), without(7, 13)][..], 169));
    let emptied = falsehoods(Large, &format!("UPDATE key_pages SET data = zeroblob(24) WHERE id = {first}"));
    assert_eq!(emptied[..2], [without(7, 1), without(7, 13)]);
    for sql in ["DELETE FROM key_pages", "DELETE FROM key_runs"] {
        assert_eq!(falsehoods(Large, sql)[..3], [without(7, 1), without(8, 1), without(7, 2)], "{sql}");
    }
    let filters = falsehoods(Large, "DELETE FROM key_filters");
    assert_eq!(filters[0], "ledger: run 1 of the key index has 30 pages, and fences for 0");
    assert_eq!(filters[1], without(7, 1));
}

#[test]
fn a_refusal_that_is_gone_or_changed_is_found() {
    for size in [Small, Large] {
        let gone = "ledger: row 8 of the log, after entry 5 of account 7, is gone: an entry or a refusal";
        finds(size, "DELETE FROM refusals WHERE id = 8", &[gone]);
        let gone = "ledger: row 16 of the log, after entry 4 of account 8, is gone: an entry or a refusal";
        finds(size, "DELETE FROM refusals WHERE id = 16", &[gone]);
        for change in ["facts = '{}'", "facts = '{'", "slug = 'because'", "key = 'two words'", "content = x'00'"] {
            let unreadable = "account 8: refusal in row 8 does not read as one";
            finds(size, &format!("UPDATE refusals SET {change} WHERE id = 8"), &[unreadable]);
        }
    }
    let elsewhere = |account: u32| format!("account {account}: the key of the refusal in row 8 does not lead to it");
    finds(Large, "UPDATE refusals SET key = 'other' WHERE id = 8", &[&elsewhere(8)]);
    finds(Large, "UPDATE refusals SET account = 7 WHERE id = 8", &[&elsewhere(7)]);
}

#[test]
fn a_refund_that_was_pointed_elsewhere_is_found() {
    let refund = "WHERE account = 7 AND number = 5";
    let hash = "account 7, entry 5: its hash does not follow from its content and the entry before it";
    finds(Small, &format!("UPDATE entries SET target_number = 4 {refund}"), &[hash]);
    finds(Small, &format!("UPDATE entries SET target_number = 4, target_row = 6 {refund}"), &[hash]);
    let row = "account 7, entry 5: its row does not lead to the charge that it names";
    finds(Small, &format!("UPDATE entries SET target_row = 6 {refund}"), &[row]);
    let gone = "account 7, entry 5: the charge that it names is gone, or does not read as one";
    finds(Small, &format!("UPDATE entries SET target_row = 100 {refund}"), &[gone]);
    let sum = "account 7, entry 5: what its row says was given back is not the sum";
    finds(Small, &format!("UPDATE entries SET settled = 1 {refund}"), &[sum]);
    assert!(
        falsehoods(Small, "UPDATE entries SET kind = 99 WHERE account = 7 AND number = 3")[0]
            .starts_with("account 7, entry 3: ")
    );
}

#[test]
fn a_transfer_with_one_side_is_found() {
    for (row, last_row, found) in [
        (22, 21, &["account 7, entry 14: the transfer has no other side"][..]),
        (
            21,
            22,
            &[
                "ledger: row 21 of the log, after entry 5 of account 8, is gone: an entry or a refusal",
                "account 8, entry 6: no transfer that pays it stands before it",
            ],
        ),
    ] {
        let sodu = copy();
        sodu.run(&["transfer", "7", "8", "1", "-k", "allotment"]).expect(0);
        let sql =
            format!("DELETE FROM entries WHERE id = {row}; UPDATE meta SET value = {last_row} WHERE name = 'last_row'");
        tamper(&sodu, &sql);
        assert_eq!(false_lines(&sodu.run(&["verify"]).expect(1)), found);
    }
}

#[test]
fn a_changed_open_hold_is_found_at_the_entry_that_made_it() {
    let differs =
        |account: u32, number: u64| format!("account {account}, entry {number}: the open hold differs from its row");
    for change in ["remaining = remaining - 1", "expires_at = expires_at + 1", "expires_at = 1", "entry = 1"] {
        finds(Small, &format!("UPDATE open_holds SET {change}"), &[&differs(7, 6)]);
    }
    finds(Large, "DELETE FROM open_holds", &[&differs(7, 6)]);
    finds(Large, "UPDATE open_holds SET account = 8", &[&differs(7, 6), &differs(8, 6)]);
    let doubled = "INSERT INTO open_holds SELECT 8, 2, 4, 1, expires_at FROM open_holds";
    finds(Small, doubled, &[&differs(8, 2)]);
    // Whatever serves money from such a ledger is told which account it is.
    let sodu = copy();
    tamper(&sodu, "UPDATE open_holds SET remaining = remaining - 1");
    let error = sodu.run(&["balance", "7"]).refused("database_unusable");
    assert!(error.contains("account 7: it holds 150, and its open holds together are 149.99"), "{error}");
}

#[test]
fn the_ledgers_own_records_are_held_against_the_log() {
    let record = |name: &str, value: i64| format!("UPDATE meta SET value = {value} WHERE name = '{name}'");
    finds(Large, &record("last_time", 1), &["account 7, entry 1: the ledger's own time is earlier than it"]);
    let keyless = falsehoods(Small, &record("watermark", 5));
    assert_eq!(keyless[0], "account 7, entry 1: its idempotency key does not lead to it");
    for name in ["last_row", "last_time", "watermark", "refusals_lapsed"] {
        let sodu = copy();
        tamper(&sodu, &format!("DELETE FROM meta WHERE name = '{name}'"));
        let found = false_lines(&sodu.run(&["verify"]).expect(1));
        assert_eq!(found, [format!("ledger: the ledger's own record {name} is gone")]);
    }
}

#[test]
fn a_removed_last_entry_with_everything_rolled_back_is_shown_by_the_file_only() {
    let small = "DELETE FROM entries WHERE id = 20; UPDATE meta SET value = 19 WHERE name = 'last_row'";
    let large_too = "DELETE FROM entries WHERE id = 5020; \
         UPDATE meta SET value = 5019 WHERE name IN ('last_row', 'watermark'); \
         UPDATE accounts SET (posted, number, entry, at, hash) = \
          (SELECT posted, number, id, at, hash FROM entries WHERE account = 3499 AND number = 1) WHERE id = 3499";
    for (sodu, sql, place) in
        [(copy(), small, "account 8, entry 5"), (copy_of(Size::Large), large_too, "account 3499, entry 2")]
    {
        save(&sodu, "links");
        tamper(&sodu, sql);
        assert_eq!(sodu.json(&["verify"])["ok"], true, "nothing in the database contradicts it");
        let told = sodu.run(&["verify", "--against", "links"]).expect(1);
        assert_eq!(false_lines(&told), [format!("{place}: the entry that was there before is gone")]);
    }
}

#[test]
fn an_account_that_is_gone_with_all_that_it_did_is_shown_by_the_file_only() {
    let sodu = copy();
    sodu.run(&["account", "open", "--name", "CDE", "--id", "9"]).expect(0);
    save(&sodu, "links");
    let sql = "DELETE FROM entries WHERE account = 9; DELETE FROM accounts WHERE id = 9; \
               UPDATE meta SET value = 20 WHERE name = 'last_row'";
    tamper(&sodu, sql);
    assert_eq!(sodu.json(&["verify"])["ok"], true);
    let told = sodu.run(&["verify", "--against", "links"]).expect(1);
    assert_eq!(false_lines(&told), ["account 9, entry 1: the entry that was there before is gone"]);
}
