//! Looks whether a target can be reached, and sends it nothing.
//!
//! As far as a receiver shows without a message: its name has an address, a connection is made, TLS is agreed on, a mail server
//! greets and lets the user in. Whether it takes a message, only a message tells.

use std::env;
use std::fmt::Display;
use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::ServerName;
use sodu_client::transport;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::courier::Ready;
use super::http::is_loopback;
use super::reach::NOT_PUBLIC;
use super::{Courier, Reach, Target, Undelivered};

/// How far a target was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// As far as it shows without a message.
    Yes,
    /// Messages go through a proxy, which was not asked.
    BehindProxy,
}

impl Courier {
    /// Reaches `target` as a delivery would, without delivering; see [`Courier::check`] for what is looked at before.
    pub async fn probe(&self, target: &Target) -> Result<Reached, Undelivered> {
        match self.ready(target)? {
            Ready::Webhook(webhook) => self.in_time(self.connected(&webhook.url)).await,
            Ready::Slack(slack) => self.in_time(self.connected(&slack.url)).await,
            Ready::Telegram(telegram) => self.in_time(self.connected(&telegram.url)).await,
            Ready::Command(command) => command.found().map(|()| Reached::Yes),
            Ready::Mail(mail) => self.in_time(mail.greeted(self)).await.map(|()| Reached::Yes),
        }
    }

    async fn connected(&self, url: &Url) -> Result<Reached, Undelivered> {
        let host = url.host_str().unwrap_or_default();
        if self.settings.reach == Reach::Anywhere && !is_loopback(host) && is_proxied() {
            return Ok(Reached::BehindProxy);
        }
        let host = host.trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let unreached = |why: &dyn Display| match why.to_string() {
            why if why == NOT_PUBLIC => Undelivered::give_up(why),
            why => Undelivered::try_again(format!(
                "{host} cannot be reached on port {port} ({why}); check its name, and what stands between it and this machine"
            )),
        };
        let addresses = self.names.addresses(host, port).await.map_err(|error| unreached(&error))?;
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|error| unreached(&error))?;
        if url.scheme() == "https" {
            let roots = transport::roots(&self.settings.extra_roots);
            let tls = roots.and_then(|roots| transport::tls(Some(roots))).map_err(|error| unreached(&error))?;
            let name = ServerName::try_from(host.to_owned()).map_err(|error| unreached(&error))?;
            let agreed = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
            agreed.map_err(|error| {
                let advice = "check its certificate, and the clock and the root certificates of this machine";
                Undelivered::try_again(format!("{host} agrees on no TLS ({error}); {advice}"))
            })?;
        }
        Ok(Reached::Yes)
    }
}

/// Whether the environment names a proxy that requests may go through.
fn is_proxied() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(is_set)
}
