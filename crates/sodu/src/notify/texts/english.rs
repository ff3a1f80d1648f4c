//! Alerts in English. A line that nothing is known for is empty, and left out.

use super::figures::Teller;
use super::{Event, Money, Threshold, Words};

const TOP_UP: &str =
    "What to do: top up before the credit runs out. When it has run out, messages stop, one-time passwords included.";
const TOP_UP_NOW: &str = "What to do: top up now. Until then messages may not go out, one-time passwords included.";

pub(super) fn words(tell: &Teller<'_>) -> Words {
    match &tell.facts.event {
        Event::Low(threshold) => low(tell, threshold),
        Event::Empty => empty(tell),
        Event::Reminder { since_unix_s } => reminder(tell, &tell.time(*since_unix_s)),
        Event::Recovered { since_unix_s } => recovered(tell, &tell.time(*since_unix_s)),
        Event::Unreadable { since_unix_s, count, reason, last } => {
            unreadable(tell, &tell.time(*since_unix_s), *count, reason, last.as_ref())
        }
        Event::Readable { since_unix_s } => readable(tell, &tell.time(*since_unix_s)),
        Event::ChargesRefused { amount, count, since_unix_s } => {
            refused(tell, &tell.sum(amount), *count, &tell.time(*since_unix_s))
        }
        Event::HoldExpired { hold, released, made_unix_s } => {
            hold_expired(tell, *hold, &tell.sum(released), &tell.time(*made_unix_s))
        }
        Event::AccountLocked { by, reason } => locked(tell, by, reason.as_deref()),
        Event::KeyIssued { key, by } => key_issued(tell, key, by),
        Event::KeyRevoked { key, by } => key_revoked(tell, key, by),
        Event::Adjusted { amount, by, reason } => adjusted(tell, amount, by, reason),
    }
}

fn low(tell: &Teller<'_>, threshold: &Threshold) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    let level = match threshold {
        Threshold::Money(level) => format!("less than the warning level of {}", tell.sum(level)),
        Threshold::Lasts(seconds) => format!("not enough for {} (the warning level)", tell.length(*seconds)),
        Threshold::Percent { percent, of } => {
            format!("less than {percent}% of the last top-up of {} (the warning level)", tell.sum(of))
        }
    };
    told(
        tell,
        format!("Messaging credit low: {account} has {left} left{}", for_about(tell)),
        &[
            &format!("Messaging account {account} has {left} left, {level}."),
            &spendable(tell),
            &lasts(tell),
            &format!("It has been so since {}.", tell.now()),
            TOP_UP,
        ],
    )
}

fn empty(tell: &Teller<'_>) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    told(
        tell,
        format!("No messaging credit left: the balance of {account} is {left}"),
        &[
            &format!("Messaging account {account} has no credit left: its balance is {left}."),
            &spendable(tell),
            &used(tell),
            &format!("It has been so since {}.", tell.now()),
            TOP_UP_NOW,
        ],
    )
}

fn reminder(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    let first = format!("The first warning was at {since}.");
    if tell.facts.is_empty() {
        let title = format!("Reminder: no messaging credit left, the balance of {account} is {left}");
        let state = format!("Messaging account {account} still has no credit: its balance is {left}.");
        return told(tell, title, &[&state, &spendable(tell), &used(tell), &first, TOP_UP_NOW]);
    }
    let title = format!("Reminder: messaging credit low, {account} has {left} left{}", for_about(tell));
    let state = format!("Messaging account {account} is still low: it has {left} left.");
    told(tell, title, &[&state, &spendable(tell), &lasts(tell), &first, TOP_UP])
}

fn recovered(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    told(
        tell,
        format!("Topped up: {account} has {left} now"),
        &[
            &format!("Messaging account {account} has {left} now and is no longer low."),
            &lasts(tell),
            &format!("It had been low since {since}."),
            "Nothing needs to be done.",
        ],
    )
}

fn unreadable(tell: &Teller<'_>, since: &str, count: u64, reason: &str, last: Option<&(Money, i64)>) -> Words {
    let account = &tell.facts.account;
    let what = if count == 1 {
        format!("The balance of messaging account {account} could not be read at {since}.")
    } else {
        let count = tell.whole(count);
        format!(
            "The balance of messaging account {account} has not been readable since {since}; {count} attempts in a row failed."
        )
    };
    let last = last.map_or_else(String::new, |(left, at_unix_s)| {
        format!("When it was last read, at {}, {} was left.", tell.time(*at_unix_s), tell.sum(left))
    });
    told(
        tell,
        format!("Balance unknown: that of {account} cannot be read"),
        &[
            &what,
            "This does not mean that it is zero: it is not known what is left.",
            &last,
            &tell.quoted("Why it fails", reason),
            "What to do: pass this on to your technical staff, and look at the balance yourself meanwhile.",
            "No warning comes until it can be read again, not even when the credit runs out.",
        ],
    )
}

fn readable(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    told(
        tell,
        format!("Balance known again: {account} has {left} left"),
        &[
            &format!("The balance of messaging account {account} can be read again. It has {left} left."),
            &lasts(tell),
            &format!("It could not be read from {since} on."),
            "Warnings come again from now on.",
        ],
    )
}

