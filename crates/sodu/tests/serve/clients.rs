//! The fourteen clients of esms-wire, section 3: what each one sends, byte for byte, and what it relies on.

use serde_json::Value;

use crate::common::*;

/// A request with these header lines after the request line.
fn request(line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("{line}\r\nHost: localhost:8080\r\n");
    headers.iter().for_each(|header| head += &format!("{header}\r\n"));
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn json(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
    serde_json::from_str(&response.body).expect("JSON")
}

/// The answers to a request with right and with wrong keys.
fn both(server: &Server, request: impl Fn(&str, &str) -> Vec<u8>) -> [Response; 2] {
    [SECRET_KEY, "WRONG"].map(|secret_key| server.ask(request(API_KEY, secret_key)))
}

#[test]
fn row_1_go_decodes_into_integers() {
    let server = Server::start();
    let headers = ["User-Agent: Go-http-client/1.1", "Content-Type: application/json", "Accept-Encoding: gzip"];
    let [success, refusal] =
        both(&server, |key, secret| request(&format!("POST {POST_JSON} HTTP/1.1"), &headers, keys(key, secret)));
    assert_eq!(json(&success)["Balance"].as_i64(), Some(36693));
    assert_eq!(json(&success)["UserID"].as_i64(), Some(9999));
    assert_eq!(json(&refusal)["Balance"].as_i64(), Some(0));
    assert!(success.header("content-encoding").is_none());
}

#[test]
fn rows_2_and_3_node_compares_the_code_and_the_status() {
    let server = Server::start();
    let headers = [
        "Accept: application/json, text/plain, */*",
        "Content-Type: application/json",
        "User-Agent: axios/1.6.2",
        "Accept-Encoding: gzip, compress, deflate, br",
        "Connection: keep-alive",
    ];
    let [success, refusal] =
        both(&server, |key, secret| request(&format!("POST {POST_JSON} HTTP/1.1"), &headers, keys(key, secret)));
    assert_eq!((success.status(), &json(&success)["CodeResponse"]), (200, &Value::from("100")));
    assert_eq!((refusal.status(), &json(&refusal)["ErrorMessage"]), (200, &Value::from("Authorize Failed")));
}

#[test]
fn row_4_newtonsoft_waits_for_100_continue_and_sends_a_byte_order_mark() {
    let server = Server::start();
    let body = format!("\u{feff}{}", keys(API_KEY, SECRET_KEY));
    let mut client = server.client();
    client.send(format!(
        "POST {POST_JSON} HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nHost: localhost:8080\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: Keep-Alive\r\n\r\n",
        body.len()
    ));
    assert_eq!(client.head().status_line(), "HTTP/1.1 100 Continue");
    client.send(body);
    let response = client.response();
    assert_eq!(response.said(), (200, SUCCESS));
    assert_eq!(json(&response)["CodeResponse"].as_str().map(str::parse), Some(Ok(100)));
}

#[test]
fn row_5_n8n_sends_a_slash_a_query_and_a_long_accept() {
    let server = Server::start();
    let headers = ["Accept: application/json, text/javascript, */*; q=0.01", "Content-Type: application/json"];
    let line = format!("POST {POST_JSON}/?ApiKey=x&y=%2F HTTP/1.1");
    assert_eq!(server.ask(request(&line, &headers, keys(API_KEY, SECRET_KEY))).said(), (200, SUCCESS));
}

#[test]
fn row_6_laravel_sends_a_trailing_slash() {
    let server = Server::start();
    let headers = ["User-Agent: GuzzleHttp/7", "Accept: application/json", "Content-Type: application/json"];
    let body = format!(r#"{{"ApiKey": "{API_KEY}", "SecretKey": "{SECRET_KEY}"}}"#);
    assert_eq!(server.ask(request(&format!("POST {POST_JSON}/ HTTP/1.1"), &headers, body)).said(), (200, SUCCESS));
}

#[test]
fn row_7_php_sends_keys_in_the_path_and_an_unrelated_authorization() {
    let server = Server::start();
    let headers = ["Authorization: Basic dXNlcjpwYXNz", "User-Agent: WordPress/6.4", "Accept: */*"];
    let [success, refusal] =
        both(&server, |key, secret| request(&format!("GET {} HTTP/1.1", legacy("json", key, secret)), &headers, ""));
    assert_eq!(success.body, SUCCESS);
    assert_eq!(json(&refusal)["Balance"], Value::from(0));
    assert_eq!(refusal.body, REFUSED);
}

#[test]
fn rows_8_and_9_python_and_c_sharp_get_json() {
    let server = Server::start();
    let headers = ["User-Agent: python-requests/2.31.0", "Accept-Encoding: gzip, deflate", "Connection: keep-alive"];
    let line = format!("GET {} HTTP/1.1", legacy("json", API_KEY, SECRET_KEY));
    let response = server.ask(request(&line, &headers, ""));
    assert_eq!(json(&response)["CodeResponse"], Value::from("100"));
    assert_eq!((json(&response)["UserID"].as_i64(), json(&response)["Balance"].as_i64()), (Some(9999), Some(36693)));
    // The service routes case-insensitively (esms-wire, section 2).
    let line = format!("GET /mainservice.SVC/JSON/getbalance/{API_KEY}/{SECRET_KEY}/ HTTP/1.1");
    assert_eq!(server.ask(request(&line, &headers, "")).said(), (200, SUCCESS));
}

#[test]
fn row_10_a_browser_may_read_the_answer() {
    let server = Server::start();
    let headers = ["Origin: https://shop.example", "Content-Type: text/plain", "Sec-Fetch-Mode: cors"];
    let get = request(&format!("GET {} HTTP/1.1", legacy("json", API_KEY, SECRET_KEY)), &headers, "");
    let post = request(&format!("POST {POST_JSON} HTTP/1.1"), &headers, keys(API_KEY, SECRET_KEY));
    for request in [get, post] {
        let response = server.ask(request);
        assert_eq!(response.said(), (200, SUCCESS));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
}

const XML: &str =
    "<MemberModel><Balance>36693</Balance><UserID>9999</UserID><CodeResponse>100</CodeResponse></MemberModel>";

#[test]
fn row_11_php_streams_speak_http_1_0_or_close() {
    let server = Server::start();
    let path = legacy("xml", API_KEY, SECRET_KEY);
    for line in [format!("GET {path} HTTP/1.0"), format!("GET {path} HTTP/1.1")] {
        let mut client = server.client();
        client.send(request(&line, &["Connection: close"], ""));
        let response = client.response();
        assert_eq!(response.said(), (200, XML));
        assert_eq!(client.rest(), "", "the server closes");
    }
}

#[test]
fn rows_12_to_14_xml_without_namespaces_in_the_documented_order() {
    let server = Server::start();
    let [success, refusal] =
        both(&server, |key, secret| request(&format!("GET {} HTTP/1.1", legacy("xml", key, secret)), &[], ""));
    assert_eq!(success.header("content-type"), Some("application/xml; charset=utf-8"));
    assert_eq!(success.body, XML);
    assert_eq!(
        refusal.body,
        "<MemberModel><Balance>0</Balance><ErrorMessage>Authorize Failed</ErrorMessage>\
         <CodeResponse>101</CodeResponse></MemberModel>"
    );
    let body = format!("<ApiModel><ApiKey>{API_KEY}</ApiKey><SecretKey>{SECRET_KEY}</SecretKey></ApiModel>");
    assert_eq!(server.ask(post(POST_XML, body)).body, XML);
}

/// Hosts are never routed by (esms-wire, section 3).
#[test]
fn any_host_will_do() {
    let server = Server::start();
    for host in ["rest.esms.vn", "restapi.esms.vn", "API.ESMS.VN:443", "[::1]", "\u{111}"] {
        let body = keys(API_KEY, SECRET_KEY);
        let length = body.len();
        let response =
            server.ask(format!("POST {POST_JSON} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert_eq!(response.said(), (200, SUCCESS), "{host}");
    }
    let absolute = format!("GET http://rest.esms.vn{} HTTP/1.1", legacy("json", API_KEY, SECRET_KEY));
    assert_eq!(server.ask(request(&absolute, &[], "")).said(), (200, SUCCESS));
}
