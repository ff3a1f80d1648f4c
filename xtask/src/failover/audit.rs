//! The history held against what the ledger has in the end: nothing acknowledged is missing, nothing is there twice or was
//! never asked for, sums are right, nothing is overdrawn, and every figure that somebody saw can be explained.
//!
//! The arithmetic is done again here, from the commands as they were sent. Pure: it asks nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::command::{Command, Kind};
use super::history::{History, Line, Quiet, Said, Sent};
use super::order::{self, Seen, Step, seconds};

/// An account, and its statement once everything is over.
pub(crate) struct Page {
    pub(crate) id: u64,
    pub(crate) credit_limit: i64,
    pub(crate) lines: Vec<Line>,
}

/// All that is known of one key.
struct Record<'a> {
    command: &'a Arc<Command>,
    /// When it was first sent.
    began: u64,
    /// When its caller first heard what came of it.
    told: u64,
    done: Option<&'a Line>,
    refused: Option<&'a str>,
    /// How often somebody heard that it was done now, and not before.
    firsts: u32,
    is_found: bool,
}

/// What came of it, in figures and findings.
#[derive(Default)]
pub(crate) struct Verdict {
    /// A sentence each, with account and call.
    pub(crate) findings: Vec<String>,
    pub(crate) keys: usize,
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    pub(crate) entries: usize,
    pub(crate) sendings: usize,
    pub(crate) unknown_sendings: usize,
    pub(crate) readings: usize,
    pub(crate) readings_without_figure: usize,
}

/// Compares everything.
pub(crate) fn audit(history: &History, pages: &[Page]) -> Verdict {
    let mut findings = Vec::new();
    let mut records = records(history, &mut findings);
    let seen = seen(history, &records, pages);
    for (index, (page, seen)) in pages.iter().zip(seen).enumerate() {
        let steps = account(index, page, &mut records, &mut findings);
        let contradictions = order::contradictions(&steps, &seen);
        findings.extend(contradictions.into_iter().map(|what| format!("account {}: {what}", page.id)));
    }
    let unknown = |sent: &&Sent| !sent.said.is_known();
    findings.extend(history.quiets.iter().flat_map(|quiet| broken_quiet(history, *quiet)));
    findings.extend(records.iter().filter_map(|(key, record)| unsettled(key, record)));
    Verdict {
        keys: records.len(),
        acknowledged: records.values().filter(|record| record.done.is_some()).count(),
        refused: records.values().filter(|record| record.refused.is_some()).count(),
        entries: pages.iter().map(|page| page.lines.len()).sum(),
        sendings: history.sent.len(),
        unknown_sendings: history.sent.iter().filter(unknown).count(),
        readings: history.reads.len(),
        readings_without_figure: history.reads.iter().filter(|read| read.balance.is_none()).count(),
        findings,
    }
}

/// What every key's callers were told, which must be the same each time.
fn records<'a>(history: &'a History, findings: &mut Vec<String>) -> BTreeMap<&'a str, Record<'a>> {
    let mut records = BTreeMap::new();
    for sent in &history.sent {
        let record = records.entry(sent.command.key.as_str()).or_insert_with(|| Record {
            command: &sent.command,
            began: sent.began,
            told: u64::MAX,
            done: None,
            refused: None,
            firsts: 0,
            is_found: false,
        });
        record.began = record.began.min(sent.began);
        if let Err(what) = record.hear(sent) {
            findings.push(format!("{}: {what}", called(sent)));
        }
    }
    records
}

impl<'a> Record<'a> {
    fn hear(&mut self, sent: &'a Sent) -> Result<(), String> {
        if sent.said.is_known() {
            self.told = self.told.min(sent.ended);
        }
        match &sent.said {
            Said::Unknown { .. } => Ok(()),
            Said::Done { line, replayed } => {
                self.firsts += u32::from(!replayed);
                let first = *self.done.get_or_insert(line);
                if first != line {
                    return Err(format!("one key, two entries: {first:?}, now {line:?}"));
                }
                if self.firsts > 1 && !replayed {
                    return Err(format!("done twice, each time for the first time: {line:?}"));
                }
                self.refused.map_or(Ok(()), |slug| Err(format!("done after it had been refused ({slug})")))
            }
            Said::Refused { slug, .. } => {
                self.refused.get_or_insert(slug);
                let may_be = matches!(sent.command.kind, Kind::Charge | Kind::Hold) && slug == "insufficient_credit";
                if !may_be {
                    return Err(format!("refused for a reason that does not hold: {slug}"));
                }
                self.done.map_or(Ok(()), |line| Err(format!("refused after it had been done: {line:?}")))
            }
        }
    }
}

/// An acknowledgement, or the lack of one, that the ledger has nothing of.
fn unsettled(key: &str, record: &Record<'_>) -> Option<String> {
    let id = record.command.account_id;
    match (record.done, record.refused) {
        (Some(line), _) if !record.is_found => {
            Some(format!("account {id}, key {key}: acknowledged at {} and lost: {line:?}", seconds(record.told)))
        }
        (None, None) => Some(format!("account {id}, key {key}: nobody was ever told what came of it")),
        _ => None,
    }
}

