//! Exact arithmetic of decimals, for those who reckon with what they read.

use wire::Decimal;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

#[test]
fn a_difference_is_exact_or_none() {
    let cases = [
        ("36693", "350", "36343"),
        ("12.5", "12.5", "0"),
        ("0", "0.05", "-0.05"),
        ("1.26743233E+15", "0.01", "1267432329999999.99"),
        ("-1", "-1.5", "0.5"),
    ];
    for (from, taken, left) in cases {
        assert_eq!(decimal(from).minus(&decimal(taken)), Some(decimal(left)), "{from} - {taken}");
    }
    let (most, least) = (decimal("9e35"), decimal("1e-36"));
    assert_eq!(most.minus(&least), None);
    assert_eq!(most.minus(&decimal("-9e35")), None);
    assert_eq!(most.minus(&most), Some(Decimal::ZERO));
}

#[test]
fn units_and_scale_are_the_number() {
    assert_eq!(decimal("12.5").to_units(3), Some(12_500));
    assert_eq!((decimal("12.50").scale(), decimal("12.5").to_units(0)), (1, None));
    assert_eq!(Decimal::of_units(-12_500, 3), Some(decimal("-12.5")));
    assert_eq!(Decimal::of_units(0, 30), Some(Decimal::ZERO));
    assert_eq!((Decimal::of_units(1, 37), Decimal::of_units(10, 37)), (None, Some(decimal("1e-36"))));
    assert_eq!(Decimal::of_units(10_i128.pow(36), 0), None);
}
