//! `cargo xtask cluster`: sodu as an operator runs it who outgrew one machine, on this one's loopback device.
//!
//! etcd, a PostgreSQL primary with two synchronous standbys under patroni, three sodu nodes and haproxy, all of it in a
//! temporary folder and gone with it. `cargo xtask failover` hurts the same cluster.

mod address;
mod etcd;
mod guard;
mod haproxy;
pub(crate) mod member;
pub(crate) mod node;
mod relay;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::http::{Address, Connection, Reply, Request};
use crate::programs::{self, cargo};
use etcd::Etcd;
use guard::Guard;
use haproxy::Haproxy;
use member::{Member, Shown};
use node::Node;

const POLL: Duration = Duration::from_millis(50);
/// From nothing to a database on three servers; the copies alone take some seconds.
const DATABASE_MAX: Duration = Duration::from_secs(90);

/// All that runs. Dropping it ends it.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) haproxy: Haproxy,
    pub(crate) members: Vec<Member>,
    /// What an operator with every right shows.
    pub(crate) token: String,
    _etcd: Etcd,
    pub(crate) guard: Guard,
}

/// Starts it, and keeps it until somebody ends it.
pub(crate) fn run() -> Result<()> {
    let (cluster, pair) = checked(&build()?)?;
    cluster.print(&pair)?;
    await_interrupt()?;
    println!("stopping");
    drop(cluster);
    println!("stopped; the folder is gone");
    Ok(())
}

/// Starts it, looks that the caller's address arrives through haproxy, and stops it.
pub(crate) fn check(binary: &Path) -> Result<()> {
    checked(binary).map(drop)
}

fn checked(binary: &Path) -> Result<(Cluster, address::Pair)> {
    let began = Instant::now();
    let cluster = Cluster::start(binary, "")?;
    let pair = address::check(&cluster)?;
    println!("a key for 127.0.0.1 alone is answered to it through haproxy, and refused to 127.0.0.9 (code 140)");
    println!("all of it runs after {:.0} s\n", began.elapsed().as_secs_f64());
    Ok((cluster, pair))
}

/// Builds `sodu` as tests have it: what is looked at here is not its speed.
pub(crate) fn build() -> Result<PathBuf> {
    programs::run(&mut cargo(["build", "--quiet", "--package", "sodu"]))?;
    Ok(programs::target().join("debug").join("sodu"))
}

impl Cluster {
    /// Starts everything. `parameters` go into the database URL of the nodes.
    pub(crate) fn start(binary: &Path, parameters: &str) -> Result<Cluster> {
        let guard = Guard::new()?;
        println!("starting etcd, and PostgreSQL three times under patroni, in {}", guard.folder().display());
        let etcd = Etcd::start(&guard)?;
        let names = ["pg1", "pg2", "pg3"];
        let members = names.iter().map(|name| Member::start(&guard, name, &etcd));
        let members = members.collect::<Result<Vec<_>>>()?;
        let began = Instant::now();
        wait("a primary with two synchronous standbys", DATABASE_MAX, || Ok(is_whole(&members)))
            .map_err(|error| error.context(guard.printed(names[0])))?;
        println!("a primary and two synchronous standbys after {:.0} s", began.elapsed().as_secs_f64());
        let primary = primary(&members).context("the primary is gone again")?;
        primary.sql("postgres", "CREATE ROLE sodu LOGIN")?;
        primary.sql("postgres", "CREATE DATABASE sodu OWNER sodu")?;
        let nodes = ["sodu1", "sodu2", "sodu3"].map(|name| Node::new(&guard, name, binary, &members, parameters));
        let mut nodes = nodes.into_iter().collect::<Result<Vec<_>>>()?;
        nodes.iter_mut().try_for_each(|node| node.start(&guard))?;
        nodes.iter_mut().try_for_each(|node| node.await_ready(&guard))?;
        println!("three nodes are ready");
        let token = nodes[0].sodu(&["operator", "add", "cluster", "--role", "admin"])?;
        let haproxy = Haproxy::start(&guard, &nodes)?;
        Ok(Cluster { nodes, haproxy, members, token, _etcd: etcd, guard })
    }

