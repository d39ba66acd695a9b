//! One agent's choices: the logistic regression that turns them into weights, and what the data allowed.
//!
//! Selection of A has log odds `intercept + sum_i w_i d_i` (the paper, Appendix C). Reading order: `problem` (what is
//! maximised), `newton` (how), `prior`, `rival` (when one
//! maximum is not enough), `firth`, `status` and `separation` (what the data allow).

mod firth;
mod newton;
mod prior;
mod problem;
pub(crate) mod rival;
mod separation;
mod status;

pub use newton::GRADIENT;
pub use prior::{InterceptPrior, Priors};
pub use problem::Trials;
pub use status::Status;

use crate::error::{Error, Result, check_finite, check_len};
use crate::linalg::{Cholesky, MAX, Matrix, Vector, ZERO_MATRIX, ZERO_VECTOR, dot};
use problem::Problem;

/// The most attributes an agent can have.
pub const MAX_ATTRIBUTES: usize = MAX - 1;

/// What is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// The posterior mode under [`Priors`]; where the posterior has two modes, the higher.
    Map(Priors),
    /// The maximum of the likelihood.
    MaximumLikelihood,
    /// The maximum of Firth's penalised likelihood (Jeffreys's prior).
    Firth,
    /// The maximum of the likelihood less half of `penalty` times the squared slopes; the intercept is free.
    Ridge {
        /// Positive and finite.
        penalty: f64,
    },
}

/// How choices are fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// What is estimated.
    pub estimator: Estimator,
    /// Whether the log odds have an intercept (a bias for the option shown first).
    pub intercept: bool,
}

/// The estimate of one agent, on the design as given (not centred).
#[derive(Debug, Clone)]
pub struct Fit {
    /// What the data are like.
    pub status: Status,
    /// The optimum; `None` where none exists, is unique, or was found.
    pub estimate: Option<Estimate>,
}

/// Standard errors within which a slope is zero but for rounding; the optimum is found far more closely.
const ZERO: f64 = 1e-9;

/// An optimum and its surroundings.
#[derive(Debug, Clone)]
pub struct Estimate {
    attributes: usize,
    coefficients: Vector,
    covariance: Matrix,
    has_covariance: bool,
    /// The intercept, zero in a model without one.
    pub intercept: f64,
    /// The log odds of A at the average trial (the intercept of the centred design) and its standard error; NaN in a
    /// model without an intercept.
    pub centred_intercept: (f64, f64),
    /// The log likelihood at the optimum.
    pub log_likelihood: f64,
    /// What was maximised: the log likelihood with the priors' full log densities (posterior mode), less the penalty
    /// (ridge), with half the log determinant of the information (Firth).
    pub log_posterior: f64,
    /// Newton steps over all starts.
    pub steps: u32,
    /// Euclidean length of the gradient at the optimum, by slopes and centred intercept.
    pub gradient_norm: f64,
}

impl Estimate {
    /// The slopes, one per attribute.
    pub fn slopes(&self) -> &[f64] {
        &self.coefficients[..self.attributes]
    }

    /// The covariance of slopes and (last) intercept: the inverse curvature at the optimum, for Firth the inverse of
    /// Fisher's information. `None` where that matrix is not positive definite.
    pub fn covariance(&self) -> Option<impl Fn(usize, usize) -> f64 + '_> {
        self.has_covariance
            .then_some(move |i: usize, j: usize| self.covariance[i][j])
    }

    /// Slopes scaled so that the largest absolute one is 100; `None` if all are zero.
    ///
    /// Where the optimum lies at zero, rounding leaves slopes of some 1e-17 of either sign: they count as zero too.
    pub fn scaled(&self) -> Option<Vec<f64>> {
        let told =
            |(j, slope): (usize, &f64)| slope.abs() > ZERO * self.covariance[j][j].sqrt() || !self.has_covariance;
        let any = self.slopes().iter().enumerate().any(told);
        any.then(|| scale(self.slopes())).flatten()
    }

    /// The share of choices that the estimate gets right, with and without its intercept; ties count as B.
    pub fn accuracy(&self, trials: &Trials) -> (f64, f64) {
        let (mut with, mut without) = (0.0, 0.0);
        for t in trials.counted() {
            let eta = dot(trials.row(t), self.slopes());
            let chose_a = trials.choices[t] == 1;
            with += if ((eta + self.intercept) > 0.0) == chose_a {
                trials.count(t)
            } else {
                0.0
            };
            without += if (eta > 0.0) == chose_a { trials.count(t) } else { 0.0 };
        }
        (with / trials.total(), without / trials.total())
    }
}

