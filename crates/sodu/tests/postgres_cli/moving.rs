//! `sodu migrate-store`, the real binary: killed half way and run again in both directions, and everything that it says no to.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::{DatabaseUrl, Options, Store};

use crate::cluster::{self, Shell};
use crate::common::{Ended, Server, Sodu, program, run};

/// One batch of entries for PostgreSQL and some more; each account comes with two.
const ACCOUNTS: u32 = 8_500;
const BATCH: i64 = 16_384;

/// Where the ledger begins, in the test's folder.
fn file(sodu: &Sodu, name: &str) -> String {
    format!("sqlite:{}", sodu.path(name).display())
}

fn at(folder: &Path, database: &str, args: &[&str]) -> Ended {
    run(program(folder).env("SODU_DATABASE", database).args(args))
}

fn asked(folder: &Path, database: &str, args: &[&str]) -> Value {
    at(folder, database, &[args, &["--json"]].concat()).expect(0).json()
}

fn migrate(sodu: &Sodu, from: &str, to: &str) -> Command {
    let mut command = program(sodu.folder.path());
    command.args(["migrate-store", "--from", from, "--to", to]);
    command
}

/// A ledger in a file, with a movement under the key `first` on account 1.
fn with_file(accounts: u32) -> (Sodu, String) {
    let sodu = Sodu::new();
    let url = file(&sodu, "file.db");
    let lines: String = (1..=accounts).map(|id| format!("{id},A{id},{}\n", 1000 + id)).collect();
    std::fs::write(sodu.path("accounts.csv"), format!("id,name,balance\n{lines}")).expect("a file");
    at(sodu.folder.path(), &url, &["import", "accounts", "accounts.csv"]).expect(0);
    at(sodu.folder.path(), &url, &["charge", "1", "700", "-k", "first"]).expect(0);
    at(sodu.folder.path(), &url, &["charge", "1", "99999", "-k", "refused"]).expect(1);
    (sodu, url)
}

fn admin(url: &str) -> Shell {
    Shell::open(&url.replacen("sodu@", "admin@", 1))
}

/// Makes the schema, as a server that has started there once.
fn make(url: &str) {
    let store = Store::open(Options {
        url: DatabaseUrl::parse(url).expect("a URL"),
        create: true,
        clock: std::sync::Arc::new(ledger::Time::default),
        queue_len_max: 1,
        refusal_days: 30,
        refusals_per_second: 1,
        connections_max: 6,
        alert_targets: Vec::new(),
    });
    store.expect("a new store").close();
}

