//! All credentials, in memory: read by every thread without a lock, changed by the writer alone but for their last
//! uses, which whoever sees one notes.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, Guard};
use foldhash::quality::RandomState;
use ipnet::IpNet;
use ledger::Time;
use rusqlite::Connection;
use subtle::ConstantTimeEq;

use crate::digest;
use crate::index::Index;
use crate::memory::{to_index, to_slot};
use crate::shared::Shared;

/// Every credential, found by its key; the secret is known only as a digest.
pub(crate) struct Credentials {
    slots: boxcar::Vec<CredentialSlot>,
    by_key: Index,
    hasher: RandomState,
    /// Apart from the slots, since most credentials have none.
    limits: boxcar::Vec<ArcSwap<Limits>>,
    /// A bit for each slot whose last use is not written yet, 64 to a word.
    unwritten: boxcar::Vec<AtomicU64>,
    /// The word to look at first when some of those are written next.
    next_unwritten: AtomicUsize,
}

/// Aligned so that it lies in one line of the cache together with the mark of its vector, instead of mostly in two.
#[repr(align(16))]
pub(crate) struct CredentialSlot {
    /// In words, which are compared at once.
    digest: [u64; 4],
    key_hash: u32,
    /// The slot of its account.
    pub(crate) account: u32,
    /// Minutes since 1970 of the last use; 0 where there was none.
    used: AtomicU32,
    /// Where its limits lie, plus one; 0 while it never had any.
    limits: AtomicU32,
}

/// For so many credentials the cells of the index are fetched before they are filled.
const INDEXED_AT_ONCE: usize = 64;

/// What narrows a credential.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) revoked: bool,
}

impl Limits {
    /// IPv4 in IPv6 clothes is compared as IPv4: a dual-stack listener sees every IPv4 caller that way.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.cidrs.is_empty() || self.cidrs.iter().any(|net| net.contains(&address))
    }
}

impl Credentials {
    pub(crate) fn with_room(len: usize) -> Credentials {
        let (by_key, hasher) = (Index::with_room(len), RandomState::default());
        Credentials {
            slots: boxcar::Vec::new(),
            by_key,
            hasher,
            limits: boxcar::Vec::new(),
            unwritten: boxcar::Vec::new(),
            next_unwritten: AtomicUsize::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.count()
    }

    pub(crate) fn get(&self, slot: u32) -> &CredentialSlot {
        self.slots.get(to_index(slot)).expect("slot numbers come from this vector")
    }

    /// Adds a credential that is not there yet; its slot is the number of credentials before it.
    pub(crate) fn add(&self, api_key: &str, digest: [u8; 32], account: u32, limits: Limits, used: Option<Time>) -> u32 {
        let slot = self.push(api_key, digest, account, limits, used);
        self.index_pushed();
        slot
    }

    /// The same, but it is not found before [`Credentials::index_pushed`].
    pub(crate) fn push(
        &self,
        api_key: &str,
        digest: [u8; 32],
        account: u32,
        limits: Limits,
        used: Option<Time>,
    ) -> u32 {
        let key_hash = self.key_hash(api_key);
        let used = AtomicU32::new(used.map_or(0, minute));
        let limits = AtomicU32::new(self.kept(limits));
        let digest = words(&digest);
        if self.len().is_multiple_of(64) {
            self.unwritten.push(AtomicU64::new(0));
        }
        to_slot(self.slots.push(CredentialSlot { digest, key_hash, account, used, limits }))
    }

    /// Has the index find all that were pushed. Their cells are far apart: asked for beforehand, many of them come at once,
    /// while one that decides where the next step leads is waited for.
    pub(crate) fn index_pushed(&self) {
        let pushed = to_slot(self.by_key.len())..to_slot(self.len());
        for first in pushed.clone().step_by(INDEXED_AT_ONCE) {
            let some = first..pushed.end.min(first + to_slot(INDEXED_AT_ONCE));
            some.clone().for_each(|slot| self.by_key.approach(self.get(slot).key_hash));
            for slot in some {
                self.by_key.add(self.get(slot).key_hash, slot, |slot| self.get(slot).key_hash);
            }
        }
    }

    /// What narrows a credential, if anything does.
    pub(crate) fn limits(&self, slot: u32) -> Option<Guard<Arc<Limits>>> {
        let place = self.get(slot).limits.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.limits.get(to_index(place)).expect("places come from this vector").load())
    }

