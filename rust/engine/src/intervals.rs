//! Intervals from draws (percentile, BCa, highest density) and the quantiles of Student's t and the normal.

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc_inv;

use crate::error::{Error, Result, check_finite};
use crate::outcome::{Outcome, Undefined};

/// Lower and upper end.
pub type Ends = (f64, f64);

/// An error unless `level` lies strictly between 0 and 1.
pub(crate) fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(Error::input("level", "a number between 0 and 1", level))
    }
}

/// Degrees of freedom from which the expansion about the normal is used: there it is right to 1e-10 at p = 1e-15, while
/// the incomplete beta function loses digits as they grow.
const MANY: f64 = 1000.0;

/// The point below zero where an increasing `cdf` is `p < .5`: Newton's method on its logarithm
/// (nearly straight in the tails) from a guess, within a bracket.
///
/// Statrs' own inverses are right to seven digits in places and lost in the tails of t. Quantiles above .5 are mirrored,
/// because small probabilities keep their relative precision.
fn lower_quantile(cdf: impl Fn(f64) -> f64, pdf: impl Fn(f64) -> f64, guess: f64, p: f64) -> f64 {
    let (mut low, mut high) = (f64::NEG_INFINITY, 0.0);
    let mut x = if guess < 0.0 { guess } else { -1.0 };
    // Bisection alone would end within this many steps.
    for _ in 0..100 {
        let below = cdf(x);
        *(if below > p { &mut high } else { &mut low }) = x;
        let step = below * ((below - p) / p).ln_1p() / pdf(x);
        x -= step;
        // Steps shrink quadratically until they are rounding error of the cdf, which need not fall below this.
        if step.is_finite() && step.abs() <= 1e-13 * x.abs() {
            break;
        }
        if !(low < x && x < high) {
            x = if low.is_finite() {
                f64::midpoint(low, high)
            } else {
                2.0 * high.min(-0.5)
            };
        }
    }
    x
}

/// Mirrors quantiles of a symmetric distribution about p = .5.
fn mirrored(p: f64, lower: impl Fn(f64) -> f64) -> f64 {
    match p.total_cmp(&0.5) {
        std::cmp::Ordering::Less => lower(p),
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => -lower(1.0 - p),
    }
}

/// The quantile of Student's t with `df` degrees of freedom.
pub fn t_quantile(p: f64, df: f64) -> Result<f64> {
    check_probability(p)?;
    let t = StudentsT::new(0.0, 1.0, df).map_err(|_| Error::input("df", "a positive number", df))?;
    if df >= MANY {
        return Ok(expanded_t(normal(p), df));
    }
    let cdf = |x: f64| {
        let square = x * x;
        // Either form keeps the digits that the other cancels.
        if square < 1.0 {
            0.5 - 0.5 * beta_reg(0.5, 0.5 * df, square / (df + square))
        } else {
            0.5 * beta_reg(0.5 * df, 0.5, df / (df + square))
        }
    };
    // The expansion starts close by unless degrees of freedom are very few.
    let guess = |p: f64| expanded_t(rough_normal(p), df.max(3.0));
    Ok(mirrored(p, |p| lower_quantile(cdf, |x| t.pdf(x), guess(p), p)))
}

