//! Random movements with restarts and kills in between: exactly one alert a crossing, against a naive count of crossings,
//! and what each account used, against a sum over its entries.

use ledger::{Kind, Level, Minor};
use proptest::prelude::*;

use crate::alerts::rules;
use crate::bench::{Bench, account, minor};

const MINUTE_US: i64 = 60_000_000;

/// In minor units, as is everything here.
const LEVEL: i64 = 10_000;

#[derive(Clone, Debug)]
enum Op {
    Topup(i64),
    Charge(i64),
    Pass(i64),
    Restart,
    Kill,
    SetAgain,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1_i64..20_000).prop_map(Op::Topup),
        8 => (1_i64..6_000).prop_map(Op::Charge),
        3 => (0_i64..900).prop_map(Op::Pass),
        1 => Just(Op::Restart),
        1 => Just(Op::Kill),
        1 => Just(Op::SetAgain),
    ]
}

struct Run {
    bench: Bench,
    key: u32,
    available: i64,
    armed: bool,
    crossings: usize,
}

impl Run {
    fn new() -> Run {
        let bench = Bench::new();
        bench.open(1);
        bench.topup(1, "150", "first").expect("money");
        bench.set_alerts(1, Some(rules(&[Level::Money(minor("100"))], &[])));
        Run { bench, key: 0, available: 15_000, armed: true, crossings: 0 }
    }

    fn perform(mut self, op: &Op) -> Result<Run, TestCaseError> {
        match op {
            Op::Topup(units) => {
                let amount = spelled(*units);
                self.key += 1;
                self.bench.topup(1, &amount, &format!("k{}", self.key)).expect("money");
                self.available += units;
                self.look();
            }
            Op::Charge(units) => self.charge(*units),
            Op::Pass(minutes) => self.bench.pass(minutes * MINUTE_US),
            Op::Restart => self.bench = self.bench.reopened(),
            Op::Kill => self.bench = self.bench.killed(),
            Op::SetAgain => {
                // The rules set anew, with nothing new in them, tell nothing.
                let mut again = rules(&[Level::Money(minor("100"))], &[]);
                again.rules.remind_hours = Some(24 * 365 + self.key);
                self.bench.set_alerts(1, Some(again));
            }
        }
        let lows = self.bench.told().len();
        prop_assert_eq!(lows, self.crossings, "after {:?} with {}", op, self.available);
        let state = self.bench.store.alerts(account(1)).expect("no fault").expect("rules");
        prop_assert_eq!(state.reached.is_empty(), self.armed);
        Ok(self)
    }

    fn charge(&mut self, units: i64) {
        self.key += 1;
        let decided = self.bench.charge(1, &spelled(units), &format!("k{}", self.key));
        if decided.is_ok() {
            self.available -= units;
            self.look();
        }
    }

    fn look(&mut self) {
        if self.armed && self.available < LEVEL {
            self.armed = false;
            self.crossings += 1;
        } else if self.available * 10 > LEVEL * 11 {
            self.armed = true;
        }
    }

    fn finish(self) -> Result<(), TestCaseError> {
        let now = self.bench.now().micros();
        let entries = self.bench.store.entries(account(1), None, None, 0, 10_000).expect("no fault").items;
        let today = now - 24 * 60 * MINUTE_US;
        let spent: i64 = entries
            .iter()
            .filter(|entry| entry.kind == Kind::Charge && entry.at.micros() > today)
            .map(|entry| entry.amount.units())
            .sum();
        let account = self.bench.account(1).expect("an account");
        let runway = self.bench.store.runway(&account).expect("no fault");
        // What was used in the one hour in which the day began may be told wrongly by as much as was used in it.
        let cut: i64 = entries
            .iter()
            .filter(|entry| entry.kind == Kind::Charge && (entry.at.micros() - today).abs() <= 60 * MINUTE_US)
            .map(|entry| entry.amount.units())
            .sum();
        if let Some(runway) = runway {
            prop_assert!((runway.used.units() - spent).abs() <= cut, "{:?} beside {}", runway, spent);
        }
        prop_assert_eq!(self.bench.verify(), [""; 0]);
        Ok(())
    }
}

fn spelled(units: i64) -> String {
    Minor::new(units).expect("a figure").decimal(2).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(crate::engine::MODEL_CASES) })]

    #[test]
    fn one_alert_a_crossing_whatever_is_cut_off_between(ops in prop::collection::vec(op(), 10..=50)) {
        ops.iter().try_fold(Run::new(), Run::perform)?.finish()?;
    }
}
