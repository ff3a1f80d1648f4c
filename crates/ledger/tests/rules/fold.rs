//! The fold against forgery: whatever byte of whatever field is changed, the entry no longer folds, and none can be left
//! out, doubled or moved. What a forger seals anew is in [`crate::lies`].

use std::collections::BTreeSet;

use ledger::{
    Account, AccountId, Broken, Command, Content, Currency, Entry, Hash, Kind, Lifetime, Metadata, Minor, Movement,
    Named, Status, Target, Time, canonical,
};

use crate::book::Book;
use crate::canonical::full;
use crate::make;

/// Every entry that differs from `entry` in one bit of one field (texts and digests: of one byte), with that field's
/// name; also a field left out, put in, or of another code.
fn altered(entry: &Entry) -> Vec<(&'static str, Entry)> {
    // Names every field, so that a new one does not compile before it is altered here too.
    let Entry {
        account,
        number,
        kind,
        amount,
        posted_after,
        held_after,
        credit_limit,
        status,
        at,
        recorded_at,
        expires_at,
        target,
        currency,
        key,
        content,
        reference,
        reason,
        metadata,
        by,
        hash,
    } = entry;
    let mut all: Vec<(&'static str, Entry)> = Vec::new();
    macro_rules! alter {
        ($field:ident, $values:expr) => {
            all.extend($values.into_iter().map(|value| (stringify!($field), Entry { $field: value, ..entry.clone() })))
        };
    }
    alter!(account, accounts(*account));
    alter!(number, numbers(*number));
    alter!(kind, Kind::ALL.into_iter().filter(|other| other != kind));
    alter!(amount, figures(*amount));
    alter!(posted_after, figures(*posted_after));
    alter!(held_after, figures(*held_after));
    alter!(credit_limit, figures(*credit_limit));
    alter!(status, [Status::Active, Status::Locked, Status::Closed].into_iter().filter(|other| other != status));
    alter!(at, times(*at));
    alter!(recorded_at, times(*recorded_at));
    alter!(expires_at, optional(*expires_at, times, Time::default()));
    alter!(target, optional(*target, targets, Target { account: *account, number: 1 }));
    alter!(currency, optional(*currency, currencies, Currency::VND));
    alter!(key, optional(key.clone(), |key| texts(key.as_str(), ledger::Key::new), make::key("k")));
    alter!(content, optional(*content, contents, Content([0; 16])));
    alter!(
        reference,
        optional(reference.clone(), |it| texts(it.as_str(), ledger::Reference::new), make::reference("r"))
    );
    alter!(reason, optional(reason.clone(), |it| texts(it.as_str(), ledger::Reason::new), make::reason("r")));
    alter!(metadata, metadatas(metadata));
    alter!(by, texts(by.as_str(), ledger::Actor::new));
    alter!(hash, bytes(hash.0).map(Hash));
    all.retain(|(_, other)| other != entry);
    all
}

fn accounts(id: AccountId) -> Vec<AccountId> {
    (0..32).filter_map(|bit| AccountId::new(id.get() ^ (1 << bit))).collect()
}

fn numbers(number: u64) -> Vec<u64> {
    (0..64).map(|bit| number ^ (1 << bit)).collect()
}

fn figures(figure: Minor) -> Vec<Minor> {
    (0..64).filter_map(|bit| Minor::new(figure.units() ^ (1 << bit))).collect()
}

fn times(time: Time) -> Vec<Time> {
    (0..64).map(|bit| Time::from_micros(time.micros() ^ (1 << bit))).collect()
}

fn targets(target: Target) -> Vec<Target> {
    let accounts = accounts(target.account).into_iter().map(|account| Target { account, ..target });
    accounts.chain(numbers(target.number).into_iter().map(|number| Target { number, ..target })).collect()
}

fn currencies(currency: Currency) -> Vec<Currency> {
    let codes = texts(currency.code(), |code| Currency::new(code, currency.scale(), 0));
    let scales = (0..=9).filter_map(|scale| Currency::new(currency.code(), scale, 0).ok());
    codes.into_iter().chain(scales).collect()
}

fn contents(content: Content) -> Vec<Content> {
    bytes(content.0).map(Content).collect()
}

fn metadatas(metadata: &Metadata) -> Vec<Metadata> {
    let pairs: Vec<(String, String)> = metadata.pairs().map(|(name, value)| (name.into(), value.into())).collect();
    let mut all = vec![pairs.iter().cloned().chain([("new".into(), String::new())]).collect::<Vec<_>>()];
    for (index, (name, value)) in pairs.iter().enumerate() {
        let replaced = |pair: Option<(String, String)>| {
            let (before, rest) = pairs.split_at(index);
            before.iter().cloned().chain(pair).chain(rest.iter().skip(1).cloned()).collect::<Vec<_>>()
        };
        all.push(replaced(None));
        all.push(replaced(Some((format!("{name}{value}"), String::new()))));
        all.push(replaced(Some((name.clone(), format!("{value}x")))));
        all.extend(texts(name, |name| Ok::<_, ()>(replaced(Some((name.into(), value.clone()))))));
        all.extend(texts(value, |value| Ok::<_, ()>(replaced(Some((name.clone(), value.into()))))));
    }
    all.into_iter().filter_map(|pairs| Metadata::new(pairs).ok()).collect()
}

/// The texts that differ from `text` in one byte and are still of their type, and the one without its last character.
fn texts<T, E>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
    let shorter = text.char_indices().last().map(|(end, _)| text.split_at(end).0.to_owned());
    let changed = (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, 1_u8 << bit))).filter_map(|(at, mask)| {
        let mut bytes = text.as_bytes().to_vec();
        *bytes.get_mut(at)? ^= mask;
        String::from_utf8(bytes).ok()
    });
    changed.chain(shorter).filter_map(|text| parse(&text).ok()).collect()
}

