//! What a target shows of itself without being sent anything.

use std::net::TcpListener;

use sodu::notify::{Courier, Reached, Settings, Target, Undelivered};

use crate::common::*;
use crate::mail_server::{MailServer, Setup};
use crate::receiver::*;

const HOST: &str = "hooks.example.test";

fn settings(extra_roots: &str) -> Settings {
    let here = "127.0.0.1".parse().expect("an address");
    Settings { hosts: vec![(HOST.to_owned(), here)], extra_roots: extra_roots.to_owned(), ..Settings::default() }
}

async fn probe(settings: Settings, target: &Target) -> Result<Reached, Undelivered> {
    Courier::new(settings).expect("a courier").probe(target).await
}

#[tokio::test]
async fn a_receiver_is_connected_to_and_hears_nothing() {
    let (root, tls) = certificate(&[HOST]);
    let receiver = Receiver::secure(&[ok], tls);
    let at = format!("https://{HOST}:{}/secret-path", receiver.port);
    for kind in [
        format!("webhook = '{at}'\nsecret = '{SECRET}'"),
        format!("slack = '{at}'"),
        format!("telegram = '1:A'\nchat = 1\napi = '{at}'"),
    ] {
        assert_eq!(probe(settings(&root), &target(&kind)).await, Ok(Reached::Yes));
    }
    assert!(receiver.requests().is_empty());
    let untrusted = later(probe(settings(""), &target(&format!("slack = '{at}'"))).await.map(drop)).1;
    assert!(untrusted.contains("agrees on no TLS") && !untrusted.contains("secret-path"), "{untrusted}");
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_told_as_such() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let nobody = target(&format!("slack = 'http://127.0.0.1:{port}/secret-path'"));
    let why = later(probe(settings(""), &nobody).await.map(drop)).1;
    assert!(why.contains(&format!("cannot be reached on port {port}")) && !why.contains("secret-path"), "{why}");
    let unset = target("slack = 'env:NO_SUCH_VARIABLE_OF_SODU'");
    assert!(never(probe(settings(""), &unset).await.map(drop)).contains("NO_SUCH_VARIABLE_OF_SODU"));
}

#[tokio::test]
async fn a_mail_server_greets_and_lets_in_and_gets_no_mail() {
    let (root, tls) = certificate(&[HOST]);
    let setup = Setup { tls: Some(tls), user: Some(("ops", "right")), ..Setup::default() };
    let server = MailServer::with(setup);
    let mail = |password: &str| {
        let smtp = format!("smtp://ops:{password}@{HOST}:{}", server.port);
        target(&format!("email = 'ops@example.com'\nsmtp = '{smtp}'\nfrom = 'alerts@example.com'"))
    };
    let settings = settings(&root);
    assert_eq!(probe(settings.clone(), &mail("right")).await, Ok(Reached::Yes));
    assert!(server.mails().is_empty());
    assert_eq!(server.lines().last().map(String::as_str), Some("QUIT"));
    let why = never(probe(settings, &mail("wrong")).await.map(drop));
    assert!(why.contains("compare user and password") && !why.contains("wrong@"), "{why}");
}

#[tokio::test]
async fn a_program_is_looked_for_and_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("it-ran");
    let touch = target(&format!("command = ['touch', '{}']", trace.display()));
    assert_eq!(probe(settings(""), &touch).await, Ok(Reached::Yes));
    assert!(!trace.exists());
    let plain = folder.path().join("no-program");
    std::fs::write(&plain, "").expect("a file");
    for program in ["no-such-program-of-sodu", &plain.display().to_string(), "/"] {
        let why = never(probe(settings(""), &target(&format!("command = ['{program}']"))).await.map(drop));
        assert!(why.contains("cannot be started"), "{why}");
    }
}
