//! The socket beside the file of the database.

use store::DatabaseUrl;

use crate::common::*;
use crate::lifecycle::refusal;

#[test]
fn the_socket_lies_beside_the_database() {
    let server = Server::start();
    assert_eq!(server.bound().socket, server.path().join("sodu.db.sock"));
}

#[test]
fn a_path_that_is_too_long_for_its_socket_is_named() {
    let long = tempfile::tempdir().expect("a folder");
    let error = refusal(|config| {
        config.database = DatabaseUrl::file(long.path().join("x".repeat(100)).join("sodu.db"));
    });
    assert!(error.contains("sodu.db.sock") && error.contains("may have 107"), "{error}");
}

#[test]
fn a_stale_socket_is_replaced_and_the_own_one_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let stale = folder.path().join("sodu.db.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("a socket"));
    assert!(stale.exists());
    let path = folder.path().join("sodu.db");
    let server = Server::with(|config| config.database = DatabaseUrl::file(path));
    let mut client = server.local();
    client.send(get("/healthz"));
    assert_eq!(client.response().status(), 200);
    let (running, _folder) = server.into_running();
    running.stop();
    assert!(!stale.exists());
}
