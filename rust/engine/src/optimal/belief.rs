//! What is believed of an agent before it is asked: slopes in log odds per full range, drawn as the simulated study
//! draws targets and inverse temperatures.

use crate::error::{Error, Result};
use crate::intervals::normal_quantile;
use crate::rng::Stream;

/// Beyond this many log odds a choice is certain; slopes are cut here, so that twelve of them stay within doubles.
const CERTAIN: f64 = 25.0;

/// Inverse temperatures are drawn between the quantiles this far from 0 and from 1.
const TAIL: f64 = 1e-4;

/// More draws than any criterion needs; keeps the working space of a design within some megabytes.
const MOST_DRAWS: usize = 4096;

/// The prior of the slopes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// Median log odds per full range of an attribute of weight 100.
    pub inverse_temperature: f64,
    /// Standard deviation of its logarithm.
    pub inverse_temperature_sd: f64,
    /// What is added to the information on each slope and on the intercept; keeps few trials from having none.
    pub precision: f64,
    /// How many draws stand for the prior.
    pub draws: usize,
}

impl Belief {
    /// Refuses numbers that define no prior, or one beyond what choices could show.
    pub fn check(&self) -> Result<()> {
        let Self {
            inverse_temperature,
            inverse_temperature_sd,
            precision,
            draws,
        } = *self;
        if !(inverse_temperature > 0.0 && inverse_temperature <= CERTAIN) {
            let expected = format!("a positive number up to {CERTAIN}");
            return Err(Error::input("inverse_temperature", expected, inverse_temperature));
        }
        if !(0.0..=2.0).contains(&inverse_temperature_sd) {
            return Err(Error::input(
                "inverse_temperature_sd",
                "a number from 0 to 2",
                inverse_temperature_sd,
            ));
        }
        check_precision(precision)?;
        if !(1..=MOST_DRAWS).contains(&draws) {
            return Err(Error::input("draws", format!("1 to {MOST_DRAWS}"), draws));
        }
        Ok(())
    }

    /// Slopes flat (attributes, draws): points of a lattice with a random shift (one uniform per attribute, one for the
    /// inverse temperature), which fill the prior more evenly than as many independent draws up to about eight
    /// attributes, and as evenly beyond.
    ///
    /// A point's weights are uniform from -1 to 1 and then scaled so that the largest absolute one is 1. The information
    /// is the same at a slope vector and at its negative, so the first weight needs but one sign.
    pub(super) fn slopes(&self, attributes: usize, stream: &mut Stream) -> Result<Vec<f64>> {
        let generators = generators(attributes + 1);
        let shifts: Vec<f64> = generators.iter().map(|_| stream.uniform()).collect();
        let mut out = vec![0.0; attributes * self.draws];
        for draw in 0..self.draws {
            let mut point = generators
                .iter()
                .zip(&shifts)
                .map(|(g, shift)| (shift + draw as f64 * g).fract());
            let size_at = point.next().unwrap_or(0.5);
            let size = (self.inverse_temperature_sd * normal_quantile(size_at.clamp(TAIL, 1.0 - TAIL))?).exp();
            let weights: Vec<f64> = point
                .enumerate()
                .map(|(i, u)| if i == 0 { u } else { 2.0 * u - 1.0 })
                .collect();
            let largest = weights.iter().fold(f64::MIN_POSITIVE, |m: f64, w| m.max(w.abs()));
            for (i, weight) in weights.iter().enumerate() {
                let slope = self.inverse_temperature * size * weight / largest;
                out[i * self.draws + draw] = slope.clamp(-CERTAIN, CERTAIN);
            }
        }
        Ok(out)
    }
}

/// Steps whose multiples fill the unit cube evenly: powers of the root of `x^(n + 1) = x + 1` that lies above 1, the
/// golden ratio for one dimension (Roberts 2018, The unreasonable effectiveness of quasirandom sequences).
fn generators(dimensions: usize) -> Vec<f64> {
    let degree = dimensions as f64 + 1.0;
    // The iteration contracts by 1 / degree or more.
    let root = (0..64).fold(2.0_f64, |x, _| (1.0 + x).powf(1.0 / degree));
    std::iter::successors(Some(1.0 / root), |g| Some(g / root))
        .take(dimensions)
        .collect()
}

/// Less precision than this would drown in rounding once it is all that a direction has.
pub(super) fn check_precision(precision: f64) -> Result<()> {
    const LEAST: f64 = 1e-6;
    if precision >= LEAST && precision.is_finite() {
        Ok(())
    } else {
        Err(Error::input(
            "precision",
            format!("a finite number from {LEAST} up"),
            precision,
        ))
    }
}
