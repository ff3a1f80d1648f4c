//! Reads a request's query string, as strictly as its body: a parameter that the route does not know is refused, since
//! ignoring one (`?at=`, `?form=`) would answer another question than was asked.

use axum::extract::Query as Pairs;
use axum::http::Uri;
use jiff::tz::TimeZone;
use ledger::Time;

use super::members::unknown;
use super::problem::Problem;
use crate::times::{self, Bound};

/// How many items a page holds unless `limit` says otherwise.
const PAGE_LEN: usize = 100;
/// The most items that a page may hold.
const PAGE_LEN_MAX: usize = 1000;

/// The parameters of one request, each known to the route and there at most once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of `uri`, which may have no other parameters than `known`.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Query, Problem> {
        let Pairs(pairs) = Pairs::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::malformed("the query string cannot be decoded; write name=value, percent-encoded"))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Problem::malformed(unknown("query parameter", name, known)));
            }
            if pairs.iter().skip(index + 1).any(|(other, _)| other == name) {
                return Err(Problem::malformed(format!("the query parameter \"{name}\" stands there twice")));
            }
        }
        Ok(Query(pairs))
    }

    /// The parameter as it was sent; an empty one is the same as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, text) = self.0.iter().find(|(parameter, _)| parameter == name)?;
        Some(text.as_str()).filter(|text| !text.is_empty())
    }

    /// The parameter as an instant, a date standing for that end of its day.
    pub(super) fn time(&self, name: &str, bound: Bound, zone: &TimeZone) -> Result<Option<Time>, Problem> {
        let parse = |text| times::parse(text, bound, zone);
        self.text(name).map(parse).transpose().map_err(|error| Problem::malformed(format!("\"{name}\": {error}")))
    }

    /// How many items to answer with.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(PAGE_LEN) };
        match text.parse() {
            Ok(limit @ 1..=PAGE_LEN_MAX) => Ok(limit),
            Ok(_) | Err(_) => Err(Problem::malformed(format!("\"limit\" must be a number from 1 to {PAGE_LEN_MAX}"))),
        }
    }

    /// Where the page begins: what an earlier page gave as `next_cursor`.
    pub(super) fn cursor(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        match text.parse() {
            Ok(cursor) => Ok(Some(cursor)),
            Err(_) => {
                Err(Problem::malformed("\"cursor\" must be what an earlier page gave as \"next_cursor\", unchanged"))
            }
        }
    }
}
