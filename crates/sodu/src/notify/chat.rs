//! Chats: webhooks that take `{"text": …}` as Slack's do, and Telegram's bots.
//!
//! Both are services with answers of their own: a 4xx from them says that a person has to change something, and is the
//! end, unless it is about the rate.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;
use sodu_client::{Fault, transport};

use super::http::{advice, later, unanswered, url};
use super::{Courier, Message, Undelivered, plain};

/// The longest answer that is read.
const ANSWER_LEN_MAX: usize = 16 * 1024;

/// The longest error word that is shown.
const WORD_LEN_MAX: usize = 40;

/// The longest text of Telegram, in UTF-16 units.
const TELEGRAM_LEN_MAX: usize = 4096;

/// Where Telegram's bots are.
const TELEGRAM: &str = "https://api.telegram.org";

/// A webhook that takes `{"text": …}`.
pub(super) struct Slack {
    pub(super) url: Url,
}

impl Slack {
    pub(super) fn parse(address: &str) -> Result<Slack, String> {
        Ok(Slack { url: url("slack", address)? })
    }

    pub(super) async fn send(&self, courier: &Courier, message: &Message) -> Result<(), Undelivered> {
        // These three begin links and commands there; everything else is text.
        let text = format!("*{}*\n{}", plain(&message.title), message.text);
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        courier
            .in_time(async {
                let body = json!({ "text": text }).to_string().into_bytes();
                let mut response = courier.post(&self.url, HeaderMap::new(), body).await?;
                let status = response.status();
                if status.is_success() {
                    return Ok(());
                }
                let wait = transport::told_wait(response.headers());
                let said = said(&mut response).await;
                Err(refused(status, wait, &format!("{}{said}", advice(status))))
            })
            .await
    }
}

/// The error word that an answer is made of, such as `channel_is_archived`. What is more than words is a page for browsers,
/// and may repeat the URL.
async fn said(response: &mut Response) -> String {
    let body = transport::body(response, WORD_LEN_MAX).await.unwrap_or_default();
    let text = plain(&String::from_utf8_lossy(&body));
    let is_words = text.chars().all(|letter| letter.is_ascii_alphabetic() || matches!(letter, '_' | ' '));
    if text.is_empty() || !is_words { String::new() } else { format!(" (it says: {text})") }
}

/// What a status other than 2xx of a service means.
fn refused(status: StatusCode, wait: Option<Duration>, detail: &str) -> Undelivered {
    let may_pass = status.is_server_error() || matches!(status.as_u16(), 407 | 408 | 425 | 429);
    if may_pass { later(wait, detail.to_owned()) } else { Undelivered::give_up(detail) }
}

/// A bot and the chat that it writes to.
pub(super) struct Telegram {
    /// Carries the token.
    pub(super) url: Url,
    chat: String,
}

/// What the Bot API answers.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Telegram {
    pub(super) fn parse(token: &str, chat: &str, api: Option<&str>) -> Result<Telegram, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if !token.split_once(':').is_some_and(|(bot, rest)| is_number(bot) && is_word(rest)) {
            return Err("telegram is no bot's token; BotFather gives one like 110201543:AAHdq…".to_owned());
        }
        let number = chat.strip_prefix('-').unwrap_or(chat);
        if !is_number(number) && !chat.strip_prefix('@').is_some_and(is_word) {
            return Err("chat is the number of a chat, such as \"-100123\", or the @name of a channel".to_owned());
        }
        let api = url("api", api.unwrap_or(TELEGRAM))?;
        let path = format!("{}/bot{token}/sendMessage", api.path().trim_end_matches('/'));
        let mut url = api;
        url.set_path(&path);
        Ok(Telegram { url, chat: chat.to_owned() })
    }

    pub(super) async fn send(&self, courier: &Courier, message: &Message) -> Result<(), Undelivered> {
        let text = shortened(&format!("{}\n\n{}", plain(&message.title), message.text));
        let body = json!({ "chat_id": self.chat, "text": text }).to_string().into_bytes();
        courier
            .in_time(async {
                let mut response = courier.post(&self.url, HeaderMap::new(), body).await?;
                let status = response.status();
                let wait = transport::told_wait(response.headers());
                let body = transport::body(&mut response, ANSWER_LEN_MAX).await;
                let answer = body.map(|body| serde_json::from_slice::<Answer>(&body).ok());
                match answer {
                    Ok(Some(Answer { ok: true, .. })) => Ok(()),
                    Ok(Some(answer)) => Err(said_no(status, &answer)),
                    Ok(None) | Err(_) if !status.is_success() => Err(refused(status, wait, &advice(status))),
                    Ok(None) => {
                        let (found, expected) = ("something else".to_owned(), "Telegram's answer");
                        Err(unanswered(&Fault::Unexpected { found, expected }))
                    }
                    Err(fault) => Err(unanswered(&fault)),
                }
            })
            .await
    }
}

/// What `ok: false` means.
fn said_no(status: StatusCode, answer: &Answer) -> Undelivered {
    let said = plain(&answer.description);
    let advice = match (status.as_u16(), answer.parameters.migrate_to_chat_id) {
        (_, Some(chat)) => format!("the group has become another chat; write chat = \"{chat}\""),
        (401 | 404, None) => "check the bot's token".to_owned(),
        (400, None) => "check the number of the chat, and that the bot is in it".to_owned(),
        (403, None) => "the bot may not write there; add it to the chat again, or start it there".to_owned(),
        (_, None) => "Telegram does not take the message now".to_owned(),
    };
    let wait = answer.parameters.retry_after.map(Duration::from_secs);
    refused(status, wait, &format!("Telegram says {said:?}: {advice}"))
}

/// As much of a text as Telegram takes.
fn shortened(text: &str) -> String {
    if text.encode_utf16().count() <= TELEGRAM_LEN_MAX {
        return text.to_owned();
    }
    let mut len = '…'.len_utf16();
    let kept = text.chars().take_while(|letter| {
        len += letter.len_utf16();
        len <= TELEGRAM_LEN_MAX
    });
    kept.collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_telegram_takes() {
        let exact = "Số dư ".repeat(4096 / 6) + "1234";
        assert_eq!(exact.encode_utf16().count(), TELEGRAM_LEN_MAX);
        assert_eq!(shortened(&exact), exact);
        let longer = shortened(&format!("{exact}😀"));
        assert_eq!(longer.encode_utf16().count(), TELEGRAM_LEN_MAX);
        assert!(longer.ends_with("123…"));
        let wide = shortened(&"😀".repeat(4096));
        assert!(wide.encode_utf16().count() <= TELEGRAM_LEN_MAX && wide.ends_with("😀…"));
    }
}
