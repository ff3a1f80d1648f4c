//! Scenarios as text: [`check`] runs a table of lines `command -> outcome` and compares what happened with what is
//! written, line by line.
//!
//! Commands: `open VND limit 50`, `limit 50`, `status locked`, `topup 1`, `charge 1`, `adjust -1`, `hold 1 for 60`,
//! `extend 3 for 60`, `capture 3 amount 1 final yes`, `void 3`, `refund 1 of 2`, `transfer 1 to 2`, each followed by any of
//! `key K`, `reference R`, `reason R`, `by A`, `meta NAME=VALUE`; with `@2` before it, on account 2 instead of 1. An earlier
//! entry is named by its number, or as `key:K`. Three more lines command nothing: `clock MICROS` (or `clock 5s`) sets the
//! clock, `given posted 10 held 5 limit 0` starts from such an account, `expire` ends what is due. Figures are decimals, or
//! `max`. Outcomes: `posted 1 available 1 …` with any of the names in [`Run::figure`], `replay`, or `refused SLUG FIGURES`.

use std::fmt::Write;

use ledger::{Account, AccountId, Amount, Command, Currency, Fact, Lifetime, Minor, Movement, Named, Refusal, Status};

use crate::book::{Book, Done};
use crate::make::{self, MAX};

/// Runs the table; panics with both versions side by side where a line went otherwise.
pub(crate) fn check(table: &str) {
    let mut run = Run { book: Book::default(), now: 0 };
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
    book: Book,
    now: i64,
}

impl Run {
    fn line(&mut self, words: &[&str], outcome: &[&str]) -> String {
        match words {
            ["clock", time] => {
                self.now = micros(time);
                String::new()
            }
            ["given", "posted", posted, "held", held, "limit", limit] => {
                let [posted, held, limit] = [posted, held, limit].map(|text| figure(text).units());
                let account = make::account(posted, held, limit, Status::Active);
                self.book.accounts.insert(account.id, account);
                String::new()
            }
            ["expire"] => {
                let ended = self.book.expire(make::account_id(1), make::time(self.now));
                format!("ended {ended} {}", self.figures(make::account_id(1), outcome.get(2..).unwrap_or_default()))
                    .trim_end()
                    .into()
            }
            _ => self.decide(&command(words), outcome),
        }
    }

