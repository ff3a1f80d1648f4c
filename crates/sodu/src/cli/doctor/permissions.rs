//! Whose the files are, and who else may read or write them.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::database::ELSEWHERE;
use super::report::Check;
use super::scene::{Scene, metadata, user};
use crate::config::Alerts;
use crate::notify::Hidden;

/// What others may do by a file's mode (inode(7)).
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_READ: u32 = 0o040;
const GROUP_WRITE: u32 = 0o020;
const STICKY: u32 = 0o1000;

pub(super) fn check(scene: &Scene, configuration: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![ledger(scene)];
    checks.extend(configuration.map(|file| settings(scene, file)));
    let config = &scene.config;
    let keys = [&config.tls, &config.ops_tls].into_iter().flatten();
    let keys: Vec<&Path> = keys.map(|files| files.key.as_path()).collect();
    if !keys.is_empty() {
        checks.push(shut(scene, "permissions.keys", "private key", &keys));
    }
    let secrets = hidden(&config.alerts);
    let files: Vec<&Path> = secrets.iter().filter_map(|secret| secret.file()).collect();
    if !files.is_empty() {
        checks.push(shut(scene, "permissions.secrets", "secret", &files));
    }
    checks
}

/// Everything in the section `[alerts]` that nobody else may know.
fn hidden(alerts: &Alerts) -> Vec<&Hidden> {
    let of_targets = alerts.targets.iter().flat_map(|(_, target)| target.hidden());
    of_targets.chain(&alerts.smtp).chain(&alerts.telegram).collect()
}

/// The database and what lies beside it: all of one user, and nobody else's business.
fn ledger(scene: &Scene) -> Check {
    const NAME: &str = "permissions.database";
    let Some(url) = scene.file() else { return Check::skipped(NAME, ELSEWHERE) };
    let names = [url.path.clone(), url.beside("-wal"), url.beside("-shm"), url.beside(".lock"), url.beside(".sock")];
    let mut seen = Vec::new();
    for name in names {
        match metadata(&name) {
            Ok(Some(file)) => seen.push((name, file)),
            Ok(None) => {}
            Err(error) => return Check::unseen(NAME, format!("{}: {error}", name.display()), &scene.who()),
        }
    }
    let Some((_, database)) = seen.iter().find(|(name, _)| *name == url.path) else {
        return Check::skipped(NAME, "there is no database yet");
    };
    if let Some(problem) = open_folder(NAME, &scene.folder()) {
        return problem;
    }
    let owner = database.uid();
    for (name, file) in &seen {
        let (name, mode) = (name.display(), file.mode() & 0o7777);
        if file.uid() != owner {
            let (whose, owner) = (user(file.uid()), user(owner));
            let finding = format!("{name} is of {whose}, and the database of {owner}");
            return Check::problem(NAME, finding, format!("`chown {owner} {name}` while no server runs"));
        }
        let advice = format!("`chmod 600 {name}`");
        if mode & (GROUP_WRITE | OTHERS_WRITE | OTHERS_READ) != 0 {
            let finding = format!("{name} has mode {mode:04o}: {}", admitted(file));
            return Check::problem(NAME, finding, advice);
        }
        if mode & GROUP_READ != 0 {
            let finding = format!("{name} has mode {mode:04o}: its group reads all accounts and balances");
            return Check::warning(NAME, finding, advice);
        }
    }
    Check::ok(NAME, format!("all files are of {} alone", user(owner)))
}

/// Who else is let in, and what that means.
fn admitted(file: &Metadata) -> String {
    let writes = file.mode() & (GROUP_WRITE | OTHERS_WRITE) != 0;
    match (writes, file.file_type().is_socket()) {
        (true, true) => "others move money through it".to_owned(),
        (true, false) => "others write into it".to_owned(),
        (false, _) => "everybody on this machine reads it".to_owned(),
    }
}

/// A folder in which others may replace files.
fn open_folder(name: &'static str, folder: &Path) -> Option<Check> {
    let mode = metadata(folder).ok().flatten()?.mode() & 0o7777;
    let is_open = mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
    let shown = folder.display();
    let finding = format!("{shown} has mode {mode:04o}: others may replace the files in it");
    (is_open || mode & (GROUP_WRITE | STICKY) == GROUP_WRITE)
        .then(|| Check::problem(name, finding, format!("`chmod go-w {shown}`")))
}

fn settings(scene: &Scene, path: &Path) -> Check {
    const NAME: &str = "permissions.configuration";
    let shown = path.display();
    let file = match metadata(path) {
        Ok(Some(file)) => file,
        Ok(None) => {
            return Check::problem(NAME, format!("{shown} does not exist"), "name the right file with --config");
        }
        Err(error) => return Check::unseen(NAME, format!("{shown}: {error}"), &scene.who()),
    };
    let mode = file.mode() & 0o7777;
    if mode & (GROUP_WRITE | OTHERS_WRITE) != 0 {
        let finding = format!("{shown} has mode {mode:04o}: others decide what the server does");
        return Check::problem(NAME, finding, format!("`chmod go-w {shown}`"));
    }
    let holds_secrets = hidden(&scene.config.alerts).iter().any(|secret| secret.written().is_some());
    if mode & OTHERS_READ != 0 && holds_secrets {
        let finding = format!("{shown} has mode {mode:04o} and secrets of [alerts] in it: everybody here reads them");
        let advice = format!("`chmod o-r {shown}`, or move them to files of their own (\"file:/etc/sodu/…\")");
        return Check::problem(NAME, finding, advice);
    }
    Check::ok(NAME, format!("{shown} is written by {} alone", user(file.uid())))
}

/// Files that nobody but their owner and group may read.
fn shut(scene: &Scene, name: &'static str, what: &str, paths: &[&Path]) -> Check {
    for path in paths {
        let shown = path.display();
        let file = match metadata(path) {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Check::skipped(name, format!("{shown} does not exist; see the line about what uses it"));
            }
            Err(error) => return Check::unseen(name, format!("{shown}: {error}"), &scene.who()),
        };
        let mode = file.mode() & 0o7777;
        if mode & (GROUP_WRITE | OTHERS_WRITE | OTHERS_READ) != 0 {
            return Check::problem(
                name,
                format!("the {what} {shown} has mode {mode:04o}: {}", admitted(&file)),
                format!("`chmod 640 {shown}`; where strangers use this machine, replace the {what}"),
            );
        }
    }
    Check::ok(name, format!("no {what} is open to everybody"))
}
