//! Random histories against a naive model: a list of (kind, amount), added up anew in i128 for every question.
//!
//! The model knows nothing of `Account::apply`, of digests or of bounds checks: it compares contents field by field and
//! asks whether a sum lies within a quarter of i64. Where it and the rules disagree, one of them is wrong.

use ledger::{
    Account, Amount, Command, Earlier, Entry, Facts, Hash, Kind, Minor, Movement, Refusal, Status, Verdict, canonical,
    decide,
};
use proptest::prelude::*;

use crate::canonical::encoded;
use crate::make::{self, MAX};

/// One command of a random history.
#[derive(Clone, Debug)]
struct Step {
    asked: Asked,
    key: Option<u8>,
    reference: Option<u8>,
    described: bool,
    by: u8,
    now: i64,
}

#[derive(Clone, Debug)]
enum Asked {
    Plain(Movement),
    /// Adjust by whatever brings posted to zero, so that histories come to close an account.
    Sweep,
}

/// What happened, as the model remembers it: a limit's or an opening's amount is the limit, a status's its code.
#[derive(Default)]
struct Model {
    past: Vec<(Kind, i128)>,
    keys: Vec<(u8, Command, Option<u64>)>,
    at: Option<i64>,
}

impl Model {
    fn posted(&self) -> i128 {
        let total = |kinds: &[Kind]| -> i128 {
            self.past.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, amount)| amount).sum()
        };
        total(&[Kind::Topup, Kind::Adjust]) - total(&[Kind::Charge])
    }

    fn last(&self, kinds: &[Kind]) -> i128 {
        self.past.iter().rev().find(|(kind, _)| kinds.contains(kind)).map_or(0, |&(_, amount)| amount)
    }

    fn limit(&self) -> i128 {
        self.last(&[Kind::Open, Kind::Limit])
    }

    fn status(&self) -> Option<Status> {
        u8::try_from(self.last(&[Kind::Status])).ok().and_then(Status::from_code)
    }

    /// What an earlier use of the key makes of the command: `Ok` for the same again.
    fn earlier(&self, key: u8, command: &Command) -> Option<Result<(), Refusal>> {
        let (_, then, number) = self.keys.iter().find(|(known, ..)| *known == key)?;
        let same = (&then.movement, &then.reference, &then.metadata)
            == (&command.movement, &command.reference, &command.metadata);
        Some(if same { Ok(()) } else { Err(Refusal::KeyReused { number: *number }) })
    }

    fn expected(&self, movement: &Movement) -> Result<(Kind, i128), Refusal> {
        let out_of_range = |amount: Minor| Refusal::AmountOutOfRange { amount };
        let opening = matches!(movement, Movement::Open { .. });
        match (self.past.is_empty(), opening) {
            (true, false) => return Err(Refusal::UnknownAccount),
            (false, true) => return Err(Refusal::AccountExists),
            (true, true) | (false, false) => {}
        }
        if self.status() == Some(Status::Closed) {
            return Err(Refusal::AccountClosed);
        }
        let (kind, given) = match movement {
            Movement::Open { credit_limit, .. } => (Kind::Open, *credit_limit),
            Movement::Limit { credit_limit, .. } => (Kind::Limit, *credit_limit),
            Movement::Topup { amount } => (Kind::Topup, amount.minor()),
            Movement::Charge { amount } => (Kind::Charge, amount.minor()),
            Movement::Adjust { amount, .. } => (Kind::Adjust, *amount),
            Movement::Status { status, .. } => {
                if *status == Status::Closed && self.posted() != 0 {
                    return Err(Refusal::AccountNotEmpty { posted: figure(self.posted()), held: Minor::ZERO });
                }
                return Ok((Kind::Status, i128::from(status.code())));
            }
            other => panic!("{other:?} is never asked for here"),
        };
        let amount = i128::from(given.units());
        let available = self.posted() + self.limit();
        if kind == Kind::Charge && self.status() == Some(Status::Locked) {
            return Err(Refusal::AccountLocked);
        }
        if kind == Kind::Charge && amount > available {
            return Err(Refusal::InsufficientCredit { available: figure(available), amount: given });
        }
        let is_limit = matches!(kind, Kind::Open | Kind::Limit);
        let limit = if is_limit { amount } else { self.limit() };
        let moved = if is_limit { 0 } else { amount };
        let posted = if kind == Kind::Charge { self.posted() - moved } else { self.posted() + moved };
        let fits = |figure: i128| figure.abs() <= i128::from(MAX);
        let is_idle = kind == Kind::Adjust && amount == 0;
        if is_idle || limit < 0 || !fits(posted) || !fits(posted + limit) {
            return Err(out_of_range(given));
        }
        Ok((kind, amount))
    }
}

fn figure(units: i128) -> Minor {
    i64::try_from(units).ok().and_then(Minor::new).expect("the model's own sums stay within bounds")
}

fn units() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..=400_i64, 1 => MAX - 300..=MAX, 1 => MAX / 2 - 200..=MAX / 2 + 200]
}

fn amount() -> impl Strategy<Value = Amount> {
    units().prop_map(make::amount)
}

