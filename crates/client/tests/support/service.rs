/// The published success (esms-wire, section 1).
pub const PUBLISHED: &str = r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#;

/// A charge of 350, as sodu answers it.
pub const MOVED: &str = r#"{"entry":{"account":9999,"number":3,"kind":"charge","amount":"350","posted_after":"36343",
"held_after":"0","balance_after":"36343","credit_limit":"0","status":"active","at":"2026-07-01T00:00:00.000000Z",
"recorded_at":"2026-07-01T00:00:00.000000Z","key":"k","reference":"sms-77","reason":null,"metadata":{},"by":"gateway",
"hash":"00"},"account":{"id":9999,"currency":"VND","status":"active","balance":"36343","posted":"36343","held":"0",
"available":"36343","credit_limit":"0","last_entry":3},"replayed":false}"#;

/// A service on this machine that answers every request alike, for examples; its address.
pub fn answering(status: &'static str, body: &'static str) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.trim().to_ascii_lowercase();
                length = header.strip_prefix("content-length: ").map_or(length, |text| text.parse().unwrap_or(0));
                line.clear();
            }
            let mut request = vec![0; length];
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.read_exact(&mut request);
            let _ = stream.get_mut().write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}
