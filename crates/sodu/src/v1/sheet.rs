//! Entries as rows of a spreadsheet: CSV for programs, and the form that Excel opens in Vietnamese by a double click.

use jiff::tz::TimeZone;
use ledger::{Currency, Entry, Minor};

use super::show;
use crate::times::{self, rfc3339};

/// Which form of rows.
pub(super) enum Sheet {
    /// RFC 4180, UTF-8, plain decimals, times in UTC.
    Csv,
    /// Tabs, UTF-16 with its mark, decimal commas, times in this zone, Vietnamese titles. Excel takes tabs for columns and
    /// the mark for the encoding whatever the machine's own list separator is, and would read `12.5` as the 12th of May.
    Excel(TimeZone),
}

const COLUMNS: [(&str, &str); 18] = [
    ("account", "Tài khoản"),
    ("number", "Bút toán"),
    ("at", "Thời điểm"),
    ("kind", "Loại"),
    ("amount", "Số tiền"),
    ("balance_after", "Số dư"),
    ("posted_after", "Đã ghi sổ"),
    ("held_after", "Tạm giữ"),
    ("credit_limit", "Hạn mức"),
    ("status", "Trạng thái"),
    ("reference", "Tham chiếu"),
    ("reason", "Lý do"),
    ("key", "Khóa"),
    ("by", "Người thực hiện"),
    ("target_account", "Tài khoản liên quan"),
    ("target", "Bút toán liên quan"),
    ("metadata", "Thông tin thêm"),
    ("hash", "Mã băm"),
];

impl Sheet {
    pub(super) fn content_type(&self) -> &'static str {
        match self {
            Sheet::Csv => "text/csv; charset=utf-8",
            Sheet::Excel(_) => "text/tab-separated-values; charset=utf-16le",
        }
    }

    /// The line of titles.
    pub(super) fn head(&self) -> Vec<u8> {
        match self {
            Sheet::Csv => self.line(COLUMNS.map(|(name, _)| name.to_owned())),
            Sheet::Excel(_) => {
                let titles = self.line(COLUMNS.map(|(_, title)| title.to_owned()));
                [&[0xff, 0xfe][..], &titles].concat()
            }
        }
    }

    /// One entry.
    pub(super) fn row(&self, entry: &Entry, currency: Currency) -> Vec<u8> {
        let money = |figure: Minor| {
            let decimal = figure.decimal(currency.scale()).to_string();
            if matches!(self, Sheet::Excel(_)) { decimal.replace('.', ",") } else { decimal }
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let own = entry.posted_after.minus(entry.held_after).expect("figures are within a quarter of i64");
        let metadata: serde_json::Map<String, serde_json::Value> =
            entry.metadata.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect();
        self.line([
            entry.account.to_string(),
            entry.number.to_string(),
            match self {
                Sheet::Csv => rfc3339(entry.at),
                Sheet::Excel(zone) => times::for_people(entry.at, zone),
            },
            entry.kind.name().to_owned(),
            money(entry.amount),
            money(own),
            money(entry.posted_after),
            money(entry.held_after),
            money(entry.credit_limit),
            entry.status.name().to_owned(),
            text(entry.reference.as_ref().map(ledger::Reference::as_str)),
            text(entry.reason.as_ref().map(ledger::Reason::as_str)),
            text(entry.key.as_ref().map(ledger::Key::as_str)),
            entry.by.as_str().to_owned(),
            entry.target.map(|target| target.account.to_string()).unwrap_or_default(),
            entry.target.map(|target| target.number.to_string()).unwrap_or_default(),
            if metadata.is_empty() { String::new() } else { serde_json::Value::Object(metadata).to_string() },
            show::Hex(entry.hash).to_string(),
        ])
    }

    fn line(&self, cells: [String; 18]) -> Vec<u8> {
        // A cell that begins like a formula is one to a spreadsheet: an apostrophe makes it text again.
        let harmless = |(index, cell): (usize, String)| {
            let is_free_text = (10..=13).contains(&index) || index == 16;
            if is_free_text && cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
        };
        let cells = cells.into_iter().enumerate().map(harmless);
        let delimiter = if matches!(self, Sheet::Csv) { b',' } else { b'\t' };
        let mut line =
            csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let written = line.write_record(cells).ok().and_then(|()| line.into_inner().ok());
        let written = written.expect("memory takes a record of any cells");
        match self {
            Sheet::Csv => written,
            Sheet::Excel(_) => String::from_utf8_lossy(&written).encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}
