//! The operator's side: `/v1`, health and metrics, on a TCP listener and on a Unix socket beside the database.
//!
//! Over TCP an operator shows a token, which `v1` checks. The socket needs none: only the user who owns the database may
//! connect (mode 0600), and the kernel says who calls, which is what entries record. Runs on threads of its own, so that no
//! operator slows an eSMS client down.

mod actor;
mod connection;
mod health;
mod settled;
mod socket;

use std::future::Future;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

pub use actor::local_actor;
pub(crate) use health::unwritable;
pub(crate) use socket::{SocketFile, path as socket_path, socket};

use crate::config::Config;
use crate::serve::{Beat, Kind, Node};
use crate::v1;
use connection::{Visit, stop};
use settled::settled;

/// How long to wait after an accept that failed for want of files or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What operators come in by.
pub(crate) struct Doors {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) unix: UnixListener,
}

/// The running operator side.
pub(crate) struct Ops {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    /// Closed when the last connection is.
    open: mpsc::Receiver<()>,
    /// The thread of the socket, and what tells it to end.
    lane: JoinHandle<()>,
    end: watch::Sender<bool>,
}

impl Ops {
    /// Serves on all doors until [`Ops::stop`].
    pub(crate) fn start(runtime: Runtime, config: &Config, node: &Arc<Node>, doors: Doors) -> std::io::Result<Ops> {
        let guard = runtime.enter();
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let (held, open) = mpsc::channel(1);
        let visit = Visit { timeout: config.idle_timeout, stopped, held };
        let tcp = tokio::net::TcpListener::from_std(doors.tcp)?;
        let api = v1::router(node.store.clone(), Arc::clone(&node.metrics), node.time_zone.clone());
        let router = health::beside(api, node);
        runtime.spawn(accept_tcp(tcp, doors.tls.map(TlsAcceptor::from), router.clone(), visit.clone()));
        runtime.spawn(node.pulse.beat("operator", Kind::Operator).go_on());
        let lane = lane(doors.unix, router, visit, ended, node.pulse.beat("socket", Kind::Operator))?;
        drop(guard);
        Ok(Ops { runtime, stop, open, lane, end })
    }

    /// Runs `future` on this side's runtime and waits for it.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs `future` on this side's runtime, without waiting for it.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Takes no further connections and requests, and waits for those in flight until `deadline`, but at least for a
    /// second.
    pub(crate) fn stop(mut self, deadline: Instant) {
        self.stop.send_replace(true);
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let all_closed = async { tokio::time::timeout(left, self.open.recv()).await };
        if self.runtime.block_on(all_closed).is_err() {
            warn!("operators were still being answered when the time for a stop was over");
        }
        self.end.send_replace(true);
        if self.lane.join().is_err() {
            warn!("the thread of the socket had panicked");
        }
        self.runtime.shutdown_background();
    }
}

/// The threads of operators, who need nothing else yet.
pub(crate) fn runtime(config: &Config) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        // One of them may be in a commit of its own at a time; health is answered meanwhile.
        .worker_threads(config.threads.max(2))
        .thread_name("operator")
        .enable_all()
        .build()
}

/// Serves the socket on a thread of its own. The programs beside the server that charge message by message come in here: on
/// one thread a lone charge is read, committed and answered without waking another, which costs as much as the sync does.
fn lane(
    unix: UnixListener,
    router: axum::Router,
    visit: Visit,
    mut ended: watch::Receiver<bool>,
    beat: Beat,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("socket".into()).spawn(move || {
        runtime.block_on(async {
            tokio::spawn(beat.go_on());
            match tokio::net::UnixListener::from_std(unix) {
                Ok(unix) => accept_unix(unix, router, visit).await,
                Err(error) => warn!(%error, "the socket beside the database cannot be served"),
            }
            // Connections go on meanwhile; an error means that nobody is left to say so.
            let _ = ended.wait_for(|ended| *ended).await;
        });
        runtime.shutdown_background();
    })
}

async fn accept_tcp(listener: tokio::net::TcpListener, tls: Option<TlsAcceptor>, router: axum::Router, visit: Visit) {
    let mut stopped = visit.stopped.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopped) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BACK_OFF).await;
            continue;
        };
        let (tls, router, visit) = (tls.clone(), router.clone(), visit.clone());
        tokio::spawn(settled(async move {
            let Some(tls) = tls else { return visit.serve(stream, router, None).await };
            match tokio::time::timeout(visit.timeout, tls.accept(stream)).await {
                Ok(Ok(stream)) => visit.serve(stream, router, None).await,
                Ok(Err(error)) => debug!(%error, "an operator's TLS handshake failed"),
                Err(_) => debug!("an operator's TLS handshake took too long"),
            }
        }));
    }
}

async fn accept_unix(listener: tokio::net::UnixListener, router: axum::Router, visit: Visit) {
    let mut stopped = visit.stopped.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopped) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BACK_OFF).await;
            continue;
        };
        match stream.peer_cred() {
            Ok(peer) => {
                let caller = v1::Caller(local_actor(peer.uid()));
                tokio::spawn(visit.clone().serve(stream, router.clone(), Some(caller)));
            }
            Err(error) => warn!(%error, "a caller on the socket was turned away: the kernel does not say who it is"),
        }
    }
}
