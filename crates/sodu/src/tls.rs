//! TLS for both faces: rustls on ring, TLS 1.2 and 1.3, HTTP/1.1 only.
//!
//! Certificates are read once, at start: renewing one means restarting. Client certificates are not asked for. Errors
//! name the file and what to do; they never quote what stands in it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;

/// The server side of TLS with the certificate chain and the private key in `files`.
///
/// # Errors
/// A file that cannot be read or is not PEM, a chain without certificate, a key that is encrypted, of an unknown kind,
/// or of another certificate.
pub fn server(files: &TlsFiles) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = chain(&files.cert)?;
    let key = key(&files.key)?;
    let unfit = || {
        let (cert, key) = (files.cert.display(), files.key.display());
        format!(
            "the certificate in {cert} and the key in {key} cannot be used together: is the key that of the first \
             certificate in the chain?"
        )
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn chain(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = read(file, "certificate")?;
    let chain: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => {
            Err(anyhow!("{} holds no PEM section CERTIFICATE: name the chain, such as fullchain.pem", file.display()))
        }
        Err(_) => Err(anyhow!("{} is damaged: a PEM section CERTIFICATE in it cannot be read", file.display())),
    }
}

fn key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let pem = read(file, "private key")?;
    // The parser's own message is dropped: it may quote a line of the key.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let name = file.display();
        if matches!(error, PemError::NoItemsFound) {
            anyhow!("{name} holds no PEM section PRIVATE KEY that is not encrypted: name the key, such as privkey.pem")
        } else {
            anyhow!("{name} is damaged: the private key in it cannot be read")
        }
    })
}

fn read(file: &Path, what: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| {
        format!("the TLS {what} {} cannot be read: does it exist, and may this user read it?", file.display())
    })
}
