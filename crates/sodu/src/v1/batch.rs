//! `POST /v1/batch`: up to 8,192 commands in one request, each with its own key, outcome and status.
//!
//! Nothing is atomic about a batch: commands are decided in order, and one that is refused stops none after it. All that
//! was done is durable when the answer, always 200, begins. Only what cannot be read as a batch at all is refused whole.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use ledger::{AccountId, Actor, Command, Currency};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use store::{Outcome, Refused, Role};

use super::members::Members;
use super::problem::Problem;
use super::{Api, Caller, Whole, commands, fields, json, login, refused, together, written};

/// The most commands that one batch takes.
const LEN_MAX: usize = 8192;

/// `{commands: […]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commands<'a> {
    #[serde(borrow)]
    commands: Vec<&'a RawValue>,
}

/// A command that moved nothing.
#[derive(Serialize)]
struct Refusal {
    status: u16,
    problem: Value,
}

/// `POST /v1/batch` `{commands: [{kind, account, key, …}]}`.
pub(super) async fn batch(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Extension(role): Extension<Role>,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let Commands { commands } = serde_json::from_slice(&body).map_err(|error| unreadable("commands", &error))?;
    if commands.len() > LEN_MAX {
        let detail = format!("a batch takes up to {LEN_MAX} commands, and this one has {}", commands.len());
        return Err(Problem::malformed(detail));
    }
    let mut read: Vec<Result<(Command, Currency), Problem>> =
        together(commands.iter().map(|command| read(&api, command.get(), &by, role))).await;
    // A database that does not answer is no mistake of one command.
    let is_fault = |problem: &Problem| problem.status().is_server_error();
    if let Some(at) = read.iter().position(|read| read.as_ref().is_err_and(is_fault)) {
        return Err(read.swap_remove(at).expect_err("it was one"));
    }
    let mut wanted = Vec::with_capacity(read.len());
    let read: Vec<Result<(AccountId, Currency), Problem>> = read
        .into_iter()
        .map(|read| {
            let (command, currency) = read?;
            let account = command.account;
            wanted.push(command);
            Ok((account, currency))
        })
        .collect();
    let decided = api.changes().submit(wanted).await.map_err(refused::of_fault)?;
    let mut decided = decided.iter();
    let mut text = Vec::with_capacity(commands.len() * 640 + 32);
    text.extend_from_slice(b"{\"outcomes\":[");
    for (index, read) in read.into_iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        match read {
            Err(problem) => write_problem(&mut text, &problem),
            Ok((account, currency)) => {
                let decided = decided.next().expect("each command has its outcome");
                write(&mut text, &api, account, currency, decided);
            }
        }
    }
    text.extend_from_slice(b"]}");
    Ok(json(text))
}

async fn read(api: &Api, command: &str, by: &Actor, role: Role) -> Result<(Command, Currency), Problem> {
    let mut members = Members::read_any(command)?;
    let kind = commands::kind(&members.required_text("kind")?)?;
    // A command needs what its own route needs, so that a batch is no way around the roles.
    login::check(role, commands::role(kind))?;
    members.check(&commands::of_batch(kind))?;
    let account = api.account(fields::account_member(&mut members, "account")?).await?;
    let key = fields::key(&members.required_text("key")?)?;
    let command = commands::read(kind, &mut members, &account, None, key, by.clone())?;
    if let Some(to) = command.movement.to() {
        api.account(to).await?;
    }
    Ok((command, account.currency))
}

fn write(text: &mut Vec<u8>, api: &Api, id: AccountId, currency: Currency, decided: &Result<Outcome, Refused>) {
    match decided {
        Ok(outcome) => written::moved(text, Some(if outcome.replayed { 200 } else { 201 }), outcome, currency),
        Err(refused) => {
            api.metrics.refused(refused.refusal.slug());
            write_problem(text, &refused::movement(id, refused));
        }
    }
}

fn write_problem(text: &mut Vec<u8>, problem: &Problem) {
    let refusal = Refusal { status: problem.status().as_u16(), problem: problem.document() };
    serde_json::to_writer(text, &refusal).expect("memory takes any shape");
}

/// A body that is no such object. A parser's own words may repeat what stood there; its place may be told.
pub(super) fn unreadable(list: &str, error: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "the body must be a JSON object of \"{list}\", a list of objects (at line {}, column {})",
        error.line(),
        error.column()
    ))
}
