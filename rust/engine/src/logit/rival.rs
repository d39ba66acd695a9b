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
//!
//! Firth's penalised likelihood has several maxima where trials differ much in size: between them some trials' choices
//! turn certain and others become the informative ones. No proof is at hand there, so it is also climbed from points
//! along the way that Newton's method takes from zero to the maximum of the likelihood, or towards infinity: a way that
//! passes every degree of certainty and, like Firth's estimate, knows no units.

use crate::linalg::{Vector, ZERO_VECTOR, dot};

use super::newton;
use super::problem::{Point, Problem};
use super::{Estimator, InterceptPrior, Priors};

/// Steps from zero towards the maximum of the likelihood at which Firth's maximum is looked for.
const WAYPOINTS: [u32; 4] = [2, 4, 8, 16];

/// Points from which to look for a higher maximum than `mode`; none where it is proved the highest.
pub(super) fn starts(problem: &Problem, mode: &Point) -> Vec<Vector> {
    match problem.estimator {
        Estimator::Map(priors) => beyond_the_mode(problem, mode, &priors),
        Estimator::Firth => along_the_way(problem),
        Estimator::MaximumLikelihood | Estimator::Ridge { .. } => Vec::new(),
    }
}

fn along_the_way(problem: &Problem) -> Vec<Vector> {
    let likelihood = problem.with(Estimator::MaximumLikelihood);
    let (mut theta, mut taken) = (ZERO_VECTOR, 0);
    WAYPOINTS
        .iter()
        .map(|&steps| {
            theta = newton::climb_for(&likelihood, theta, steps - taken).point.theta;
            taken = steps;
            theta
        })
        .collect()
}

fn beyond_the_mode(problem: &Problem, mode: &Point, priors: &Priors) -> Vec<Vector> {
    let prior = priors.intercept;
    if !problem.intercept || prior.is_concave() {
        return Vec::new();
    }
    let last = problem.dim - 1;
    let away = mode.theta[last] - prior.location;
    let at = |intercept: f64| {
        let mut theta = mode.theta;
        theta[last] = intercept;
        theta
    };
    let inflection_squared = prior.inflection_squared();
    let (a, b) = problem.tally();
    if away == 0.0 {
        return Vec::new();
    }
    if away * away >= inflection_squared {
        let mut starts = vec![at(prior.location)];
        starts.extend((a > 0.0 && b > 0.0).then(|| without_prior(problem, mode, priors)));
        return starts;
    }
    let beyond = prior.location + inflection_squared / away;
    if against(problem, &prior, priors.slope_sd, away.signum(), beyond) < mode.objective {
        return Vec::new();
    }
    if a > 0.0 && b > 0.0 {
        let free = without_prior(problem, mode, priors);
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

/// Whether the first bound proves that a mode at `intercept` is the highest, which is no lower than `floor`. Of the
/// choices, `chosen` are A and B; `slack` is the slopes' variance times the squared length of the sum of A's (or of B's,
/// which is as long) centred rows.
pub(crate) fn excluded(prior: &InterceptPrior, intercept: f64, chosen: [f64; 2], slack: f64, floor: f64) -> bool {
    let away = intercept - prior.location;
    if away == 0.0 {
        return true;
    }
    if away * away >= prior.inflection_squared() {
        return false;
    }
    let beyond = prior.location + prior.inflection_squared() / away;
    let against = if away > 0.0 { chosen[1] } else { chosen[0] };
    let most = bound(against, slack, away.signum() * beyond);
    if most < floor {
        return true;
    }
    // Slopes of zero and the log odds of all choices are another floor, which costs logarithms.
    let [a, b] = chosen;
    let likelihood = a * (a / (a + b)).ln() + b * (b / (a + b)).ln();
    prior.term(beyond).value + most < likelihood + prior.term((a / b).ln()).value
}

/// The first bound on log likelihood and slope prior beyond an intercept that lies at `far` on the side of interest, with
/// as many choices `against` that side.
fn bound(against: f64, slack: f64, far: f64) -> f64 {
    let loss = (against * far).max(0.0);
    let share = if slack > loss { loss / slack } else { 1.0 };
    (0.5 * share * share * slack - share * loss).min(0.0)
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
    prior.term(beyond).value + bound(count, slack, side * beyond)
}

/// The optimum without a prior on the intercept, which is close to the mode where there is much data.
fn without_prior(problem: &Problem, mode: &Point, priors: &Priors) -> Vector {
    let intercept = InterceptPrior {
        scale: f64::INFINITY,
        ..priors.intercept
    };
    let free = problem.with(Estimator::Map(Priors { intercept, ..*priors }));
    newton::climb(&free, mode.theta).point.theta
}
