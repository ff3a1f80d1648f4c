//! Where messages go, as one line of configuration says it, in TOML or JSON.
//!
//! A target is told by the one member that names its kind; all that is written out is checked at once, so that a typing
//! error is found when the configuration is read and not when the credit runs out. Errors quote nothing that is written;
//! TOML's own do when they are shown whole, so that callers show their `message()`.

use std::fmt;
use std::path::Path;

use reqwest::Url;
use serde::Deserialize;

use super::Hidden;
use super::chat::{Slack, Telegram};
use super::command::Command;
use super::mail::Mail;
use super::webhook::Webhook;

/// The members that say what kind a target is.
const KINDS: [&str; 5] = ["webhook", "slack", "telegram", "command", "email"];

/// A URL and a secret of the right form.
const URL: &str = "https://a";
const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// One receiver. `{:?}`, `{}` and [`Target::label`] show no secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Target {
    /// An HTTP request with the event, signed as Standard Webhooks has it:
    /// `{ webhook = "https://…", secret = "whsec_…" }`.
    Webhook {
        /// Where to.
        url: Hidden,
        /// `whsec_` and base64 of 24 to 64 bytes; several while one is being replaced, each of which signs.
        secrets: Vec<Hidden>,
    },
    /// A webhook that takes `{"text": …}`, as Slack, Mattermost and Rocket.Chat do: `{ slack = "https://…" }`.
    Slack {
        /// The URL, which is the secret too.
        url: Hidden,
    },
    /// A Telegram bot's message: `{ telegram = "BOT_TOKEN", chat = "-100123" }`.
    Telegram {
        /// The bot's token.
        token: Hidden,
        /// The number of the chat, or the `@name` of a channel.
        chat: String,
        /// Where the Bot API is, unless it is Telegram's own: `api = "https://…"`.
        api: Option<String>,
    },
    /// A program on this machine: `{ command = ["/usr/local/bin/page-me", "--now"] }`.
    Command {
        /// The program and its arguments; no shell reads them.
        command: Vec<String>,
    },
    /// An e-mail: `{ email = "ops@example.com", smtp = "smtps://user:password@mail.example.com", from = "…" }`.
    Email {
        /// To whom.
        to: String,
        /// The mail server: `smtps://` or `smtp://`, user and password percent-encoded.
        smtp: Hidden,
        /// From whom.
        from: String,
    },
}

/// Why a target cannot be used: a sentence for whoever wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadTarget(pub String);

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadTarget {}

/// A target as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    webhook: Option<Hidden>,
    secret: Option<OneOrMore>,
    slack: Option<Hidden>,
    telegram: Option<Hidden>,
    chat: Option<Chat>,
    api: Option<String>,
    command: Option<Vec<String>>,
    email: Option<String>,
    smtp: Option<Hidden>,
    from: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "secret takes one text, or a list of texts while one replaces another")]
enum OneOrMore {
    One(Hidden),
    More(Vec<Hidden>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "chat takes a number or a text")]
enum Chat {
    Number(i64),
    Name(String),
}

impl Written {
    /// The members that are there, by their names.
    fn members(&self) -> impl Iterator<Item = &'static str> {
        let members = [
            ("webhook", self.webhook.is_some()),
            ("secret", self.secret.is_some()),
            ("slack", self.slack.is_some()),
            ("telegram", self.telegram.is_some()),
            ("chat", self.chat.is_some()),
            ("api", self.api.is_some()),
            ("command", self.command.is_some()),
            ("email", self.email.is_some()),
            ("smtp", self.smtp.is_some()),
            ("from", self.from.is_some()),
        ];
        members.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name)
    }

    /// Refuses members that a target of that kind has no use for.
    fn only(&self, kind: &str, members: &[&str]) -> Result<(), BadTarget> {
        match self.members().find(|name| *name != kind && !members.contains(name)) {
            Some(stranger) => Err(BadTarget(format!("a target with {kind} takes no {stranger}"))),
            None => Ok(()),
        }
    }
}

