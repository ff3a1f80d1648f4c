//! The doctor beside a server: listeners, readiness, versions, limits.

use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::{Report, behind, command, doctor};
use crate::common::{Server, Sodu, run};

/// The doctor with the addresses that the server has.
fn beside(sodu: &Sodu, server: &Server) -> Report {
    let url = server.ready["url"].as_str().expect("a URL");
    let ops = server.ready["ops"].as_str().expect("an address");
    let mut command = command(sodu, &[]);
    command.env("SODU_LISTEN", url.trim_start_matches("http://")).env("SODU_OPS_LISTEN", ops);
    Report::of(&run(&mut command))
}

#[test]
fn a_server_that_runs_is_recognized_and_does_not_notice() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    let process = format!("process {}", server.pid());
    let report = beside(&sodu, &server);
    assert_eq!(report.problems(), [""; 0]);
    report.find("listener.public").is("ok", &format!("is held by the running server, {process}"), "");
    report.find("listener.operators").is("ok", &format!("is held by the running server, {process}"), "");
    report.find("server").is("ok", &format!("{process} takes movements"), "");
    report.find("server.version").is("ok", env!("CARGO_PKG_VERSION"), "");
    report.find("database").is("ok", &format!("open in {process}"), "");
    report.find("limits.files").is("ok", &process, "");

    // With the settings of another server.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    let elsewhere = Report::of(&run(command(&sodu, &[]).env("SODU_LISTEN", free)));
    elsewhere.find("listener.public").is("warning", "the running server listens elsewhere", "restart it");

    sodu.run(&["topup", "9999", "7", "-k", "beside"]).expect(0);
    assert_eq!(server.interrupt().code(), Some(0));
}

#[test]
fn a_taken_port_names_who_has_it() {
    let sodu = Sodu::with_account();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let report = Report::of(&run(command(&sodu, &[]).env("SODU_LISTEN", &address)));
    let process = format!("{address} is in use by process {}", std::process::id());
    report.find("listener.public").is("problem", &process, "choose another address for listen");
    let report = Report::of(&run(command(&sodu, &[]).env("SODU_OPS_LISTEN", "192.0.2.1:8081")));
    report.find("listener.operators").is("problem", "not an address of this machine", "ops_listen");
}

#[test]
fn a_server_that_does_not_answer_is_a_problem() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a number")).expect("a process");
    kill_process(pid, Signal::STOP).expect("it runs");
    let report = beside(&sodu, &server);
    kill_process(pid, Signal::CONT).expect("it is there");
    report.find("server").is("problem", "gives no answer within 5 s", "restart it");
    assert_eq!(server.interrupt().code(), Some(0));
}

#[test]
fn an_end_that_nobody_wished_is_noticed() {
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    // Dropping it kills it.
    drop(server);
    doctor(&sodu, &[]).find("server").is("warning", "did not end by itself", "journalctl");
    // Whoever has the lock without a socket may be starting.
    std::fs::remove_file(sodu.path("sodu.db.sock")).expect("the socket");
    let lock = std::fs::File::options().write(true).open(sodu.path("sodu.db.lock")).expect("the lock");
    lock.lock().expect("nobody has it");
    doctor(&sodu, &[]).find("server").is("warning", "does not answer on its socket", "look again");
}

#[test]
fn a_program_that_was_replaced_wants_a_restart() {
    let sodu = Sodu::with_account();
    let program = sodu.path("sodu-of-yesterday");
    std::fs::copy(env!("CARGO_BIN_EXE_sodu"), &program).expect("a copy");
    let mut command = std::process::Command::new(&program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"]);
    command.current_dir(sodu.folder.path()).env("SODU_DATABASE", sodu.url()).stdin(Stdio::null());
    let server = Server::spawn(&mut command);
    std::fs::remove_file(&program).expect("the copy");
    beside(&sodu, &server).find("server.version").is("warning", "replaced since it started", "restart the server");
}

#[test]
fn too_few_files_for_the_connections_are_noticed() {
    let sodu = Sodu::with_account();
    let report = behind(&sodu, &["sh", "-c", "ulimit -n 300; exec \"$@\"", "sh"]);
    report.find("limits.files").is("warning", "may open 300, and 10000 connections need 10256", "LimitNOFILE=");
}
