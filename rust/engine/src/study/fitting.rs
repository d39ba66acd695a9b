//! Posterior modes of many small agents, fast: Newton's method on columns, with a proof of the optimum or a way out.
//!
//! The optimum is that of [`crate::logit`], reached without its safeguards: plain Newton steps, attributes in columns, a
//! constant number of them. A mode that plain steps reach is taken only where the objective is strictly concave around
//! it and provably nowhere higher (the first bound of `logit::rival`); everything else goes the long way through
//! [`Model::refit`]. The test of separation is left out: a posterior mode exists for separated choices too.

use crate::logit::{Estimator, Model, Priors, Trials};

use super::deciding::Decisions;
use super::factor::Factor;
use super::logistic::logistic;

/// Trials are filled up with empty ones to a multiple of this, so that sums have as many independent parts.
const LANES: usize = 8;

/// The numbers of as many trials, worked on side by side.
type Lanes = [f64; LANES];

/// After a step this small the curvature hardly changes, and the last one serves for all further steps.
const CLOSE: f64 = 0.01;

/// The error that is left: steps shrink at least as fast as the last one did, so the next is foreseen.
const SMALL: f64 = 1e-11;

/// Steps before the long way; three with a curvature of their own and one or two without are usual.
const STEPS: usize = 25;

/// Weights from one agent's choices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitted {
    /// Slopes, then the intercept, on the design as given.
    pub coefficients: Vec<f64>,
    /// Choices predicted in sample, with the intercept and by the slopes alone; ties count as B.
    pub predicted: (usize, usize),
    /// Whether choices and trials allow scaled weights, given a design of full rank: choices vary, trials are not fewer
    /// than parameters.
    pub scalable: bool,
}

/// Fits agents one after another in the same working space.
#[derive(Debug, Clone)]
pub struct Fitter {
    priors: Priors,
    /// Centred differences and, last, ones; (parameters, blocks).
    columns: Vec<Lanes>,
    means: Vec<f64>,
    chose_a: Vec<Lanes>,
    /// Log odds and then probabilities of A.
    probabilities: Vec<Lanes>,
    missed: Vec<Lanes>,
    variances: Vec<Lanes>,
    weighted: Vec<Lanes>,
    blocks: usize,
    /// Agents that went the long way.
    pub long_way: usize,
}

impl Fitter {
    /// A fitter under these priors.
    pub const fn new(priors: Priors) -> Self {
        Self {
            priors,
            columns: Vec::new(),
            means: Vec::new(),
            chose_a: Vec::new(),
            probabilities: Vec::new(),
            missed: Vec::new(),
            variances: Vec::new(),
            weighted: Vec::new(),
            blocks: 0,
            long_way: 0,
        }
    }

    /// The posterior mode; `None` where none was found.
    pub fn fit(&mut self, decisions: &Decisions, attributes: usize, out: &mut Fitted) -> bool {
        self.load(decisions, attributes);
        out.coefficients.clear();
        let quick = match attributes {
            1 => self.climb::<2>(&mut out.coefficients),
            2 => self.climb::<3>(&mut out.coefficients),
            3 => self.climb::<4>(&mut out.coefficients),
            4 => self.climb::<5>(&mut out.coefficients),
            5 => self.climb::<6>(&mut out.coefficients),
            6 => self.climb::<7>(&mut out.coefficients),
            7 => self.climb::<8>(&mut out.coefficients),
            8 => self.climb::<9>(&mut out.coefficients),
            _ => false,
        };
        if !quick {
            self.long_way += 1;
            if !self.go_long(decisions, attributes, &mut out.coefficients) {
                return false;
            }
        }
        let chosen: f64 = decisions.chose_a.iter().sum();
        let trials = decisions.trials();
        out.scalable = trials > attributes && chosen > 0.0 && chosen < trials as f64;
        out.predicted = self.predicted(decisions, &out.coefficients);
        true
    }

