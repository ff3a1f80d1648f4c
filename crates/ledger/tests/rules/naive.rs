//! A ledger that remembers what happened and adds it up anew for every question, in i128 and without one method of the
//! rules: what the rules and every storage engine are held against.
//!
//! It knows nothing of digests, drafts, remainders or bounds checks. Contents are compared field by field; whether a hold is
//! open is asked of everything that ever named it. The caller's `now` is ledger time: it never goes back.

use std::collections::BTreeMap;

use ledger::{
    Command, Currency, Entry, Hold, Key, Kind, Metadata, Minor, Movement, Named, Reason, Reference, Refusal, Status,
    Time,
};

/// The greatest figure: a quarter of i64, written out.
const MAX: i128 = 2_305_843_009_213_693_951;

/// What happened to an account once. An opening's or a limit's amount is the limit, a status's its code; a transfer's and
/// an adjustment's is signed.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) amount: i128,
    /// What is held less by it.
    pub(crate) released: i128,
    pub(crate) of: Option<(u32, u64)>,
    pub(crate) end: Option<i64>,
    pub(crate) at: i64,
    pub(crate) recorded_at: i64,
}

/// What a key did first.
struct Used {
    asked: (Movement, Option<Reference>, Option<Reason>, Metadata),
    outcome: Result<u64, Refusal>,
    at: i64,
}

/// What has to come of a command.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Expected {
    /// The entry of that number.
    Entry(u64),
    /// The entry that the key made first.
    Replay(u64),
    /// The refusal, and when it was decided first.
    Refused(Refusal, Option<i64>),
}

/// An account's figures: posted, held, limit, status.
pub(crate) type Figures = (Minor, Minor, Minor, Status);

#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) past: BTreeMap<u32, Vec<Event>>,
    currencies: BTreeMap<u32, Currency>,
    keys: BTreeMap<(u32, Key), Used>,
    /// How long a refusal uses its key up; for ever where it is not said.
    pub(crate) refusal_us: Option<i64>,
}

impl Event {
    /// Whether `entry` says the same.
    pub(crate) fn is_told_by(&self, entry: &Entry) -> bool {
        let is_setting = matches!(entry.kind, Kind::Open | Kind::Limit | Kind::Status);
        let amount = if is_setting { 0 } else { self.amount };
        let of = entry.target.map(|target| (target.account.get(), target.number));
        (entry.kind, units(entry.amount), of, entry.expires_at.map(Time::micros))
            == (self.kind, amount, self.of, self.end)
            && (entry.at.micros(), entry.recorded_at.micros()) == (self.at, self.recorded_at)
    }
}

impl Naive {
    /// Carries the command out, and says what has to come of it.
    pub(crate) fn perform(&mut self, command: &Command, now: i64) -> Expected {
        let id = command.account.get();
        let to = command.movement.to().map(ledger::AccountId::get);
        [Some(id), to].into_iter().flatten().for_each(|id| self.expire(id, now));
        let named = command.movement.named().and_then(|named| self.number(id, named, now));
        let plain = |number| {
            let movement = plainly(&command.movement, number);
            (movement, command.reference.clone(), command.reason().cloned(), command.metadata.clone())
        };
        if let Some(used) = command.key.as_ref().and_then(|key| self.used(id, key, now)) {
            return match (&used.outcome, used.asked == plain(named) || used.asked == plain(None)) {
                (outcome, false) => Expected::Refused(Refusal::KeyReused { number: outcome.ok() }, None),
                (Ok(number), true) => Expected::Replay(*number),
                (Err(refusal), true) => Expected::Refused(*refusal, Some(used.at)),
            };
        }
        let outcome = self.decided(id, &command.movement, named, now).and_then(|events| self.keep(id, events));
        if outcome.is_ok() || outcome.is_err_and(|refusal| refusal.burns_key()) {
            let used = Used { asked: plain(named), outcome, at: now };
            self.keys.extend(command.key.clone().map(|key| ((id, key), used)));
        }
        outcome.map_or_else(|refusal| Expected::Refused(refusal, None), Expected::Entry)
    }

