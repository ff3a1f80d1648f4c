//! Listening sockets: one, or one a thread on the same port.
//!
//! With SO_REUSEPORT the kernel spreads connections over several sockets without a lock between them, but it would also
//! let a second sodu of the same user take half of the first one's callers without a word. So a port is first bound
//! without it, which fails if anyone listens there. Errors name the address and the flag that changes it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Which port is taken when the wanted one is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// None: that is an error.
    Exact,
    /// The next free one, up to 20 further.
    NextFree,
}

/// How many connections may wait to be accepted; the kernel lowers it to its own limit (`somaxconn`).
const BACKLOG: i32 = 4096;

/// How far [`PortChoice::NextFree`] looks.
const FURTHER_MAX: u16 = 20;

/// `count` sockets that listen on the same address; all of them have the port that the first one got.
pub(crate) fn listeners(
    wanted: SocketAddr,
    choice: PortChoice,
    count: usize,
    flag: &'static str,
) -> Result<Vec<TcpListener>, BindError> {
    let further = match choice {
        PortChoice::NextFree if wanted.port() != 0 => FURTHER_MAX,
        PortChoice::NextFree | PortChoice::Exact => 0,
    };
    let mut attempt = at(wanted, count);
    for port in (wanted.port()..=wanted.port().saturating_add(further)).skip(1) {
        match &attempt {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                attempt = at(SocketAddr::new(wanted.ip(), port), count);
            }
            Ok(_) | Err(_) => break,
        }
    }
    attempt.map_err(|cause| BindError { wanted, further, flag, cause })
}

/// Whether a server could take `address`; nobody is listened to, and it is free again when this returns.
pub(crate) fn try_address(address: SocketAddr) -> io::Result<()> {
    bound(address, false).map(drop)
}

fn at(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if count == 1 {
        return Ok(vec![listener(address, false)?]);
    }
    if address.port() != 0 {
        drop(listener(address, false)?);
    }
    // For port 0 the kernel gives a port that nobody has, SO_REUSEPORT or not.
    let first = listener(address, true)?;
    let address = first.local_addr()?;
    let others = (1..count).map(|_| listener(address, true));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listener(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = bound(address, reuse_port)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of an earlier process that are still in TIME_WAIT must not keep the port taken.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.ip().is_unspecified() && address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// An address that could not be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    wanted: SocketAddr,
    further: u16,
    flag: &'static str,
    cause: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { wanted, further, flag, cause } = self;
        let is = |kind| cause.kind() == kind;
        if is(io::ErrorKind::AddrInUse) && *further > 0 {
            write!(f, "{wanted} is already in use, and so are the {further} ports after it")?;
        } else if is(io::ErrorKind::AddrInUse) {
            write!(f, "{wanted} is already in use by another program, or by another sodu")?;
        } else if is(io::ErrorKind::AddrNotAvailable) {
            write!(f, "{wanted} is not an address of this machine")?;
        } else if is(io::ErrorKind::PermissionDenied) {
            write!(f, "this user may not listen on {wanted} (ports below 1024 need CAP_NET_BIND_SERVICE)")?;
        } else {
            write!(f, "cannot listen on {wanted}: {cause}")?;
        }
        write!(f, "; choose another with {flag}")
    }
}

impl std::error::Error for BindError {}
