//! When a level is reached, when it is left, and what ends a series of refusals.

use ledger::{Event, Events, Kind, Level, Minor, Reached, Rules, Standing, Status, Usage, ends_refusals};
use proptest::prelude::*;

use crate::make::{minor, time};
use crate::usage::entry;

const HOUR_US: i64 = 3_600_000_000;

fn rules(levels: &[Level]) -> Rules {
    Rules { levels: levels.into(), margin_percent: 10, ..Rules::default() }
}

/// A day in which 2,400 were used, and a top-up of 1,000 before it.
fn usage() -> Usage {
    let mut usage = Usage::new(1, time(0));
    usage.add(&entry(2, Kind::Topup, 1_000, 0));
    (0..24).for_each(|hour| usage.add(&entry(3, Kind::Charge, 100, hour * HOUR_US)));
    usage
}

/// Which of one level's figures in their order alert, as a text: `!` alerts, `·` stays reached, ` ` is above.
fn run(level: Level, figures: &[i64]) -> String {
    let (rules, usage, mut reached) = (rules(&[level]), usage(), Reached::default());
    let tell = |&available: &i64| {
        let now = time(24 * HOUR_US);
        let after = rules.reached(reached, &Standing { available: minor(available), usage: &usage, now });
        let sign = if after.since(reached).count() == 1 {
            '!'
        } else if after.is_empty() {
            ' '
        } else {
            '·'
        };
        reached = after;
        sign
    };
    figures.iter().map(tell).collect()
}

#[test]
fn a_level_alerts_once_until_the_figure_has_risen_above_it_by_the_margin() {
    let cases: &[(Level, &[i64], &str)] = &[
        (Level::Money(minor(100)), &[101, 100, 99, 0, 110, 99, 111, 101, 99], "  !···  !"),
        (Level::Money(minor(100)), &[111, 99, 110, 111, 99], " !· !"),
        // Zero is a balance: it is reached, and one unit above it is above.
        (Level::Money(Minor::ZERO), &[1, 0, 0, 1, 0, -5, 1], " !· !· "),
        // 20 per cent of 1,000 is 200, and 10 per cent of that the margin.
        (Level::Percent(20), &[200, 199, 220, 221, 199], " !· !"),
        // 100 an hour: six hours are 600.
        (Level::Hours(6), &[600, 599, 660, 661, 599, 0], " !· !·"),
        (Level::Hours(6), &[0, 0, 1_000], "!· "),
    ];
    for (level, figures, told) in cases {
        assert_eq!(run(*level, figures), *told, "{level:?} {figures:?}");
    }
}

#[test]
fn what_is_not_known_neither_reaches_nor_leaves() {
    let (hours, percent) = (rules(&[Level::Hours(6)]), rules(&[Level::Percent(20)]));
    let young = Usage::new(1, time(0));
    let at = |available: i64, now: i64| Standing { available: minor(available), usage: &young, now: time(now) };
    let mut reached = Reached::default();
    reached.set(0);
    for rules in [&hours, &percent] {
        assert!(rules.reached(Reached::default(), &at(1, HOUR_US - 1)).is_empty());
        assert_eq!(rules.reached(reached, &at(1_000_000, HOUR_US - 1)), reached);
    }
    // From an hour on nothing used lasts for ever, but nothing is nothing, however little is known.
    assert!(hours.reached(reached, &at(1, HOUR_US)).is_empty());
    assert_eq!(hours.reached(Reached::default(), &at(0, HOUR_US)), reached);
    assert_eq!(hours.reached(Reached::default(), &at(0, 0)), reached);
}