    /// Replaces what narrows a credential. Only the writer calls this, after the commit.
    pub(crate) fn set_limits(&self, slot: u32, limits: Limits) {
        let place = &self.get(slot).limits;
        match place.load(Ordering::Relaxed).checked_sub(1).and_then(|place| self.limits.get(to_index(place))) {
            Some(known) => known.store(Arc::new(limits)),
            // Release pairs with the acquire of `limits`: whoever sees the place sees what lies there.
            None => place.store(self.kept(limits), Ordering::Release),
        }
    }

    /// Notes a use. It is to be written where it is the first in its minute; one of an earlier minute, by a thread that was kept
    /// waiting, changes nothing.
    pub(crate) fn note_use(&self, slot: u32, now: Time) {
        let used = &self.get(slot).used;
        let this_minute = minute(now);
        if used.load(Ordering::Relaxed) < this_minute {
            used.fetch_max(this_minute, Ordering::Relaxed);
            self.mark_unwritten(slot);
        }
    }

    /// Compares with the last use on disk: a commit that failed may have taken a later one with it.
    pub(crate) fn compare_use(&self, slot: u32, on_disk: Option<Time>) {
        if self.get(slot).last_used() > on_disk {
            self.mark_unwritten(slot);
        }
    }

    fn mark_unwritten(&self, slot: u32) {
        let (word, bit) = (to_index(slot) / 64, 1 << (slot % 64));
        // Release pairs with the acquire of `take_uses`: whoever sees the bit sees this use or a later one.
        self.unwritten.get(word).expect("every slot has its bit").fetch_or(bit, Ordering::Release);
    }

    /// Some of the slots whose last use is not written, with that use, which counts as written from here on. Those of one
    /// call lie side by side, as their rows do, and the next call goes on behind them: each page is written once a round.
    pub(crate) fn take_uses(&self, len_max: usize) -> Vec<(u32, Time)> {
        let mut taken = Vec::new();
        let words = self.unwritten.count();
        let first = self.next_unwritten.load(Ordering::Relaxed);
        for word in (first..words).chain(0..first.min(words)) {
            let bits = &self.unwritten[word];
            let mut left = bits.load(Ordering::Relaxed);
            while left != 0 {
                if taken.len() == len_max {
                    self.next_unwritten.store(word, Ordering::Relaxed);
                    return taken;
                }
                let slot = to_slot(word * 64) + left.trailing_zeros();
                bits.fetch_and(!(left & left.wrapping_neg()), Ordering::Acquire);
                taken.extend(self.get(slot).last_used().map(|used| (slot, used)));
                left &= left - 1;
            }
        }
        taken
    }

    /// Where limits are kept, plus one; 0 where there is nothing to narrow.
    fn kept(&self, limits: Limits) -> u32 {
        if limits == Limits::default() { 0 } else { to_slot(self.limits.push(ArcSwap::from_pointee(limits))) + 1 }
    }

