//! Where words go: answers to standard output, everything about the work itself to standard error.
//!
//! Colour is used on terminals only, and never where `NO_COLOR` is set. Money is grouped for people and plain for
//! programs.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde_json::Value;

use super::failure::Failure;

/// How wide text is where nobody says otherwise.
const WIDTH: usize = 80;

/// Standard output.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    /// Whether programs read it.
    #[cfg_attr(not(feature = "server"), expect(dead_code, reason = "only commands of the ledger ask it"))]
    pub(super) json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Output {
        Output { out: BufWriter::new(io::stdout()), json }
    }

    /// Writes `text` as it is; [`Output::flush`] sends it.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Writes bytes as they are.
    #[cfg(feature = "server")]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Writes one line of CSV (RFC 4180).
    #[cfg(feature = "server")]
    pub(super) fn csv<const N: usize>(&mut self, cells: [String; N]) -> Result<(), Failure> {
        let mut line = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let written = line.write_record(cells).ok().and_then(|()| line.into_inner().ok());
        self.bytes(&written.expect("memory takes a record of any cells"))
    }

    /// Writes one JSON value on one line.
    pub(super) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.text(&format!("{value}\n"))
    }

    /// Sends what was written. Whoever does not call this learns nothing of a full disk.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// A list of the API, written item by item: all its pages as one JSON object.
#[cfg(feature = "server")]
pub(super) struct JsonList {
    is_first: bool,
}

#[cfg(feature = "server")]
impl JsonList {
    /// Begins the list that the API calls `name`.
    pub(super) fn new(name: &str, out: &mut Output) -> Result<JsonList, Failure> {
        out.text(&format!("{{\"{name}\":["))?;
        Ok(JsonList { is_first: true })
    }

    /// Writes the items of one page.
    pub(super) fn page(&mut self, items: &[Value], out: &mut Output) -> Result<(), Failure> {
        items.iter().try_for_each(|item| {
            let separator = if std::mem::take(&mut self.is_first) { "\n" } else { ",\n" };
            out.text(&format!("{separator}{item}"))
        })
    }

    /// Ends it, as the API ends a last page.
    pub(super) fn end(self, out: &mut Output) -> Result<(), Failure> {
        out.text("\n],\"next_cursor\":null}\n")
    }
}

/// Writes a line to standard error; if that is closed, nobody wanted it.
pub(super) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// `text` as the start of an error.
pub(super) fn paint_error(text: &str) -> String {
    if is_plain(&io::stderr()) { text.to_owned() } else { format!("\x1b[1;31m{text}\x1b[0m") }
}

/// Whether `out` is to have no colours.
pub(super) fn is_plain(out: &impl IsTerminal) -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
        || !out.is_terminal()
}

/// How many columns the reader's terminal has; 80 where it is none.
pub(super) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width >= WIDTH).unwrap_or(WIDTH)
}

/// A plain decimal as people read it: `-1,234,567.5`.
pub(super) fn grouped(decimal: &str) -> String {
    crate::digits::grouped(decimal, ',', '.')
}

/// The member `name` of an answer as text; nothing where it is null or missing.
#[cfg(feature = "server")]
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The money member `name` of an answer, grouped.
#[cfg(feature = "server")]
pub(super) fn money(value: &Value, name: &str) -> String {
    grouped(text(value, name))
}