impl TryFrom<Written> for Target {
    type Error = BadTarget;

    fn try_from(mut written: Written) -> Result<Target, BadTarget> {
        let kinds: Vec<&str> = written.members().filter(|name| KINDS.contains(name)).collect();
        let [kind] = kinds[..] else {
            let found = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
            return Err(BadTarget(format!("a target has exactly one of {}; this one has {found}", KINDS.join(", "))));
        };
        let missing = |member: &str| BadTarget(format!("a target with {kind} needs {member} too"));
        let target = if let Some(url) = written.webhook.take() {
            written.only(kind, &["secret"])?;
            let secrets = match written.secret.ok_or_else(|| missing("secret"))? {
                OneOrMore::One(secret) => vec![secret],
                OneOrMore::More(secrets) => secrets,
            };
            Target::Webhook { url, secrets }
        } else if let Some(url) = written.slack.take() {
            written.only(kind, &[])?;
            Target::Slack { url }
        } else if let Some(token) = written.telegram.take() {
            written.only(kind, &["chat", "api"])?;
            let chat = match written.chat.ok_or_else(|| missing("chat"))? {
                Chat::Number(number) => number.to_string(),
                Chat::Name(name) => name,
            };
            Target::Telegram { token, chat, api: written.api }
        } else if let Some(command) = written.command.take() {
            written.only(kind, &[])?;
            Target::Command { command }
        } else {
            written.only(kind, &["smtp", "from"])?;
            let to = written.email.ok_or_else(|| missing("email"))?;
            let smtp = written.smtp.ok_or_else(|| missing("smtp"))?;
            Target::Email { to, smtp, from: written.from.ok_or_else(|| missing("from"))? }
        };
        target.proven()
    }
}

impl Target {
    /// It, where everything that is written out has the form that it must have.
    fn proven(self) -> Result<Target, BadTarget> {
        // What lies elsewhere is taken for something of the right form until it is used.
        let or = |hidden: &Hidden, stand_in: &str| hidden.written().unwrap_or(stand_in).to_owned();
        let proof = match &self {
            Target::Webhook { url, secrets } => {
                let secrets: Vec<String> = secrets.iter().map(|secret| or(secret, SECRET)).collect();
                Webhook::parse(&or(url, URL), &secrets).map(drop)
            }
            Target::Slack { url } => Slack::parse(&or(url, URL)).map(drop),
            Target::Telegram { token, chat, api } => Telegram::parse(&or(token, "1:A"), chat, api.as_deref()).map(drop),
            Target::Command { command } => Command::parse(command).map(drop),
            Target::Email { to, smtp, from } => Mail::parse(to, from, &or(smtp, "smtps://a")).map(drop),
        };
        proof.map_err(BadTarget).map(|()| self)
    }

    /// Everything of it that is not shown.
    #[cfg(feature = "server")]
    pub(crate) fn hidden(&self) -> Vec<&Hidden> {
        match self {
            Target::Webhook { url, secrets } => std::iter::once(url).chain(secrets).collect(),
            Target::Slack { url } => vec![url],
            Target::Telegram { token, .. } => vec![token],
            Target::Command { .. } => Vec::new(),
            Target::Email { smtp, .. } => vec![smtp],
        }
    }

    /// The kind and the host or address, for logs, tables and metrics: `webhook hooks.example.com`.
    pub fn label(&self) -> String {
        match self {
            Target::Webhook { url, .. } => format!("webhook {}", host(url)),
            Target::Slack { url } => format!("slack {}", host(url)),
            Target::Telegram { chat, .. } => format!("telegram {chat}"),
            Target::Command { command } => {
                let program = command.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
                format!("command {}", program.display())
            }
            Target::Email { to, .. } => format!("email {to}"),
        }
    }
}

/// The host of a URL, or where the URL lies.
fn host(url: &Hidden) -> String {
    let parsed = url.written().and_then(|text| Url::parse(text).ok());
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| url.place())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.label())
    }
}
