//! The table fits its width whatever stands in it, and says what is.

use jiff::tz::{TimeZone, offset};

use super::super::burn::Left;
use super::super::judge::State;
use super::super::memory::Known;
use super::*;
use sodu_client::Decimal;

const NOW_S: i64 = 1_785_308_400;

fn at(seconds_ago: i64) -> Timestamp {
    Timestamp::from_second(NOW_S - seconds_ago).expect("an instant")
}

/// An account whose balance went down evenly for a day.
fn known(balance: &str) -> Known {
    let balance: i64 = balance.parse().expect("whole");
    let samples =
        (0..=24).rev().map(|hour| Sample { at: at(hour * 3600 + 7), balance: (balance + hour * 1500).into() });
    Known { user_id: Some(9999), samples: samples.collect(), ..Known::default() }
}

fn row<'a>(name: &'a str, known: Option<&'a Known>, is_low: bool) -> Row<'a> {
    let (burn, left) = known.map_or((None, Left::Unknown), Known::pace);
    Row { name, known, burn, left, is_low }
}

fn board<'a>(rows: Vec<Row<'a>>) -> Board<'a> {
    Board { now: at(0), zone: TimeZone::fixed(offset(7)), rows, undelivered: 0, history_lost: false }
}

fn text(frame: &Frame) -> String {
    let line = |line: &Vec<Span>| line.iter().map(|span| span.text.as_str()).collect::<String>();
    frame.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_table_of_everything() {
    let (shop, codes) = (known("33000"), known("0"));
    let mut failing = known("50000");
    failing.failure =
        Some(("wrong_keys".into(), "the service does not know this pair (code 101); copy both again".into()));
    failing.state = State { failing_since: Some(at(600)), ..State::default() };
    let mut board = board(vec![
        row("Shop", Some(&shop), true),
        row("Ngân hàng", None, false),
        row("Codes", Some(&codes), true),
        row("Old", Some(&failing), false),
    ]);
    board.undelivered = 1;
    board.history_lost = true;
    let expected = "\
sodu watch  2026-07-29 14:00:00 +07
ACCOUNT    BALANCE  LAST HOUR  BURN/H   LEFT  LAST 24 HOURS     AGE  STATE
Shop        33,000     -1,500   1,500  22.0h  ███▇▇▇▇▆▆▆▆▅▅▅▅▄   7s  low
Ngân hàng        -          -       -      -                      -  asking
Codes            0     -1,500   1,500     0m  █▇▇▆▆▆▅▅▄▄▃▃▃▂▂▁   7s  empty
Old         50,000     -1,500   1,500  33.3h  ███▇▇▇▇▇▇▆▆▆▆▆▅▅   7s  wrong keys
Old: no balance since 2026-07-29 13:50:00: the service does not know this pair
  (code 101); copy both again
1 message is not delivered yet
The history cannot be written: a restart would forget what was told";
    let frame = frame(&board, 79);
    assert_eq!(text(&frame), expected);
    let last = |line: usize| frame.lines[line].last().expect("a span").clone();
    assert_eq!(last(2), Span { text: "low".into(), paint: Paint::Warn });
    assert_eq!(last(5), Span { text: "wrong keys".into(), paint: Paint::Bad });
}

#[test]
fn every_width_is_kept() {
    let (small, large) = (known("1"), known("1234567890123"));
    let mut failing = known("9");
    failing.failure = Some(("unexpected_answer".into(), "x".repeat(300)));
    let long = "Công ty trách nhiệm hữu hạn một thành viên";
    let board =
        board(vec![row(long, Some(&large), false), row("a", Some(&small), true), row("日本語", Some(&failing), false)]);
    for width in 70..200 {
        for line in text(&frame(&board, width)).lines() {
            assert!(line.width() <= width, "{} columns of {width}: {line}", line.width());
        }
    }
}

#[test]
fn the_line_of_a_day_begins_where_something_was_known() {
    let all = known("0").samples;
    assert_eq!(sparkline(&all, at(0), 8), "█▇▆▅▄▃▂▁");
    let late: Vec<Sample> = all.into_iter().filter(|sample| sample.at >= at(5 * 3600)).collect();
    assert_eq!(sparkline(&late, at(0), 8), "      █▁");
    assert_eq!(sparkline(&[], at(0), 8), "        ");
    let below = [Sample { at: at(86_399), balance: Decimal::from(-5) }];
    assert_eq!(sparkline(&below, at(0), 8), "▁▁▁▁▁▁▁▁");
    let most = [Sample { at: at(90_000), balance: "9e35".parse().expect("a decimal") }];
    assert_eq!(sparkline(&most, at(0), 8), "████████");
}
