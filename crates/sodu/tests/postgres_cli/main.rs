//! The real binary in front of PostgreSQL: those cases of `cli` that are about the ledger, file by file, and what only a
//! database elsewhere brings along.

#[path = "../cli/accounts.rs"]
mod accounts;
#[path = "../cli/against.rs"]
mod against;
#[path = "../cli/alerts.rs"]
mod alerts;
#[path = "../cli/chores.rs"]
mod chores;
#[path = "../../../store/tests/postgres/cluster.rs"]
#[expect(dead_code, reason = "the store's own tests use the rest")]
mod cluster;
#[path = "../cli/common.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod common;
mod elsewhere;
mod engine;
#[path = "../cli/holds.rs"]
mod holds;
#[path = "../cli/imports.rs"]
mod imports;
#[path = "../cli/keys.rs"]
mod keys;
#[path = "../cli/months.rs"]
mod months;
#[path = "../cli/movements.rs"]
mod movements;
mod moving;
#[path = "../cli/operators.rs"]
mod operators;
#[path = "../cli/statements.rs"]
mod statements;
#[path = "../cli/supervised.rs"]
mod supervised;
mod tamper;
#[path = "../cli/tampered.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod tampered;
