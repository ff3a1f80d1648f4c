//! One command's conversation with the operator API: opened, named to the person where it writes, and always closed.

use std::future::Future;
use std::io::{self, IsTerminal};

use axum::http::Method;
use serde_json::Value;

use super::Global;
use super::failure::Failure;
use super::output::{Output, note};
use crate::config::{Config, Overrides};
use crate::door::{Call, Create, Door};

/// What a command is going to do to the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
    /// Write, and make the database where there is none.
    Create,
}

/// A way to the operator API, and to the person.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) door: Door,
    pub(super) out: Output,
}

impl Session {
    /// Runs one command against the configured database.
    pub(super) fn run<F>(global: &Global, intent: Intent, command: F) -> Result<(), Failure>
    where
        F: AsyncFnOnce(&mut Session) -> Result<(), Failure>,
    {
        let config = global.settings(Overrides::default())?;
        block_on(async {
            let create = if intent == Intent::Create { Create::IfMissing } else { Create::Never };
            let door = Door::open(&config, create).await?;
            if door.created() {
                note(&format!("created the {}", door.target()));
            } else if intent != Intent::Read {
                note(&door.target());
            }
            let mut session = Session { config, door, out: Output::new(global.json) };
            let done = command(&mut session).await;
            let flushed = session.out.flush();
            session.door.close().await;
            done.and(flushed)
        })
    }

    /// Asks; a problem document is a failure.
    pub(super) async fn ask(&mut self, call: Call<'_>) -> Result<Value, Failure> {
        let answer = self.door.call(call).await?;
        if answer.is_success() { Ok(answer.json) } else { Err(Failure::Problem(answer.json)) }
    }

    /// Asks for what is at `path`.
    pub(super) async fn get(&mut self, path: String) -> Result<Value, Failure> {
        self.ask(Call::get(path)).await
    }

    /// Sends `body` to `path`.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: String,
        key: Option<&str>,
        body: Value,
    ) -> Result<Value, Failure> {
        self.ask(Call { method, path, key, body: Some(body) }).await
    }
}

/// Runs `work` on a runtime of its own.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| Failure::local("no_runtime", format!("The system refused what sodu needs: {error}.")))?
        .block_on(work)
}

/// A new idempotency key, for a command that a person typed without one.
pub(super) fn new_key() -> Result<String, Failure> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::local("no_random", format!("The system's random generator failed: {error}.")))?;
    Ok(bytes.iter().fold("cli-".to_owned(), |key, byte| format!("{key}{byte:02x}")))
}

/// Whether a person sits at this command, who can read a key that is made up for them.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