#[test]
fn levels_are_told_apart_by_their_place() {
    let rules = rules(&[Level::Money(minor(100)), Level::Money(minor(50)), Level::Percent(2)]);
    let usage = usage();
    let at = |available: i64| Standing { available: minor(available), usage: &usage, now: time(24 * HOUR_US) };
    let first = rules.reached(Reached::default(), &at(70));
    assert_eq!(first.since(Reached::default()).collect::<Vec<_>>(), [0]);
    let second = rules.reached(first, &at(10));
    assert_eq!(second.since(first).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(Reached::from_bits(second.bits()), second);
    let third = rules.reached(second, &at(60));
    assert!(third.has(0) && !third.has(1) && !third.has(2));
}

proptest! {
    /// Between two alerts of a level the figure was above it by the margin, and whatever is below it is reached.
    #[test]
    fn one_alert_a_crossing(level in 0_i64..200, figures in prop::collection::vec(-50_i64..300, 1..80)) {
        let told = run(Level::Money(minor(level)), &figures);
        let mut armed = true;
        for (figure, sign) in figures.iter().zip(told.chars()) {
            let is_below = *figure < level || *figure <= 0;
            armed |= *figure > 0 && *figure * 100 > level * 110;
            prop_assert_eq!(sign == '!', armed && is_below);
            armed &= !is_below;
            prop_assert_eq!(sign == ' ', armed);
        }
    }
}

#[test]
fn events_have_names_and_bits() {
    let some: Events = [Event::KeyRevoked, Event::ChargeRefused].into_iter().collect();
    assert_eq!(some.iter().collect::<Vec<_>>(), [Event::ChargeRefused, Event::KeyRevoked]);
    assert_eq!(Events::from_bits(some.bits()), Some(some));
    assert_eq!(Events::from_bits(0b1000_0000), None);
    assert!(Event::ALL.into_iter().all(|event| Event::parse(event.name()) == Some(event)));
    assert_eq!(Event::parse("nothing"), None);
}

#[test]
fn entries_that_are_events() {
    let locked = ledger::Entry { status: Status::Locked, ..entry(2, Kind::Status, 0, 0) };
    let topped_up_while_locked = ledger::Entry { status: Status::Locked, ..entry(2, Kind::Topup, 5, 0) };
    assert_eq!(Event::of(&locked), Some(Event::AccountLocked));
    assert_eq!(Event::of(&topped_up_while_locked), None);
    assert_eq!(Event::of(&entry(2, Kind::Status, 0, 0)), None);
    assert_eq!(Event::of(&entry(2, Kind::Expire, 5, 0)), Some(Event::HoldExpired));
    assert_eq!(Event::of(&entry(2, Kind::Adjust, -5, 0)), Some(Event::AdjustmentMade));
}

#[test]
fn money_that_comes_in_ends_a_series_of_refusals_and_what_is_given_back_does_not() {
    let cases = [
        (Kind::Topup, 10, true),
        (Kind::Transfer, 10, true),
        (Kind::Adjust, 10, true),
        (Kind::Limit, 0, true),
        (Kind::Refund, 10, false),
        (Kind::Void, 10, false),
        (Kind::Expire, 10, false),
    ];
    for (kind, units, ends) in cases {
        let entry = ledger::Entry { posted_after: minor(15), ..entry(2, kind, units, 0) };
        assert_eq!(ends_refusals(&entry, minor(5)), ends, "{kind:?}");
        assert!(!ends_refusals(&entry, minor(15)), "{kind:?} that brings nothing");
    }
}

proptest! {
    /// Whatever is charged, held and transferred while the figure stays at or above the floor, and however much time passes
    /// between, reaches no level.
    #[test]
    fn nothing_is_reached_above_the_floor(
        before in prop::collection::vec((prop::sample::select(Kind::ALL.to_vec()), 1_i64..400, 0..2 * HOUR_US), 0..60),
        available in 0_i64..20_000,
        after in prop::collection::vec((0_usize..3, 1_i64..300, 0..20 * HOUR_US), 1..40),
        levels in prop::collection::vec((0_usize..3, 1_u32..60), 1..6),
    ) {
        let (mut usage, mut at) = (Usage::new(1, time(0)), 0);
        for (kind, units, passed) in before {
            at += passed;
            usage.add(&entry(2, kind, if kind == Kind::Transfer { -units } else { units }, at));
        }
        let level = |(kind, figure): &(usize, u32)| match kind {
            0 => Level::Money(minor(i64::from(*figure) * 50)),
            1 => Level::Hours(*figure),
            _ => Level::Percent(*figure),
        };
        let rules = rules(&levels.iter().map(level).collect::<Vec<_>>());
        let mut available = available;
        fn standing(available: i64, usage: &Usage, at: i64) -> Standing<'_> {
            Standing { available: minor(available), usage, now: time(at) }
        }
        let reached = rules.reached(Reached::default(), &standing(available, &usage, at));
        let Some(floor) = rules.calm_down_to(reached, &standing(available, &usage, at)) else {
            prop_assert!(!reached.is_empty());
            return Ok(());
        };
        for (kind, units, passed) in after {
            at += passed;
            available -= units;
            if available < floor.units() {
                break;
            }
            let (kind, amount) = [(Kind::Charge, units), (Kind::Hold, units), (Kind::Transfer, -units)].into_iter().nth(kind)
                .expect("one of three");
            usage.add(&entry(2, kind, amount, at));
            prop_assert!(rules.reached(reached, &standing(available, &usage, at)).is_empty(), "at {} of {}", available, floor.units());
        }
    }
}
