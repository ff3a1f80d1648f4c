//! `sodu serve`: the server, on the configured database.

use clap::Args;
use serde_json::{Value, json};

use super::Global;
use super::failure::Failure;
use super::output::{Output, note};
use crate::config::Overrides;
use crate::serve::{Bound, PortChoice, Supervisor};
use crate::{door, log, serve};

/// Answer GetBalance, and the command line, until SIGINT or SIGTERM
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu serve
  sodu serve --database sqlite:/var/lib/sodu/sodu.db --listen 0.0.0.0:8080
  sodu config > sodu.toml && sodu serve --config sodu.toml

A flag outranks the environment (SODU_LISTEN, …), which outranks the file. When
every port is taken and requests are answered, the addresses are printed.")]
pub(super) struct Serve {
    /// Where eSMS clients connect: ADDRESS:PORT [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where operators with a token, health checks and metrics connect: ADDRESS:PORT [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<String>,
    /// Let --ops-listen be reached from other machines without TLS
    #[arg(long)]
    insecure_ops: bool,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let flags = Overrides {
            listen: self.listen,
            ops_listen: self.ops_listen,
            insecure_ops: self.insecure_ops,
            ..Overrides::default()
        };
        let config = global.settings(flags)?;
        log::init(&config.log)
            .map_err(|error| Failure::local("no_log", format!("The log cannot be set up: {error}.")))?;
        let store = Supervisor::found().while_loading(|| door::open_to_serve(&config))?;
        if store.created() {
            note(&format!("created the database {}", store.url()));
        }
        let (json, database) = (global.json, store.url().to_string());
        let tell = move |bound: &Bound| {
            let mut out = Output::new(json);
            let told = if json {
                out.json(&addresses(bound, &database))
            } else {
                out.text(&format!(
                    "sodu answers GetBalance on {}\noperator API, health and metrics: {}://{}/v1, /healthz, /readyz, /metrics\n\
                     ledger: {database}\n",
                    public_url(bound),
                    if bound.ops_tls { "https" } else { "http" },
                    bound.ops
                ))
            };
            // A server whose standard output nobody reads serves all the same.
            let _ = told.and_then(|()| out.flush());
        };
        serve::run(&config, store, tell, PortChoice::Exact).map_err(not_served)
    }
}

/// What kept a server from starting, or ended it.
pub(super) fn not_served(error: anyhow::Error) -> Failure {
    Failure::local("not_served", format!("{error:#}."))
}

/// Where a running server is reached, as JSON.
pub(super) fn addresses(bound: &Bound, database: &str) -> Value {
    json!({
        "url": public_url(bound),
        "ops": bound.ops.to_string(),
        "socket": bound.socket.display().to_string(),
        "database": database,
    })
}

/// Where eSMS clients reach a server, as they write it.
pub(super) fn public_url(bound: &Bound) -> String {
    format!("{}://{}", if bound.tls { "https" } else { "http" }, bound.public)
}
