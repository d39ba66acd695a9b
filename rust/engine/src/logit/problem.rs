//! One agent's choices as a regression: trials, the centred design, and the objective with its derivatives.

use crate::linalg::{MAX, Matrix, Vector, ZERO_MATRIX, ZERO_VECTOR, dot};

use super::Estimator;

/// An agent's trials: differences between the options (`trials x attributes`, row by row) and whether A was chosen.
#[derive(Debug, Clone, Copy)]
pub struct Trials<'a> {
    /// Differences, row by row.
    pub differences: &'a [f64],
    /// 1 for A, 0 for B.
    pub choices: &'a [u8],
    /// How often each trial counts; `None` for once each.
    pub counts: Option<&'a [f64]>,
    /// Attributes per trial.
    pub attributes: usize,
}

impl<'a> Trials<'a> {
    pub(super) fn len(&self) -> usize {
        self.choices.len()
    }

    pub(super) fn row(&self, t: usize) -> &'a [f64] {
        &self.differences[t * self.attributes..(t + 1) * self.attributes]
    }

    pub(super) fn count(&self, t: usize) -> f64 {
        self.counts.map_or(1.0, |c| c[t])
    }

    /// The trials that count at all.
    pub(super) fn counted(&self) -> impl Iterator<Item = usize> + use<'a> {
        let counts = self.counts;
        (0..self.choices.len()).filter(move |&t| counts.is_none_or(|c| c[t] > 0.0))
    }

    /// The number of trials, each as often as it counts.
    pub(super) fn total(&self) -> f64 {
        self.counts.map_or(self.len() as f64, |c| c.iter().sum())
    }

    /// The average differences; zeros without trials.
    pub(crate) fn means(&self) -> Vector {
        let mut means = ZERO_VECTOR;
        let total = self.total();
        if total > 0.0 {
            for t in self.counted() {
                let (row, count) = (self.row(t), self.count(t));
                (0..self.attributes).for_each(|i| means[i] += count * row[i]);
            }
            means[..self.attributes].iter_mut().for_each(|m| *m /= total);
        }
        means
    }
}

/// What is maximised: log likelihood plus the penalty of the estimator, over slopes and the centred intercept.
pub(super) struct Problem<'a> {
    pub trials: Trials<'a>,
    pub estimator: Estimator,
    pub intercept: bool,
    /// Subtracted from the differences where there is an intercept; zeros otherwise.
    pub centre: Vector,
    /// Slopes, then the intercept.
    pub dim: usize,
    /// Design rows of the trials that count: centred differences, then 1 for the intercept.
    design: Vec<f64>,
    /// For each design row, how often it counts and whether A was chosen.
    answers: Vec<(f64, bool)>,
}

/// The objective at one point with its gradient and minus its Hessian.
pub(super) struct Point {
    pub theta: Vector,
    /// The objective without the constants of [`Problem::log_constant`]; minus infinity where Firth's is undefined.
    pub objective: f64,
    pub log_likelihood: f64,
    pub gradient: Vector,
    pub curvature: Matrix,
    /// A curvature that is positive definite wherever the design has full rank.
    pub safe_curvature: Matrix,
    /// Fisher's information, `Z' W Z`.
    pub information: Matrix,
}

/// The logistic function and its complement, each to full precision.
pub(super) fn logistic(eta: f64) -> (f64, f64) {
    let e = (-eta.abs()).exp();
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    if eta >= 0.0 { (large, small) } else { (small, large) }
}

impl<'a> Problem<'a> {
    pub(super) fn new(trials: Trials<'a>, estimator: Estimator, intercept: bool) -> Self {
        let centre = if intercept { trials.means() } else { ZERO_VECTOR };
        let dim = trials.attributes + usize::from(intercept);
        let mut design = Vec::with_capacity(trials.len() * dim);
        let mut answers = Vec::with_capacity(trials.len());
        for t in trials.counted() {
            design.extend(trials.row(t).iter().zip(centre).map(|(d, c)| d - c));
            if intercept {
                design.push(1.0);
            }
            answers.push((trials.count(t), trials.choices[t] == 1));
        }
        Self {
            trials,
            estimator,
            intercept,
            centre,
            dim,
            design,
            answers,
        }
    }

