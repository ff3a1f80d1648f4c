//! `--tls`: a certificate for this demo, and the authority that signs it and nothing after it.
//!
//! How the certificate is served is the business of `serve`, which is told of the two files like any server's. The
//! authority's private key is never written down and is gone when this returns, so that whoever trusts its certificate
//! trusts this one demo.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::config::TlsFiles;

/// The certificate of the authority, in the demo's folder.
const CA_FILE: &str = "ca.pem";
/// Longer than a demo runs, and short enough for clients that take no certificate of years.
const DAYS: i64 = 30;

/// Makes both for a server at `listen` in `folder`: what the server needs, and the authority's certificate for clients.
pub(super) fn certify(folder: &Path, listen: IpAddr) -> anyhow::Result<(TlsFiles, PathBuf)> {
    let name = folder.file_name().map_or_else(|| "sodu-demo".into(), |name| name.to_string_lossy());
    let authority = CertifiedIssuer::self_signed(authority(&name)?, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = server(listen)?.signed_by(&key, &authority)?;
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let ca = folder.join(CA_FILE);
    let unwritten = |path: &Path| format!("{} cannot be written", path.display());
    fs::write(&ca, authority.pem()).with_context(|| unwritten(&ca))?;
    fs::write(&files.cert, certificate.pem()).with_context(|| unwritten(&files.cert))?;
    let key_file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&files.key);
    let written = key_file.and_then(|mut file| file.write_all(key.serialize_pem().as_bytes()));
    written.with_context(|| unwritten(&files.key))?;
    Ok((files, ca))
}

/// The authority, under a name that no other demo's has: a client that trusts another is to say that it does not know
/// this one, rather than that a signature is wrong.
fn authority(name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = params(Vec::new(), &format!("{name} CA"))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

/// The server, by every name that this machine has for itself.
fn server(listen: IpAddr) -> anyhow::Result<CertificateParams> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.contains(&listen.to_string()) {
        names.push(listen.to_string());
    }
    let mut params = params(names, "sodu demo")?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict clients, such as Python 3.13, want to be told whose key signed it.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(names: Vec<String>, name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let at = |date: Date| -> anyhow::Result<_> {
        Ok(rcgen::date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?))
    };
    // A client whose clock is a little behind takes it too.
    params.not_before = at(today.saturating_sub(1.day()))?;
    params.not_after = at(today.saturating_add(DAYS.days()))?;
    Ok(params)
}
