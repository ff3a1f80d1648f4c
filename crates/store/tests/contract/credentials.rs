//! Credentials: who gets in, and what narrows it.

use ledger::Time;
use store::{ChangeError, CredentialChange, Grant, NewCredential};

use crate::bench::{Bench, START, account, actor, key, new_credential, run};

fn is_live_at(mut grant: Grant<'_>, micros: i64) -> bool {
    grant.at = Time::from_micros(micros);
    grant.is_live()
}

#[test]
fn key_and_secret_open_their_account_also_after_a_restart() {
    let bench = Bench::new();
    bench.open(9999);
    bench.credential(9999, "KEY", "0123456789ABCDEF").expect("a credential");
    let bench = bench.reopened();
    let grant = bench.authenticate("KEY", "0123456789ABCDEF").expect("the right pair");
    assert_eq!(grant.account.id, account(9999));
    assert!(grant.is_live() && grant.admits([203, 0, 113, 7].into()));
    for (api_key, secret_key) in [("KEY", "0123456789abcdef"), ("key", "0123456789ABCDEF"), ("KEY", ""), ("", "")] {
        assert!(bench.authenticate(api_key, secret_key).is_none(), "{api_key} {secret_key}");
    }
}

#[test]
fn several_credentials_overlap_and_each_is_narrowed_by_itself() {
    let bench = Bench::new();
    bench.open(1);
    bench.credential(1, "OLD", "0123456789ABCDEF").expect("a credential");
    let narrowed = NewCredential {
        label: Some("rotated".into()),
        cidrs: vec!["203.0.113.0/24".parse().expect("a network"), "2001:db8::/32".parse().expect("a network")],
        expires_at: Some(Time::from_micros(START + 1_000)),
        ..new_credential(1, "NEW", "FEDCBA9876543210")
    };
    run(bench.store.add_credential(actor(), narrowed)).expect("a credential");
    let check = |bench: &Bench| {
        let again = || bench.authenticate("NEW", "FEDCBA9876543210").expect("the right pair");
        let grant = again();
        assert!(grant.admits([203, 0, 113, 9].into()));
        assert!(grant.admits("::ffff:203.0.113.9".parse().expect("an address")));
        assert!(grant.admits("2001:db8::1".parse().expect("an address")));
        assert!(!grant.admits([198, 51, 100, 1].into()));
        let is_live = |at: i64| is_live_at(again(), START + at);
        assert!(is_live(999) && !is_live(1_000));
    };
    check(&bench);
    let bench = bench.reopened();
    check(&bench);
    let revoke = CredentialChange { revoke: true, ..CredentialChange::default() };
    run(bench.store.change_credential(actor(), account(1), "OLD", revoke)).expect("revoked");
    let is_live = |bench: &Bench| bench.authenticate("OLD", "0123456789ABCDEF").expect("the pair is right").is_live();
    assert!(!is_live(&bench));
    let widen = CredentialChange { cidrs: Some(Vec::new()), expires_at: Some(None), ..CredentialChange::default() };
    run(bench.store.change_credential(actor(), account(1), "NEW", widen)).expect("widened");
    let grant = bench.authenticate("NEW", "FEDCBA9876543210").expect("the right pair");
    assert!(grant.admits([198, 51, 100, 1].into()) && is_live_at(grant, i64::MAX));
    let bench = bench.reopened();
    assert!(!is_live(&bench), "revoked for ever");
    let listed = bench.store.credentials(account(1)).expect("no fault");
    let keys: Vec<_> =
        listed.iter().map(|credential| (credential.api_key.as_str(), credential.revoked_at.is_some())).collect();
    assert_eq!(keys, [("OLD", true), ("NEW", false)]);
}

#[test]
fn what_cannot_be_is_said() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.credential(1, "KEY", "0123456789ABCDEF").expect("a credential");
    assert_eq!(bench.credential(2, "KEY", "another secret!!"), Err(ChangeError::CredentialExists));
    assert_eq!(bench.credential(3, "OTHER", "0123456789ABCDEF"), Err(ChangeError::UnknownAccount));
    let change =
        |id, api_key| run(bench.store.change_credential(actor(), account(id), api_key, CredentialChange::default()));
    assert_eq!(change(2, "KEY"), Err(ChangeError::UnknownCredential), "that key is another account's");
    assert_eq!(change(1, "NONE"), Err(ChangeError::UnknownCredential));
}

#[test]
fn a_repeated_issue_makes_one_credential() {
    let bench = Bench::new();
    bench.open(1);
    let made = |api_key: &str| NewCredential {
        is_imported: false,
        key: Some(key("issue-1")),
        ..new_credential(1, api_key, "0123456789ABCDEF")
    };
    let (first, replayed) = run(bench.store.add_credential(actor(), made("FIRST"))).expect("a credential");
    assert!(!replayed);
    let (again, replayed) = run(bench.store.add_credential(actor(), made("SECOND"))).expect("the same");
    assert_eq!((again, replayed), (first, true));
    assert!(bench.authenticate("SECOND", "0123456789ABCDEF").is_none());
    let imported = NewCredential { is_imported: true, ..made("THIRD") };
    assert_eq!(run(bench.store.add_credential(actor(), imported)), Err(ChangeError::KeyReused));
}

#[test]
fn the_last_use_is_known_to_the_minute() {
    let bench = Bench::new();
    bench.open(1);
    bench.credential(1, "KEY", "0123456789ABCDEF").expect("a credential");
    let used = |bench: &Bench| bench.store.credentials(account(1)).expect("no fault")[0].last_used_at;
    assert_eq!(used(&bench), None);
    bench.pass(90_000_000);
    bench.authenticate("KEY", "0123456789ABCDEF").expect("the pair").note_use();
    let minute = Some(Time::from_micros(START + 60_000_000));
    assert_eq!(used(&bench), minute);
    assert_eq!(used(&bench.reopened()), minute, "an end writes what no tick has written yet");
}