    fn load(&mut self, decisions: &Decisions, attributes: usize) {
        let trials = decisions.trials();
        self.blocks = trials.div_ceil(LANES);
        self.columns.resize((attributes + 1) * self.blocks, [0.0; LANES]);
        self.means.clear();
        for (i, column) in self.columns.chunks_exact_mut(self.blocks).enumerate() {
            if i == attributes {
                column.fill([1.0; LANES]);
                empty(column, trials);
                continue;
            }
            let source = decisions.column(i);
            let mean = source.iter().sum::<f64>() / trials as f64;
            let values = column.as_flattened_mut().iter_mut().zip(source);
            values.for_each(|(z, d)| *z = d - mean);
            empty(column, trials);
            self.means.push(mean);
        }
        for space in [
            &mut self.chose_a,
            &mut self.probabilities,
            &mut self.missed,
            &mut self.variances,
            &mut self.weighted,
        ] {
            space.resize(self.blocks, [0.0; LANES]);
        }
        self.chose_a.as_flattened_mut()[..trials].copy_from_slice(&decisions.chose_a);
        empty(&mut self.chose_a, trials);
    }

    /// Plain Newton steps in `D` parameters; false without a proved optimum.
    fn climb<const D: usize>(&mut self, out: &mut Vec<f64>) -> bool {
        let mut theta = self.start::<D>();
        let (mut factor, mut last) = (Factor::default(), 1.0);
        for _ in 0..STEPS {
            self.log_odds(&theta);
            logistic(self.probabilities.as_flattened_mut());
            let gradient = self.gradient(&theta);
            if last > CLOSE {
                match Factor::new(&self.curvature(&theta)) {
                    Some(found) => factor = found,
                    None => return false,
                }
            }
            let (here, step) = (theta, factor.solve(&gradient));
            if step.iter().any(|s| s.is_nan()) {
                return false;
            }
            (0..D).for_each(|i| theta[i] += step[i]);
            let largest = step.iter().fold(0.0, |m: f64, s| m.max(s.abs()));
            if largest * largest <= SMALL * last {
                // The point before the last step is no higher than the mode, so the proof is on the safe side.
                if !self.highest(&here) {
                    return false;
                }
                out.extend(theta);
                out[D - 1] -= (0..D - 1).map(|i| theta[i] * self.means[i]).sum::<f64>();
                return true;
            }
            last = largest;
        }
        false
    }

    /// One Newton step from slopes of zero with the diagonal of the curvature alone: as close as a full one, and cheaper.
    fn start<const D: usize>(&mut self) -> [f64; D] {
        let trials: f64 = lane_dot(self.column(D - 1), self.column(D - 1));
        let chosen: f64 = self.chose_a.as_flattened().iter().sum();
        let mut theta = [0.0; D];
        theta[D - 1] = ((chosen + 0.5) / (trials - chosen + 0.5)).ln();
        let share = (chosen + 0.5) / (trials + 1.0);
        let precision = (self.priors.slope_sd * self.priors.slope_sd).recip();
        for i in 0..D - 1 {
            let column = self.column(i);
            // Columns are centred, so the share of A has no part in this.
            let gradient = lane_dot(&self.chose_a, column);
            theta[i] = gradient / (share * (1.0 - share) * lane_dot(column, column) + precision);
        }
        theta
    }

    fn column(&self, i: usize) -> &[Lanes] {
        &self.columns[i * self.blocks..][..self.blocks]
    }