/// The quantile of t from that of the normal (Abramowitz and Stegun, 26.7.5).
fn expanded_t(z: f64, df: f64) -> f64 {
    let s = z * z;
    let g1 = (s + 1.0) / 4.0;
    let g2 = ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    let g3 = (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
    let g4 = ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92160.0;
    z * (1.0 + (g1 + (g2 + (g3 + g4 / df) / df) / df) / df)
}

/// The quantile of the standard normal distribution.
pub fn normal_quantile(p: f64) -> Result<f64> {
    check_probability(p)?;
    Ok(normal(p))
}

fn normal(p: f64) -> f64 {
    let n = Normal::standard();
    mirrored(p, |p| lower_quantile(|x| n.cdf(x), |x| n.pdf(x), rough_normal(p), p))
}

/// The quantile of the normal to seven digits.
fn rough_normal(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

fn check_probability(p: f64) -> Result<()> {
    if p > 0.0 && p < 1.0 {
        Ok(())
    } else {
        Err(Error::input("p", "a number between 0 and 1", p))
    }
}

/// How many standard errors a two-sided t interval reaches to either side, for a checked level and `df >= 1`.
pub(crate) fn t_reach(level: f64, df: f64) -> f64 {
    t_quantile((1.0 - level) / 2.0, df).map_or(f64::INFINITY, f64::abs)
}

/// Draws in ascending order: finite, and at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Ascending(Vec<f64>);

impl Ascending {
    /// Sorts the draws.
    pub fn new(draws: &[f64]) -> Result<Self> {
        if draws.is_empty() {
            return Err(Error::input("draws", "at least one draw", 0));
        }
        check_finite("draws", draws)?;
        let mut sorted = draws.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Self(sorted))
    }

    /// The quantile by linear interpolation (Hyndman and Fan's type 7, the default of R and `NumPy`).
    pub fn quantile(&self, p: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::input("p", "a number from 0 to 1", p));
        }
        Ok(self.at(p))
    }

    fn at(&self, p: f64) -> f64 {
        let (below, share) = place(p, self.0.len());
        if share == 0.0 {
            return self.0[below];
        }
        self.0[below] + share * (self.0[below + 1] - self.0[below])
    }

    /// The equal-tailed interval.
    pub fn percentile_interval(&self, level: f64) -> Result<Ends> {
        check_level(level)?;
        let tail = (1.0 - level) / 2.0;
        Ok((self.at(tail), self.at(1.0 - tail)))
    }

    /// The bias-corrected and accelerated interval (Efron 1987).
    ///
    /// `jackknife` holds the estimates with one unit left out; they give the acceleration. Draws equal to the estimate
    /// count half, as in SciPy.
    pub fn bca_interval(&self, estimate: f64, jackknife: &[f64], level: f64) -> Result<Outcome<Ends>> {
        check_level(level)?;
        check_finite("estimate", &[estimate])?;
        check_finite("jackknife", jackknife)?;
        Ok(self.bca(estimate, jackknife, level))
    }

    fn bca(&self, estimate: f64, jackknife: &[f64], level: f64) -> Outcome<Ends> {
        let acceleration = acceleration(jackknife)?;
        let below = self.0.partition_point(|d| *d < estimate);
        let up_to = self.0.partition_point(|d| *d <= estimate);
        let share = (below + up_to) as f64 / (2 * self.0.len()) as f64;
        if share <= 0.0 || share >= 1.0 {
            return Err(Undefined::BeyondDraws);
        }
        let bias = normal(share);
        let end = |z: f64| {
            let shrink = 1.0 - acceleration * (bias + z);
            if shrink <= 0.0 {
                return Err(Undefined::BeyondDraws);
            }
            Ok(self.at(Normal::standard().cdf(bias + (bias + z) / shrink)))
        };
        let tail = normal((1.0 - level) / 2.0);
        Ok((end(tail)?, end(-tail)?))
    }

    /// The highest-density interval: the shortest that spans `floor(level * n)` gaps between draws, so that it holds one
    /// draw more than that (as in `ArviZ` 0.x and R's `HDInterval`); of equally short ones the lowest.
    pub fn hdi(&self, level: f64) -> Result<Ends> {
        check_level(level)?;
        // A length times a number below one.
        #[allow(clippy::cast_sign_loss)]
        let gaps = ((level * self.0.len() as f64).floor() as usize).min(self.0.len() - 1);
        let mut best = (self.0[0], self.0[gaps]);
        for (low, high) in self.0.iter().zip(&self.0[gaps..]) {
            if high - low < best.1 - best.0 {
                best = (*low, *high);
            }
        }
        Ok(best)
    }
}

/// The index of the draw below a quantile of so many in ascending order, and the share of the way to the next.
fn place(p: f64, draws: usize) -> (usize, f64) {
    let place = p * (draws - 1) as f64;
    // Between 0 and the last index.
    #[allow(clippy::cast_sign_loss)]
    let below = place.floor() as usize;
    (below, place - place.floor())
}

/// [`Ascending::percentile_interval`] of draws in any order: two of them are found faster than all are sorted.
pub(crate) fn percentile_interval(draws: &[f64], level: f64) -> Result<Ends> {
    check_level(level)?;
    check_finite("draws", draws)?;
    let mut draws = draws.to_vec();
    let mut at = |p: f64| {
        let (below, share) = place(p, draws.len());
        let (_, &mut low, above) = draws.select_nth_unstable_by(below, f64::total_cmp);
        if share == 0.0 {
            return low;
        }
        low + share * (above.iter().fold(f64::INFINITY, |least, &draw| least.min(draw)) - low)
    };
    let tail = (1.0 - level) / 2.0;
    Ok((at(tail), at(1.0 - tail)))
}

