//! The live table on a terminal. It is drawn over itself where it stands; what happened scrolls by above it.
//!
//! No mode of the terminal is changed, no cursor hidden and no other screen opened, so that there is nothing to restore,
//! however this process ends.

use std::io::{self, Write};
use std::os::fd::AsFd;

use jiff::{SignedDuration, Timestamp};
use unicode_width::UnicodeWidthStr;

use super::frame::{Frame, Paint, Span, frame};
use super::lines::happening;
use super::view::{Board, Event, View};
use super::words::time;
use crate::cli::table::cut;

/// A terminal that does not say how large it is.
const SIZE: (usize, usize) = (80, 24);

/// A terminal.
pub(super) struct Screen<W> {
    out: W,
    is_coloured: bool,
    /// The widths of the lines that were drawn last.
    drawn: Vec<usize>,
    next_at: Timestamp,
}

impl<W: Write + AsFd + Send> Screen<W> {
    pub(super) fn new(out: W, is_coloured: bool) -> Screen<W> {
        Screen { out, is_coloured, drawn: Vec::new(), next_at: Timestamp::MIN }
    }

    /// Draws `events` and below them the board, in the place of the last one.
    fn draw(&mut self, event: Option<String>, board: &Board<'_>) -> io::Result<()> {
        let size = rustix::termios::tcgetwinsize(&self.out).ok();
        let size = size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        let (width, height) = size.filter(|(width, height)| *width > 0 && *height > 0).unwrap_or(SIZE);
        // A letter in the last column makes some terminals begin a new line.
        let room = width - 1;
        let mut shown = frame(board, room);
        let hidden = (shown.lines.len() + 1).saturating_sub(height);
        if hidden > 0 {
            shown.lines.truncate(shown.lines.len() - hidden);
        }
        let mut text = String::new();
        // Lines that were drawn on a wider terminal take several now.
        let above: usize = self.drawn.iter().map(|drawn| drawn.div_ceil(width).max(1)).sum();
        if above > 0 {
            text.push_str(&format!("\x1b[{above}A"));
        }
        text.push_str("\r\x1b[J");
        text.extend(event.map(|event| format!("{}\n", cut(&event, room.max(1)))));
        let Frame { lines } = &shown;
        for line in lines {
            text.push_str(&painted(line, self.is_coloured));
            text.push('\n');
        }
        self.drawn = lines.iter().map(|line| line.iter().map(|span| span.text.width()).sum()).collect();
        self.next_at = board.now.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write + AsFd + Send> View for Screen<W> {
    fn tell(&mut self, event: &Event<'_>, board: &Board<'_>) -> io::Result<()> {
        // The table shows what a poll gave.
        let happened = !matches!(event, Event::Polled(_));
        let line = happened.then(|| format!("{}  {}", time(board.now, &board.zone), happening(event, board)));
        self.draw(line, board)
    }

    fn next_at(&self) -> Option<Timestamp> {
        Some(self.next_at)
    }

    fn tick(&mut self, board: &Board<'_>) -> io::Result<()> {
        self.draw(None, board)
    }
}

/// A line with its colours, if it is to have any.
pub(super) fn painted(line: &[Span], is_coloured: bool) -> String {
    let mut text = String::new();
    for span in line {
        let code = match span.paint {
            Paint::Plain => "",
            Paint::Dim => "2",
            Paint::Strong => "1",
            Paint::Good => "32",
            Paint::Warn => "33",
            Paint::Bad => "31",
        };
        if is_coloured && !code.is_empty() {
            text.push_str(&format!("\x1b[{code}m{}\x1b[0m", span.text));
        } else {
            text.push_str(&span.text);
        }
    }
    text
}
