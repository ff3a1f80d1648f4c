//! The client library against the real server: balances as a customer asks for them, credit as an operator moves it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;
use sodu_client::blocking::{Client, Operator};
use sodu_client::operator::{
    AccountChange, Command, CredentialChange, EntryFilter, KeyOutcome, Kind, Movement, Named, NewAccount,
    NewCredential, OperatorError, Status,
};
use sodu_client::{Decimal, Error};

use crate::common::{Server, Sodu};

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// A server, its operator of that role, and account 9999 with 36693.
fn set_up(role: &str) -> (Sodu, Server, Operator) {
    let sodu = Sodu::with_account();
    let token =
        sodu.json(&["operator", "add", "gateway", "--role", role])["token"].as_str().expect("a token").to_owned();
    let server = sodu.serve();
    let operator = Operator::new(&ops(&server), &token).expect("an operator");
    assert!(!format!("{operator:?}").contains(&token));
    (sodu, server, operator)
}

fn ops(server: &Server) -> String {
    format!("http://{}", server.ready["ops"].as_str().expect("an address"))
}

fn problem(error: OperatorError) -> String {
    let OperatorError::Problem(problem) = &error else { panic!("{error:?}") };
    problem.slug.clone()
}

#[test]
fn a_customer_hears_the_figure_or_why_not() {
    let (_sodu, server, operator) = set_up("admin");
    let issued = operator.add_credential(9999, &NewCredential::issue()).expect("a pair");
    let secret = issued.secret_key.clone().expect("a secret");
    assert!(!format!("{issued:?}").contains(secret.expose()));
    let url = server.ready["url"].as_str().expect("a URL");
    let client = Client::new(url, &issued.credential.api_key, secret.expose()).expect("a client");
    let balance = client.balance().expect("a balance");
    assert_eq!((balance.amount, balance.user_id), (decimal("36693"), 9999));

    let wrong = Client::new(url, &issued.credential.api_key, "wrong").expect("a client");
    assert_eq!(wrong.balance(), Err(Error::WrongKeys));
    let locked = AccountChange { status: Some("locked".into()), ..AccountChange::default() };
    assert_eq!(operator.change_account(9999, &locked).expect("a change").figures.status, Status::Locked);
    assert_eq!(client.balance(), Err(Error::AccountLocked));
    let elsewhere = CredentialChange { cidrs: Some(vec!["192.0.2.0/24".into()]), ..CredentialChange::default() };
    operator.change_credential(9999, &issued.credential.api_key, &elsewhere).expect("a change");
    assert_eq!(client.balance(), Err(Error::AddressNotAllowed));
    operator.revoke_credential(9999, &issued.credential.api_key).expect("a change");
    assert_eq!(client.balance(), Err(Error::WrongKeys));
    let listed = operator.credentials(9999).expect("a list");
    assert!(listed.len() == 1 && listed[0].revoked_at.is_some());
}

#[test]
fn every_movement_is_a_command() {
    let (_sodu, _server, operator) = set_up("admin");
    let new = NewAccount { id: Some(7), credit_limit: Some(decimal("10.5")), ..NewAccount::new("Đại lý 7") };
    let opened = operator.open_account(&new).expect("an account");
    assert_eq!((opened.account.figures.available, opened.replayed), (decimal("10.5"), false));
    assert!(operator.open_account(&new).expect("the same").replayed);

    let submit = |account, movement| operator.submit(&Command::new(account, movement)).expect("a movement");
    submit(9999, Movement::Topup { amount: decimal("7.05") });
    let charge = submit(9999, Movement::Charge { amount: decimal("350") });
    assert_eq!((charge.entry.kind, charge.account.balance), (Kind::Charge, decimal("36350.05")));
    submit(9999, Movement::Refund { charge: Named::Number(charge.entry.number), amount: decimal("50") });
    let hold = Command::new(9999, Movement::Hold { amount: decimal("1000"), expires_in: Some(60) }).key("hold/1");
    let held = operator.submit(&hold).expect("a hold");
    assert_eq!(held.account.held, decimal("1000"));
    assert_eq!(operator.holds(9999, None).expect("a list").items[0].left, decimal("1000"));
    let named = Named::Key(hold.key.clone());
    submit(9999, Movement::Extend { hold: named.clone(), expires_in: 600 });
    submit(9999, Movement::Capture { hold: named.clone(), amount: Some(decimal("300")), is_final: None });
    let rest = submit(9999, Movement::Void { hold: named });
    assert_eq!((rest.account.held, rest.account.balance), (Decimal::ZERO, decimal("36100.05")));
    submit(9999, Movement::Transfer { to: 7, amount: decimal("100.05") });
    let adjust =
        Command::new(9999, Movement::Adjust { amount: decimal("-6000") }).reason("counted twice").reference("r");
    assert_eq!(operator.submit(&adjust).expect("an adjustment").account.balance, decimal("30000"));

    assert_eq!(operator.account(7).expect("an account").figures.posted, decimal("100.05"));
    assert_eq!(operator.balance(9999, None).expect("figures").balance, decimal("30000"));
    let found = operator.accounts("Đại lý", None).expect("a page");
    assert_eq!((found.items.len(), found.next), (1, None));
    let filter = EntryFilter { reference: Some("r".into()), ..EntryFilter::default() };
    let entries = operator.entries(9999, &filter, None).expect("a page").items;
    assert_eq!(operator.entry(9999, entries[0].number).expect("an entry"), entries[0]);
    assert_eq!(entries[0].reason.as_deref(), Some("counted twice"));
}

