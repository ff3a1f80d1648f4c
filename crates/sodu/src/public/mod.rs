//! The public face: the eSMS GetBalance API, and nothing else.
//!
//! One thread a core, each with its own socket, runtime, connections and counters, so that no two requests meet on a
//! lock or a cache line; ceilings.md shows that this is what it takes to keep up with nginx. A request is answered by
//! the thread that read it, from the accounts in memory: no task is spawned for it, no timer armed, no span opened.
//!
//! Deliberately absent: anything that writes money, and any log line about a single request: paths of the older calls
//! carry keys, so what happens to requests is counted in the metrics and nowhere else.

mod accept;
mod answer;
mod body;
mod caller;
mod connection;
mod proxy;
mod reply;
mod vigil;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::sync::{Semaphore, watch};
use tracing::error;

use crate::config::Config;
use crate::serve::{Kind, Node};

/// What every public thread is told.
struct Rules {
    node: Arc<Node>,
    trusted_proxies: Vec<IpNet>,
    legacy_get: bool,
    header_timeout: Duration,
    body_timeout: Duration,
    idle_timeout: Duration,
    tls: Option<Arc<ServerConfig>>,
    /// One permit for each connection that may be open.
    connections: Arc<Semaphore>,
}

/// The threads of the public face.
pub(crate) struct Public {
    threads: Vec<JoinHandle<()>>,
    /// Until when open connections may finish, once the server stops.
    stop: watch::Sender<Option<Instant>>,
    ended: watch::Receiver<bool>,
}

impl Public {
    /// Serves on all `listeners`, a thread each, until [`Public::stop`].
    pub(crate) fn start(
        config: &Config,
        node: &Arc<Node>,
        listeners: Vec<TcpListener>,
        tls: Option<Arc<ServerConfig>>,
        connections_max: usize,
    ) -> io::Result<Public> {
        let rules = Arc::new(Rules {
            node: Arc::clone(node),
            trusted_proxies: config.trusted_proxies.clone(),
            legacy_get: config.legacy_get,
            header_timeout: config.header_timeout,
            body_timeout: config.body_timeout,
            idle_timeout: config.idle_timeout,
            tls,
            connections: Arc::new(Semaphore::new(connections_max)),
        });
        let (stop, stopped) = watch::channel(None);
        let (end, ended) = watch::channel(false);
        let end = Arc::new(end);
        let mut public = Public { threads: Vec::new(), stop, ended };
        for (index, listener) in listeners.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let end = End(Arc::clone(&end));
            let beat = node.pulse.beat(format!("public-{index}"), Kind::Public);
            let served = accept::serve(listener, Arc::clone(&rules), stopped.clone(), beat);
            let thread = std::thread::Builder::new().name(format!("public-{index}")).spawn(move || {
                let _end = end;
                if let Err(error) = runtime.block_on(served) {
                    error!(%error, "a thread of the public listener failed");
                }
            })?;
            public.threads.push(thread);
        }
        Ok(public)
    }

    /// Resolves when a thread has ended that was not told to: its share of the callers is no longer answered.
    pub(crate) async fn died(&self) {
        // An error means that every thread has ended, which says the same.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Accepts nobody any more, closes idle connections, and waits for the others until `deadline`.
    pub(crate) fn stop(self, deadline: Instant) {
        self.stop.send_replace(Some(deadline));
        for thread in self.threads {
            // A thread that panicked has said so, and its connections are closed.
            let _ = thread.join();
        }
    }
}

/// Says that its thread has ended, also if by a panic.
struct End(Arc<watch::Sender<bool>>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