/// Weights scaled so that the largest absolute one is 100; `None` if none differs from zero.
pub fn scale(weights: &[f64]) -> Option<Vec<f64>> {
    let largest = weights.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
    (largest > 0.0 && largest.is_finite()).then(|| weights.iter().map(|w| w / largest * 100.0).collect())
}

impl Model {
    /// Refuses penalties and priors that define nothing.
    pub fn check(&self) -> Result<()> {
        match self.estimator {
            Estimator::Map(priors) => priors.check(),
            Estimator::Ridge { penalty } if !(penalty > 0.0 && penalty.is_finite()) => {
                Err(Error::input("ridge penalty", "a positive finite number", penalty))
            }
            _ => Ok(()),
        }
    }

    /// The number of coefficients: slopes, and the intercept where there is one.
    pub fn parameters(&self, attributes: usize) -> usize {
        attributes + usize::from(self.intercept)
    }

    /// Fits one agent.
    pub fn fit(&self, trials: Trials) -> Fit {
        self.fit_from(trials, None)
    }

    /// [`Model::fit`] from a guess of slopes and (last) the intercept, which changes the steps taken, not the optimum.
    pub(crate) fn fit_from(&self, trials: Trials, start: Option<&[f64]>) -> Fit {
        let problem = Problem::new(trials, self.estimator, self.intercept);
        let data = status::Data::of(&problem);
        if !data.has_optimum(&problem) {
            return Fit {
                status: data.status(),
                estimate: None,
            };
        }
        let optimum = highest(&problem, start);
        // Weights that get every choice right separate the choices, whatever rounding hid from the test.
        let separates = problem.separates(&optimum.point.theta);
        if separates && self.estimator == Estimator::MaximumLikelihood {
            return Fit {
                status: Status::Separated,
                estimate: None,
            };
        }
        if !optimum.converged() {
            return Fit {
                status: Status::NotConverged,
                estimate: None,
            };
        }
        Fit {
            status: match data.status() {
                Status::Ok if separates => Status::Separated,
                status => status,
            },
            estimate: Some(estimate(&problem, &optimum)),
        }
    }

    /// The optimum alone, for resamples of data whose fit is known: slopes and (last) the intercept, on the design as
    /// given; `None` where there is no optimum or none was found. `start` is a guess of the same shape; it changes the
    /// steps taken, not the optimum.
    pub fn refit(&self, trials: Trials, start: Option<&[f64]>) -> Option<Vec<f64>> {
        let problem = Problem::new(trials, self.estimator, self.intercept);
        if !status::exists(&problem) {
            return None;
        }
        let optimum = highest(&problem, start);
        let infinite = self.estimator == Estimator::MaximumLikelihood && problem.separates(&optimum.point.theta);
        (optimum.converged() && !infinite).then(|| {
            let mut out = optimum.point.theta[..problem.dim].to_vec();
            if problem.intercept {
                let last = problem.dim - 1;
                out[last] -= dot(&out[..last], &problem.centre[..last]);
            }
            out
        })
    }
}

