//! Alerts in a ledger that moves, read as the rows that they are: what the engines keep of them is the same.

use ledger::{Event, Level, Movement, Rules};
use rusqlite::Connection;
use rusqlite::types::Value;
use store::{AlertSettings, AttemptResult, Attempted, Channel, Contact, DatabaseUrl, Language, Store};

use crate::bench::{account, actor, command, minor, run, vnd};

/// The tables of alerts, with what accounts used.
const TABLES: [&str; 6] = [
    "SELECT * FROM alert_rules ORDER BY 1",
    "SELECT * FROM alert_contacts ORDER BY 1, 2",
    "SELECT * FROM alerts ORDER BY 1",
    "SELECT * FROM deliveries ORDER BY 1",
    "SELECT * FROM delivery_attempts ORDER BY 1, 2",
    "SELECT id, watch IS NOT NULL FROM accounts ORDER BY 1",
];

/// Has an account watched, and one told; then closes the store and gives the rows.
pub(crate) fn alerted(store: &Store, url: &DatabaseUrl) -> Vec<Vec<Value>> {
    let rules = Rules {
        levels: [Level::Money(minor("500"))].into(),
        margin_percent: 10,
        remind_hours: Some(24),
        events: [Event::ChargeRefused].into_iter().collect(),
    };
    let contact = Contact {
        channel: Channel::Webhook,
        address: "https://hooks.example.vn/x".into(),
        language: Language::Vietnamese,
        secret: Some("whsec_c2VjcmV0".into()),
    };
    let settings = AlertSettings { rules, quiet: None, contacts: vec![contact] };
    let measured = store.measure(account(1)).expect("no fault").expect("an account");
    run(store.change_alerts(actor(), account(1), Some(settings), measured)).expect("alerts");
    let charge = Movement::Charge { amount: vnd("200") };
    run(store.submit(vec![command(1, charge, "low")])).expect("no fault").pop().expect("one").expect("enough");
    let due = store.due_deliveries(run(store.now()).expect("no fault"), 10).expect("no fault");
    assert!(due.len() > 1, "the contact and the operator hear of it");
    let attempted = Attempted { delivery: due[0].delivery.id, result: AttemptResult::GivenUp { error: "404".into() } };
    run(store.record_attempts(vec![attempted])).expect("no fault");
    store.close();
    rows(url)
}

/// The rows of a file.
pub(crate) fn rows(url: &DatabaseUrl) -> Vec<Vec<Value>> {
    let db = Connection::open(&url.as_file().expect("a file").path).expect("the file");
    let mut all = Vec::new();
    for sql in TABLES {
        let mut select = db.prepare(sql).expect("a table");
        let len = select.column_count();
        let mut found = select.query([]).expect("rows");
        while let Some(row) = found.next().expect("a row") {
            all.push((0..len).map(|at| row.get(at).expect("a value")).collect());
        }
    }
    all
}
