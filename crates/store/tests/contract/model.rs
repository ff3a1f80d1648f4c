//! Random commands on a real database against a naive model: lists of (kind, amount), added up anew for every question,
//! and a list of what each key did.
//!
//! Clocks jump back and forth, keys are used again before and after their refusals lapse, the store is closed and opened
//! in between; at the end the statement is what was answered, and `verify` finds nothing. Bounds are the rules' own test.

use std::collections::BTreeMap;

use ledger::{Amount, Entry, Kind, Minor, Movement, Refusal, Status, Time};
use proptest::prelude::*;
use proptest::sample::Index;
use store::{ChangeError, NewAccount};

use crate::bench::{Bench, Decided, START, account, command, new_account, reason, run};

const DAY_US: i64 = 86_400_000_000;

/// The days of [`crate::bench::options`] for which a refusal uses its key up.
const REFUSAL_DAYS: i64 = 30;

/// The credit limits of accounts 1 to 3, which are there from the start, and of 4, which is opened on the way.
const LIMITS: [i64; 4] = [0, 50, 300, 7];

#[derive(Clone, Debug)]
enum Op {
    /// In one commit.
    Submit(Vec<Ask>),
    OpenFourth,
    Pass(i64),
    /// Close, let the clock jump, open.
    Reopen(i64),
}

#[derive(Clone, Debug)]
struct Ask {
    account: u32,
    asked: Asked,
    key: Option<u8>,
}

#[derive(Clone, Debug)]
enum Asked {
    Plain(Movement),
    /// Adjust by whatever brings posted to zero, so that accounts come to be closed.
    Sweep,
}

/// What a key did, and when.
struct Used {
    asked: Movement,
    at: i64,
    outcome: Result<u64, Refusal>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Entry(Kind, i64),
    Replay(u64),
    Refused(Refusal, Option<i64>),
}

/// An opening's or a limit's figure is the limit, a status's its code.
#[derive(Default)]
struct Model {
    past: BTreeMap<u32, Vec<(Kind, i64)>>,
    /// The store's own answers, in the order of each account.
    answered: BTreeMap<u32, Vec<Entry>>,
    keys: BTreeMap<(u32, u8), Used>,
    durable: i64,
}

impl Model {
    fn posted(&self, id: u32) -> i64 {
        let signed = |&(kind, figure): &(Kind, i64)| match kind == Kind::Charge {
            true => -figure,
            false if kind == Kind::Topup || kind == Kind::Adjust => figure,
            false => 0,
        };
        self.past.get(&id).into_iter().flatten().map(signed).sum()
    }

    fn last(&self, id: u32, kinds: &[Kind]) -> i64 {
        let past = self.past.get(&id).into_iter().flatten();
        past.rev().find(|(kind, _)| kinds.contains(kind)).map_or(0, |&(_, figure)| figure)
    }

    fn limit(&self, id: u32) -> i64 {
        self.last(id, &[Kind::Open, Kind::Limit])
    }

    fn status(&self, id: u32) -> Status {
        let code = u8::try_from(self.last(id, &[Kind::Status])).expect("a code");
        Status::from_code(code).expect("a status")
    }

    fn movement(&self, ask: &Ask) -> Movement {
        match &ask.asked {
            Asked::Plain(movement) => movement.clone(),
            Asked::Sweep => Movement::Adjust { amount: units(-self.posted(ask.account)), reason: reason("swept") },
        }
    }

    fn expected(&self, ask: &Ask, movement: &Movement, now: i64) -> Expected {
        if !self.past.contains_key(&ask.account) {
            return Expected::Refused(Refusal::UnknownAccount, None);
        }
        let used = ask.key.and_then(|key| self.keys.get(&(ask.account, key)));
        match used.filter(|used| used.outcome.is_ok() || used.at >= now - REFUSAL_DAYS * DAY_US) {
            Some(used) if used.asked != *movement => {
                Expected::Refused(Refusal::KeyReused { number: used.outcome.ok() }, None)
            }
            Some(Used { outcome: Ok(number), .. }) => Expected::Replay(*number),
            Some(Used { outcome: Err(refusal), at, .. }) => Expected::Refused(*refusal, Some(*at)),
            None => match self.decided(ask.account, movement) {
                Ok((kind, figure)) => Expected::Entry(kind, figure),
                Err(refusal) => Expected::Refused(refusal, None),
            },
        }
    }

