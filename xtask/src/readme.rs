//! `cargo xtask readme`: runs what README.md and the pages of `docs/` tell their reader to run, and compares everything
//! that they say will come back.
//!
//! The pages stay as a person would write them; comments, which no reader sees, say of each `sh` block what is done with it,
//! and none goes without:
//!
//! - `<!-- ci: demo -->`: it is started and left running. What it prints as `export` lines is set for the blocks that follow.
//! - `<!-- ci: serve -->`: it is started, on free ports, and left running in the place of what was running before.
//! - `<!-- ci: run -->`: it must succeed. A `json` or `text` block right after it is what it must print (see `page`).
//! - `<!-- ci: skip: WHY -->`: it is left out.
//!
//! The blocks of one page are run in one shell, as far as that can be seen: variables, functions and the folder stay. Each
//! page has a data folder of its own. Where a server took other addresses than the usual ones, they take the place of those.
//!
//! A page in Vietnamese (`….vi.md`) is not run once more: it is held against the page that was (`twin`).

mod page;
mod running;
mod twin;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::programs::{self, root, target};
use page::{Block, Mark};
use running::Running;

/// The addresses that the pages show, and that a server uses unless it is told otherwise.
const USUAL_PUBLIC: &str = "127.0.0.1:8080";
const USUAL_OPS: &str = "127.0.0.1:8081";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The pages to do [default: README.vi.md, README.md, which builds the program, and all of docs/]
    pages: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    programs::need("curl", "curl")?;
    programs::need_postgres()?;
    let pages = if arguments.pages.is_empty() { all_pages()? } else { arguments.pages.clone() };
    for page in pages {
        let path = root().join(&page);
        if let Some(original) = twin::original(&page) {
            let text =
                |path: &Path| fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
            twin::compare(&text(&root().join(&original))?, &text(&path)?)
                .with_context(|| format!("{} does not say what {} says", page.display(), original.display()))?;
            println!("readme: {} tells its reader to do what {} does", page.display(), original.display());
        } else if page == Path::new(FIRST) {
            read(&page, &path, root())?;
        } else {
            // What a page makes lies in the folder that its reader happens to be in.
            read(&page, &path, tempfile::tempdir()?.path())?;
        }
    }
    Ok(())
}

/// Every page.
pub(crate) fn run_all() -> Result<()> {
    run(&Arguments { pages: Vec::new() })
}

/// The page that begins with a clone; it builds the program that the others use.
const FIRST: &str = "README.md";
/// The same in Vietnamese.
const TRANSLATED: &str = "README.vi.md";

fn all_pages() -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root().join("docs")).context("docs/ cannot be read")? {
        let name = entry?.file_name();
        pages.push(Path::new("docs").join(name));
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    // What is read in a moment comes before what is run.
    Ok([TRANSLATED, FIRST].map(PathBuf::from).into_iter().chain(pages).collect())
}

/// Does what a page says, in `folder`.
fn read(page: &Path, path: &Path, folder: &Path) -> Result<()> {
    let name = page.display();
    let blocks = page::blocks(&fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?);
    let data = tempfile::tempdir()?;
    let mut shell = Shell::new(folder, data.path())?;
    let (mut run, mut compared) = (0, 0);
    let mut printed: Option<String> = None;
    for block in &blocks {
        if block.language != "sh" {
            let Some(printed) = printed.take() else {
                ensure!(block.mark == Some(Mark::Skip), "{name} shows what nothing prints:\n{}", block.text);
                continue;
            };
            let expected = Block { text: shell.addressed(&block.text), ..block.clone() };
            ensure!(
                expected.is_printed(&printed),
                "{name} says that this comes back:\n{}\nand it is:\n{printed}",
                expected.text
            );
            compared += 1;
            continue;
        }
        printed = None;
        match block.mark {
            None => bail!("{name}: a sh block without a mark, such as <!-- ci: run -->:\n{}", block.text),
            Some(Mark::Skip) => continue,
            Some(Mark::Demo) => shell.start(&block.text, &[])?,
            Some(Mark::Serve) => {
                shell.start(&block.text, &[("SODU_LISTEN", "127.0.0.1:0"), ("SODU_OPS_LISTEN", "127.0.0.1:0")])?;
            }
            Some(Mark::Run) => {
                printed = Some(shell.run(&block.text).with_context(|| format!("{name}:\n{}", block.text))?);
            }
        }
        run += 1;
    }
    // A page without a block, such as the table of codes, is only to be read.
    ensure!(run > 0 || blocks.is_empty(), "{name} has nothing to run");
    println!("readme: {run} blocks do what {name} says, and {compared} answers are those that it shows");
    Ok(())
}

/// The reader's terminal: what one block leaves in it, the next one finds.
struct Shell {
    variables: Vec<(String, String)>,
    folder: PathBuf,
    /// Where a block leaves its variables.
    state: tempfile::NamedTempFile,
    running: Option<Running>,
}

impl Shell {
    fn new(folder: &Path, data: &Path) -> Result<Shell> {
        let state = tempfile::NamedTempFile::new()?;
        // A reader's terminal has none of our settings, and cargo has told it nothing.
        let foreign =
            |name: &str| name.starts_with("SODU_") || name.starts_with("ESMS_") || programs::is_of_cargo(name);
        let kept = std::env::vars().filter(|(name, _)| !foreign(name));
        let mut shell = Shell { variables: kept.collect(), folder: folder.to_owned(), state, running: None };
        let own = |path: &Path| path.display().to_string();
        shell.set("XDG_DATA_HOME", own(data));
        shell.set("PAGE_STATE", own(shell.state.path()));
        let path = std::env::var("PATH").unwrap_or_default();
        shell.set("PATH", format!("{}:{path}", target().join("release").display()));
        Ok(shell)
    }

    fn set(&mut self, name: &str, value: String) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value));
    }

    /// A shell that stops at the first error, and in which everything that is set is there for the next one too.
    fn bash(&self, text: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["-aeuo", "pipefail", "-c", text]).current_dir(&self.folder).stdin(Stdio::null());
        bash.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        bash
    }

    /// Starts what goes on running, in the place of what was.
    fn start(&mut self, text: &str, more: &[(&str, &str)]) -> Result<()> {
        // As Ctrl-C would, before the next one is typed.
        drop(self.running.take());
        let running = Running::start(self.bash(text).envs(more.iter().copied()))?;
        for (name, value) in &running.exports {
            self.set(name, value.clone());
        }
        self.running = Some(running);
        Ok(())
    }

    /// Runs a block to its end and returns what it printed.
    fn run(&mut self, text: &str) -> Result<String> {
        let text = format!("{}\nenv -0 >\"$PAGE_STATE\"", self.addressed(text));
        let output = programs::output(&mut self.bash(&text))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "it ended with {}:\n{printed}{errors}", output.status);
        let left = fs::read_to_string(self.state.path()).context("a variable is not UTF-8")?;
        self.variables = left
            .split_terminator('\0')
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if let Some((_, folder)) = self.variables.iter().find(|(name, _)| name == "PWD") {
            self.folder = folder.into();
        }
        Ok(printed)
    }

    /// `text` with the addresses of what is running.
    fn addressed(&self, text: &str) -> String {
        match &self.running {
            Some(running) => text.replace(USUAL_PUBLIC, &running.public).replace(USUAL_OPS, &running.ops),
            None => text.to_owned(),
        }
    }
}
