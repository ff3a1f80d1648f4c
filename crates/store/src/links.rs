//! A verification's links in a file: every account's last entry and hash, and the root over all. Later, `verify` proves that
//! every chain still passes through them; whoever rewrote history and all hashes with it cannot rewrite the file.
//!
//! Text, so that it can be read, signed and printed: a line `sodu links 1`, a line `root HEX`, then for each account, in
//! the order of their numbers, `ACCOUNT NUMBER HEX`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use ledger::{AccountId, Hash};

const FIRST_LINE: &str = "sodu links 1";

/// By account, the number and the hash of its last entry.
pub(crate) type Links = BTreeMap<AccountId, (u64, Hash)>;

/// The root over all links.
pub(crate) fn root(links: &Links) -> Hash {
    let mut root = blake3::Hasher::new();
    for (id, (number, hash)) in links {
        root.update(&id.get().to_be_bytes()).update(&number.to_be_bytes()).update(&hash.0);
    }
    Hash(*root.finalize().as_bytes())
}

/// Writes them to a new file. Errors are sentences.
pub(crate) fn save(links: &Links, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", to.display());
    let mut out = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(to).map_err(failed)?);
    let mut write = || {
        writeln!(out, "{FIRST_LINE}\nroot {}", hex(root(links)))?;
        links.iter().try_for_each(|(id, (number, hash))| writeln!(out, "{id} {number} {}", hex(*hash)))?;
        out.flush()?;
        out.get_ref().sync_all()
    };
    write().map_err(failed)
}

/// Reads what [`save`] wrote; a file that was changed does not read. Errors are sentences.
pub(crate) fn read(from: &Path) -> Result<Links, String> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", from.display());
    let file = std::fs::File::open(from).map_err(|error| failed(&error))?;
    let mut lines = BufReader::new(file).lines();
    let mut next = || lines.next().transpose().map_err(|error| failed(&error));
    let head = (next()?, next()?);
    let (Some(first), Some(second)) = &head else { return Err(failed(&"it is no file of links")) };
    let stated = second.strip_prefix("root ").and_then(unhex).filter(|_| first == FIRST_LINE);
    let stated = stated.ok_or_else(|| failed(&"it is no file of links that `sodu verify --save` wrote"))?;
    let mut links = Links::new();
    while let Some(line) = next()? {
        let (id, link) = link(&line).ok_or_else(|| failed(&format!("{line:?} is no link")))?;
        links.insert(id, link);
    }
    if root(&links) != stated {
        return Err(failed(&"its links do not give the root that it states; it was changed or cut off"));
    }
    Ok(links)
}

fn link(line: &str) -> Option<(AccountId, (u64, Hash))> {
    let mut words = line.split(' ');
    let id = AccountId::new(words.next()?.parse().ok()?)?;
    let (number, hash) = (words.next()?.parse().ok()?, unhex(words.next()?)?);
    words.next().is_none().then_some((id, (number, hash)))
}

fn hex(hash: Hash) -> blake3::Hash {
    // Its `Display` is 64 lower-case hex digits.
    blake3::Hash::from_bytes(hash.0)
}

fn unhex(text: &str) -> Option<Hash> {
    blake3::Hash::from_hex(text).ok().map(|hash| Hash(*hash.as_bytes()))
}
