//! `sodu doctor`: looks at everything that a server needs, and says of each finding what to do.
//!
//! For whoever is called at three in the morning: it works beside a running server and where none runs, as its user and as
//! another, and says what it could not see. Nothing is changed but for one file that is written, synced and removed. A file a
//! check; what several of them need to know is found out once (`scene`).

mod certificates;
mod clock;
mod configuration;
mod database;
mod disk;
mod limits;
mod listeners;
mod permissions;
mod report;
mod scene;
mod server;
mod sockets;
mod targets;
mod x509;

use clap::Args;

use super::Global;
use super::failure::Failure;
use crate::config;
use configuration::Settings;
use report::{Check, Status};
use scene::Scene;

/// Check configuration, clock, disk, permissions, certificates, database, server and alerts, and say what to do
#[derive(Args)]
#[command(after_help = "\
Examples:
  sudo -u sodu sodu doctor                    as the user who serves
  sodu doctor --config /etc/sodu/sodu.toml
  sodu doctor --json | jq '.[] | select(.status == \"problem\")'

Each line is ok, warning, problem or skipped; what to do stands below it. It
changes nothing, and a running server does not notice it. Settings that the
server has from its own environment are not known here: name the same ones.
Exit code 0 where there is no problem, 1 where there is one.")]
pub(super) struct Doctor {
    /// Send a test message to each of the operator's own targets of alerts
    #[arg(long)]
    send_test: bool,
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let (settings, check) = configuration::load(global);
        let mut checks = vec![check];
        match settings {
            Settings::Taken(config) => {
                let scene = Scene::survey(config);
                checks.extend(configuration::combinations(&scene.config));
                checks.extend(listeners::check(&scene));
                checks.extend(around_database(&scene, global));
                checks.extend(certificates::check(&scene));
                checks.extend(limits::check(&scene));
                checks.extend(targets::check(&scene, self.send_test)?);
            }
            Settings::Database(config) => {
                checks.extend(around_database(&Scene::survey(config), global));
                checks.push(Check::skipped("everything else", "the configuration says where it lies"));
            }
            Settings::Unknown => {
                checks.extend(clock::check(None));
                let why = "the configuration says where it lies; name the database with --database to look at that";
                checks.push(Check::skipped("everything else", why));
            }
        }
        report::tell(&checks, global)?;
        if checks.iter().any(|check| check.status == Status::Problem) { Err(Failure::Told) } else { Ok(()) }
    }
}

/// What can be looked at where nothing is known but the database.
fn around_database(scene: &Scene, global: &Global) -> Vec<Check> {
    let mut checks = server::check(scene);
    let (database, last_time) = database::check(scene);
    checks.extend(database);
    checks.extend(clock::check(last_time));
    checks.extend(disk::check(scene));
    checks.extend(permissions::check(scene, config::file_of(global.config.as_deref()).as_deref()));
    checks
}
