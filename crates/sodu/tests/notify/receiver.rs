//! An HTTP server that does to each connection what a test says, in order; the last of it to all further ones.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection, encrypted or not.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// What happens once the request was read.
pub(crate) type Act = fn(&mut dyn Stream);

/// A request that came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    pub(crate) port: u16,
    /// What connections came, spoken on or not.
    connections: Arc<Mutex<usize>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub(crate) fn that(acts: &[Act]) -> Receiver {
        Receiver::with(acts, None)
    }

    /// One that speaks TLS.
    pub(crate) fn secure(acts: &[Act], tls: Arc<ServerConfig>) -> Receiver {
        Receiver::with(acts, Some(tls))
    }

    fn with(acts: &[Act], tls: Option<Arc<ServerConfig>>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let receiver = Receiver { port, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&receiver.connections), Arc::clone(&receiver.requests));
        let acts = acts.to_vec();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().flatten().enumerate() {
                *connections.lock().expect("no panic") += 1;
                let act = *acts.get(index).or(acts.last()).expect("something to do");
                let (requests, tls) = (Arc::clone(&requests), tls.clone());
                thread::spawn(move || {
                    let stream: Box<dyn Stream> = match tls {
                        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).expect("a session"), stream)),
                        None => Box::new(stream),
                    };
                    let mut stream = BufReader::new(stream);
                    // A client that does not trust the certificate sends nothing.
                    if let Some(request) = read_request(&mut stream) {
                        requests.lock().expect("no panic").push(request);
                        act(stream.get_mut());
                    }
                });
            }
        });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?token=s3cret", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().expect("no panic")
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The one request that came.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1);
        requests[0].clone()
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let len = headers.get("content-length").map_or(0, |len| len.parse().expect("a length"));
    let mut body = vec![0; len];
    stream.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).expect("UTF-8") })
}

/// Writes, and leaves it to the client to be gone already.
pub(crate) fn say(stream: &mut dyn Stream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
    let _ = stream.flush();
}

/// A whole answer, and the last one on its connection: who is not told so may send the next request into its end.
pub(crate) fn answer(stream: &mut dyn Stream, status: &str, headers: &str, body: &str) {
    let len = body.len();
    say(stream, format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {len}\r\n\r\n{body}"));
}

pub(crate) fn ok(stream: &mut dyn Stream) {
    answer(stream, "200 OK", "", "ok");
}

/// Waits until the client is gone.
pub(crate) fn hang(stream: &mut dyn Stream) {
    let _ = stream.read(&mut [0; 64]);
}

/// A certificate for those names as PEM, and a server's side of TLS with it.
pub(crate) fn certificate(names: &[&str]) -> (String, Arc<ServerConfig>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    (made.cert.pem(), Arc::new(config))
}
