//! Noes of the ledger and the store as problem documents: each with the figures that explain it and what to do next.
//!
//! Every mapping names every case, so that a new refusal or fault does not compile until someone has found its words.

use ledger::{AccountId, Fact, Minor, Refusal};
use store::{AccountNow, ChangeError, Fault, Refused};

use super::problem::{Problem, Slug};
use super::show;
use crate::times::rfc3339;

/// The slug of a refusal, and with it its HTTP status.
pub(super) fn slug(refusal: &Refusal) -> Slug {
    match refusal {
        Refusal::InsufficientCredit { .. } => Slug::InsufficientCredit,
        Refusal::AccountLocked => Slug::AccountLocked,
        Refusal::AccountClosed => Slug::AccountClosed,
        Refusal::RecipientClosed => Slug::RecipientClosed,
        Refusal::SameAccount => Slug::SameAccount,
        Refusal::CurrencyMismatch => Slug::CurrencyMismatch,
        Refusal::AccountNotEmpty { .. } => Slug::AccountNotEmpty,
        Refusal::AmountOutOfRange { .. } => Slug::AmountOutOfRange,
        Refusal::UnknownHold => Slug::UnknownHold,
        Refusal::HoldNotOpen { .. } => Slug::HoldNotOpen,
        Refusal::CaptureExceedsHold { .. } => Slug::CaptureExceedsHold,
        Refusal::UnknownCharge => Slug::UnknownCharge,
        Refusal::RefundExceedsCharge { .. } => Slug::RefundExceedsCharge,
        Refusal::KeyReused { .. } => Slug::KeyReused,
        Refusal::TooManyRefusals => Slug::TooManyRefusals,
        Refusal::UnknownAccount => Slug::UnknownAccount,
        Refusal::AccountExists => Slug::AccountExists,
    }
}

/// A refused movement: why, the figures of when it was decided, and the account as it is now.
pub(super) fn movement(id: AccountId, refused: &Refused) -> Problem {
    let mut detail = words(&subject(id), &refused.refusal, refused.account.as_ref());
    if let (Some(decided_at), Some(now)) = (refused.replayed_from, &refused.account) {
        let decimal = |figure: Minor| figure.decimal(now.currency.scale());
        detail = format!(
            "Refused at {} under this idempotency key, and not tried again: {detail} The account is {} now, with {} {} \
             available. For a new attempt use a new idempotency key.",
            rfc3339(decided_at),
            now.status.name(),
            decimal(now.available()),
            now.currency.code()
        );
    } else if refused.refusal.burns_key() {
        detail.push_str(" For a new attempt use a new idempotency key: this one keeps this answer.");
    }
    let mut problem = document(&refused.refusal, detail, refused.account.as_ref());
    if let Some(decided_at) = refused.replayed_from {
        problem = problem.with("decided_at", rfc3339(decided_at));
    }
    problem.with("replayed", refused.replayed_from.is_some())
}

/// A refused change of something other than money.
pub(super) fn change(id: AccountId, error: &ChangeError, account: Option<&AccountNow>) -> Problem {
    other(&subject(id), error, account)
}

/// A refused opening of an account, which may have no number yet.
pub(super) fn opening(error: &ChangeError) -> Problem {
    other("The new account", error, None)
}

/// A refused change of something that is no account's: an operator, a currency.
pub(super) fn setting(error: &ChangeError) -> Problem {
    other("That", error, None)
}