/// The acceleration from leave-one-out estimates: a sixth of the skewness of their influence.
fn acceleration(jackknife: &[f64]) -> Outcome<f64> {
    if jackknife.is_empty() {
        return Err(Undefined::NoVariation);
    }
    // Compared one by one: the mean of equal values may differ from them by rounding. What no unit moves is not skewed.
    if jackknife.iter().all(|v| *v == jackknife[0]) {
        return Ok(0.0);
    }
    // Skewness has no unit: in units of the largest value and then of the largest influence no power over- or underflows.
    let largest = jackknife.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let mean = jackknife.iter().map(|v| v / largest).sum::<f64>() / jackknife.len() as f64;
    let unit = jackknife.iter().fold(0.0_f64, |m, v| m.max((mean - v / largest).abs()));
    let (squares, cubes) = jackknife.iter().fold((0.0, 0.0), |(s, c), v| {
        let d = (mean - v / largest) / unit;
        (s + d * d, c + d * d * d)
    });
    Ok(cubes / (6.0 * f64::powf(squares, 1.5)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ends_are_found_as_in_sorted_draws(draws in prop::collection::vec(-4..4_i8, 1..80), level in 0.001..0.999_f64) {
            let draws: Vec<f64> = draws.into_iter().map(|draw| f64::from(draw) / 3.0).collect();
            let sorted = Ascending::new(&draws).expect("draws");
            prop_assert_eq!(percentile_interval(&draws, level), sorted.percentile_interval(level));
        }
    }

    #[test]
    fn quantiles_invert_their_cdf() {
        for p in [1e-12, 1e-4, 0.025, 0.3, 0.5, 0.6, 0.975, 0.9999] {
            let z = normal_quantile(p).expect("valid");
            assert!((Normal::standard().cdf(z) / p - 1.0).abs() < 1e-12, "normal {p}");
            for df in [1.0, 2.0, 5.0, 99.0, 1e4] {
                let t = t_quantile(p, df).expect("valid");
                let back = StudentsT::new(0.0, 1.0, df).expect("valid").cdf(t);
                assert!((back / p - 1.0).abs() < 1e-10, "t {df} {p}: {back}");
            }
        }
        assert!(normal_quantile(0.0).is_err() && t_quantile(0.5, 0.0).is_err() && t_quantile(1.0, 3.0).is_err());
    }

    #[test]
    fn a_symmetric_case_of_bca_is_the_percentile_interval() {
        let draws: Vec<f64> = (-500..=500).map(f64::from).collect();
        let draws = Ascending::new(&draws).expect("valid");
        let plain = draws.percentile_interval(0.9).expect("valid");
        let corrected = draws
            .bca_interval(0.0, &[-1.0, 0.0, 1.0], 0.9)
            .expect("valid")
            .expect("defined");
        assert!((plain.0 - corrected.0).abs() < 1e-9 && (plain.1 - corrected.1).abs() < 1e-9);
    }

    #[test]
    fn impossible_corrections_are_outcomes() {
        let draws = Ascending::new(&[1.0, 2.0, 3.0]).expect("valid");
        assert_eq!(
            draws.bca_interval(0.0, &[0.0, 1.0], 0.9),
            Ok(Err(Undefined::BeyondDraws))
        );
        let plain = draws.percentile_interval(0.9).expect("valid");
        let same = draws
            .bca_interval(2.0, &[0.1; 3], 0.9)
            .expect("valid")
            .expect("defined");
        assert!((plain.0 - same.0).abs() < 1e-9 && (plain.1 - same.1).abs() < 1e-9);
        assert_eq!(draws.bca_interval(2.0, &[], 0.9), Ok(Err(Undefined::NoVariation)));
    }

    #[test]
    fn the_highest_density_interval_is_the_shortest() {
        let draws = Ascending::new(&[9.0, 0.0, 5.0, 5.1, 5.2, 5.3]).expect("valid");
        assert_eq!(draws.hdi(0.5), Ok((5.0, 5.3)));
        let single = Ascending::new(&[4.0]).expect("valid");
        assert_eq!(single.hdi(1.0 - f64::EPSILON / 2.0), Ok((4.0, 4.0)));
        assert!(draws.hdi(1.0).is_err() && draws.quantile(1.5).is_err());
        assert!(Ascending::new(&[]).is_err() && Ascending::new(&[f64::NAN]).is_err());
    }
}
