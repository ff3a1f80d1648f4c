//! Random commands: on three accounts, of which the third has another currency, with keys that come again and names that
//! mostly lead somewhere.

use ledger::{
    AccountId, Actor, Amount, Command, Currency, Key, Kind, Lifetime, Metadata, Minor, Movement, Named, Reason,
    Reference, Status,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::naive::Naive;

/// The greatest figure, in minor units.
const MAX: i64 = 2_305_843_009_213_693_951;

/// A command that is not made until the history before it is known.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) account: u32,
    asked: Asked,
    key: Option<u8>,
    reference: Option<u8>,
    reason: Option<u8>,
    described: bool,
    by: u8,
    /// Says an earlier command again instead, key and all, naming what it names by key instead of by number if it can.
    again: Option<(Index, bool)>,
}

#[derive(Clone, Debug)]
enum Asked {
    Plain(Movement),
    /// Adjust by whatever brings posted to zero, so that accounts come to be closed.
    Sweep,
    Extend(Pick, Lifetime),
    Capture(Pick, Option<Amount>, bool),
    Void(Pick),
    Refund(Pick, Amount),
}

/// How an earlier entry is named.
#[derive(Clone, Debug)]
enum Pick {
    /// One of the kinds that it should be, by its number; of late ones rather than of early ones.
    Fit(Index),
    /// Any number, also one that there is not.
    Number(u64),
    /// A key, whatever it did.
    Key(u8),
}

/// How large and how odd the drawn figures are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Small ones, which meet each other often.
    Small,
    /// Small ones, and those at the bounds.
    Bounds,
}

pub(crate) fn drawn(figures: Figures) -> impl Strategy<Value = Drawn> {
    let key = prop::option::weighted(0.6, 0..16_u8);
    let reference = prop::option::weighted(0.2, 0..2_u8);
    let reason = prop::option::weighted(0.2, 0..2_u8);
    let account = prop_oneof![6 => Just(1_u32), 4 => Just(2_u32), 1 => Just(3_u32)];
    let again = prop::option::weighted(0.15, (any::<Index>(), any::<bool>()));
    (account, asked(figures), key, reference, reason, prop::bool::weighted(0.2), 0..2_u8, again).prop_map(
        |(account, asked, key, reference, reason, described, by, again)| Drawn {
            account,
            asked,
            key,
            reference,
            reason,
            described,
            by,
            again,
        },
    )
}

fn asked(figures: Figures) -> impl Strategy<Value = Asked> {
    let amount = move || units(figures).prop_map(amount);
    let pick = || {
        prop_oneof![
            8 => any::<Index>().prop_map(Pick::Fit),
            1 => (0..40_u64).prop_map(Pick::Number),
            2 => (0..16_u8).prop_map(Pick::Key),
        ]
    };
    let lifetime = || (1..=9_u32).prop_map(|seconds| Lifetime::new(seconds).expect("a lifetime"));
    let status = select(vec![Status::Active, Status::Active, Status::Active, Status::Locked, Status::Closed]);
    let limit = prop_oneof![5 => 0..=300_i64, 1 => -2..=0_i64, 1 => units(figures)].prop_map(minor);
    let signed = (units(figures), any::<bool>()).prop_map(|(units, up)| minor(if up { units } else { -units }));
    let signed = prop_oneof![8 => signed, 1 => Just(Minor::ZERO)];
    let to = prop_oneof![5 => Just(2_u32), 5 => Just(1_u32), 1 => Just(3_u32), 1 => Just(9_u32)];
    let opening = (-1..=50_i64).prop_map(|limit| open(Currency::VND, limit));
    prop_oneof![
        8 => amount().prop_map(|amount| Asked::Plain(Movement::Topup { amount })),
        8 => amount().prop_map(|amount| Asked::Plain(Movement::Charge { amount })),
        14 => (amount(), lifetime())
            .prop_map(|(amount, expires_in)| Asked::Plain(Movement::Hold { amount, expires_in })),
        4 => (pick(), lifetime()).prop_map(|(pick, lifetime)| Asked::Extend(pick, lifetime)),
        10 => (pick(), prop::option::weighted(0.8, amount()), prop::bool::weighted(0.2))
            .prop_map(|(pick, amount, is_final)| Asked::Capture(pick, amount, is_final)),
        3 => pick().prop_map(Asked::Void),
        8 => (pick(), amount()).prop_map(|(pick, amount)| Asked::Refund(pick, amount)),
        6 => (to, amount()).prop_map(|(to, amount)| Asked::Plain(Movement::Transfer { to: account_id(to), amount })),
        2 => signed.prop_map(|amount| Asked::Plain(Movement::Adjust { amount, reason: reason("counted") })),
        2 => limit.prop_map(|credit_limit| Asked::Plain(Movement::Limit { credit_limit })),
        2 => status.prop_map(|status| Asked::Plain(Movement::Status { status })),
        1 => opening.prop_map(Asked::Plain),
        1 => Just(Asked::Sweep),
    ]
}

