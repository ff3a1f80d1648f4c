//! The operator API as its callers see it, over PostgreSQL: the cases of `v1`, file by file, but for backups, which
//! PostgreSQL has tools of its own for.

#[path = "../v1/alerts.rs"]
mod alerts;
#[path = "../v1/as_of.rs"]
mod as_of;
#[path = "../v1/audit.rs"]
mod audit;
#[path = "../v1/batch.rs"]
mod batch;
#[path = "../v1/chores.rs"]
mod chores;
#[path = "../v1/common.rs"]
mod common;
#[path = "../v1/credentials.rs"]
mod credentials;
#[path = "../v1/crowd.rs"]
mod crowd;
#[path = "../v1/described.rs"]
mod described;
#[path = "../v1/holds.rs"]
mod holds;
#[path = "../v1/malformed.rs"]
mod malformed;
#[path = "../v1/operators.rs"]
mod operators;
#[path = "../places/postgres.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod place;
#[path = "../v1/refusals.rs"]
mod refusals;
#[path = "../v1/settlements.rs"]
mod settlements;
#[path = "../v1/shapes.rs"]
mod shapes;
#[path = "../v1/socket.rs"]
mod socket;
