//! Newton's method with safeguards: up the hill at every step, down to a gradient of nothing.

use crate::linalg::{Cholesky, Vector, dot, norm};

use super::problem::{Point, Problem};

/// A gradient of this length is an optimum; what callers are promised.
pub const GRADIENT: f64 = 1e-8;

/// The length aimed at, so that the promise holds with room where curvature is weak.
const AIM: f64 = 1e-11;

/// Steps after which an agent counts as not converged.
const STEPS: u32 = 200;

/// An optimum, or the last point of a search that found none.
pub(super) struct Optimum {
    pub point: Point,
    pub gradient_norm: f64,
    pub steps: u32,
}

impl Optimum {
    fn at(problem: &Problem, point: Point, steps: u32) -> Self {
        let gradient_norm = norm(&point.gradient[..problem.dim]);
        Self {
            point,
            gradient_norm,
            steps,
        }
    }

    pub(super) fn converged(&self) -> bool {
        self.gradient_norm < GRADIENT && self.point.objective.is_finite()
    }
}

/// The local maximum that lies uphill from `start`.
pub(super) fn climb(problem: &Problem, start: Vector) -> Optimum {
    climb_for(problem, start, STEPS)
}

/// [`climb`] with fewer steps, wherever they lead.
pub(super) fn climb_for(problem: &Problem, start: Vector, steps: u32) -> Optimum {
    let dim = problem.dim;
    let mut at = Optimum::at(problem, problem.evaluate(&start), 0);
    while at.steps < steps {
        let factor = Cholesky::new(&at.point.curvature, dim).or_else(|| Cholesky::new(&at.point.safe_curvature, dim));
        let Some(factor) = factor else {
            return at;
        };
        let step = factor.solve(&at.point.gradient);
        let gain = dot(&step[..dim], &at.point.gradient[..dim]);
        let Some(point) = search(problem, &at.point, &step, gain) else {
            return at;
        };
        let next = Optimum::at(problem, point, at.steps + 1);
        // Near the optimum the objective no longer tells points apart, and the gradient alone decides.
        let flat = gain <= rounding(&at.point);
        if flat && next.gradient_norm >= at.gradient_norm {
            return at;
        }
        let small = (0..dim).all(|i| step[i].abs() <= 1e-10 * (1.0 + next.point.theta[i].abs()));
        at = next;
        if small && at.gradient_norm < AIM {
            return at;
        }
    }
    at
}

/// Differences of the objective below this are rounding error.
fn rounding(point: &Point) -> f64 {
    1e-13 * (1.0 + point.objective.abs())
}

/// The first point along the halved step that rises enough, or within rounding of the top the full step.
fn search(problem: &Problem, from: &Point, step: &Vector, gain: f64) -> Option<Point> {
    let mut length = 1.0;
    for _ in 0..60 {
        let mut theta = from.theta;
        (0..problem.dim).for_each(|i| theta[i] += length * step[i]);
        let point = problem.evaluate(&theta);
        if point.objective >= from.objective + 1e-4 * length * gain - rounding(from) {
            return Some(point);
        }
        length *= 0.5;
    }
    None
}
