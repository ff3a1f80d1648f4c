//! Money as it stands in an answer: an exact decimal number, never by way of a binary float.
//!
//! Rounds nothing. The caller has already rounded down to the decimals that are shown; what arrives is what is written.

/// An amount of `minor` units, each worth 10^-`scale` of the currency's unit.
///
/// `scale` counts the *shown* decimals (0 for VND). Every value of both fields can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// How many minor units; negative while credit is in use.
    pub minor: i64,
    /// How many decimals a minor unit has.
    pub scale: u8,
}

impl Money {
    /// Appends the amount as a JSON number: `36693`, `-0.05`, `12.5`.
    ///
    /// Without exponent, and without a fraction when it is integral, since clients decode it into an int64
    /// (`esms-wire` section 3, row 1); without zeros at the end of a fraction; and never `-0`.
    pub fn write(self, out: &mut Vec<u8>) {
        let Self { minor, mut scale } = self;
        let mut magnitude = minor.unsigned_abs();
        while scale > 0 && magnitude.is_multiple_of(10) {
            magnitude /= 10;
            scale -= 1;
        }
        if minor < 0 {
            out.push(b'-');
        }
        let mut buffer = [0; DIGITS_MAX];
        let digits = decimal(magnitude, &mut buffer);
        let scale = usize::from(scale);
        if scale == 0 {
            out.extend_from_slice(digits);
            return;
        }
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
        out.push(b'.');
        out.resize(out.len() + scale - fraction.len(), b'0');
        out.extend_from_slice(fraction);
    }
}

/// `u64::MAX` has 20 digits.
pub(crate) const DIGITS_MAX: usize = 20;

/// The decimal digits of `number`, at the end of `buffer`.
pub(crate) fn decimal(mut number: u64, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut start = DIGITS_MAX;
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}
