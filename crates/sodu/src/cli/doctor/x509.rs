//! The few fields of a certificate that people ask for: its dates and its names (RFC 5280, in DER, X.690).
//!
//! Proves nothing: whether a certificate can be trusted is for clients to judge, and whether it can be served for rustls.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::civil;
use jiff::tz::TimeZone;

/// What a certificate says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Certificate {
    /// Seconds since 1970, as is the next one.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// The hosts and addresses that it is for.
    pub(super) names: Vec<String>,
}

// Tags (X.690 section 8.1.2, RFC 5280 sections 4.1 and 4.2.1.6).
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The extension "subject alternative name", 2.5.29.17.
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

/// Reads a certificate; nothing where it is none.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let certificate = Values(der).expect(SEQUENCE)?;
    let mut fields = Values(Values(certificate).expect(SEQUENCE)?);
    let (tag, _) = fields.next()?;
    if tag == VERSION {
        fields.next()?;
    }
    // The serial number is read; signature and issuer stand before the dates.
    let mut dates = Values(fields.nth(2).filter(|(tag, _)| *tag == SEQUENCE)?.1);
    let (not_before, not_after) = (time(dates.next()?)?, time(dates.next()?)?);
    let extensions =
        fields.find(|(tag, _)| *tag == EXTENSIONS).and_then(|(_, content)| Values(content).expect(SEQUENCE));
    let names = extensions.map(|extensions| names(Values(extensions))).unwrap_or_default();
    Some(Certificate { not_before, not_after, names })
}

fn names(mut extensions: Values<'_>) -> Vec<String> {
    let wanted = extensions.find_map(|(_, extension)| {
        let mut parts = Values(extension);
        let is_wanted = parts.next() == Some((OBJECT, &ALTERNATIVE_NAMES));
        // Whether it is critical may stand between.
        parts.find(|(tag, _)| *tag == OCTETS).filter(|_| is_wanted).map(|(_, octets)| octets)
    });
    let listed = wanted.and_then(|octets| Values(octets).expect(SEQUENCE)).unwrap_or_default();
    let name = |(tag, content): (u8, &[u8])| match tag {
        DNS_NAME => std::str::from_utf8(content).ok().map(str::to_owned),
        IP_ADDRESS => match content.len() {
            4 => <[u8; 4]>::try_from(content).ok().map(|bytes| Ipv4Addr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(content).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    };
    Values(listed).filter_map(name).collect()
}

/// An instant: `YYMMDDhhmmssZ` of 1950 to 2049, or `YYYYMMDDhhmmssZ` (RFC 5280 section 4.1.2.5).
fn time((tag, content): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: i16 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let pair = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let instant = civil::DateTime::new(year, pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?, 0).ok()?;
    Some(instant.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The values that lie one after another, each as tag and content.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// The content of the next value, which has that tag.
    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, short], rest) = self.0.split_first_chunk::<2>()?;
        // From 128 on it says how many bytes the length has.
        let (len, rest) = match usize::from(short) {
            short @ ..0x80 => (short, rest),
            long => {
                let (len, rest) = rest.split_at_checked(long - 0x80).filter(|(len, _)| len.len() <= 4)?;
                (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(names: &[&str], until: i32) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = date_time_ymd(2026, 11, 24);
        params.not_after = date_time_ymd(until, 2, 3);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    #[test]
    fn dates_and_names_are_those_that_were_written() {
        for (until, seconds) in [(2027, 1_801_612_800), (2051, 2_558_995_200)] {
            let read = read(&made(&["sodu.example.com", "127.0.0.1", "::1"], until)).expect("a certificate");
            let names = ["sodu.example.com", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
            assert_eq!(read, Certificate { not_before: 1_795_478_400, not_after: seconds, names });
        }
        assert_eq!(read(&made(&[], 2030)).map(|certificate| certificate.names), Some(Vec::new()));
    }

    #[test]
    fn what_is_cut_off_or_altered_is_no_certificate_or_another() {
        let whole = made(&["a.example.com"], 2030);
        for len in 0..whole.len() {
            assert_eq!(read(&whole[..len]), None, "{len} bytes");
        }
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 0x80;
            // Whatever it is now, reading it ends.
            drop(read(&altered));
        }
    }
}
