//! The state machine in tables, and against a model that looks at all polls at once.

use proptest::prelude::*;

use super::*;

const START_S: i64 = 1_785_308_400;

fn instant(minute: i64) -> Timestamp {
    Timestamp::from_second(START_S + minute * 60).expect("an instant")
}

fn rules() -> Rules {
    Rules {
        below: ["100", "1000"].map(|text| text.parse().expect("a decimal")).to_vec(),
        hours: vec![24, 6],
        remind_every: Some(SignedDuration::from_hours(2)),
        failed_polls: 3,
    }
}

fn minute(at: Timestamp) -> i64 {
    (at.as_second() - START_S) / 60
}

fn shown(alert: &Alert) -> String {
    match alert {
        Alert::Empty => "empty".into(),
        Alert::Below(threshold) => format!("below {threshold}"),
        Alert::Hours(hours) => format!("hours {hours}"),
        Alert::Reminder(since) => format!("reminder {}", minute(*since)),
        Alert::Recovered(since) => format!("recovered {}", minute(*since)),
        Alert::Unreadable(since) => format!("unreadable {}", minute(*since)),
        Alert::Readable(since) => format!("readable {}", minute(*since)),
    }
}

/// Polls as lines of minute, balance or `failed`, hours left (`-` nothing used, `?` unknown), and what is to be told.
#[track_caller]
fn check(rules: &Rules, state: &mut State, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (poll, expected) = line.split_once('|').expect("a poll and what it tells");
        let mut cells = poll.split_whitespace();
        let at = instant(cells.next().expect("a minute").parse().expect("a number"));
        let reading = match cells.next().expect("a balance") {
            "failed" => Reading::Failed,
            balance => Reading::Good(balance.parse().expect("a decimal"), left(cells.next().expect("hours"))),
        };
        let told: Vec<String> = rules.judge(state, at, reading).iter().map(shown).collect();
        assert_eq!(told.join(", "), expected.trim(), "{line}");
        // What is kept on disk is all there is.
        let kept = serde_json::to_string(state).expect("JSON");
        assert_eq!(serde_json::from_str::<State>(&kept).expect("a state"), *state);
    }
}

fn left(text: &str) -> Left {
    match text {
        "-" => Left::Endless,
        "?" => Left::Unknown,
        hours => Left::Minutes(hours.parse::<i64>().expect("hours") * 60),
    }
}

#[track_caller]
fn check_new(table: &str) {
    check(&rules(), &mut State::default(), table);
}

#[test]
fn each_crossing_is_told_once() {
    check_new(
        "0   1001   ? |
         1   1000   ? |
         2   999.99 ? | below 1000
         3   998    ? |
         4   99     ? | below 100
         5   100    ? |
         6   99     ? |
         7   104.99 ? |
         8   99     ? |
         9   105    ? |
         10  99     ? | below 100",
    );
}

#[test]
fn one_poll_tells_the_most_urgent_thing() {
    check_new("0 99 5 | below 100");
    check_new("0 5000 5 | hours 6");
    check_new(
        "0 0    0  | empty
         1 -5   0  |
         2 50   0  |
         3 -5   0  |
         4 105  0  |
         5 0    0  | empty",
    );
}

#[test]
fn hours_are_armed_again_by_a_tenth_or_by_rest() {
    check_new(
        "0 5000 ?  |
         1 5000 24 |
         2 5000 23 | hours 24
         3 5000 26 |
         4 5000 23 |
         5 5000 27 | recovered 2
         6 5000 5  | hours 6
         7 5000 ?  |
         8 5000 5  |
         9 5000 -  | recovered 6",
    );
}

#[test]
fn reminders_follow_the_last_word_until_it_is_topped_up() {
    check_new(
        "0   999  - | below 1000
         119 998  - |
         120 997  - | reminder 0
         130 99   - | below 100
         240 98   - |
         250 97   - | reminder 0
         300 1049 - |
         380 1049 - |
         381 999  - | reminder 0
         400 1050 - | recovered 0
         900 999  - | below 1000",
    );
}

#[test]
fn a_failed_poll_is_no_zero_and_zero_is_a_balance() {
    check_new(
        "0   5000 -   |
         1   failed   |
         2   failed   |
         3   failed   | unreadable 1
         4   failed   |
         999 failed   |
         1000 5000 -  | readable 1
         1001 failed  |
         1002 failed  |
         1003 0 -     | empty
         1004 failed  |
         1005 failed  |
         1006 failed  | unreadable 1004
         1300 0 -     | readable 1004, reminder 1003",
    );
}

#[test]
fn thresholds_that_change_are_no_top_up() {
    let mut state = State::default();
    check(&rules(), &mut state, "0 999 - | below 1000");
    let mut fewer = rules();
    fewer.below.retain(|threshold| threshold.to_string() == "100");
    check(&fewer, &mut state, "1 999 - |");
    check(&rules(), &mut state, "2 999 - | below 1000");
    let silent = Rules { remind_every: None, ..rules() };
    check(&silent, &mut state, "99999 999 - |");
}

