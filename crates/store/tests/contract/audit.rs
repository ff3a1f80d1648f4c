//! The audit trail: a row for each change by hand, in its commit, and none for what changed nothing.

use ledger::{Command, Metadata, Minor, Movement, Status, Time};
use store::{AuditQuery, AuditRow, CredentialChange, NewAccount, NewCredential, ProfileChange, RequestId};

use crate::bench::{
    Bench, START, account, actor, command, key, minor, new_account, new_credential, reason, run, settings, vnd,
};
use crate::engine;

fn rows(bench: &Bench) -> Vec<AuditRow> {
    bench.store.audit(&AuditQuery::default(), 1000).expect("no fault").items
}

/// What was done to what, and the detail of it.
fn told(bench: &Bench) -> Vec<String> {
    rows(bench).into_iter().map(|row| format!("{} {} {}", row.action, row.subject, row.detail)).collect()
}

#[test]
fn every_change_by_hand_leaves_a_row_and_nothing_else_does() {
    let bench = Bench::new();
    let open = NewAccount {
        external_id: Some("crm-1".into()),
        credit_limit: minor("5"),
        key: Some(key("o")),
        ..new_account(1)
    };
    run(bench.store.open_account(open.clone())).expect("an account");
    run(bench.store.open_account(open)).expect("the same");
    bench.topup(1, "100", "t").expect("a top-up");
    bench.charge(1, "30", "c").expect("a charge");
    bench.charge(1, "3000", "d").expect_err("too much");
    let why = Some(reason("contract 12"));
    let limit = Command { reason: why, ..command(1, Movement::Limit { credit_limit: minor("7.5") }, "") };
    bench.try_submit(limit).expect("no fault").expect("a limit");
    bench.submit(1, Movement::Status { status: Status::Locked }, "").expect("locked");
    let adjust = || Movement::Adjust { amount: minor("-70"), reason: reason("as agreed") };
    bench.submit(1, adjust(), "a").expect("an adjustment");
    bench.submit(1, adjust(), "a").expect("the same");
    let change = ProfileChange { name: Some("Two".into()), metered: Some(true), ..ProfileChange::default() };
    run(bench.store.change_account(actor(), account(1), settings(change.clone()))).expect("a change");
    run(bench.store.change_account(actor(), account(1), settings(change))).expect("nothing further");
    let expected = [
        r#"account.open account 1 entry 1 {"credit_limit":"5","currency":"VND","external_id":"crm-1","name":"Account 1"}"#,
        r#"account.limit account 1 entry 4 {"credit_limit":{"from":"5","to":"7.5"},"reason":"contract 12"}"#,
        r#"account.status account 1 entry 5 {"status":{"from":"active","to":"locked"}}"#,
        r#"account.adjust account 1 entry 6 {"amount":"-70","reason":"as agreed"}"#,
        r#"account.change account 1 {"metered":{"from":false,"to":true},"name":{"from":"Account 1","to":"Two"}}"#,
    ];
    assert_eq!(told(&bench), expected);
    assert!(rows(&bench).iter().all(|row| row.actor == "local:test" && row.request_id.is_none()));
    assert_eq!(told(&bench.reopened()), expected);
}

#[test]
fn credentials_are_told_without_their_secret_and_their_whole_key() {
    let bench = Bench::new();
    bench.open(1);
    let (api_key, secret) = ("40D5551F4E3BC5FD7840E0A0DE1B9D", "C18587056FE074F2B334329EF730CA");
    let issued = NewCredential { is_imported: false, label: Some("web".into()), ..new_credential(1, api_key, secret) };
    run(bench.store.add_credential(actor(), issued)).expect("a credential");
    bench.credential(1, "ab", secret).expect("a credential");
    let narrow = CredentialChange {
        cidrs: Some(vec!["10.0.0.0/8".parse().expect("a network")]),
        expires_at: Some(Some(Time::from_micros(START))),
        ..CredentialChange::default()
    };
    run(bench.store.change_credential(actor(), account(1), api_key, narrow.clone())).expect("narrowed");
    run(bench.store.change_credential(actor(), account(1), api_key, narrow)).expect("nothing further");
    let revoke = CredentialChange { revoke: true, ..CredentialChange::default() };
    run(bench.store.change_credential(actor(), account(1), api_key, revoke.clone())).expect("revoked");
    run(bench.store.change_credential(actor(), account(1), api_key, revoke)).expect("nothing further");
    let expected = [
        r#"credential.issue account 1 key 40D5… {"cidrs":[],"expires_at":null,"label":"web"}"#.to_owned(),
        r#"credential.import account 1 key a… {"cidrs":[],"expires_at":null,"label":null}"#.to_owned(),
        format!(
            r#"credential.change account 1 key 40D5… {{"cidrs":{{"from":[],"to":["10.0.0.0/8"]}},"expires_at":{{"from":null,"to":{START}}}}}"#
        ),
        r#"credential.revoke account 1 key 40D5… {"label":"web"}"#.to_owned(),
    ];
    assert_eq!(told(&bench)[1..], expected);
}

