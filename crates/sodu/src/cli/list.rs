//! Lists that come in pages, printed as they arrive: as a table for people, as the API's own list for programs.

use serde_json::Value;

use super::failure::Failure;
use super::output::{JsonList, text, width};
use super::session::Session;
use super::table::{Lean, Table};
use crate::config::Config;
use crate::times;

/// What a list is called, and how people see it.
pub(super) struct Listing<'a> {
    /// The member of the API's answer that has the items.
    pub(super) name: &'static str,
    /// By title, width and leaning.
    pub(super) columns: &'a [(&'static str, usize, Lean)],
    /// Whether there are times among them, whose zone is to be named.
    pub(super) has_times: bool,
}

impl Session {
    /// Prints all pages; `path` leads to the one at a cursor, the first being at none.
    pub(super) async fn list(
        &mut self,
        listing: &Listing<'_>,
        path: impl Fn(&str) -> String,
        row: impl Fn(&Config, &Value) -> Vec<String>,
    ) -> Result<(), Failure> {
        let mut table = Table::new(listing.columns, width());
        let mut list = if self.out.json { Some(JsonList::new(listing.name, &mut self.out)?) } else { None };
        let mut cursor = String::new();
        for page in 0.. {
            let answer = self.get(path(&cursor)).await?;
            let items = answer[listing.name].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(list) = &mut list {
                list.page(items, &mut self.out)?;
            } else {
                let rows: Vec<Vec<String>> = items.iter().map(|item| row(&self.config, item)).collect();
                table.fit(&rows);
                if page == 0 {
                    if listing.has_times {
                        self.out.line(&format!("Times are of {}.", times::zone_name(&self.config.time_zone)))?;
                    }
                    self.out.line(&table.titles())?;
                }
                rows.iter().try_for_each(|row| self.out.line(&table.row(row)))?;
            }
            cursor = text(&answer, "next_cursor").to_owned();
            if cursor.is_empty() {
                break;
            }
            self.out.flush()?;
        }
        list.map_or(Ok(()), |list| list.end(&mut self.out))
    }
}
