//! A blocking HTTP/1.1 client of two screens: keep-alive over TCP or a Unix socket, content-length and chunked answers.
//!
//! It exists so that the checks depend on no client library that could hide a retry, a pool or a resent request: one
//! call writes one request and reads one answer, and an error means "no answer came", nothing more. No TLS, no
//! redirects, no pipelining.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

/// Longer than any answer may take; a server that hangs fails the check instead of stopping it.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY_LEN_MAX: usize = 64 << 20;

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One request; the body is sent as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The `Idempotency-Key` header.
    pub(crate) key: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// A whole request that is sent again and again, or was written beforehand.
pub(crate) struct Prepared(Vec<u8>);

/// One answer, read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A kept-alive connection. After an error it is spent: open another one.
pub(crate) struct Connection {
    stream: BufReader<Stream>,
}

impl Connection {
    pub(crate) fn open(address: &Address) -> io::Result<Connection> {
        let stream = match address {
            Address::Tcp(address) => return Connection::over(TcpStream::connect(address)?, PATIENCE),
            Address::Unix(path) => UnixStream::connect(path)?,
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(Stream::Unix(stream)) })
    }

    /// A connection whose answers are waited for no longer than `patience`.
    pub(crate) fn open_within(address: SocketAddr, patience: Duration) -> io::Result<Connection> {
        Connection::over(TcpStream::connect_timeout(&address, patience)?, patience)
    }

    /// A connection from an address of this machine that is not the usual one.
    pub(crate) fn open_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<Connection> {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddr::from((source, 0)))?;
        connect(&socket, &address)?;
        Connection::over(socket.into(), PATIENCE)
    }

    fn over(stream: TcpStream, patience: Duration) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Connection { stream: BufReader::new(Stream::Tcp(stream)) })
    }

    /// Sends what was prepared and waits for the whole answer.
    pub(crate) fn send(&mut self, request: &Prepared) -> io::Result<Reply> {
        self.stream.get_mut().write_all(&request.0)?;
        read_reply(&mut self.stream)
    }

    /// Sends `request` and waits for its whole answer.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> io::Result<Reply> {
        self.stream.get_mut().write_all(&request.bytes())?;
        read_reply(&mut self.stream)
    }
}

impl Request<'_> {
    /// The request with an operator's token, to be sent later.
    pub(crate) fn prepared(&self, token: &str) -> Prepared {
        Prepared(self.with(&format!("Authorization: Bearer {token}\r\n")))
    }

    /// The request as over the socket, which needs no token, to be sent later.
    pub(crate) fn prepared_for_socket(&self) -> Prepared {
        Prepared(self.bytes())
    }

    /// The request with a token where there is one, to be sent later.
    pub(crate) fn prepared_with(&self, token: Option<&str>) -> Prepared {
        token.map_or_else(|| self.prepared_for_socket(), |token| self.prepared(token))
    }

    /// The request as it goes over the wire.
    fn bytes(&self) -> Vec<u8> {
        self.with("")
    }

    fn with(&self, headers: &str) -> Vec<u8> {
        let Request { method, path, key, body } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        if !body.is_empty() {
            text.push_str("Content-Type: application/json\r\n");
        }
        if let Some(key) = key {
            text.push_str(&format!("Idempotency-Key: {key}\r\n"));
        }
        text.push_str(headers);
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }
}

fn read_reply(stream: &mut impl BufRead) -> io::Result<Reply> {
    let status_line = read_line(stream)?;
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| malformed(&status_line))?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| malformed(&line))?;
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
    }
    let body = if chunked { read_chunks(stream)? } else { read_exactly(stream, length)? };
    Ok(Reply { status, body })
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).map_err(|_| malformed(&line))?;
        body.extend(read_exactly(stream, length)?);
        read_line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    if length > BODY_LEN_MAX {
        return Err(malformed(&format!("a body of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 answer: {what:?}"))
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_end_and_not_further() {
        let mut two =
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
                .as_bytes();
        assert_eq!(read_reply(&mut two).expect("well-formed"), Reply { status: 201, body: b"ab".to_vec() });
        assert_eq!(read_reply(&mut two).expect("well-formed"), Reply { status: 404, body: Vec::new() });
    }

    #[test]
    fn chunks_are_joined() {
        let mut text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n".as_bytes();
        assert_eq!(read_reply(&mut text).expect("well-formed").body, b"abcd");
    }

    #[test]
    fn half_an_answer_is_no_answer() {
        let mut cut = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nab".as_bytes();
        assert!(read_reply(&mut cut).is_err());
        let mut none = "".as_bytes();
        assert!(read_reply(&mut none).is_err());
    }
}
