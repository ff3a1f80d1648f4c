//! Rows in columns, printed as they come: a statement of a million entries must not gather in memory first.
//!
//! Money and keys are never cut, so that a row may grow beyond the terminal; the last column is cut to what is left.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Which way a column's cells lean.
#[derive(Clone, Copy)]
pub(super) enum Lean {
    Left,
    Right,
}

/// The columns of a table. The last one takes what the others leave of the line.
pub(super) struct Table {
    columns: Vec<(&'static str, usize, Lean)>,
    width: usize,
}

/// The least that is left to the last column.
const LAST_MIN: usize = 8;

impl Table {
    /// Columns by title, width and leaning, on lines of `width`.
    pub(super) fn new(columns: &[(&'static str, usize, Lean)], width: usize) -> Table {
        Table { columns: columns.to_vec(), width }
    }

    /// Widens columns for the cells of `rows`; the last one is not looked at.
    #[cfg(any(feature = "server", test))]
    pub(super) fn fit(&mut self, rows: &[Vec<String>]) {
        let inner = self.columns.len().saturating_sub(1);
        for row in rows {
            for ((_, width, _), cell) in self.columns.iter_mut().take(inner).zip(row) {
                *width = (*width).max(cell.width());
            }
        }
    }

    /// The line of titles.
    pub(super) fn titles(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, ..)| (*title).to_owned()).collect();
        self.row(&titles)
    }

    /// One line.
    pub(super) fn row(&self, cells: &[String]) -> String {
        let mut line = String::new();
        let last = self.columns.len().saturating_sub(1);
        for (index, ((_, width, lean), cell)) in self.columns.iter().zip(cells).enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            if index == last {
                line.push_str(&cut(cell, self.width.saturating_sub(line.width()).max(LAST_MIN)));
                break;
            }
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match lean {
                Lean::Left => line.extend([cell.as_str(), &padding]),
                Lean::Right => line.extend([&padding, cell.as_str()]),
            }
        }
        line.trim_end().to_owned()
    }
}

/// `text` in at most `width` columns; what is cut off leaves an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        shown.push(letter);
    }
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up_and_end_at_the_edge() {
        let mut table = Table::new(&[("id", 4, Lean::Right), ("name", 6, Lean::Left), ("note", 0, Lean::Left)], 24);
        let row = ["7", "Đức Anh", "một ghi chú khá dài"].map(str::to_owned).to_vec();
        table.fit(std::slice::from_ref(&row));
        assert_eq!(table.titles(), "  id  name     note");
        assert_eq!(table.row(&row), "   7  Đức Anh  một ghi …");
        assert_eq!(table.row(&row).width(), 24);
        assert_eq!(cut("日本語テキスト", 5), "日本…");
    }
}
