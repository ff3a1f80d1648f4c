//! The summary beside the statements of a month: a line for every account, from its opening over what each kind of entry
//! moved to its closing.
//!
//! Figures are those of `GET …/statement`, so that a line can be checked against its account's own file. It adds up:
//! opening posted + topup + refund + transfer in + transfer out (below zero) + adjust − charge − capture = closing posted.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use crate::cells::{Form, harmless};
use crate::cli::failure::Failure;
use crate::cli::output::text;

/// The figures at either end.
const FIGURES: [&str; 3] = ["posted", "held", "balance"];

/// The kinds that move money or what is held, with the sign by which each moves what is posted.
const KINDS: [(&str, i128); 10] = [
    ("topup", 1),
    ("charge", -1),
    ("capture", -1),
    ("refund", 1),
    ("transfer_in", 1),
    ("transfer_out", 1),
    ("adjust", 1),
    ("hold", 0),
    ("void", 0),
    ("expire", 0),
];

/// The summary while it is written to `W`, and its sums so far.
pub(super) struct Summary<W> {
    out: W,
    form: Form,
    opening: Sums,
    closing: Sums,
}

impl<W: Write> Summary<W> {
    /// Begins it with its titles.
    pub(super) fn new(mut out: W, form: Form) -> io::Result<Summary<W>> {
        out.write_all(form.mark())?;
        let mut summary = Summary { out, form, opening: Sums::default(), closing: Sums::default() };
        let ends = |end: &str| FIGURES.map(|figure| format!("{end}_{figure}"));
        let kinds = KINDS.map(|(kind, _)| kind.to_owned());
        summary.line(
            &[&["account", "name", "currency"].map(str::to_owned), &ends("opening")[..], &kinds, &ends("closing")]
                .concat(),
        )?;
        Ok(summary)
    }

    /// Adds the line of an account called `name` from its `GET …/statement`; false where it does not add up.
    pub(super) fn add(&mut self, name: &str, period: &Value) -> Result<bool, Failure> {
        let currency = text(period, "currency");
        let mut moved: i128 = 0;
        let mut cells = vec![period["account"].to_string(), harmless(name), currency.to_owned()];
        cells.extend(FIGURES.map(|figure| self.figure(&period["opening"], figure)));
        for (kind, sign) in KINDS {
            let totals = period["totals"].as_array().map(Vec::as_slice).unwrap_or_default();
            let amount =
                totals.iter().find(|total| text(total, "kind") == kind).map_or("0", |total| text(total, "amount"));
            moved += sign * units(amount)?;
            cells.push(self.form.decimal(amount));
        }
        cells.extend(FIGURES.map(|figure| self.figure(&period["closing"], figure)));
        self.opening.add(currency, &period["opening"])?;
        self.closing.add(currency, &period["closing"])?;
        self.line(&cells)?;
        Ok(figure_units(&period["opening"], "posted")? + moved == figure_units(&period["closing"], "posted")?)
    }

    /// Ends it; the sums of all openings and of all closings.
    pub(super) fn end(mut self) -> io::Result<(Sums, Sums)> {
        self.out.flush()?;
        Ok((self.opening, self.closing))
    }

    fn figure(&self, end: &Value, name: &str) -> String {
        self.form.decimal(if end.is_null() { "0" } else { text(end, name) })
    }

    fn line(&mut self, cells: &[String]) -> io::Result<()> {
        self.out.write_all(&self.form.line(cells))
    }
}

/// Sums of figures in the smallest units that any figure shows, by currency and figure.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<(String, &'static str), i128>);

impl Sums {
    fn add(&mut self, currency: &str, end: &Value) -> Result<(), Failure> {
        for figure in FIGURES {
            *self.0.entry((currency.to_owned(), figure)).or_default() += figure_units(end, figure)?;
        }
        Ok(())
    }

    /// Whether they are what `/v1/totals` states of one currency.
    pub(super) fn are_those_of(&self, stated: &Value) -> Result<bool, Failure> {
        let currency = text(stated, "currency");
        FIGURES.iter().try_fold(true, |ties, figure| {
            let ours = self.0.get(&(currency.to_owned(), *figure)).copied().unwrap_or(0);
            Ok(ties && ours == units(text(stated, figure))?)
        })
    }
}

/// The figure `name` of one end of a period; zero where the account was not open yet.
fn figure_units(end: &Value, name: &str) -> Result<i128, Failure> {
    if end.is_null() { Ok(0) } else { units(text(end, name)) }
}

/// A decimal in billionths: no currency has more than nine decimals.
fn units(decimal: &str) -> Result<i128, Failure> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let padded = format!("{whole}{fraction:0<9}");
    padded.parse().map_err(|_| Failure::local("bad_answer", "The server's answer holds a figure that is none."))
}
