//! Entries as rows of a spreadsheet: CSV for programs, and the form that Excel opens in Vietnamese by a double click.

use jiff::tz::TimeZone;
use ledger::{Currency, Entry, Minor};

use super::show;
use crate::cells::{Form, harmless};
use crate::times::{self, rfc3339};

/// Which form of rows.
pub(super) enum Sheet {
    /// As [`Form::Csv`], times in UTC.
    Csv,
    /// As [`Form::Excel`], times in this zone, Vietnamese titles.
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
        let form = self.form();
        let titles = COLUMNS.map(|(name, title)| match form {
            Form::Csv => name.to_owned(),
            Form::Excel => title.to_owned(),
        });
        [form.mark(), &form.line(&titles)].concat()
    }

    /// One entry.
    pub(super) fn row(&self, entry: &Entry, currency: Currency) -> Vec<u8> {
        let form = self.form();
        let money = |figure: Minor| form.decimal(&figure.decimal(currency.scale()).to_string());
        let text = |text: Option<&str>| harmless(text.unwrap_or_default());
        let own = entry.posted_after.minus(entry.held_after).expect("figures are within a quarter of i64");
        let metadata: serde_json::Map<String, serde_json::Value> =
            entry.metadata.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect();
        form.line(&[
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
            harmless(entry.by.as_str()),
            entry.target.map(|target| target.account.to_string()).unwrap_or_default(),
            entry.target.map(|target| target.number.to_string()).unwrap_or_default(),
            if metadata.is_empty() { String::new() } else { serde_json::Value::Object(metadata).to_string() },
            show::Hex(entry.hash).to_string(),
        ])
    }

    fn form(&self) -> Form {
        match self {
            Sheet::Csv => Form::Csv,
            Sheet::Excel(_) => Form::Excel,
        }
    }
}
