//! Exact money: integers of minor units, and their decimal spelling.
//!
//! No binary float exists on any path. A figure's bounds are far inside i64, so that the sum of any few of them cannot
//! overflow and `available` needs no wider type.

use std::fmt;

/// The greatest absolute value of any figure, in minor units: a quarter of i64, so that posted − held + limit always fits.
const FIGURE_MAX: i64 = i64::MAX / 4;

/// A signed figure in minor units of its account's currency: posted, held, a limit, an adjustment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Minor(i64);

impl Minor {
    /// No money at all; a balance like any other.
    pub const ZERO: Minor = Minor(0);

    /// The greatest figure.
    pub const GREATEST: Minor = Minor(FIGURE_MAX);

    /// The least figure.
    pub const LEAST: Minor = Minor(-FIGURE_MAX);

    /// A figure of `units` minor units, or `None` beyond a quarter of i64 either way.
    pub fn new(units: i64) -> Option<Minor> {
        (-FIGURE_MAX..=FIGURE_MAX).contains(&units).then_some(Minor(units))
    }

    /// The number of minor units.
    pub fn units(self) -> i64 {
        self.0
    }

    /// The sum, or `None` where it leaves the bounds of a figure.
    pub fn plus(self, other: Minor) -> Option<Minor> {
        self.0.checked_add(other.0).and_then(Minor::new)
    }

    /// The difference, or `None` where it leaves the bounds of a figure.
    pub fn minus(self, other: Minor) -> Option<Minor> {
        self.0.checked_sub(other.0).and_then(Minor::new)
    }

    /// Reads a decimal such as `36693`, `12.5` or `-3` as a figure of `currency`.
    ///
    /// Digits with at most one point; a leading `-`; no sign `+`, no grouping, no exponent. Errors: not such a decimal,
    /// more decimals than the currency has (trailing zeros are not counted), or beyond the bounds.
    pub fn parse(text: &str, currency: Currency) -> Result<Minor, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(AmountError::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        let padding = usize::from(currency.scale)
            .checked_sub(fraction.len())
            .ok_or(AmountError::TooPrecise { scale: currency.scale })?;
        let spelled = [whole, fraction, &"0".repeat(padding)].concat();
        let units: i64 = spelled.parse().map_err(|_| AmountError::OutOfRange)?;
        let signed = if negative { units.checked_neg() } else { Some(units) };
        signed.and_then(Minor::new).ok_or(AmountError::OutOfRange)
    }

    /// The figure as an exact decimal of a currency with `scale` decimals, without trailing zeros: `36693`, `12.5`, `-3`.
    pub fn decimal(self, scale: u8) -> Decimal {
        Decimal { units: i128::from(self.0), scale }
    }

    /// The figure in units of the currency's public decimals, rounded down (towards minus infinity): what an eSMS answer
    /// may show never exceeds what there is.
    pub fn public(self, currency: Currency) -> i64 {
        let dropped = currency.scale.saturating_sub(currency.public_decimals);
        self.0.checked_div_euclid(10_i64.saturating_pow(u32::from(dropped))).unwrap_or(0)
    }
}

/// An exact number of minor units that is shown as a decimal; see [`Minor::decimal`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimal {
    units: i128,
    scale: u8,
}

impl Decimal {
    /// A sum over accounts, which may be greater than any figure of one.
    pub fn of_sum(units: i128, scale: u8) -> Decimal {
        Decimal { units, scale }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.saturating_pow(u32::from(self.scale));
        let units = self.units.unsigned_abs();
        let (whole, rest) = (units.checked_div(unit).unwrap_or(0), units.checked_rem(unit).unwrap_or(0));
        if self.units < 0 {
            f.write_str("-")?;
        }
        // Nearly always within 64 bits, whose digits cost much less.
        match u64::try_from(whole) {
            Ok(whole) => whole.fmt(f)?,
            Err(_) => whole.fmt(f)?,
        }
        if rest == 0 {
            return Ok(());
        }
        let (mut rest, mut width) = (rest, usize::from(self.scale));
        while let (Some(shorter), Some(0)) = (rest.checked_div(10), rest.checked_rem(10)) {
            rest = shorter;
            width = width.saturating_sub(1);
        }
        write!(f, ".{rest:0width$}")
    }
}

/// A positive number of minor units: what a top-up, a charge or a hold moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Amount(Minor);

impl Amount {
    /// `figure` as an amount, or `None` where it is zero or negative.
    pub fn new(figure: Minor) -> Option<Amount> {
        (figure > Minor::ZERO).then_some(Amount(figure))
    }

    /// Reads a positive decimal of `currency`; errors as [`Minor::parse`], and [`AmountError::NotPositive`].
    pub fn parse(text: &str, currency: Currency) -> Result<Amount, AmountError> {
        Amount::new(Minor::parse(text, currency)?).ok_or(AmountError::NotPositive)
    }

    /// The amount as a signed figure.
    pub fn minor(self) -> Minor {
        self.0
    }
}

/// Why a text is no amount of a currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AmountError {
    /// Not a plain decimal.
    Malformed,
    /// More decimals than the currency's scale.
    TooPrecise {
        /// The decimals that the currency has.
        scale: u8,
    },
    /// Greater than any figure may be.
    OutOfRange,
    /// Zero or negative where a positive amount is needed.
    NotPositive,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AmountError::Malformed => {
                write!(f, "not a decimal number such as 36693 or 12.5 (digits and one point, no grouping, no exponent)")
            }
            AmountError::TooPrecise { scale } => {
                write!(f, "more exact than the {scale} decimals that the account's currency has")
            }
            AmountError::OutOfRange => write!(f, "greater than the ledger can hold"),
            AmountError::NotPositive => write!(f, "not greater than zero"),
        }
    }
}

