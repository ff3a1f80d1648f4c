//! The disks of the database and of temporary files: room, and whether a sync succeeds.
//!
//! The write-ahead log and the lock lie beside the database. The one file that this makes is removed whatever happens.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::report::Check;
use super::scene::{Scene, size};

/// Less than this is full within minutes of a busy day: the log alone grows to 16 MiB.
const ROOM_MIN: u64 = 64 << 20;
/// Less than this wants somebody to look at it by day.
const ROOM_FEW: u64 = 1 << 30;
/// The database needs four files, and their neighbours more.
const FILES_MIN: u64 = 16;
const FILES_FEW: u64 = 1000;
/// Each commit waits for a sync. Disks of servers need less than a tenth of this.
const SYNC_MAX: Duration = Duration::from_millis(100);

pub(super) fn check(scene: &Scene) -> Vec<Check> {
    let folder = scene.folder();
    vec![room("disk.database", &folder), probe(scene, &folder), room("disk.temporary", &temporary())]
}

/// Where SQLite puts what does not fit into memory ("Temporary Files Used By SQLite").
fn temporary() -> PathBuf {
    let variables = ["SQLITE_TMPDIR", "TMPDIR"].map(|variable| std::env::var_os(variable).map(PathBuf::from));
    let usual = ["/var/tmp", "/usr/tmp", "/tmp"].map(|folder| Some(folder.into()));
    let folders = variables.into_iter().chain(usual).flatten();
    folders.into_iter().find(|folder| folder.is_dir()).unwrap_or_else(|| ".".into())
}

fn room(name: &'static str, folder: &Path) -> Check {
    let place = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => return Check::skipped(name, format!("{place}: {error}")),
    };
    let (room, all) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
    let shown = format!("{} of {} are free in {place}", size(room), size(all));
    // Some file systems make files as they go and count none.
    let files = (disk.f_files > 0).then_some(disk.f_favail);
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let advice = "see `dmesg`: a disk with errors is mounted so; otherwise mount it again with rw";
        return Check::problem(name, format!("{place} is mounted read-only"), advice);
    }
    let advice = "make room: old backups and logs first; a server takes movements again by itself";
    match files {
        _ if room < ROOM_MIN => Check::problem(name, format!("{shown}: movements will be refused"), advice),
        Some(files) if files < FILES_MIN => Check::problem(
            name,
            format!("{place} has room for {files} more files"),
            "remove files: there are no inodes left",
        ),
        _ if room < ROOM_FEW => Check::warning(name, shown, advice),
        Some(files) if files < FILES_FEW => Check::warning(
            name,
            format!("{place} has room for {files} more files"),
            "remove files before the inodes run out (`df -i`)",
        ),
        _ => Check::ok(name, shown),
    }
}

/// Writes, syncs and removes a file beside the database, as a commit would write its log.
fn probe(scene: &Scene, folder: &Path) -> Check {
    const NAME: &str = "disk.write";
    let place = folder.display();
    match written(folder) {
        Ok(took) if took > SYNC_MAX => Check::warning(
            NAME,
            format!("a sync in {place} took {} ms", took.as_millis()),
            "every commit waits for one: see what else uses the disk (`iostat -x 1`), and its health (`smartctl`)",
        ),
        Ok(took) => Check::ok(NAME, format!("a sync in {place} took {:.1} ms", took.as_secs_f64() * 1000.0)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !scene.is_own() => {
            Check::unseen(NAME, format!("this user may not write in {place}"), &scene.who())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Check::problem(
            NAME,
            format!("this user may not write in {place}, where the database's log and lock lie"),
            format!("give the folder to the user who serves: `chown USER {place}`"),
        ),
        Err(error) => Check::problem(
            NAME,
            format!("nothing can be written in {place}: {error}"),
            "make room, or see `dmesg` for errors of the disk",
        ),
    }
}

fn written(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".sodu-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let began_at = Instant::now();
    let synced = file.write_all(&[0; 4096]).and_then(|()| file.sync_data());
    let took = began_at.elapsed();
    fs::remove_file(&path)?;
    synced.map(|()| took)
}
