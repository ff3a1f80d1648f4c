//! Tells systemd how this process is (sd_notify(3)): loading, ready, alive, stopping. Without systemd it tells nobody.
//!
//! Alive means that all threads that answer come round, and the writer too. A ledger that cannot be written, as on a full
//! disk, is alive: a new process could write no more, and balances would not be answered while it loads. So is a server at its
//! limit on connections. A thread that is stuck in a bug is not, and a restart helps: what was acknowledged is on the disk.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::{Bound, Limits, Node};
use crate::ops;

/// Nothing that a server does keeps a thread busy for so long. Public threads never wait for a disk; the others do in a commit,
/// which takes seconds on a disk in trouble.
const LIMITS: Limits = Limits { public: Duration::from_secs(10), writer: Duration::from_secs(60) };

/// How often the status is looked at where no watchdog wants to hear more often.
const LOOK: Duration = Duration::from_secs(10);
/// How soon it is looked at again after a thread was silent: one that was only paused comes round within a second.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How much time each message gives a start, how often one is sent, and until when: a load that hangs is systemd's to end.
const EXTENSION: Duration = Duration::from_secs(60);
const EXTEND: Duration = Duration::from_secs(20);
const LOADING_MAX: Duration = Duration::from_secs(30 * 60);
/// What closing the ledger takes, after the time that callers have.
const CLOSING_MAX: Duration = Duration::from_secs(20);

/// How long systemd may take over a message before it is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to systemd, where it started this process and wants to hear.
#[derive(Clone)]
pub struct Supervisor {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    pub fn found() -> Supervisor {
        let named = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = named.and_then(|name| match socket(name.as_bytes()) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                warn!(%error, "NOTIFY_SOCKET names no socket that can be used; systemd is told nothing");
                None
            }
        });
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        // Who set the watchdog may have meant the process that started this one.
        let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_meant && socket.is_some());
        Supervisor { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Has `load` done, and asks for more time as long as it goes on: a big ledger takes longer than a start may.
    pub fn while_loading<T: Send>(&self, load: impl FnOnce() -> T + Send) -> T {
        if self.socket.is_none() {
            return load();
        }
        let (done, wait) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let until = Instant::now() + LOADING_MAX;
                let mut status = "STATUS=opening the ledger\n";
                while Instant::now() < until {
                    self.tell(&format!("{status}{}", extension(EXTENSION)));
                    status = "";
                    if wait.recv_timeout(EXTEND) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            });
            let loaded = load();
            drop(done);
            loaded
        })
    }

    /// Says that requests are answered, and from then on that they still are.
    pub(super) fn ready(&self, bound: &Bound, node: &Arc<Node>) {
        if self.socket.is_none() {
            return;
        }
        let well = format!("answers GetBalance on {}, operators on {}", bound.public, bound.ops);
        self.tell(&format!("READY=1\nSTATUS={well}"));
        let (supervisor, node) = (self.clone(), Arc::clone(node));
        let spawned = thread::Builder::new().name("supervisor".into()).spawn(move || supervisor.watch(&node, well));
        if let Err(error) = spawned {
            warn!(%error, "systemd does not hear that this server is alive");
        }
    }

    /// Says that no further requests are taken, and how long those under way may last.
    pub(super) fn stopping(&self, why: &str, at_most: Duration) {
        self.tell(&format!("STOPPING=1\nSTATUS=stopping: {why}\n{}", extension(at_most + CLOSING_MAX)));
    }

    /// Looks at the server as long as the process lives.
    fn watch(&self, node: &Node, well: String) {
        let interval = self.watchdog.map_or(LOOK, |watchdog| watchdog / 2);
        let mut told = well.clone();
        loop {
            let alive = node.alive(LIMITS);
            if alive.is_ok() && self.watchdog.is_some() {
                self.tell("WATCHDOG=1");
            }
            let status = match &alive {
                Err(silent) => silent,
                Ok(()) if node.store.stats().writable => &well,
                Ok(()) => ops::unwritable(&node.store),
            };
            if status != told && !node.stopping.load(Ordering::SeqCst) {
                self.tell(&format!("STATUS={status}"));
                if let Err(silent) = &alive {
                    error!(silent, "this server does not answer as it should");
                }
                told = status.to_owned();
            }
            thread::sleep(if alive.is_ok() { interval } else { LOOK_AGAIN.min(interval) });
        }
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.0.send_to_addr(message.as_bytes(), &socket.1)
        {
            warn!(%error, "systemd could not be told how this server is");
        }
    }
}

/// The socket of that name: a path, or an abstract name behind `@`.
fn socket(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "it is neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

fn extension(time: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", time.as_micros())
}
