//! The server under systemd, whose place the test takes: what it is told, and in which order.

use std::net::{SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::common::{Server, Sodu, run};

/// What systemd hears.
pub(crate) struct Ear(UnixDatagram);

impl Ear {
    pub(crate) fn at(sodu: &Sodu) -> Ear {
        Ear::of(UnixDatagram::bind(sodu.path("notify")).expect("a socket"))
    }

    fn of(socket: UnixDatagram) -> Ear {
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        Ear(socket)
    }

    pub(crate) fn next(&self) -> String {
        let mut message = [0; 1024];
        let len = self.0.recv(&mut message).expect("a message in time");
        String::from_utf8_lossy(&message[..len]).into_owned()
    }

    /// The next message that has this line.
    pub(crate) fn next_with(&self, line: &str) -> String {
        std::iter::repeat_with(|| self.next()).find(|message| has(message, line)).expect("there is no end")
    }

    /// All that was said, when nobody is left to speak.
    fn rest(self) -> Vec<String> {
        self.0.set_nonblocking(true).expect("a mode");
        let next = || {
            let mut message = [0; 1024];
            let len = self.0.recv(&mut message).ok()?;
            Some(String::from_utf8_lossy(&message[..len]).into_owned())
        };
        std::iter::from_fn(next).collect()
    }
}

fn has(message: &str, line: &str) -> bool {
    message.lines().any(|found| found == line)
}

pub(crate) fn serve(sodu: &Sodu, socket: &str) -> Command {
    let mut command = sodu.command(&["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"]);
    command.env("NOTIFY_SOCKET", socket);
    command
}

pub(crate) fn path(sodu: &Sodu) -> String {
    sodu.path("notify").display().to_string()
}

#[test]
fn systemd_hears_of_loading_readiness_life_and_the_end() {
    let sodu = Sodu::with_account();
    let ear = Ear::at(&sodu);
    let server = Server::spawn(serve(&sodu, &path(&sodu)).env("WATCHDOG_USEC", "200000"));
    let loading = ear.next();
    assert!(has(&loading, "STATUS=opening the ledger") && has(&loading, "EXTEND_TIMEOUT_USEC=60000000"), "{loading}");
    let ready = ear.next_with("READY=1");
    let status = ready.lines().find_map(|line| line.strip_prefix("STATUS=answers GetBalance on ")).expect("a status");
    let (public, ops) = status.split_once(", operators on ").expect("both addresses");
    for address in [public, ops] {
        let address: SocketAddr = address.parse().expect("an address");
        TcpStream::connect(address).expect("it listens before it says that it is ready");
    }
    for _ in 0..3 {
        ear.next_with("WATCHDOG=1");
    }
    assert_eq!(server.end(Signal::TERM).code(), Some(0));
    let stopping = ear.next_with("STOPPING=1");
    assert!(has(&stopping, "STATUS=stopping: SIGTERM") && has(&stopping, "EXTEND_TIMEOUT_USEC=30000000"), "{stopping}");
}

#[test]
fn an_abstract_name_is_a_socket_too() {
    let sodu = Sodu::with_account();
    let name = format!("sodu-test-{}", std::process::id());
    let address = net::SocketAddr::from_abstract_name(&name).expect("a name");
    let ear = Ear::of(UnixDatagram::bind_addr(&address).expect("a socket"));
    let server = Server::spawn(&mut serve(&sodu, &format!("@{name}")));
    ear.next_with("READY=1");
    assert_eq!(server.interrupt().code(), Some(0));
}

#[test]
fn a_watchdog_for_another_process_hears_nothing() {
    let sodu = Sodu::with_account();
    let ear = Ear::at(&sodu);
    let server = Server::spawn(serve(&sodu, &path(&sodu)).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1"));
    ear.next_with("READY=1");
    assert_eq!(server.interrupt().code(), Some(0));
    assert!(ear.rest().iter().all(|message| !has(message, "WATCHDOG=1")));
}

#[test]
fn a_server_that_does_not_start_is_never_ready() {
    let sodu = Sodu::with_account();
    let ear = Ear::at(&sodu);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut command = sodu.command(&["serve", "--listen", &address, "--ops-listen", "127.0.0.1:0"]);
    run(command.env("NOTIFY_SOCKET", path(&sodu))).refused("not_served");
    assert!(ear.rest().iter().all(|message| !has(message, "READY=1")));
}

#[test]
fn a_systemd_that_does_not_listen_stops_nobody() {
    let sodu = Sodu::with_account();
    for socket in ["/nowhere/notify", "vsock:2:1"] {
        let server = Server::spawn(&mut serve(&sodu, socket));
        assert!(server.ready["url"].is_string());
        assert_eq!(server.interrupt().code(), Some(0));
    }
}
