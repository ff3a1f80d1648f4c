//! The index of keys against a map, through everything that can happen to it: flushes, merges, overrides, removed
//! refusals, commits that fail, and restarts in the middle of any of it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::keys::Runs;
use crate::schema;

const KEYS: RangeInclusive<u8> = 0..=90;

#[derive(Clone, Debug)]
enum Op {
    /// One commit: what each key did, an entry or a refusal.
    Commit(Vec<(u8, bool)>),
    /// The same, but the commit fails, and everything is loaded anew.
    Fail(Vec<(u8, bool)>),
    Restart,
    /// An end that writes what is left, and a restart.
    End,
    Tidy,
    /// That much of all refusals, in hundredths, has lapsed.
    Lapse(usize),
}

/// The store around the follower: its log, its disk, and what every key must lead to.
struct World {
    db: Connection,
    sizes: Sizes,
    accounts: Accounts,
    follower: Follower,
    /// What every row's key is, the first row being 1; negative rows are refusals.
    log: Vec<(u8, i64)>,
    known: BTreeMap<u8, i64>,
    /// Refusals up to this row are gone.
    lapsed: i64,
}

/// Some keys share the first eight bytes, so that fences do not tell them apart.
fn fingerprint(key: u8) -> u128 {
    let hash = *blake3::hash(&[key]).as_bytes();
    let first = *blake3::hash(&[key / 4]).as_bytes();
    let [high, low] = [first, hash].map(|hash| u64::from_be_bytes(*hash.first_chunk().expect("32 bytes")));
    u128::from(high) << 64 | u128::from(low)
}

impl World {
    fn new(sizes: Sizes) -> World {
        let db = Connection::open_in_memory().expect("a database");
        for step in schema::MIGRATIONS {
            db.execute_batch(step).expect("the schema");
        }
        let follower = Follower::load_with(&db, sizes).expect("nothing");
        let accounts = Accounts::with_room(0);
        World { db, sizes, accounts, follower, log: Vec::new(), known: BTreeMap::new(), lapsed: 0 }
    }

    fn last_row(&self) -> i64 {
        i64::try_from(self.log.len()).expect("a short log")
    }

    /// What a batch would append: a key that has made an entry makes nothing more.
    fn appended(&self, asked: &[(u8, bool)]) -> Vec<(u8, i64)> {
        let mut rows: Vec<(u8, i64)> = Vec::new();
        for &(key, is_entry) in asked {
            let is_taken = self.known.get(&key).is_some_and(|&row| row > 0)
                || rows.iter().any(|&(other, row)| other == key && row > 0);
            if !is_taken {
                let row = self.last_row() + i64::try_from(rows.len()).expect("few") + 1;
                rows.push((key, if is_entry { row } else { -row }));
            }
        }
        rows
    }

    fn write(&mut self, rows: &[(u8, i64)]) {
        self.db.execute_batch("BEGIN").expect("a transaction");
        for (_, row) in rows.iter().filter(|(_, row)| *row < 0) {
            let sql = "INSERT INTO refusals VALUES (?1, 1, 'k', x'', '', '', 0, '')";
            self.db.execute(sql, [-row]).expect("a refusal");
        }
        let source =
            Source { accounts: &self.accounts, watches: &Mutex::default(), heads: &[], last_time: Time::default() };
        self.follower.write_piece(&self.db, source, rows.len()).expect("a piece");
    }

    fn commit(&mut self, asked: &[(u8, bool)]) {
        let rows = self.appended(asked);
        self.write(&rows);
        self.db.execute_batch("COMMIT").expect("a commit");
        for &(key, row) in &rows {
            self.log.push((key, row));
            self.known.insert(key, row);
            self.follower.note_key(fingerprint(key), row);
        }
        self.follower.note_rows(rows.len(), self.last_row());
    }

    fn fail(&mut self, asked: &[(u8, bool)]) {
        self.write(&self.appended(asked));
        self.db.execute_batch("ROLLBACK").expect("rolled back");
        self.restart();
    }

