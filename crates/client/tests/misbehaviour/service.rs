//! A service that does to each connection what a test says, in order; the last of it to all further ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sodu_client::{Balance, Client, Error, Settings};

/// The keys of every test, which no output may show.
pub(crate) const API_KEY: &str = "6AD1E2F3059B4C7D8E9FA0B1C2D3E4";
pub(crate) const SECRET_KEY: &str = "F0E1D2C3B4A5968778695A4B3C2D1E";

/// What happens once the request was read.
pub(crate) type Act = fn(&mut TcpStream);

pub(crate) struct Service {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Does `acts` to the connections that come.
    pub(crate) fn that(acts: &[Act]) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, acts) = (Arc::clone(&requests), acts.to_vec());
        thread::spawn(move || {
            for (index, stream) in listener.incoming().flatten().enumerate() {
                let act = *acts.get(index).or(acts.last()).expect("something to do");
                let seen = Arc::clone(&seen);
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    seen.lock().expect("no panic").push(read_request(&mut stream));
                    act(stream.get_mut());
                });
            }
        });
        Service { address, requests }
    }

    /// Every request that came, whole.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }

    pub(crate) async fn balance_with(&self, settings: Settings) -> Result<Balance, Error> {
        Client::with(&self.address, API_KEY, SECRET_KEY, settings).expect("a client").balance().await
    }

    /// A balance, asked for once and without retries.
    pub(crate) async fn balance(&self) -> Result<Balance, Error> {
        self.balance_with(Settings { retries_max: 0, ..Settings::default() }).await
    }
}

fn read_request(stream: &mut BufReader<TcpStream>) -> String {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if stream.read_line(&mut head).unwrap_or(0) <= 2 {
            break;
        }
        let line = head[start..].trim().to_ascii_lowercase();
        length = line.strip_prefix("content-length: ").map_or(length, |text| text.parse().expect("a length"));
    }
    let mut body = vec![0; length];
    // A client that went away has sent nothing that a test could look at.
    let _ = stream.read_exact(&mut body);
    head + &String::from_utf8_lossy(&body)
}

/// Writes, and leaves it to the client to be gone already.
pub(crate) fn say(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// A whole answer.
pub(crate) fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    say(stream, format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()));
    say(stream, body);
}

/// The published success (esms-wire, section 1).
pub(crate) fn good(stream: &mut TcpStream) {
    answer(stream, "200 OK", "", r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#);
}

/// Waits until the client is gone.
pub(crate) fn hang(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 64]);
}