fn bytes<const N: usize>(digest: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N).flat_map(|at| [1, 0x80].map(|mask| (at, mask))).map(move |(at, mask)| {
        let mut other = digest;
        *other.get_mut(at).expect("an index of the digest") ^= mask;
        other
    })
}

/// The value left out, or put in where there is none, or altered.
fn optional<T: Clone>(value: Option<T>, others: impl Fn(T) -> Vec<T>, new: T) -> Vec<Option<T>> {
    match value {
        Some(value) => others(value).into_iter().map(Some).chain([None]).collect(),
        None => vec![Some(new)],
    }
}

/// A short history of every kind of entry, beginning with its opening.
fn history() -> Vec<Entry> {
    let lifetime = |seconds| Lifetime::new(seconds).expect("a lifetime");
    let hold = || Movement::Hold { amount: make::amount(20), expires_in: lifetime(9) };
    let nth = Named::Number;
    let adjust = Movement::Adjust { amount: make::minor(-3), reason: make::reason("miscounted") };
    let part = Movement::Capture { hold: nth(6), amount: Some(make::amount(5)), is_final: false };
    let movements = [
        make::topup(100),
        make::charge(10),
        adjust,
        Movement::Limit { credit_limit: make::minor(7) },
        hold(),
        Movement::Extend { hold: nth(6), expires_in: lifetime(90) },
        part,
        Movement::Refund { amount: make::amount(4), charge: nth(8) },
        Movement::Capture { hold: nth(6), amount: Some(make::amount(5)), is_final: true },
        hold(),
        Movement::Void { hold: nth(11) },
        hold(),
        Movement::Transfer { to: make::account_id(2), amount: make::amount(6) },
        Movement::Status { status: Status::Locked },
        make::topup(9),
    ];
    let full = |movement: Movement, n: u8| Command {
        key: n.is_multiple_of(2).then(|| make::key(&format!("k{n}"))),
        reference: n.is_multiple_of(3).then(|| make::reference("SMS 12")),
        reason: (n % 3 == 1).then(|| make::reason("agreed")),
        metadata: make::metadata(if n.is_multiple_of(4) { &[("campaign", "tết"), ("n", "1")] } else { &[] }),
        ..make::command(movement)
    };
    let mut book = Book::default();
    let other = Command { account: make::account_id(2), ..make::command(make::open(0)) };
    book.perform(&other, make::time(1)).expect("no refusal");
    let opening = Command { key: Some(make::key("o")), ..make::command(make::open(5)) };
    book.perform(&opening, make::time(1)).expect("no refusal");
    for (movement, n) in movements.into_iter().zip(1_u8..) {
        book.perform(&full(movement, n), make::time(1_000 + i64::from(n))).expect("no refusal");
    }
    assert_eq!(book.expire(make::account_id(1), make::time(60_000_000)), 1);
    let entries = book.entries.remove(&make::account_id(1)).expect("an account");
    let kinds: BTreeSet<u8> = entries.iter().map(|entry| entry.kind.code()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "one of each kind");
    entries
}

fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Account, Broken> {
    let mut entries = entries.into_iter();
    let mut account = Account::opened_by(entries.next().expect("an opening"))?;
    entries.try_for_each(|entry| account.apply(entry))?;
    Ok(account)
}

#[test]
fn no_changed_field_folds() {
    let entries = history();
    let [opening, rest @ ..] = entries.as_slice() else { panic!("a history has an opening") };
    let fields: BTreeSet<&str> = altered(opening).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields.len(), 20, "each field is altered: {fields:?}");
    for (field, other) in altered(opening) {
        assert!(Account::opened_by(&other).is_err(), "{field} of {other:?}");
    }
    let mut account = Account::opened_by(opening).expect("the opening");
    for entry in rest {
        for (field, other) in altered(entry) {
            let mut after = account.clone();
            assert!(after.apply(&other).is_err(), "{field} of {other:?}");
            assert_eq!(after, account, "what does not fold changes nothing");
        }
        account.apply(entry).expect("the entry itself");
    }
}

/// No kind carries every field, so the links are compared and nothing is folded.
#[test]
fn no_changed_field_keeps_the_link_where_every_field_is_filled() {
    let previous = Hash([7; 32]);
    let entry = make::sealed(previous, full());
    for (field, other) in altered(&entry) {
        let is_link = canonical::link(previous, &other) == other.hash;
        assert!(!is_link, "{field} of {other:?}");
    }
}

#[test]
fn no_entry_can_be_left_out_doubled_or_moved() {
    let entries = history();
    fold(&entries).expect("the whole history");
    for at in 0..entries.len() - 1 {
        let (before, after) = entries.split_at(at);
        assert!(fold(before.iter().chain(after.iter().skip(1))).is_err(), "without entry {}", at + 1);
        assert!(fold(before.iter().chain(after.first()).chain(after)).is_err(), "entry {} twice", at + 1);
        let mut swapped = entries.clone();
        swapped.swap(at, at + 1);
        assert!(fold(&swapped).is_err(), "entry {} late", at + 1);
    }
}
