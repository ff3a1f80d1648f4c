//! Several nodes on one database: each alert is delivered by one of them, also where the one that wrote or tried it dies.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ledger::Movement;
use store::{DeliveryStatus, Store};

use crate::common::*;
use crate::receiver::{hang, ok};

/// How many deliveries a node tries at once of one target.
const AT_ONCE: usize = 4;

impl Server {
    /// Another node of the same ledger.
    fn beside(&self) -> Server {
        Server::begin(self.place.again(), Arc::clone(&self.clock), self.config.alerts.clone())
    }

    /// The ledger alone, as a node that commits and is killed before it delivers anything.
    fn without_a_server(mut self) -> Server {
        self.running.take().expect("it runs").stop();
        self.store = opened(&self.config, &self.clock);
        self
    }

    fn delivered(&self) -> usize {
        self.deliveries().iter().filter(|delivery| delivery.status == DeliveryStatus::Delivered).count()
    }
}

fn charge(store: &Store, accounts: impl Iterator<Item = u32>, amount: &str) {
    let charges = accounts.map(|id| command(id, Movement::Charge { amount: vnd(amount) })).collect();
    let outcomes = block_on(store.submit(charges)).expect("no fault");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[test]
fn two_nodes_tell_each_alert_once_whoever_wrote_it() {
    const ACCOUNTS: u32 = 100;
    let hook = receiver(&[ok]);
    let one = Server::with(here());
    for id in 1..=ACCOUNTS {
        one.open(id, "1000");
        one.set(id, settings(&[money("500"), money("0")], vec![webhook(&hook)]));
    }
    let other = one.beside();
    let gone = one.beside().without_a_server();
    for store in [&one.store, &other.store, &gone.store].into_iter().cycle().take(10) {
        charge(store, 1..=ACCOUNTS, "100");
    }
    one.await_all();
    let written: BTreeSet<String> = one.deliveries().into_iter().map(|delivery| delivery.alert.name).collect();
    assert_eq!(written.len(), 2 * usize::try_from(ACCOUNTS).expect("few"), "two crossings each");
    let told = seen(&hook);
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), written);
    assert!(told.values().all(|times| *times == 1), "{told:?}");
}

#[test]
fn what_a_killed_node_had_written_or_begun_another_delivers_under_the_same_ids() {
    const ACCOUNTS: u32 = 10;
    // What the first node tries is never answered.
    let hook = receiver(&[hang, hang, hang, hang, ok]);
    let ledger = Server::with(here()).without_a_server();
    for id in 1..=ACCOUNTS {
        ledger.open(id, "1000");
        ledger.set(id, settings(&[money("500")], vec![webhook(&hook)]));
    }
    let mut killed = Process::serve(&ledger);
    charge(&ledger.store, 1..=ACCOUNTS, "600");
    until("what one node tries at once", || hook.requests().len() == AT_ONCE);
    let other = ledger.beside();
    until("all the others", || other.delivered() == 6);
    assert!(seen(&hook).values().all(|times| *times == 1), "nobody takes what another is at: {:?}", seen(&hook));
    killed.kill();
    until("the rest", || {
        // In case the killed one had given up waiting for an answer.
        other.pass(Duration::from_secs(60));
        other.delivered() == 10
    });
    let told = seen(&hook);
    assert_eq!((told.len(), told.values().filter(|times| **times == 1).count()), (10, 6), "{told:?}");
}

/// A server that is a process of its own.
struct Process(Child);

impl Process {
    fn serve(beside: &Server) -> Process {
        let folder = beside.place.path();
        let config = folder.join("sodu.toml");
        std::fs::write(&config, "[alerts]\nallow_private = true\n").expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sodu"));
        command.env_clear().env("XDG_RUNTIME_DIR", folder).env("HOME", folder).current_dir(folder);
        command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--config"]).arg(config);
        command.arg("--database").arg(beside.place.url().to_string());
        Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs"))
    }

    /// Ends it at once, with no chance to do anything.
    fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
