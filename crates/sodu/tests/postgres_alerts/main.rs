//! Alerts from the movement that causes them to whoever is told, over PostgreSQL: the cases of `notify`, file by file, and
//! several nodes that share the work.

#[path = "../notify/alerts/common.rs"]
mod common;
#[path = "../notify/alerts/delivered.rs"]
mod delivered;
#[path = "../notify/mail_server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod mail_server;
mod nodes;
#[path = "../places/postgres.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod place;
#[path = "../notify/alerts/quiet.rs"]
mod quiet;
#[path = "../notify/receiver.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod receiver;
#[path = "../notify/alerts/week.rs"]
mod week;
