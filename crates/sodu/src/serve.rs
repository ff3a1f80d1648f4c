//! The whole server: takes its ports, starts both faces, waits for a reason to stop, and stops in order.
//!
//! Starting takes everything that can fail (ports, certificates, the socket) before the first request is answered.
//! Stopping turns readiness off, lets eSMS callers finish, then operators, then closes the store, whose last commits
//! belong to requests that still want their answer. Opening the store is the caller's business, so that tests give it a
//! clock and the command line can say who owns it.

mod bind;
mod limit;
mod pulse;
mod supervisor;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use jiff::tz::TimeZone;
use store::Store;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

pub use bind::PortChoice;
pub(crate) use bind::{listeners, try_address};
pub(crate) use limit::FILES_RESERVED;
pub use pulse::Limits;
pub(crate) use pulse::{Beat, Kind, Pulse};
pub use supervisor::Supervisor;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::ops::{Ops, SocketFile};
use crate::outbox::Outbox;
use crate::public::Public;
use crate::{ops, tls};

/// Where a running server is reached.
#[derive(Clone, Debug)]
pub struct Bound {
    /// By eSMS clients.
    pub public: SocketAddr,
    /// By operators with a token, and for health and metrics.
    pub ops: SocketAddr,
    /// By the command line.
    pub socket: PathBuf,
    /// Whether eSMS clients need `https`.
    pub tls: bool,
    /// Whether operators do.
    pub ops_tls: bool,
}

/// What both faces share.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) time_zone: TimeZone,
    /// Set once; from then on no new request is promised an answer.
    pub(crate) stopping: AtomicBool,
    pub(crate) pulse: Pulse,
}

impl Node {
    /// Whether everything that answers callers still comes round, and the writer; else a sentence about what does not.
    fn alive(&self, limits: Limits) -> Result<(), String> {
        // Threads end while it stops, and how long that may take is not decided here.
        if self.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        let silent = self.pulse.silent(limits);
        let writer = || Some(("writer".to_owned(), self.store.writer_busy().filter(|busy| *busy > limits.writer)?));
        match silent.or_else(writer) {
            Some((thread, time)) => Err(format!("the thread {thread} has not come round for {} s", time.as_secs())),
            None => Ok(()),
        }
    }
}

/// Serves until SIGINT or SIGTERM, then stops and closes the store; a second signal meanwhile ends the process at once.
///
/// `on_ready` is called when every port is taken and requests are answered.
///
/// # Errors
/// What kept the server from starting; or why the store can never write again, once everything is closed.
pub fn run(config: &Config, store: Store, on_ready: impl FnOnce(&Bound), port: PortChoice) -> anyhow::Result<()> {
    let supervisor = Supervisor::found();
    let runtime = ops::runtime(config).context("the operator listener cannot be started")?;
    // Before anyone can ask whether it is ready: from then on a signal is a wish to stop, not a sudden end.
    let mut signals = runtime.block_on(async { Signals::new() }).context("signals cannot be received")?;
    let running = start_on(runtime, config, store, port)?;
    on_ready(running.bound());
    supervisor.ready(running.bound(), &running.node);
    let reason = running.ops.block_on(running.reason_to_stop(&mut signals));
    match &reason {
        Ok(signal) => info!(signal, "stopping"),
        Err(why) => error!(why, "stopping: this process cannot go on"),
    }
    supervisor.stopping(reason.as_ref().map_or_else(String::as_str, |signal| *signal), running.shutdown_timeout);
    running.ops.spawn(async move {
        let signal = signals.next().await;
        warn!(signal, "a second signal: ending at once");
        // What was acknowledged is on the disk.
        std::process::exit(130);
    });
    running.stop();
    info!("stopped");
    reason.map(drop).map_err(|why| anyhow!(why))
}

