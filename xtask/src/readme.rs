//! `cargo xtask readme`: runs what README.md tells its reader to run, and compares what it says will come back.
//!
//! README stays as a person would write it; comments, which no reader sees, mark the fenced blocks that are run:
//!
//! - `<!-- ci: demo -->` before a `sh` block: it is started and left running. What it prints as `export` lines is set for
//!   the blocks that follow, and its address takes the place of the usual one, should that have been taken.
//! - `<!-- ci: run -->` before a `sh` block: it must succeed. A `json` block right after it is what it must print.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::programs::{self, root};

/// The address that README shows, and that a demo uses unless it is taken.
const USUAL_ADDRESS: &str = "127.0.0.1:8080";
/// The demo may have to be built first.
const BUILD_MAX: Duration = Duration::from_secs(20 * 60);

pub(crate) fn run() -> Result<()> {
    programs::need("curl", "curl")?;
    let blocks = blocks(&fs::read_to_string(root().join("README.md"))?);
    let mut demo = None;
    let mut run = 0;
    for (index, block) in blocks.iter().enumerate() {
        match block.mark.as_deref() {
            None => continue,
            Some("demo") => demo = Some(Demo::start(&block.text)?),
            Some("run") => {
                let printed = run_block(&block.text, demo.as_ref())?;
                let expected = blocks.get(index + 1).filter(|next| next.language == "json" && next.mark.is_none());
                if let Some(expected) = expected {
                    ensure!(
                        printed.trim() == expected.text.trim(),
                        "README says that this prints {:?}, and it prints {printed:?}:\n{}",
                        expected.text.trim(),
                        block.text
                    );
                }
            }
            Some(other) => bail!("README.md: no such mark: <!-- ci: {other} -->"),
        }
        run += 1;
    }
    ensure!(demo.is_some() && run > 1, "README.md marks no demo, or nothing to run beside it");
    println!("readme: {run} blocks do what README.md says");
    Ok(())
}

/// A fenced block of a Markdown file.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    mark: Option<String>,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut mark = None;
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            blocks.push(Block { language: language.to_owned(), mark: mark.take(), text: text.join("\n") });
        } else if let Some(comment) = line.trim().strip_prefix("<!-- ci: ") {
            mark = comment.strip_suffix(" -->").map(str::to_owned);
        }
    }
    blocks
}

fn run_block(text: &str, demo: Option<&Demo>) -> Result<String> {
    let demo = demo.context("README.md runs something before its demo")?;
    let text = text.replace(USUAL_ADDRESS, &demo.address);
    let mut bash = shell(&text);
    let output = programs::output(bash.envs(demo.exports.iter().map(|(name, value)| (name, value))))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "README's block ended with {}:\n{text}\n{printed}{errors}", output.status);
    Ok(printed)
}

fn shell(text: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.current_dir(root()).args(["-euo", "pipefail", "-c", text]).stdin(Stdio::null());
    bash
}

/// The demo that README starts; dropped, it gets the Ctrl-C that README tells of.
struct Demo {
    child: Child,
    exports: Vec<(String, String)>,
    address: String,
}

impl Demo {
    fn start(text: &str) -> Result<Demo> {
        let mut bash = shell(text);
        let mut child = bash.process_group(0).stdout(Stdio::piped()).spawn().context("cannot run bash")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let mut demo = Demo { child, exports: Vec::new(), address: USUAL_ADDRESS.to_owned() };
        let (sender, lines) = channel();
        // Reads to the end, so that the demo never waits for a reader.
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        demo.read(&lines)?;
        Ok(demo)
    }

    /// Reads what it prints until both keys and the address are known.
    fn read(&mut self, lines: &Receiver<String>) -> Result<()> {
        let until = Instant::now() + BUILD_MAX;
        let mut address = None;
        while address.is_none() || self.exports.len() < 2 {
            let line = match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("README's demo said nothing to paste within {BUILD_MAX:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("README's demo ended: {}", self.child.wait()?),
            };
            let export = line.trim().strip_prefix("export ").and_then(|export| export.split_once('='));
            self.exports
                .extend(export.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())));
            address = address.or_else(|| address_in(&line));
        }
        self.address = address.unwrap_or_default();
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group.filter(|_| matches!(self.child.try_wait(), Ok(None))) {
            kill_process_group(group, Signal::INT).ok();
        }
        self.child.wait().ok();
    }
}

/// The address of the eSMS face in a line such as a curl call.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://").filter(|_| line.contains("/MainService.svc/"))?;
    rest.split('/').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_carry_the_mark_before_them() {
        let markdown = "Text\n\n<!-- ci: run -->\n```sh\na\nb\n```\ngives\n```json\n{}\n```\n";
        let block = |language: &str, mark: Option<&str>, text: &str| Block {
            language: language.into(),
            mark: mark.map(str::to_owned),
            text: text.into(),
        };
        assert_eq!(blocks(markdown), [block("sh", Some("run"), "a\nb"), block("json", None, "{}")]);
    }

    #[test]
    fn the_address_is_that_of_the_published_call() {
        let line = "curl --location 'http://127.0.0.1:8083/MainService.svc/json/GetBalance_json' \\";
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:8083"));
        assert_eq!(address_in("see http://127.0.0.1:8081/metrics"), None);
    }
}
