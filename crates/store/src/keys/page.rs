//! A page of a run: entries of 24 bytes, a fingerprint (big-endian) and its row, in ascending order.

use rusqlite::{Connection, OptionalExtension};

use crate::rows::damage;

const ENTRY_LEN: usize = 24;

/// A page under its place: the run above, the page's number below.
pub(super) fn id(run: u32, page: u32) -> i64 {
    i64::from(run) << 32 | i64::from(page)
}

pub(super) fn push(page: &mut Vec<u8>, fingerprint: u128, row: i64) {
    page.extend_from_slice(&fingerprint.to_be_bytes());
    page.extend_from_slice(&row.to_be_bytes());
}

pub(super) fn len(page: &[u8]) -> usize {
    page.len() / ENTRY_LEN
}

/// Entry `at` of a page that has so many.
pub(super) fn entry(page: &[u8], at: usize) -> (u128, i64) {
    let bytes = &page[at * ENTRY_LEN..];
    let (fingerprint, rest) = bytes.split_first_chunk().expect("an entry is 24 bytes");
    let row = rest.first_chunk().expect("an entry is 24 bytes");
    (u128::from_be_bytes(*fingerprint), i64::from_be_bytes(*row))
}

/// The row of a fingerprint, if the page has it.
pub(super) fn find(page: &[u8], fingerprint: u128) -> Option<i64> {
    let (mut low, mut high) = (0, len(page));
    while low < high {
        let middle = low + (high - low) / 2;
        let (found, row) = entry(page, middle);
        match found.cmp(&fingerprint) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Equal => return Some(row),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// Looks at a page. One that is missing is damage, never an absence: a key taken for unused would move money twice.
pub(super) fn read<T>(db: &Connection, run: u32, page: u32, look: impl FnOnce(&[u8]) -> T) -> rusqlite::Result<T> {
    let wrong = |how: &str| damage(format!("page {page} of run {run} of the key index {how}"));
    let looked = db
        .prepare_cached("SELECT data FROM key_pages WHERE id = ?1")?
        .query_row([id(run, page)], |row| {
            let data = row.get_ref(0)?.as_blob()?;
            let is_page = !data.is_empty() && data.len().is_multiple_of(ENTRY_LEN);
            if is_page { Ok(look(data)) } else { Err(wrong("is none")) }
        })
        .optional()?;
    looked.ok_or_else(|| wrong("is gone"))
}

pub(super) fn write(db: &Connection, run: u32, page: u32, data: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO key_pages (id, data) VALUES (?1, ?2)")?.execute((id(run, page), data)).map(drop)
}

/// Removes the pages of a run below `until`.
pub(super) fn remove(db: &Connection, run: u32, until: u32) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM key_pages WHERE id >= ?1 AND id < ?2")?
        .execute((id(run, 0), id(run, until)))
        .map(drop)
}

/// The first page of the first run above `run` that has any.
pub(super) fn first_after(db: &Connection, run: u32) -> rusqlite::Result<Option<(u32, u32)>> {
    let first: Option<i64> =
        db.query_row("SELECT min(id) FROM key_pages WHERE id >= ?1", [id(run + 1, 0)], |row| row.get(0))?;
    Ok(first.map(place))
}

/// One more than the number of a run's last page.
pub(super) fn count(db: &Connection, run: u32) -> rusqlite::Result<u32> {
    let last: Option<i64> =
        db.query_row("SELECT max(id) FROM key_pages WHERE id < ?1", [id(run + 1, 0)], |row| row.get(0))?;
    Ok(last.map_or(0, |last| place(last).1 + 1))
}

fn place(id: i64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}
