//! Scenarios as text: [`check`] runs a table of lines `command -> outcome` and compares what happened with what is
//! written, line by line.
//!
//! Commands: `open VND limit 50`, `limit 50`, `status locked`, `topup 1`, `charge 1`, `adjust -1`, each followed by any of
//! `key K`, `reference R`, `reason R`, `by A`, `meta NAME=VALUE`. Two more lines have no outcome: `clock MICROS` sets
//! the clock, and `given posted 10 held 5 limit 0` starts from such an account. Figures are decimals of VND, or `max`.
//! Outcomes: `posted 1 available 1 …` with any of the names in [`Run::figure`], `replay`, or `refused SLUG FIGURES`.

use std::collections::HashMap;
use std::fmt::Write;

use ledger::{
    Account, Amount, Command, Currency, Earlier, Fact, Facts, Key, Minor, Movement, Refusal, Status, Verdict,
    canonical, decide,
};

use crate::make::{self, MAX};

/// Runs the table; panics with both versions side by side where a line went otherwise.
pub(crate) fn check(table: &str) {
    let mut run = Run { account: None, now: 0, keys: HashMap::new() };
    let (mut written, mut happened) = (String::new(), String::new());
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (command, outcome) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = command.split_whitespace().collect();
        let outcome: Vec<&str> = outcome.split_whitespace().collect();
        let found = run.line(&words, &outcome);
        writeln!(written, "{} -> {}", words.join(" "), outcome.join(" ")).expect("a String takes everything");
        writeln!(happened, "{} -> {found}", words.join(" ")).expect("a String takes everything");
    }
    assert!(!written.is_empty(), "a table without lines checks nothing");
    assert!(happened == written, "written:\n{written}\nhappened:\n{happened}");
}

struct Run {
    account: Option<Account>,
    now: i64,
    /// What a storage engine would know of each key.
    keys: HashMap<Key, Earlier>,
}

impl Run {
    fn line(&mut self, words: &[&str], outcome: &[&str]) -> String {
        match words {
            ["clock", micros] => {
                self.now = micros.parse().expect("microseconds");
                String::new()
            }
            ["given", "posted", posted, "held", held, "limit", limit] => {
                let [posted, held, limit] = [posted, held, limit].map(|text| figure(text).units());
                self.account = Some(make::account(posted, held, limit, Status::Active));
                String::new()
            }
            _ => self.decide(&command(words), outcome),
        }
    }

