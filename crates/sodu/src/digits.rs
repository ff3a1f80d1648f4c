//! Digits in groups of three, as people read them.

/// A plain decimal with `group` between its thousands and `point` before its fraction: `-1,234,567.5`.
pub(crate) fn grouped(decimal: &str, group: char, point: char) -> String {
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push(point);
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn figures_are_grouped_by_thousands() {
        let cases = [
            ("0", "0", "0"),
            ("-5", "-5", "-5"),
            ("999", "999", "999"),
            ("36693", "36,693", "36.693"),
            ("-100000", "-100,000", "-100.000"),
            ("1234567.05", "1,234,567.05", "1.234.567,05"),
        ];
        for (plain, english, vietnamese) in cases {
            assert_eq!(grouped(plain, ',', '.'), english);
            assert_eq!(grouped(plain, '.', ','), vietnamese);
        }
    }
}
