//! An exact decimal number as clients of GetBalance read it, whichever way the service spelt it.
//!
//! The service's own type is a double, written `36693`, `"36693"`, `12.50` or `1.26743233E+15` (`esms-wire` sections 1
//! and 2). The text is taken digit by digit: no binary float comes near it. This is for reading; what a server writes is
//! [`crate::Money`], whose range is the ledger's.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Digits before the point and digits behind it, each at most this many: far beyond any sum of money.
const DIGITS_MAX: u32 = 36;

/// An exact decimal number below 10^36, with at most 36 decimals and 36 digits that count.
///
/// It is shown plain, without exponent and without zeros at the end: `36693`, `12.5`, `-0.05`. Two that mean the same
/// number are equal, however they were written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    /// The number without its point.
    units: i128,
    /// How many of its digits stand behind the point; as few as can be.
    scale: u32,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Decimal = Decimal { units: 0, scale: 0 };

    /// Whether it is below zero, as a balance may be while credit is in use.
    pub const fn is_negative(&self) -> bool {
        self.units < 0
    }

    /// Whether it has no fraction.
    pub const fn is_whole(&self) -> bool {
        self.scale == 0
    }

    /// It as a whole number of units of 10^-`scale`, such as cents for 2; `None` where that would not be exact or is
    /// greater than an `i64`.
    pub fn to_minor(&self, scale: u8) -> Option<i64> {
        i64::try_from(self.to_units(scale.into())?).ok()
    }

    /// How many of its digits stand behind the point.
    pub const fn scale(&self) -> u32 {
        self.scale
    }

    /// It as a whole number of units of 10^-`scale`; `None` where that would not be exact or is too great.
    pub fn to_units(&self, scale: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    /// The number of that many units of 10^-`scale`; `None` where it has more digits than a `Decimal` holds.
    pub fn of_units(mut units: i128, mut scale: u32) -> Option<Decimal> {
        while scale > 0 && units % 10 == 0 {
            (units, scale) = (units / 10, scale - 1);
        }
        let is_held = scale <= DIGITS_MAX && units.unsigned_abs() < 10_u128.pow(DIGITS_MAX);
        is_held.then_some(Decimal { units, scale })
    }

    /// The exact difference; `None` where it has more digits than a `Decimal` holds.
    pub fn minus(&self, other: &Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        Decimal::of_units(self.to_units(scale)?.checked_sub(other.to_units(scale)?)?, scale)
    }

    /// It in plain digits, without thousands separators.
    fn plain(&self) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        let scale = self.scale as usize;
        let digits = format!("{:0width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// What stands before the point and, in units of 10^-36, behind it; both with the sign.
    fn parts(&self) -> (i128, i128) {
        let factor = 10_i128.pow(self.scale);
        (self.units / factor, self.units % factor * 10_i128.pow(DIGITS_MAX - self.scale))
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Decimal {
        Decimal { units: whole.into(), scale: 0 }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.plain())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain())
    }
}

/// The text is no decimal number, or one that a [`Decimal`] cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDecimal;

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no decimal number of at most {DIGITS_MAX} digits on either side of the point")
    }
}

impl std::error::Error for NotDecimal {}

impl FromStr for Decimal {
    type Err = NotDecimal;

    /// Reads digits with an optional sign, point and exponent. No white space, no thousands separators: which of `,` and
    /// `.` would be which is a guess, and this is money.
    fn from_str(text: &str) -> Result<Decimal, NotDecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (is_negative, digits) = match mantissa.as_bytes().first() {
            Some(b'-') => (true, &mantissa[1..]),
            Some(b'+') => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(NotDecimal);
        }
        let (units, count, zeros) = significant(whole.bytes().chain(fraction.bytes()))?;
        if units == 0 {
            return Ok(Decimal::ZERO);
        }
        let fraction_len = i64::try_from(fraction.len()).map_err(|_| NotDecimal)?;
        let power = exponent + i64::from(zeros) - fraction_len;
        let units = if is_negative { -units } else { units };
        let magnitude = u32::try_from(power.unsigned_abs()).ok().filter(|power| *power <= DIGITS_MAX);
        let magnitude = magnitude.ok_or(NotDecimal)?;
        if power < 0 {
            return Ok(Decimal { units, scale: magnitude });
        }
        if count + magnitude > DIGITS_MAX {
            return Err(NotDecimal);
        }
        Ok(Decimal { units: units * 10_i128.pow(magnitude), scale: 0 })
    }
}

/// The digits as a number without the zeros at its end, how many digits that has, and how many zeros there were.
fn significant(digits: impl Iterator<Item = u8>) -> Result<(i128, u32, u32), NotDecimal> {
    let (mut units, mut count, mut zeros) = (0_i128, 0, 0_u32);
    for digit in digits {
        match digit {
            b'0' => zeros = zeros.saturating_add(u32::from(units != 0)),
            b'1'..=b'9' => {
                count += zeros + 1;
                if count > DIGITS_MAX {
                    return Err(NotDecimal);
                }
                units = units * 10_i128.pow(zeros + 1) + i128::from(digit - b'0');
                zeros = 0;
            }
            _ => return Err(NotDecimal),
        }
    }
    Ok((units, count, zeros))
}

/// An exponent; one beyond every number that can be held stands for itself only as too great.
fn exponent_of(text: &str) -> Result<i64, NotDecimal> {
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDecimal);
    }
    let magnitude = digits.parse::<u32>().unwrap_or(u32::MAX);
    Ok(if is_negative { -i64::from(magnitude) } else { i64::from(magnitude) })
}

/// As a string, which is how the operator API writes money.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a string only: a JSON number passes through binary floats in too many programs.
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
