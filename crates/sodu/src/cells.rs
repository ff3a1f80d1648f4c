//! Lines of cells for spreadsheets: the two forms that entries and summaries are written in.

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// RFC 4180, UTF-8, plain decimals.
    Csv,
    /// Tabs, UTF-16 with its mark, decimal commas: what Excel opens in Vietnamese by a double click. Excel takes tabs for columns
    /// and the mark for the encoding whatever the machine's own list separator is, and would read `12.5` as the 12th of May.
    Excel,
}

impl Form {
    /// As the API calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Csv => "csv",
            Form::Excel => "excel",
        }
    }

    /// What a file begins with.
    pub(crate) fn mark(self) -> &'static [u8] {
        match self {
            Form::Csv => &[],
            Form::Excel => &[0xff, 0xfe],
        }
    }

    /// A figure as a cell.
    pub(crate) fn decimal(self, decimal: &str) -> String {
        match self {
            Form::Csv => decimal.to_owned(),
            Form::Excel => decimal.replace('.', ","),
        }
    }

    /// One line as it stands in the file.
    pub(crate) fn line(self, cells: &[String]) -> Vec<u8> {
        let delimiter = match self {
            Form::Csv => b',',
            Form::Excel => b'\t',
        };
        let mut line =
            csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let written = line.write_record(cells).ok().and_then(|()| line.into_inner().ok());
        let written = written.expect("memory takes a record of any cells");
        match self {
            Form::Csv => written,
            Form::Excel => String::from_utf8_lossy(&written).encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}

/// Free text as a cell: what begins like a formula is one to a spreadsheet, and an apostrophe makes it text again.
pub(crate) fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}
