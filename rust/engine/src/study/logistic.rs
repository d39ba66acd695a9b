//! The exponential and the logistic function on whole slices, written so that the compiler can use vector instructions.

/// Two to the 52nd and a half more: adding it rounds a double to an integer held in the lowest bits of the sum.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Beyond this the logistic function is 0 or 1 to the last bit, and powers of two stay in range.
const LIMIT: f64 = 700.0;

/// `e^x` for `|x| <= 700`, right to about 1e-15 relatively.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, and Taylor's series of `e^r` to the power of 13.
#[inline(always)]
fn exp(x: f64) -> f64 {
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = (x - n * HIGH) - n * LOW;
    let mut series = 1.0 / 6_227_020_800.0;
    for divisor in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    ] {
        series = series * r + 1.0 / divisor;
    }
    series * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()))
}

/// Replaces log odds by probabilities.
pub fn logistic(values: &mut [f64]) {
    for value in values {
        *value = 1.0 / (1.0 + exp((-*value).clamp(-LIMIT, LIMIT)));
    }
}

/// The nearest whole number, ties to even, for magnitudes below 2^51.
#[inline(always)]
pub fn round(x: f64) -> f64 {
    (x + ROUNDING) - ROUNDING
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_exponential_of_the_standard_library(x in -700.0..700.0_f64) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 2e-15);
        }

        #[test]
        fn rounding_of_the_standard_library(x in -1e9..1e9_f64) {
            prop_assert_eq!(round(x), x.round_ties_even());
            prop_assert_eq!(round(x.trunc() + 0.5), (x.trunc() + 0.5).round_ties_even());
        }
    }

    #[test]
    fn certainty_is_a_probability() {
        let mut values = [f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e300];
        logistic(&mut values);
        assert_eq!(values[0], 1.0);
        assert!(values[1] < 1e-300);
        assert_eq!(values[2..], [0.5, 1.0]);
    }
}