fn asked() -> impl Strategy<Value = Asked> {
    let reason = || prop::option::of(prop::sample::select(vec!["why", "because"]).prop_map(make::reason));
    let status = prop::sample::select(vec![Status::Active, Status::Active, Status::Locked, Status::Closed]);
    let limit = prop_oneof![5 => 0..=300_i64, 1 => -2..=0_i64, 1 => units()].prop_map(make::minor);
    let signed = (units(), any::<bool>()).prop_map(|(units, up)| make::minor(if up { units } else { -units }));
    let signed = prop_oneof![8 => signed, 1 => Just(Minor::ZERO)];
    prop_oneof![
        8 => amount().prop_map(|amount| Asked::Plain(Movement::Topup { amount })),
        12 => amount().prop_map(|amount| Asked::Plain(Movement::Charge { amount })),
        3 => (signed, reason()).prop_map(|(amount, reason)| {
            Asked::Plain(Movement::Adjust { amount, reason: reason.unwrap_or_else(|| make::reason("counted")) })
        }),
        3 => limit.prop_map(|credit_limit| Asked::Plain(Movement::Limit { credit_limit })),
        2 => status.prop_map(|status| Asked::Plain(Movement::Status { status })),
        1 => (-1..=50_i64).prop_map(|limit| Asked::Plain(make::open(limit))),
        2 => Just(Asked::Sweep),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::option::weighted(0.5, 0..12_u8);
    let reference = prop::option::weighted(0.3, 0..2_u8);
    (asked(), key, reference, prop::bool::weighted(0.2), 0..2_u8, 0..1_000_i64)
        .prop_map(|(asked, key, reference, described, by, now)| Step { asked, key, reference, described, by, now })
}

/// The history begins with an opening nearly always, or every other command would be refused.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let opening =
        Step { asked: Asked::Plain(make::open(50)), key: None, reference: None, described: false, by: 0, now: 500 };
    // A command said again, key and all, is what keys are for; chance alone would hardly ever do it.
    let said = prop::collection::vec((step(), prop::option::weighted(0.2, any::<prop::sample::Index>())), 0..80);
    (prop::bool::weighted(0.9), said).prop_map(move |(opens, said)| {
        let mut steps: Vec<Step> = opens.then(|| opening.clone()).into_iter().collect();
        for (step, again) in said {
            let earlier = again.filter(|_| !steps.is_empty()).map(|index| index.get(&steps).clone());
            let step = earlier.map_or(step.clone(), |earlier| Step { by: step.by, now: step.now, ..earlier });
            steps.push(step);
        }
        steps
    })
}

fn command(step: &Step, posted: i128) -> Command {
    let movement = match &step.asked {
        Asked::Plain(movement) => movement.clone(),
        Asked::Sweep => Movement::Adjust { amount: figure(-posted), reason: make::reason("swept") },
    };
    Command {
        key: step.key.map(|key| make::key(&format!("key-{key}"))),
        reference: step.reference.map(|reference| make::reference(&format!("ref {reference}"))),
        metadata: make::metadata(if step.described { &[("campaign", "tết")] } else { &[] }),
        by: make::actor(&format!("operator:{}", step.by)),
        ..make::command(movement)
    }
}

/// Runs a history through the rules and the model side by side, and gives back the entries.
fn run(steps: &[Step]) -> Result<Vec<Entry>, TestCaseError> {
    let mut model = Model::default();
    let mut account: Option<Account> = None;
    let mut entries = Vec::new();
    for step in steps {
        let command = command(step, model.posted());
        let earlier = step.key.and_then(|key| model.keys.iter().find(|(known, ..)| *known == key));
        let earlier =
            earlier.map(|(_, then, number)| Earlier { content: canonical::content(then, None), number: *number });
        let verdict = decide(
            &Facts { account: account.as_ref(), to: None, named: None, earlier },
            &command,
            make::time(step.now),
        );
        let replayed = step.key.and_then(|key| model.earlier(key, &command));
        let expected = match replayed {
            Some(again) => {
                prop_assert_eq!(verdict, again.map(|()| Verdict::Replay));
                continue;
            }
            None => model.expected(&command.movement),
        };
        let mut number = None;
        match expected {
            Err(refusal) => prop_assert_eq!(verdict, Err(refusal)),
            Ok(happened) => {
                let Ok(Verdict::Entry { entry, other: None }) = &verdict else {
                    panic!("{verdict:?} instead of {happened:?}")
                };
                model.past.push(happened);
                model.at = model.at.max(Some(step.now));
                account = Some(make::folded(account.as_ref(), entry));
                number = Some(entry.number);
                entries.push(entry.clone());
            }
        }
        let burns = expected.as_ref().err().is_none_or(Refusal::burns_key);
        model.keys.extend(step.key.filter(|_| burns).map(|key| (key, command, number)));
        agree(&model, account.as_ref())?;
    }
    Ok(entries)
}

fn agree(model: &Model, account: Option<&Account>) -> Result<(), TestCaseError> {
    let Some(account) = account else {
        prop_assert!(model.past.is_empty());
        return Ok(());
    };
    prop_assert_eq!(i128::from(account.posted.units()), model.posted());
    prop_assert_eq!(i128::from(account.available().units()), model.posted() + model.limit());
    prop_assert_eq!(i128::from(account.credit_limit.units()), model.limit());
    prop_assert_eq!((account.held, Some(account.status)), (Minor::ZERO, model.status()));
    prop_assert_eq!(usize::try_from(account.number).ok(), Some(model.past.len()));
    prop_assert_eq!(Some(account.at.micros()), model.at);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn rules_and_model_agree_and_the_chain_holds(steps in steps()) {
        let entries = run(&steps)?;
        let mut previous = Hash::default();
        for (entry, number) in entries.iter().zip(1_u64..) {
            let linked = blake3::hash(&[previous.0.as_slice(), &encoded(entry)].concat());
            prop_assert_eq!((entry.number, entry.hash.0), (number, *linked.as_bytes()));
            previous = entry.hash;
        }
        for pair in entries.windows(2) {
            let [one, next] = pair else { unreachable!("windows of two") };
            prop_assert!(one.at <= next.at);
            let own = next.posted_after.units() - next.held_after.units();
            prop_assert!(next.kind != Kind::Charge || own + next.credit_limit.units() >= 0, "an overdraft");
        }
    }
}
