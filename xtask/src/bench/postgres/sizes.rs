//! What a ledger in PostgreSQL takes: rows, bytes with their indexes, write-ahead log; and how long questions about all of it
//! last.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::engine::Engine;
use super::node::Node;
use crate::bench::figures::table;
use crate::http::Request;
use crate::random::Random;

/// The most commands that one batch takes.
const BATCH_LEN: u64 = 8192;

/// The tables that grow.
const TABLES: [&str; 4] = ["accounts", "credentials", "entries", "audit"];

/// Charges random accounts in batches until there are so many entries; prints what the log took for each.
pub(super) fn charge_until(node: &Node, engine: &Engine, accounts: u64, entries: u64) -> Result<()> {
    let mut operator = node.operator()?;
    let run = Random::fresh_seed();
    let count = || Ok::<u64, anyhow::Error>(engine.ask("SELECT count(*) FROM sodu.entries")?.parse()?);
    let (first, lsn, began) = (count()?, wal(engine)?, Instant::now());
    let mut number = first;
    while number < entries {
        let command = |number| {
            let account = 1 + Random::new(number ^ run << 32).below(accounts);
            json!({ "kind": "charge", "account": account, "amount": "0.01", "key": format!("{run:012x}-{number:016x}") })
        };
        let commands: Vec<Value> = (number..(number + BATCH_LEN).min(entries)).map(command).collect();
        let body = json!({ "commands": commands }).to_string();
        let answer = operator.call(&Request { method: "POST", path: "/v1/batch", key: None, body: &body })?;
        let outcomes = answer.body["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let made = outcomes.iter().filter(|outcome| outcome["status"] == 201).count();
        ensure!(made == commands.len(), "{made} of {} charges were made: {}", commands.len(), answer.status);
        number += BATCH_LEN;
    }
    let made = count()? - first;
    if made > 0 {
        let (bytes, seconds) = (float(wal(engine)? - lsn), began.elapsed().as_secs_f64());
        println!(
            "{made} charges in batches of {BATCH_LEN}, one connection: {:.0}/s, {:.0} bytes of write-ahead log each\n",
            float(made) / seconds,
            bytes / float(made)
        );
    }
    Ok(())
}

/// Where the write-ahead log ends, in bytes.
pub(super) fn wal(engine: &Engine) -> Result<u64> {
    Ok(engine.ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")?.parse()?)
}

/// Prints what each table takes, and how long sums over all accounts last.
pub(super) fn report(node: &Node, engine: &Engine) -> Result<()> {
    engine.ask("VACUUM ANALYZE")?;
    let mut rows = Vec::new();
    for name in TABLES {
        let sql = format!(
            "SELECT (SELECT count(*) FROM sodu.{name}), pg_table_size('sodu.{name}'), pg_indexes_size('sodu.{name}')"
        );
        let told = engine.ask(&sql)?;
        let figures = told.split('|').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>()?;
        let [count, table, indexes] = figures[..] else { anyhow::bail!("not three figures: {told}") };
        let each = |bytes: u64| format!("{:.0}", float(bytes) / float(count.max(1)));
        rows.push(vec![name.to_owned(), count.to_string(), each(table), each(indexes), each(table + indexes)]);
    }
    println!("{}", table(&["table", "rows", "bytes a row", "in its indexes", "together"], &rows));
    let mut operator = node.operator()?;
    for path in ["/v1/totals", "/v1/totals?at=2026-01-01", "/v1/accounts?query=nobody-has-this-name"] {
        let began = Instant::now();
        let answer = operator.get(path)?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        println!("- GET {path}: {:.2} s", began.elapsed().as_secs_f64());
    }
    println!();
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes and rows")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
