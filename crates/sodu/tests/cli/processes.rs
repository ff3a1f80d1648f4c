//! Several processes and one database: commands beside a server, two servers, many commands at once.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use serde_json::Value;

use crate::common::Sodu;

#[test]
fn beside_a_server_commands_speak_to_it() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    assert_eq!(server.ready["database"], sodu.url());
    let moved = sodu.run(&["topup", "9999", "7", "-k", "beside"]).expect(0);
    assert_eq!(moved.err, format!("server at {0}.sock (database sqlite:{0})\n", sodu.path("sodu.db").display()));
    assert!(moved.out.contains("balance 36,700 VND"), "{}", moved.out);
    assert_eq!(sodu.json(&["topup", "9999", "7", "-k", "beside"])["replayed"], true);
    let refused = sodu.run(&["charge", "9999", "99999", "-k", "big", "--json"]);
    assert_eq!((refused.code, &refused.json()["slug"]), (1, &Value::from("insufficient_credit")));
    assert_eq!(sodu.run(&["statement", "9999"]).expect(0).out.lines().count(), 5);
    assert_eq!(sodu.json(&["verify"])["ok"], true);
    sodu.run(&["backup", "copy.db"]).expect(0);
    assert!(sodu.path("copy.db").exists());

    assert_eq!(server.interrupt().code(), Some(0));
    // The same command, now in its own process, finds the same ledger.
    let alone = sodu.run(&["topup", "9999", "7", "-k", "beside"]).expect(0);
    assert!(alone.err.starts_with(&format!("database {}\n", sodu.url())), "{}", alone.err);
    assert_eq!(alone.out, moved.out);
    assert!(!sodu.files().iter().any(|file| file.ends_with(".sock")));
}

#[test]
fn a_second_server_says_who_owns_the_database_and_changes_nothing() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    let second = sodu.run(&["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    let error = second.refused("database_in_use");
    assert!(error.contains(&format!("process {}", server.pid())) && error.contains("Nothing was changed"), "{error}");
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36693");
    assert_eq!(server.interrupt().code(), Some(0));
}

#[test]
fn commands_at_the_same_moment_wait_for_each_other() {
    let sodu = Sodu::with_account();
    let charges: Vec<_> = (0..4)
        .map(|n| {
            let key = format!("c{n}");
            let mut command = sodu.command(&["charge", "9999", "1", "-k", &key]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
        })
        .collect();
    for mut charge in charges {
        assert!(charge.wait().expect("it ends").success());
    }
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36689");
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn an_owner_that_does_not_answer_is_named() {
    let sodu = Sodu::with_account();
    let lock = std::fs::File::options().write(true).open(sodu.path("sodu.db.lock")).expect("the lock");
    lock.lock().expect("nobody has it");
    let error = sodu.run(&["balance", "9999"]).refused("database_in_use");
    assert!(error.contains("is in use by process") && error.contains("try again"), "{error}");
}

/// Takes the socket's place and hangs up on whoever has said something.
fn hang_up_on_one_caller(sodu: &Sodu) -> std::thread::JoinHandle<String> {
    let listener = UnixListener::bind(sodu.path("sodu.db.sock")).expect("a socket");
    std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        let mut said = [0; 4096];
        let len = caller.read(&mut said).expect("a request");
        String::from_utf8_lossy(&said[..len]).into_owned()
    })
}

#[test]
fn a_lost_answer_to_a_movement_says_how_to_learn_the_outcome() {
    let sodu = Sodu::with_account();
    let heard = hang_up_on_one_caller(&sodu);
    let error = sodu.run(&["topup", "9999", "5", "-k", "mine"]).refused("outcome_unknown");
    assert!(error.contains("it may have happened") && error.contains("--idempotency-key mine"), "{error}");
    assert!(heard.join().expect("it listens").starts_with("POST /v1/accounts/9999/topups "));

    std::fs::remove_file(sodu.path("sodu.db.sock")).expect("the socket");
    let heard = hang_up_on_one_caller(&sodu);
    // The key that a command without one makes for itself is named too, since opening again would open another account.
    let error = sodu.run(&["account", "open", "--name", "B"]).refused("outcome_unknown");
    assert!(error.contains("--idempotency-key cli-"), "{error}");
    heard.join().expect("it listens");

    std::fs::remove_file(sodu.path("sodu.db.sock")).expect("the socket");
    let heard = hang_up_on_one_caller(&sodu);
    sodu.run(&["balance", "9999"]).refused("server_lost");
    heard.join().expect("it listens");
}

#[test]
fn a_taken_port_is_an_error_that_names_the_flag() {
    let sodu = Sodu::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = sodu.run(&["serve", "--listen", &address, "--ops-listen", "127.0.0.1:0"]).refused("not_served");
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}