    fn log_odds<const D: usize>(&mut self, theta: &[f64; D]) {
        let columns: [_; D] = std::array::from_fn(|i| &self.columns[i * self.blocks..][..self.blocks]);
        for (block, odds) in self.probabilities.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            for (column, slope) in columns.iter().zip(theta) {
                for (sum, z) in sums.iter_mut().zip(&column[block]) {
                    *sum += slope * z;
                }
            }
            *odds = sums;
        }
    }

    /// The gradient of the log posterior; empty trials have columns of zeros and so no part in it.
    fn gradient<const D: usize>(&mut self, theta: &[f64; D]) -> [f64; D] {
        for ((missed, p), y) in self.missed.iter_mut().zip(&self.probabilities).zip(&self.chose_a) {
            *missed = std::array::from_fn(|lane| y[lane] - p[lane]);
        }
        let precision = (self.priors.slope_sd * self.priors.slope_sd).recip();
        let mut gradient = [0.0; D];
        for i in 0..D {
            let prior = if i < D - 1 {
                -precision * theta[i]
            } else {
                self.priors.intercept.term(theta[i]).slope
            };
            gradient[i] = lane_dot(&self.missed, self.column(i)) + prior;
        }
        gradient
    }

    /// The lower triangle of minus the Hessian of the log posterior.
    fn curvature<const D: usize>(&mut self, theta: &[f64; D]) -> [[f64; D]; D] {
        for (variance, p) in self.variances.iter_mut().zip(&self.probabilities) {
            *variance = p.map(|p| p * (1.0 - p));
        }
        let precision = (self.priors.slope_sd * self.priors.slope_sd).recip();
        let mut curvature = [[0.0; D]; D];
        for i in 0..D {
            let column = &self.columns[i * self.blocks..][..self.blocks];
            for ((weighted, variance), z) in self.weighted.iter_mut().zip(&self.variances).zip(column) {
                *weighted = std::array::from_fn(|lane| variance[lane] * z[lane]);
            }
            for j in 0..=i {
                curvature[i][j] = lane_dot(&self.weighted, self.column(j));
            }
            curvature[i][i] += if i < D - 1 {
                precision
            } else {
                self.priors.intercept.term(theta[i]).curvature
            };
        }
        curvature
    }

    /// Whether no mode is higher than this one: see `logit::rival`, of which this is the first bound.
    fn highest<const D: usize>(&self, theta: &[f64; D]) -> bool {
        let prior = self.priors.intercept;
        if prior.scale.is_infinite() || prior.degrees_of_freedom.is_infinite() {
            return true;
        }
        let away = theta[D - 1] - prior.location;
        let inflection_squared = prior.degrees_of_freedom * prior.scale * prior.scale;
        if away * away >= inflection_squared {
            return false;
        }
        let variance = self.priors.slope_sd * self.priors.slope_sd;
        let squares: f64 = theta[..D - 1].iter().map(|b| b * b).sum();
        let here = self.log_likelihood() - 0.5 * squares / variance + prior.term(theta[D - 1]).value;
        let side = if away < 0.0 { -1.0 } else { 1.0 };
        let beyond = inflection_squared / away.abs();
        // Trials that chose against the side: B above the location, A below it.
        let against = |i: usize| {
            let with_a = lane_dot(&self.chose_a, self.column(i));
            if side > 0.0 {
                lane_dot(self.column(D - 1), self.column(i)) - with_a
            } else {
                with_a
            }
        };
        let slack: f64 = 0.5 * variance * (0..D - 1).map(|i| against(i).powi(2)).sum::<f64>();
        let far = prior.location + side * beyond;
        prior.term(far).value + (slack - against(D - 1) * side * far).min(0.0) < here
    }

    /// The log likelihood at the present probabilities: the logarithm of products that stay in range.
    fn log_likelihood(&self) -> f64 {
        let trials = self.column(self.means.len()).as_flattened();
        let (mut sum, mut product) = (0.0, 1.0);
        let chances = self
            .probabilities
            .as_flattened()
            .iter()
            .zip(self.chose_a.as_flattened());
        for ((p, y), counts) in chances.zip(trials) {
            let chance = 1.0 - counts + counts * (1.0 - y + (2.0 * y - 1.0) * p);
            product *= chance;
            if product < 1e-200 {
                sum += f64::ln(product);
                product = 1.0;
            }
        }
        sum + product.ln()
    }

    fn go_long(&self, decisions: &Decisions, attributes: usize, out: &mut Vec<f64>) -> bool {
        let trials = decisions.trials();
        let rows: Vec<f64> = (0..trials)
            .flat_map(|t| (0..attributes).map(move |i| decisions.differences[i * trials + t]))
            .collect();
        let choices: Vec<u8> = decisions.chose_a.iter().map(|y| u8::from(*y == 1.0)).collect();
        let model = Model {
            estimator: Estimator::Map(self.priors),
            intercept: true,
        };
        let trials = Trials {
            differences: &rows,
            choices: &choices,
            counts: None,
            attributes,
        };
        model.refit(trials, None).is_some_and(|found| {
            out.clear();
            out.extend(found);
            true
        })
    }

    fn predicted(&mut self, decisions: &Decisions, coefficients: &[f64]) -> (usize, usize) {
        let (slopes, intercept) = coefficients.split_at(coefficients.len() - 1);
        let sums = &mut self.probabilities.as_flattened_mut()[..decisions.trials()];
        sums.fill(0.0);
        for (i, slope) in slopes.iter().enumerate() {
            sums.iter_mut()
                .zip(decisions.column(i))
                .for_each(|(sum, d)| *sum += slope * d);
        }
        let right = |shift: f64| {
            let pairs = sums.iter().zip(&decisions.chose_a);
            pairs.filter(|(sum, y)| (**sum + shift > 0.0) == (**y == 1.0)).count()
        };
        (right(intercept[0]), right(0.0))
    }
}

