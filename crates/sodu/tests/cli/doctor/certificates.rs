//! The doctor and certificates: dates, names, keys that do not match or lie open.

use std::os::unix::fs::PermissionsExt;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{CertificateParams, KeyPair};

use super::{Finding, Report, doctor};
use crate::common::Sodu;

/// A certificate for the public listener that holds from and until so many days from today.
fn certify(sodu: &Sodu, names: &[&str], from: i64, until: i64) -> KeyPair {
    let day = |days: i64| {
        let day = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(days.days());
        let (month, date) = (day.month().try_into().expect("a month"), day.day().try_into().expect("a day"));
        rcgen::date_time_ymd(day.year().into(), month, date)
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    (params.not_before, params.not_after) = (day(from), day(until));
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(sodu.path("cert.pem"), certificate.pem()).expect("a file");
    write_key(sodu, &key);
    key
}

fn write_key(sodu: &Sodu, key: &KeyPair) {
    std::fs::write(sodu.path("key.pem"), key.serialize_pem()).expect("a file");
    set_mode(sodu, 0o600);
}

fn set_mode(sodu: &Sodu, mode: u32) {
    std::fs::set_permissions(sodu.path("key.pem"), PermissionsExt::from_mode(mode)).expect("the own file");
}

fn report(sodu: &Sodu) -> Report {
    let text = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n[ops_tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(sodu.path("sodu.toml"), text).expect("a file");
    doctor(sodu, &["--config", "sodu.toml"])
}

/// What is said of the certificate, of both listeners alike.
fn finding(sodu: &Sodu) -> Finding {
    let report = report(sodu);
    assert_eq!(report.find("certificate.public"), report.find("certificate.operators"));
    report.find("certificate.public")
}

#[test]
fn dates_and_names_of_certificates_are_told() {
    let sodu = Sodu::new();
    let names = ["sodu.example.com", "192.0.2.7"];
    certify(&sodu, &names, -10, 90);
    finding(&sodu).is("ok", ", for sodu.example.com, 192.0.2.7", "");
    certify(&sodu, &names, -10, 20);
    finding(&sodu).is("warning", "cert.pem expires at", "renew it");
    certify(&sodu, &names, -10, -1);
    finding(&sodu).is("problem", "cert.pem expired at", "renew it");
    certify(&sodu, &names, 2, 90);
    finding(&sodu).is("problem", "not valid before", "see the clock");
    certify(&sodu, &[], -10, 90);
    finding(&sodu).is("warning", "for no host at all", "subject alternative name");
}

#[test]
fn a_chain_is_as_old_as_its_oldest_link() {
    let sodu = Sodu::new();
    certify(&sodu, &["a.example.com"], -10, -1);
    let expired = std::fs::read_to_string(sodu.path("cert.pem")).expect("a file");
    certify(&sodu, &["a.example.com"], -10, 90);
    let own = std::fs::read_to_string(sodu.path("cert.pem")).expect("a file");
    std::fs::write(sodu.path("cert.pem"), own + &expired).expect("a file");
    finding(&sodu).is("problem", "certificate 2 of cert.pem expired at", "renew it");
}

#[test]
fn files_that_a_server_would_not_take_are_problems_here_too() {
    let sodu = Sodu::new();
    certify(&sodu, &["a.example.com"], -10, 90);
    let secret =
        std::fs::read_to_string(sodu.path("key.pem")).expect("a key").lines().nth(1).expect("a line").to_owned();
    set_mode(&sodu, 0o644);
    let open = report(&sodu);
    open.find("permissions.keys").is("problem", "key.pem has mode 0644", "chmod 640");
    set_mode(&sodu, 0o640);
    report(&sodu).find("permissions.keys").is("ok", "", "");
    let other = KeyPair::generate().expect("a key");
    write_key(&sodu, &other);
    finding(&sodu).is("problem", "cannot be used together", "correct the two files");
    std::fs::write(
        sodu.path("key.pem"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n"),
    )
    .expect("a file");
    let damaged = finding(&sodu);
    damaged.is("problem", "key.pem is damaged", "correct the two files");
    assert!(!damaged.finding.contains(&secret), "{damaged:?}");
    std::fs::remove_file(sodu.path("cert.pem")).expect("the file");
    finding(&sodu).is("problem", "cert.pem cannot be read", "correct the two files");
}

#[test]
fn a_server_with_the_certificate_of_before_wants_a_restart() {
    let sodu = Sodu::with_account();
    certify(&sodu, &["a.example.com"], -10, 90);
    let server = sodu.serve();
    // Written in an hour, as far as the file says: the server cannot have read it.
    let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
    let file = std::fs::File::options().write(true).open(sodu.path("cert.pem")).expect("the file");
    file.set_modified(later).expect("the own file");
    finding(&sodu).is("warning", "written after the running server had started", "restart the server");
    drop(server);
}
