//! `sodu demo`: a server to try, on a database that is gone when it ends.
//!
//! It has no code of its own for anything that a ledger or a server does: accounts are opened through the operator API,
//! like everyone's, and then it is `serve` on a temporary folder. What goes wrong on purpose stands before that server
//! (`fault`), and what spends money is an operator of it (`burn`).

mod accounts;
mod burn;
mod fault;
mod guide;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use store::DatabaseUrl;
use tokio::runtime::Runtime;

use super::Global;
use super::balance::{DEMO_FILE, DEMO_FOLDER};
use super::failure::Failure;
use super::output::{Output, note};
use super::serve::not_served;
use super::session::block_on;
use crate::config::Config;
use crate::door::{self, Create, Door};
use crate::log;
use crate::serve::{self, Bound, PortChoice};
use burn::Rate;
use fault::{Fault, Front};
use guide::Guide;

/// Try sodu: a server with demo accounts and commands to paste, until Ctrl-C
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu demo
  sodu demo --tls             https, and how curl, Python, Java, … trust it
  sodu demo --fault html      what does your client make of a page for people?
  sodu demo --burn 500/m      a balance that falls, for alerts and runway
  sodu demo --json            one JSON object: addresses, database, key pairs

The database lies in a temporary folder that is removed at the end. Where a port
is taken, the next free one is used. All options go together.")]
pub(super) struct Demo {
    /// Where eSMS clients connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where operators with a token, health checks and metrics connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    ops_listen: SocketAddr,
    /// Serve eSMS clients over https, with a certificate of an authority made for this demo alone
    #[arg(long)]
    tls: bool,
    /// Spoil every answer to eSMS clients, to see how they take it
    #[arg(long, value_name = "HOW")]
    fault: Option<Fault>,
    /// Charge account 9999 steadily, as a sending pipeline would: a whole amount a second, minute or hour, such as 10/s, 500/m
    /// or 500/h
    #[arg(long, value_name = "AMOUNT/TIME")]
    burn: Option<Rate>,
}

/// What this demo was asked to be, beyond a server with accounts.
struct Twist {
    /// The certificate of the authority to trust.
    ca: Option<PathBuf>,
    fault: Option<Fault>,
    burn: Option<Rate>,
}

impl Demo {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if global.database.is_some() || global.config.is_some() {
            return Err(Failure::Usage("the demo has a database and settings of its own; for others use serve".into()));
        }
        let no_folder = |error| Failure::local("no_folder", format!("A temporary folder cannot be made: {error}."));
        let folder = tempfile::Builder::new().prefix(DEMO_FOLDER).tempdir().map_err(no_folder)?;
        let mut config = self.config(folder.path());
        log::init(&config.log)
            .map_err(|error| Failure::local("no_log", format!("The log cannot be set up: {error}.")))?;
        let mut twist = Twist { ca: None, fault: self.fault, burn: self.burn };
        if self.tls {
            let (files, ca) = tls::certify(folder.path(), self.listen.ip()).map_err(not_served)?;
            (config.tls, twist.ca) = (Some(files), Some(ca));
        }
        let front = self.fault.map(|fault| Front::before(&mut config, fault)).transpose().map_err(not_served)?;

        let unopened = |error| door::DoorError::Unopened { url: config.database.clone(), error };
        let store = door::open_store(&config, Create::IfMissing).map_err(unopened)?;
        let mut api = Door::within(&config, store.clone());
        let accounts = block_on(accounts::open(&mut api))?;
        let spender = twist.burn.map(|_| block_on(accounts::operator(&mut api, burn::OPERATOR))).transpose()?;
        drop(api);

        let beside = beside()?;
        let told = |server: &Bound| {
            let mut bound = server.clone();
            if let Some(front) = front {
                bound = front.bound(server);
                beside.spawn(front.serve(server.public));
            }
            if !global.json {
                tell_taken((self.listen, self.ops_listen), &bound);
            }
            let guide = Guide { bound: &bound, database: &config.database, accounts: &accounts, twist: &twist };
            // A demo whose guide nobody reads serves all the same.
            let _ = tell(&guide, folder.path(), global.json);
            if let (Some(rate), Some(token), Some(account)) = (twist.burn, spender, accounts.first()) {
                beside.spawn(burn::charge(bound.ops, token, account.id, rate));
            }
        };
        serve::run(&config, store, told, PortChoice::NextFree).map_err(not_served)
    }

    fn config(&self, folder: &Path) -> Config {
        let mut config = Config {
            database: DatabaseUrl { path: folder.join("sodu.db") },
            listen: self.listen,
            ops_listen: self.ops_listen,
            ..Config::default()
        };
        // The guide is to be read, not to be searched for between log lines.
        config.log.level = tracing::level_filters::LevelFilter::WARN;
        config
    }
}

/// What runs beside the server, and ends with it.
fn beside() -> Result<Runtime, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("demo").enable_all().build();
    runtime.map_err(|error| Failure::local("no_runtime", format!("The system refused what sodu needs: {error}.")))
}

/// Says where everything is, to the reader and to `sodu balance --demo`.
fn tell(guide: &Guide<'_>, folder: &Path, json: bool) -> Result<(), Failure> {
    let all = guide.json();
    // Who misses it is `sodu balance --demo`, which says so itself where it finds nothing.
    let _ = std::fs::write(folder.join(DEMO_FILE), all.to_string());
    let mut out = Output::new(json);
    if json {
        out.json(&all)?
    } else {
        out.text(&guide.text())?
    }
    out.flush()
}

fn tell_taken(wanted: (SocketAddr, SocketAddr), bound: &Bound) {
    for (wanted, taken) in [(wanted.0, bound.public), (wanted.1, bound.ops)] {
        if wanted.port() != 0 && wanted != taken {
            note(&format!("{wanted} is in use, so this demo took {taken}"));
        }
    }
}
