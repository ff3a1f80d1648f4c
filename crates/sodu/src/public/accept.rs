//! One public thread: accepts connections, keeps an eye on them, and lets them finish when the server stops.
//!
//! At the limit on connections it stops accepting, so that further clients wait in the kernel's queue; when files or
//! memory run out it waits a moment instead of spinning. Both say so in the log, at most every ten seconds.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::Rules;
use super::connection::{self, Thread};
use super::vigil::Watch;
use crate::serve::Beat;

/// How long to wait after an accept that failed for want of files or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long a warning holds its peace after it was given.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Serves `listener` until `stop` names a deadline, and then what is still open until that.
pub(super) async fn serve(
    listener: TcpListener,
    rules: Arc<Rules>,
    mut stop: watch::Receiver<Option<Instant>>,
    beat: Beat,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let watch = Arc::new(Watch::new(rules.header_timeout, rules.idle_timeout));
    let thread = Arc::new(Thread {
        tally: rules.node.metrics.tally(),
        tls: rules.tls.clone().map(TlsAcceptor::from),
        http: connection::http(),
        watch: Arc::clone(&watch),
        rules,
    });
    tokio::select! {
        () = accept(&listener, &thread) => {}
        () = watch.sweep() => {}
        () = beat.go_on() => {}
        _ = stop.wait_for(Option::is_some) => {}
    }
    drop(listener);
    watch.drain();
    let deadline = stop.borrow().unwrap_or_else(Instant::now);
    tokio::select! {
        () = watch.all_closed() => {}
        () = watch.sweep() => {}
        () = tokio::time::sleep_until(deadline.into()) => {}
    }
    Ok(())
}

/// Accepts for ever.
async fn accept(listener: &tokio::net::TcpListener, thread: &Arc<Thread>) {
    let (mut full, mut exhausted) = (Warning::default(), Warning::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let permit = permit(thread, &mut full).await;
                tokio::spawn(open(stream, peer.ip(), Arc::clone(thread), permit));
            }
            Err(error) if is_exhaustion(&error) => {
                if exhausted.is_due() {
                    warn!(%error, "nobody can be accepted; raise the limit on open files or lower connections_max");
                }
                tokio::time::sleep(BACK_OFF).await;
            }
            // The client has gone while it waited in the queue.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn permit(thread: &Thread, full: &mut Warning) -> OwnedSemaphorePermit {
    let connections = Arc::clone(&thread.rules.connections);
    if connections.available_permits() == 0 && full.is_due() {
        warn!("connections_max is reached: further clients wait until one leaves");
    }
    connections.acquire_owned().await.expect("the semaphore is never closed")
}

/// One connection, from accept to close.
async fn open(stream: TcpStream, peer: std::net::IpAddr, thread: Arc<Thread>, permit: OwnedSemaphorePermit) {
    thread.tally.opened();
    connection::serve(stream, peer.to_canonical(), &thread).await;
    thread.tally.closed();
    drop(permit);
}

/// Whether nothing can be accepted before something is closed elsewhere (accept(2)).
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhaustion = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    exhaustion.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// A warning that is given now and then, however often its cause occurs.
#[derive(Default)]
struct Warning(Option<Instant>);

impl Warning {
    fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|given| given.elapsed() >= WARNING_INTERVAL);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}
