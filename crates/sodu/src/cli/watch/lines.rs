//! What a watcher writes line by line, for logs and pipes: changes, and once an hour that nothing changed.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};

use super::view::{Board, Event, Row, View};
use super::words::{left, money, per_hour, state, time};

/// How long nothing is said of an account that does not change.
const SILENCE: SignedDuration = SignedDuration::from_hours(1);

/// Lines on an output.
pub struct Lines<W> {
    out: W,
    said: HashMap<String, (String, Timestamp)>,
}

impl<W: Write + Send> Lines<W> {
    /// Lines on `out`.
    pub fn new(out: W) -> Lines<W> {
        Lines { out, said: HashMap::new() }
    }
}

impl<W: Write + Send> View for Lines<W> {
    fn tell(&mut self, event: &Event<'_>, board: &Board<'_>) -> io::Result<()> {
        if let Event::Polled(index) = event {
            let row = &board.rows[*index];
            // The burn moves by itself; that is worth no line.
            let standing = format!("{:?} {}", row.last().map(|last| last.balance), state(row));
            let is_said =
                |(said, at): &(String, Timestamp)| *said == standing && board.now.duration_since(*at) < SILENCE;
            if self.said.get(row.name).is_some_and(is_said) {
                return Ok(());
            }
            self.said.insert(row.name.to_owned(), (standing, board.now));
        }
        writeln!(self.out, "{}  {}", time(board.now, &board.zone), happening(event, board))?;
        self.out.flush()
    }
}

/// How an account stands.
fn standing(row: &Row<'_>) -> String {
    if let Some((failed, detail)) = row.failure() {
        return format!("{}: no balance: {detail} [{failed}]", row.name);
    }
    let Some(last) = row.last() else { return format!("{}: asking", row.name) };
    let burn =
        row.burn.map_or_else(String::new, |burn| format!(", burn {}/h, lasts {}", per_hour(&burn), left(row.left)));
    format!("{}: {}{burn}, {}", row.name, money(&last.balance), state(row))
}

/// What happened, in a line.
pub(super) fn happening(event: &Event<'_>, board: &Board<'_>) -> String {
    match event {
        Event::Polled(index) => standing(&board.rows[*index]),
        Event::Alert(notice) => format!("! {}", notice.title),
        Event::Delivered { notice, target } => format!("delivered to {target}: {}", notice.title),
        Event::Undelivered { target, detail, again_at: Some(at), .. } => {
            format!("not delivered to {target} yet, again at {}: {detail}", time(*at, &board.zone))
        }
        Event::Undelivered { notice, target, detail, again_at: None } => {
            format!("not delivered to {target}, and given up: {detail}: {}", notice.title)
        }
        Event::HistoryLost(error) => format!(
            "the history cannot be written ({error}); watching goes on, and a restart would forget what was told"
        ),
        Event::HistoryKept => "the history is written again, with all that it lacked".to_owned(),
    }
}
