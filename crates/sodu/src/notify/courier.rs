//! What carries messages: one set of limits and connections for every kind of target.
//!
//! A target is made ready first (secrets looked up, texts parsed, its reach checked) and then sent to, so that what
//! can be said without sending is said by the same code.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sodu_client::{SetupError, transport};

use super::chat::{Slack, Telegram};
use super::command::Command;
use super::mail::Mail;
use super::reach::Names;
use super::webhook::Webhook;
use super::{Hidden, Message, Target, Undelivered};

/// Limits of every delivery, and whom it may reach.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most that one HTTP request takes, its answer included. 10 s.
    pub timeout: Duration,
    /// The most that one e-mail takes. 60 s: servers look through a mail before they take it, and whoever does not wait for
    /// that answer sends it twice.
    pub mail_timeout: Duration,
    /// After how long a command is killed. 30 s.
    pub command_timeout: Duration,
    /// Whom targets may name. Anybody.
    pub reach: Reach,
    /// Whether HTTP may go to other machines in clear text. To this one it always may. No.
    pub allow_plain_http: bool,
    /// Certificates of authorities to trust beside the system's own, as PEM, such as that of a mail server in the house. None.
    pub extra_roots: String,
    /// Names with the addresses that they have for this courier, whatever the system says of them. None.
    pub hosts: Vec<(String, IpAddr)>,
}

/// Whom targets may name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Any machine and program, for targets that the person who runs sodu wrote.
    Anywhere,
    /// For targets that others wrote: machines with public addresses alone, looked at when the connection is made; no
    /// commands, no secrets from variables and files of this machine, and no proxy, which would look names up by itself.
    /// Mail servers must be public too: mail to others through one in the house takes a courier that may go anywhere.
    PublicOnly,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout: Duration::from_secs(10),
            mail_timeout: Duration::from_secs(60),
            command_timeout: Duration::from_secs(30),
            reach: Reach::Anywhere,
            allow_plain_http: false,
            extra_roots: String::new(),
            hosts: Vec::new(),
        }
    }
}

/// Delivers messages, one attempt a call. Cheap to clone; runs on tokio with its I/O and time enabled.
#[derive(Clone)]
pub struct Courier {
    pub(super) settings: Arc<Settings>,
    pub(super) names: Names,
    /// For other machines, through the proxy that the environment names, where it does.
    pub(super) http: reqwest::Client,
    /// Past any proxy: for this machine, since what is meant for it must not leave it, and for [`Reach::PublicOnly`].
    pub(super) direct_http: reqwest::Client,
}

/// A target that can be sent to.
pub(super) enum Ready {
    Webhook(Webhook),
    Slack(Slack),
    Telegram(Telegram),
    Command(Command),
    Mail(Box<Mail>),
}

impl Courier {
    /// A courier with these limits.
    ///
    /// # Errors
    /// The system has no root certificates to judge servers by, or one of the extra ones is none.
    pub fn new(settings: Settings) -> Result<Courier, SetupError> {
        let tls = transport::tls(Some(transport::roots(&settings.extra_roots)?))?;
        let names = Names::new(&settings.hosts, settings.reach);
        let client = || {
            let agent = concat!("sodu/", env!("CARGO_PKG_VERSION"));
            transport::client(tls.clone(), settings.timeout, agent).dns_resolver(Arc::new(names.clone()))
        };
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| SetupError::Tls { detail: transport::innermost(&error) })
        };
        let (http, direct_http) = (build(client())?, build(client().no_proxy())?);
        Ok(Courier { http, direct_http, names, settings: Arc::new(settings) })
    }

    /// Whether `target` can be used, as far as that can be told without sending: what lies in variables and files is looked
    /// up, and its form and the courier's reach are checked. The error never says to try again.
    pub fn check(&self, target: &Target) -> Result<(), Undelivered> {
        self.ready(target).map(|_| ())
    }

    /// Delivers `message` to `target`, or says why not and whether another attempt can help. An attempt that failed may have
    /// been delivered all the same: receivers recognize it by the message's id.
    pub async fn deliver(&self, target: &Target, message: &Message) -> Result<(), Undelivered> {
        if !message.has_good_id() {
            return Err(Undelivered::give_up(format!(
                "{:?} is no id for a message; this is an error in sodu",
                message.id
            )));
        }
        match self.ready(target)? {
            Ready::Webhook(webhook) => webhook.send(self, message).await,
            Ready::Slack(slack) => slack.send(self, message).await,
            Ready::Telegram(telegram) => telegram.send(self, message).await,
            Ready::Command(command) => command.run(message, self.settings.command_timeout).await,
            Ready::Mail(mail) => mail.send(self, message).await,
        }
    }

    pub(super) fn ready(&self, target: &Target) -> Result<Ready, Undelivered> {
        match target {
            Target::Webhook { url, secrets } => {
                let secrets =
                    secrets.iter().map(|secret| self.reveal("secret", secret)).collect::<Result<Vec<_>, _>>()?;
                let webhook = Webhook::parse(&self.reveal("webhook", url)?, &secrets).map_err(Undelivered::give_up)?;
                self.admit(&webhook.url)?;
                Ok(Ready::Webhook(webhook))
            }
            Target::Slack { url } => {
                let slack = Slack::parse(&self.reveal("slack", url)?).map_err(Undelivered::give_up)?;
                self.admit(&slack.url)?;
                Ok(Ready::Slack(slack))
            }
            Target::Telegram { token, chat, api } => {
                let token = self.reveal("telegram", token)?;
                let telegram = Telegram::parse(&token, chat, api.as_deref()).map_err(Undelivered::give_up)?;
                self.admit(&telegram.url)?;
                Ok(Ready::Telegram(telegram))
            }
            Target::Command { command } => {
                if self.settings.reach == Reach::PublicOnly {
                    return Err(Undelivered::give_up("commands run only for targets in sodu's own configuration"));
                }
                Command::parse(command).map(Ready::Command).map_err(Undelivered::give_up)
            }
            Target::Email { to, smtp, from } => {
                let mail = Mail::parse(to, from, &self.reveal("smtp", smtp)?).map_err(Undelivered::give_up)?;
                Ok(Ready::Mail(Box::new(mail)))
            }
        }
    }

    /// The text of the member `name`, from where it lies.
    fn reveal(&self, name: &str, hidden: &Hidden) -> Result<String, Undelivered> {
        if self.settings.reach == Reach::PublicOnly && hidden.written().is_none() {
            return Err(Undelivered::give_up(format!("{name} must be written out here, not named with env: or file:")));
        }
        hidden.reveal().map_err(|why| Undelivered::give_up(format!("{name} cannot be read: {why}")))
    }
}
