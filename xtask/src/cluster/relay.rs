//! A way between two parties that can be cut and mended: a port of its own, whose connections go on to another address.
//!
//! Cut, it is as silent as a network that lost its cable: nothing moves, no connection ends, and new ones are taken by the
//! kernel and heard by nobody. Mended, what was on its way goes on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// A connection has two threads, which do next to nothing.
const STACK_LEN: usize = 128 << 10;
const BUFFER_LEN: usize = 32 << 10;
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The way. Its threads live as long as the process.
pub(crate) struct Relay {
    address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_cut: Mutex<bool>,
    mended: Condvar,
}

impl Relay {
    pub(crate) fn to(target: SocketAddr) -> Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Relay { address: listener.local_addr()?, gate: Arc::default() };
        let gate = Arc::clone(&relay.gate);
        spawn(move || accept(&listener, target, &gate)).context("a relay cannot start")?;
        Ok(relay)
    }

    /// Where whoever wants to go this way connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cut(&self) {
        *self.gate.is_cut.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub(crate) fn mend(&self) {
        *self.gate.is_cut.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.gate.mended.notify_all();
    }
}

impl Gate {
    /// Waits until the way is whole.
    fn pass(&self) {
        let mut is_cut = self.is_cut.lock().unwrap_or_else(PoisonError::into_inner);
        while *is_cut {
            is_cut = self.mended.wait(is_cut).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, gate: &Arc<Gate>) {
    for client in listener.incoming().flatten() {
        gate.pass();
        let gate = Arc::clone(gate);
        // Where no thread can be had, the connection ends, which whoever made it can bear.
        drop(spawn(move || relay(client, target, &gate)));
    }
}

/// Carries one connection until either side has ended; a target that is down is met as such.
fn relay(client: TcpStream, target: SocketAddr, gate: &Arc<Gate>) {
    let Ok(server) = TcpStream::connect_timeout(&target, CONNECT_MAX) else { return };
    for stream in [&client, &server] {
        // Without it, answers would only be slower.
        drop(stream.set_nodelay(true));
    }
    let (Ok(client_in), Ok(server_out)) = (client.try_clone(), server.try_clone()) else { return };
    let there = Arc::clone(gate);
    if spawn(move || pump(&client_in, &server_out, &there)).is_ok() {
        pump(&server, &client, gate);
    }
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, gate: &Gate) {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let read = from.read(&mut buffer);
        // Also an end is not heard of before the way is whole again.
        gate.pass();
        match read {
            Ok(len) if len > 0 && to.write_all(&buffer[..len]).is_ok() => {}
            Ok(_) | Err(_) => break,
        }
    }
    for stream in [from, to] {
        // One that has ended already is what was wanted.
        drop(stream.shutdown(Shutdown::Both));
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("relay".into()).stack_size(STACK_LEN).spawn(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    #[test]
    fn what_is_cut_is_silent_and_goes_on_when_it_is_mended() {
        let relay = Relay::to(echo()).expect("a relay");
        let mut stream = TcpStream::connect(relay.address()).expect("a connection");
        let mut answer = [0];
        stream.write_all(b"a").expect("sent");
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"a");
        relay.cut();
        stream.write_all(b"b").expect("sent");
        let (heard, hears) = mpsc::channel();
        let listening = thread::spawn(move || {
            stream.read_exact(&mut answer).expect("an answer, some time");
            heard.send(answer).expect("somebody listens");
        });
        let mut later = TcpStream::connect(relay.address()).expect("the kernel takes it");
        later.write_all(b"c").expect("sent");
        assert!(hears.try_recv().is_err(), "nothing comes through");
        relay.mend();
        assert_eq!(&hears.recv().expect("it comes through"), b"b");
        later.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"c");
        listening.join().expect("it heard");
    }

    #[test]
    fn an_end_is_passed_on() {
        let relay = Relay::to(echo()).expect("a relay");
        let mut stream = TcpStream::connect(relay.address()).expect("a connection");
        stream.shutdown(Shutdown::Write).expect("an end");
        assert_eq!(stream.read(&mut [0]).expect("an end too"), 0);
    }
}