/// Makes the places behind the trials zeros, which have no part in any sum.
fn empty(column: &mut [Lanes], trials: usize) {
    column.as_flattened_mut()[trials..].fill(0.0);
}

/// A scalar product summed in [`LANES`] independent parts.
#[inline(always)]
fn lane_dot(a: &[Lanes], b: &[Lanes]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    // Halves added to halves, as vector instructions can.
    let four: [f64; LANES / 2] = std::array::from_fn(|lane| sums[lane] + sums[lane + LANES / 2]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decisions(trials: usize, k: usize, seed: u64, slope: f64, bias: f64) -> Decisions {
        let mut stream = crate::rng::Stream::new(seed, crate::rng::Purpose::User, 0, 0);
        let mut out = Decisions::default();
        out.differences = (0..k * trials).map(|_| 2.0 * stream.uniform() - 1.0).collect();
        out.chose_a = (0..trials)
            .map(|t| {
                let eta = bias + slope * out.differences[t] - slope * out.differences[(k - 1) * trials + t] / 2.0;
                f64::from(stream.uniform() < 1.0 / (1.0 + (-eta).exp()))
            })
            .collect();
        out
    }

    proptest! {
        // Biases up to 12 make constant choices and second modes, which must go the long way.
        #[test]
        fn the_optimum_of_the_safeguarded_fit(trials in 1usize..120, k in 1usize..10, seed: u64, slope in 0.0..60.0_f64, bias in -12.0..12.0_f64) {
            let data = decisions(trials, k, seed, slope, bias);
            let mut fitter = Fitter::new(Priors::default());
            let mut found = Fitted::default();
            prop_assert!(fitter.fit(&data, k, &mut found));
            let mut expected = Vec::new();
            prop_assert!(fitter.go_long(&data, k, &mut expected));
            for (a, b) in found.coefficients.iter().zip(&expected) {
                prop_assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn ordinary_agents_take_the_short_way() {
        let mut fitter = Fitter::new(Priors::default());
        let mut found = Fitted::default();
        for seed in 0..500 {
            assert!(fitter.fit(&decisions(50, 5, seed, 5.0, 0.3), 5, &mut found));
        }
        assert!(fitter.long_way <= 5, "{}", fitter.long_way);
    }
}