    fn decide(&mut self, command: &Command, outcome: &[&str]) -> String {
        let earlier = command.key.as_ref().and_then(|key| self.keys.get(key)).copied();
        let facts = Facts { account: self.account.as_ref(), to: None, named: None, earlier };
        match decide(&facts, command, make::time(self.now)) {
            Ok(Verdict::Replay) => "replay".into(),
            Ok(Verdict::Entry { entry, other: None }) => {
                let entry = &entry;
                assert_eq!((&entry.key, &entry.reference), (&command.key, &command.reference));
                assert_eq!((&entry.metadata, &entry.by), (&command.metadata, &command.by));
                assert_eq!(entry.reason.as_ref(), command.reason());
                assert_eq!(entry.content, command.key.as_ref().map(|_| canonical::content(command, None)));
                assert_eq!(entry.recorded_at, entry.at);
                self.account = Some(make::folded(self.account.as_ref(), entry));
                self.note(command, Some(entry.number));
                // A line that expected a refusal has no names of figures: it is shown what it got instead.
                let pairs =
                    if outcome.first() == Some(&"refused") { &["posted", "", "available", ""] } else { outcome };
                let names = pairs.iter().step_by(2);
                names.map(|name| format!("{name} {}", self.figure(name))).collect::<Vec<_>>().join(" ")
            }
            Ok(Verdict::Entry { .. }) => panic!("nothing here has two sides"),
            Err(refusal) => {
                if refusal.burns_key() {
                    self.note(command, None);
                    let facts = refusal.facts();
                    let stored =
                        |name: &str| facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.code());
                    assert_eq!(Refusal::from_parts(refusal.slug(), stored), Some(refusal), "it is read back whole");
                }
                refused(&refusal)
            }
        }
    }

    fn note(&mut self, command: &Command, number: Option<u64>) {
        if let Some(key) = &command.key {
            self.keys.insert(key.clone(), Earlier { content: canonical::content(command, None), number });
        }
    }

    /// A figure of the account as it is now, by its name in an outcome.
    fn figure(&self, name: &str) -> String {
        let account = self.account.as_ref().expect("an account after an entry");
        match name {
            "posted" => spelled(account.posted),
            "held" => spelled(account.held),
            "limit" => spelled(account.credit_limit),
            "available" => spelled(account.available()),
            "status" => account.status.name().into(),
            "number" => account.number.to_string(),
            "at" => account.at.micros().to_string(),
            _ => "is no name of a figure".into(),
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    let mut text = format!("refused {}", refusal.slug());
    for (name, fact) in refusal.facts() {
        let fact = match fact {
            Fact::Money(figure) => spelled(figure),
            Fact::Number(number) => number.to_string(),
            Fact::Kind(kind) => kind.name().into(),
            Fact::Time(time) => time.micros().to_string(),
        };
        write!(text, " {name} {fact}").expect("a String takes everything");
    }
    if let Refusal::KeyReused { number } = refusal {
        let entry = number.map_or("none".into(), |number| number.to_string());
        write!(text, " entry {entry}").expect("a String takes everything");
    }
    text
}

fn command(words: &[&str]) -> Command {
    let (kind, argument, options) = match words {
        ["open", code, "limit", limit, options @ ..] => {
            assert_eq!(*code, Currency::VND.code(), "tables know one currency");
            ("open", limit, options)
        }
        [kind, argument, options @ ..] => (*kind, argument, options),
        _ => panic!("not a command: {words:?}"),
    };
    let option = |name: &str| options.chunks(2).find(|pair| pair.first() == Some(&name)).and_then(|pair| pair.last());
    let reason = option("reason").map(|text| make::reason(text));
    let movement = match kind {
        "open" => Movement::Open { currency: Currency::VND, credit_limit: figure(argument) },
        "limit" => Movement::Limit { credit_limit: figure(argument) },
        "status" => Movement::Status { status: status(argument) },
        "topup" => Movement::Topup { amount: Amount::new(figure(argument)).expect("a positive figure") },
        "charge" => Movement::Charge { amount: Amount::new(figure(argument)).expect("a positive figure") },
        "adjust" => {
            let reason = reason.clone().unwrap_or_else(|| make::reason("correction"));
            Movement::Adjust { amount: figure(argument), reason }
        }
        _ => panic!("not a movement: {kind}"),
    };
    let known = ["key", "reference", "reason", "by", "meta"];
    let are_known = options.chunks(2).all(|pair| pair.len() == 2 && pair.first().is_some_and(|it| known.contains(it)));
    assert!(are_known, "not options: {options:?}");
    Command {
        key: option("key").map(|text| make::key(text)),
        reason,
        reference: option("reference").map(|text| make::reference(text)),
        metadata: make::metadata(&option("meta").and_then(|pair| pair.split_once('=')).into_iter().collect::<Vec<_>>()),
        by: make::actor(option("by").unwrap_or(&"local:test")),
        ..make::command(movement)
    }
}

fn status(name: &str) -> Status {
    let all = [Status::Active, Status::Locked, Status::Closed];
    all.into_iter().find(|status| status.name() == name).expect("a status")
}

fn figure(text: &str) -> Minor {
    match text {
        "max" => make::minor(MAX),
        "-max" => make::minor(-MAX),
        decimal => Minor::parse(decimal, Currency::VND).expect("a decimal of VND"),
    }
}

fn spelled(figure: Minor) -> String {
    match figure.units() {
        MAX => "max".into(),
        units if units == -MAX => "-max".into(),
        _ => figure.decimal(2).to_string(),
    }
}
