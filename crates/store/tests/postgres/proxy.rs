//! A way to the server that can be cut, at the worst of moments.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What the next COMMIT meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Nothing.
    Pass,
    /// It never arrives.
    CutBefore,
    /// It arrives, and its answer does not come back.
    CutAfter,
}

/// The way, on a port of its own.
pub(crate) struct Proxy {
    port: u16,
    fate: Arc<Mutex<Fate>>,
}

impl Proxy {
    /// To the server that listens on that Unix socket.
    pub(crate) fn to(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let fate = Arc::new(Mutex::new(Fate::Pass));
        let for_all = Arc::clone(&fate);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is down is met as such: the connection ends.
                let Ok(server) = UnixStream::connect(&socket) else { continue };
                relay(&client, &server, &for_all);
            }
        });
        Proxy { port, fate }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://sodu@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn next_commit(&self, fate: Fate) {
        *self.fate.lock().expect("no panic") = fate;
    }

    /// Whether what was to meet a COMMIT has met one.
    pub(crate) fn is_done(&self) -> bool {
        *self.fate.lock().expect("no panic") == Fate::Pass
    }
}

fn relay(client: &TcpStream, server: &UnixStream, fate: &Arc<Mutex<Fate>>) {
    let ends = || (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
    let ((client_in, server_out), (client_out, server_in)) = (ends(), ends());
    let (there, back) = (Arc::clone(fate), Arc::clone(fate));
    std::thread::spawn(move || pump(client_in, server_out, Fate::CutBefore, &there));
    std::thread::spawn(move || pump(server_in, client_out, Fate::CutAfter, &back));
}

/// Copies until the end, or up to the COMMIT (the command, or the server's word for it) that meets its fate.
fn pump(mut from: impl Read + End, mut to: impl Write + End, cut: Fate, fate: &Mutex<Fate>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(len) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
        if bytes.windows(7).any(|window| window == b"COMMIT\0") {
            let mut fate = fate.lock().expect("no panic");
            if *fate == cut {
                *fate = Fate::Pass;
                break;
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    from.end();
    to.end();
}

/// The end of a connection, both ways.
trait End {
    fn end(&self);
}

impl End for TcpStream {
    fn end(&self) {
        // One that has ended already is what was wanted.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl End for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}
