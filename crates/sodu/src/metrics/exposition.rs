//! The text format of Prometheus, version 0.0.4: lines of `name{label="value"} figure`.
//!
//! Only spells; what is counted and how families are named is decided by the caller. Figures are integers or exact
//! decimals, never binary floats.

use std::fmt::{Display, Write};

use super::histogram::{BOUNDS_US, Histogram};

/// A text that is being written.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Opens a family: what follows until the next one are its samples.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One figure.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels.iter().copied());
        self.write(format_args!(" {value}\n"));
    }

    /// One histogram: the sum of `parts`.
    pub(super) fn histogram<'a>(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        parts: impl Iterator<Item = &'a Histogram>,
    ) {
        let (buckets, sum_ns) = Histogram::sum(parts);
        let mut cumulated = 0;
        for (index, bucket) in buckets.iter().enumerate() {
            cumulated += bucket;
            let bound = BOUNDS_US.get(index).map_or("+Inf".to_owned(), |bound| seconds(*bound * 1000));
            self.write(format_args!("{name}_bucket"));
            self.labels(labels.iter().copied().chain([("le", bound.as_str())]));
            self.write(format_args!(" {cumulated}\n"));
        }
        self.sample(&format!("{name}_sum"), labels, seconds(sum_ns));
        self.sample(&format!("{name}_count"), labels, cumulated);
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn labels<'a>(&mut self, labels: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut separator = '{';
        for (name, value) in labels {
            self.0.push(separator);
            self.write(format_args!("{name}=\""));
            for char in value.chars() {
                match char {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.0.push('}');
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes every write");
    }
}

/// Nanoseconds as a decimal of seconds, without trailing zeros.
pub(super) fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut out = Exposition::default();
        out.sample("x", &[("a", "1\"2\\3\n4"), ("b", "")], 5);
        out.sample("y", &[], "1.5");
        assert_eq!(out.into_text(), "x{a=\"1\\\"2\\\\3\\n4\",b=\"\"} 5\ny 1.5\n");
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(0), "0");
        assert_eq!(seconds(50), "0.00000005");
        assert_eq!(seconds(1_500_000_000), "1.5");
        assert_eq!(seconds(10_000_000_000), "10");
    }
}
