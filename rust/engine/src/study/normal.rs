//! Normal draws by a faster quantile function than the streams' own (Wichura 1988, Applied Statistics 37, AS 241).
//!
//! A replicate needs some 30,000 of them. Five in six lie where one ratio of polynomials is all there is to compute.

use crate::rng::Stream;

type Coefficients = [f64; 8];

/// Where the centre ends, measured from a probability of a half.
const MIDDLE: f64 = 0.425;

const CENTRE: (Coefficients, Coefficients) = (
    [
        3.387_132_872_796_366_6,
        133.141_667_891_784_38,
        1_971.590_950_306_551_4,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_596,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
);

const FLANK: (Coefficients, Coefficients) = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);

const TAIL: (Coefficients, Coefficients) = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[inline(always)]
fn ratio((above, below): &(Coefficients, Coefficients), x: f64) -> f64 {
    let series = |c: &Coefficients| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    series(above) / series(below)
}

/// The quantile of the standard normal at `0.5 + q`, `|q| < 0.5`.
#[inline]
fn quantile(q: f64) -> f64 {
    if q.abs() <= MIDDLE {
        return q * ratio(&CENTRE, 0.180_625 - q * q);
    }
    let x = (-(0.5 - q.abs()).ln()).sqrt();
    let z = if x <= 5.0 {
        ratio(&FLANK, x - 1.6)
    } else {
        ratio(&TAIL, x - 5.0)
    };
    z.copysign(q)
}

/// A draw as a probability less a half; exact, an odd multiple of 2^-53.
#[inline(always)]
pub fn centred(bits: u64) -> f64 {
    const HALF_STEP: f64 = 1.0 / (1u64 << 53) as f64;
    // The draw's 52 bits as the fraction of a number from 1 to 2, which costs no conversion.
    (f64::from_bits(1.0_f64.to_bits() | (bits >> 12)) - 1.5) + HALF_STEP
}

/// The next draw as a standard normal: that of [`Stream::normal`] but for rounding.
#[inline]
pub fn normal(stream: &mut Stream) -> f64 {
    quantile(centred(stream.bits()))
}

/// Replaces [`centred`] draws by standard normals: those of [`normal`] to the last bit.
///
/// The ratio of the centre is computed for all, so that the compiler can use vector instructions, and then replaced in
/// the tails.
pub fn normals(values: &mut [f64]) {
    const AT_ONCE: usize = 64;
    for part in values.chunks_mut(AT_ONCE) {
        let mut draws = [0.0; AT_ONCE];
        draws[..part.len()].copy_from_slice(part);
        for z in part.iter_mut() {
            *z *= ratio(&CENTRE, 0.180_625 - *z * *z);
        }
        for (z, q) in part.iter_mut().zip(&draws) {
            if q.abs() > MIDDLE {
                *z = quantile(*q);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Purpose;

    proptest! {
        #[test]
        fn the_quantile_function_of_the_normal(q in -0.5..0.5_f64, tail in 1e-16..1e-3_f64) {
            for q in [q, 0.5 - tail, tail - 0.5] {
                let expected = crate::intervals::normal_quantile(0.5 + q).expect("inside");
                // Ten digits, for statrs' error function has no more in places; and what 0.5 + q loses of a tail.
                let wide = 1e-10 + 1e-16 / (0.5 - q.abs()).max(1e-300);
                prop_assert!((quantile(q) - expected).abs() < wide * (1.0 + expected.abs()), "{q} {expected}");
            }
        }
    }

    #[test]
    fn the_draws_of_the_stream() {
        let (mut one, mut other) = (Stream::new(1, Purpose::User, 0, 0), Stream::new(1, Purpose::User, 0, 0));
        for _ in 0..10_000 {
            assert!((normal(&mut one) - other.normal()).abs() < 1e-9);
        }
    }

    #[test]
    fn many_draws_are_each_what_it_is_alone() {
        let (mut one, mut other) = (Stream::new(2, Purpose::User, 0, 0), Stream::new(2, Purpose::User, 0, 0));
        let mut many: Vec<f64> = (0..1000).map(|_| centred(one.bits())).collect();
        normals(&mut many);
        assert!(many.iter().all(|z| *z == normal(&mut other)));
    }
}
