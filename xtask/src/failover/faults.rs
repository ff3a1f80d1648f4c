//! The faults: each is injected under load, lasts, and is taken away again; then the cluster must become whole by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::callers::Table;
use super::history::Quiet;
use crate::cluster::member::TTL_S;
use crate::cluster::{Cluster, wait};
use crate::random::Random;

/// Longer than a node gives a call, and longer than anybody waits for a silent peer.
const CUT: Duration = Duration::from_secs(8);
/// Longer than PostgreSQL keeps a transaction whose client is silent (a node sets four seconds).
const NODE_PAUSE: Duration = Duration::from_secs(7);
const LOST: Duration = Duration::from_secs(12);
/// What had reached a standby before it was lost may be acknowledged right after.
const GRACE_US: u64 = 1_000_000;

const NEW_PRIMARY_MAX: Duration = Duration::from_secs(60);
const WHOLE_MAX: Duration = Duration::from_secs(150);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    PrimaryKilled,
    PrimaryPaused,
    CutFromStandbys,
    CutFromNode,
    StandbyLost,
    StandbysLost,
    NodeKilled,
    NodePaused,
}

impl Fault {
    pub(crate) const ALL: [Fault; 8] = [
        Fault::PrimaryKilled,
        Fault::PrimaryPaused,
        Fault::CutFromStandbys,
        Fault::CutFromNode,
        Fault::StandbyLost,
        Fault::StandbysLost,
        Fault::NodeKilled,
        Fault::NodePaused,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::PrimaryKilled => "primary killed",
            Fault::PrimaryPaused => "primary paused past its lease",
            Fault::CutFromStandbys => "primary cut from its standbys",
            Fault::CutFromNode => "primary cut from a node",
            Fault::StandbyLost => "one standby lost",
            Fault::StandbysLost => "both standbys lost",
            Fault::NodeKilled => "node killed",
            Fault::NodePaused => "node paused in its transaction",
        }
    }

    /// Each kind once in a shuffled order, again and again.
    pub(crate) fn plan(count: usize, random: &mut Random) -> Vec<Fault> {
        let mut plan = Vec::new();
        while plan.len() < count {
            let mut round = Fault::ALL.to_vec();
            while !round.is_empty() && plan.len() < count {
                plan.push(round.swap_remove(random.index(round.len())));
            }
        }
        plan
    }
}

/// What a fault did.
pub(crate) struct Injected {
    /// Whom it hit, and what came of it.
    pub(crate) what: String,
    pub(crate) quiet: Option<Quiet>,
}

/// Injects a fault and takes it away again. `nth` counts those of its kind.
pub(crate) fn inject(
    fault: Fault,
    nth: usize,
    cluster: &mut Cluster,
    table: &Table,
    random: &mut Random,
) -> Result<Injected> {
    let primary = cluster.primary().context("no primary")?;
    let standbys: Vec<usize> = (0..cluster.members.len()).filter(|index| *index != primary).collect();
    let node = random.index(cluster.nodes.len());
    let mut quiet = None;
    let what = match fault {
        Fault::PrimaryKilled => {
            cluster.members[primary].kill()?;
            let new = await_new_primary(cluster, primary)?;
            await_movements(table, 50)?;
            cluster.members[primary].start_again(&cluster.guard)?;
            format!("{}, {new} took over", cluster.members[primary].name)
        }
        Fault::PrimaryPaused => pause_primary(cluster, table, primary, node)?,
        Fault::CutFromStandbys => cut_from_standbys(cluster, table, primary, nth % 2 == 1)?,
        Fault::CutFromNode => {
            let way = &cluster.nodes[node].to_members[primary];
            way.cut();
            last(CUT);
            way.mend();
            format!("{} from {}", cluster.members[primary].name, cluster.nodes[node].name)
        }
        Fault::StandbyLost => {
            let standby = standbys[random.index(standbys.len())];
            cluster.members[standby].kill()?;
            await_movements(table, 50)?;
            cluster.members[standby].start_again(&cluster.guard)?;
            format!("{}; service went on", cluster.members[standby].name)
        }
        Fault::StandbysLost => {
            standbys.iter().try_for_each(|index| cluster.members[*index].kill())?;
            let from = table.now() + GRACE_US;
            last(LOST);
            quiet = Some(Quiet { from, to: table.now() });
            standbys.iter().try_for_each(|index| cluster.members[*index].start_again(&cluster.guard))?;
            format!("{} was alone", cluster.members[primary].name)
        }
        Fault::NodeKilled => {
            cluster.nodes[node].kill()?;
            await_movements(table, 50)?;
            let Cluster { nodes, guard, .. } = cluster;
            nodes[node].start(guard)?;
            nodes[node].await_ready(guard)?;
            nodes[node].name.clone()
        }
        Fault::NodePaused => pause_node(cluster, primary, node)?,
    };
    Ok(Injected { what, quiet })
}

