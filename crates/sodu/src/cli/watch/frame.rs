//! The table of all accounts, as lines of coloured text: for a terminal, and for a picture of one.
//!
//! It fits its width. The line of the last 24 hours takes what the others leave; where that is too little, the change of the
//! last hour goes first, then that line.

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::burn::Sample;
use super::view::{Board, Row};
use super::words::{self, NOTHING, age, change, left, money, per_hour, state};
use crate::cli::table::{Lean, Table, cut};

/// Lines of text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// From top to bottom.
    pub lines: Vec<Vec<Span>>,
}

/// Text of one colour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub paint: Paint,
}

/// How text looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// As usual.
    Plain,
    /// Less than that.
    Dim,
    /// More than that.
    Strong,
    /// All is well.
    Good,
    /// Something is low.
    Warn,
    /// Something is wrong.
    Bad,
}

/// The longest name that is shown whole.
const NAME_MAX: usize = 16;
/// How long the line of the last 24 hours is: at most a letter an hour.
const TREND: std::ops::RangeInclusive<usize> = 8..=24;
const TREND_TITLES: [&str; 2] = ["LAST 24 HOURS", "24 H"];
const CHANGE: &str = "LAST HOUR";
const AGE: &str = "AGE";
/// The space between two columns.
const GAP: usize = 2;

/// A column of the table, with a cell for each account.
struct Column {
    title: &'static str,
    lean: Lean,
    cells: Vec<String>,
}

/// The board as a table of at most `width` columns.
pub fn frame(board: &Board<'_>, width: usize) -> Frame {
    let columns = chosen(board, width);
    let titles: Vec<_> = columns.iter().map(|column| (column.title, column.width(), column.lean)).collect();
    let table = Table::new(&titles, width);
    let mut lines = vec![headline(board, width), vec![span(table.titles(), Paint::Dim)]];
    for (index, row) in board.rows.iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|column| column.cells[index].clone()).collect();
        lines.push(painted(row, table.row(&cells)));
    }
    lines.extend(remarks(board, width));
    Frame { lines }
}

/// The columns for which there is room.
fn chosen(board: &Board<'_>, width: usize) -> Vec<Column> {
    let mut columns = figures(board);
    let room = |columns: &[Column]| {
        let taken: usize = columns.iter().map(|column| column.width() + GAP).sum();
        width.saturating_sub(taken).min(*TREND.end())
    };
    if room(&columns) < *TREND.start() {
        columns.retain(|column| column.title != CHANGE);
    }
    let letters = room(&columns);
    if TREND.contains(&letters) {
        let title = TREND_TITLES.into_iter().find(|title| title.len() <= letters).unwrap_or_default();
        let cells = board.rows.iter().map(|row| sparkline(row.samples(), board.now, letters)).collect();
        let at = columns.iter().position(|column| column.title == AGE).unwrap_or_default();
        columns.insert(at, Column { title, lean: Lean::Left, cells });
    }
    columns
}

/// All columns but the line of the last 24 hours.
fn figures(board: &Board<'_>) -> Vec<Column> {
    let column = |title, lean, cell: &dyn Fn(&Row<'_>) -> Option<String>| {
        let cells = board.rows.iter().map(|row| cell(row).unwrap_or_else(|| NOTHING.to_owned())).collect();
        Column { title, lean, cells }
    };
    vec![
        column("ACCOUNT", Lean::Left, &|row| Some(cut(row.name, NAME_MAX))),
        column("BALANCE", Lean::Right, &|row| Some(money(&row.last()?.balance))),
        column(CHANGE, Lean::Right, &|row| Some(change(row.samples()))),
        column("BURN/H", Lean::Right, &|row| Some(per_hour(row.burn.as_ref()?))),
        column("LEFT", Lean::Right, &|row| Some(left(row.left))),
        column(AGE, Lean::Right, &|row| Some(age(board.now.duration_since(row.last()?.at)))),
        column("STATE", Lean::Left, &|row| Some(state(row))),
    ]
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).chain([self.title.width()]).max().unwrap_or_default()
    }
}

fn span(text: impl Into<String>, paint: Paint) -> Span {
    Span { text: text.into(), paint }
}

fn headline(board: &Board<'_>, width: usize) -> Vec<Span> {
    let zone = board.zone.to_offset_info(board.now).abbreviation().to_owned();
    let time = format!("  {} {zone}", words::time(board.now, &board.zone));
    vec![span("sodu watch", Paint::Strong), span(cut(&time, width.saturating_sub(10)), Paint::Dim)]
}

/// A row, its last word in the colour of how things are.
fn painted(row: &Row<'_>, line: String) -> Vec<Span> {
    let word = state(row);
    let Some(before) = line.strip_suffix(&word) else { return vec![span(line, paint(row))] };
    vec![span(before, Paint::Plain), span(word, paint(row))]
}

fn paint(row: &Row<'_>) -> Paint {
    if row.known.is_none() {
        Paint::Dim
    } else if row.failure().is_some() {
        Paint::Bad
    } else if row.is_low {
        Paint::Warn
    } else {
        Paint::Good
    }
}

/// What the table has no room for: why a balance cannot be read, and what is wrong with the watcher itself.
fn remarks(board: &Board<'_>, width: usize) -> Vec<Vec<Span>> {
    let mut remarks = Vec::new();
    for row in &board.rows {
        let Some((_, detail)) = row.failure() else { continue };
        let since = row.known.and_then(|known| known.state.failing_since);
        let since = since.map_or_else(String::new, |since| format!(" since {}", words::time(since, &board.zone)));
        remarks.push(format!("{}: no balance{since}: {detail}", row.name));
    }
    match board.undelivered {
        0 => {}
        1 => remarks.push("1 message is not delivered yet".to_owned()),
        more => remarks.push(format!("{more} messages are not delivered yet")),
    }
    if board.history_lost {
        remarks.push("The history cannot be written: a restart would forget what was told".to_owned());
    }
    remarks.iter().flat_map(|remark| wrapped(remark, width)).map(|line| vec![span(line, Paint::Bad)]).collect()
}

/// A sentence in lines of at most `width` columns, all but the first indented.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        if line.trim().is_empty() || line.width() + 1 + word.width() <= width {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The balance over the 24 hours before `now`: each letter the last figure of its part, as high as it is beside the
/// highest; a space where nothing was known yet.
fn sparkline(samples: &[Sample], now: Timestamp, letters: usize) -> String {
    let Ok(parts) = i64::try_from(letters) else { return String::new() };
    let scale = samples.iter().map(|sample| sample.balance.scale()).max().unwrap_or_default();
    let begin = now.as_millisecond() - 86_400_000;
    let last_by = |end: i64| {
        let count = samples.partition_point(|sample| sample.at.as_millisecond() <= end);
        count.checked_sub(1).map(|index| samples[index].balance.to_units(scale).unwrap_or(i128::MAX).max(0))
    };
    let figures: Vec<Option<i128>> = (1..=parts).map(|part| last_by(begin + 86_400_000 * part / parts)).collect();
    let most = figures.iter().flatten().max().copied().unwrap_or_default().max(1);
    let steps = i128::try_from(LEVELS.len()).unwrap_or(1) - 1;
    let letter = |figure: &Option<i128>| match figure {
        None => ' ',
        // Divided first where the product would be too great: a letter needs no more than three digits.
        Some(figure) => {
            let level = figure
                .checked_mul(steps)
                .map_or(steps * (figure / 1000) / (most / 1000).max(1), |up| (up + most / 2) / most);
            usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).copied().unwrap_or(' ')
        }
    };
    figures.iter().map(letter).collect()
}

#[cfg(test)]
mod tests;
