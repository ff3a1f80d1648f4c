//! The certificates of both listeners: whether a server takes them, until when they hold, and for which names.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::report::Check;
use super::scene::Scene;
use super::x509::{self, Certificate};
use crate::config::TlsFiles;
use crate::{clock, times, tls};

const SOON: i64 = 30 * 86_400;

const RENEW: &str =
    "renew it (`certbot renew`, or whoever issued it), then restart the server, which reads it at its start";

pub(super) fn check(scene: &Scene) -> Vec<Check> {
    let listeners =
        [("certificate.public", "tls", &scene.config.tls), ("certificate.operators", "ops_tls", &scene.config.ops_tls)];
    let one = |(name, section, files): (&'static str, &str, &Option<TlsFiles>)| match files {
        Some(files) => one(scene, name, files),
        None => Check::skipped(name, format!("there is no [{section}]: this listener speaks plain HTTP")),
    };
    listeners.map(one).into()
}

fn one(scene: &Scene, name: &'static str, files: &TlsFiles) -> Check {
    for file in [&files.cert, &files.key] {
        if let Err(error) = fs::File::open(file)
            && error.kind() == ErrorKind::PermissionDenied
            && !scene.is_own()
        {
            return Check::unseen(name, format!("{} cannot be read: {error}", file.display()), &scene.who());
        }
    }
    if let Err(error) = tls::server(files) {
        return Check::problem(name, format!("{error:#}"), "correct the two files; a server does not start with these");
    }
    let Some(chain) = chain(&files.cert) else {
        let shown = files.cert.display();
        return Check::skipped(name, format!("{shown} is taken, and its dates cannot be read"));
    };
    dates(name, files, &chain).unwrap_or_else(|| fresh(scene, name, files, &chain))
}

/// All certificates of the file, the server's own first.
fn chain(file: &Path) -> Option<Vec<Certificate>> {
    let pem = fs::read(file).ok()?;
    let read = |der: Result<CertificateDer<'_>, _>| der.ok().and_then(|der| x509::read(&der));
    let chain: Option<Vec<Certificate>> = CertificateDer::pem_slice_iter(&pem).map(read).collect();
    chain.filter(|chain| !chain.is_empty())
}

/// What is wrong with the dates of any of them.
fn dates(name: &'static str, files: &TlsFiles, chain: &[Certificate]) -> Option<Check> {
    let now = clock::system()().micros() / 1_000_000;
    let shown = files.cert.display();
    let place = |index: usize| match index {
        0 => format!("{shown}"),
        index => format!("certificate {} of {shown}", index + 1),
    };
    for (index, certificate) in chain.iter().enumerate() {
        let place = place(index);
        if certificate.not_after < now {
            return Some(Check::problem(name, format!("{place} expired at {}", at(certificate.not_after)), RENEW));
        }
        if certificate.not_before > now {
            let finding = format!("{place} is not valid before {}", at(certificate.not_before));
            return Some(Check::problem(
                name,
                finding,
                "see the clock; if that is right, use the older certificate until then",
            ));
        }
    }
    let (index, first) = chain.iter().enumerate().min_by_key(|(_, certificate)| certificate.not_after)?;
    (first.not_after - now < SOON).then(|| {
        let finding = format!(
            "{} expires at {}, in {} days",
            place(index),
            at(first.not_after),
            (first.not_after - now) / 86_400
        );
        Check::warning(name, finding, RENEW)
    })
}

fn at(seconds: i64) -> String {
    times::rfc3339(ledger::Time::from_micros(seconds.saturating_mul(1_000_000))).replace(".000000", "")
}

/// A certificate that is valid; a server that started before it was written uses an older one.
fn fresh(scene: &Scene, name: &'static str, files: &TlsFiles, chain: &[Certificate]) -> Check {
    let own = &chain[0];
    let shown = files.cert.display();
    let written = [&files.cert, &files.key].iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok()).max();
    let started = scene.server().and_then(started);
    if let (Some(written), Some(started)) = (written, started)
        && written > started
    {
        let finding = format!("{shown} was written after the running server had started, which uses the one before");
        return Check::warning(name, finding, "restart the server");
    }
    let names = if own.names.is_empty() { "no host at all".to_owned() } else { own.names.join(", ") };
    let finding = format!("{shown} holds until {}, for {names}", at(own.not_after));
    if own.names.is_empty() {
        return Check::warning(name, finding, "get one with the host's name as a subject alternative name");
    }
    Check::ok(name, finding)
}

/// When a process started: ticks after the machine did (proc_pid_stat(5), proc_stat(5)).
fn started(pid: i32) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold spaces; the start is the 20th field behind it.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let booted: u64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    // A second more, as the start of the machine is told in whole seconds.
    let seconds = booted + ticks / rustix::param::clock_ticks_per_second() + 1;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}
