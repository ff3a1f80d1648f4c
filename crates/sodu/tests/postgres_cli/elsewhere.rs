//! A database elsewhere: its password stays a secret, what cannot be is said, and a server and commands share it.

use std::process::Stdio;

use crate::cluster;
use crate::common::{Sodu, program, run};

#[test]
fn a_server_and_commands_beside_it_share_the_ledger() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    sodu.run(&["charge", "9999", "693", "-k", "c"]).expect(0);
    let beside = program(sodu.folder.path())
        .env("SODU_DATABASE", sodu.url())
        .args(["charge", "9999", "693", "-k", "c"])
        .output();
    assert!(beside.expect("it runs").status.success(), "the same key again, whichever way it comes");
    let shown = sodu.json(&["account", "show", "9999"]);
    assert_eq!(shown["posted"], "36000");
    assert!(server.interrupt().success());
    let report = sodu.json(&["verify"]);
    assert_eq!((report["ok"].as_bool(), report["accounts"].as_u64()), (Some(true), Some(1)));
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let sodu = Sodu::new();
    let url = cluster::shared().url("sodu:hushhush", "nothing_there");
    for args in [&["account", "list"][..], &["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]] {
        let ended = run(program(sodu.folder.path()).env("SODU_DATABASE", &url).args(args)).expect(1);
        assert!(ended.err.contains("nothing_there") && ended.err.contains("does not exist"), "{}", ended.err);
        assert!(!ended.err.contains("hush") && !ended.out.contains("hush"), "{}", ended.err);
    }
    let wrong = run(program(sodu.folder.path())
        .env("SODU_DATABASE", "postgres://u:hushhush@h/d?sslmode=prefer")
        .args(["account", "list"]));
    assert!(wrong.code != 0 && wrong.err.contains("sslmode") && !wrong.err.contains("hush"), "{}", wrong.err);
}

#[test]
fn an_empty_database_is_no_empty_ledger() {
    let sodu = Sodu::new();
    assert!(sodu.run(&["account", "list"]).refused("no_database").contains("There is no database"));
    sodu.run(&["account", "open", "--name", "A"]).expect(0);
    sodu.run(&["account", "list"]).expect(0);
    assert!(sodu.run(&["backup", "copy.db"]).refused("backup_failed").contains("pg_dump"));
}

#[test]
fn commands_at_the_same_moment_are_nodes_of_one_ledger() {
    let sodu = Sodu::with_account();
    // Each key by two of them: one movement, whoever comes first.
    let charges: Vec<_> = (0..6)
        .map(|n| {
            let key = format!("c{}", n / 2);
            let mut command = sodu.command(&["charge", "9999", "1", "-k", &key]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
        })
        .collect();
    for mut charge in charges {
        assert!(charge.wait().expect("it ends").success());
    }
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36690");
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}