impl Drawn {
    /// The command that it becomes after what the model knows, and after the commands said before.
    pub(crate) fn command(&self, model: &Naive, said: &[Command]) -> Command {
        if let Some((index, respell)) = self.again.filter(|_| !said.is_empty()) {
            let recent = said.get(said.len().saturating_sub(12)..).unwrap_or_default();
            let mut again = index.get(recent).clone();
            again.by = actor(self.by);
            if respell {
                name_by_key(&mut again.movement, model, again.account.get());
            }
            return again;
        }
        let movement = match self.asked.clone() {
            Asked::Plain(movement) => movement,
            Asked::Sweep => {
                let posted = model.latest(self.account).map_or(Minor::ZERO, |(posted, ..)| posted);
                Movement::Adjust { amount: minor(-posted.units()), reason: reason("swept") }
            }
            Asked::Extend(pick, expires_in) => {
                Movement::Extend { hold: self.named(&pick, model, &[Kind::Hold]), expires_in }
            }
            Asked::Capture(pick, amount, is_final) => {
                Movement::Capture { hold: self.named(&pick, model, &[Kind::Hold]), amount, is_final }
            }
            Asked::Void(pick) => Movement::Void { hold: self.named(&pick, model, &[Kind::Hold]) },
            Asked::Refund(pick, amount) => {
                Movement::Refund { amount, charge: self.named(&pick, model, &[Kind::Charge, Kind::Capture]) }
            }
        };
        let pairs = self.described.then(|| ("campaign".to_owned(), "tết".to_owned()));
        Command {
            account: account_id(self.account),
            movement,
            key: self.key.map(key),
            reference: self.reference.map(|n| Reference::new(&format!("ref {n}")).expect("a reference")),
            reason: self.reason.map(|n| reason(&format!("why {n}"))),
            metadata: Metadata::new(pairs).expect("short metadata"),
            by: actor(self.by),
        }
    }

    fn named(&self, pick: &Pick, model: &Naive, kinds: &[Kind]) -> Named {
        match pick {
            Pick::Number(number) => Named::Number(*number),
            Pick::Key(n) => Named::Key(key(*n)),
            Pick::Fit(index) => {
                let past = model.past.get(&self.account).map_or(&[][..], Vec::as_slice);
                let fit = past.iter().zip(1_u64..).filter(|(event, _)| kinds.contains(&event.kind));
                let numbers: Vec<u64> = fit.map(|(_, number)| number).collect();
                let late = numbers.get(numbers.len().saturating_sub(5)..).unwrap_or_default();
                Named::Number(if late.is_empty() { 1 } else { *index.get(late) })
            }
        }
    }
}

/// Names by its key what was named by number, where a key made it.
fn name_by_key(movement: &mut Movement, model: &Naive, account: u32) {
    let named = match movement {
        Movement::Extend { hold, .. } | Movement::Capture { hold, .. } | Movement::Void { hold } => hold,
        Movement::Refund { charge, .. } => charge,
        Movement::Open { .. }
        | Movement::Limit { .. }
        | Movement::Status { .. }
        | Movement::Topup { .. }
        | Movement::Charge { .. }
        | Movement::Hold { .. }
        | Movement::Transfer { .. }
        | Movement::Adjust { .. } => return,
    };
    if let Named::Number(number) = named
        && let Some(key) = model.key_of(account, *number)
    {
        *named = Named::Key(key);
    }
}

fn units(figures: Figures) -> impl Strategy<Value = i64> {
    let odd = u32::from(figures == Figures::Bounds);
    prop_oneof![
        12 => 1..=200_i64,
        odd => MAX - 300..=MAX,
        odd => MAX / 2 - 200..=MAX / 2 + 200,
    ]
}

pub(crate) fn open(currency: Currency, limit: i64) -> Movement {
    Movement::Open { currency, credit_limit: minor(limit) }
}

fn amount(units: i64) -> Amount {
    Amount::new(minor(units)).expect("a positive figure")
}

fn minor(units: i64) -> Minor {
    Minor::new(units).expect("a figure")
}

fn account_id(id: u32) -> AccountId {
    AccountId::new(id).expect("an account number")
}

fn key(n: u8) -> Key {
    Key::new(&format!("key-{n}")).expect("a key")
}

fn reason(text: &str) -> Reason {
    Reason::new(text).expect("a reason")
}

fn actor(n: u8) -> Actor {
    Actor::new(&format!("operator:{n}")).expect("an actor")
}