/// The highest of the maxima that the starts lead to.
fn highest(problem: &Problem, start: Option<&[f64]>) -> newton::Optimum {
    let last = problem.dim - 1;
    let mut theta = ZERO_VECTOR;
    if let Some(guess) = start {
        theta[..problem.dim].copy_from_slice(&guess[..problem.dim]);
        if problem.intercept {
            theta[last] += dot(&guess[..last], &problem.centre[..last]);
        }
    } else if problem.intercept {
        // The log odds of A, each answer seen half a time more, so that constant choices start somewhere finite.
        let (a, b) = problem.tally();
        theta[last] = ((a + 0.5) / (b + 0.5)).ln();
    }
    let mut best = newton::climb(problem, theta);
    if start.is_some() && !best.converged() {
        best = newton::climb(problem, ZERO_VECTOR);
    }
    for start in rival::starts(problem, &best.point) {
        let other = newton::climb(problem, start);
        let steps = best.steps + other.steps;
        if other.converged() && (!best.converged() || other.point.objective > best.point.objective) {
            best = other;
        }
        best.steps = steps;
    }
    best
}

/// Undoes the centring.
fn estimate(problem: &Problem, optimum: &newton::Optimum) -> Estimate {
    let attributes = problem.trials.attributes;
    let mut coefficients = ZERO_VECTOR;
    coefficients[..attributes].copy_from_slice(&optimum.point.theta[..attributes]);
    let slopes = &optimum.point.theta[..attributes];
    let intercept = if problem.intercept {
        optimum.point.theta[attributes] - dot(slopes, &problem.centre[..attributes])
    } else {
        0.0
    };
    let curvature = match problem.estimator {
        Estimator::Firth => &optimum.point.information,
        _ => &optimum.point.curvature,
    };
    let inverse = Cholesky::new(curvature, problem.dim).map(|factor| factor.inverse());
    Estimate {
        attributes,
        coefficients,
        covariance: inverse.as_ref().map_or(ZERO_MATRIX, |m| uncentred(m, problem)),
        has_covariance: inverse.is_some(),
        intercept,
        centred_intercept: centred_intercept(problem, optimum, inverse.as_ref()),
        log_likelihood: optimum.point.log_likelihood,
        log_posterior: optimum.point.objective + problem.log_constant(),
        steps: optimum.steps,
        gradient_norm: optimum.gradient_norm,
    }
}

fn centred_intercept(problem: &Problem, optimum: &newton::Optimum, inverse: Option<&Matrix>) -> (f64, f64) {
    let last = problem.dim - 1;
    if problem.intercept {
        (
            optimum.point.theta[last],
            inverse.map_or(f64::NAN, |m| m[last][last].sqrt()),
        )
    } else {
        (f64::NAN, f64::NAN)
    }
}

/// The covariance after `intercept = centred intercept - slopes . centre`.
fn uncentred(covariance: &Matrix, problem: &Problem) -> Matrix {
    let mut out = *covariance;
    if problem.intercept {
        let last = problem.dim - 1;
        let centre = &problem.centre[..last];
        let mut cross = ZERO_VECTOR;
        for (i, c) in cross[..last].iter_mut().enumerate() {
            *c = covariance[last][i] - dot(&covariance[i][..last], centre);
        }
        out[last][last] = covariance[last][last] - dot(&covariance[last][..last], centre) - dot(&cross[..last], centre);
        for i in 0..last {
            out[last][i] = cross[i];
            out[i][last] = cross[i];
        }
    }
    out
}

/// Refuses numbers of attributes that no model has and lengths that don't belong together.
pub(crate) fn check_shape(differences: &[f64], choices: &[u8], attributes: usize) -> Result<()> {
    if !(1..=MAX_ATTRIBUTES).contains(&attributes) {
        return Err(Error::input("attributes", format!("1 to {MAX_ATTRIBUTES}"), attributes));
    }
    check_len("differences", choices.len() * attributes, differences.len())
}

/// Refuses numbers that are not finite and choices beyond 0 and 1.
pub(crate) fn check_values(differences: &[f64], choices: &[u8]) -> Result<()> {
    check_finite("differences", differences)?;
    match choices.iter().position(|&c| c > 1) {
        None => Ok(()),
        Some(t) => Err(Error::input(
            "choices",
            "1 (A) or 0 (B)",
            format!("{} at flat index {t}", choices[t]),
        )),
    }
}
