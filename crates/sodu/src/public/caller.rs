//! Which address a request comes from, as far as it can be believed.
//!
//! What a client says about itself is worth nothing, what a trusted proxy says about its peer is worth everything. So
//! X-Forwarded-For is read from the right, where our own proxy wrote, and no further than the first address that is not
//! a trusted proxy itself: everything left of that came from the client. From an untrusted peer it is not read at all.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source {
    address: IpAddr,
    is_proxy: bool,
}

impl Source {
    /// The source at `address`, which may be a trusted proxy.
    pub(super) fn new(address: IpAddr, trusted_proxies: &[IpNet]) -> Source {
        let address = address.to_canonical();
        Source { address, is_proxy: is_trusted(address, trusted_proxies) }
    }

    /// Whether its word about the caller is taken.
    pub(super) fn is_proxy(self) -> bool {
        self.is_proxy
    }

    /// The address of whoever made a request with these headers.
    ///
    /// Where the chain cannot be followed (garbage, `unknown`), it is the last trusted address before that: an
    /// allow-list then refuses, which is the safe side.
    pub(super) fn caller(self, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
        if !self.is_proxy {
            return self.address;
        }
        let mut last = self.address;
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        for line in lines.into_iter().rev() {
            // Bytes that are no text make the line's items unreadable, not those of the lines after it.
            let Ok(line) = line.to_str() else { return last };
            for item in line.rsplit(',') {
                let Some(address) = address(item.trim()) else { return last };
                if !is_trusted(address, trusted_proxies) {
                    return address;
                }
                last = address;
            }
        }
        last
    }
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(item: &str) -> Option<IpAddr> {
    let bracketed = || item.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || item.parse().ok().map(|address: SocketAddr| address.ip());
    let address = item.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    /// The caller behind `peer` with these X-Forwarded-For lines, where 10.0.0.0/8 and fd00::/8 are trusted.
    #[track_caller]
    fn check(peer: &str, lines: &[&str], expected: &str) {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a header value"));
        }
        let source = Source::new(peer.parse().expect("an address"), &trusted);
        assert_eq!(source.caller(&headers, &trusted).to_string(), expected, "{peer} {lines:?}");
    }

    #[test]
    fn an_untrusted_peer_speaks_for_nobody() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("192.0.2.1", &[], "192.0.2.1");
        check("::ffff:192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_caller() {
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7");
        check("10.0.0.1", &["203.0.113.9", "198.51.100.7,10.0.0.2", "10.0.0.3"], "198.51.100.7");
        check("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        check("fd00::1", &["2001:db8::7"], "2001:db8::7");
        check("fd00::1", &["[2001:db8::7]"], "2001:db8::7");
        check("fd00::1", &["[2001:DB8::7]:4711"], "2001:db8::7");
        check("fd00::1", &["198.51.100.7:4711"], "198.51.100.7");
        check("fd00::1", &["  198.51.100.7  "], "198.51.100.7");
        check("fd00::1", &["::ffff:198.51.100.7, [::ffff:10.0.0.2]"], "198.51.100.7");
    }

    #[test]
    fn a_chain_that_cannot_be_followed_ends_at_the_last_trusted_address() {
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        check("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &[""], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7,"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7 203.0.113.9"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7", "dấu", "10.0.0.2"], "10.0.0.2");
    }
}
