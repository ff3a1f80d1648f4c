//! What keeps a ledger from being moved, and what goes wrong on the way: it is where it was, and the reason is named.

use std::sync::Arc;

use store::{DatabaseUrl, MoveError, Moved, OpenError, Side, Stage, Store, migrate};

use crate::bench::{Bench, options};
use crate::cluster::{self, Cluster};
use crate::engine::Place;
use crate::moving::{World, assert_same, cut_off, filled, moved, seen_at};

#[test]
fn what_cannot_be_moved_is_left_as_it_was_and_named() {
    let world = World::new();
    let (file, database) = (filled(&world, "file.db"), world.database());
    let unusable = |result: Result<Moved, MoveError>| match result {
        Err(MoveError::Unusable { side, error }) => (side, error),
        other => panic!("{other:?}"),
    };
    let (side, error) = unusable(moved(&world.file("none.db"), &database));
    assert!(matches!((side, error), (Side::Source, OpenError::Missing)));
    let shared = cluster::shared();
    let empty = DatabaseUrl::parse(&shared.url("sodu", &shared.database("template1"))).expect("a URL");
    let (side, error) = unusable(moved(&empty, &world.file("new.db")));
    assert!(matches!((side, error), (Side::Source, OpenError::Missing)), "an empty database has no ledger");
    let store = world.open(&file).expect("a store");
    let (side, error) = unusable(moved(&file, &database));
    assert!(matches!((side, error), (Side::Source, OpenError::Owned { owner }) if owner.contains("process")));
    store.close();
    std::os::unix::fs::symlink("file.db", world.folder.path().join("other.db")).expect("a link");
    assert!(matches!(moved(&file, &file), Err(MoveError::Same)));
    assert!(matches!(moved(&file, &world.file("other.db")), Err(MoveError::Same)));

    let bench = Bench::new();
    bench.open(1);
    let (side, error) = unusable(moved(&bench.place.url(), &world.file("new.db")));
    let OpenError::Owned { owner } = error else { panic!("{error}") };
    assert!(side == Side::Source && owner.contains("sodu on this machine (session"), "{owner}");
    bench.store.close();
    assert!(matches!(moved(&file, &bench.place.url()), Err(MoveError::Taken)));
    let port = cluster::shared().port();
    let spelled = format!("postgres://sodu@127.0.0.1:{port}/{}", bench.place.database());
    let spelled = DatabaseUrl::parse(&spelled).expect("a URL");
    assert!(matches!(moved(&bench.place.url(), &spelled), Err(MoveError::Same)));

    let other = filled(&world, "another.db");
    cut_off(&file, &database, Stage::Rest);
    assert!(matches!(moved(&other, &database), Err(MoveError::Unfinished { from }) if from == file.to_string()));
    let newer = Place::new();
    newer.shell().run("UPDATE meta SET value = 99 WHERE name = 'schema'");
    let (side, error) = unusable(moved(&other, &newer.url()));
    assert!(matches!((side, error), (Side::Target, OpenError::Newer { found: 99, .. })));
    let gone = DatabaseUrl::parse("postgres://sodu@127.0.0.1:1/ledger").expect("a URL");
    let (side, error) = unusable(moved(&other, &gone));
    assert!(matches!((side, error), (Side::Target, OpenError::Io(_))));
    seen_at(&world, &other);
}

#[test]
fn another_ledger_is_not_mixed_into_what_an_attempt_left() {
    let world = World::new();
    let (file, database) = (filled(&world, "file.db"), world.database());
    cut_off(&file, &database, Stage::Rest);
    std::fs::remove_file(world.folder.path().join("file.db")).expect("removed");
    world.pass(77);
    filled(&world, "file.db");
    assert!(matches!(moved(&file, &database), Err(MoveError::Differs(_))));
    seen_at(&world, &file);
}

#[test]
fn a_ledger_that_contradicts_itself_is_not_moved() {
    let world = World::new();
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "10", "t").expect("money");
    bench.store.close();
    bench.shell().tamper("UPDATE entries SET posted = 999 WHERE number = 2");
    assert!(matches!(moved(&bench.place.url(), &world.file("new.db")), Err(MoveError::Unsound(_))));
}

#[test]
fn nobody_has_either_database_meanwhile() {
    let world = World::new();
    let (file, database) = (filled(&world, "file.db"), world.database());
    let time = Arc::clone(&world.time);
    let opened = |url: &DatabaseUrl| Store::open(options(url.clone(), &time)).map(|_| ());
    let is_in_use = |url: &DatabaseUrl| matches!(opened(url), Err(OpenError::Owned { .. }));
    let back = world.file("back.db");
    for (from, to) in [(&file, &database), (&database, &back)] {
        let mut looks = 0;
        let mut look = |_, _| {
            let is_barred = std::thread::scope(|scope| scope.spawn(|| is_in_use(from) && is_in_use(to)).join());
            assert!(is_barred.expect("no panic"));
            looks += 1;
        };
        migrate(from, to, "now", &mut look).expect("moved");
        assert!(looks > 3);
    }
}

#[test]
fn a_target_that_dies_is_gone_on_with_when_it_is_back() {
    let world = World::new();
    let cluster = Cluster::start();
    let file = filled(&world, "file.db");
    let database = DatabaseUrl::parse(&cluster.url("sodu", &cluster.database("template1"))).expect("a URL");
    let before = seen_at(&world, &file);
    let mut is_up = true;
    let failed = migrate(&file, &database, "now", &mut |stage, _| {
        if stage == Stage::Rest && std::mem::replace(&mut is_up, false) {
            cluster.kill();
        }
    });
    assert!(matches!(failed, Err(MoveError::Failed { side: Side::Target, .. })), "{failed:?}");
    assert_same(&seen_at(&world, &file), &before);
    assert!(cluster.serve());
    let figures = moved(&file, &database).expect("moved").figures;
    let known = format!("{} {} {:?}", figures.accounts, figures.entries, figures.root);
    assert_eq!(before.last(), Some(&known));
}
