//! A mail server as RFC 5321 has it, with STARTTLS and AUTH PLAIN, that says to a step what a test wants it to say.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What it offers and demands.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    /// With what it speaks TLS, where it does.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Whether it does so from the first byte.
    pub(crate) is_implicit: bool,
    /// User and password, where it wants them.
    pub(crate) user: Option<(&'static str, &'static str)>,
    /// What it says where a line begins so (`<` is the connection, `.` the end of the mail), instead of what is right; an
    /// empty answer is none, and it waits for the client to go.
    pub(crate) says: Vec<(&'static str, &'static str)>,
}

/// A mail that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Headers and body, as they came.
    pub(crate) data: String,
    pub(crate) is_encrypted: bool,
    pub(crate) is_user: bool,
}

pub(crate) struct MailServer {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<Taken>>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) fn with(setup: Setup) -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = MailServer { port, mails: Arc::default(), lines: Arc::default() };
        let (mails, lines) = (Arc::clone(&server.mails), Arc::clone(&server.lines));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (setup, mails, lines) = (setup.clone(), Arc::clone(&mails), Arc::clone(&lines));
                // The client may leave whenever it wants to.
                thread::spawn(move || drop(Session::new(stream, setup, mails, lines).run()));
            }
        });
        server
    }

    pub(crate) fn mails(&self) -> Vec<Taken> {
        self.mails.lock().expect("no panic").clone()
    }

    /// What clients said, line by line, without their mails.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// Between the two.
    Gone,
}

struct Session {
    stream: Stream,
    setup: Setup,
    mails: Arc<Mutex<Vec<Taken>>>,
    lines: Arc<Mutex<Vec<String>>>,
    is_user: bool,
}

impl Session {
    fn new(stream: TcpStream, setup: Setup, mails: Arc<Mutex<Vec<Taken>>>, lines: Arc<Mutex<Vec<String>>>) -> Session {
        Session { stream: Stream::Plain(stream), setup, mails, lines, is_user: false }
    }

    fn run(mut self) -> io::Result<()> {
        if self.setup.is_implicit {
            self.encrypt()?;
        }
        self.say("<", "220 mail.example.test ESMTP")?;
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let line = self.line()?;
            self.lines.lock().expect("no panic").push(line.clone());
            match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let starttls =
                        if self.setup.tls.is_some() && !self.is_encrypted() { "250-STARTTLS\r\n" } else { "" };
                    let auth = if self.setup.user.is_some() { "250-AUTH PLAIN\r\n" } else { "" };
                    self.say("EHLO", &format!("250-mail.example.test\r\n{starttls}{auth}250 8BITMIME"))?;
                }
                "STARTTLS" => {
                    self.say("STARTTLS", "220 go ahead")?;
                    self.encrypt()?;
                }
                "AUTH" => self.authenticate(&line)?,
                "MAIL" => {
                    from = line;
                    self.say("MAIL", "250 ok")?;
                }
                "RCPT" => {
                    to = line;
                    self.say("RCPT", "250 ok")?;
                }
                "DATA" if self.is_told("DATA") => self.say("DATA", "")?,
                "DATA" => {
                    self.say("DATA", "354 end with a full stop")?;
                    let data = self.data()?;
                    let (is_encrypted, is_user) = (self.is_encrypted(), self.is_user);
                    let taken = Taken { from: from.clone(), to: to.clone(), data, is_encrypted, is_user };
                    self.mails.lock().expect("no panic").push(taken);
                    self.say(".", "250 taken")?;
                }
                "QUIT" => return self.say("QUIT", "221 bye"),
                _ => self.say("?", "502 what?")?,
            }
        }
    }

    fn authenticate(&mut self, line: &str) -> io::Result<()> {
        let wanted = self.setup.user.map(|(user, password)| STANDARD.encode(format!("\0{user}\0{password}")));
        self.is_user = line.strip_prefix("AUTH PLAIN ") == wanted.as_deref();
        let right = if self.is_user { "235 welcome" } else { "535 5.7.8 wrong user or password" };
        self.say("AUTH", right)
    }

    /// What follows DATA, with its doubled full stops made single again.
    fn data(&mut self) -> io::Result<String> {
        let mut data = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(data);
            }
            data += line.strip_prefix('.').unwrap_or(&line);
            data += "\r\n";
        }
    }

    /// Whether the test wants something else said to that step.
    fn is_told(&self, step: &str) -> bool {
        self.setup.says.iter().any(|(begin, _)| *begin == step)
    }

    fn say(&mut self, step: &str, right: &str) -> io::Result<()> {
        let wanted = self.setup.says.iter().find(|(begin, _)| *begin == step);
        let said = wanted.map_or(right, |(_, said)| said);
        if said.is_empty() {
            let _ = self.stream.read(&mut [0]);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.stream.write_all(format!("{said}\r\n").as_bytes())?;
        self.stream.flush()
    }

    /// One line, byte by byte, so that nothing of what follows STARTTLS is read too early.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(io::Error::other)
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Encrypted(_))
    }

    fn encrypt(&mut self) -> io::Result<()> {
        let tls = self.setup.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let session = ServerConnection::new(tls).map_err(io::Error::other)?;
        if let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) {
            self.stream = Stream::Encrypted(Box::new(StreamOwned::new(session, stream)));
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(bytes),
            Stream::Encrypted(stream) => stream.read(bytes),
            Stream::Gone => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Encrypted(stream) => stream.write(bytes),
            Stream::Gone => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Encrypted(stream) => stream.flush(),
            Stream::Gone => Ok(()),
        }
    }
}
