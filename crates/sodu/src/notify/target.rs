//! Where messages go, as one line of configuration says it, in TOML or JSON.
//!
//! A target is told by the one member that names its kind; all that is written out is checked at once, so that a typing
//! error is found when the configuration is read and not when the credit runs out.

use std::fmt;

use serde::Deserialize;

use super::Hidden;

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
}

impl TryFrom<Written> for Target {
    type Error = BadTarget;

    fn try_from(written: Written) -> Result<Target, BadTarget> {
        let url = written.webhook.ok_or_else(|| BadTarget("not built yet".to_owned()))?;
        Ok(Target::Webhook { url, secrets: Vec::new() })
    }
}

impl Target {
    /// The kind and the host or address, for logs, tables and metrics: `webhook hooks.example.com`.
    pub fn label(&self) -> String {
        match self {
            Target::Webhook { url, .. } => format!("webhook {}", url.place()),
            Target::Slack { url } => format!("slack {}", url.place()),
            Target::Telegram { chat, .. } => format!("telegram {chat}"),
            Target::Command { command } => format!("command {}", command.first().map_or("", String::as_str)),
            Target::Email { to, .. } => format!("email {to}"),
        }
    }
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
