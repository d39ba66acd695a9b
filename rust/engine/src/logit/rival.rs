//! Is the mode found the highest? A proof that no rival exists, or a place to look for it.
//!
//! Profiled over the slopes, log likelihood plus slope prior is a concave function `g <= 0` of the centred intercept
//! `a`; only the Student-t term `h` is not concave, outside its inflection points, so only it can make a second mode.
//! At any mode the slopes `g'` and `h'` cancel. `g'` falls, so all modes lie on one side of the prior's location, and
//! beyond a mode at distance `u` inside the inflection points another needs `|h'|` to be smaller than at `u`: it lies
//! beyond `v = nu scale^2 / u`, where `|h'|` is the same again. Two bounds on the objective beyond `v`:
//!
//! * the trials that chose against that side, each at most `-(a + b . z)`, with the slopes' prior to pay for `b`,
//!   give `g <= -m a + sd^2 |sum z|^2 / 2`;
//! * `g` lies below zero and below its tangent at the mode, so the objective is at most `h` where the tangent meets
//!   zero (before that point the bound is convex, and at `v` it is below the mode).
//!
//! If either is below the mode found, that mode is the highest.
//!
//! Firth's penalised likelihood has several maxima where trials differ much in size: between them some trials' choices
//! turn certain and others become the informative ones. No proof is at hand there, so it is also climbed from points
//! along the way that Newton's method takes from zero to the maximum of the likelihood, or towards infinity: a way that
//! passes every degree of certainty and, like Firth's estimate, knows no units.

use crate::linalg::{Vector, ZERO_VECTOR, dot};

use super::newton;
use super::problem::{Point, Problem};
use super::{Estimator, Priors};

/// Steps from zero towards the maximum of the likelihood at which Firth's maximum is looked for.
const WAYPOINTS: [u32; 4] = [2, 4, 8, 16];

/// Where to look for a higher maximum than `mode`; nothing where it is proved the highest.
pub(super) fn starts(problem: &Problem, mode: &Point) -> Vec<Vector> {
    match problem.estimator {
        Estimator::Map(priors) => beyond_the_mode(problem, mode, &priors).map_or_else(Vec::new, |far| {
            let mut theta = mode.theta;
            theta[problem.dim - 1] = far;
            vec![theta]
        }),
        Estimator::Firth => {
            let likelihood = problem.with(Estimator::MaximumLikelihood);
            let mut theta = ZERO_VECTOR;
            let mut taken = 0;
            WAYPOINTS
                .iter()
                .map(|&steps| {
                    theta = newton::climb_for(&likelihood, theta, steps - taken).point.theta;
                    taken = steps;
                    theta
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A centred intercept from which to look for a higher mode than `mode`; `None` where it is proved the highest.
fn beyond_the_mode(problem: &Problem, mode: &Point, priors: &Priors) -> Option<f64> {
    let prior = priors.intercept;
    if !problem.intercept || prior.is_flat() || prior.degrees_of_freedom.is_infinite() {
        return None;
    }
    let last = problem.dim - 1;
    let away = mode.theta[last] - prior.location;
    let inflection_squared = prior.degrees_of_freedom * prior.scale * prior.scale;
    let here = prior.term(mode.theta[last]);
    if here.slope == 0.0 {
        return None;
    }
    if away * away >= inflection_squared {
        return Some(prior.location);
    }
    let side = away.signum();
    let beyond = prior.location + side * inflection_squared / away.abs();
    let (mut against, mut sum) = (0.0, ZERO_VECTOR);
    for (z, count, chose_a) in problem.rows() {
        if chose_a != (side > 0.0) {
            against += count;
            (0..last).for_each(|i| sum[i] += count * z[i]);
        }
    }
    let slack = 0.5 * (priors.slope_sd * priors.slope_sd) * dot(&sum[..last], &sum[..last]);
    if prior.term(beyond).value + (slack - against * side * beyond).min(0.0) < mode.objective {
        return None;
    }
    let tangent = away.abs() + (here.value - mode.objective) / here.slope.abs();
    let kink = prior.location + side * tangent.max(side * (beyond - prior.location));
    (prior.term(kink).value >= mode.objective).then_some(beyond)
}
