//! Medians, percentiles and tables of what was measured.

use std::time::Duration;

/// The value in the middle; of an even number the greater one of the two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50)
}

/// The least value that `percent` per cent of the values do not exceed; zero of none.
pub(crate) fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(0.0)
}

/// Microseconds.
pub(crate) fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Rows as a Markdown table, ready for BENCHMARKING.md.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let rule = line(head.iter().map(|_| "---").collect());
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(head.to_vec()), rule].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = || (1..=100).rev().map(f64::from);
        assert_eq!([median(values()), percentile(values(), 99), percentile([], 50)], [51.0, 100.0, 0.0]);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
    }
}