/// A poll: minutes since the one before it, and a balance with minutes left where there is one.
type Poll = (i64, Option<(i64, Left)>);

fn polls() -> impl Strategy<Value = Vec<Poll>> {
    let left = prop_oneof![
        Just(Left::Unknown),
        Just(Left::Endless),
        (0_i64..2000).prop_map(Left::Minutes),
        prop_oneof![Just(359_i64), Just(360), Just(395), Just(396)].prop_map(Left::Minutes),
    ];
    let balance = prop_oneof![-2_i64..3, 95_i64..110, 990_i64..1060];
    let poll = (1_i64..90, prop::option::weighted(0.8, (balance, left)));
    prop::collection::vec(poll, 1..60)
}

/// What is to be told of the last of `polls` (with their minutes), given what was told of those before it.
fn model(polls: &[(i64, Option<(i64, Left)>)], told: &[Vec<String>]) -> Vec<String> {
    let here = polls.len() - 1;
    let failed_before = |end: usize| polls[..end].iter().rev().take_while(|(_, read)| read.is_none()).count();
    let Some((balance, left)) = polls[here].1 else {
        let run = failed_before(here + 1);
        let first = polls[here + 1 - run].0;
        return if run == 3 { vec![format!("unreadable {first}")] } else { Vec::new() };
    };
    type Test<'a> = Box<dyn Fn(i64, Left) -> bool + 'a>;
    let minutes = |left| if let Left::Minutes(minutes) = left { Some(minutes) } else { None };
    // Each threshold by what crosses it and what arms it, the most urgent first.
    let mut lines: Vec<(String, Test<'_>, Test<'_>)> =
        vec![("empty".into(), Box::new(|balance, _| balance <= 0), Box::new(|balance, _| balance * 100 >= 10_500))];
    for line in [100, 1000] {
        let arms = move |balance: i64, _| balance * 20 >= line * 21;
        lines.push((format!("below {line}"), Box::new(move |balance, _| balance < line), Box::new(arms)));
    }
    for hours in [6, 24] {
        let crosses = move |_, left| minutes(left).is_some_and(|minutes| minutes < hours * 60);
        let arms =
            move |_, left| left == Left::Endless || minutes(left).is_some_and(|minutes| minutes * 10 >= hours * 660);
        lines.push((format!("hours {hours}"), Box::new(crosses), Box::new(arms)));
    }
    let last = |end: usize, test: &Test<'_>| {
        polls[..end].iter().rposition(|(_, read)| read.is_some_and(|(balance, left)| test(balance, left)))
    };
    let is_crossed =
        |end: usize, (_, crosses, arms): &(String, Test<'_>, Test<'_>)| last(end, crosses) > last(end, arms);
    let is_low = |end: usize| lines.iter().any(|line| is_crossed(end, line));
    // The poll from which on something has been crossed all the time.
    let since = |end: usize| {
        let start = (0..=end).rev().take_while(|end| *end > 0 && is_low(*end)).last().unwrap_or(end);
        polls[start - 1].0
    };

    let mut tells = Vec::new();
    if failed_before(here) >= 3 {
        tells.push(format!("readable {}", polls[here - failed_before(here)].0));
    }
    let crossed = lines.iter().find(|line| (line.1)(balance, left) && !is_crossed(here, line));
    let is_below = lines.iter().any(|(_, crosses, _)| crosses(balance, left));
    if let Some((name, ..)) = crossed {
        tells.push(name.clone());
    } else if !is_low(here + 1) {
        tells.extend(is_low(here).then(|| format!("recovered {}", since(here))));
    } else if is_below {
        let speaks = |told: &String| ["empty", "below", "hours", "reminder"].iter().any(|word| told.starts_with(word));
        let spoke = told.iter().rposition(|told| told.iter().any(speaks)).expect("what is crossed was told");
        tells.extend((polls[here].0 - polls[spoke].0 >= 120).then(|| format!("reminder {}", since(here + 1))));
    }
    tells
}

proptest! {
    #[test]
    fn the_machine_agrees_with_a_look_at_everything(polls in polls()) {
        let rules = rules();
        let mut state = State::default();
        let (mut at, mut seen, mut told) = (0, Vec::new(), Vec::new());
        for (minutes, read) in polls {
            at += minutes;
            seen.push((at, read));
            let expected = model(&seen, &told);
            let reading = read.map_or(Reading::Failed, |(balance, left)| Reading::Good(balance.into(), left));
            let alerts: Vec<String> = rules.judge(&mut state, instant(at), reading).iter().map(shown).collect();
            prop_assert_eq!(&alerts, &expected, "of {:?}", seen);
            told.push(alerts);
        }
    }
}
