//! How long accounts last, as a metric of those that are marked.

use crate::common::*;

#[test]
fn metrics_tell_how_long_marked_accounts_last() {
    let server = Server::start();
    let change = store::ProfileChange { metered: Some(true), ..Default::default() };
    let change = store::AccountChange { profile: change, ..store::AccountChange::default() };
    let account = ledger::AccountId::new(9999).expect("an id");
    block_on(server.store.change_account(actor(), account, change)).expect("changed");
    let amount = ledger::Amount::new(minor("1000")).expect("an amount");
    server.act(9999, ledger::Movement::Charge { amount });
    let text = server.ops("/metrics").body;
    assert!(!text.contains("sodu_account_runway_seconds{"), "less than an hour is known");
    assert!(
        text.contains("\nsodu_deliveries_waiting 0\n") && text.contains("\nsodu_deliveries_given_up 0\n"),
        "{text}"
    );
    server.pass(std::time::Duration::from_secs(7200));
    // 1,035,693 are available, and 1,000 were used in two hours.
    server.await_metric(r#"sodu_account_runway_seconds{account="9999"} 7456989"#);
}