    /// All that happened to the account.
    pub(crate) fn of(&self, id: u32) -> &[Event] {
        self.past.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The key that made that entry of the account, if one did.
    pub(crate) fn key_of(&self, id: u32, number: u64) -> Option<Key> {
        let made = |(of, _): &&(u32, Key), used: &Used| *of == id && used.outcome == Ok(number);
        self.keys.iter().find(|(key, used)| made(key, used)).map(|((_, key), _)| key.clone())
    }

    /// Whether the account is there.
    pub(crate) fn knows(&self, id: u32) -> bool {
        self.past.contains_key(&id)
    }

    /// The number of the entry that is named, if there is one.
    fn number(&self, id: u32, named: &Named, now: i64) -> Option<u64> {
        let last = u64::try_from(self.past.get(&id)?.len()).expect("a short history");
        match named {
            Named::Number(number) => Some(*number).filter(|number| (1..=last).contains(number)),
            Named::Key(key) => self.used(id, key, now)?.outcome.ok(),
        }
    }

    /// Ends what is due, oldest end first.
    pub(crate) fn expire(&mut self, id: u32, now: i64) {
        let mut due: Vec<(i64, u64)> = self
            .holds(id, i64::MAX)
            .filter(|&(_, end, left)| left > 0 && end <= now)
            .map(|(n, end, _)| (end, n))
            .collect();
        due.sort_unstable();
        for (end, number) in due {
            let left = self.left(id, number);
            let (at, recorded_at, of) = (end, now, Some((id, number)));
            let ended = Event { kind: Kind::Expire, amount: left, released: left, of, end: None, at, recorded_at };
            self.past.entry(id).or_default().push(ended);
        }
    }

    /// The figures right after the last entry.
    pub(crate) fn latest(&self, id: u32) -> Option<Figures> {
        // Nothing that ends a hold later has happened by then, and no hold has ended unwritten before it.
        self.as_of(id, self.past.get(&id)?.last()?.at)
    }

    /// The figures as of `at`: what a reader had to be told then.
    pub(crate) fn as_of(&self, id: u32, at: i64) -> Option<Figures> {
        let upto = || self.past.get(&id).into_iter().flatten().take_while(|event| event.at <= at);
        upto().next()?;
        let last = |kinds: &[Kind]| upto().filter(|event| kinds.contains(&event.kind)).last().map_or(0, |it| it.amount);
        let posted = upto().map(moved).sum();
        let held = self.holds(id, at).filter(|&(_, end, _)| end > at).map(|(.., left)| left).sum();
        let status = u8::try_from(last(&[Kind::Status])).ok().and_then(Status::from_code).expect("a status");
        Some((figure(posted), figure(held), figure(last(&[Kind::Open, Kind::Limit])), status))
    }

    /// The open holds with their ends and what is left of them, as of `at`.
    pub(crate) fn open_holds(&self, id: u32, at: i64) -> Vec<Hold> {
        let open = self.holds(id, at).filter(|&(_, end, left)| left > 0 && end > at);
        open.map(|(number, end, left)| Hold { number, left: figure(left), expires_at: Time::from_micros(end) })
            .collect()
    }

    /// Holds with their ends and what is left of them, by what had happened up to `at`.
    fn holds(&self, id: u32, at: i64) -> impl Iterator<Item = (u64, i64, i128)> {
        let past = self.of(id);
        let upto = past.len() - past.iter().rev().take_while(|event| event.at > at).count();
        let past = past.iter().take(upto).zip(1_u64..);
        past.clone().filter(|(event, _)| event.kind == Kind::Hold).map(move |(hold, number)| {
            let about =
                || past.clone().filter(move |(event, _)| event.of == Some((id, number))).map(|(event, _)| event);
            let released: i128 = about().map(|event| event.released).sum();
            let end = about().filter_map(|event| event.end).last().or(hold.end).expect("a hold has an end");
            (number, end, hold.amount - released)
        })
    }

    fn left(&self, id: u32, number: u64) -> i128 {
        self.holds(id, i64::MAX).find(|&(hold, ..)| hold == number).map_or(0, |(.., left)| left)
    }

    fn used(&self, id: u32, key: &Key, now: i64) -> Option<&Used> {
        let lapsed =
            |used: &Used| used.outcome.is_err() && self.refusal_us.is_some_and(|refusal_us| used.at < now - refusal_us);
        self.keys.get(&(id, key.clone())).filter(|used| !lapsed(used))
    }

    /// What the movement does to its account, and a transfer to the other one.
    fn decided(
        &self,
        id: u32,
        movement: &Movement,
        named: Option<u64>,
        now: i64,
    ) -> Result<Vec<(u32, Event)>, Refusal> {
        let event = |kind, amount| Event { kind, amount, released: 0, of: None, end: None, at: now, recorded_at: now };
        if let Movement::Open { credit_limit, .. } = movement {
            return match self.knows(id) {
                true => Err(Refusal::AccountExists),
                false => Ok(vec![(id, event(Kind::Open, units(*credit_limit)))]),
            };
        }
        let (posted, held, limit, status) = self.latest(id).ok_or(Refusal::UnknownAccount)?;
        if status == Status::Closed {
            return Err(Refusal::AccountClosed);
        }
        let available = units(posted) - units(held) + units(limit);
        let spends = |amount: Minor| match status {
            Status::Locked => Err(Refusal::AccountLocked),
            Status::Active | Status::Closed if units(amount) > available => {
                Err(Refusal::InsufficientCredit { available: figure(available), amount })
            }
            Status::Active | Status::Closed => Ok(units(amount)),
        };
        let of = named.map(|number| (id, number));
        let one = |event| Ok(vec![(id, event)]);
        match movement {
            Movement::Open { .. } => unreachable!("openings are decided above"),
            Movement::Limit { credit_limit } => one(event(Kind::Limit, units(*credit_limit))),
            Movement::Status { status: Status::Closed } if (posted, held) != (Minor::ZERO, Minor::ZERO) => {
                Err(Refusal::AccountNotEmpty { posted, held })
            }
            Movement::Status { status } => one(event(Kind::Status, i128::from(status.code()))),
            Movement::Topup { amount } => one(event(Kind::Topup, units(amount.minor()))),
            Movement::Adjust { amount, .. } if units(*amount) == 0 => Err(out_of_range(*amount)),
            Movement::Adjust { amount, .. } => one(event(Kind::Adjust, units(*amount))),
            Movement::Charge { amount } => one(event(Kind::Charge, spends(amount.minor())?)),
            Movement::Hold { amount, expires_in } => {
                let amount = spends(amount.minor())?;
                let end = Some(now + i64::from(expires_in.seconds()) * 1_000_000);
                one(Event { end, released: -amount, ..event(Kind::Hold, amount) })
            }
            Movement::Extend { expires_in, .. } => {
                let (end, _) = self.open(id, named)?;
                let end = Some(end.max(now + i64::from(expires_in.seconds()) * 1_000_000));
                one(Event { end, of, ..event(Kind::Extend, 0) })
            }
            Movement::Void { .. } => {
                let (_, left) = self.open(id, named)?;
                one(Event { of, released: left, ..event(Kind::Void, left) })
            }
            Movement::Capture { amount, is_final, .. } => {
                let (_, left) = self.open(id, named)?;
                let asked = amount.map_or(left, |amount| units(amount.minor()));
                if asked > left {
                    return Err(Refusal::CaptureExceedsHold { left: figure(left), amount: figure(asked) });
                }
                let released = if *is_final { left } else { asked };
                one(Event { of, released, ..event(Kind::Capture, asked) })
            }
            Movement::Refund { amount, .. } => {
                let refundable = self.refundable(id, named).ok_or(Refusal::UnknownCharge)?;
                if units(amount.minor()) > refundable {
                    let refundable = figure(refundable);
                    return Err(Refusal::RefundExceedsCharge { refundable, amount: amount.minor() });
                }
                one(Event { of, ..event(Kind::Refund, units(amount.minor())) })
            }
            Movement::Transfer { to, amount } => {
                let to = to.get();
                let (.., status) = self.latest(to).ok_or(Refusal::UnknownAccount)?;
                if to == id {
                    return Err(Refusal::SameAccount);
                }
                if self.currencies.get(&to) != self.currencies.get(&id) {
                    return Err(Refusal::CurrencyMismatch);
                }
                if status == Status::Closed {
                    return Err(Refusal::RecipientClosed);
                }
                let amount = spends(amount.minor())?;
                let next = |id| u64::try_from(self.of(id).len()).expect("a short history") + 1;
                let side = |amount, other| Event { of: Some((other, next(other))), ..event(Kind::Transfer, amount) };
                Ok(vec![(id, side(-amount, to)), (to, side(amount, id))])
            }
        }
    }

    /// The end of an open hold and what is left of it, or why it is none.
    fn open(&self, id: u32, named: Option<u64>) -> Result<(i64, i128), Refusal> {
        let hold = named.ok_or(Refusal::UnknownHold)?;
        let (_, end, left) =
            self.holds(id, i64::MAX).find(|(number, ..)| *number == hold).ok_or(Refusal::UnknownHold)?;
        if left > 0 {
            return Ok((end, left));
        }
        let last = self.of(id).iter().rev().find(|event| event.of == Some((id, hold))).expect("what ended it");
        Err(Refusal::HoldNotOpen { hold, ended_by: last.kind, ended_at: Time::from_micros(last.at) })
    }

    fn refundable(&self, id: u32, named: Option<u64>) -> Option<i128> {
        let number = named?;
        let past = self.of(id);
        let spent = past.get(usize::try_from(number).ok()? - 1)?;
        let refunds = past.iter().filter(|event| event.kind == Kind::Refund && event.of == Some((id, number)));
        let is_spent = matches!(spent.kind, Kind::Charge | Kind::Capture);
        is_spent.then(|| spent.amount - refunds.map(|refund| refund.amount).sum::<i128>())
    }

    /// Lets it happen unless a figure would leave its bounds; the number of the first entry.
    fn keep(&mut self, id: u32, events: Vec<(u32, Event)>) -> Result<u64, Refusal> {
        for (id, event) in &events {
            let is_limit = matches!(event.kind, Kind::Open | Kind::Limit);
            let past = self.of(*id);
            let posted: i128 = past.iter().chain([event]).map(moved).sum();
            let held: i128 = -past.iter().chain([event]).map(|event| event.released).sum::<i128>();
            let mut limits = past.iter().chain([event]).filter(|it| matches!(it.kind, Kind::Open | Kind::Limit));
            let limit = limits.next_back().map_or(0, |event| event.amount);
            let fits = [posted, posted - held, posted + limit].into_iter().all(|figure| figure.abs() <= MAX);
            if !fits || (is_limit && event.amount < 0) {
                return Err(out_of_range(figure(event.amount)));
            }
        }
        for (id, event) in events {
            self.past.entry(id).or_default().push(event);
        }
        Ok(u64::try_from(self.of(id).len()).expect("a short history"))
    }

    /// Notes the currency of an account, for the transfers between two.
    pub(crate) fn has_currency(&mut self, id: u32, currency: Currency) {
        self.currencies.insert(id, currency);
    }
}

/// The movement as it counts: what it names by number where that is known, and a capture of all that is left final.
fn plainly(movement: &Movement, number: Option<u64>) -> Movement {
    let plain = |named: &Named| number.map_or_else(|| named.clone(), Named::Number);
    match movement.clone() {
        Movement::Extend { hold, expires_in } => Movement::Extend { hold: plain(&hold), expires_in },
        Movement::Void { hold } => Movement::Void { hold: plain(&hold) },
        Movement::Capture { hold, amount, is_final } => {
            Movement::Capture { hold: plain(&hold), amount, is_final: is_final || amount.is_none() }
        }
        Movement::Refund { amount, charge } => Movement::Refund { amount, charge: plain(&charge) },
        Movement::Open { .. }
        | Movement::Limit { .. }
        | Movement::Status { .. }
        | Movement::Topup { .. }
        | Movement::Charge { .. }
        | Movement::Hold { .. }
        | Movement::Transfer { .. }
        | Movement::Adjust { .. } => movement.clone(),
    }
}

/// What an event adds to posted.
fn moved(event: &Event) -> i128 {
    match event.kind {
        Kind::Topup | Kind::Refund | Kind::Transfer | Kind::Adjust => event.amount,
        Kind::Charge | Kind::Capture => -event.amount,
        Kind::Open | Kind::Limit | Kind::Status | Kind::Hold | Kind::Extend | Kind::Void | Kind::Expire => 0,
    }
}

fn units(figure: Minor) -> i128 {
    i128::from(figure.units())
}

fn figure(units: i128) -> Minor {
    i64::try_from(units).ok().and_then(Minor::new).expect("the model's own sums stay within bounds")
}

fn out_of_range(amount: Minor) -> Refusal {
    Refusal::AmountOutOfRange { amount }
}
