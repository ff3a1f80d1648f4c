//! What moves credit: one movement on one account under one idempotency key.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wire::Decimal;

use super::encode;

/// One movement. Amounts are in the account's currency and more than zero, unless it says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Movement {
    /// Money in.
    Topup {
        /// How much.
        amount: Decimal,
    },
    /// Money spent, as far as there is credit.
    Charge {
        /// How much.
        amount: Decimal,
    },
    /// Money promised until the hold ends.
    Hold {
        /// How much.
        amount: Decimal,
        /// For how many seconds, 1 to 31,622,400; an hour where nothing is said.
        expires_in: Option<u32>,
    },
    /// Part or whole of a hold spent.
    Capture {
        /// The hold.
        hold: Named,
        /// How much; all that is left where nothing is said.
        amount: Option<Decimal>,
        /// Whether the rest is released; so it is only where no amount is said, unless this says otherwise.
        is_final: Option<bool>,
    },
    /// What is left of a hold released.
    Void {
        /// The hold.
        hold: Named,
    },
    /// A hold's end moved to later.
    Extend {
        /// The hold.
        hold: Named,
        /// Seconds from now.
        expires_in: u32,
    },
    /// A charge or capture given back, or part of it.
    Refund {
        /// The charge or capture.
        charge: Named,
        /// How much.
        amount: Decimal,
    },
    /// Money to another account of the same currency.
    Transfer {
        /// The account that gets it.
        to: u32,
        /// How much.
        amount: Decimal,
    },
    /// A correction by an administrator; it needs a reason.
    Adjust {
        /// How much, with its sign.
        amount: Decimal,
    },
}

/// An earlier entry of the same account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// By its number.
    Number(u64),
    /// By the idempotency key that made it.
    Key(String),
}

/// A movement on an account, under its own idempotency key.
///
/// Keep it until its outcome is known: submitting the same command again is always safe, and a new command for the same
/// purpose never is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The account's number; a transfer's is the one that pays.
    pub account: u32,
    /// What is to happen.
    pub movement: Movement,
    /// The idempotency key, 1 to 128 visible ASCII characters. One that your own system has for this purpose (a message's
    /// id, an invoice's number) outlives a crash of your program as well.
    pub key: String,
    /// What it belongs to in your own system; shown in statements.
    pub reference: Option<String>,
    /// Why, for people; an adjustment needs it.
    pub reason: Option<String>,
    /// Whatever else should stand in the entry, at most 1 KiB.
    pub metadata: BTreeMap<String, String>,
}

impl Command {
    /// `movement` on `account`, under a new key.
    ///
    /// # Panics
    /// Where the operating system has no randomness to give: without a key of its own nothing may move.
    pub fn new(account: u32, movement: Movement) -> Command {
        let (reference, reason, metadata) = (None, None, BTreeMap::new());
        Command { account, movement, key: new_key(), reference, reason, metadata }
    }

    /// The same under a key of your own.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Command {
        Command { key: key.into(), ..self }
    }

    /// The same with a reference.
    #[must_use]
    pub fn reference(self, reference: impl Into<String>) -> Command {
        Command { reference: Some(reference.into()), ..self }
    }

    /// The same with a reason.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Command {
        Command { reason: Some(reason.into()), ..self }
    }

    /// Path and body of the movement's own route.
    pub(super) fn route(&self) -> (String, Value) {
        let account = format!("v1/accounts/{}", self.account);
        let mut body = self.members();
        let path = match &self.movement {
            Movement::Topup { .. } => format!("{account}/topups"),
            Movement::Charge { .. } => format!("{account}/charges"),
            Movement::Hold { .. } => format!("{account}/holds"),
            Movement::Capture { hold, .. } => format!("{account}/holds/{}/captures", hold.segment()),
            Movement::Void { hold } => format!("{account}/holds/{}/void", hold.segment()),
            Movement::Extend { hold, .. } => format!("{account}/holds/{}/extend", hold.segment()),
            Movement::Refund { .. } => format!("{account}/refunds"),
            Movement::Adjust { .. } => format!("{account}/adjustments"),
            Movement::Transfer { .. } => {
                body.insert("from".into(), self.account.into());
                "v1/transfers".into()
            }
        };
        (path, body.into())
    }

    /// It as one command of a batch.
    pub(super) fn item(&self) -> Value {
        let mut members = self.members();
        if let Movement::Capture { hold, .. } | Movement::Void { hold } | Movement::Extend { hold, .. } = &self.movement
        {
            hold.insert("hold", &mut members);
        }
        members.insert("kind".into(), self.kind().into());
        members.insert("account".into(), self.account.into());
        members.insert("key".into(), self.key.as_str().into());
        members.into()
    }

    fn kind(&self) -> &'static str {
        match self.movement {
            Movement::Topup { .. } => "topup",
            Movement::Charge { .. } => "charge",
            Movement::Hold { .. } => "hold",
            Movement::Capture { .. } => "capture",
            Movement::Void { .. } => "void",
            Movement::Extend { .. } => "extend",
            Movement::Refund { .. } => "refund",
            Movement::Transfer { .. } => "transfer",
            Movement::Adjust { .. } => "adjust",
        }
    }

    /// What a route and a batch take alike.
    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        set("reference", self.reference.as_deref().map(Value::from));
        set("reason", self.reason.as_deref().map(Value::from));
        set("metadata", (!self.metadata.is_empty()).then(|| json!(self.metadata)));
        match &self.movement {
            Movement::Topup { amount } | Movement::Charge { amount } | Movement::Adjust { amount } => {
                set("amount", Some(json!(amount)));
            }
            Movement::Hold { amount, expires_in } => {
                set("amount", Some(json!(amount)));
                set("expires_in", expires_in.map(Value::from));
            }
            Movement::Capture { amount, is_final, .. } => {
                set("amount", amount.map(|amount| json!(amount)));
                set("final", is_final.map(Value::from));
            }
            Movement::Void { .. } => {}
            Movement::Extend { expires_in, .. } => set("expires_in", Some(json!(expires_in))),
            Movement::Refund { charge, amount } => {
                set("amount", Some(json!(amount)));
                charge.insert("charge", &mut members);
            }
            Movement::Transfer { to, amount } => {
                set("to", Some(json!(to)));
                set("amount", Some(json!(amount)));
            }
        }
        members
    }
}

impl Named {
    /// As a path names a hold.
    fn segment(&self) -> String {
        match self {
            Named::Number(number) => number.to_string(),
            Named::Key(key) => format!("key:{}", encode(key)),
        }
    }

    /// As members name an entry: `name` for a number, `name`_key for a key.
    fn insert(&self, name: &str, members: &mut Map<String, Value>) {
        match self {
            Named::Number(number) => members.insert(name.to_owned(), json!(number)),
            Named::Key(key) => members.insert(format!("{name}_key"), json!(key)),
        };
    }
}

/// A new idempotency key: 128 random bits.
pub(super) fn new_key() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("an operating system has randomness to give");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
