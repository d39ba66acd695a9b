//! The exponential and the logistic function on whole slices, written so that the compiler can use vector instructions.

/// Two to the 52nd and a half more: adding it rounds a double to an integer held in the lowest bits of the sum.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Beyond this the logistic function is 0 or 1 to the last bit, and powers of two stay in range.
const LIMIT: f64 = 700.0;

/// `e^x` for `|x| <= 700` as a numerator and a denominator, right to about 1e-16 relatively.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, and the rational function of Moshier's Cephes library for `e^r`. A fraction,
/// because the logistic function then needs one division for both.
#[inline(always)]
fn exp(x: f64) -> (f64, f64) {
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = (x - n * HIGH) - n * LOW;
    let square = r * r;
    let odd = r * ((1.261_771_930_748_105_9e-4 * square + 3.029_944_077_074_419_6e-2) * square + 1.0);
    let even = ((3.001_985_051_386_644_6e-6 * square + 2.524_483_403_496_841e-3) * square + 2.272_655_482_081_550_3e-1)
        * square
        + 2.0;
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    (power * (even + odd), even - odd)
}

/// Replaces log odds by probabilities.
pub fn logistic(values: &mut [f64]) {
    for value in values {
        let (above, below) = exp((-*value).clamp(-LIMIT, LIMIT));
        *value = below / (below + above);
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
            let (above, below) = exp(x);
            prop_assert!((above / below / x.exp() - 1.0).abs() < 1e-15);
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
