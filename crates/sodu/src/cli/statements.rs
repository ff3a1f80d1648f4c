//! `sodu statement --month … --all`: a file for every account, one line about each in a summary, and the proof that they
//! add up.
//!
//! Every line of the summary adds up by itself, and the sums over all lines must be those of `/v1/totals` at both ends of the
//! month; where they are not, the files stay, and the command fails.

mod summary;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Global;
use super::failure::Failure;
use super::output::text;
use super::progress::Progress;
use super::session::{Intent, Session};
use super::statement::Span;
use crate::cells::Form;
use crate::door::{Call, encode};
use summary::{Summary, Sums};

/// Writes the statements of a month, and their summary, into the new `folder`.
pub(super) fn write(global: &Global, month: &str, span: &Span, folder: &Path, form: Form) -> Result<(), Failure> {
    Session::run(global, Intent::Read, async |session| {
        let ends = ends(session, span).await?;
        std::fs::create_dir(folder).map_err(|error| unwritten(folder, &error))?;
        let file = folder.join(format!("{month}-summary.csv"));
        let mut summary = Summary::new(create(&file)?, form).map_err(|error| unwritten(&file, &error))?;
        let done = write_all(session, month, &ends, folder, form, &mut summary).await?;
        let (opening, closing) = summary.end().map_err(|error| unwritten(&file, &error))?;
        // Without accounts there is nothing to add up, and no instant to ask of.
        let ties = !ends.is_fixed
            || (tie(session, &ends.span.from, &opening).await? && tie(session, &ends.span.to, &closing).await?);
        let (shown, summary) = (folder.display().to_string(), file.display().to_string());
        if session.out.json {
            session.out.json(&json!({ "folder": shown, "summary": summary, "accounts": done, "ties": ties }))?;
        } else {
            session.out.line(&format!("wrote {done} statements to {shown}, and {summary} about all of them"))?;
        }
        if !ties {
            return Err(untied("The statements do not add up to the totals of the platform"));
        }
        if !session.out.json {
            session.out.line("their balances add up to the totals of the platform at both ends")?;
        }
        Ok(())
    })
}

/// The two ends of a month.
struct Ends {
    span: Span,
    /// Whether they are instants; a platform without accounts has nothing to fix them by.
    is_fixed: bool,
}

/// The ends as the server understands them, in its own zone, the second no later than now: the same for all accounts, so that
/// what moves meanwhile is in none of the statements.
async fn ends(session: &mut Session, span: &Span) -> Result<Ends, Failure> {
    let first = session.get("/v1/accounts?limit=1".into()).await?;
    let Some(account) = first["accounts"].as_array().and_then(|accounts| accounts.first()) else {
        return Ok(Ends { span: span.clone(), is_fixed: false });
    };
    let period = session.get(format!("/v1/accounts/{}/statement?{}", account["id"], span.query())).await?;
    let end = |name: &str| text(&period, name).to_owned();
    Ok(Ends { span: Span { from: end("from"), to: end("to") }, is_fixed: true })
}

/// Writes every account's file and its line of the summary; how many there were.
async fn write_all(
    session: &mut Session,
    month: &str,
    ends: &Ends,
    folder: &Path,
    form: Form,
    summary: &mut Summary<BufWriter<File>>,
) -> Result<u64, Failure> {
    let mut progress = Progress::new("writing statements");
    let total = session.get("/v1/totals".into()).await?;
    let total: u64 = totals(&total).iter().filter_map(|currency| currency["accounts"].as_u64()).sum();
    let (mut done, mut cursor) = (0, String::new());
    loop {
        let page = session.get(format!("/v1/accounts?limit=1000&cursor={cursor}")).await?;
        for account in page["accounts"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let (id, query) = (&account["id"], ends.span.query());
            let period = session.get(format!("/v1/accounts/{id}/statement?{query}")).await?;
            if !summary.add(text(account, "name"), &period)? {
                return Err(untied(&format!(
                    "The entries of account {id} do not lead from its opening to its closing"
                )));
            }
            let file = folder.join(format!("{month}-{id}.csv"));
            copy(session, &format!("/v1/accounts/{id}/entries?{query}&format={}", form.name()), &file).await?;
            done += 1;
            progress.tell(done, total);
        }
        cursor = text(&page, "next_cursor").to_owned();
        if cursor.is_empty() {
            progress.end();
            return Ok(done);
        }
    }
}

async fn copy(session: &mut Session, path: &str, file: &Path) -> Result<(), Failure> {
    let at = |error: std::io::Error| unwritten(file, &error);
    let mut out = create(file)?;
    let copied = session.door.copy(Call::get(path.to_owned()), |bytes| out.write_all(bytes).map_err(at)).await?;
    if let Some(answer) = copied {
        return Err(Failure::Problem(answer.json));
    }
    out.flush().map_err(at)
}

fn create(file: &Path) -> Result<BufWriter<File>, Failure> {
    File::create_new(file).map(BufWriter::new).map_err(|error| unwritten(file, &error))
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failure {
    Failure::local("not_written", format!("{} cannot be written: {error}.", file.display()))
}

fn untied(what: &str) -> Failure {
    Failure::local("not_tied", format!("{what}; run `sodu verify` and report it."))
}

/// Whether the sums are those of the platform right before `end`.
async fn tie(session: &mut Session, end: &str, sums: &Sums) -> Result<bool, Failure> {
    let zone = &session.config.time_zone;
    let end = crate::times::parse(end, crate::times::Bound::Start, zone)
        .map_err(|error| Failure::local("bad_answer", format!("The server's answer cannot be read: {error}.")))?;
    let before = crate::times::rfc3339(ledger::Time::from_micros(end.micros().saturating_sub(1).max(0)));
    let stated = session.get(format!("/v1/totals?at={}", encode(&before))).await?;
    totals(&stated).iter().try_fold(true, |ties, currency| Ok(ties && sums.are_those_of(currency)?))
}

fn totals(answer: &Value) -> &[Value] {
    answer["currencies"].as_array().map(Vec::as_slice).unwrap_or_default()
}