/// A server that answers, until [`Running::stop`].
pub struct Running {
    bound: Bound,
    shutdown_timeout: Duration,
    node: Arc<Node>,
    public: Public,
    ops: Ops,
    outbox: Outbox,
    socket_file: SocketFile,
}

/// Starts a server on `store`, without touching signals.
///
/// # Errors
/// A taken port, an unreadable certificate, an operator listener that is open to the network without TLS, or a socket
/// that cannot be made; each says what to do. Nothing is left behind.
pub fn start(config: &Config, store: Store, port: PortChoice) -> anyhow::Result<Running> {
    let runtime = ops::runtime(config).context("the operator listener cannot be started")?;
    start_on(runtime, config, store, port)
}

/// The same, where operators are answered on `runtime`.
fn start_on(runtime: Runtime, config: &Config, store: Store, port: PortChoice) -> anyhow::Result<Running> {
    if !config.ops_listen.ip().is_loopback() && config.ops_tls.is_none() && !config.insecure_ops {
        bail!(
            "the operator listener {} would be reachable from other machines without TLS: give it a certificate with \
             [ops_tls], bind it to 127.0.0.1 with --ops-listen, or take the risk with --insecure-ops",
            config.ops_listen
        );
    }
    let tls = config.tls.as_ref().map(tls::server).transpose()?;
    let ops_tls = config.ops_tls.as_ref().map(tls::server).transpose()?;
    let public = listeners(config.listen, port, config.threads, "--listen")?;
    let mut operator = listeners(config.ops_listen, port, 1, "--ops-listen")?;
    let operator = operator.pop().expect("one listener was asked for");
    let (socket_file, socket) = ops::socket(&ops::socket_path(config))?;
    let bound = Bound {
        public: public[0].local_addr()?,
        ops: operator.local_addr()?,
        socket: socket_file.path().to_owned(),
        tls: tls.is_some(),
        ops_tls: ops_tls.is_some(),
    };
    let connections_max = limit::connections(config.connections_max);
    let node = Arc::new(Node {
        store,
        metrics: Arc::new(Metrics::new()),
        time_zone: config.time_zone.clone(),
        stopping: AtomicBool::new(false),
        pulse: Pulse::new(),
    });
    let ops = Ops::start(runtime, config, &node, ops::Doors { tcp: operator, tls: ops_tls, unix: socket })
        .context("the operator listener cannot be started")?;
    let public = Public::start(config, &node, public, tls, connections_max)
        .context("the threads of the public listener cannot be started")?;
    let outbox = Outbox::start(config, node.store.clone()).context("deliveries cannot be started")?;
    info!(listen = %bound.public, ops = %bound.ops, socket = %bound.socket.display(), tls = bound.tls, "listening");
    Ok(Running { bound, shutdown_timeout: config.shutdown_timeout, node, public, ops, outbox, socket_file })
}

impl Running {
    /// Where it is reached.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Whether everything that answers callers still comes round, and the writer; else a sentence about what does not.
    pub fn alive(&self, limits: Limits) -> Result<(), String> {
        self.node.alive(limits)
    }

    /// Stops answering, within the configured time, and closes the store.
    pub fn stop(self) {
        let Running { shutdown_timeout, node, public, ops, outbox, socket_file, .. } = self;
        let deadline = Instant::now() + shutdown_timeout;
        node.stopping.store(true, Ordering::SeqCst);
        public.stop(deadline);
        ops.stop(deadline);
        outbox.stop();
        node.store.close();
        // Last, so that a command line that finds no socket also finds the database free, or soon free.
        drop(socket_file);
    }

    /// Waits for a signal (its name), or for the reason why this process cannot go on.
    async fn reason_to_stop(&self, signals: &mut Signals) -> Result<&'static str, String> {
        tokio::select! {
            name = signals.next() => Ok(name),
            why = self.node.store.broken() => Err(why),
            () = self.public.died() => Err("a thread of the public listener ended".into()),
        }
    }
}

/// The signals that ask this process to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one; its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
