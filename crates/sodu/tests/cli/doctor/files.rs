//! The doctor on disks and files: full, read-only, somebody else's, open to everybody.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use super::{behind, doctor};
use crate::common::Sodu;

/// Keeps root's right to pass over modes away from what follows, so that tests mean the same whoever runs them.
const WITHOUT_RIGHTS: [&str; 3] = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("the own file");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_problem() {
    let sodu = Sodu::with_account();
    set_mode(sodu.folder.path(), 0o555);
    let report = as_mere_user(&sodu);
    set_mode(sodu.folder.path(), 0o755);
    report.find("disk.write").is("problem", "this user may not write in", "chown");
}

fn as_mere_user(sodu: &Sodu) -> super::Report {
    // Only root has rights to lose.
    if rustix::process::geteuid().is_root() { behind(sodu, &WITHOUT_RIGHTS) } else { doctor(sodu, &[]) }
}

#[test]
fn another_user_says_what_they_could_not_see() {
    // Only root can make files of somebody else; others look at what they locked themselves out of.
    let sodu = Sodu::with_account();
    if !rustix::process::geteuid().is_root() {
        set_mode(sodu.path("sodu.db"), 0);
        doctor(&sodu, &[]).find("database").is("problem", "unable to open", "permissions");
        return;
    }
    for name in sodu.files() {
        chown(sodu.path(&name), Some(4242), Some(4242)).expect("root may");
    }
    chown(sodu.folder.path(), Some(4242), Some(4242)).expect("root may");
    let report = as_mere_user(&sodu);
    assert_eq!(report.problems(), [""; 0]);
    report.find("database").is("skipped", "Permission denied", "run this as");
    report.find("server").is("skipped", "Permission denied", "run this as");
    // The folder hides the rest.
    set_mode(sodu.folder.path(), 0o700);
    let report = as_mere_user(&sodu);
    assert_eq!(report.problems(), [""; 0]);
    report.find("disk.write").is("skipped", "may not write", "run this as");
    report.find("permissions.database").is("skipped", "Permission denied", "uid-4242");
}

#[test]
fn files_that_are_open_to_others_are_named_with_the_command_that_shuts_them() {
    let sodu = Sodu::with_account();
    let ledger = || doctor(&sodu, &[]).find("permissions.database");
    ledger().is("ok", "alone", "");
    let database = sodu.path("sodu.db");
    set_mode(&database, 0o640);
    ledger().is("warning", "0640", "chmod 600");
    set_mode(&database, 0o644);
    ledger().is("problem", "everybody on this machine reads it", "chmod 600");
    set_mode(&database, 0o620);
    ledger().is("problem", "others write into it", "chmod 600");
    set_mode(&database, 0o600);
    set_mode(sodu.folder.path(), 0o777);
    ledger().is("problem", "others may replace the files", "chmod go-w");
    set_mode(sodu.folder.path(), 0o755);

    let server = sodu.serve();
    set_mode(sodu.path("sodu.db.sock"), 0o666);
    ledger().is("problem", "others move money through it", "chmod 600");
    drop(server);
    std::fs::write(sodu.path("sodu.toml"), "").expect("a file");
    set_mode(sodu.path("sodu.toml"), 0o664);
    let report = doctor(&sodu, &["--config", "sodu.toml"]);
    report.find("permissions.configuration").is("problem", "others decide what the server does", "chmod go-w");
    if rustix::process::geteuid().is_root() {
        chown(sodu.path("sodu.db.lock"), Some(4242), None).expect("root may");
        ledger().is("problem", "sodu.db.lock is of uid-4242", "chown");
    }
}

/// The doctor with the database's folder on a small disk of its own, which `prepare` does something to; `$D` is the disk.
fn on_a_disk(options: &str, prepare: &str) -> super::Report {
    let sodu = Sodu::new();
    let disk = sodu.path("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let url = format!("sqlite:{}/sodu.db", disk.display());
    let script = format!(
        "set -e; D={}; mount -t tmpfs -o {options} none $D; {prepare}; \"$@\" --database {url} || code=$?; \
         test -z \"$(find $D -name '.sodu-doctor*')\"; exit ${{code:-0}}",
        disk.display()
    );
    behind(&sodu, &["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
}

#[test]
fn a_full_disk_is_a_problem() {
    let report = on_a_disk("size=1m", "head -c 2m /dev/zero >$D/ballast 2>$D/../full || true");
    report.find("disk.database").is("problem", "0 bytes of 1.0 MiB are free", "make room");
    report.find("disk.write").is("problem", "No space left on device", "make room");
    let report = on_a_disk("size=200m", "true");
    report.find("disk.database").is("warning", "200.0 MiB of 200.0 MiB are free", "make room");
    assert_eq!(report.problems(), [""; 0]);
}

#[test]
fn a_disk_without_inodes_is_a_problem() {
    let report = on_a_disk("size=2g,nr_inodes=8", "true");
    report.find("disk.database").is("problem", "room for 7 more files", "inodes");
    let report = on_a_disk("size=2g,nr_inodes=500", "true");
    report.find("disk.database").is("warning", "room for 499 more files", "inodes");
}

#[test]
fn a_disk_that_is_mounted_read_only_is_a_problem() {
    let report = on_a_disk("size=2g", "mount -o remount,ro none $D");
    report.find("disk.database").is("problem", "mounted read-only", "dmesg");
    report.find("disk.write").is("problem", "Read-only file system", "dmesg");
}
