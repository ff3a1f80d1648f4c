//! `…/entries` and `…/statement`: an account's history, oldest first, as JSON pages or one stream of CSV; and what a
//! period came to.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger::{AccountId, Entry, Kind, Time};
use serde_json::{Value, json};
use store::{AccountNow, Fault, Page, Store};

use super::chores::Lines;
use super::problem::{Problem, Slug};
use super::query::Query;
use super::sheet::Sheet;
use super::{Api, Place, fields, refused, show, written};
use crate::times::Bound;

/// How many entries are read from the disk at once.
const PAGE_LEN: usize = 1000;
/// How many entries one request looks at in vain before it answers with what it has, and a cursor.
const LOOKED_AT_MAX: usize = 50_000;
/// How many pieces of a stream wait for a slow reader.
const PIECES_WAITING_MAX: usize = 4;

/// Which entries are wanted.
#[derive(Clone)]
struct Wanted {
    account: AccountId,
    from: Option<Time>,
    to: Option<Time>,
    kind: Option<Kind>,
    reference: Option<String>,
}

impl Wanted {
    fn read(api: &Api, account: &AccountNow, query: &Query) -> Result<Wanted, Problem> {
        let kind = query.text("kind").map(|name| {
            let named = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            named.ok_or_else(|| Problem::malformed("\"kind\" is no kind of entry, such as topup, charge or capture"))
        });
        Ok(Wanted {
            account: account.id,
            from: query.time("from", Bound::Start, &api.zone)?,
            to: query.time("to", Bound::End, &api.zone)?,
            kind: kind.transpose()?,
            reference: query.text("reference").map(str::to_owned),
        })
    }

    fn admits(&self, entry: &Entry) -> bool {
        let reference = entry.reference.as_ref().map(ledger::Reference::as_str);
        self.kind.is_none_or(|kind| kind == entry.kind)
            && self.reference.as_deref().is_none_or(|wanted| reference == Some(wanted))
    }

    /// The next entries after number `after`, at most `limit`; `next` continues even where none was found yet.
    fn page(&self, store: &Store, mut after: u64, limit: usize) -> Result<Page<Entry, u64>, Fault> {
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let is_plain = self.kind.is_none() && self.reference.is_none();
            let len = if is_plain { limit } else { PAGE_LEN };
            let page = store.entries(self.account, self.from, self.to, after, len)?;
            looked_at += page.items.len();
            for entry in page.items {
                if items.len() == limit {
                    return Ok(Page { items, next: Some(after) });
                }
                after = entry.number;
                if self.admits(&entry) {
                    items.push(entry);
                }
            }
            match page.next {
                None => return Ok(Page { items, next: None }),
                Some(_) if items.len() == limit || looked_at >= LOOKED_AT_MAX => {
                    return Ok(Page { items, next: Some(after) });
                }
                Some(next) => after = next,
            }
        }
    }
}

/// `GET …/entries?from=&to=&kind=&reference=&cursor=&limit=`: those with from ≤ at < to; a date in `to` includes that day.
/// With `Accept: text/csv` all of them, streamed; `format=excel` streams the form that Excel opens in Vietnamese.
pub(super) async fn list(
    State(api): State<Api>,
    place: Place,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let account = api.account(place.account).await?;
    let query = Query::read(&uri, &["from", "to", "kind", "reference", "cursor", "limit", "format"])?;
    let wanted = Wanted::read(&api, &account, &query)?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let sheet = match query.text("format") {
        Some("csv") => Some(Sheet::Csv),
        Some("excel") => Some(Sheet::Excel(api.zone.clone())),
        Some("json") => None,
        None if accept.contains("text/csv") => Some(Sheet::Csv),
        None => None,
        Some(_) => return Err(Problem::malformed("\"format\" is json, csv or excel")),
    };
    if let Some(sheet) = sheet {
        return Ok(stream(&api, wanted, account, sheet));
    }
    let (after, limit) = (query.cursor()?.unwrap_or(0), query.limit()?);
    let page = api.read(move |store| wanted.page(store, after, limit)).await?;
    let entries: Vec<_> = page.items.iter().map(|entry| written::entry(entry, account.currency)).collect();
    Ok(Json(json!({ "entries": entries, "next_cursor": page.next.map(|number| number.to_string()) })).into_response())
}

