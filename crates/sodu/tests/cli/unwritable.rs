//! The server under systemd while its file cannot be written.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::common::{Server, Sodu};
use crate::supervised::{Ear, path, serve};

#[test]
fn a_ledger_that_cannot_be_written_is_a_status_and_no_reason_to_restart() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    sodu.run(&["topup", "9999", "7", "-k", "left-in-the-log"]).expect(0);
    drop(server);
    // Like a full disk, a reader of the old log keeps it from being copied into the database file.
    let mut shell = Command::new("sqlite3");
    let mut reader =
        shell.arg(sodu.path("sodu.db")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut typed = reader.stdin.take().expect("it is piped");
    typed.write_all(b"BEGIN; SELECT count(*) FROM entries;\n").expect("it reads");
    let mut counted = String::new();
    BufReader::new(reader.stdout.take().expect("it is piped")).read_line(&mut counted).expect("an answer");
    assert_eq!(counted, "3\n");

    let ear = Ear::at(&sodu);
    let server = Server::spawn(serve(&sodu, &path(&sodu)).env("WATCHDOG_USEC", "200000"));
    ear.next_with("READY=1");
    ear.next_with("STATUS=the ledger cannot be written right now; balances are still answered");
    for _ in 0..3 {
        ear.next_with("WATCHDOG=1");
    }
    drop(typed);
    reader.wait().expect("it ends");
    let back =
        std::iter::repeat_with(|| ear.next()).find(|message| message.starts_with("STATUS=answers GetBalance on"));
    assert!(back.is_some());
    assert_eq!(server.interrupt().code(), Some(0));
}
