//! Random commands of every kind on a real database against the naive model that the rules are held against too: it
//! remembers what happened and adds it up anew for every question.
//!
//! Several commands share a commit, clocks jump back and forth, holds end while nobody looks, keys are used again before and
//! after their refusals lapse, and the store is closed and opened in between; at the end the ledger moves. What readers were told at each instant is
//! remembered, and has to be what is told of that instant for ever after.

use std::collections::BTreeMap;

use ledger::{Command, Currency, Entry, Key, Refusal, Time};
use proptest::prelude::*;
use store::{AccountNow, KeyOutcome, NewAccount};

use crate::bench::{Bench, Decided, START, account, command, minor, new_account, run};
use crate::draw::{Drawn, Figures, drawn, open};
use crate::engine;
use crate::naive::{self, Expected, Naive};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// For which a refusal uses its key up, in [`crate::bench::options`].
const REFUSAL_US: i64 = 30 * DAY_US;

/// The accounts with the limits that they open with; the third has another currency, the fourth is opened on the way.
const ACCOUNTS: [(u32, &str, &str); 4] = [(1, "VND", "0.5"), (2, "VND", "0"), (3, "USD", "3"), (9, "VND", "0")];

#[derive(Clone, Debug)]
enum Op {
    /// In one commit.
    Submit(Vec<Drawn>),
    OpenFourth,
    Pass(i64),
    /// Close, let the clock jump, open.
    Reopen(i64),
}

/// What a key was answered first.
type Answered = (Result<Entry, Refusal>, i64);

struct Run {
    bench: Bench,
    model: Naive,
    clock: i64,
    /// The greatest time of anything that is on disk.
    durable: i64,
    said: Vec<Command>,
    answered: BTreeMap<(u32, Key), Answered>,
    /// What readers were told, by account and instant.
    told: BTreeMap<(u32, i64), naive::Figures>,
}

impl Run {
    fn new() -> Run {
        let bench = Bench::new().with_dollars();
        let model = Naive::default();
        let (said, answered, told) = Default::default();
        let mut run = Run { bench, model, clock: START, durable: START, said, answered, told };
        run.model.refusal_us = Some(REFUSAL_US);
        ACCOUNTS.iter().take(3).for_each(|&(id, code, limit)| run.open(id, code, limit));
        run
    }

    fn open(&mut self, id: u32, code: &str, limit: &str) {
        if self.model.knows(id) {
            return;
        }
        let now = self.now();
        let new = NewAccount { currency: code.into(), credit_limit: minor(limit), ..new_account(id) };
        run(self.bench.store.open_account(new)).expect("an account");
        let currency = if code == "VND" { Currency::VND } else { Currency::new(code, 2, 2).expect("a currency") };
        self.model.has_currency(id, currency);
        let opening = command(id, open(currency, minor(limit).units()), "");
        assert_eq!(self.model.perform(&opening, now), Expected::Entry(1));
        self.durable = now;
    }

    fn now(&self) -> i64 {
        self.clock.max(self.durable)
    }

    fn perform(mut self, op: &Op) -> Result<Run, TestCaseError> {
        match op {
            Op::Submit(drawn) => self.submit(drawn)?,
            Op::OpenFourth => self.open(9, "VND", "0"),
            Op::Pass(micros) => self.pass(*micros),
            Op::Reopen(micros) => {
                self.pass(*micros);
                self.bench = self.bench.reopened();
            }
        }
        self.catch_up()?;
        self.look()?;
        Ok(self)
    }

    fn pass(&mut self, micros: i64) {
        self.bench.pass(micros);
        self.clock += micros;
        // Ledger time is bound to what is durable only: what was told of later instants may come otherwise.
        let now = self.now();
        self.told.retain(|(_, at), _| *at < now);
    }

