//! E-mail: plain text in UTF-8, handed to one mail server over TLS.
//!
//! `smtps://` is TLS from the start (port 465), `smtp://` demands STARTTLS (port 587), but for a server on this machine
//! (port 25, in clear text, since what is said does not leave it). The same message has the same `Message-ID` and `Date` at
//! every attempt.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use tokio::time::timeout;

use super::http::is_loopback;
use super::reach::NOT_PUBLIC;
use super::{Courier, Message, Undelivered, plain};

/// How long a server may take over its goodbye, when it has the mail.
const GOODBYE: Duration = Duration::from_secs(2);

/// The beginning of the year 9999, in seconds since 1970.
const YEAR_9999_S: u64 = 253_370_764_800;

/// A mail server and who may send through it.
struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything that matters.
    StartTls,
    /// Clear text, within this machine.
    Loopback,
}

/// A mail that can be sent.
pub(super) struct Mail {
    to: Mailbox,
    from: Mailbox,
    server: Server,
}

impl Mail {
    pub(super) fn parse(to: &str, from: &str, smtp: &str) -> Result<Mail, String> {
        Ok(Mail { to: mailbox("email", to)?, from: mailbox("from", from)?, server: server(smtp)? })
    }

    pub(super) async fn send(&self, courier: &Courier, message: &Message) -> Result<(), Undelivered> {
        let mail = self.written(message)?;
        let limit = courier.settings.mail_timeout;
        let sent = timeout(limit, async {
            let mut connection = self.connect(courier).await?;
            connection.send(mail.envelope(), &mail.formatted()).await.map_err(|error| self.refused(&error))?;
            Ok(connection)
        });
        let mut connection = sent.await.unwrap_or_else(|_| {
            let limit = limit.as_secs_f64();
            Err(Undelivered::try_again(format!(
                "the mail server {} did not take the mail within {limit} s",
                self.server.host
            )))
        })?;
        // It has the mail: nothing that comes now makes it undelivered.
        let _ = timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    /// Connects as for a mail, and says goodbye without one.
    #[cfg(feature = "server")]
    pub(super) async fn greeted(&self, courier: &Courier) -> Result<(), Undelivered> {
        let mut connection = self.connect(courier).await?;
        let _ = timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    /// The mail as it goes out.
    fn written(&self, message: &Message) -> Result<lettre::Message, Undelivered> {
        // The form of dates ends with the year 9999, and its writer panics beyond.
        let since_1970 = Duration::from_secs(u64::try_from(message.at_unix_s).unwrap_or(0).min(YEAR_9999_S));
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        lettre::Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(plain(&message.title))
            .date(UNIX_EPOCH + since_1970)
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            // Programs that answer mails leave these alone (RFC 3834, section 5).
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .singlepart(SinglePart::plain(message.text.clone()))
            .map_err(|error| Undelivered::give_up(format!("the mail cannot be written: {error}")))
    }

    /// A connection over which mails can be sent.
    async fn connect(&self, courier: &Courier) -> Result<AsyncSmtpConnection, Undelivered> {
        let Server { host, port, security, credentials } = &self.server;
        let addresses = courier.names.addresses(host, *port).await.map_err(|error| {
            let text = error.to_string();
            if text == NOT_PUBLIC { Undelivered::give_up(text) } else { self.unreachable(&text) }
        })?;
        let tls = match security {
            Security::Tls | Security::StartTls => Some(self.tls(courier)?),
            Security::Loopback => None,
        };
        let hello = ClientId::default();
        let (at_once, later) = if *security == Security::Tls { (tls, None) } else { (None, tls) };
        let connection = AsyncSmtpConnection::connect_tokio1(
            addresses.as_slice(),
            Some(courier.settings.timeout),
            &hello,
            at_once,
            None,
        );
        let mut connection = connection.await.map_err(|error| self.refused(&error))?;
        if let Some(tls) = later {
            if !connection.can_starttls() {
                return Err(Undelivered::try_again(format!(
                    "the mail server {host} offers no STARTTLS, without which nothing is sent; smtps:// may be what it speaks"
                )));
            }
            connection.starttls(tls, &hello).await.map_err(|error| self.refused(&error))?;
        }
        if let Some(credentials) = credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(|error| self.not_let_in(&error))?;
        }
        Ok(connection)
    }

    fn tls(&self, courier: &Courier) -> Result<TlsParameters, Undelivered> {
        let mut parameters = TlsParameters::builder(self.server.host.clone());
        if !courier.settings.extra_roots.is_empty() {
            let roots = Certificate::from_pem(courier.settings.extra_roots.as_bytes());
            parameters = parameters.add_root_certificate(roots.map_err(|error| self.unreachable(&cause(&error)))?);
        }
        parameters.build_rustls().map_err(|error| self.unreachable(&cause(&error)))
    }

    fn unreachable(&self, why: &str) -> Undelivered {
        let host = &self.server.host;
        Undelivered::try_again(format!(
            "the mail server {host} cannot be reached ({why}); check its name, port and certificate"
        ))
    }

    /// What an error of the login means.
    fn not_let_in(&self, error: &Error) -> Undelivered {
        // A server that does not understand a command may repeat it, and this one holds the password.
        if let Some(code) = error.status().filter(|code| (500..=504).contains(&u16::from(*code))) {
            let host = &self.server.host;
            return Undelivered::give_up(format!("the mail server {host} does not let anybody log in so ({code})"));
        }
        let refused = self.refused(error);
        Undelivered { detail: format!("{}; compare user and password", refused.detail), ..refused }
    }

    /// What an error of the conversation means: a 5xx will be said again, and what a server lacks it will lack; everything
    /// else may pass.
    fn refused(&self, error: &Error) -> Undelivered {
        let (host, why) = (&self.server.host, plain(&cause(error)));
        match error.status() {
            Some(code) if error.is_permanent() => {
                Undelivered::give_up(format!("the mail server {host} refuses: {code} {why}"))
            }
            Some(code) => Undelivered::try_again(format!("the mail server {host} does not take it now: {code} {why}")),
            None if error.is_client() => {
                Undelivered::give_up(format!("the mail server {host} cannot do what this mail needs: {why}"))
            }
            None => self.unreachable(&why),
        }
    }
}

/// Reads an address, with or without a name.
fn mailbox(name: &str, text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|_| format!("{name} is no address of mail; write it like ops@example.com, or Ops <ops@example.com>"))
}

/// Reads the URL of a mail server. Errors do not quote it: it holds a password.
fn server(text: &str) -> Result<Server, String> {
    let form = "write it like smtps://user:password@mail.example.com, with %40 for an @ in user or password";
    let url = Url::parse(text).map_err(|_| format!("smtp is no URL; {form}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if host.is_empty() || !is_bare {
        return Err(format!("smtp names no host, or more than that; {form}"));
    }
    let (security, usual_port) = match url.scheme() {
        "smtps" => (Security::Tls, 465),
        "smtp" if is_loopback(&host) => (Security::Loopback, 25),
        "smtp" => (Security::StartTls, 587),
        _ => return Err(format!("smtp must begin with smtps:// or smtp://; {form}")),
    };
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8();
        text.map(String::from).map_err(|_| format!("smtp has a user or password that is no UTF-8; {form}"))
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) if !user.is_empty() => Some(Credentials::new(decoded(user)?, decoded(password)?)),
        _ => return Err(format!("smtp has a user without a password, or the other way round; {form}")),
    };
    Ok(Server { host, port: url.port().unwrap_or(usual_port), security, credentials })
}

/// The cause of an error: what it wraps says only where it passed through.
fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