fn other(subject: &str, error: &ChangeError, account: Option<&AccountNow>) -> Problem {
    match error {
        ChangeError::UnknownAccount => no_account(subject),
        ChangeError::UnknownCredential => {
            Problem::new(Slug::UnknownCredential, format!("{subject} has no such API key; list its credentials."))
        }
        ChangeError::UnknownCurrency => {
            Problem::new(Slug::UnknownCurrency, "There is no such currency; list the currencies, or add it.")
        }
        ChangeError::UnknownOperator => Problem::new(
            Slug::UnknownOperator,
            "There never was an operator of that name; list the operators, revoked ones too.",
        ),
        ChangeError::OperatorExists => Problem::new(
            Slug::OperatorExists,
            "There is an operator of that name, or was one who was revoked; entries keep the name, so choose another.",
        ),
        ChangeError::CurrencyExists => Problem::new(
            Slug::CurrencyExists,
            "That currency exists with another scale or other public decimals, which are for ever; choose another code.",
        ),
        ChangeError::TooManyCurrencies => {
            Problem::new(Slug::TooManyCurrencies, "There are 256 currencies, as many as a ledger keeps.")
        }
        ChangeError::AccountExists => Problem::new(
            Slug::AccountExists,
            "That number or external id belongs to another account; choose another, or leave the number out.",
        ),
        ChangeError::CredentialExists => Problem::new(
            Slug::CredentialExists,
            "That API key is in use already, by this account or another; each key speaks for one account.",
        ),
        ChangeError::KeyReused => Problem::new(
            Slug::KeyReused,
            "This idempotency key was used before, for something else; nothing was done. Use a new key.",
        ),
        ChangeError::SettingsChanged => Problem::new(
            Slug::SettingsChanged,
            format!(
                "{subject} has other settings than those that If-Match names; read it again, and nothing was changed."
            ),
        ),
        ChangeError::Refused(refusal) => document(refusal, words(subject, refusal, account), account),
        ChangeError::Fault(fault) => of_fault(*fault),
    }
}

/// The environment failed: a 503 that says whether it happened and when to ask again.
pub(super) fn of_fault(fault: Fault) -> Problem {
    match fault {
        Fault::QueueFull | Fault::Unavailable | Fault::Stopping => {
            Problem::new(Slug::Unavailable, sentence(&fault.to_string()))
        }
        Fault::OutcomeUnknown => Problem::new(Slug::OutcomeUnknown, sentence(&fault.to_string())),
    }
}

/// There is no account of that number.
pub(super) fn unknown_account(id: AccountId) -> Problem {
    no_account(&subject(id))
}

fn no_account(subject: &str) -> Problem {
    Problem::new(Slug::UnknownAccount, format!("{subject} does not exist; list the accounts, or open it."))
}

fn subject(id: AccountId) -> String {
    format!("Account {id}")
}

fn document(refusal: &Refusal, detail: String, account: Option<&AccountNow>) -> Problem {
    let mut problem = Problem::new(slug(refusal), detail);
    if let Some(now) = account {
        for (name, fact) in refusal.facts() {
            problem = match fact {
                Fact::Money(figure) => problem.with(name, figure.decimal(now.currency.scale()).to_string()),
                Fact::Number(number) => problem.with(name, number),
                Fact::Kind(kind) => problem.with(name, kind.name()),
                Fact::Time(time) => problem.with(name, rfc3339(time)),
            };
        }
        problem = problem.with("account", serde_json::json!(show::figures(now)));
    }
    if let Refusal::KeyReused { number } = refusal {
        problem = problem.with("entry", *number);
    }
    problem
}