    fn decide(&mut self, command: &Command, outcome: &[&str]) -> String {
        match self.book.perform(command, make::time(self.now)) {
            Ok(Done::Replay) => "replay".into(),
            Ok(Done::Entry(entry, other)) => {
                assert_eq!((entry.account, &entry.key), (command.account, &command.key));
                for entry in [Some(&entry), other.as_ref()].into_iter().flatten() {
                    assert_eq!((entry.kind, &entry.reference), (command.movement.kind(), &command.reference));
                    assert_eq!((&entry.metadata, &entry.by), (&command.metadata, &command.by));
                    assert_eq!((entry.reason.as_ref(), entry.recorded_at), (command.reason(), entry.at));
                }
                assert!(other.is_none_or(|other| other.key.is_none() && other.content.is_none()));
                // A line that expected a refusal has no names of figures: it is shown what it got instead.
                let pairs =
                    if outcome.first() == Some(&"refused") { &["posted", "", "available", ""] } else { outcome };
                self.figures(command.account, pairs)
            }
            Err(refusal) => {
                if refusal.burns_key() {
                    let facts = refusal.facts();
                    let stored =
                        |name: &str| facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.code());
                    assert_eq!(Refusal::from_parts(refusal.slug(), stored), Some(refusal), "it is read back whole");
                }
                refused(&refusal)
            }
        }
    }

    fn figures(&self, id: AccountId, pairs: &[&str]) -> String {
        let names = pairs.iter().step_by(2);
        names.map(|name| format!("{name} {}", self.figure(id, name))).collect::<Vec<_>>().join(" ")
    }

    /// A figure of the account as it is now, by its name in an outcome: `left:3` and `end:3` are of hold 3, `2.posted` and
    /// the like of account 2, `amount`, `kind`, `target` and `recorded` of the last entry.
    fn figure(&self, id: AccountId, name: &str) -> String {
        if let Some((of, name)) = name.split_once('.') {
            return self.figure(make::account_id(of.parse().expect("an account number")), name);
        }
        let account = self.book.accounts.get(&id).expect("an account after an entry");
        let last = || self.book.entries.get(&id).and_then(|entries| entries.last()).expect("an entry");
        let hold = |number: &str| {
            let number: u64 = number.parse().expect("a number");
            self.book.open_holds(id).into_iter().find(|hold| hold.number == number)
        };
        match name.split_once(':') {
            Some(("left", number)) => hold(number).map_or("none".into(), |hold| spelled(hold.left)),
            Some(("end", number)) => hold(number).map_or("none".into(), |hold| instant(hold.expires_at)),
            Some(_) => "is no name of a figure".into(),
            None => self.own_figure(account, last, name),
        }
    }

    fn own_figure<'a>(&self, account: &Account, last: impl Fn() -> &'a ledger::Entry, name: &str) -> String {
        match name {
            "posted" => spelled(account.posted),
            "held" => spelled(account.held),
            "limit" => spelled(account.credit_limit),
            "available" => spelled(account.available()),
            "status" => account.status.name().into(),
            "number" => account.number.to_string(),
            "at" => instant(account.at),
            "recorded" => instant(last().recorded_at),
            "amount" => spelled(last().amount),
            "kind" => last().kind.name().into(),
            "target" => last().target.map_or("none".into(), |target| format!("{}/{}", target.account, target.number)),
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
            Fact::Time(time) => instant(time),
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
    let (account, words) = match words {
        [on, words @ ..] if on.starts_with('@') => (on.trim_start_matches('@').parse().expect("a number"), words),
        words => (1, words),
    };
    let (kind, argument, options) = match words {
        ["open", code, "limit", limit, options @ ..] => {
            let movement = Movement::Open { currency: currency(code), credit_limit: figure(limit) };
            return with_options(make::command(movement), account, options);
        }
        [kind, argument, options @ ..] => (*kind, *argument, options),
        _ => panic!("not a command: {words:?}"),
    };
    let option =
        |name: &str| options.chunks(2).find(|pair| pair.first() == Some(&name)).and_then(|pair| pair.last()).copied();
    let amount = |text: &str| Amount::new(figure(text)).expect("a positive figure");
    let lifetime = || {
        let seconds = option("for").expect("a lifetime").parse().expect("seconds");
        Lifetime::new(seconds).expect("a lifetime")
    };
    let movement = match kind {
        "limit" => Movement::Limit { credit_limit: figure(argument) },
        "status" => Movement::Status { status: status(argument) },
        "topup" => Movement::Topup { amount: amount(argument) },
        "charge" => Movement::Charge { amount: amount(argument) },
        "hold" => Movement::Hold { amount: amount(argument), expires_in: lifetime() },
        "extend" => Movement::Extend { hold: named(argument), expires_in: lifetime() },
        "capture" => Movement::Capture {
            hold: named(argument),
            amount: option("amount").map(amount),
            is_final: option("final") == Some("yes"),
        },
        "void" => Movement::Void { hold: named(argument) },
        "refund" => {
            Movement::Refund { amount: amount(argument), charge: named(option("of").expect("what it gives back")) }
        }
        "transfer" => {
            let to = option("to").expect("a recipient").parse().expect("a number");
            Movement::Transfer { to: make::account_id(to), amount: amount(argument) }
        }
        "adjust" => {
            let reason = make::reason(option("reason").unwrap_or("correction"));
            Movement::Adjust { amount: figure(argument), reason }
        }
        _ => panic!("not a movement: {kind}"),
    };
    with_options(make::command(movement), account, options)
}

fn with_options(command: Command, account: u32, options: &[&str]) -> Command {
    let option = |name: &str| options.chunks(2).find(|pair| pair.first() == Some(&name)).and_then(|pair| pair.last());
    let known = ["for", "of", "to", "amount", "final", "key", "reference", "reason", "by", "meta"];
    let are_known = options.chunks(2).all(|pair| pair.len() == 2 && pair.first().is_some_and(|it| known.contains(it)));
    assert!(are_known, "not options: {options:?}");
    Command {
        account: make::account_id(account),
        key: option("key").map(|text| make::key(text)),
        reason: option("reason").map(|text| make::reason(text)),
        reference: option("reference").map(|text| make::reference(text)),
        metadata: make::metadata(&option("meta").and_then(|pair| pair.split_once('=')).into_iter().collect::<Vec<_>>()),
        by: make::actor(option("by").unwrap_or(&"local:test")),
        ..command
    }
}

fn named(text: &str) -> Named {
    match text.strip_prefix("key:") {
        Some(key) => Named::Key(make::key(key)),
        None => Named::Number(text.parse().expect("an entry number")),
    }
}

fn currency(code: &str) -> Currency {
    if code == "VND" { Currency::VND } else { Currency::new(code, 2, 2).expect("a currency") }
}

/// Whole seconds as such, all else in microseconds.
fn instant(time: ledger::Time) -> String {
    match time.micros() {
        micros if micros != 0 && micros % 1_000_000 == 0 => format!("{}s", micros / 1_000_000),
        micros => micros.to_string(),
    }
}

fn micros(text: &str) -> i64 {
    match text.strip_suffix('s') {
        Some(seconds) => seconds.parse::<i64>().expect("seconds") * 1_000_000,
        None => text.parse().expect("microseconds"),
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
