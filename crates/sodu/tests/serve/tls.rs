//! TLS on both faces, against a certificate made for the test.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sodu::config::{Config, TlsFiles};

use crate::common::*;

/// A certificate for `localhost` in that folder.
fn certificate(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.cert, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    (files, made.cert.der().clone())
}

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

fn connect(address: SocketAddr, trusted: &CertificateDer<'static>, front: &[u8]) -> TlsClient {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut tcp = Client::connect(address);
    tcp.send(front);
    Client { stream: std::io::BufReader::new(StreamOwned::new(session, tcp.stream.into_inner())) }
}

#[test]
fn both_faces_speak_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, trusted) = certificate(folder.path());
    let server = Server::with(|config| {
        config.tls = Some(files.clone());
        config.ops_tls = Some(files);
    });
    assert!(server.bound().tls);
    let mut client = connect(server.bound().public, &trusted, b"");
    for _ in 0..3 {
        client.send(call(API_KEY, SECRET_KEY));
        assert_eq!(client.response().said(), (200, SUCCESS));
    }
    assert_eq!(client.stream.get_ref().conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    client.send(post(POST_JSON, " ".repeat(200_000)));
    assert_eq!(client.response().status(), 413, "an answer to what is too large comes through");
    let mut client = connect(server.bound().ops, &trusted, b"");
    client.send(get("/healthz"));
    assert_eq!(client.response().said(), (200, "ok\n"));
    client.send(get("/v1/accounts/9999"));
    assert_eq!(client.response().status(), 401);
    let token = server.operator("anna", store::Role::Read);
    client.send(format!("GET /v1/accounts/9999 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"));
    assert_eq!(client.response().status(), 200);
    let mut plain = server.client();
    plain.send(call(API_KEY, SECRET_KEY));
    assert!(!plain_text(&mut plain).contains("Balance"), "nothing is answered in the clear");
}

fn plain_text(client: &mut Client<TcpStream>) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    // The server's TLS alert is no text, and the connection may be reset.
    let _ = client.stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_proxy_header_comes_before_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, trusted) = certificate(folder.path());
    let server = Server::with(|config| {
        config.tls = Some(files);
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    });
    server.issue(9999, "OFFICE", "S", |new| new.cidrs = vec!["198.51.100.7/32".parse().expect("a network")]);
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x7f\0\0\x01\x12\x34\x01\xbb";
    let mut client = connect(server.bound().public, &trusted, header);
    client.send(call("OFFICE", "S"));
    assert_eq!(client.response().said(), (200, SUCCESS));
    let mut client = connect(server.bound().public, &trusted, b"");
    client.send(call("OFFICE", "S"));
    assert!(client.response().body.contains("\"140\""), "without header it is the proxy itself");
}

#[test]
fn a_client_that_stops_in_the_handshake_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = certificate(folder.path());
    let server = Server::with(|config: &mut Config| {
        config.tls = Some(files);
        config.header_timeout = std::time::Duration::from_millis(150);
    });
    let mut client = server.client();
    client.send(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(client.rest(), "");
}

#[test]
fn errors_name_the_file_and_never_what_is_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = certificate(folder.path());
    let secret_line = std::fs::read_to_string(&files.key).expect("a key").lines().nth(1).expect("a line").to_owned();
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, format!("-----BEGIN PRIVATE KEY-----\n{secret_line}!\n-----END PRIVATE KEY-----\n"))
        .expect("written");
    let (other, _) = {
        let other = folder.path().join("other");
        std::fs::create_dir(&other).expect("a folder");
        certificate(&other)
    };
    let missing = folder.path().join("missing.pem");
    let (cert, key) = (files.cert.clone(), files.key.clone());
    let cases = [
        (missing.clone(), key.clone(), "missing.pem cannot be read: does it exist"),
        (key.clone(), key.clone(), "key.pem holds no PEM section CERTIFICATE"),
        (cert.clone(), cert.clone(), "cert.pem holds no PEM section PRIVATE KEY"),
        (cert.clone(), broken, "broken.pem is damaged"),
        (cert, other.key, "cannot be used together"),
    ];
    for (cert, key, expected) in cases {
        let error = sodu::tls::server(&TlsFiles { cert, key }).expect_err(expected);
        let text = format!("{error:#}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains(&secret_line), "{text}");
    }
}