    fn submit(&mut self, drawn: &[Drawn]) -> Result<(), TestCaseError> {
        self.catch_up()?;
        let now = self.now();
        let mut expected = Vec::new();
        let mut commands = Vec::new();
        for drawn in drawn {
            let command = drawn.command(&self.model, &self.said);
            let before = self.written();
            let outcome = self.model.perform(&command, now);
            let burns = |refusal: &Refusal| refusal.burns_key() && command.key.is_some();
            let keeps = matches!(&outcome, Expected::Refused(refusal, None) if burns(refusal));
            if keeps || self.written() > before {
                self.durable = now;
            }
            let id = command.account.get();
            expected.push((outcome, self.model.latest(id), self.model.past.get(&id).map(Vec::len)));
            self.said.push(command.clone());
            commands.push(command);
        }
        let decided = run(self.bench.store.submit(commands.clone())).expect("no fault");
        prop_assert_eq!(decided.len(), commands.len());
        for ((command, decided), expected) in commands.iter().zip(&decided).zip(expected) {
            self.compare(command, decided, expected, now)?;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        command: &Command,
        decided: &Decided,
        (expected, figures, number): (Expected, Option<naive::Figures>, Option<usize>),
        now: i64,
    ) -> Result<(), TestCaseError> {
        let id = command.account.get();
        let key = command.key.clone().map(|key| (id, key));
        match (&expected, decided) {
            (Expected::Entry(number), Ok(outcome)) => {
                prop_assert_eq!((outcome.replayed, outcome.entry.number), (false, *number));
                prop_assert_eq!((&outcome.entry.key, &outcome.entry.by), (&command.key, &command.by));
                self.answered.extend(key.map(|key| (key, (Ok(outcome.entry.clone()), now))));
            }
            (Expected::Replay(_), Ok(outcome)) => {
                let first = key.and_then(|key| self.answered.get(&key)).map(|(first, _)| first.clone());
                prop_assert_eq!((outcome.replayed, Some(Ok(outcome.entry.clone()))), (true, first));
            }
            (Expected::Refused(refusal, from), Err(refused)) => {
                prop_assert_eq!((refused.refusal, refused.replayed_from.map(Time::micros)), (*refusal, *from));
                let told = refused.account.map(|now| (figures_of(&now), usize::try_from(now.number).ok()));
                prop_assert_eq!(told, figures.map(|figures| (figures, number)));
                if from.is_none() && refusal.burns_key() {
                    self.answered.extend(key.map(|key| (key, (Err(*refusal), now))));
                }
            }
            (expected, decided) => {
                return Err(TestCaseError::fail(format!("{expected:?} was expected of {command:?}, not {decided:?}")));
            }
        }
        Ok(())
    }

    fn written(&self) -> usize {
        self.model.past.values().map(Vec::len).sum()
    }

    /// The writer ends holds by itself now and then; what it has written since is taken over once it is what is due.
    fn catch_up(&mut self) -> Result<(), TestCaseError> {
        for (id, ..) in ACCOUNTS {
            let known = self.model.past.get(&id).map_or(0, Vec::len);
            let page = self.bench.store.entries(account(id), None, None, known.try_into().expect("few"), 1_000);
            for entry in page.expect("no fault").items {
                let recorded_at = entry.recorded_at.micros();
                self.model.expire(id, recorded_at);
                self.durable = self.durable.max(recorded_at);
                let number = usize::try_from(entry.number).expect("few");
                let event = self.model.past.get(&id).and_then(|past| past.get(number - 1));
                prop_assert!(event.is_some_and(|event| event.is_told_by(&entry)), "{:?} is not {:?}", entry, event);
            }
        }
        Ok(())
    }

    /// Every figure that a reader sees, now and as of an instant that has passed.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let (bench, store, now) = (&self.bench, &self.bench.store, self.now());
        prop_assert_eq!(bench.now().micros(), now);
        for (id, ..) in ACCOUNTS {
            let seen = bench.account(id);
            prop_assert_eq!(seen.is_some(), self.model.knows(id));
            let Some(seen) = seen else { continue };
            prop_assert_eq!(Some(figures_of(&seen)), self.model.as_of(id, now));
            let open = store.open_holds(account(id), 0, 1_000).expect("no fault").items;
            let open: Vec<_> = open.into_iter().map(|(hold, _)| hold).collect();
            prop_assert_eq!(bench.open_hold_count(id), open.len());
            prop_assert_eq!(open, self.model.open_holds(id, now));
            self.told.insert((id, now), figures_of(&seen));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), TestCaseError> {
        for _ in 0..2 {
            for (&(id, at), &told) in &self.told {
                let then = self.bench.store.account_as_of(account(id), Time::from_micros(at)).expect("no fault");
                prop_assert_eq!(then.map(|then| figures_of(&then)), Some(told), "account {} as of {}", id, at);
                prop_assert_eq!(self.model.as_of(id, at), Some(told));
            }
            for ((id, key), (first, at)) in &self.answered {
                let outcome = run(self.bench.store.key_outcome(account(*id), key.clone())).expect("no fault");
                let first = match first {
                    Ok(entry) => Some(KeyOutcome::Entry(Box::new(entry.clone()))),
                    Err(_) if *at < self.now() - REFUSAL_US => None,
                    Err(refusal) => Some(KeyOutcome::Refused { refusal: *refusal, at: Time::from_micros(*at) }),
                };
                prop_assert_eq!(outcome, first);
            }
            prop_assert_eq!(self.bench.verify(), [""; 0]);
            self.bench = self.bench.moved();
        }
        self.catch_up()?;
        for (&id, past) in &self.model.past {
            let entries = self.bench.store.entries(account(id), None, None, 0, 1_000).expect("no fault").items;
            prop_assert_eq!(entries.len(), past.len());
            prop_assert!(past.iter().zip(&entries).all(|(event, entry)| event.is_told_by(entry)));
        }
        Ok(())
    }
}

fn figures_of(now: &AccountNow) -> naive::Figures {
    (now.posted, now.held, now.credit_limit, now.status)
}

fn jump() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..=2 * SECOND_US,
        4 => (1..=9_i64).prop_map(|seconds| seconds * SECOND_US),
        2 => engine::EARLIEST_JUMP_US..=0,
        1 => Just(REFUSAL_US + 1),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let drawn = prop_oneof![15 => drawn(Figures::Small), 1 => drawn(Figures::Bounds)];
    prop_oneof![
        24 => prop::collection::vec(drawn, 1..5).prop_map(Op::Submit),
        1 => Just(Op::OpenFourth),
        10 => jump().prop_map(Op::Pass),
        3 => jump().prop_map(Op::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::with_cases(engine::MODEL_CASES) })]

    #[test]
    fn store_and_model_agree_through_clocks_keys_and_restarts(ops in prop::collection::vec(op(), 20..=60)) {
        let run = ops.iter().try_fold(Run::new(), Run::perform)?;
        run.finish()?;
    }
}
