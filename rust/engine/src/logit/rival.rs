//! Is the mode found the highest? A proof that no rival exists, or places to look for one.
//!
//! Profiled over the slopes, log likelihood plus slope prior is a concave function `g <= 0` of the centred intercept
//! `a`; only the Student-t term `h` is not concave, outside its inflection points, so only it can make a second mode.
//! At any mode the slopes `g'` and `h'` cancel. `g'` falls, so all modes lie on one side of the prior's location, and
//! beyond a mode at distance `u` inside the inflection points another needs `|h'|` to be smaller than at `u`: it lies
//! beyond `v = nu scale^2 / u`, where `|h'|` is the same again. Three proofs that nothing beyond `v` is higher, from the
//! cheapest:
//!
//! * The trials that chose against that side are each at most `-(a + b . z)`; a share `c` of them, with the slopes' prior
//!   to pay for `b`, gives `g <= -c m a + c^2 sd^2 |sum z|^2 / 2`.
//! * A rival needs `g' > 0`, so it lies before the maximum of `g`, the optimum without a prior on the intercept.
//! * Without such a maximum (constant choices) `g` lies below zero and below its tangent at the mode, so the objective is
//!   at most `h` where the tangent meets zero (before that point the bound is convex, and at `v` it is below the mode).

use crate::linalg::{Vector, ZERO_VECTOR, dot};

use super::newton;
use super::problem::{Point, Problem};
use super::{Estimator, InterceptPrior};

/// Points from which to look for a higher mode than `mode`; none where it is proved the highest.
pub(super) fn starts(problem: &Problem, mode: &Point) -> Vec<Vector> {
    let Estimator::Map(priors) = problem.estimator else {
        return Vec::new();
    };
    let prior = priors.intercept;
    if !problem.intercept || prior.is_flat() || prior.degrees_of_freedom.is_infinite() {
        return Vec::new();
    }
    let last = problem.dim - 1;
    let away = mode.theta[last] - prior.location;
    let at = |intercept: f64| {
        let mut theta = mode.theta;
        theta[last] = intercept;
        theta
    };
    let inflection_squared = prior.degrees_of_freedom * prior.scale * prior.scale;
    let (a, b) = problem.tally();
    if away == 0.0 {
        return Vec::new();
    }
    if away * away >= inflection_squared {
        let mut starts = vec![at(prior.location)];
        starts.extend((a > 0.0 && b > 0.0).then(|| without_prior(problem, mode)));
        return starts;
    }
    let beyond = prior.location + inflection_squared / away;
    if against(problem, &prior, priors.slope_sd, away.signum(), beyond) < mode.objective {
        return Vec::new();
    }
    if a > 0.0 && b > 0.0 {
        let free = without_prior(problem, mode);
        let before = (free[last] - beyond) * away.signum() < 0.0;
        return if before { Vec::new() } else { vec![free] };
    }
    let here = prior.term(mode.theta[last]);
    let tangent = away.abs() + (here.value - mode.objective) / here.slope.abs();
    let kink = prior.location + away.signum() * tangent.max((beyond - prior.location).abs());
    if prior.term(kink).value < mode.objective {
        Vec::new()
    } else {
        vec![at(beyond)]
    }
}

/// The first bound on the objective beyond an intercept, on the side that `side` (1 or -1) says.
fn against(problem: &Problem, prior: &InterceptPrior, slope_sd: f64, side: f64, beyond: f64) -> f64 {
    let (mut count, mut sum) = (0.0, ZERO_VECTOR);
    for (z, times, chose_a) in problem.rows() {
        if chose_a != (side > 0.0) {
            count += times;
            (0..problem.dim - 1).for_each(|i| sum[i] += times * z[i]);
        }
    }
    let slack = slope_sd * slope_sd * dot(&sum[..problem.dim - 1], &sum[..problem.dim - 1]);
    let loss = (count * side * beyond).max(0.0);
    let share = if slack > loss { loss / slack } else { 1.0 };
    prior.term(beyond).value + (0.5 * share * share * slack - share * loss).min(0.0)
}

/// The optimum without a prior on the intercept, which is close to the mode where there is much data.
fn without_prior(problem: &Problem, mode: &Point) -> Vector {
    newton::climb(&problem.with_flat_intercept(), mode.theta).point.theta
}