/// Goes through an account's statement: numbers, sums, holds, limits, keys; and gives the movements with their times.
fn account(
    index: usize,
    page: &Page,
    records: &mut BTreeMap<&str, Record<'_>>,
    findings: &mut Vec<String>,
) -> Vec<Step> {
    let (mut before, mut holds): (Option<&Line>, HashMap<&str, i64>) = (None, HashMap::new());
    let mut steps = Vec::new();
    for line in &page.lines {
        let key = line.key.as_deref().unwrap_or_default();
        let (began, told) = records.get(key).map_or((0, u64::MAX), |record| (record.began, record.told));
        // The account's opening had been answered before anything else was asked.
        steps.push(Step { balance: line.balance(), began, told: if line.number == 1 { 0 } else { told } });
        if let Err(what) = follows(index, page, before, line, records.get_mut(key), &mut holds) {
            findings.push(format!("account {}, entry {}: {what}\n  entry: {line:?}", page.id, line.number));
        }
        before = Some(line);
    }
    steps
}

fn follows<'a>(
    index: usize,
    page: &Page,
    before: Option<&Line>,
    line: &'a Line,
    record: Option<&mut Record<'_>>,
    holds: &mut HashMap<&'a str, i64>,
) -> Result<(), String> {
    let (number, posted, held) =
        before.map_or((0, 0, 0), |before| (before.number, before.posted_after, before.held_after));
    if line.number != number + 1 {
        return Err(format!("the entry after number {number} is missing"));
    }
    if line.number == 1 {
        return if line.kind == "open" { Ok(()) } else { Err("the first entry does not open the account".into()) };
    }
    let record = record.ok_or("an entry that nobody asked for")?;
    if std::mem::replace(&mut record.is_found, true) {
        return Err("its key made an entry before".into());
    }
    let command = Arc::clone(record.command);
    let is_same = command.account == index && command.name() == line.kind;
    if !is_same || (line.amount != command.amount && !matches!(command.kind, Kind::Void { .. })) {
        return Err(format!("not what was asked for: {command:?}"));
    }
    if let Some(told) = record.done.filter(|told| *told != line) {
        return Err(format!("its caller had been told of another entry: {told:?}"));
    }
    if let Some(slug) = record.refused {
        return Err(format!("its caller had been told that it was refused ({slug})"));
    }
    let (add, promise) = effect(&command, line, holds)?;
    if (line.posted_after, line.held_after) != (posted + add, held + promise) {
        return Err(format!("posted was {posted} and held {held} before it, in minor units: the sum is wrong"));
    }
    let takes = matches!(command.kind, Kind::Charge | Kind::Hold);
    if takes && line.balance() + page.credit_limit < 0 {
        return Err(format!("an overdraft: the limit is {}", page.credit_limit));
    }
    Ok(())
}

/// What a command adds to what is posted, and to what is held.
fn effect<'a>(command: &Command, line: &'a Line, holds: &mut HashMap<&'a str, i64>) -> Result<(i64, i64), String> {
    match &command.kind {
        Kind::Topup => Ok((command.amount, 0)),
        Kind::Charge => Ok((-command.amount, 0)),
        Kind::Hold => {
            line.key.as_deref().and_then(|key| holds.insert(key, command.amount));
            Ok((0, command.amount))
        }
        Kind::Capture { hold, is_final } => {
            let left = holds.get_mut(hold.as_str()).ok_or("it captures a hold that is not open")?;
            if *left < command.amount {
                return Err(format!("it captures more than the {left} that are left of its hold"));
            }
            let released = if *is_final { *left } else { command.amount };
            *left -= released;
            if *left == 0 {
                holds.remove(hold.as_str());
            }
            Ok((-command.amount, -released))
        }
        Kind::Void { hold } => {
            let left = holds.remove(hold.as_str()).ok_or("it voids a hold that is not open")?;
            Ok((0, -left))
        }
    }
}

/// The figures that somebody saw, for each account: of GetBalance, and what refusals said was available.
fn seen(history: &History, records: &BTreeMap<&str, Record<'_>>, pages: &[Page]) -> Vec<Vec<Seen>> {
    let mut all = vec![Vec::new(); pages.len()];
    for read in &history.reads {
        if let Some(balance) = read.balance {
            let what = format!("GetBalance through {}", read.via.name());
            all[read.account].push(Seen { balance, began: read.began, ended: read.ended, what });
        }
    }
    for sent in &history.sent {
        if let Said::Refused { available: Some(available), replayed: false, .. } = sent.said {
            let account = sent.command.account;
            // It may have been decided when an earlier sending was under way.
            let began = records.get(sent.command.key.as_str()).map_or(sent.began, |record| record.began);
            let balance = available - pages[account].credit_limit;
            all[account].push(Seen { balance, began, ended: sent.ended, what: called(sent) });
        }
    }
    all
}

/// Whatever was acknowledged or refused while no standby was left; nothing proves anything where nobody asked.
fn broken_quiet(history: &History, quiet: Quiet) -> Vec<String> {
    let within = |sent: &&Sent| (quiet.from..quiet.to).contains(&sent.ended);
    let mut found: Vec<String> = history
        .sent
        .iter()
        .filter(within)
        .filter(|sent| sent.said.is_known())
        .map(|sent| format!("{}: answered without a standby: {:?}", called(sent), sent.said))
        .collect();
    let is_503 = |sent: &Sent| matches!(sent.said, Said::Unknown { status: 503, .. });
    if !history.sent.iter().filter(within).any(is_503) {
        found.push(format!("no movement got a 503 while no standby was left, from {}", seconds(quiet.from)));
    }
    found
}

fn called(sent: &Sent) -> String {
    let Sent { command, via, began, .. } = sent;
    let name = command.name();
    format!(
        "account {}: {name} {} through {}, asked at {}",
        command.account_id,
        command.key,
        via.name(),
        seconds(*began)
    )
}
