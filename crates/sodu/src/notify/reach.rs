//! Which machines a courier connects to: names become addresses here, and addresses that are not public stay out.
//!
//! The check is made on the very addresses that are then connected to, so that a name that says one thing when it is
//! configured and another when it is used gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Reach;

/// What is said where only addresses that are not public are left.
pub(super) const NOT_PUBLIC: &str = "its address is not public, and targets inside this network are not allowed; name a \
    machine that can be reached from the internet";

/// How names become addresses.
#[derive(Clone)]
pub(super) struct Names {
    hosts: Arc<[(String, IpAddr)]>,
    reach: Reach,
}

impl Names {
    pub(super) fn new(hosts: &[(String, IpAddr)], reach: Reach) -> Names {
        Names { hosts: hosts.into(), reach }
    }

    /// The addresses of `host`, a name or an address, that may be connected to: at least one.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let own: Vec<SocketAddr> = self
            .hosts
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(host))
            .map(|(_, address)| SocketAddr::new(*address, port))
            .collect();
        let found = if own.is_empty() { tokio::net::lookup_host((host, port)).await?.collect() } else { own };
        self.admitted(found)
    }

    fn admitted(&self, mut addresses: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        addresses.retain(|address| self.admits(address.ip()));
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, NOT_PUBLIC));
        }
        Ok(addresses)
    }

    /// Whether that address may be connected to.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        match self.reach {
            Reach::Anywhere => true,
            Reach::PublicOnly => is_public(address),
        }
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            // Port 0 stands for the one in the URL, or the usual one.
            let addresses = names.addresses(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether the address belongs to a machine on the internet, rather than to this network or to nobody (the registries of
/// special-purpose addresses, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // What a cloud answers its own machines with lies here too (169.254.169.254, 100.100.100.200), but for one address.
    const AZURE_PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let [a, b, c, _] = address.octets();
    let is_special = match a {
        0 | 10 | 127 => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        198 => b & 0xfe == 18 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        // Multicast, reserved and broadcast.
        224.. => true,
        _ => false,
    };
    !is_special && address != AZURE_PLATFORM
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An IPv4 address inside leads where it would lead by itself: mapped, or through a translator (RFC 6052).
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let is_global_unicast = segments[0] & 0xe000 == 0x2000;
    // Protocols (Teredo among them), documentation, 6to4.
    let is_special =
        matches!(segments, [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..]);
    is_global_unicast && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_on_the_internet_are_public_and_nothing_else_is() {
        let public = [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2001:200::1",
            "2400:cb00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ];
        for text in public {
            assert!(is_public(text.parse().expect(text)), "{text}");
        }
        let special = [
            "0.0.0.0",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in special {
            assert!(!is_public(text.parse().expect(text)), "{text}");
        }
    }

    #[test]
    fn of_a_name_with_both_kinds_of_addresses_the_public_ones_are_left() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        let mixed = ["10.0.0.1:443", "1.1.1.1:443", "[::1]:443", "[2606:4700::1111]:443"];
        let outside = Names::new(&[], Reach::PublicOnly);
        let left = outside.admitted(addresses(&mixed)).expect("two of them");
        assert_eq!(left, addresses(&["1.1.1.1:443", "[2606:4700::1111]:443"]) as Vec<SocketAddr>);
        assert_eq!(outside.admitted(addresses(&mixed[..1])).expect_err("none").to_string(), NOT_PUBLIC);
        let anywhere = Names::new(&[], Reach::Anywhere);
        assert_eq!(anywhere.admitted(addresses(&mixed)).expect("all").len(), 4);
    }
}
