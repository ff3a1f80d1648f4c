//! Who listens on a port, as the kernel tells in `/proc` (proc_pid_net(5), proc_pid_fd(5)).
//!
//! The listening sockets of all users can be read by everyone; which process has one, only by its own user and root.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listening {
    address: SocketAddr,
    pub(super) uid: u32,
    inode: u64,
}

/// All sockets that would get connections to `address`.
pub(super) fn listening(address: SocketAddr) -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let all = tables.iter().flat_map(|table| table.lines()).filter_map(listening_line);
    all.filter(|socket| socket.meets(address)).collect()
}

impl Listening {
    fn meets(&self, address: SocketAddr) -> bool {
        let (own, other) = (self.address.ip().to_canonical(), address.ip().to_canonical());
        self.address.port() == address.port() && (own == other || own.is_unspecified() || other.is_unspecified())
    }

    /// Whether that process has it; nothing where that cannot be seen.
    pub(super) fn is_of(&self, pid: i32) -> Option<bool> {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let name = format!("socket:[{}]", self.inode);
        let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        Some(links.into_iter().any(|link| link.as_os_str() == name.as_str()))
    }

    /// The process that has it, where that can be seen: its number and its name.
    pub(super) fn process(&self) -> Option<(i32, String)> {
        let processes = fs::read_dir("/proc").ok()?;
        let mut pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let pid = pids.find(|pid| self.is_of(*pid) == Some(true))?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some((pid, name.trim().to_owned()))
    }
}

/// Reads a line of the table: number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
fn listening_line(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listening { address: SocketAddr::new(ip(address)?, port), uid, inode })
}

/// An address in hexadecimal: words of 32 bits, each in the byte order of this machine.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_own_listeners_are_found_under_every_address_that_meets_them() {
        let pid = i32::try_from(std::process::id()).expect("a number");
        let one = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = one.local_addr().expect("an address");
        for asked in [address, SocketAddr::new([0, 0, 0, 0].into(), address.port())] {
            let found = listening(asked);
            assert_eq!(found.iter().map(|socket| socket.is_of(pid)).collect::<Vec<_>>(), [Some(true)], "{found:?}");
            assert_eq!(found[0].process().map(|(pid, _)| pid), Some(pid));
        }
        assert_eq!(listening(SocketAddr::new([127, 0, 0, 2].into(), address.port())), []);
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let six = "00000000000000000000000001000000";
        if cfg!(target_endian = "little") {
            assert_eq!(ip("0100007F"), Some(Ipv4Addr::LOCALHOST.into()));
            assert_eq!(ip(six), Some(Ipv6Addr::LOCALHOST.into()));
        }
        assert_eq!(ip("xyz"), None);
    }
}
