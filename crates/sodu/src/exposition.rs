//! The text format of Prometheus, version 0.0.4: lines of `name{label="value"} figure`.
//!
//! Only spells; what is counted and how families are named is decided by the caller. Figures are integers or exact
//! decimals, never binary floats.

use std::fmt::{Display, Write};

/// A text that is being written.
#[derive(Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// Opens a family: what follows until the next one are its samples.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One figure.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels.iter().copied());
        self.write(format_args!(" {value}\n"));
    }

    /// What was written.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    pub(crate) fn labels<'a>(&mut self, labels: impl Iterator<Item = (&'a str, &'a str)>) {
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

    pub(crate) fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes every write");
    }
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
}