    fn decided(&self, id: u32, movement: &Movement) -> Result<(Kind, i64), Refusal> {
        let (status, posted) = (self.status(id), self.posted(id));
        let available = posted + self.limit(id);
        if status == Status::Closed {
            return Err(Refusal::AccountClosed);
        }
        match movement {
            Movement::Charge { .. } if status == Status::Locked => Err(Refusal::AccountLocked),
            Movement::Charge { amount } if amount.minor().units() > available => {
                Err(Refusal::InsufficientCredit { available: units(available), amount: amount.minor() })
            }
            Movement::Charge { amount } => Ok((Kind::Charge, amount.minor().units())),
            Movement::Topup { amount } => Ok((Kind::Topup, amount.minor().units())),
            Movement::Adjust { amount, .. } if amount.units() == 0 => {
                Err(Refusal::AmountOutOfRange { amount: *amount })
            }
            Movement::Adjust { amount, .. } => Ok((Kind::Adjust, amount.units())),
            Movement::Limit { credit_limit, .. } if credit_limit.units() < 0 => {
                Err(Refusal::AmountOutOfRange { amount: *credit_limit })
            }
            Movement::Limit { credit_limit, .. } => Ok((Kind::Limit, credit_limit.units())),
            Movement::Status { status: Status::Closed, .. } if posted != 0 => {
                Err(Refusal::AccountNotEmpty { posted: units(posted), held: units(0) })
            }
            Movement::Status { status, .. } => Ok((Kind::Status, i64::from(status.code()))),
            Movement::Open { .. } => Err(Refusal::AccountExists),
            other => panic!("{other:?} is never asked for here"),
        }
    }

    /// Holds one answer against the model, and takes over what it did.
    fn compare(&mut self, ask: &Ask, decided: &Decided, now: i64) -> Result<bool, TestCaseError> {
        let (id, movement) = (ask.account, self.movement(ask));
        let outcome = match (self.expected(ask, &movement, now), decided) {
            (Expected::Entry(kind, figure), Ok(outcome)) => {
                prop_assert!(!outcome.replayed);
                self.past.entry(id).or_default().push((kind, figure));
                self.answered.entry(id).or_default().push(outcome.entry.clone());
                let (number, entry) = (self.number(id), &outcome.entry);
                prop_assert_eq!((entry.number, entry.kind, entry.at), (number, kind, Time::from_micros(now)));
                prop_assert_eq!(
                    (entry.posted_after, entry.credit_limit),
                    (units(self.posted(id)), self.minor_limit(id))
                );
                Ok(number)
            }
            (Expected::Replay(number), Ok(outcome)) => {
                let first = self.answered[&id].iter().find(|entry| entry.number == number);
                prop_assert_eq!((outcome.replayed, Some(&outcome.entry)), (true, first));
                return Ok(false);
            }
            (Expected::Refused(refusal, from), Err(refused)) => {
                prop_assert_eq!((refused.refusal, refused.replayed_from), (refusal, from.map(Time::from_micros)));
                let of_now = refused.account.map(|account| (account.posted, account.number));
                let known = self.past.contains_key(&id);
                prop_assert_eq!(of_now, known.then(|| (units(self.posted(id)), self.number(id))));
                if from.is_some() || !refusal.burns_key() {
                    return Ok(false);
                }
                Err(refusal)
            }
            (expected, decided) => {
                return Err(TestCaseError::fail(format!("{expected:?} was expected, not {decided:?}")));
            }
        };
        if let Some(key) = ask.key {
            self.keys.insert((id, key), Used { asked: movement, at: now, outcome });
        }
        // A refusal without a key leaves nothing behind, and so makes no time durable.
        Ok(outcome.is_ok() || ask.key.is_some())
    }

    fn number(&self, id: u32) -> u64 {
        u64::try_from(self.past[&id].len()).expect("a short history")
    }

    fn minor_limit(&self, id: u32) -> Minor {
        units(self.limit(id))
    }

    /// Opens an account in both.
    fn open(&mut self, bench: &Bench, id: u32, now: i64) -> Result<(), TestCaseError> {
        let limit = LIMITS[usize::try_from(id).expect("small") - 1];
        let answer = run(bench.store.open_account(NewAccount { credit_limit: units(limit), ..new_account(id) }));
        if self.past.contains_key(&id) {
            prop_assert_eq!(answer, Err(ChangeError::AccountExists));
            return Ok(());
        }
        self.past.insert(id, vec![(Kind::Open, limit)]);
        self.answered.insert(id, vec![answer.expect("an account").entry]);
        self.durable = now;
        Ok(())
    }

    /// Every figure that a reader sees.
    fn agrees_with(&self, bench: &Bench) -> Result<(), TestCaseError> {
        for id in 1..=4 {
            let Some(now) = bench.store.account(account(id)) else {
                prop_assert!(!self.past.contains_key(&id), "account {} is gone", id);
                continue;
            };
            let figures = (now.posted, now.held, now.credit_limit, now.status, now.number);
            let (posted, limit) = (units(self.posted(id)), self.minor_limit(id));
            prop_assert_eq!(figures, (posted, Minor::ZERO, limit, self.status(id), self.number(id)));
        }
        Ok(())
    }
}

fn units(units: i64) -> Minor {
    Minor::new(units).expect("a small figure")
}

