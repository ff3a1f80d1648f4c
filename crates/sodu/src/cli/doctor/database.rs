//! The ledger's file: what it is, where its log ends, how big both are, and who has it open.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use ledger::Time;
use store::{Examined, OpenError};

use super::report::Check;
use super::scene::{Presence, Scene, metadata, size};

const NAME: &str = "database";

/// What is said of a ledger that is no file.
pub(super) const ELSEWHERE: &str = "the ledger is in PostgreSQL, which this does not look into yet";

/// Four times what lies between two checkpoints: only a reader that stays, or a disk that takes nothing, lets it grow so far.
const LOG_LEN_MAX: u64 = 64 << 20;

/// What was found, and the ledger's last time.
pub(super) fn check(scene: &Scene) -> (Vec<Check>, Option<Time>) {
    let Some(url) = scene.file() else {
        return (vec![Check::skipped(NAME, ELSEWHERE)], None);
    };
    match File::open(&url.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let finding = format!("there is none at {url} yet; the first `sodu serve` or `sodu account open` makes it");
            return (vec![Check::ok(NAME, finding)], None);
        }
        Err(error) if !scene.is_own() => {
            return (vec![Check::unseen(NAME, format!("{url} cannot be read: {error}"), &scene.who())], None);
        }
        // A first start that was cut off leaves such a file, and the next one goes on with it.
        Ok(file) if file.metadata().is_ok_and(|file| file.len() == 0) => {
            return (vec![Check::ok(NAME, format!("{url} is empty; the next start makes a ledger of it"))], None);
        }
        Err(_) | Ok(_) => {}
    }
    match store::examine(url) {
        Ok(examined) => {
            let last_time = Some(examined.last_time).filter(|time| *time != Time::default());
            (vec![sound(scene, &examined), log(scene, &url.beside("-wal"))], last_time)
        }
        Err(error) => (vec![unsound(scene, &error)], None),
    }
}

fn sound(scene: &Scene, examined: &Examined) -> Check {
    let Examined { owner, schema, known, last_row, damage, .. } = examined;
    let url = &scene.config.database;
    let file = scene.file().and_then(|file| metadata(&file.path).ok().flatten());
    let len = file.map_or(0, |file| file.len());
    if let Some(damage) = damage {
        return Check::problem(
            NAME,
            format!("{url} contradicts itself: {damage}"),
            "stop the server, keep a copy of the files, run `sodu verify`, and restore a backup (`sodu restore`)",
        );
    }
    let whose = match (owner, &scene.presence) {
        (Some(owner), _) => format!("open in {owner}"),
        (None, Presence::Serves { .. }) => "open in the server".to_owned(),
        (None, _) => "not open".to_owned(),
    };
    let schema = if schema < known {
        format!("schema {schema}, {known} after the next start")
    } else {
        format!("schema {schema}")
    };
    Check::ok(NAME, format!("{url}: {}, {schema}, {last_row} rows to the log's end, {whose}", size(len)))
}

fn unsound(scene: &Scene, error: &OpenError) -> Check {
    let url = &scene.config.database;
    let advice = match error {
        OpenError::Foreign => "name the right file with `database`; if this is the right one, restore a backup",
        OpenError::Newer { .. } => {
            "install the version of sodu that wrote it, or restore a backup of before the upgrade"
        }
        OpenError::Damaged(_) => {
            "stop the server, keep a copy of the files, run `sodu verify`, and restore a backup (`sodu restore`)"
        }
        OpenError::Moved { .. } => "set `database` to where the ledger is now",
        OpenError::Arriving { .. } => {
            "run the same `sodu migrate-store` again, or set `database` to where the ledger is"
        }
        OpenError::Missing | OpenError::Owned { .. } | OpenError::Io(_) => {
            "see the lines about disk and permissions, and `dmesg` for errors of the disk"
        }
    };
    Check::problem(NAME, format!("{url}: {error}"), advice)
}

fn log(scene: &Scene, log: &Path) -> Check {
    const NAME: &str = "database.log";
    let len = metadata(log).ok().flatten().map_or(0, |file| file.len());
    if len > LOG_LEN_MAX {
        return Check::warning(
            NAME,
            format!("{} has {}, which is more than commits need", log.display(), size(len)),
            "a big import or backup leaves it so until the next restart; if it grows on, find who keeps reading \
             (`fuser -v` on the database) and end that",
        );
    }
    match (len, &scene.presence) {
        (0, _) => Check::ok(NAME, "empty: all of it is in the database file"),
        (_, Presence::Nobody) => {
            Check::ok(NAME, format!("{}, which the next start copies into the database file", size(len)))
        }
        (..) => Check::ok(NAME, size(len)),
    }
}
