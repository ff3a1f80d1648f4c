//! `sodu demo`: a server to try, on a database that is gone when it ends.
//!
//! It has no code of its own for anything that a ledger or a server does: accounts are opened through the operator API,
//! like everyone's, and then it is `serve` on a temporary folder.

mod accounts;
mod guide;

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;
use store::DatabaseUrl;

use super::Global;
use super::balance::{DEMO_FILE, DEMO_FOLDER};
use super::failure::Failure;
use super::output::{Output, note};
use super::serve::{addresses, not_served};
use super::session::block_on;
use crate::config::Config;
use crate::door::{self, Create, Door};
use crate::log;
use crate::serve::{self, Bound, PortChoice};

/// Try sodu: a server with demo accounts and commands to paste, until Ctrl-C
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu demo
  sodu demo --json     one JSON object: addresses, database, key pairs

The database lies in a temporary folder that is removed at the end. Where a port
is taken, the next free one is used.")]
pub(super) struct Demo {
    /// Where eSMS clients connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where operators with a token, health checks and metrics connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    ops_listen: SocketAddr,
}

impl Demo {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if global.database.is_some() || global.config.is_some() {
            return Err(Failure::Usage("the demo has a database and settings of its own; for others use serve".into()));
        }
        let no_folder = |error| Failure::local("no_folder", format!("A temporary folder cannot be made: {error}."));
        let folder = tempfile::Builder::new().prefix(DEMO_FOLDER).tempdir().map_err(no_folder)?;
        let mut config = Config {
            database: DatabaseUrl { path: folder.path().join("sodu.db") },
            listen: self.listen,
            ops_listen: self.ops_listen,
            ..Config::default()
        };
        // The guide is to be read, not to be searched for between log lines.
        config.log.level = tracing::level_filters::LevelFilter::WARN;
        log::init(&config.log)
            .map_err(|error| Failure::local("no_log", format!("The log cannot be set up: {error}.")))?;

        let unopened = |error| door::DoorError::Unopened { url: config.database.clone(), error };
        let store = door::open_store(&config, Create::IfMissing).map_err(unopened)?;
        let mut api = Door::within(&config, store.clone());
        let accounts = block_on(accounts::open(&mut api))?;
        drop(api);

        let (wanted, json) = ((self.listen, self.ops_listen), global.json);
        let tell = |bound: &Bound| {
            let mut out = Output::new(json);
            let mut all = addresses(bound, &config.database.to_string());
            all["accounts"] = json!(accounts);
            // Only for `sodu balance --demo`, which says so itself where it finds nothing.
            let _ = std::fs::write(folder.path().join(DEMO_FILE), all.to_string());
            let told = if json {
                out.json(&all)
            } else {
                tell_taken(wanted, bound);
                out.text(&guide::text(bound, &config.database, &accounts))
            };
            // A demo whose guide nobody reads serves all the same.
            let _ = told.and_then(|()| out.flush());
        };
        serve::run(&config, store, tell, PortChoice::NextFree).map_err(not_served)
    }
}

fn tell_taken(wanted: (SocketAddr, SocketAddr), bound: &Bound) {
    for (wanted, taken) in [(wanted.0, bound.public), (wanted.1, bound.ops)] {
        if wanted.port() != 0 && wanted != taken {
            note(&format!("{wanted} is in use, so this demo took {taken}"));
        }
    }
}
