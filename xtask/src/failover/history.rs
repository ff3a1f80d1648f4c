//! What was asked and what was answered, each with its times, as it was seen from outside.
//!
//! Times are microseconds of one monotonic clock. An interval that begins before another one ends says nothing about which
//! of the two took effect first; everything else is proof.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::command::Command;
use crate::operator::figure;

/// Where a call went: a node by its index, or haproxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    Node(usize),
    Haproxy,
}

/// An entry as the API shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) kind: String,
    pub(crate) amount: i64,
    pub(crate) posted_after: i64,
    pub(crate) held_after: i64,
    pub(crate) key: Option<String>,
    pub(crate) hash: String,
}

/// What a caller was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Done {
        line: Line,
        replayed: bool,
    },
    /// Decided against, with what was available then, if that is why.
    Refused {
        slug: String,
        available: Option<i64>,
        replayed: bool,
    },
    /// A fault, or no answer (status 0): nobody knows whether it happened.
    Unknown {
        status: u16,
        slug: String,
    },
}

/// One sending of a movement.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) command: Arc<Command>,
    pub(crate) via: Via,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) said: Said,
}

/// One GetBalance.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) account: usize,
    pub(crate) via: Via,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// Minor units; none where no figure came.
    pub(crate) balance: Option<i64>,
}

/// A time in which nothing may be acknowledged, since no standby is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Default)]
pub(crate) struct History {
    pub(crate) sent: Vec<Sent>,
    pub(crate) reads: Vec<Read>,
    pub(crate) quiets: Vec<Quiet>,
}

impl Via {
    pub(crate) fn name(self) -> String {
        match self {
            Via::Node(index) => format!("sodu{}", index + 1),
            Via::Haproxy => "haproxy".into(),
        }
    }
}

impl Line {
    pub(crate) fn read(value: &Value) -> Option<Line> {
        Some(Line {
            number: value["number"].as_u64()?,
            kind: value["kind"].as_str()?.to_owned(),
            amount: figure(value, "amount")?,
            posted_after: figure(value, "posted_after")?,
            held_after: figure(value, "held_after")?,
            key: value["key"].as_str().map(str::to_owned),
            hash: value["hash"].as_str()?.to_owned(),
        })
    }

    /// What GetBalance shows after it, in minor units.
    pub(crate) fn balance(&self) -> i64 {
        self.posted_after - self.held_after
    }
}

impl Said {
    /// What an answer of the operator API says about a movement.
    pub(crate) fn of_answer(status: u16, body: &Value) -> Said {
        let (slug, replayed) = (body["slug"].as_str().unwrap_or_default().to_owned(), body["replayed"] == true);
        match (status, Line::read(&body["entry"])) {
            (200 | 201, Some(line)) => Said::Done { line, replayed },
            // Too many refusals: not decided, and to be sent again, like what the environment did.
            (429 | 500.., _) | (200 | 201, None) => Said::Unknown { status, slug },
            _ => Said::Refused { slug, available: figure(body, "available"), replayed },
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Said::Unknown { .. })
    }
}

impl History {
    /// Writes all of it, a line a call, in the order in which the calls began.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
        let mut calls: Vec<Call<'_>> = self.sent.iter().map(Call::Sent).collect();
        calls.extend(self.reads.iter().map(Call::Read));
        calls.sort_by_key(Call::began);
        for call in calls {
            writeln!(file, "{}", call.shown())?;
        }
        Ok(file.flush()?)
    }
}

/// A call of either sort, as a line of the file.
enum Call<'h> {
    Sent(&'h Sent),
    Read(&'h Read),
}

impl Call<'_> {
    fn began(&self) -> u64 {
        match self {
            Call::Sent(sent) => sent.began,
            Call::Read(read) => read.began,
        }
    }

    fn shown(&self) -> Value {
        match self {
            Call::Sent(sent) => sent.shown(),
            Call::Read(Read { account, via, began, ended, balance }) => json!({
                "began": began, "ended": ended, "via": via.name(), "account": account + 1, "call": "GetBalance",
                "balance": balance,
            }),
        }
    }
}

impl Sent {
    fn shown(&self) -> Value {
        let Sent { command, via, began, ended, said } = self;
        let mut line = json!({
            "began": began, "ended": ended, "via": via.name(), "account": command.account_id, "call": command.name(),
            "key": command.key, "amount": command.amount,
        });
        let more = match said {
            Said::Done { line, replayed } => {
                json!({ "entry": line.number, "hash": line.hash, "balance": line.balance(), "replayed": replayed })
            }
            Said::Refused { slug, available, replayed } => {
                json!({ "refused": slug, "available": available, "replayed": replayed })
            }
            Said::Unknown { status, slug } => json!({ "status": status, "slug": slug }),
        };
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        line
    }
}
