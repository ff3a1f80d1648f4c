//! From the members of a request to the command that they ask for: one reader for the movement routes and for batches, so
//! that both take the same and say the same.

use ledger::{AccountId, Actor, Command, Key, Kind, Lifetime, Movement, Named};
use store::{AccountNow, Role};

use super::fields;
use super::members::Members;
use super::problem::{Problem, Slug};

/// What every movement may carry.
const COMMON: [&str; 3] = ["reference", "reason", "metadata"];

/// What a movement of that kind is asked for with, beside [`COMMON`]; `None` where no movement is of that kind.
fn own_members(kind: Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::Topup | Kind::Charge | Kind::Adjust => &["amount"],
        Kind::Hold => &["amount", "expires_in"],
        Kind::Extend => &["expires_in"],
        Kind::Capture => &["amount", "final"],
        Kind::Void => &[],
        Kind::Refund => &["amount", "charge", "charge_key"],
        Kind::Transfer => &["to", "amount"],
        Kind::Open | Kind::Limit | Kind::Status | Kind::Expire => return None,
    })
}

/// The least role that may ask for a movement of that kind, by itself or in a batch.
pub(super) fn role(kind: Kind) -> Role {
    if kind == Kind::Adjust { Role::Admin } else { Role::Money }
}

/// Whether a movement of that kind touches a hold.
fn names_hold(kind: Kind) -> bool {
    matches!(kind, Kind::Extend | Kind::Capture | Kind::Void)
}

/// The members that a route for movements of `kind` takes.
pub(super) fn of_route(kind: Kind) -> Vec<&'static str> {
    let from = if kind == Kind::Transfer { &["from"][..] } else { &[] };
    [from, own_members(kind).unwrap_or_default(), &COMMON].concat()
}

/// The members that a command of `kind` has in a batch.
pub(super) fn of_batch(kind: Kind) -> Vec<&'static str> {
    let hold = if names_hold(kind) { &["hold", "hold_key"][..] } else { &[] };
    [&["kind", "account", "key"], own_members(kind).unwrap_or_default(), hold, &COMMON].concat()
}

/// The kind of movement with that name.
pub(super) fn kind(name: &str) -> Result<Kind, Problem> {
    let named = Kind::ALL.into_iter().find(|kind| kind.name() == name && own_members(*kind).is_some());
    named.ok_or_else(|| {
        let known: Vec<&str> =
            Kind::ALL.into_iter().filter(|kind| own_members(*kind).is_some()).map(Kind::name).collect();
        Problem::malformed(format!("\"kind\" must be one of {}", known.join(", ")))
    })
}

/// Reads what a movement of `kind` on `account` asks for; `hold` is the one that the path names.
pub(super) fn read(
    kind: Kind,
    members: &mut Members,
    account: &AccountNow,
    hold: Option<Named>,
    key: Key,
    by: Actor,
) -> Result<Command, Problem> {
    let reason = fields::reason(members)?;
    let (reference, metadata) = fields::reference(members)?;
    let hold = match hold {
        None if names_hold(kind) => Some(named(members, "hold", "hold_key")?),
        hold => hold,
    };
    let movement = match (kind, hold) {
        (Kind::Topup, _) => Movement::Topup { amount: amount(members, account)? },
        (Kind::Charge, _) => Movement::Charge { amount: amount(members, account)? },
        (Kind::Hold, _) => Movement::Hold {
            amount: amount(members, account)?,
            expires_in: lifetime(members)?.unwrap_or(Lifetime::HOUR),
        },
        (Kind::Extend, Some(hold)) => {
            let missing = || Problem::malformed("the member \"expires_in\" (seconds from now) is missing");
            Movement::Extend { hold, expires_in: lifetime(members)?.ok_or_else(missing)? }
        }
        (Kind::Capture, Some(hold)) => {
            let text = members.decimal("amount")?;
            let amount = text.map(|text| fields::amount("amount", &text, account.currency)).transpose()?;
            let is_final = members.flag("final")?.unwrap_or(amount.is_none());
            Movement::Capture { hold, amount, is_final }
        }
        (Kind::Void, Some(hold)) => Movement::Void { hold },
        (Kind::Refund, _) => {
            Movement::Refund { amount: amount(members, account)?, charge: named(members, "charge", "charge_key")? }
        }
        (Kind::Transfer, _) => {
            Movement::Transfer { to: other_account(members, account)?, amount: amount(members, account)? }
        }
        (Kind::Adjust, _) => {
            let amount = fields::figure("amount", &members.required_decimal("amount")?, account.currency)?;
            let missing = || Problem::malformed("the member \"reason\" is missing: an adjustment says why it is made");
            let reason = reason.clone().ok_or_else(missing)?;
            Movement::Adjust { amount, reason }
        }
        (Kind::Open | Kind::Limit | Kind::Status | Kind::Expire | Kind::Extend | Kind::Capture | Kind::Void, _) => {
            return Err(Problem::malformed("no movement is of that kind"));
        }
    };
    Ok(Command { account: account.id, movement, key: Some(key), reference, reason, metadata, by })
}

/// A hold as a path names it: its entry number, or `key:` and its idempotency key.
pub(super) fn hold_of_path(part: &str) -> Result<Named, Problem> {
    let bad = || {
        Problem::malformed(
            "a hold is named by its entry number (12), or by key: and its idempotency key (key:campaign-7)",
        )
    };
    match part.strip_prefix("key:") {
        Some(key) => Key::new(key).map(Named::Key).map_err(|_| bad()),
        None => fields::entry_number(part).map(Named::Number).ok_or_else(bad),
    }
}

fn amount(members: &mut Members, account: &AccountNow) -> Result<ledger::Amount, Problem> {
    fields::amount("amount", &members.required_decimal("amount")?, account.currency)
}

fn lifetime(members: &mut Members) -> Result<Option<Lifetime>, Problem> {
    let Some(seconds) = members.whole("expires_in")? else { return Ok(None) };
    let lifetime = u32::try_from(seconds).ok().and_then(Lifetime::new);
    lifetime.map(Some).ok_or_else(|| {
        let detail = format!("\"expires_in\" is a number of seconds from 1 to {} (366 days)", Lifetime::MAX);
        Problem::new(Slug::AmountOutOfRange, detail)
    })
}

/// An earlier entry by its number, or by its key.
fn named(members: &mut Members, number: &str, key: &str) -> Result<Named, Problem> {
    match (members.whole(number)?, members.text(key)?) {
        (Some(number), None) => Ok(Named::Number(number)),
        (None, Some(text)) => {
            Key::new(&text).map(Named::Key).map_err(|error| Problem::malformed(format!("\"{key}\": {error}")))
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(Problem::malformed(format!("send \"{number}\" (an entry number) or \"{key}\" (its idempotency key)")))
        }
    }
}

fn other_account(members: &mut Members, from: &AccountNow) -> Result<AccountId, Problem> {
    let to = fields::account_member(members, "to")?;
    if to == from.id {
        return Err(Problem::malformed("\"from\" and \"to\" are the same account; nothing would move"));
    }
    Ok(to)
}
