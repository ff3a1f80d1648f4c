//! What targets that others wrote cannot reach: machines of this network, its files, its variables, its programs.

use std::net::IpAddr;

use sodu::notify::{Courier, Reach, Settings};

use crate::common::*;
use crate::mail_server::{MailServer, Setup};
use crate::receiver::*;

fn outside(hosts: &[(&str, &str)]) -> Settings {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let hosts = hosts.iter().map(|(name, text)| ((*name).to_owned(), address(text))).collect();
    Settings { reach: Reach::PublicOnly, allow_plain_http: true, hosts, ..Settings::default() }
}

#[tokio::test]
async fn machines_of_this_network_are_not_connected_to() {
    let receiver = Receiver::that(&[ok]);
    let port = receiver.port;
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "inside.example.test",
        "INSIDE.example.test",
    ];
    let courier = Courier::new(outside(&[("inside.example.test", "127.0.0.1")])).expect("a courier");
    for host in hosts {
        let kinds = [
            format!("webhook = 'http://{host}:{port}/'\nsecret = '{SECRET}'"),
            format!("slack = 'http://{host}:{port}/'"),
            format!("telegram = '1:A'\nchat = 1\napi = 'http://{host}:{port}/'"),
        ];
        for kind in kinds {
            let why = never(courier.deliver(&target(&kind), &message()).await);
            assert!(why.starts_with("its address is not public"), "{host}: {why}");
        }
    }
    assert_eq!(receiver.connections(), 0);
    let hook = target(&format!("webhook = 'http://inside.example.test:{port}/'\nsecret = '{SECRET}'"));
    let anywhere = Settings { reach: Reach::Anywhere, ..outside(&[("inside.example.test", "127.0.0.1")]) };
    deliver(anywhere, &hook).await.expect("delivered");
}

#[tokio::test]
async fn nor_do_mails_go_there() {
    let server = MailServer::with(Setup::default());
    for host in ["127.0.0.1", "[::1]", "inside.example.test"] {
        let mail =
            target(&format!("email = 'a@example.com'\nsmtp = 'smtp://{host}:{}'\nfrom = 'b@example.com'", server.port));
        let why = never(deliver(outside(&[("inside.example.test", "10.0.0.1")]), &mail).await);
        assert!(why.starts_with("its address is not public"), "{host}: {why}");
    }
    assert!(server.lines().is_empty());
}

#[test]
fn nothing_of_this_machine_is_read_or_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "1:A").expect("written");
    let file = file.display();
    let courier = Courier::new(outside(&[])).expect("a courier");
    let cases = [
        (format!("telegram = 'file:{file}'\nchat = 1"), "telegram must be written out here"),
        ("slack = 'env:PATH'".to_owned(), "slack must be written out here"),
        (format!("webhook = 'https://a.example'\nsecret = 'file:{file}'"), "secret must be written out here"),
        ("email = 'a@b.example'\nfrom = 'a@b.example'\nsmtp = 'env:PATH'".to_owned(), "smtp must be written out here"),
        ("command = ['/bin/true']".to_owned(), "commands run only for targets in sodu's own configuration"),
    ];
    for (text, words) in cases {
        let why = never(courier.check(&target(&text)));
        assert!(why.starts_with(words), "{why}");
    }
    let anywhere = Courier::new(Settings::default()).expect("a courier");
    anywhere.check(&target(&format!("telegram = 'file:{file}'\nchat = 1"))).expect("a target");
}

#[test]
fn clear_text_goes_to_this_machine_alone() {
    let courier = Courier::new(Settings::default()).expect("a courier");
    let hook = |url: &str| target(&format!("webhook = '{url}'\nsecret = '{SECRET}'"));
    for url in ["http://hooks.example.com/", "http://10.0.0.1/", "http://localhost.example.com/"] {
        let why = never(courier.check(&hook(url)));
        assert!(why.starts_with("its address begins with http://"), "{why}");
    }
    for url in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/", "https://hooks.example.com/"] {
        courier.check(&hook(url)).expect(url);
    }
    let open = Courier::new(Settings { allow_plain_http: true, ..Settings::default() }).expect("a courier");
    open.check(&hook("http://hooks.example.com/")).expect("allowed");
}
