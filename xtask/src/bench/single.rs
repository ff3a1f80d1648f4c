//! Single charges over many connections, and the POST that is turned away: wrk with a script that makes each request.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use super::wrk::Seen;
use crate::http::Address;
use crate::programs;
use crate::random::Random;

/// How many callers there are unless somebody says otherwise.
pub(crate) const CONNECTIONS: u32 = 64;

/// wrk, its script, and whom it asks.
pub(crate) struct Singles {
    wrk: PathBuf,
    script: PathBuf,
    url: String,
    token: String,
    accounts: u64,
    /// No two loads of a run share a key.
    load: AtomicU64,
}

impl Singles {
    /// Loads the operator API at `ops` with that token.
    pub(crate) fn new(folder: &Path, ops: &Address, token: &str, accounts: u64) -> Result<Singles> {
        let Address::Tcp(address) = ops else { anyhow::bail!("wrk speaks TCP only") };
        let script = folder.join("charges.lua");
        fs::write(&script, include_str!("charges.lua"))?;
        Ok(Singles {
            wrk: programs::need("wrk", "wrk")?,
            script,
            url: format!("http://{address}"),
            token: token.to_owned(),
            accounts,
            load: AtomicU64::new(Random::fresh_seed() << 16),
        })
    }

    /// Charges without a key, which are turned away before the ledger is asked.
    pub(crate) fn nothing(&self, seconds: u64) -> Result<Seen> {
        self.load("nothing", self.accounts, CONNECTIONS, seconds)
    }

    /// Charges of random accounts.
    pub(crate) fn many(&self, seconds: u64) -> Result<Seen> {
        self.load("charge", self.accounts, CONNECTIONS, seconds)
    }

    /// Charges of account 1, over so many connections.
    pub(crate) fn one(&self, connections: u32, seconds: u64) -> Result<Seen> {
        self.load("charge", 1, connections, seconds)
    }

    fn load(&self, what: &str, accounts: u64, connections: u32, seconds: u64) -> Result<Seen> {
        let load = self.load.fetch_add(1, Ordering::SeqCst);
        let mut command = Command::new(&self.wrk);
        command
            .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
            .arg(&self.script)
            .arg(&self.url)
            .arg("--");
        command.args([what, &self.token, &accounts.to_string(), &load.to_string()]);
        Seen::by(&mut command, &["wrong", "errors"])
    }
}
