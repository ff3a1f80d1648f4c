//! No key leaves the server: not in a log line of any level of any library, not in a metric, not in an error.

use crate::common::*;

#[test]
fn keys_appear_neither_in_logs_nor_in_metrics_nor_in_errors() {
    let server = Server::with(|config| config.header_timeout = std::time::Duration::from_millis(100));
    let (key, secret) = ("7C0FFEE000000000000000000000AA", "7DEC0DE000000000000000000000BB");
    server.issue(9999, key, secret, |_| {});
    let path = legacy("json", key, secret);
    let requests = [
        call(key, secret),
        call(key, "7DEC0DE000000000000000000000BC"),
        get(&path).into_bytes(),
        get(&format!("{path}/extra")).into_bytes(),
        post(&path, "{}"),
        post(POST_JSON, format!("{key} {secret}")),
        format!("GET {path} HTTP/1.1\r\nContent-Length: {key}\r\n\r\n").into_bytes(),
        format!("GET {path} HTTP/9.9\r\n\r\n").into_bytes(),
        format!("GET {path} {secret}\r\n\r\n").into_bytes(),
        // A head that never ends, and so is cut off.
        format!("GET {path} HTTP/1.1\r\nX: ").into_bytes(),
    ];
    let mut answers = String::new();
    for request in requests {
        let mut client = server.client();
        client.send(request);
        client.stream.get_ref().shutdown(std::net::Shutdown::Write).expect("shut down");
        answers += &client.rest();
    }
    server.ops(&path);
    let mut local = server.local();
    local.send(get(&format!("/v1/nowhere/{key}/{secret}")));
    local.response();
    let metrics = server.ops("/metrics").body;
    assert!(metrics.contains("sodu_requests_total"), "there are metrics");
    drop(server);
    let logged = logged();
    assert!(logged.contains("listening"), "there are log lines");
    for text in [&answers, &metrics, &logged] {
        for part in ["7C0FFEE", "7DEC0DE", &API_KEY[..8], &SECRET_KEY[..8]] {
            assert!(!text.to_uppercase().contains(part), "{part} in\n{text}");
        }
    }
}