    fn watermark(&self) -> i64 {
        let sql = "SELECT value FROM meta WHERE name = 'watermark'";
        self.db.query_row(sql, [], |row| row.get(0)).expect("a watermark")
    }

    fn restart(&mut self) {
        self.follower = Follower::load_with(&self.db, self.sizes).expect("what is there");
        let written = usize::try_from(self.watermark()).expect("a row");
        for &(key, row) in &self.log[written..] {
            if row > 0 || -row > self.lapsed {
                self.follower.note_key(fingerprint(key), row);
            }
        }
        self.follower.note_rows(self.log.len() - written, self.last_row());
    }

    fn end(&mut self) {
        while self.follower.is_behind() {
            self.db.execute_batch("BEGIN").expect("a transaction");
            let source =
                Source { accounts: &self.accounts, watches: &Mutex::default(), heads: &[], last_time: Time::default() };
            let last_row = self.last_row();
            self.follower.write_rest(&self.db, source, last_row).expect("a piece");
            self.db.execute_batch("COMMIT").expect("a commit");
        }
        self.restart();
    }

    fn lapse(&mut self, hundredths: usize) {
        self.lapsed = self.lapsed.max(self.last_row() * i64::try_from(hundredths).expect("a percentage") / 100);
        self.db.execute("DELETE FROM refusals WHERE id <= ?1", [self.lapsed]).expect("removed");
    }

    /// A key leads to what it did last; one whose refusal is gone may lead to any refusal that is gone, or nowhere.
    fn check(&self) -> Result<(), TestCaseError> {
        let runs = Runs::load(&self.db).expect("the runs");
        for key in KEYS {
            let known = self.known.get(&key).copied();
            let found = self.follower.find_key(&self.db, fingerprint(key)).expect("no damage");
            let is_gone = |row: i64| row < 0 && -row <= self.lapsed;
            if known.is_some_and(is_gone) {
                prop_assert!(found.is_none_or(is_gone), "{key}: {found:?}, and {known:?} is gone");
                continue;
            }
            prop_assert_eq!(found, known);
            if known.is_some_and(|row| row.abs() <= self.watermark()) {
                prop_assert_eq!(runs.find(&self.db, fingerprint(key)).expect("no damage"), known);
            }
        }
        Ok(())
    }
}

fn op() -> impl Strategy<Value = Op> {
    let asked = || prop::collection::vec((KEYS, prop::bool::weighted(0.15)), 1..12);
    prop_oneof![
        30 => asked().prop_map(Op::Commit),
        2 => asked().prop_map(Op::Fail),
        2 => Just(Op::Restart),
        1 => Just(Op::End),
        1 => Just(Op::Tidy),
        2 => (0..=100_usize).prop_map(Op::Lapse),
    ]
}

fn sizes() -> impl Strategy<Value = Sizes> {
    (1..30_usize, 1..6_usize, 1..4_usize, 2..4_usize, 0..20_usize).prop_map(
        |(generation_len, page_len, part_len, fan_out, left_at_end_max)| Sizes {
            generation_len,
            left_at_end_max,
            shape: Shape { page_len, part_len, fan_out },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_key_leads_to_what_it_did_last(sizes in sizes(), ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new(sizes);
        for op in ops {
            match op {
                Op::Commit(asked) => world.commit(&asked),
                Op::Fail(asked) => world.fail(&asked),
                Op::Restart => world.restart(),
                Op::End => world.end(),
                Op::Tidy => world.follower.tidy(&world.db).expect("tidied"),
                Op::Lapse(hundredths) => world.lapse(hundredths),
            }
            world.check()?;
        }
        while world.follower.keys.has_work() {
            world.follower.tidy(&world.db).expect("tidied");
        }
        world.check()?;
        if world.follower.writing.is_none() {
            prop_assert!(world.follower.keys.is_at_rest(&world.db).expect("counts"), "something was left behind");
        }
    }
}
