//! A PostgreSQL of this test process's own: an installed server, started in a temporary folder, reached by a Unix socket and
//! the loopback device, and stopped when the process ends, however it does.
//!
//! It syncs what it commits, as it would anywhere, and is small. Each test case gets a database of its own, as the owner
//! `sodu`; the user `admin` may do everything.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Whom the server runs as where the tests run as root, which it refuses: `nobody` (Debian's base-passwd).
const NOBODY: u32 = 65_534;

/// What makes it small, and still durable.
const SETTINGS: &str = "shared_buffers = 32MB\nmax_connections = 200\nmax_wal_size = 256MB\nfsync = on\n\
    synchronous_commit = on\nautovacuum_naptime = 5s\nlog_min_messages = fatal\nlogging_collector = off\n";

/// A running server.
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
}

/// The server that all tests of this process share.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    /// Starts one that ends with this process.
    pub(crate) fn start() -> Cluster {
        let folder = TempDir::with_prefix("sodu-pg-").expect("a temporary folder").keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a mode");
        let (data, is_root) = (folder.join("data"), rustix::process::geteuid().is_root());
        fs::create_dir(&data).expect("a folder");
        if is_root {
            [&folder, &data]
                .into_iter()
                .for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).expect("another owner"));
        }
        let bin = programs();
        let mut initdb = plain_user(is_root, &bin.join("initdb"));
        initdb.args(["--username", "admin", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"]);
        let made = initdb.arg("--pgdata").arg(&data).output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Taken and given back: whoever takes it in between has the start fail, and tried again with another.
        let mut port = 0;
        for _ in 0..5 {
            port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
            let place = format!(
                "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n",
                folder.display()
            );
            let mut conf =
                fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("its settings");
            conf.write_all(format!("{SETTINGS}{place}").as_bytes()).expect("settings");
            let cluster = Cluster { folder: folder.clone(), port };
            if cluster.serve() {
                cluster.run("postgres", "CREATE ROLE sodu LOGIN");
                return cluster;
            }
        }
        panic!("PostgreSQL did not start on port {port}; see {}", folder.join("log").display());
    }

    /// Starts the server; false where it does not take connections before long.
    pub(crate) fn serve(&self) -> bool {
        let mut server = plain_user(rustix::process::geteuid().is_root(), &programs().join("postgres"));
        guard(server.arg("-D").arg(self.folder.join("data")), &self.folder);
        answers(&self.folder, self.port)
    }

    /// Ends the server as a power cut would: at once, with no chance to write anything.
    pub(crate) fn kill(&self) {
        let pid = Pid::from_raw(self.pid()).expect("a pid");
        kill_process(pid, Signal::QUIT).expect("it runs");
        let deadline = Instant::now() + Duration::from_secs(20);
        let is_up = || UnixStream::connect(self.socket()).is_ok();
        while is_up() || (self.folder.join("data/postmaster.pid").exists() && test_kill_process(pid).is_ok()) {
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Where its data lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port on the loopback device.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// The URL of one of its databases for that user, by the Unix socket.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{folder}:{}/{database}", self.port)
    }

    /// A new database that `sodu` owns, copied from `template`.
    pub(crate) fn database(&self, template: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name} OWNER sodu TEMPLATE {template}"));
        name
    }

    /// SQL as `admin`.
    pub(crate) fn run(&self, database: &str, sql: &str) {
        Shell::open(&self.url("admin", database)).run(sql);
    }

    /// All that one of its databases holds, as `pg_dump` writes it.
    pub(crate) fn dump(&self, database: &str) -> String {
        let mut dump = Command::new(programs().join("pg_dump"));
        dump.arg("--host").arg(&self.folder).args(["--username", "admin", "--port", &self.port.to_string(), database]);
        let dumped = dump.output().expect("pg_dump runs");
        assert!(dumped.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dumped.stderr));
        String::from_utf8_lossy(&dumped.stdout).into_owned()
    }

    /// Stops all of its processes where they stand, as on a machine that hangs, until the guard is dropped.
    pub(crate) fn pause(&self) -> Paused {
        // The second look finds whoever was being started at the first.
        (0..2).for_each(|_| Paused::signal(&self.processes(), Signal::STOP));
        Paused(self.processes())
    }

    /// The server's own process and all that it started.
    fn processes(&self) -> Vec<Pid> {
        let server = self.pid();
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let parent = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()
        };
        pids.filter(|pid| *pid == server || parent(pid) == Some(server)).filter_map(Pid::from_raw).collect()
    }

    fn pid(&self) -> i32 {
        let text = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("its pid");
        text.lines().next().and_then(|pid| pid.trim().parse().ok()).expect("a pid")
    }
}

