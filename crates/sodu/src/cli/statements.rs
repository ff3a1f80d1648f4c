//! `sodu statement --month … --all`: a file for every account, and the proof that they add up.
//!
//! The sums over all files must be those of `/v1/totals` at both ends of the month; where they are not, the files stay,
//! and the command fails.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Global;
use super::failure::Failure;
use super::output::text;
use super::progress::Progress;
use super::session::{Intent, Session};
use super::statement::Span;
use crate::door::{Call, encode};

/// Sums of balances in the smallest units that any figure shows, by currency.
type Sums = BTreeMap<String, i128>;

/// Writes the statements of a month into the new `folder`.
pub(super) fn write(global: &Global, month: &str, span: &Span, folder: PathBuf, form: &str) -> Result<(), Failure> {
    let at = |error: std::io::Error| {
        Failure::local("not_written", format!("{} cannot be written: {error}.", folder.display()))
    };
    std::fs::create_dir(&folder).map_err(at)?;
    Session::run(global, Intent::Read, async |session| {
        let mut progress = Progress::new("writing statements");
        let total = session.get("/v1/totals".into()).await?;
        let total: u64 = totals(&total).iter().filter_map(|currency| currency["accounts"].as_u64()).sum();
        let (mut opening, mut closing) = (Sums::new(), Sums::new());
        let (mut done, mut cursor) = (0, String::new());
        let mut bounds = None;
        loop {
            let page = session.get(format!("/v1/accounts?limit=1000&cursor={cursor}")).await?;
            for account in page["accounts"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let id = &account["id"];
                let period = session.get(format!("/v1/accounts/{id}/statement?{}", span.query())).await?;
                add(&mut opening, &period, "opening")?;
                add(&mut closing, &period, "closing")?;
                bounds = Some((text(&period, "from").to_owned(), text(&period, "to").to_owned()));
                let file = folder.join(format!("{month}-{id}.csv"));
                copy(session, &format!("/v1/accounts/{id}/entries?{}&format={form}", span.query()), &file).await?;
                done += 1;
                progress.tell(done, total);
            }
            cursor = text(&page, "next_cursor").to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        progress.end();
        let mut ties = true;
        if let Some((from, to)) = bounds {
            ties = tie(session, &from, &opening).await? & tie(session, &to, &closing).await?;
        }
        let shown = folder.display().to_string();
        if session.out.json {
            session.out.json(&json!({ "folder": shown, "accounts": done, "ties": ties }))?;
        } else {
            session.out.line(&format!("wrote {done} statements to {shown}"))?;
        }
        if ties {
            if !session.out.json {
                session.out.line("their balances add up to the totals of the platform at both ends")?;
            }
            return Ok(());
        }
        Err(Failure::local(
            "not_tied",
            "The statements do not add up to the totals of the platform; run `sodu verify` and report it.",
        ))
    })
}

async fn copy(session: &mut Session, path: &str, file: &Path) -> Result<(), Failure> {
    let at = |error: std::io::Error| {
        Failure::local("not_written", format!("{} cannot be written: {error}.", file.display()))
    };
    let mut out = BufWriter::new(File::create_new(file).map_err(at)?);
    let copied = session.door.copy(Call::get(path.to_owned()), |bytes| out.write_all(bytes).map_err(at)).await?;
    if let Some(answer) = copied {
        return Err(Failure::Problem(answer.json));
    }
    out.flush().map_err(at)
}

/// Adds the balance of one end of a period to the sums of its currency.
fn add(sums: &mut Sums, period: &Value, end: &str) -> Result<(), Failure> {
    let sum = sums.entry(text(period, "currency").to_owned()).or_default();
    if !period[end].is_null() {
        *sum += units(text(&period[end], "balance"))?;
    }
    Ok(())
}

/// Whether the sums are those of the platform right before `end`.
async fn tie(session: &mut Session, end: &str, sums: &Sums) -> Result<bool, Failure> {
    let zone = &session.config.time_zone;
    let end = crate::times::parse(end, crate::times::Bound::Start, zone)
        .map_err(|error| Failure::local("bad_answer", format!("The server's answer cannot be read: {error}.")))?;
    let before = crate::times::rfc3339(ledger::Time::from_micros(end.micros().saturating_sub(1).max(0)));
    let stated = session.get(format!("/v1/totals?at={}", encode(&before))).await?;
    for currency in totals(&stated) {
        let ours = sums.get(text(currency, "currency")).copied().unwrap_or(0);
        if ours != units(text(currency, "balance"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn totals(answer: &Value) -> &[Value] {
    answer["currencies"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A decimal in billionths: no currency has more than nine decimals.
fn units(decimal: &str) -> Result<i128, Failure> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let padded = format!("{whole}{fraction:0<9}");
    padded.parse().map_err(|_| Failure::local("bad_answer", "The server's answer holds a figure that is none."))
}