#[test]
fn a_row_carries_the_request_that_asked_for_it() {
    let bench = Bench::new();
    let store = bench.store.in_request(RequestId::new("req-7").expect("an id"));
    run(store.open_account(new_account(1))).expect("an account");
    let limit = Movement::Limit { credit_limit: minor("1") };
    run(store.submit(vec![command(1, limit, "")])).expect("no fault")[0].as_ref().expect("a limit");
    run(store.note(actor(), "verify.start", "ledger".into(), Vec::new())).expect("noted");
    let ids: Vec<_> = rows(&bench).into_iter().map(|row| row.request_id).collect();
    assert_eq!(ids, [Some("req-7".to_owned()), Some("req-7".to_owned()), Some("req-7".to_owned())]);
}

#[test]
fn the_trail_is_cut_by_time_actor_and_cursor() {
    let bench = Bench::new();
    for id in 1..=5 {
        bench.pass(10);
        let by = ledger::Actor::new(if id % 2 == 0 { "local:even" } else { "local:odd" }).expect("an actor");
        run(bench.store.open_account(NewAccount { by, ..new_account(id) })).expect("an account");
    }
    let at = |micros: i64| Some(Time::from_micros(START + micros));
    let ids = |wanted: &AuditQuery, limit: usize| {
        let page = bench.store.audit(wanted, limit).expect("no fault");
        (page.items.iter().map(|row| row.id).collect::<Vec<_>>(), page.next)
    };
    let all = AuditQuery::default();
    assert_eq!(ids(&all, 1000), (vec![1, 2, 3, 4, 5], None));
    assert_eq!(ids(&all, 2), (vec![1, 2], Some(2)));
    assert_eq!(ids(&AuditQuery { after: 2, ..all.clone() }, 3), (vec![3, 4, 5], None));
    assert_eq!(ids(&AuditQuery { from: at(20), to: at(40), ..all.clone() }, 9), (vec![2, 3], None));
    assert_eq!(ids(&AuditQuery { from: at(21), ..all.clone() }, 9), (vec![3, 4, 5], None));
    assert_eq!(ids(&AuditQuery { from: at(51), ..all.clone() }, 9), (vec![], None));
    assert_eq!(ids(&AuditQuery { to: at(10), ..all.clone() }, 9), (vec![], None));
    let odd = AuditQuery { actor: Some("local:odd".into()), ..all };
    assert_eq!(ids(&odd, 2), (vec![1, 3], Some(3)));
    assert_eq!(ids(&AuditQuery { after: 3, ..odd }, 2), (vec![5], None));
}

#[test]
fn its_times_never_go_back_though_the_clock_does() {
    let bench = Bench::new();
    let note =
        |bench: &Bench| run(bench.store.note(actor(), "verify.start", "ledger".into(), Vec::new())).expect("noted");
    note(&bench);
    bench.pass(-5_000_000);
    note(&bench);
    let bench = bench.reopened();
    note(&bench);
    assert_eq!(rows(&bench).iter().map(|row| row.at.micros()).collect::<Vec<_>>(), [START; 3]);
}

#[test]
fn the_database_refuses_changes_to_it() {
    let bench = Bench::new();
    bench.open(1);
    bench.store.close();
    for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        let error = bench.server_shell().try_run(sql).expect_err("not even by the server's own user");
        assert!(error.contains(engine::AUDIT_IS_IMMUTABLE), "{error}");
    }
}

#[test]
fn a_row_that_was_taken_out_is_found_by_verify() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    assert_eq!(bench.verify(), [""; 0]);
    bench.store.close();
    bench.shell().tamper("DELETE FROM audit WHERE id = 2");
    let bench = bench.reopened();
    assert_eq!(bench.verify(), ["None None: the audit trail has 2 rows and its last is number 3"]);
}

#[test]
fn an_adjustment_carries_its_reference() {
    let bench = Bench::new();
    bench.open(1);
    let mut adjust = command(1, Movement::Adjust { amount: vnd("5").minor(), reason: reason("why") }, "a");
    adjust.reference = Some(ledger::Reference::new("ticket 9").expect("a reference"));
    adjust.metadata = Metadata::default();
    bench.try_submit(adjust).expect("no fault").expect("adjusted");
    assert_eq!(
        told(&bench)[1],
        r#"account.adjust account 1 entry 2 {"amount":"5","reason":"why","reference":"ticket 9"}"#
    );
    assert_ne!(bench.account(1).expect("an account").posted, Minor::ZERO);
}
