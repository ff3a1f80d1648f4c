//! What was used within a day, against a naive sum over all entries, and how long the rest lasts.

use ledger::{Entry, Kind, Minor, Time, Usage};
use proptest::prelude::*;

use crate::make::{account_id, charge, command, decided, minor, open, time};

const HOUR_US: i64 = 3_600_000_000;
const MINUTE_US: i64 = 60_000_000;

/// An entry of which only kind, amount, number and time matter.
pub(crate) fn entry(number: u64, kind: Kind, units: i64, at: i64) -> Entry {
    let opening = decided(None, &command(open(0)), time(at)).expect("an opening");
    Entry { account: account_id(1), number, kind, amount: minor(units), at: time(at), ..opening }
}

/// What an entry uses, written differently: by what it does to the money, and whether that is use at all.
fn naive_use(entry: &Entry) -> i64 {
    let is_use = ["charge", "capture", "refund", "transfer"].contains(&entry.kind.name());
    let is_arrival = entry.kind.name() == "transfer" && entry.amount.units() > 0;
    let sign = if entry.kind == Kind::Charge || entry.kind == Kind::Capture { 1 } else { -1 };
    if is_use && !is_arrival { sign * entry.amount.units() } else { 0 }
}

/// The sum of whole hours in the last day, and of the first of them as large a part as lies in it.
fn naive_sum(entries: &[Entry], since: i64, now: i64) -> i64 {
    let begins = since.max(now - 24 * HOUR_US);
    let mut sum = 0;
    for hour in begins / HOUR_US..=now / HOUR_US {
        let of_hour = entries.iter().filter(|entry| entry.at.micros() / HOUR_US == hour).map(naive_use).sum::<i64>();
        let is_cut = hour == begins / HOUR_US && begins > since;
        let part = if is_cut { (hour + 1) * HOUR_US - begins } else { HOUR_US };
        let exact = i128::from(of_hour) * i128::from(part);
        sum += i64::try_from(exact.div_euclid(i128::from(HOUR_US))).expect("a small sum");
    }
    sum.max(0)
}

fn drawn() -> impl Strategy<Value = (Kind, i64, i64)> {
    (prop::sample::select(Kind::ALL.to_vec()), -500_i64..500, prop_oneof![3 => 0..90 * MINUTE_US, 1 => 0..40 * HOUR_US])
}

proptest! {
    #[test]
    fn the_hours_add_up_to_what_the_entries_say(drawn in prop::collection::vec(drawn(), 1..60), later in 0..30 * HOUR_US) {
        let start = 5 * HOUR_US + 17 * MINUTE_US;
        let (mut usage, mut entries, mut at) = (Usage::new(1, time(start)), Vec::new(), start);
        for (number, (kind, units, passed)) in (2..).zip(drawn) {
            at += passed;
            let units = if kind == Kind::Transfer { units } else { units.abs() };
            let entry = entry(number, kind, units, at);
            usage.add(&entry);
            entries.push(entry);
            for now in [at, at + later] {
                let expected = (now - start >= HOUR_US).then(|| naive_sum(&entries, start, now));
                prop_assert_eq!(usage.within_a_day(time(now)).map(|(_, used)| used.units()), expected);
            }
            let stored: Vec<_> = usage.hours().filter(|(_, used)| *used != 0).collect();
            let newest = usage.hours().next().expect("an hour").0;
            let again = usage.clone().with_hours(newest, stored);
            prop_assert_eq!(again.as_ref(), Some(&usage));
        }
    }
}

#[test]
fn what_is_left_lasts_as_long_as_the_last_day_says() {
    let mut usage = Usage::new(1, time(0));
    // 100 an hour for two days.
    for hour in 0..48 {
        usage.add(&entry(2, Kind::Charge, 100, hour * HOUR_US + 30 * MINUTE_US));
    }
    let now = time(48 * HOUR_US);
    let runway = usage.runway(minor(1_200), now).expect("two days are known");
    assert_eq!((runway.used, runway.left_s), (minor(2_400), Some(12 * 3_600)));
    assert_eq!(runway.since, time(24 * HOUR_US));
    // Half an hour later, half of the hour in which the day began has left it.
    let later = usage.runway(minor(1_200), time(48 * HOUR_US + 30 * MINUTE_US)).expect("known");
    assert_eq!(later.used, minor(2_350));
    let left = |available: i64| usage.runway(minor(available), now).and_then(|runway| runway.left_s);
    assert_eq!((left(0), left(-500), left(1)), (Some(0), Some(0), Some(36)));
}

#[test]
fn nothing_is_said_before_an_hour_is_known_and_nothing_used_lasts_for_ever() {
    let mut usage = Usage::new(1, time(0));
    usage.add(&entry(2, Kind::Charge, 100, 1));
    assert_eq!(usage.runway(minor(5), time(HOUR_US - 1)), None);
    assert_eq!(usage.runway(minor(5), time(HOUR_US)).and_then(|runway| runway.left_s), Some(180));
    let days_later = time(3 * 24 * HOUR_US);
    let idle = usage.runway(minor(5), days_later).expect("known");
    assert_eq!((idle.used, idle.left_s), (Minor::ZERO, None));
    let given_back = entry(3, Kind::Refund, 100, 2 * HOUR_US);
    usage.add(&given_back);
    assert_eq!(usage.runway(minor(5), time(2 * HOUR_US)).map(|runway| runway.used), Some(Minor::ZERO));
}

#[test]
fn top_ups_and_arrivals_are_what_per_cents_are_taken_of() {
    let mut usage = Usage::new(1, time(0));
    assert_eq!(usage.last_topup, None);
    let cases = [
        (Kind::Topup, 500, Some(500)),
        (Kind::Charge, 3, Some(500)),
        (Kind::Adjust, 900, Some(500)),
        (Kind::Transfer, -20, Some(500)),
        (Kind::Transfer, 70, Some(70)),
        (Kind::Refund, 3, Some(70)),
    ];
    for (number, (kind, units, last)) in (2..).zip(cases) {
        usage.add(&entry(number, kind, units, 0));
        assert_eq!(usage.last_topup, last.map(minor), "{kind:?} {units}");
    }
}

#[test]
fn hours_of_no_day_are_not_taken() {
    let from = |hours: Vec<(i64, i64)>| Usage::new(1, Time::default()).with_hours(100, hours);
    assert!(from(vec![(100, 1), (76, 1)]).is_some());
    assert!(from(vec![(101, 1)]).is_none() && from(vec![(75, 1)]).is_none());
}

#[test]
fn a_charge_that_was_decided_counts() {
    let account = crate::make::account(500, 0, 0, ledger::Status::Active);
    let entry = decided(Some(&account), &command(charge(40)), time(7)).expect("a charge");
    let mut usage = Usage::new(1, time(0));
    usage.add(&entry);
    assert_eq!((usage.number, usage.hours().map(|(_, used)| used).sum::<i64>()), (2, 40));
}
