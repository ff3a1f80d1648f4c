//! `POST /v1/verify` and `POST /v1/backup`: long work that tells how far it is.
//!
//! The answer is NDJSON: lines of `{"progress":{"done":…,"total":…}}`, then one line with what came of it, `{"report":…}`
//! or `{"problem":…}`. An answer without that last line was cut off, and proves nothing.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use ledger::Actor;
use serde_json::{Value, json};
use store::{Against, Fault, Finding, Progress, RequestId, Store, VerifyReport};
use tokio::sync::mpsc;
use tracing::warn;

use super::members::Members;
use super::problem::{Problem, Slug};
use super::{Api, Body, Caller, refused, request, show};

/// How many progress lines wait for a slow reader before further ones are left out.
const LINES_WAITING_MAX: usize = 16;

/// `POST /v1/verify` `{save?, against?}`: re-adds every account and checks every link; the two name files on the server's
/// own disk, which keep every account's last link, or kept it.
pub(super) async fn verify(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    let mut members = Members::read(&body, &["save", "against"])?;
    let save = members.text("save")?.map(|file| new_file("save", file)).transpose()?;
    let against = members.text("against")?.map(|file| absolute("against", file)).transpose()?;
    let files = [("save", &save), ("against", &against)];
    let named = files.into_iter().filter_map(|(name, file)| Some((name, file.as_ref()?.display().to_string())));
    let detail = named.collect();
    let against = match against {
        Some(file) => {
            let read = tokio::task::spawn_blocking(move || Against::read(&file)).await;
            let read = read.expect("reading a file does not panic, and nothing cancels it");
            read.map_err(|why| Problem::malformed(format!("\"against\": {why}")))?
        }
        None => Against::default(),
    };
    begins(&api, by, "verify.start", detail).await;
    Ok(told(api.store, move |store, progress| match store.verify(against, progress) {
        Ok(report) => match save.map(|file| report.save(&file)).transpose() {
            Ok(_) => json!({ "report": verified(&report) }),
            Err(why) => json!({ "problem": Problem::new(Slug::NotSaved, why).document() }),
        },
        Err(fault) => json!({ "problem": refused::of_fault(fault).document() }),
    }))
}

/// `POST /v1/backup` `{file}`: writes a consistent copy to a new file on the server's own disk.
pub(super) async fn backup(
    State(api): State<Api>,
    Extension(Caller(by)): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let file = new_file("file", Members::read(&body, &["file"])?.required_text("file")?)?;
    begins(&api, by, "backup.start", vec![("file", file.display().to_string())]).await;
    Ok(told(api.store, move |store, progress| back_up(store, &file, progress)))
}

fn absolute(name: &str, file: String) -> Result<PathBuf, Problem> {
    let file = PathBuf::from(file);
    if file.is_absolute() {
        return Ok(file);
    }
    Err(Problem::malformed(format!("\"{name}\" must be an absolute path, since the server resolves it")))
}

fn new_file(name: &str, file: String) -> Result<PathBuf, Problem> {
    let file = absolute(name, file)?;
    if file.exists() {
        let detail = format!("{} exists already; sodu never overwrites a file, so name a new one.", file.display());
        return Err(Problem::new(Slug::FileExists, detail));
    }
    Ok(file)
}

/// Notes in the audit trail what begins. It begins even where that cannot be written: a ledger on a full disk is one that
/// has to be verified and copied elsewhere.
async fn begins(api: &Api, by: Actor, action: &'static str, detail: Vec<(&'static str, String)>) {
    let actor = by.as_str().to_owned();
    if let Err(fault) = api.changes().note(by, action, "ledger".into(), detail).await {
        let request_id = request::current();
        let request_id = request_id.as_ref().map(RequestId::as_str);
        warn!(%fault, actor, action, request_id, "the audit trail cannot be written; this is in the log only");
    }
}

fn back_up(store: &Store, file: &Path, progress: &mut dyn FnMut(Progress)) -> Value {
    match store.backup(file, progress) {
        Ok(()) => json!({ "report": { "file": file.display().to_string(), "bytes": len(file) } }),
        Err(why) => json!({ "problem": Problem::new(Slug::BackupFailed, why).document() }),
    }
}

fn len(file: &Path) -> Option<u64> {
    file.metadata().ok().map(|metadata| metadata.len())
}

/// A verification's report, as the command line prints it too.
pub(crate) fn verified(report: &VerifyReport) -> Value {
    let finding = |finding: &Finding| json!({ "account": finding.account.map(ledger::AccountId::get), "number": finding.number, "what": finding.what });
    json!({
        "ok": report.findings.is_empty(),
        "accounts": report.accounts,
        "entries": report.entries,
        "root": show::Hex(report.root),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// Runs `work` on a thread that may block and streams its progress; what it returns is the last line.
fn told<F>(store: Store, work: F) -> Response
where
    F: FnOnce(&Store, &mut dyn FnMut(Progress)) -> Value + Send + 'static,
{
    let (lines, waiting) = mpsc::channel(LINES_WAITING_MAX);
    let request_id = request::current();
    tokio::task::spawn_blocking(move || {
        let mut progress = |Progress { done, total }| {
            // A reader who is slow, or gone, misses progress; the work goes on.
            let _ = lines.try_send(Ok(line(&json!({ "progress": { "done": done, "total": total } }))));
        };
        let last = request::within(request_id, || work(&store, &mut progress));
        let _ = lines.blocking_send(Ok(line(&last)));
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::new(Lines(waiting))).into_response()
}

fn line(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

/// A body whose pieces come from a channel; a fault in it breaks the answer off.
pub(super) struct Lines(pub(super) mpsc::Receiver<Result<Bytes, Fault>>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| line.map(Frame::data)))
    }
}
