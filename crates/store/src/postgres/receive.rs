//! A ledger on its way into PostgreSQL: entries in batches that each are a transaction, then everything else in one.
//!
//! What is derived of an account is read from its last entry here, so that it cannot differ from it.

use std::collections::HashMap;

use ledger::{AccountId, Entry, Hash};
use tokio_postgres::types::ToSql;

use super::keep::EntryRows;
use super::remote::{Remote, commit};
use super::rows;
use super::session::Error;
use crate::moving::MoveError;
use crate::moving::tables::{ACCOUNTS, Cell, Kind, NUMBERED, REFUSALS, Table};

/// How many entries one statement takes.
const STATEMENT_LEN: usize = 4096;

const HEADS: &str = "SELECT DISTINCT ON (account) account, number, hash FROM entries ORDER BY account, number DESC";

/// What an attempt before this one may have written besides entries and the audit trail, which only grow.
const CLEAR: &str = "DELETE FROM delivery_attempts; DELETE FROM deliveries; DELETE FROM alerts; DELETE FROM alert_contacts; \
    DELETE FROM alert_rules; DELETE FROM operators; DELETE FROM credentials; DELETE FROM refusals; DELETE FROM open_holds; \
    DELETE FROM accounts; DELETE FROM currencies";

const RULED: &str = "UPDATE accounts SET ruled = true WHERE id IN (SELECT account FROM alert_rules)";

/// The server plans by what it has counted, and nobody has counted yet.
const ANALYZE: &str = "ANALYZE entries, accounts, open_holds, refusals, credentials, audit, alerts, deliveries";

impl Remote {
    /// How many entries one transaction takes.
    pub(crate) const BATCH_LEN: usize = 4 * STATEMENT_LEN;

    /// The accounts that are there, with the number and the hash of their last entries.
    pub(crate) fn heads(&self) -> Result<HashMap<AccountId, (u64, Hash)>, MoveError> {
        let mut heads = HashMap::new();
        let head =
            |row: &tokio_postgres::Row| Ok((rows::id_at(row, 0)?, (rows::number_at(row, 1)?, rows::hash_at(row, 2)?)));
        self.stream(HEADS, head, &mut |some| {
            heads.extend(some);
            Ok(())
        })?;
        Ok(heads)
    }

    /// Appends entries, all of them or none.
    pub(crate) fn append(&self, entries: &[Entry]) -> Result<(), MoveError> {
        self.in_one(async |session| {
            for some in entries.chunks(STATEMENT_LEN) {
                EntryRows::of(some).write(session).await?;
            }
            Ok(())
        })
    }

    /// Begins the one transaction for everything besides entries.
    pub(crate) fn begin_rest(&self) -> Result<(), MoveError> {
        self.wait(async {
            self.session.say("BEGIN").await?;
            self.session.say(CLEAR).await
        })
    }

    /// Writes rows of a table in that transaction.
    pub(crate) fn put(&self, table: &Table, cells: Vec<Vec<Cell>>) -> Result<(), MoveError> {
        let len = u64::try_from(cells.len()).unwrap_or(u64::MAX);
        let is_accounts = table.name == ACCOUNTS.name;
        let mut kinds: Vec<Kind> = table.columns.iter().map(|(_, kind)| *kind).collect();
        kinds.extend(is_accounts.then_some(Kind::Bytes));
        let columns: Vec<Column> = columns(&kinds, cells);
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(Column::param).collect();
        let sql = insert(table, &kinds);
        self.wait(async {
            let written = self.session.write(&sql, &params).await?;
            if is_accounts && written != len {
                return Err(Error::Damage("an account has no entries".into()));
            }
            Ok(())
        })
    }

    /// Commits it, and has the numbers of rows that are added from here on go on from there.
    pub(crate) fn end_rest(&self) -> Result<(), MoveError> {
        let counters: Vec<String> = NUMBERED
            .iter()
            .map(|table| {
                format!(
                    "SELECT setval(pg_get_serial_sequence('sodu.{table}', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) \
                     FROM {table}"
                )
            })
            .collect();
        self.wait(async {
            self.session.say(RULED).await?;
            self.session.say(&counters.join("; ")).await?;
            commit(&self.session).await?;
            self.session.say(ANALYZE).await
        })
    }
}

/// A column of many rows, as a statement takes it.
enum Column {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    fn new(kind: Kind) -> Column {
        match kind {
            Kind::Big | Kind::Int | Kind::Small | Kind::Flag => Column::Numbers(Vec::new()),
            Kind::Text => Column::Texts(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
        }
    }

    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Column::Numbers(column), Cell::Number(number)) => column.push(Some(number)),
            (Column::Texts(column), Cell::Text(text)) => column.push(Some(text)),
            (Column::Bytes(column), Cell::Bytes(bytes)) => column.push(Some(bytes)),
            (Column::Numbers(column), _) => column.push(None),
            (Column::Texts(column), _) => column.push(None),
            (Column::Bytes(column), _) => column.push(None),
        }
    }

    fn param(&self) -> &(dyn ToSql + Sync) {
        match self {
            Column::Numbers(column) => column,
            Column::Texts(column) => column,
            Column::Bytes(column) => column,
        }
    }
}

fn columns(kinds: &[Kind], cells: Vec<Vec<Cell>>) -> Vec<Column> {
    let mut columns: Vec<Column> = kinds.iter().copied().map(Column::new).collect();
    for row in cells {
        columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
    }
    columns
}

/// The statement that writes rows of a table; `kinds` are those of its columns, and one more for accounts.
fn insert(table: &Table, kinds: &[Kind]) -> String {
    let (mut arrays, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, at) in kinds.iter().zip(1..) {
        let (array, value) = match kind {
            Kind::Big => ("int8", format!("n.x{at}")),
            Kind::Int => ("int8", format!("n.x{at}::int4")),
            Kind::Small => ("int8", format!("n.x{at}::int2")),
            Kind::Flag => ("int8", format!("n.x{at} <> 0")),
            Kind::Text => ("text", format!("n.x{at}")),
            Kind::Bytes => ("bytea", format!("n.x{at}")),
        };
        arrays.push(format!("${at}::{array}[]"));
        names.push(format!("x{at}"));
        values.push(value);
    }
    let (arrays, names, values) = (arrays.join(", "), names.join(", "), values.join(", "));
    let (name, columns, from) = (table.name, table.names(), format!("FROM unnest({arrays}) AS n ({names})"));
    if name == ACCOUNTS.name {
        return format!(
            "INSERT INTO accounts ({columns}, watch, posted, held, credit_limit, status, number, at, hash) \
             SELECT {values}, e.posted, e.held, e.credit_limit, e.status, e.number, e.at, e.hash {from} \
             JOIN LATERAL (SELECT * FROM entries WHERE account = n.x1::int4 ORDER BY number DESC LIMIT 1) e ON true"
        );
    }
    if name == REFUSALS.name {
        // A key that was refused again after its days has two refusals in the embedded engine until the first is removed.
        return format!(
            "INSERT INTO refusals ({columns}) SELECT DISTINCT ON (n.x1, n.x2) {values} {from} ORDER BY n.x1, n.x2, n.x6 DESC \
             ON CONFLICT (account, key) DO UPDATE SET content = excluded.content, slug = excluded.slug, \
             facts = excluded.facts, at = excluded.at, actor = excluded.actor"
        );
    }
    let known = if table.only_grows { " ON CONFLICT DO NOTHING" } else { "" };
    format!("INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} {from}{known}")
}
