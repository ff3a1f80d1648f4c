//! The command line: what `sodu` understands, and how each command ends.
//!
//! Every command that reads or moves credit speaks the operator API through a `door`, so that a person at a terminal
//! gets the same answers, rules and refusals as a program. `balance` also asks an eSMS service, as its customer. Exit codes: 0
//! done, 1 refused or failed, 2 used wrongly, 3 a balance below what was asked for.
//! People read tables and sentences; with `--json` programs read the API's own shapes.

mod account;
mod alerts;
mod audit;
mod balance;
mod chores;
mod currency;
mod deliveries;
mod demo;
mod doctor;
mod export;
mod failure;
mod hold;
mod import;
mod key;
mod list;
mod migrate_store;
mod movement;
mod operator;
mod output;
mod program;
mod progress;
mod runway;
mod serve;
mod session;
mod statement;
mod statements;
mod table;
pub mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{self, Config, Overrides};
use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  sodu demo                                 accounts, keys, a curl call to paste
  sodu account open --name 'Công ty ABC' --id 9999
  sodu key issue 9999                       an API key and its secret
  sodu topup 9999 500000 -k invoice-2041    money in; -k makes a retry harmless
  sodu charge 9999 350 -k message-77 --reference sms-77
  sodu hold 9999 3500000 -k campaign-tet    promised, to be captured in parts
  sodu alerts set 9999 --hours-left 24 --email ops@example.com
  sodu statement 9999 --from 2026-07-01
  sodu serve                                answer GetBalance on 127.0.0.1:8080
  sodu operator add anna --role money       a token for other machines
  sodu balance                              what an eSMS service says is left
  sodu watch                                the same live, with warnings in time

A command talks to the server that owns the database, through the socket beside
it; where none runs, it opens the database itself. Commands that write say on
standard error which it was.

Exit codes: 0 done; 1 refused or failed; 2 used wrongly; 3 a balance is below
--fail-below. An error is told on standard error and ends with its stable name
in brackets; with --json, standard output then holds the problem document
(RFC 9457).";

/// Prepaid credit that answers eSMS GetBalance: accounts, keys, top-ups, charges, holds, statements, and the server.
#[derive(Parser)]
#[command(name = "sodu", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where help lists what every command takes.
const EVERYWHERE: &str = "Options of every command";

/// What every command takes.
#[derive(Args, Clone)]
struct Global {
    /// Where the ledger is kept: sqlite:PATH or postgres://USER@HOST/DATABASE [env: SODU_DATABASE] [default: what the
    /// configuration says, else sodu/sodu.db in your own data folder]
    #[arg(long, global = true, value_name = "URL", help_heading = EVERYWHERE)]
    database: Option<String>,
    /// The configuration file [env: SODU_CONFIG] [default: /etc/sodu/sodu.toml where that exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Print JSON, in the shapes of the operator API, instead of text for people
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
}

impl Global {
    /// The settings, with these flags on top.
    fn settings(&self, flags: Overrides) -> Result<Config, Failure> {
        let flags = Overrides { database: self.database.clone(), ..flags };
        Config::load(self.config.as_deref(), flags).map_err(|error| Failure::local("bad_configuration", error))
    }
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    /// Open, list, show, change, lock and close accounts
    #[command(subcommand)]
    Account(account::Account),
    Balance(balance::Balance),
    Watch(watch::Watch),
    /// Say what an account's people want to hear, and whom to tell
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    Runway(runway::Runway),
    /// List what was told to whom, and what was not; send it again
    #[command(subcommand)]
    Deliveries(deliveries::Deliveries),
    /// Issue, import, list, rotate and revoke the keys of an account
    #[command(subcommand)]
    Key(key::Key),
    Topup(movement::Topup),
    Charge(movement::Charge),
    Hold(hold::Hold),
    Extend(hold::Extend),
    Capture(hold::Capture),
    Void(hold::Void),
    Holds(hold::Holds),
    Refund(movement::Refund),
    Transfer(movement::Transfer),
    Adjust(movement::Adjust),
    Limit(movement::Limit),
    Statement(statement::Statement),
    /// Add and list currencies
    #[command(subcommand)]
    Currency(currency::Currency),
    /// Add, list and revoke those who use the operator API over a network
    #[command(subcommand)]
    Operator(operator::Operator),
    Audit(audit::Audit),
    /// Take accounts, keys and balances from a file
    #[command(subcommand)]
    Import(import::Import),
    /// Print accounts or entries as CSV
    #[command(subcommand)]
    Export(export::Export),
    Verify(chores::Verify),
    Backup(chores::Backup),
    Restore(chores::Restore),
    MigrateStore(migrate_store::MigrateStore),
    Doctor(doctor::Doctor),
    /// Print the commented default configuration
    #[command(after_help = "Example:\n  sodu config > sodu.toml && sodu serve --config sodu.toml")]
    Config,
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  sodu completions bash > ~/.local/share/bash-completion/completions/sodu")]
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: Shell,
    },
}

/// Runs the command that this process was started with; what it returns is the process's exit code.
pub fn run() -> ExitCode {
    program::run::<Cli>(|cli| cli.global.json, |cli| cli.command.run(&cli.global))
}

impl Command {
    fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Command::Demo(demo) => demo.run(global),
            Command::Serve(serve) => serve.run(global),
            Command::Account(account) => account.run(global),
            Command::Alerts(alerts) => alerts.run(global),
            Command::Runway(runway) => runway.run(global),
            Command::Deliveries(deliveries) => deliveries.run(global),
            Command::Balance(balance) => balance.run(global),
            Command::Watch(watch) => watch.run(global),
            Command::Key(key) => key.run(global),
            Command::Topup(topup) => topup.run(global),
            Command::Charge(charge) => charge.run(global),
            Command::Hold(hold) => hold.run(global),
            Command::Extend(extend) => extend.run(global),
            Command::Capture(capture) => capture.run(global),
            Command::Void(void) => void.run(global),
            Command::Holds(holds) => holds.run(global),
            Command::Refund(refund) => refund.run(global),
            Command::Transfer(transfer) => transfer.run(global),
            Command::Adjust(adjust) => adjust.run(global),
            Command::Limit(limit) => limit.run(global),
            Command::Statement(statement) => statement.run(global),
            Command::Currency(currency) => currency.run(global),
            Command::Operator(operator) => operator.run(global),
            Command::Audit(audit) => audit.run(global),
            Command::Import(import) => import.run(global),
            Command::Export(export) => export.run(global),
            Command::Verify(verify) => verify.run(global),
            Command::Backup(backup) => backup.run(global),
            Command::Restore(restore) => restore.run(global),
            Command::MigrateStore(migrate) => migrate.run(global),
            Command::Doctor(doctor) => doctor.run(global),
            Command::Config => program::print(config::DEFAULT_TEXT),
            Command::Completions { shell } => program::completions::<Cli>(shell),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