/// Waits until all is as before.
pub(crate) fn await_whole(cluster: &Cluster) -> Result<()> {
    wait("the cluster to be whole again", WHOLE_MAX, || Ok(cluster.is_whole()))
}

/// Waits until so many more movements were acknowledged.
pub(crate) fn await_movements(table: &Table, count: u64) -> Result<()> {
    let before = table.acknowledged();
    wait(&format!("{count} more acknowledged movements"), WHOLE_MAX, || Ok(table.acknowledged() >= before + count))
}

/// Pauses the primary with its patroni until another one took over and acknowledged movements. Then a node comes to be on the
/// side of the old one alone, whose server wakes up before its patroni: for some seconds it thinks that it is the primary, and
/// whatever that node asks, it asks there.
fn pause_primary(cluster: &Cluster, table: &Table, primary: usize, node: usize) -> Result<String> {
    let (member, victim) = (&cluster.members[primary], &cluster.nodes[node]);
    member.pause()?;
    let new = await_new_primary(cluster, primary)?;
    await_movements(table, 50)?;
    let others = || victim.to_members.iter().enumerate().filter(|(index, _)| *index != primary);
    others().for_each(|(_, way)| way.cut());
    table.focus(Some(node));
    // Whatever the node had under way with the others runs out of time.
    last(CUT);
    member.resume_server()?;
    last(CUT);
    table.focus(None);
    others().for_each(|(_, way)| way.mend());
    member.resume_patroni()?;
    Ok(format!("{} for more than {TTL_S} s, {new} took over; {} was left with the old one", member.name, victim.name))
}

/// Cuts the primary from its standbys: alone, which nobody takes its place for; or from etcd too, so that another one does.
fn cut_from_standbys(cluster: &Cluster, table: &Table, primary: usize, from_etcd_too: bool) -> Result<String> {
    let member = &cluster.members[primary];
    member.for_standbys.cut();
    let what = if from_etcd_too {
        member.to_etcd.cut();
        let new = await_new_primary(cluster, primary)?;
        await_movements(table, 50)?;
        format!("{}, and from etcd; {new} took over", member.name)
    } else {
        last(CUT);
        member.name.clone()
    };
    member.for_standbys.mend();
    member.to_etcd.mend();
    Ok(what)
}

/// Pauses a node at an instant at which it has a transaction open, until the database has given that up.
fn pause_node(cluster: &Cluster, primary: usize, node: usize) -> Result<String> {
    let (member, victim) = (&cluster.members[primary], &cluster.nodes[node]);
    let open = || {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND state = 'idle in transaction'",
            victim.name
        );
        member.sql("sodu", &sql)
    };
    let mut tries = 0;
    let count = loop {
        victim.pause()?;
        let count = open()?;
        if count != "0" {
            break count;
        }
        victim.resume()?;
        tries += 1;
        ensure!(tries < 200, "{} has no transaction open, however often one looks", victim.name);
        last(Duration::from_millis(37));
    };
    last(NODE_PAUSE);
    let left = open()?;
    victim.resume()?;
    ensure!(left == "0", "{left} transactions of {} are still open after {} s", victim.name, NODE_PAUSE.as_secs());
    Ok(format!("{}, with {count} open", victim.name))
}

fn await_new_primary(cluster: &Cluster, old: usize) -> Result<String> {
    let mut new = None;
    wait("another primary", NEW_PRIMARY_MAX, || {
        new = cluster.primary().filter(|new| *new != old);
        Ok(new.is_some())
    })?;
    Ok(new.map_or_else(String::new, |new| cluster.members[new].name.clone()))
}

/// How long a fault lasts is part of the fault.
fn last(time: Duration) {
    std::thread::sleep(time);
}
