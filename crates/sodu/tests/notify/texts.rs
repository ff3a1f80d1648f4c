//! The words of every alert in both languages, as they stand in `alerts.en.txt` and `alerts.vi.txt`.

use jiff::tz::TimeZone;
use sodu::notify::texts::{Event, Facts, Language, Money, Pace, Threshold, words};

const AT: i64 = 1_785_308_591;
const BEFORE: i64 = AT - 7_200;

const ENGLISH: &str = include_str!("alerts.en.txt");
const VIETNAMESE: &str = include_str!("alerts.vi.txt");

fn vnd(amount: &str) -> Money {
    Money { amount: amount.parse().expect("a decimal"), currency: Some("VND".to_owned()) }
}

fn facts(left: &str, event: Event) -> Facts {
    Facts {
        account: "Công ty ABC (9999)".to_owned(),
        at_unix_s: AT,
        zone: TimeZone::get("Asia/Ho_Chi_Minh").expect("a zone"),
        left: Some(vnd(left)),
        spendable: None,
        pace: Some(Pace { per_hour: vnd("5200.5"), measured_s: 6 * 3_600, lasts_s: 25_400 }),
        event,
    }
}

/// Each alert that there is, some of them twice, with what is known of it.
fn occasions() -> Vec<Facts> {
    let on_credit = |event| Facts { spendable: Some(vnd("9500")), ..facts("-500", event) };
    let by = || "anna".to_owned();
    let reason = "no whole answer within 10 s; try again, or allow more time".to_owned();
    let last = Some((vnd("36693"), BEFORE - 300));
    vec![
        facts("36693", Event::Low(Threshold::Money(vnd("50000")))),
        facts("36693", Event::Low(Threshold::Lasts(12 * 3_600))),
        facts("36693", Event::Low(Threshold::Percent { percent: 20, of: vnd("200000") })),
        on_credit(Event::Empty),
        facts("36693", Event::Reminder { since_unix_s: BEFORE }),
        on_credit(Event::Reminder { since_unix_s: BEFORE }),
        Facts {
            pace: Some(Pace { per_hour: vnd("5200.5"), measured_s: 6 * 3_600, lasts_s: 1_063_800 }),
            ..facts("1536693", Event::Recovered { since_unix_s: BEFORE })
        },
        facts("0", Event::Unreadable { since_unix_s: AT, count: 1, reason: reason.clone(), last: None }),
        facts("0", Event::Unreadable { since_unix_s: BEFORE, count: 1_200, reason, last }),
        facts("36693", Event::Readable { since_unix_s: BEFORE }),
        facts("120", Event::ChargesRefused { amount: vnd("350"), count: 1, since_unix_s: AT }),
        on_credit(Event::ChargesRefused { amount: vnd("10000"), count: 1_700, since_unix_s: BEFORE }),
        facts("36693", Event::HoldExpired { hold: 12, released: vnd("3500"), made_unix_s: BEFORE }),
        facts("36693", Event::AccountLocked { by: by(), reason: Some("invoice 2041 is overdue.".to_owned()) }),
        facts("36693", Event::KeyIssued { key: "40D5…".to_owned(), by: by() }),
        facts("36693", Event::KeyRevoked { key: "40D5…".to_owned(), by: by() }),
        facts("31693", Event::Adjusted { amount: vnd("-5000"), by: by(), reason: "top-up entered\ntwice".to_owned() }),
        facts("41693", Event::Adjusted { amount: vnd("5000"), by: by(), reason: "invoice 2041".to_owned() }),
    ]
}

#[track_caller]
fn check(language: Language, expected: &str) {
    let all = occasions().into_iter().map(|facts| words(language, &facts));
    let said: Vec<String> = all.map(|words| format!("# {}\n{}\n", words.title, words.text)).collect();
    for (said, expected) in said.iter().zip(expected.split("\n\n")) {
        assert_eq!(said.trim_end(), expected.trim_end());
    }
    assert_eq!(said.join("\n"), expected);
}

#[test]
fn alerts_in_english() {
    check(Language::English, ENGLISH);
}

#[test]
fn alerts_in_vietnamese() {
    check(Language::Vietnamese, VIETNAMESE);
}

#[test]
fn what_is_not_known_is_not_said() {
    let bare =
        Facts { left: None, pace: None, ..facts("0", Event::AccountLocked { by: "anna".to_owned(), reason: None }) };
    let english = "Messaging account Công ty ABC (9999) was locked by the user anna at 14:03 on 29 July 2026.\n\
                   Nothing can be charged to it until it is unlocked, so messages do not go out, one-time passwords included.\n\
                   What to do: settle this with your messaging provider, who can unlock it.\n\
                   Times are in the zone Asia/Ho_Chi_Minh.";
    assert_eq!(words(Language::English, &bare).text, english);
    let low = Event::Low(Threshold::Money(vnd("50000")));
    for language in [Language::English, Language::Vietnamese] {
        let without_pace = words(language, &Facts { pace: None, ..facts("36693", low.clone()) });
        assert_eq!(
            without_pace.text.lines().count() + 1,
            words(language, &facts("36693", low.clone())).text.lines().count()
        );
        assert!(without_pace.title.ends_with("36,693 VND left") || without_pace.title.ends_with("36.693 VND"));
    }
    let slow = Some(Pace { per_hour: vnd("0.01"), measured_s: 86_400, lasts_s: 11_000_000_000 });
    let said = words(Language::English, &Facts { pace: slow, ..facts("36693", low) });
    assert!(said.text.contains("that lasts about 127,314 days 19 hours.\n"), "{}", said.text);
}

#[test]
fn times_are_told_in_the_zone_that_is_named() {
    let zone = TimeZone::fixed(jiff::tz::offset(-3));
    let said = words(Language::Vietnamese, &Facts { zone, ..facts("0", Event::Empty) });
    assert!(said.text.contains("từ 04:03 ngày 29/07/2026.\n") && said.text.ends_with("múi giờ -03."), "{}", said.text);
}

#[test]
fn languages_are_written_as_their_codes() {
    let read = |text: &str| serde_json::from_value::<Language>(text.into()).ok();
    assert_eq!((read("vi"), read("en"), read("VI")), (Some(Language::Vietnamese), Some(Language::English), None));
}