    /// The slot of the credential with this key and this secret. `approach` is told which account will be asked for if they
    /// are right, before that a guess.
    ///
    /// An unknown key and a wrong secret do the same work: a search, a credential and its account fetched, one digest, one
    /// comparison in constant time, and another search.
    pub(crate) fn authenticate(&self, api_key: &str, secret_key: &str, approach: impl Fn(u32)) -> Option<u32> {
        let hash = self.key_hash(api_key);
        // Most accounts have one credential, made when they were: the account mostly has its credential's number, and comes to
        // the processor beside it instead of after it.
        let near = |slot: u32| {
            approach(slot);
            self.get(slot)
        };
        let is_named = |slot: u32| near(slot).key_hash == hash;
        let named = self.by_key.find(hash, is_named);
        let looked_at = near(named.or_else(|| self.any(hash))?);
        // Before the digest: while the processor works on that, what lies far apart in memory comes to it.
        approach(looked_at.account);
        let given = words(&digest::of(api_key, secret_key));
        let is_right = |credential: &CredentialSlot| bool::from(credential.digest.ct_eq(&given));
        if is_right(looked_at) && named.is_some() {
            return named;
        }
        // Among a million keys a hundred share their hash with another one.
        self.by_key.find(hash, |slot| Some(slot) != named && is_named(slot) && is_right(self.get(slot)))
    }

    /// Some credential, always the same one under a hash; `None` where there are none.
    fn any(&self, hash: u32) -> Option<u32> {
        hash.checked_rem(to_slot(self.by_key.len()))
    }