/// A server whose processes stand still.
pub(crate) struct Paused(Vec<Pid>);

impl Paused {
    fn signal(processes: &[Pid], signal: Signal) {
        for pid in processes {
            // One that has ended meanwhile needs none.
            let _ = kill_process(*pid, signal);
        }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        Paused::signal(&self.0, Signal::CONT);
    }
}

/// The folder with the programs of the newest PostgreSQL that is installed.
fn programs() -> PathBuf {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let installed = fs::read_dir("/usr/lib/postgresql").map(|all| all.flatten().map(|entry| entry.path()).collect());
    let mut installed: Vec<PathBuf> = installed.unwrap_or_default();
    installed.retain(|path| path.join("bin/initdb").is_file());
    installed.sort_by_key(version);
    let newest = installed.pop().map(|path| path.join("bin"));
    newest.expect("PostgreSQL is missing: install it with `sudo apt-get install postgresql`, then run this again")
}

/// A command as whoever runs the tests, or as nobody where that is root.
fn plain_user(is_root: bool, program: &Path) -> Command {
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()]).arg(program);
    command
}

/// Starts the server under a shell that waits for the end of this process, which closes the pipe between them even where it
/// is killed; then it stops the server by its pid and removes the folder.
fn guard(server: &Command, folder: &Path) {
    static PIPES: std::sync::Mutex<Vec<(Child, ChildStdin)>> = std::sync::Mutex::new(Vec::new());
    let script = "folder=$1; shift; \"$@\" >\"$folder/log\" 2>&1 </dev/null & pid=$!; cat >/dev/null; kill -INT $pid 2>/dev/null; \
                  wait $pid; rm -rf \"$folder\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "guard"]).arg(folder).arg(server.get_program()).args(server.get_args());
    // An interrupt at the terminal ends the tests, and with them the server, in this order.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("sh runs");
    let pipe = child.stdin.take().expect("a pipe");
    PIPES.lock().expect("no panic").push((child, pipe));
}

/// Whether the server takes connections before long.
fn answers(folder: &Path, port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut config = Config::new();
    config.host_path(folder).port(port).user("admin").dbname("postgres");
    while Instant::now() < deadline {
        if Shell::try_open(&config).is_ok() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    false
}

/// SQL on a database, past the store, on threads of its own: also a test that is asynchronous may wait for it.
pub(crate) struct Shell(Arc<Client>);

impl Shell {
    pub(crate) fn open(url: &str) -> Shell {
        Shell::try_open(&url.parse().expect("a URL")).expect("a connection")
    }

    fn try_open(config: &Config) -> Result<Shell, tokio_postgres::Error> {
        let config = config.clone();
        waited(async move {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute("SET search_path = sodu, public").await?;
            Ok(Shell(Arc::new(client)))
        })
    }

    pub(crate) fn run(&self, sql: &str) {
        self.try_run(sql).expect("it is done");
    }

    pub(crate) fn try_run(&self, sql: &str) -> Result<(), String> {
        let (client, sql) = (Arc::clone(&self.0), sql.to_owned());
        let done = waited(async move { client.batch_execute(&sql).await });
        done.map_err(|error| error.as_db_error().map_or(error.to_string(), |said| said.message().to_owned()))
    }

    /// Changes what must never change: `admin` may.
    pub(crate) fn tamper(&self, sql: &str) {
        self.run(sql);
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        let (client, sql) = (Arc::clone(&self.0), sql.to_owned());
        let rows = waited(async move { client.simple_query(&sql).await }).expect("a row");
        let row =
            rows.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
        row.and_then(|row| row.get(0)?.parse().ok()).expect("a number")
    }
}

fn waited<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let built = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = RUNTIME.get_or_init(|| built().expect("a runtime"));
    let (done, waits) = std::sync::mpsc::channel();
    runtime.spawn(async move { done.send(work.await).unwrap_or_default() });
    waits.recv().expect("it does not panic")
}