fn refused(tell: &Teller<'_>, amount: &str, count: u64, since: &str) -> Words {
    let account = &tell.facts.account;
    let what = if count == 1 {
        format!(
            "A charge of {amount} to messaging account {account} was refused at {since}: there is not enough credit."
        )
    } else {
        let count = tell.whole(count);
        format!(
            "{count} charges to messaging account {account} have been refused since {since}, the first of them of {amount}: there is not \
             enough credit."
        )
    };
    let can_spend = tell.facts.spendable.as_ref().or(tell.facts.left.as_ref());
    let can_spend = can_spend.map_or_else(String::new, |sum| format!("Only {} can still be spent.", tell.sum(sum)));
    let title = format!("Charges refused: {account} has too little credit");
    told(tell, title, &[&what, &can_spend, &used(tell), TOP_UP_NOW])
}

fn hold_expired(tell: &Teller<'_>, hold: u64, released: &str, made: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("Hold ended: {released} of {account} can be spent again"),
        &[
            &format!(
                "{released} of messaging account {account} was set aside at {made} (hold {hold}). It was not used in time: the hold \
                 ended at {now}, and the sum can be spent again."
            ),
            &remaining(tell),
            "What to do: there is nothing to pay. Technical staff: if the messages that it was meant for have gone out, charge them \
             now; they have not been charged.",
        ],
    )
}

fn locked(tell: &Teller<'_>, by: &str, reason: Option<&str>) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("Account locked: {account}"),
        &[
            &format!("Messaging account {account} was locked by the user {by} at {now}."),
            &reason.map_or_else(String::new, |reason| tell.quoted("Reason", reason)),
            &remaining(tell),
            "Nothing can be charged to it until it is unlocked, so messages do not go out, one-time passwords included.",
            "What to do: settle this with your messaging provider, who can unlock it.",
        ],
    )
}

fn key_issued(tell: &Teller<'_>, key: &str, by: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("New API key: {account}"),
        &[
            &format!("A new API key ({key}) for messaging account {account} was made by the user {by} at {now}."),
            "Whoever has it and its secret can use the account.",
            "What to do: ask your technical staff. If nobody there asked for this key, have your messaging provider revoke it at \
             once.",
        ],
    )
}

fn key_revoked(tell: &Teller<'_>, key: &str, by: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("API key revoked: {account}"),
        &[
            &format!("The API key {key} of messaging account {account} was revoked by the user {by} at {now}."),
            "Programs that still use it are turned away (error code 101).",
            "What to do: pass this on to your technical staff; those programs need another key.",
        ],
    )
}

fn adjusted(tell: &Teller<'_>, amount: &Money, by: &str, reason: &str) -> Words {
    let (account, now, sum) = (&tell.facts.account, tell.now(), tell.size(amount));
    let how = if amount.amount.is_negative() { "lowered" } else { "raised" };
    told(
        tell,
        format!("Balance {how} by {sum}: {account}"),
        &[
            &format!("The user {by} {how} the balance of messaging account {account} by {sum} at {now}."),
            &tell.quoted("Reason", reason),
            &remaining(tell),
            "What to do: if this is not right, ask your messaging provider.",
        ],
    )
}

/// The lines, and whose time they tell.
fn told(tell: &Teller<'_>, title: String, lines: &[&str]) -> Words {
    Words::new(title, lines, &format!("Times are in the zone {}.", tell.zone()))
}

fn left(tell: &Teller<'_>) -> String {
    tell.facts.left.as_ref().map_or_else(|| "an unknown sum".to_owned(), |left| tell.sum(left))
}

fn for_about(tell: &Teller<'_>) -> String {
    tell.facts.pace.as_ref().map_or_else(String::new, |pace| format!(", for about {}", tell.length(pace.lasts_s)))
}

/// How long what is left lasts, at which rate.
fn lasts(tell: &Teller<'_>) -> String {
    let Some(pace) = &tell.facts.pace else { return String::new() };
    let end = tell.end(pace.lasts_s).map_or_else(String::new, |end| format!(", until about {end}"));
    format!(
        "At the present rate of {} an hour (measured over the last {}) that lasts about {}{end}.",
        tell.sum(&pace.per_hour),
        tell.length(pace.measured_s),
        tell.length(pace.lasts_s),
    )
}

/// How much was used, where nothing is left that could last.
fn used(tell: &Teller<'_>) -> String {
    tell.facts.pace.as_ref().map_or_else(String::new, |pace| {
        format!(
            "Over the last {}, {} an hour was used on average.",
            tell.length(pace.measured_s),
            tell.sum(&pace.per_hour)
        )
    })
}

fn spendable(tell: &Teller<'_>) -> String {
    let spendable = tell.facts.spendable.as_ref();
    spendable
        .map_or_else(String::new, |sum| format!("Within its credit limit, only {} can still be spent.", tell.sum(sum)))
}

fn remaining(tell: &Teller<'_>) -> String {
    tell.facts.left.as_ref().map_or_else(String::new, |left| format!("The account has {} left.", tell.sum(left)))
}