    fn key_hash(&self, api_key: &str) -> u32 {
        let [a, b, c, d, ..] = self.hasher.hash_one(api_key).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl CredentialSlot {
    /// When it was last used, to the minute.
    pub(crate) fn last_used(&self) -> Option<Time> {
        let minutes = i64::from(self.used.load(Ordering::Relaxed));
        (minutes != 0).then(|| Time::from_micros(minutes * MINUTE_US))
    }
}

/// Writes last uses that are not written yet, at most so many; says whether there were that many.
pub(crate) fn write_uses(db: &Connection, shared: &Shared, len_max: usize) -> rusqlite::Result<bool> {
    let uses = shared.credentials.take_uses(len_max);
    let mut update = db.prepare_cached("UPDATE credentials SET last_used_at = ?2 WHERE id = ?1")?;
    for &(slot, used) in &uses {
        update.execute((i64::from(slot) + 1, used.micros()))?;
    }
    Ok(uses.len() == len_max)
}

/// Eight bytes are compared at once.
fn words(digest: &[u8; 32]) -> [u64; 4] {
    let (words, _) = digest.as_chunks();
    std::array::from_fn(|word| u64::from_le_bytes(words[word]))
}

const MINUTE_US: i64 = 60_000_000;

fn minute(time: Time) -> u32 {
    u32::try_from(time.micros() / MINUTE_US).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Time {
        Time::from_micros(minute * MINUTE_US + 5)
    }

    fn minutes(uses: &[(u32, Time)]) -> Vec<(u32, i64)> {
        uses.iter().map(|&(slot, used)| (slot, used.micros() / MINUTE_US)).collect()
    }

    #[test]
    fn a_use_is_taken_once_in_its_minute() {
        let credentials = Credentials::with_room(1);
        let slot = credentials.add("KEY", digest::of("KEY", "SECRET"), 0, Limits::default(), None);
        assert_eq!(credentials.take_uses(10), []);
        for minute in [10, 10, 11] {
            credentials.note_use(slot, at(minute));
        }
        assert_eq!(credentials.take_uses(10), [(slot, Time::from_micros(11 * MINUTE_US))]);
        assert_eq!(credentials.take_uses(10), []);
        credentials.note_use(slot, at(11));
        assert_eq!(credentials.take_uses(10), [], "this minute is written");
        credentials.note_use(slot, at(12));
        assert_eq!(minutes(&credentials.take_uses(10)), [(slot, 12)]);
        credentials.note_use(slot, at(11));
        assert_eq!(credentials.take_uses(10), [], "a later use is written");
    }

    #[test]
    fn a_use_that_is_noted_while_others_are_taken_is_not_lost() {
        const MINUTES: u32 = 50_000;
        let credentials = Credentials::with_room(1);
        let slot = credentials.add("KEY", digest::of("KEY", "SECRET"), 0, Limits::default(), None);
        let (due, noted) = (AtomicU32::new(0), AtomicU32::new(0));
        let lost = std::thread::scope(|scope| {
            scope.spawn(|| {
                for minute in 1..=MINUTES {
                    while due.load(Ordering::Acquire) < minute {
                        std::thread::yield_now();
                    }
                    credentials.note_use(slot, at(i64::from(minute)));
                    noted.store(minute, Ordering::Release);
                }
            });
            let is_lost = |minute: &u32| {
                due.store(*minute, Ordering::Release);
                let mut taken = Vec::new();
                while noted.load(Ordering::Acquire) < *minute {
                    taken.extend(credentials.take_uses(1));
                    std::thread::yield_now();
                }
                taken.extend(credentials.take_uses(1));
                taken.last() != Some(&(slot, Time::from_micros(i64::from(*minute) * MINUTE_US)))
            };
            (1..=MINUTES).filter(is_lost).count()
        });
        assert_eq!(lost, 0);
    }

    #[test]
    fn a_use_that_was_taken_and_is_not_on_disk_is_taken_again() {
        let credentials = Credentials::with_room(2);
        for key in ["KEY", "OTHER"] {
            credentials.add(key, digest::of(key, "SECRET"), 0, Limits::default(), None);
        }
        credentials.note_use(0, at(10));
        credentials.note_use(1, at(10));
        let taken = credentials.take_uses(10);
        credentials.compare_use(0, Some(taken[0].1));
        assert_eq!(credentials.take_uses(10), []);
        credentials.compare_use(1, Some(Time::from_micros(9 * MINUTE_US)));
        credentials.compare_use(0, None);
        assert_eq!(credentials.take_uses(10), taken);
    }

    #[test]
    fn uses_are_taken_in_rounds() {
        let credentials = Credentials::with_room(200);
        for n in 0..200 {
            credentials.add(&n.to_string(), [0; 32], 0, Limits::default(), None);
        }
        for slot in [199, 7, 64, 3, 65, 130] {
            credentials.note_use(slot, at(1));
        }
        assert_eq!(minutes(&credentials.take_uses(3)), [(3, 1), (7, 1), (64, 1)]);
        // Used again meanwhile: its turn comes after those that have waited longer.
        credentials.note_use(3, at(2));
        assert_eq!(minutes(&credentials.take_uses(2)), [(65, 1), (130, 1)]);
        assert_eq!(minutes(&credentials.take_uses(9)), [(199, 1), (3, 2)]);
        assert_eq!(credentials.take_uses(9), []);
    }

    #[test]
    fn only_key_and_secret_together_authenticate() {
        let credentials = Credentials::with_room(0);
        let slot = credentials.add("KEY", digest::of("KEY", "SECRET"), 3, Limits::default(), None);
        assert_eq!(credentials.authenticate("KEY", "SECRET", |_| {}), Some(slot));
        for (key, secret) in [("KEY", "secret"), ("key", "SECRET"), ("", ""), ("KEYS", "ECRET"), ("SECRET", "KEY")] {
            assert_eq!(credentials.authenticate(key, secret, |_| {}), None, "{key} {secret}");
        }
    }

    #[test]
    fn two_keys_under_one_hash_are_told_apart() {
        let credentials = Credentials::with_room(2);
        let mut seen = std::collections::HashMap::new();
        let pair = (0..).find_map(|n: u32| {
            let key = format!("KEY{n}");
            seen.insert(credentials.key_hash(&key), key.clone()).map(|earlier| [earlier, key])
        });
        let [first, second] = pair.expect("32 bits come again after some ten thousand keys");
        let add =
            |key: &str, account| credentials.add(key, digest::of(key, "SECRET"), account, Limits::default(), None);
        let slots = [add(&first, 0), add(&second, 1)];
        assert_eq!(credentials.authenticate(&first, "SECRET", |_| {}), Some(slots[0]));
        assert_eq!(credentials.authenticate(&second, "SECRET", |_| {}), Some(slots[1]));
        assert_eq!(credentials.authenticate(&second, "SECRETS", |_| {}), None);
    }
}
