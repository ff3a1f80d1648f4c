//! An import whose server goes away in the middle, by the socket beside its database.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

use serde_json::json;

use crate::imports::{IMPORT, with_file};

/// Stands where a server's socket was, and passes on what is said there until the `cut`th import is asked for; then it hangs
/// up, with that one not passed on.
fn hang_up_at_import(at: &Path, server: &Path, cut: usize) -> JoinHandle<()> {
    let listener = UnixListener::bind(at).expect("a socket");
    let server = server.to_owned();
    std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        let mut asked = UnixStream::connect(server).expect("the server");
        let (mut answers, mut told) = (asked.try_clone().expect("a handle"), caller.try_clone().expect("a handle"));
        // Ends when the server's side is shut down below.
        let back = std::thread::spawn(move || drop(std::io::copy(&mut answers, &mut told)));
        let (mut said, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let len = caller.read(&mut buffer).expect("what the caller says");
            said.extend_from_slice(&buffer[..len]);
            let imports = said.windows(16).filter(|words| *words == b"POST /v1/imports").count();
            if imports >= cut || len == 0 {
                break;
            }
            asked.write_all(&buffer[..len]).expect("the server hears it");
        }
        asked.shutdown(std::net::Shutdown::Both).expect("a connection");
        caller.shutdown(std::net::Shutdown::Both).expect("a connection");
        back.join().expect("it copies");
    })
}

#[test]
fn an_import_that_was_cut_off_is_gone_on_with_by_the_same_command() {
    let accounts: String = (1..=1_200).map(|id| format!("{id},A{id},{id}\n")).collect();
    let sodu = with_file(&format!("id,name,balance\n{accounts}"));
    sodu.run(&["operator", "add", "anna", "--role", "read"]).expect(0);
    let _server = sodu.serve();
    let (socket, real) = (sodu.path("sodu.db.sock"), sodu.path("real.sock"));
    std::fs::rename(&socket, &real).expect("the server's socket");
    // Three steps look whether all can be made, two make five hundred accounts each, and the last is cut off.
    let proxy = hang_up_at_import(&socket, &real, 6);
    let error = sodu.run(&IMPORT).refused("server_lost");
    assert!(!error.is_empty());
    proxy.join().expect("it ended");
    std::fs::remove_file(&socket).expect("the stand-in's socket");
    std::fs::rename(&real, &socket).expect("the server's socket");

    assert_eq!(sodu.json(&["balance", "1000"])["balance"], "1000");
    sodu.run(&["balance", "1001"]).refused("unknown_account");
    assert_eq!(sodu.json(&IMPORT), json!({ "accounts": 1200, "imported": 200, "replayed": 1000 }));
    assert_eq!(sodu.json(&["balance", "1200"])["balance"], "1200");
    assert_eq!(sodu.json(&["verify"])["accounts"], 1200);
}