#[test]
fn a_refusal_keeps_its_figures_and_its_key() {
    let (_sodu, _server, operator) = set_up("money");
    let command = Command::new(9999, Movement::Charge { amount: decimal("99999") });
    let Err(OperatorError::Problem(refused)) = operator.submit(&command) else { panic!("too much") };
    assert_eq!((refused.slug.as_str(), refused.status), ("insufficient_credit", 409));
    assert_eq!(refused.figures["available"], json!("36693"));
    let Ok(KeyOutcome::Refused { refused }) = operator.key_outcome(9999, &command.key) else { panic!("refused") };
    assert_eq!(refused.slug, "insufficient_credit");
    assert_eq!(problem(operator.key_outcome(9999, "free").expect_err("nothing")), "unknown_key");

    let other = Command { movement: Movement::Charge { amount: decimal("1") }, ..command };
    assert_eq!(problem(operator.submit(&other).expect_err("reused")), "key_reused");
    let open = operator.open_account(&NewAccount::new("A"));
    assert_eq!(problem(open.expect_err("a role that does not reach that far")), "forbidden");
    assert!(matches!(operator.submit(&other.key("two words")), Err(OperatorError::BadKey)));
}

#[test]
fn a_batch_gives_each_command_its_own_outcome() {
    let (_sodu, _server, operator) = set_up("money");
    let commands = [
        Command::new(9999, Movement::Hold { amount: decimal("100"), expires_in: None }).key("h"),
        Command::new(9999, Movement::Charge { amount: decimal("99999") }),
        Command::new(9999, Movement::Capture { hold: Named::Key("h".into()), amount: None, is_final: None }),
        Command::new(1, Movement::Topup { amount: decimal("5") }),
    ];
    let outcomes = operator.batch(&commands).expect("a batch");
    let told: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().map_or_else(|no| no.slug.as_str(), |_| "moved")).collect();
    assert_eq!(told, ["moved", "insufficient_credit", "moved", "unknown_account"]);
    let again = operator.batch(&commands).expect("a batch");
    assert!(again[0].as_ref().is_ok_and(|moved| moved.replayed));
    assert_eq!(operator.balance(9999, None).expect("figures").balance, decimal("36593"));
}

#[test]
fn settings_change_only_as_they_were_read() {
    let (_sodu, _server, operator) = set_up("admin");
    let version = operator.account(9999).expect("an account").version;
    assert!(version.is_some());
    let change = AccountChange { name: Some("ABC".into()), if_version: version, ..AccountChange::default() };
    assert_eq!(operator.change_account(9999, &change).expect("a change").name, "ABC");
    let late = AccountChange { name: Some("XYZ".into()), ..change };
    assert_eq!(problem(operator.change_account(9999, &late).expect_err("it has changed")), "settings_changed");
}

/// Between client and server: hands every request on, and drops the answers to the first `lost` of them.
fn losing(server: String, lost: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (index, client) in listener.incoming().flatten().enumerate() {
            let (mut from, mut to) = (client, TcpStream::connect(&server).expect("the server"));
            let mut back = (to.try_clone().expect("a clone"), from.try_clone().expect("a clone"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let mut answer = [0; 16 * 1024];
                let length = back.0.read(&mut answer).unwrap_or(0);
                if index >= lost {
                    let _ = back.1.write_all(&answer[..length]);
                    let _ = std::io::copy(&mut back.0, &mut back.1);
                }
                let _ = back.1.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn a_lost_answer_moves_nothing_twice() {
    let sodu = Sodu::with_account();
    let token =
        sodu.json(&["operator", "add", "gateway", "--role", "money"])["token"].as_str().expect("a token").to_owned();
    let server = sodu.serve();
    let through =
        |lost| Operator::new(&losing(ops(&server).replace("http://", ""), lost), &token).expect("an operator");
    // The retry finds what the first attempt did.
    let moved = through(1).submit(&Command::new(9999, Movement::Charge { amount: decimal("93") })).expect("a charge");
    assert!(moved.replayed && moved.account.balance == decimal("36600"), "{moved:?}");

    // Where no attempt is answered, nobody says no; and the same command settles it later.
    let command = Command::new(9999, Movement::Charge { amount: decimal("100") });
    let unknown = through(usize::MAX).submit(&command);
    assert!(matches!(unknown, Err(OperatorError::OutcomeUnknown { .. })), "{unknown:?}");
    let settled = through(0).submit(&command).expect("a charge");
    assert!(settled.replayed && settled.account.balance == decimal("36500"), "{settled:?}");
}
