//! The road from the watcher to the server, which can be cut: as if the network were down, while the ledger goes on.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    to: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Relay {
    pub(crate) async fn open(to: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Relay { address, to, open: Some(tokio::spawn(pass(listener, to))) }
    }

    /// Ends all connections; further ones are refused.
    pub(crate) async fn cut(&mut self) {
        let open = self.open.take().expect("it is open");
        open.abort();
        // Only once the task is gone is its listener closed.
        open.await.expect_err("it was aborted");
    }

    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.open = Some(tokio::spawn(pass(listener, self.to)));
    }
}

async fn pass(listener: TcpListener, to: SocketAddr) {
    // Dropped with this task, and every connection with it.
    let mut passing = tokio::task::JoinSet::new();
    loop {
        let Ok((mut from, _)) = listener.accept().await else { return };
        passing.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(to).await {
                for stream in [&from, &server] {
                    stream.set_nodelay(true).expect("no delay");
                }
                let _ = tokio::io::copy_bidirectional(&mut from, &mut server).await;
            }
        });
    }
}