/// Sends entries as they are read. A reader who goes away ends the reading; a fault breaks the stream off.
fn stream(api: &Api, wanted: Wanted, account: AccountNow, sheet: Sheet) -> Response {
    let (pieces, waiting) = tokio::sync::mpsc::channel(PIECES_WAITING_MAX);
    let (store, content_type) = (api.store.clone(), sheet.content_type());
    tokio::task::spawn_blocking(move || {
        if pieces.blocking_send(Ok(sheet.head().into())).is_err() {
            return;
        }
        let mut after = 0;
        loop {
            let page = match wanted.page(&store, after, PAGE_LEN) {
                Ok(page) => page,
                Err(fault) => {
                    // The log has the cause; the reader sees that the stream did not end as streams end.
                    let _ = pieces.blocking_send(Err(fault));
                    return;
                }
            };
            let rows: Vec<u8> = page.items.iter().flat_map(|entry| sheet.row(entry, account.currency)).collect();
            match page.next {
                _ if pieces.blocking_send(Ok(rows.into())).is_err() => return,
                None => return,
                Some(next) => after = next,
            }
        }
    });
    ([(header::CONTENT_TYPE, content_type)], axum::body::Body::new(Lines(waiting))).into_response()
}

/// `GET …/entries/{number}`.
pub(super) async fn show(State(api): State<Api>, place: Place, uri: Uri) -> Result<Response, Problem> {
    let account = api.account(place.account).await?;
    Query::read(&uri, &[])?;
    let number = fields::entry_number(&place.part)
        .ok_or_else(|| Problem::malformed("an entry is named by its number within the account, from 1"))?;
    let entry = api.read(move |store| store.entry(account.id, number)).await?.ok_or_else(|| {
        let detail = format!("Account {} has no entry {number}; its last is {}.", account.id, account.number);
        Problem::new(Slug::UnknownEntry, detail)
    })?;
    Ok(Json(written::entry(&entry, account.currency)).into_response())
}

/// `GET …/statement?from=&to=`: what a period came to. The balance before it, how many entries of each kind with what
/// they moved together, and the balance at its end.
pub(super) async fn statement(State(api): State<Api>, place: Place, uri: Uri) -> Result<Json<Value>, Problem> {
    let account = api.account(place.account).await?;
    let query = Query::read(&uri, &["from", "to"])?;
    let from = query.time("from", Bound::Start, &api.zone)?.unwrap_or_default();
    let now = api.now().await?;
    let to = query.time("to", Bound::End, &api.zone)?.unwrap_or(now).min(now);
    if from > to {
        return Err(Problem::malformed("\"from\" must come before \"to\", and not lie in the future"));
    }
    let id = account.id;
    let period = api.read(move |store| Period::read(store, id, from, to)).await?;
    let period = period.ok_or_else(|| refused::unknown_account(id))?;
    let figures = |at: &Option<AccountNow>| at.as_ref().map(show::figures);
    let totals: Vec<Value> = period
        .totals
        .iter()
        .map(|(name, total)| {
            let amount = ledger::Decimal::of_sum(total.units, account.currency.scale()).to_string();
            json!({ "kind": name, "count": total.count, "amount": amount })
        })
        .collect();
    Ok(Json(json!({
        "account": id.get(),
        "currency": account.currency.code(),
        "from": show::Instant(from),
        "to": show::Instant(to),
        "opening": figures(&period.opening),
        "totals": totals,
        "closing": figures(&period.closing),
    })))
}

/// What a period of an account came to.
struct Period {
    /// Right before it; none where the account was opened within it.
    opening: Option<AccountNow>,
    totals: std::collections::BTreeMap<&'static str, Total>,
    closing: Option<AccountNow>,
}

#[derive(Default)]
struct Total {
    count: u64,
    units: i128,
}

impl Period {
    fn read(store: &Store, id: AccountId, from: Time, to: Time) -> Result<Option<Period>, Fault> {
        let before = |time: Time| Time::from_micros(time.micros().saturating_sub(1));
        let opening = store.account_as_of(id, before(from))?;
        let closing = store.account_as_of(id, before(to))?;
        let mut totals = std::collections::BTreeMap::<_, Total>::new();
        let mut after = 0;
        loop {
            let page = store.entries(id, Some(from), Some(to), after, PAGE_LEN)?;
            for entry in &page.items {
                let name = if entry.kind != Kind::Transfer {
                    entry.kind.name()
                } else if entry.amount < ledger::Minor::ZERO {
                    "transfer_out"
                } else {
                    "transfer_in"
                };
                let total = totals.entry(name).or_default();
                total.count += 1;
                total.units += i128::from(entry.amount.units());
            }
            match page.next {
                None => return Ok(Some(Period { opening, totals, closing })),
                Some(next) => after = next,
            }
        }
    }
}
