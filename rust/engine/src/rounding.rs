//! The authors' precision rule for option values, and decimal rounding exactly as Python's `round(x, p)`.

/// Powers of ten that are doubles, which the fast path needs: beyond 10^22 they are rounded themselves.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Where doubles begin to be all integers.
const ALL_INTEGERS: f64 = (1u64 << 52) as f64;

/// The decimals of values that span `range` (positive and finite): 0 from 5 up, 1 from 1 up, else
/// `abs(floor(log10(range))) + 1`.
#[expect(clippy::cast_sign_loss, reason = "an absolute value")]
pub fn decimals(range: f64) -> usize {
    if range >= 5.0 {
        0
    } else if range >= 1.0 {
        1
    } else {
        (range.log10().floor().abs() as usize).saturating_add(1)
    }
}

/// Ten to the power of `decimals` where that is a double.
pub(crate) fn power_of_ten(decimals: usize) -> Option<f64> {
    POWERS_OF_TEN.get(decimals).copied()
}

/// `x` at `decimals` decimals, to the last bit as Python's `round`: the decimal nearest to the exact value of the double, ties
/// to the even digit, and the double nearest to that decimal.
pub fn round_decimals(x: f64, decimals: usize) -> f64 {
    // Python too returns x beyond 323 decimals: no double has a digit there that rounding could remove.
    if !x.is_finite() || decimals > 323 || (decimals == 0 && x.abs() >= ALL_INTEGERS) {
        return x;
    }
    if let Some(power) = power_of_ten(decimals) {
        let scaled = x * power;
        let from_half = (scaled - scaled.floor() - 0.5).abs();
        // The product is off by at most half an ulp, so this far from a half the nearest integer is the true one; the
        // division of two exact doubles then rounds once, as reading the decimal would.
        if scaled.abs() < ALL_INTEGERS && from_half > 4.0 * f64::EPSILON * scaled.abs() {
            return scaled.round_ties_even() / power;
        }
    }
    exactly(x, decimals)
}

/// The slow path: formatting works on the exact value and breaks ties to even, parsing rounds once.
fn exactly(x: f64, decimals: usize) -> f64 {
    format!("{x:.decimals$}")
        .parse()
        .expect("a formatted finite double is a number")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_precision_rule() {
        let expected = [
            (70.0, 0),
            (5.0, 0),
            (4.999, 1),
            (1.0, 1),
            (0.999, 2),
            (0.5, 2),
            (0.1, 2),
            (0.099, 3),
            (1e-5, 6),
            (5e-324, 325),
        ];
        for (range, p) in expected {
            assert_eq!(decimals(range), p, "{range}");
        }
    }

    #[test]
    fn ties_go_to_the_even_digit_and_only_true_ties_are_ties() {
        let cases = [
            (0.5, 0, 0.0),
            (1.5, 0, 2.0),
            (2.5, 0, 2.0),
            (0.125, 2, 0.12),
            (0.375, 2, 0.38),
            (2.675, 2, 2.67),
            (1.005, 2, 1.0),
            (0.285, 2, 0.28),
            (-2.5, 0, -2.0),
            (1e22, 3, 1e22),
            (5e-324, 22, 0.0),
        ];
        for (x, p, rounded) in cases {
            assert_eq!(round_decimals(x, p), rounded, "round({x}, {p})");
        }
        assert!(
            round_decimals(-0.3, 0).is_sign_negative(),
            "Python keeps the sign of zero"
        );
        assert!(round_decimals(f64::NAN, 2).is_nan());
        assert_eq!(round_decimals(f64::INFINITY, 2), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn the_fast_path_is_the_slow_path(x: f64, p in 0usize..24) {
            prop_assume!(x.is_finite());
            prop_assert_eq!(round_decimals(x, p).to_bits(), exactly(x, p).to_bits());
        }

        #[test]
        fn near_halves_too(n in -1_000_000_000i64..1_000_000_000, p in 0usize..16, ulps in -3i64..4) {
            let half = (n as f64 + 0.5) / POWERS_OF_TEN[p];
            let x = f64::from_bits(half.to_bits().wrapping_add_signed(ulps));
            prop_assert_eq!(round_decimals(x, p).to_bits(), exactly(x, p).to_bits());
        }
    }
}