    /// The same trials for another estimator.
    pub(super) fn with(&self, estimator: Estimator) -> Self {
        Self {
            estimator,
            design: self.design.clone(),
            answers: self.answers.clone(),
            ..*self
        }
    }

    /// Design row, count and choice of A of every trial that counts.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[f64], f64, bool)> {
        self.design
            .chunks_exact(self.dim)
            .zip(&self.answers)
            .map(|(z, &(count, chose_a))| (z, count, chose_a))
    }

    /// Whether parameters get every choice right, none on the line: then larger ones get them righter, without end.
    pub(super) fn separates(&self, theta: &Vector) -> bool {
        self.rows().all(|(z, _, chose_a)| {
            let eta = dot(z, &theta[..self.dim]);
            if chose_a { eta > 0.0 } else { eta < 0.0 }
        })
    }

    /// How often A was chosen, and how often B.
    pub(super) fn tally(&self) -> (f64, f64) {
        self.answers.iter().fold(
            (0.0, 0.0),
            |(a, b), &(n, chose_a)| if chose_a { (a + n, b) } else { (a, b + n) },
        )
    }

    /// The constants left out of the objective: the logs of the priors' normalising factors.
    pub(super) fn log_constant(&self) -> f64 {
        let Estimator::Map(priors) = self.estimator else {
            return 0.0;
        };
        let slope = -0.5 * (2.0 * std::f64::consts::PI).ln() - priors.slope_sd.ln();
        let intercept = if self.intercept {
            priors.intercept.log_constant()
        } else {
            0.0
        };
        slope * self.trials.attributes as f64 + intercept
    }

    pub(super) fn evaluate(&self, theta: &Vector) -> Point {
        let mut point = self.likelihood(theta);
        match self.estimator {
            Estimator::MaximumLikelihood => {}
            Estimator::Ridge { penalty } => self.shrink(&mut point, penalty),
            Estimator::Map(priors) => {
                self.shrink(&mut point, (priors.slope_sd * priors.slope_sd).recip());
                if self.intercept {
                    let last = self.dim - 1;
                    let term = priors.intercept.term(theta[last]);
                    point.objective += term.value;
                    point.gradient[last] += term.slope;
                    point.curvature[last][last] += term.curvature;
                    point.safe_curvature[last][last] += term.majorised;
                }
            }
            Estimator::Firth => super::firth::add_penalty(self, &mut point),
        }
        point
    }

    fn likelihood(&self, theta: &Vector) -> Point {
        let dim = self.dim;
        let (mut log_likelihood, mut gradient, mut information) = (0.0, ZERO_VECTOR, ZERO_MATRIX);
        for (z, count, chose_a) in self.rows() {
            let eta = dot(z, &theta[..dim]);
            let (p, q) = logistic(eta);
            // The chance of the choice not made, never as 1 - p, which loses all digits near p = 1.
            let missed = if chose_a { q } else { -p };
            let toward = if chose_a { eta } else { -eta };
            log_likelihood += count * (toward.min(0.0) - (-eta.abs()).exp().ln_1p());
            let weight = count * p * q;
            for i in 0..dim {
                gradient[i] += count * missed * z[i];
                let scaled = weight * z[i];
                for j in 0..=i {
                    information[i][j] += scaled * z[j];
                }
            }
        }
        mirror(&mut information, dim);
        Point {
            theta: *theta,
            objective: log_likelihood,
            log_likelihood,
            gradient,
            curvature: information,
            safe_curvature: information,
            information,
        }
    }

    /// Adds the quadratic penalty on the slopes.
    fn shrink(&self, point: &mut Point, precision: f64) {
        for i in 0..self.trials.attributes {
            point.objective -= 0.5 * precision * point.theta[i] * point.theta[i];
            point.gradient[i] -= precision * point.theta[i];
            point.curvature[i][i] += precision;
            point.safe_curvature[i][i] += precision;
        }
    }
}

/// Copies the lower triangle into the upper.
pub(super) fn mirror(matrix: &mut Matrix, dim: usize) {
    debug_assert!(dim <= MAX);
    for i in 0..dim {
        for j in 0..i {
            matrix[j][i] = matrix[i][j];
        }
    }
}
