//! Decimal strings and minor units of a currency with two decimals (VND in the ledger), and the eSMS figure of a sum.
//!
//! Written apart from the `ledger` crate on purpose: a checker that shares the code under test shares its bugs.

/// How many minor units make one unit.
const SCALE: i64 = 100;

/// `1250` as `"12.5"`: no trailing zeros.
pub(crate) fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (units, cents) = (minor.unsigned_abs() / SCALE.unsigned_abs(), minor.unsigned_abs() % SCALE.unsigned_abs());
    match cents {
        0 => format!("{sign}{units}"),
        tens if tens % 10 == 0 => format!("{sign}{units}.{}", tens / 10),
        _ => format!("{sign}{units}.{cents:02}"),
    }
}

/// `"12.5"` as `1250`; `None` for anything that [`decimal`] would not have written.
pub(crate) fn minor(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (units, cents) = match digits.split_once('.') {
        None => (digits, 0),
        Some((units, one)) if one.len() == 1 => (units, one.parse::<i64>().ok()?.checked_mul(10)?),
        Some((units, two)) if two.len() == 2 => (units, two.parse::<i64>().ok()?),
        Some(_) => return None,
    };
    let sum = units.parse::<i64>().ok()?.checked_mul(SCALE)?.checked_add(cents)?;
    let value = if negative { -sum } else { sum };
    (decimal(value) == text).then_some(value)
}

/// What GetBalance shows of `minor`: whole units, rounded down.
pub(crate) fn shown(minor: i64) -> i64 {
    minor.div_euclid(SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_and_minor_units_are_the_same_figures() {
        for (value, text) in
            [(0, "0"), (5, "0.05"), (50, "0.5"), (1250, "12.5"), (-1, "-0.01"), (-100, "-1"), (3_669_300, "36693")]
        {
            assert_eq!(decimal(value), text);
            assert_eq!(minor(text), Some(value));
        }
        for text in ["", "1.", "1.50", "01", "-0", "1.234", "+1", "1e3"] {
            assert_eq!(minor(text), None, "{text}");
        }
    }

    #[test]
    fn shown_figures_are_rounded_down() {
        assert_eq!([shown(199), shown(-1), shown(-100)], [1, -1, -1]);
    }
}