fn ask() -> impl Strategy<Value = Ask> {
    let amount = || (1..=400_i64).prop_map(|amount| Amount::new(units(amount)).expect("positive"));
    let status = prop::sample::select(vec![Status::Active, Status::Active, Status::Locked, Status::Closed]);
    let asked = prop_oneof![
        8 => amount().prop_map(|amount| Asked::Plain(Movement::Topup { amount })),
        12 => amount().prop_map(|amount| Asked::Plain(Movement::Charge { amount })),
        2 => (-200..=200_i64).prop_map(|amount| {
            Asked::Plain(Movement::Adjust { amount: units(amount), reason: reason("counted") })
        }),
        2 => (-1..=300_i64).prop_map(|limit| {
            Asked::Plain(Movement::Limit { credit_limit: units(limit) })
        }),
        1 => status.prop_map(|status| Asked::Plain(Movement::Status { status })),
        1 => Just(Asked::Sweep),
    ];
    let id = prop_oneof![9 => 1..=3_u32, 1 => Just(4_u32)];
    (id, asked, prop::option::weighted(0.7, 0..20_u8)).prop_map(|(account, asked, key)| Ask { account, asked, key })
}

fn jump() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => -5_000_000..=5_000_000_i64,
        2 => (-20..=20_i64).prop_map(|days| days * DAY_US),
        2 => Just(REFUSAL_DAYS * DAY_US + 1),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => prop::collection::vec(ask(), 1..3).prop_map(Op::Submit),
        1 => Just(Op::OpenFourth),
        6 => jump().prop_map(Op::Pass),
        3 => jump().prop_map(Op::Reopen),
    ]
}

/// Every other commit also says a recent command again, key and all: chance alone would hardly ever do it.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = (op(), prop::option::weighted(0.5, any::<Index>()));
    prop::collection::vec(op, 20..=60).prop_map(|drawn| {
        let mut said: Vec<Ask> = Vec::new();
        let mut again = |(op, index): (Op, Option<Index>)| {
            let Op::Submit(mut asks) = op else { return op };
            if let Some(index) = index.filter(|_| !said.is_empty()) {
                let recent = &said[said.len().saturating_sub(6)..];
                asks.push(index.get(recent).clone());
            }
            said.extend(asks.iter().filter(|ask| ask.key.is_some()).cloned());
            Op::Submit(asks)
        };
        let mut ops: Vec<Op> = drawn.into_iter().map(&mut again).collect();
        ops.insert(ops.len() / 2, Op::Reopen(0));
        ops
    })
}

fn perform(ops: &[Op]) -> Result<(), TestCaseError> {
    let mut bench = Bench::new();
    let mut model = Model { durable: START, ..Model::default() };
    let mut clock = START;
    for id in 1..=3 {
        model.open(&bench, id, clock)?;
    }
    for op in ops {
        let now = clock.max(model.durable);
        match op {
            Op::Submit(asks) => {
                // A sweep is by what is posted when its turn comes, so it is asked for alone.
                let (alone, together): (Vec<&Ask>, Vec<&Ask>) =
                    asks.iter().partition(|ask| matches!(ask.asked, Asked::Sweep));
                for asks in std::iter::once(together).chain(alone.into_iter().map(|ask| vec![ask])) {
                    let now = clock.max(model.durable);
                    submit(&bench, &mut model, &asks, now)?;
                }
            }
            Op::OpenFourth => model.open(&bench, 4, now)?,
            Op::Pass(micros) => {
                bench.pass(*micros);
                clock += micros;
            }
            Op::Reopen(micros) => {
                bench.pass(*micros);
                clock += micros;
                bench = bench.reopened();
            }
        }
        model.agrees_with(&bench)?;
        prop_assert_eq!(bench.store.now(), Time::from_micros(clock.max(model.durable)));
    }
    for (&id, answered) in &model.answered {
        let page = bench.store.entries(account(id), None, None, 0, 1_000).expect("no fault");
        prop_assert_eq!(&page.items, answered);
    }
    prop_assert_eq!(bench.verify(), [""; 0]);
    Ok(())
}

fn submit(bench: &Bench, model: &mut Model, asks: &[&Ask], now: i64) -> Result<(), TestCaseError> {
    let spelled = |key: Option<u8>| key.map_or(String::new(), |key| format!("key-{key}"));
    let commands: Vec<_> =
        asks.iter().map(|ask| command(ask.account, model.movement(ask), &spelled(ask.key))).collect();
    if commands.is_empty() {
        return Ok(());
    }
    let decided = run(bench.store.submit(commands)).expect("no fault");
    prop_assert_eq!(decided.len(), asks.len());
    for (ask, decided) in asks.iter().zip(&decided) {
        if model.compare(ask, decided, now)? {
            model.durable = now;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn store_and_model_agree_through_clocks_keys_and_restarts(ops in ops()) {
        perform(&ops)?;
    }
}