    /// The member that is the primary, if patroni knows of one.
    pub(crate) fn primary(&self) -> Option<usize> {
        let name = primary(&self.members)?.name.clone();
        self.members.iter().position(|member| member.name == name)
    }

    /// Whether a primary and two synchronous standbys run, and all nodes are ready.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(&self.members) && self.nodes.iter().all(Node::is_ready)
    }

    /// An operator's call through haproxy.
    pub(crate) fn operate(&self, path: &str, key: &str, body: &Value) -> Result<Reply> {
        let body = body.to_string();
        let request = Request { method: "POST", path, key: Some(key), body: &body };
        let mut connection = Connection::open(&Address::Tcp(self.haproxy.ops))?;
        Ok(connection.send(&request.prepared(&self.token))?)
    }

    fn print(&self, pair: &address::Pair) -> Result<()> {
        println!("folder     {} (logs in it)", self.guard.folder().display());
        let primary = self.primary();
        for (index, member) in self.members.iter().enumerate() {
            let role = if primary == Some(index) { "primary" } else { "synchronous standby" };
            println!(
                "{}        postgres://postgres@{}/sodu, patroni at http://{} ({role})",
                member.name, member.address, member.api
            );
        }
        for node in &self.nodes {
            println!("{}      http://{} for eSMS clients, http://{} for operators", node.name, node.public, node.ops);
        }
        println!(
            "haproxy    http://{} for eSMS clients, http://{} for operators",
            self.haproxy.public, self.haproxy.ops
        );
        let node = self.nodes.first().context("there are nodes")?;
        println!("database   {}\n", node.url);
        let (public, ops) = (self.haproxy.public, self.haproxy.ops);
        println!("Paste this for the balance; with `--interface 127.0.0.9` the answer is code 140:\n");
        println!("curl --location 'http://{public}/MainService.svc/json/GetBalance_json' \\");
        println!("  --header 'Content-Type: application/json' \\");
        println!("  --data '{}'\n", crate::operator::get_balance_body(&pair.api_key, &pair.secret_key));
        println!("and this for a charge:\n");
        println!("curl --header 'Authorization: Bearer {}' --header 'Idempotency-Key: message-1' \\", self.token);
        println!("  --data '{{\"amount\":\"350\"}}' http://{ops}/v1/accounts/9999/charges\n");
        println!("Who is primary: curl --silent http://{}/cluster", self.members[0].api);
        println!("Ctrl-C stops all of it.");
        Ok(())
    }
}

fn primary(members: &[Member]) -> Option<&Member> {
    let shown = shown(members).ok()?;
    let leader = shown.iter().find(|member| member.role == "leader" && member.state == "running")?;
    members.iter().find(|member| member.name == leader.name)
}

fn is_whole(members: &[Member]) -> bool {
    let Ok(shown) = shown(members) else { return false };
    let count = |role: &str| shown.iter().filter(|member| member.role == role).count();
    let runs = |member: &Shown| matches!(&*member.state, "running" | "streaming");
    count("leader") == 1 && count("sync_standby") == 2 && shown.iter().all(runs)
}

/// What whichever patroni answers first says.
fn shown(members: &[Member]) -> Result<Vec<Shown>> {
    for member in members {
        if let Ok(shown) = member.shown() {
            return Ok(shown);
        }
    }
    bail!("no patroni answers")
}

/// Waits until `is_so`, or says in time that it did not come.
pub(crate) fn wait(what: &str, patience: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so()? {
        ensure!(began.elapsed() < patience, "waited {} s for {what}", patience.as_secs());
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn await_interrupt() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        Ok(())
    })
}