impl std::error::Error for AmountError {}

/// A currency: its code, and how many decimals are kept and how many an eSMS answer shows.
///
/// The scale is fixed for ever when the currency is created, because every stored figure is a count of its minor units.
///
/// Two currencies are equal if code and scale are: how many decimals are shown decides no money.
#[derive(Clone, Copy, Debug)]
pub struct Currency {
    code: [u8; 8],
    scale: u8,
    public_decimals: u8,
}

impl PartialEq for Currency {
    fn eq(&self, other: &Currency) -> bool {
        (self.code, self.scale) == (other.code, other.scale)
    }
}

impl Eq for Currency {}

impl Currency {
    /// Vietnamese đồng as eSMS shows it: kept to a hundredth, answered whole.
    pub const VND: Currency = Currency { code: *b"VND\0\0\0\0\0", scale: 2, public_decimals: 0 };

    /// A currency of 3 to 8 upper-case letters or digits, with `public_decimals` ≤ `scale` ≤ 9.
    pub fn new(code: &str, scale: u8, public_decimals: u8) -> Result<Currency, CurrencyError> {
        let well_spelled = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !(3..=8).contains(&code.len()) || !well_spelled {
            return Err(CurrencyError::Code);
        }
        if scale > 9 || public_decimals > scale {
            return Err(CurrencyError::Scale);
        }
        let mut padded = [0; 8];
        padded.iter_mut().zip(code.bytes()).for_each(|(to, from)| *to = from);
        Ok(Currency { code: padded, scale, public_decimals })
    }

    /// The code, such as `VND`.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.code).unwrap_or_default().trim_end_matches('\0')
    }

    /// How many decimals a figure keeps.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// How many decimals an eSMS answer shows.
    pub fn public_decimals(self) -> u8 {
        self.public_decimals
    }
}

/// Why a currency cannot be created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CurrencyError {
    /// The code is not 3 to 8 upper-case letters or digits.
    Code,
    /// The scale is above 9, or fewer decimals are kept than shown.
    Scale,
}

impl fmt::Display for CurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CurrencyError::Code => "a currency code is 3 to 8 upper-case letters or digits",
            CurrencyError::Scale => "a currency keeps at most 9 decimals, and shows at most as many as it keeps",
        })
    }
}

impl std::error::Error for CurrencyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_parse_exactly_or_say_why() {
        let vnd = |text| Minor::parse(text, Currency::VND).map(Minor::units);
        assert_eq!(vnd("36693"), Ok(3_669_300));
        assert_eq!(vnd("12.5"), Ok(1_250));
        assert_eq!(vnd("12.500"), Ok(1_250));
        assert_eq!(vnd("-0.01"), Ok(-1));
        assert_eq!(vnd("0"), Ok(0));
        assert_eq!(vnd("0.001"), Err(AmountError::TooPrecise { scale: 2 }));
        for malformed in ["", "-", ".5", "5.", "+5", "1e3", "1,000", " 1", "1 ", "٣", "0x1", "1.2.3", "NaN", "--1"] {
            assert_eq!(vnd(malformed), Err(AmountError::Malformed), "{malformed:?}");
        }
        assert_eq!(vnd("99999999999999999999"), Err(AmountError::OutOfRange));
        assert_eq!(vnd("23058430092136939.51"), Ok(FIGURE_MAX));
        assert_eq!(vnd("23058430092136939.52"), Err(AmountError::OutOfRange));
        assert_eq!(Amount::parse("0.00", Currency::VND), Err(AmountError::NotPositive));
        assert_eq!(Amount::parse("-1", Currency::VND), Err(AmountError::NotPositive));
    }

    #[test]
    fn figures_spell_without_trailing_zeros() {
        let spelled = |units| Minor(units).decimal(2).to_string();
        assert_eq!(spelled(3_669_300), "36693");
        assert_eq!(spelled(1_250), "12.5");
        assert_eq!(spelled(-1), "-0.01");
        assert_eq!(spelled(0), "0");
        assert_eq!(Minor(-5).decimal(0).to_string(), "-5");
    }

    #[test]
    fn the_public_figure_is_rounded_down_also_below_zero() {
        assert_eq!(Minor(3_669_399).public(Currency::VND), 36_693);
        assert_eq!(Minor(-1).public(Currency::VND), -1);
        assert_eq!(Minor(-100).public(Currency::VND), -1);
        let usd = Currency::new("USD", 4, 2).expect("a valid currency");
        assert_eq!(Minor(12_599).public(usd), 125);
    }

    #[test]
    fn currencies_are_checked() {
        assert_eq!(Currency::new("VND", 2, 0), Ok(Currency::VND));
        assert_eq!(Currency::VND.code(), "VND");
        assert_eq!(Currency::new("vnd", 2, 0), Err(CurrencyError::Code));
        assert_eq!(Currency::new("V", 2, 0), Err(CurrencyError::Code));
        assert_eq!(Currency::new("POINTS123", 2, 0), Err(CurrencyError::Code));
        assert_eq!(Currency::new("USD", 2, 3), Err(CurrencyError::Scale));
        assert_eq!(Currency::new("USD", 10, 3), Err(CurrencyError::Scale));
    }
}
