//! `sodu verify --save` and `--against`: what only a file kept elsewhere can show, since nothing in the database is left to
//! contradict it.

use crate::common::Sodu;
use crate::tampered::{copy, false_lines};

/// Keeps the ledger's links in a file of that name in its folder.
pub(crate) fn save(sodu: &Sodu, name: &str) {
    let saved = sodu.run(&["verify", "--save", name]).expect(0);
    assert!(saved.out.contains("everything agrees"), "{}", saved.out);
}

#[test]
fn a_history_that_was_written_anew_is_shown_by_the_file_only() {
    let (then, now) = (copy(), copy());
    then.run(&["charge", "7", "5", "-k", "true"]).expect(0);
    then.run(&["charge", "8", "5", "-k", "same"]).expect(0);
    save(&then, "links");
    std::fs::copy(then.path("links"), now.path("links")).expect("a copy");
    // The same database from before, in which other money was spent.
    now.run(&["charge", "7", "1", "-k", "false"]).expect(0);
    now.run(&["charge", "8", "5", "-k", "same"]).expect(0);
    now.run(&["verify"]).expect(0);
    let told = now.run(&["verify", "--against", "links"]).expect(1);
    let told = false_lines(&told);
    let other = |place: &str| format!("{place}: it is not the entry that was there before");
    // Also where all is alike but the time.
    assert_eq!(told, [other("account 7, entry 14"), other("account 8, entry 6")]);
    let report = now.run(&["verify", "--against", "links", "--json"]).expect(1).json();
    assert_eq!((&report["findings"][0]["account"], &report["findings"][0]["number"]), (&7.into(), &14.into()));
}

#[test]
fn what_came_after_the_file_is_no_contradiction() {
    let sodu = copy();
    save(&sodu, "links");
    sodu.run(&["charge", "7", "1", "-k", "later"]).expect(0);
    sodu.run(&["account", "open", "--name", "CDE"]).expect(0);
    sodu.run(&["verify", "--against", "links", "--save", "links-2"]).expect(0);
    assert_eq!(sodu.json(&["verify", "--against", "links-2"])["ok"], true);
    // Also beside a server, whose folder is another.
    let _server = sodu.serve();
    sodu.run(&["verify", "--against", "links-2", "--save", "links-3"]).expect(0);
    let read = |name: &str| std::fs::read_to_string(sodu.path(name)).expect("links");
    assert_eq!(read("links-3"), read("links-2"));
    let first: Vec<String> = read("links-2").lines().take(2).map(str::to_owned).collect();
    assert_eq!(
        first,
        ["sodu links 1".to_owned(), format!("root {}", sodu.json(&["verify"])["root"].as_str().expect("a root"))]
    );
}

#[test]
fn a_file_that_is_none_of_ours_or_was_changed_proves_nothing() {
    let sodu = copy();
    save(&sodu, "links");
    sodu.run(&["verify", "--save", "links"]).refused("file_exists");
    let error = sodu.run(&["verify", "--against", "missing"]).refused("malformed");
    assert!(error.contains("missing"), "{error}");
    std::fs::write(sodu.path("text"), "not links\n").expect("a file");
    let error = sodu.run(&["verify", "--against", "text"]).refused("malformed");
    assert!(error.contains("no file of links"), "{error}");
    let links = std::fs::read_to_string(sodu.path("links")).expect("links");
    for changed in [links.replace("\n7 13 ", "\n7 12 "), links.lines().take(3).collect::<Vec<_>>().join("\n")] {
        std::fs::write(sodu.path("changed"), changed).expect("a file");
        let error = sodu.run(&["verify", "--against", "changed"]).refused("malformed");
        assert!(error.contains("it was changed or cut off"), "{error}");
    }
    sodu.run(&["verify", "--against"]).expect(2);
}
