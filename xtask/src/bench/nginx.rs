//! The yardstick of the GetBalance benchmark: nginx that answers everything with one fixed GetBalance body.
//!
//! One process, kept on the server's core; no access log, connections kept for ever. It does no work at all, so it shows
//! what HTTP and the kernel cost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process;
use crate::http::{Address, Connection, Request};
use crate::programs;
use crate::server::free_address;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running nginx; dropped, it is killed.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: Address,
    pub(crate) program: PathBuf,
}

impl Nginx {
    pub(crate) fn start(folder: &Path) -> Result<Nginx> {
        let program = programs::need("nginx", "nginx-light")?;
        let address = free_address()?;
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(&address.to_string()))?;
        let pinned = process::on_core(process::SERVER_CORE);
        let mut command = Command::new(&pinned[0]);
        command.args(&pinned[1..]).arg(&program).arg("-p").arg(folder).arg("-c").arg(&file).arg("-e").arg("stderr");
        let child = command.stdin(Stdio::null()).spawn().context("cannot run taskset: it is in util-linux")?;
        let mut nginx = Nginx { child, address: Address::Tcp(address), program };
        nginx.wait()?;
        Ok(nginx)
    }

    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }

    fn wait(&mut self) -> Result<()> {
        let began = Instant::now();
        let anything = Request { method: "GET", path: "/", key: None, body: "" };
        while Connection::open(&self.address).and_then(|mut connection| connection.call(&anything)).is_err() {
            ensure!(self.child.try_wait()?.is_none(), "nginx did not start");
            ensure!(began.elapsed() < PATIENCE, "nginx was not ready in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn configuration(address: &str) -> String {
    // Without a master process the one process that answers is the one that is measured.
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen {address};
        location / {{
            default_type "application/json; charset=utf-8";
            return 200 '{{"Balance":36693,"CodeResponse":"100","UserID":999999}}';
        }}
    }}
}}
"#
    )
}