/// Why, in a sentence or two. The account is there to spell figures in its currency; its own figures may be later ones.
fn words(subject: &str, refusal: &Refusal, account: Option<&AccountNow>) -> String {
    let money = |figure: Minor| match account {
        Some(now) => format!("{} {}", figure.decimal(now.currency.scale()), now.currency.code()),
        None => "the amount".to_owned(),
    };
    match *refusal {
        Refusal::InsufficientCredit { available, amount } => format!(
            "{subject} has {} available and {} was asked for; top it up, raise its credit limit or ask for less.",
            money(available),
            money(amount)
        ),
        Refusal::AccountLocked => {
            format!(
                "{subject} is locked and does not spend; it still takes top-ups, refunds, adjustments and captures of \
                 holds that are open. Unlock it first."
            )
        }
        Refusal::RecipientClosed => {
            format!("{subject} cannot transfer to an account that is closed; choose another.")
        }
        Refusal::SameAccount => format!("{subject} cannot transfer to itself; name another account."),
        Refusal::CurrencyMismatch => {
            format!("{subject} has another currency than the account that would get it; there is no conversion.")
        }
        Refusal::UnknownHold => {
            format!("{subject} has no such hold; name it by the number of its entry, or by its idempotency key.")
        }
        Refusal::HoldNotOpen { hold, ended_by, ended_at } => {
            format!("{subject}: hold {hold} has ended at {} ({}); make a new one.", rfc3339(ended_at), ended_by.name())
        }
        Refusal::CaptureExceedsHold { left, amount } => format!(
            "{subject}: {} is left of the hold and {} was asked for; capture less, or charge the rest.",
            money(left),
            money(amount)
        ),
        Refusal::UnknownCharge => format!(
            "{subject} has no such charge or capture; name it by the number of its entry, or by its idempotency key."
        ),
        Refusal::RefundExceedsCharge { refundable, amount } => format!(
            "{subject}: {} of the charge can still be given back and {} was asked for; refund less, or adjust.",
            money(refundable),
            money(amount)
        ),
        Refusal::TooManyRefusals => format!(
            "{subject} was refused too often within this second, so this was not decided and its idempotency key is \
             still free: send it again in a second, and less often."
        ),
        Refusal::AccountClosed => format!("{subject} is closed, for ever, and takes nothing; open another one."),
        Refusal::AccountNotEmpty { posted, held } => format!(
            "{subject} has {} posted and {} held; it can be closed when both are zero. Adjust it to zero first.",
            money(posted),
            money(held)
        ),
        Refusal::AmountOutOfRange { amount } => format!(
            "{subject} cannot take {}: it is zero, or a figure would leave what the ledger can hold.",
            money(amount)
        ),
        Refusal::KeyReused { number: Some(number) } => format!(
            "{subject}: this idempotency key made entry {number}, with other content; nothing was done now. Use a new \
             key for a new movement, or repeat exactly what was sent then."
        ),
        Refusal::KeyReused { number: None } => format!(
            "{subject}: this idempotency key was used before, with other content, and refused then; nothing was done \
             now. Use a new key for a new movement."
        ),
        Refusal::UnknownAccount => format!("{subject} does not exist; list the accounts, or open it."),
        Refusal::AccountExists => format!("{subject} exists already; choose another number or leave it out."),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every refusal, with what is stored of those that burn their key.
    fn all() -> Vec<Refusal> {
        let kept = [
            "insufficient_credit",
            "account_locked",
            "account_closed",
            "recipient_closed",
            "same_account",
            "currency_mismatch",
            "account_not_empty",
            "amount_out_of_range",
            "unknown_hold",
            "hold_not_open",
            "capture_exceeds_hold",
            "unknown_charge",
            "refund_exceeds_charge",
        ];
        // 10 is a figure, an entry's number, an instant, and the code of a kind.
        let mut all: Vec<_> = kept.iter().filter_map(|slug| Refusal::from_parts(slug, |_| Some(10))).collect();
        assert_eq!(all.len(), kept.len());
        all.push(Refusal::KeyReused { number: Some(3) });
        all.extend([Refusal::TooManyRefusals, Refusal::UnknownAccount, Refusal::AccountExists]);
        all
    }

    #[test]
    fn a_refusal_keeps_its_name_and_is_never_a_fault() {
        let id = AccountId::new(1).expect("a number");
        for refusal in all() {
            let problem = movement(id, &Refused { refusal, replayed_from: None, account: None });
            assert_eq!(problem.document()["slug"], refusal.slug());
            assert!(problem.status().is_client_error(), "{refusal:?}");
            let replayed = Refused { refusal, replayed_from: Some(ledger::Time::from_micros(0)), account: None };
            assert_eq!(movement(id, &replayed).document()["replayed"], true);
        }
    }

    #[test]
    fn a_fault_is_never_a_refusal_and_says_whether_it_happened() {
        for (fault, slug) in [
            (Fault::QueueFull, "unavailable"),
            (Fault::Unavailable, "unavailable"),
            (Fault::Stopping, "unavailable"),
            (Fault::OutcomeUnknown, "outcome_unknown"),
        ] {
            let problem = of_fault(fault);
            assert_eq!((problem.status().as_u16(), &problem.document()["slug"]), (503, &slug.into()), "{fault:?}");
            let says = problem.document()["detail"].as_str().expect("a detail").contains("othing happened");
            assert_eq!(says, slug == "unavailable", "{fault:?}");
        }
    }
}
