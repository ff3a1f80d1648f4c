//! The PROXY protocol, version 2: a trusted proxy says whose connection this is before it says anything else.
//!
//! Only connections from trusted proxies come here. They may also begin with TLS or HTTP at once (a proxy that uses
//! X-Forwarded-For, a health check), so what was read and is no header is put back. Version 1, the text form, is not
//! understood.
//! Source: the PROXY protocol, HAProxy Technologies, section 2.2.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Signature, version and command, family, and the length of the rest.
const FIXED_LEN: usize = 16;

/// The longest header that is taken: addresses need 36 bytes, and proxies add a few hundred of other facts.
const HEADER_LEN_MAX: usize = 4096;

/// Reads the header off the front of `stream`, if there is one: the stream behind it, and the address it names.
///
/// The address is `None` without header, for the proxy's own connections (LOCAL), and for addresses that are not IP.
///
/// # Errors
/// A header that is broken or too long, or a connection that breaks off in it.
pub(super) async fn read(mut stream: TcpStream) -> io::Result<(Unread, Option<IpAddr>)> {
    let mut read = Vec::with_capacity(FIXED_LEN);
    while read.len() < FIXED_LEN {
        let missing = FIXED_LEN - read.len();
        let ended = (&mut stream).take(missing as u64).read_buf(&mut read).await? == 0;
        let compared = read.len().min(PROTOCOL_PREFIX.len());
        if ended || read[..compared] != PROTOCOL_PREFIX[..compared] {
            return Ok((Unread { stream, read, given: 0 }, None));
        }
    }
    let length = FIXED_LEN + usize::from(u16::from_be_bytes([read[14], read[15]]));
    if length > HEADER_LEN_MAX {
        return Err(io::Error::other("the PROXY header is too long"));
    }
    read.resize(length, 0);
    stream.read_exact(&mut read[FIXED_LEN..]).await?;
    let header = Header::try_from(read.as_slice()).map_err(|_| io::Error::other("the PROXY header is broken"))?;
    let address = match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(addresses)) => Some(IpAddr::V4(addresses.source_address)),
        (Command::Proxy, Addresses::IPv6(addresses)) => Some(IpAddr::V6(addresses.source_address)),
        (Command::Proxy, Addresses::Unspecified | Addresses::Unix(_)) | (Command::Local, _) => None,
    };
    Ok((Unread::new(stream), address))
}

/// A stream of which some bytes were read and put back.
pub(super) struct Unread {
    stream: TcpStream,
    read: Vec<u8>,
    given: usize,
}

impl Unread {
    /// A stream of which nothing was read.
    pub(super) fn new(stream: TcpStream) -> Unread {
        Unread { stream, read: Vec::new(), given: 0 }
    }
}

impl AsyncRead for Unread {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.given == self.read.len() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let taken = (self.read.len() - self.given).min(buf.remaining());
        buf.put_slice(&self.read[self.given..][..taken]);
        self.given += taken;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Unread {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
