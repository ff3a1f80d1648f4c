//! The real server in front of PostgreSQL: the cases of `serve`, file by file, and what a client hears while the database
//! does not answer.

#[path = "../serve/caller.rs"]
mod caller;
#[path = "../serve/clients.rs"]
mod clients;
#[path = "../serve/common.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod common;
#[path = "../serve/contract.rs"]
mod contract;
#[path = "../serve/cors.rs"]
mod cors;
#[path = "../serve/http.rs"]
mod http;
#[path = "../serve/lifecycle.rs"]
mod lifecycle;
#[path = "../serve/limits.rs"]
mod limits;
#[path = "../serve/login.rs"]
mod login;
#[path = "../serve/operators.rs"]
mod operators;
#[path = "../places/postgres.rs"]
#[expect(dead_code, reason = "the cases of the other engine use the rest")]
mod place;
#[path = "../serve/privacy.rs"]
mod privacy;
#[path = "../serve/runways.rs"]
mod runways;
#[path = "../serve/tls.rs"]
mod tls;
mod unavailable;
