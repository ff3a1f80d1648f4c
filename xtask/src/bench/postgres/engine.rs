//! A PostgreSQL of the benchmark's own, in a folder on the disk that is measured: durable as anywhere, with room in memory.
//!
//! It ends with the process that started it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::programs;
use crate::server;

/// Whom it runs as where this is root, whom it refuses: `nobody` (Debian's base-passwd).
const NOBODY: u32 = 65_534;

/// What differs from PostgreSQL's defaults, all of which acknowledge only what is synced. The checkpoint settings keep a
/// checkpoint from falling into one round and not into the next.
const SETTINGS: &str = "shared_buffers = 512MB\nmax_connections = 100\nmax_wal_size = 4GB\ncheckpoint_timeout = 30min\n\
    log_min_messages = fatal\nlisten_addresses = ''\n";

/// The database's name, and its owner's.
const NAME: &str = "sodu";

const PATIENCE: Duration = Duration::from_secs(60);

/// A running server with an empty database.
pub(super) struct Engine {
    child: Child,
    folder: PathBuf,
    port: u16,
    /// Its folder of programs.
    pub(super) programs: PathBuf,
}

impl Engine {
    pub(super) fn start(folder: &Path) -> Result<Engine> {
        programs::need_postgres()?;
        programs::need("setpriv", "util-linux")?;
        let programs = newest()?;
        let folder = folder.join("postgres");
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        if rustix::process::geteuid().is_root() {
            [&folder, &data].into_iter().try_for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)))?;
        }
        let mut initdb = plain_user(&programs.join("initdb"));
        initdb.args(["--username", "admin", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--pgdata"]);
        let made = programs::output(initdb.arg(&data))?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = server::free_address()?.port();
        let place = format!("port = {port}\nunix_socket_directories = '{}'\n", folder.display());
        let conf = data.join("postgresql.conf");
        let defaults = fs::read_to_string(&conf)?;
        fs::write(&conf, format!("{defaults}{SETTINGS}{place}"))?;
        let log = fs::File::create(folder.join("log"))?;
        let mut command = plain_user(&programs.join("postgres"));
        command.arg("-D").arg(&data).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("PostgreSQL cannot be started")?;
        let engine = Engine { child, folder, port, programs };
        engine.wait()?;
        engine.sql("postgres", &format!("CREATE ROLE {NAME} LOGIN"))?;
        engine.sql("postgres", &format!("CREATE DATABASE {NAME} OWNER {NAME}"))?;
        Ok(engine)
    }

    /// The ledger's URL; `more` is what stands behind the question mark.
    pub(super) fn url(&self, more: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{NAME}@{folder}:{}/{NAME}{more}", self.port)
    }

    /// What the ledger's database says to `sql`, as text.
    pub(super) fn ask(&self, sql: &str) -> Result<String> {
        self.sql(NAME, sql)
    }

    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.arg("--host").arg(&self.folder).args(["--port", &self.port.to_string(), "--username", "admin"]);
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", database, "--command", sql]);
        let told = programs::output(&mut psql)?;
        ensure!(told.status.success(), "{sql}: {}", String::from_utf8_lossy(&told.stderr));
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }

    fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while let Err(error) = self.sql("postgres", "SELECT 1") {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            ensure!(began.elapsed() < PATIENCE, "PostgreSQL does not answer: {error:#}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A fast shutdown; the folder goes with whoever made it.
        if let (Ok(None), Some(pid)) =
            (self.child.try_wait(), i32::try_from(self.child.id()).ok().and_then(Pid::from_raw))
        {
            kill_process(pid, Signal::INT).ok();
            self.child.wait().ok();
        }
    }
}

/// The folder with the programs of the newest version that is installed.
fn newest() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not where Debian has it")?.flatten();
    let numbered =
        folders.filter_map(|folder| Some((folder.file_name().to_str()?.parse::<u32>().ok()?, folder.path())));
    let newest = numbered.filter(|(_, path)| path.join("bin/postgres").is_file()).max();
    Ok(newest.context("PostgreSQL is not where Debian has it")?.1.join("bin"))
}

/// A command that ends with this process, as whoever this is or, where that is root, as nobody.
fn plain_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if rustix::process::geteuid().is_root() {
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()]);
    }
    command.arg(program);
    command
}