/// Kills the command when `is_so`, which never comes where it ends before.
fn killed_when(command: &mut Command, is_so: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(child.try_wait().expect("it runs").is_none(), "it ended before it could be killed");
        assert!(Instant::now() < deadline, "it does not come as far as that");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Whether somebody waits for a lock of that table.
fn waits(shell: &Shell, table: &str) -> bool {
    let sql = format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sodu.{table}'::regclass");
    shell.number(&sql) > 0
}

#[test]
fn killed_at_any_point_and_run_again_it_ends_the_same_in_both_directions() {
    let (sodu, first) = with_file(ACCOUNTS);
    let (folder, database, back) = (sodu.folder.path(), sodu.url(), file(&sodu, "back.db"));
    let root = asked(folder, &first, &["verify"])["root"].clone();
    make(&database);
    let shell = admin(&database);
    // Whoever begins the second batch waits for the test.
    shell.run(&format!(
        "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
         IF (SELECT count(*) FROM sodu.entries) >= {BATCH} THEN PERFORM pg_advisory_xact_lock_shared(77); END IF; \
         RETURN NULL; END $$; \
         CREATE TRIGGER wait BEFORE INSERT ON sodu.entries FOR EACH STATEMENT EXECUTE FUNCTION public.wait()"
    ));
    shell.run("SELECT pg_advisory_lock(77)");
    killed_when(&mut migrate(&sodu, &first, &database), || shell.number("SELECT count(*) FROM sodu.entries") == BATCH);
    shell.run("SELECT pg_advisory_unlock(77); DROP TRIGGER wait ON sodu.entries");
    let early = at(folder, &database, &["account", "list"]).refused("move_unfinished");
    assert!(early.contains(&first) && early.contains("migrate-store"), "{early}");
    asked(folder, &first, &["verify"]);
    // The next attempt comes to the accounts, and no further.
    shell.run("BEGIN; LOCK TABLE accounts IN SHARE MODE");
    killed_when(&mut migrate(&sodu, &first, &database), || waits(&shell, "accounts"));
    shell.run("ROLLBACK");
    let moved = run(migrate(&sodu, &first, &database).arg("--json")).expect(0).json();
    let (accounts, entries) = (ACCOUNTS, 2 * ACCOUNTS + 1);
    let expected = json!({ "from": first, "to": database, "accounts": accounts, "entries": entries, "root": root,
        "moved_before": false });
    assert_eq!(moved, expected);
    assert_eq!(asked(folder, &database, &["verify"])["root"], root);
    assert_eq!(asked(folder, &database, &["charge", "1", "700", "-k", "first"])["replayed"], true);
    assert_eq!(asked(folder, &database, &["charge", "2", "2", "-k", "later"])["entry"]["number"], 3);

    shell.run("BEGIN; LOCK TABLE alerts IN ACCESS EXCLUSIVE MODE");
    killed_when(&mut migrate(&sodu, &database, &back), || waits(&shell, "alerts"));
    shell.run("ROLLBACK");
    at(folder, &back, &["account", "list"]).refused("move_unfinished");
    let root = asked(folder, &database, &["verify"])["root"].clone();
    let ended = run(&mut migrate(&sodu, &database, &back)).expect(0);
    assert!(ended.out.contains(&format!("root {}", root.as_str().expect("a root"))), "{}", ended.out);
    assert!(ended.out.contains("accounts: 8,500, entries: 17,002"), "{}", ended.out);
    assert!(ended.err.contains(&format!("--database {back}")), "{}", ended.err);
    assert_eq!(asked(folder, &back, &["verify"])["root"], root);
    assert_eq!(asked(folder, &back, &["charge", "2", "2", "-k", "later"])["replayed"], true);
    let refused = at(folder, &back, &["charge", "1", "99999", "-k", "refused", "--json"]).expect(1).json();
    assert_eq!((&refused["slug"], &refused["replayed"]), (&json!("insufficient_credit"), &json!(true)), "{refused}");
    assert_eq!(asked(folder, &back, &["charge", "2", "3", "-k", "after"])["entry"]["number"], 4);
    let again = run(&mut migrate(&sodu, &database, &back)).expect(0);
    assert!(again.out.starts_with("moved already: "), "{}", again.out);
}

#[test]
fn a_ledger_that_moved_is_opened_by_nothing_and_says_where_it_is() {
    let (sodu, first) = with_file(2);
    let (folder, database) = (sodu.folder.path(), sodu.url());
    run(&mut migrate(&sodu, &first, &database)).expect(0);
    let server = ["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let back = file(&sodu, "back.db");
    for (old, new) in [(&first, &database), (&database, &back)] {
        if old == &database {
            run(&mut migrate(&sodu, old, new)).expect(0);
        }
        for args in [&["account", "list"][..], &["topup", "1", "5", "-k", "k"], &["verify"], &server] {
            let error = at(folder, old, args).refused("ledger_moved");
            assert!(error.contains(new.as_str()) && error.contains("T") && error.contains("lives there"), "{error}");
        }
    }
    let restored = at(folder, &back, &["restore", "file.db", "--to", "sqlite:again.db"]).refused("restore_failed");
    assert!(restored.contains(&database) && !sodu.path("again.db").exists(), "{restored}");
    let error = run(&mut migrate(&sodu, &first, &file(&sodu, "third.db"))).refused("ledger_moved");
    assert!(error.contains(&database) && !sodu.path("third.db").exists(), "{error}");
    let error = run(&mut migrate(&sodu, &back, &database)).refused("ledger_moved");
    assert!(error.contains("name a new database"), "{error}");
    let _server = Server::spawn(program(folder).env("SODU_DATABASE", &back).args([&server[..], &["--json"]].concat()));
    let again = run(&mut migrate(&sodu, &database, &back)).expect(0);
    assert!(again.out.starts_with("moved already: "), "{}", again.out);
    let doctor = at(folder, &first, &["doctor", "--json"]).json();
    assert!(doctor.to_string().contains("where the ledger is now"), "{doctor}");
    // Not even by a user who passes by what looks for marks.
    let shell = Shell::open(&database);
    let error = shell.try_run("UPDATE accounts SET posted = 0").expect_err("nothing is written there");
    assert!(error.contains("permission denied"), "{error}");
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let (sodu, first) = with_file(2);
    let (folder, database) = (sodu.folder.path(), sodu.url());
    let refused = |from: &str, to: &str, slug: &str| run(&mut migrate(&sodu, from, to)).refused(slug);
    for (from, to) in [(&*first, &*first), ("sqlite:file.db", &first), ("file.db", &database), (&first, "postgres://")]
    {
        run(&mut migrate(&sodu, from, to)).expect(2);
    }
    run(program(folder).args(["migrate-store", "--from", &first])).expect(2);
    assert!(refused("sqlite:none.db", &database, "no_database").contains("none.db"));
    assert!(!sodu.path("none.db").exists());

    let serve = ["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"];
    let server = Server::spawn(program(folder).env("SODU_DATABASE", &first).args(serve));
    let error = refused(&first, &database, "database_in_use");
    assert!(error.contains(&format!("process {}", server.pid())) && error.contains("Stop that first"), "{error}");
    assert!(server.interrupt().success());

    let full = Sodu::with_account();
    let server = full.serve();
    let error = refused(&full.url(), &file(&sodu, "new.db"), "database_in_use");
    assert!(error.contains("sodu on this machine (session"), "{error}");
    assert!(server.interrupt().success());
    let error = refused(&first, &full.url(), "target_not_empty");
    assert!(error.contains("never adds"), "{error}");
    let error = refused(&first, "postgres://sodu:hushhush@127.0.0.1:1/x", "database_unusable");
    assert!(error.contains("127.0.0.1:1") && !error.contains("hush"), "{error}");

    let json = run(migrate(&sodu, "sqlite:none.db", &database).arg("--json")).expect(1).json();
    assert_eq!(json["slug"], "no_database");
    assert_eq!(asked(folder, &first, &["balance", "2"])["balance"], "1002");
}

#[test]
fn a_disk_that_is_full_stops_it_and_it_goes_on_with_room() {
    let (sodu, first) = with_file(3_000);
    let (folder, database, second) = (sodu.folder.path(), sodu.url(), file(&sodu, "second.db"));
    let root = run(migrate(&sodu, &first, &database).arg("--json")).expect(0).json()["root"].clone();
    // Half a megabyte a file: room for the tables, and not for what goes into them.
    let limited = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_sodu"), "migrate-store", "--from", &database, "--to", &second]);
    let error = run(command.env_clear().env("HOME", folder)).refused("move_interrupted");
    assert!(error.contains("second.db failed on the way") && error.contains("run the same command again"), "{error}");
    assert_eq!(asked(folder, &database, &["verify"])["root"], root, "it is where it was");
    assert_eq!(run(migrate(&sodu, &database, &second).arg("--json")).expect(0).json()["root"], root);
}

#[test]
fn databases_of_one_server_and_other_spellings_of_one_database() {
    let (sodu, first) = with_file(1);
    let (cluster, database) = (cluster::shared(), sodu.url());
    run(&mut migrate(&sodu, &first, &database)).expect(0);
    let name = database.rsplit('/').next().expect("its name");
    let spelled = format!("postgres://sodu@127.0.0.1:{}/{name}", cluster.port());
    let ended = run(&mut migrate(&sodu, &database, &spelled)).expect(2);
    assert!(ended.err.contains("the same database"), "{}", ended.err);
    let other = cluster.url("sodu", &cluster.database("template1"));
    run(&mut migrate(&sodu, &spelled, &other)).expect(0);
    assert_eq!(asked(sodu.folder.path(), &other, &["balance", "1"])["balance"], "301");
}
