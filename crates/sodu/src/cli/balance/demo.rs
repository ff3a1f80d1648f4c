//! Finds a demo that runs on this machine: each leaves a file with its address and keys in its temporary folder.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::keys::Account;
use crate::cli::failure::Failure;

/// How the names of demos' temporary folders begin.
pub(in crate::cli) const DEMO_FOLDER: &str = "sodu-demo-";
/// What a demo writes there: what it prints with `--json`.
pub(in crate::cli) const DEMO_FILE: &str = "demo.json";
/// A demo on this machine answers at once, or it is gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first account of the newest demo of this user that runs.
pub(in crate::cli) fn running() -> Result<Account, Failure> {
    let mut found: Vec<(SystemTime, PathBuf)> = fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .filter_map(|entry| own_file(&entry.ok()?.path()))
        .collect();
    found.sort();
    let account = found.iter().rev().find_map(|(_, file)| answering(file));
    account
        .ok_or_else(|| Failure::local("no_demo", "No demo of yours runs on this machine; start one with `sodu demo`."))
}

/// The file of a demo in `folder`, if that is one and this user's own.
fn own_file(folder: &Path) -> Option<(SystemTime, PathBuf)> {
    folder.file_name()?.to_str()?.strip_prefix(DEMO_FOLDER)?;
    let file = folder.join(DEMO_FILE);
    let metadata = fs::symlink_metadata(&file).ok()?;
    let is_own = metadata.is_file() && metadata.uid() == rustix::process::getuid().as_raw();
    is_own.then_some((metadata.modified().ok()?, file))
}

/// What the file says, if somebody listens there: a demo that was killed leaves its folder behind.
fn answering(file: &Path) -> Option<Account> {
    let demo: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    let url = demo["url"].as_str()?;
    let address: SocketAddr = url.split_once("://")?.1.parse().ok()?;
    TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    let first = &demo["accounts"][0];
    let faulty = demo["fault"].as_str().map(|fault| format!(", faulty on purpose (--fault {fault})"));
    Some(Account {
        url: Some(url.to_owned()),
        api_key: first["api_key"].as_str()?.to_owned(),
        secret_key: first["secret_key"].as_str()?.to_owned(),
        source: format!("the demo at {url}{}", faulty.unwrap_or_default()),
        extra_roots: demo["ca"].as_str().map_or(Some(String::new()), |ca| fs::read_to_string(ca).ok())?,
    })
}
