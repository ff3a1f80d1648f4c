//! The bytes that are hashed, version 1: the one form of an entry that all storage engines share.
//!
//! A form is a version byte, then each field as its length (u16, little-endian) and its bytes; an absent field has the
//! length 65535 and no bytes. Integers are big-endian: account u32, number u64, figures and instants i64 (minor units,
//! microseconds), codes u8. Texts are UTF-8. Metadata is one field: its pairs in the order of their names, each text with
//! a length of its own. No row id and no engine's text form has a place here.

use crate::{Command, Entry, Lifetime, Metadata, Minor, Movement, Named, Time};

const VERSION: u8 = 1;
const ABSENT: u16 = u16::MAX;

/// A link of an account's chain: BLAKE3 over the previous link (32 zero bytes before the first) and an entry's canonical
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Hash(pub [u8; 32]);

/// The digest of what a command asks for: the first 16 bytes of BLAKE3 over its canonical content.
///
/// Two commands under one key are the same if and only if their contents are equal: kind, accounts, minor units,
/// lifetime, the hold or charge that is named, whether a capture is final, reference, reason and metadata count;
/// spelling, operator and path do not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Content(pub [u8; 16]);

/// The link that follows `previous` when `entry` is appended; the entry's own `hash` is not looked at.
pub fn link(previous: Hash, entry: &Entry) -> Hash {
    let mut form = Form::new();
    form.bytes.extend_from_slice(&previous.0);
    write_entry(&mut form, entry);
    Hash(*blake3::hash(&form.bytes).as_bytes())
}

/// The canonical bytes of an entry, without the link before it and without its own.
pub fn entry_bytes(entry: &Entry) -> Vec<u8> {
    let mut form = Form::new();
    write_entry(&mut form, entry);
    form.bytes
}

/// The digest of what `command` asks for. An entry that the command names by key counts by its `number`, where there is
/// such an entry, so that it does not matter how it was named.
pub fn content(command: &Command, number: Option<u64>) -> Content {
    let mut form = Form::new();
    form.bytes.push(VERSION);
    form.field(&[command.movement.kind().code()]);
    form.field(&command.account.get().to_be_bytes());
    match &command.movement {
        Movement::Open { currency, credit_limit } => {
            form.field(currency.code().as_bytes());
            form.minor(*credit_limit);
        }
        Movement::Limit { credit_limit } => form.minor(*credit_limit),
        Movement::Status { status } => form.field(&[status.code()]),
        Movement::Topup { amount } | Movement::Charge { amount } => form.minor(amount.minor()),
        Movement::Hold { amount, expires_in } => {
            form.minor(amount.minor());
            form.lifetime(*expires_in);
        }
        Movement::Extend { hold, expires_in } => {
            form.named(hold, number);
            form.lifetime(*expires_in);
        }
        Movement::Capture { hold, amount, is_final } => {
            form.named(hold, number);
            match amount {
                Some(amount) => form.minor(amount.minor()),
                None => form.optional(None),
            }
            // What takes all that is left is final, whatever it says.
            form.field(&[u8::from(*is_final || amount.is_none())]);
        }
        Movement::Void { hold } => form.named(hold, number),
        Movement::Refund { amount, charge } => {
            form.minor(amount.minor());
            form.named(charge, number);
        }
        Movement::Transfer { to, amount } => {
            form.field(&to.get().to_be_bytes());
            form.minor(amount.minor());
        }
        Movement::Adjust { amount, .. } => form.minor(*amount),
    }
    form.optional(command.reference.as_ref().map(|reference| reference.as_str().as_bytes()));
    form.optional(command.reason().map(|reason| reason.as_str().as_bytes()));
    form.metadata(&command.metadata);
    let mut digest = [0; 16];
    digest.iter_mut().zip(blake3::hash(&form.bytes).as_bytes()).for_each(|(to, from)| *to = *from);
    Content(digest)
}

fn write_entry(form: &mut Form, entry: &Entry) {
    form.bytes.push(VERSION);
    form.field(&entry.account.get().to_be_bytes());
    form.field(&entry.number.to_be_bytes());
    form.field(&[entry.kind.code()]);
    form.minor(entry.amount);
    form.minor(entry.posted_after);
    form.minor(entry.held_after);
    form.minor(entry.credit_limit);
    form.field(&[entry.status.code()]);
    form.time(entry.at);
    form.time(entry.recorded_at);
    match entry.expires_at {
        Some(expires_at) => form.time(expires_at),
        None => form.optional(None),
    }
    match entry.target {
        Some(target) => {
            form.field(&target.account.get().to_be_bytes());
            form.field(&target.number.to_be_bytes());
        }
        None => {
            form.optional(None);
            form.optional(None);
        }
    }
    match entry.currency {
        Some(currency) => {
            form.field(currency.code().as_bytes());
            form.field(&[currency.scale()]);
        }
        None => {
            form.optional(None);
            form.optional(None);
        }
    }
    form.optional(entry.key.as_ref().map(|key| key.as_str().as_bytes()));
    form.optional(entry.content.as_ref().map(|content| content.0.as_slice()));
    form.optional(entry.reference.as_ref().map(|reference| reference.as_str().as_bytes()));
    form.optional(entry.reason.as_ref().map(|reason| reason.as_str().as_bytes()));
    form.metadata(&entry.metadata);
    form.field(entry.by.as_str().as_bytes());
}

/// A canonical form while it is written.
struct Form {
    bytes: Vec<u8>,
}

impl Form {
    fn new() -> Form {
        Form { bytes: Vec::with_capacity(320) }
    }

    fn field(&mut self, bytes: &[u8]) {
        let len = u16::try_from(bytes.len()).expect("every field's type bounds it far below 65535 bytes");
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.bytes.extend_from_slice(&ABSENT.to_le_bytes()),
        }
    }

    fn minor(&mut self, figure: Minor) {
        self.field(&figure.units().to_be_bytes());
    }

    fn time(&mut self, time: Time) {
        self.field(&time.micros().to_be_bytes());
    }

    fn lifetime(&mut self, lifetime: Lifetime) {
        self.field(&lifetime.seconds().to_be_bytes());
    }

    /// A number and a key, one of which is absent.
    fn named(&mut self, named: &Named, number: Option<u64>) {
        match (named, number) {
            (Named::Key(key), None) => {
                self.optional(None);
                self.field(key.as_str().as_bytes());
            }
            (Named::Key(_), Some(number)) | (&Named::Number(number), _) => {
                self.field(&number.to_be_bytes());
                self.optional(None);
            }
        }
    }

    fn metadata(&mut self, metadata: &Metadata) {
        if metadata.is_empty() {
            return self.optional(None);
        }
        let mut pairs = Form::new();
        for (name, value) in metadata.pairs() {
            pairs.field(name.as_bytes());
            pairs.field(value.as_bytes());
        }
        self.field(&pairs.bytes);
    }
}
