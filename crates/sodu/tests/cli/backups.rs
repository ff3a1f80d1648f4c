//! Backup and restore of the file from the command line.

use crate::common::{Sodu, program, run};

#[test]
fn a_backup_is_restored_as_it_was_and_says_what_is_gone() {
    let sodu = Sodu::with_account();
    let root = sodu.json(&["verify"])["root"].clone();
    let wrote = sodu.run(&["backup", "copy.db"]).expect(0);
    assert!(wrote.out.starts_with(&format!("wrote {} (", sodu.path("copy.db").display())), "{}", wrote.out);
    assert_eq!(wrote.err, format!("database {}\n", sodu.url()));
    sodu.run(&["backup", "copy.db"]).refused("file_exists");
    sodu.run(&["charge", "9999", "5", "-k", "later"]).expect(0);

    let to = format!("sqlite:{}", sodu.path("new/restored.db").display());
    let restored = sodu.run(&["restore", "copy.db", "--to", &to]).expect(0);
    assert_eq!(restored.err, format!("created the database {to}\n"));
    for words in ["everything agrees", "Its last movement is of ", "(Asia/Ho_Chi_Minh)", "what came later is gone"] {
        assert!(restored.out.contains(words), "{words}: {}", restored.out);
    }
    sodu.run(&["restore", "copy.db", "--to", &to]).refused("restore_failed");
    let there = |args: &[&str]| {
        run(program(sodu.folder.path()).args(args).args(["--database", &to, "--json"])).expect(0).json()
    };
    assert_eq!(there(&["verify"])["root"], root);
    assert_eq!(there(&["balance", "9999"])["balance"], "36693");
    assert_eq!(there(&["topup", "9999", "36693", "-k", "first"])["replayed"], true);
    assert_eq!(there(&["charge", "9999", "5", "-k", "later"])["replayed"], false);
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let sodu = Sodu::new();
    std::fs::write(sodu.path("text"), "not a database").expect("a file");
    let to = format!("sqlite:{}", sodu.path("new.db").display());
    let error = sodu.run(&["restore", "text", "--to", &to]).refused("restore_failed");
    assert!(error.contains("Nothing was restored"), "{error}");
    sodu.run(&["restore", "missing", "--to", &to]).refused("restore_failed");
    sodu.run(&["restore", "text", "--to", "new.db"]).expect(2);
    assert!(!sodu.path("new.db").exists());
    let foreign = format!("sqlite:{}", sodu.path("text").display());
    sodu.run(&["account", "list", "--database", &foreign]).refused("database_unusable");
}
