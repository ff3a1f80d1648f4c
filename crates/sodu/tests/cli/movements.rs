//! Credit moves from the command line, once per key, and says what it did.

use serde_json::json;

use crate::common::{Sodu, run};

#[test]
fn a_movement_names_its_entry_and_what_is_left() {
    let sodu = Sodu::with_account();
    let charged = sodu.run(&["charge", "9999", "350.5", "-k", "message-77", "--reference", "sms-77"]).expect(0);
    assert_eq!(
        charged.out,
        "entry 3 of account 9999: charge 350.5 VND; balance 36,342.5 VND, available 36,342.5 VND\n"
    );
    assert_eq!(charged.err, format!("database {}\n", sodu.url()));

    let again = sodu.run(&["charge", "9999", "350.50", "-k", "message-77", "--reference", "sms-77"]).expect(0);
    assert_eq!(again.out, charged.out);
    assert!(again.err.contains("nothing moved now"), "{}", again.err);
    let other = sodu.run(&["charge", "9999", "351", "-k", "message-77"]).refused("key_reused");
    assert!(other.contains("made entry 3"), "{other}");
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36342.5");
}

#[test]
fn programs_get_the_shapes_of_the_api() {
    let sodu = Sodu::with_account();
    let args = ["topup", "9999", "12.5", "-k", "k", "--metadata", "campaign=tet", "--metadata", "note=a=b"];
    let moved = sodu.json(&args);
    assert_eq!((&moved["entry"]["kind"], &moved["entry"]["amount"]), (&json!("topup"), &json!("12.5")));
    assert_eq!(moved["entry"]["metadata"], json!({ "campaign": "tet", "note": "a=b" }));
    assert_eq!((&moved["account"]["balance"], &moved["replayed"]), (&json!("36705.5"), &json!(false)));
    assert!(moved["entry"]["by"].as_str().is_some_and(|by| by.starts_with("local:")));

    let refused = sodu.run(&["charge", "9999", "40000", "-k", "big", "--json"]);
    assert_eq!(refused.code, 1);
    let problem = refused.json();
    assert_eq!((&problem["slug"], &problem["status"]), (&json!("insufficient_credit"), &json!(409)));
    assert_eq!((&problem["available"], &problem["amount"]), (&json!("36705.5"), &json!("40000")));
    assert!(refused.err.contains("error: Account 9999 has 36705.5 VND available"), "{}", refused.err);
    assert!(refused.err.trim_end().ends_with("[insufficient_credit]"));
}

#[test]
fn an_adjustment_may_be_negative_and_says_why() {
    let sodu = Sodu::with_account();
    let adjusted = sodu.run(&["adjust", "9999", "-500", "-k", "fix", "--reason", "charged twice"]).expect(0);
    assert_eq!(adjusted.out, "entry 3 of account 9999: adjust -500 VND; balance 36,193 VND, available 36,193 VND\n");
    sodu.run(&["adjust", "-k", "fix-2", "9999", "-0.5", "--reason", "r"]).expect(0);
    let missing = sodu.run(&["adjust", "9999", "-500", "-k", "fix-3"]).expect(2);
    assert!(missing.err.contains("--reason"), "{}", missing.err);
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36192.5");
}

#[test]
fn a_script_names_its_keys_itself() {
    let sodu = Sodu::with_account();
    let missing = sodu.run(&["topup", "9999", "5"]).expect(2);
    assert!(missing.err.contains("-k KEY is missing"), "{}", missing.err);
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36693");
}

/// `script` (util-linux) gives the command a terminal.
#[test]
fn a_person_gets_a_key_before_it_is_sent() {
    let sodu = Sodu::with_account();
    let typed = format!("{} topup 9999 5", env!("CARGO_BIN_EXE_sodu"));
    let script = sodu.command(&[]);
    let environment: Vec<_> =
        script.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    let mut terminal = std::process::Command::new("script");
    terminal.env_clear().current_dir(sodu.folder.path()).args(["-qec", &typed, "/dev/null"]);
    for (name, value) in environment {
        terminal.env(name, value.unwrap_or_default());
    }
    let ended = run(&mut terminal).expect(0);
    let key = ended.out.lines().find_map(|line| line.strip_prefix("idempotency key: ")).expect("a key");
    let key = key.split_whitespace().next().expect("a word");
    assert!(key.starts_with("cli-") && key.len() == 28, "{key}");
    assert!(ended.out.contains("entry 3 of account 9999: topup 5 VND"), "{}", ended.out);
    assert_eq!(sodu.json(&["topup", "9999", "5", "-k", key])["replayed"], true);
}

#[test]
fn amounts_are_refused_with_a_reason() {
    let sodu = Sodu::with_account();
    for (amount, slug, says) in [
        ("0", "amount_out_of_range", "not greater than zero"),
        ("-5", "amount_out_of_range", "not greater than zero"),
        ("0.001", "amount_out_of_range", "more exact than the 2 decimals"),
        ("5,000", "malformed", "no grouping"),
        ("five", "malformed", "not a decimal number"),
    ] {
        let error = sodu.run(&["topup", "9999", amount, "-k", "k"]).refused(slug);
        assert!(error.contains(says), "{amount}: {error}");
    }
    sodu.run(&["topup", "9999", "5", "-k", "k"]).expect(0);
}
