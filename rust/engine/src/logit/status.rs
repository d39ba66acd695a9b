//! What an agent's choices allow, whatever is estimated from them.

use crate::linalg::rank;

use super::Estimator;
use super::problem::Problem;
use super::separation::separated;

/// What an agent's data are like; when several hold, the first in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Nothing stands in the way of any estimator.
    Ok = 0,
    /// Newton's method found no optimum although one exists.
    NotConverged = 1,
    /// Fewer trials than parameters.
    TooFewTrials = 2,
    /// Every choice is the same.
    NoVariation = 3,
    /// Some attribute's differences are a combination of the others'.
    RankDeficient = 4,
    /// A direction of weights explains every choice: there is no maximum-likelihood estimate.
    Separated = 5,
}

impl Status {
    /// Whether weights may be scaled and compared: the data speak about every attribute.
    pub fn allows_scaling(self) -> bool {
        matches!(self, Self::Ok | Self::Separated)
    }
}

/// What the data alone decide.
pub(super) struct Data {
    enough: bool,
    varied: bool,
    full_rank: bool,
    separated: bool,
}

impl Data {
    pub(super) fn of(problem: &Problem) -> Self {
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); problem.dim];
        let mut rows = Vec::new();
        for (z, _, chose_a) in problem.rows() {
            let sign = if chose_a { 1.0 } else { -1.0 };
            for (column, v) in columns.iter_mut().zip(z) {
                column.push(*v);
                rows.push(sign * v);
            }
        }
        let (a, b) = problem.tally();
        Self {
            enough: a + b >= problem.dim as f64,
            varied: a > 0.0 && b > 0.0,
            full_rank: rank(&mut columns) == problem.dim,
            separated: separated(rows, problem.dim),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self { enough: false, .. } => Status::TooFewTrials,
            Self { varied: false, .. } => Status::NoVariation,
            Self { full_rank: false, .. } => Status::RankDeficient,
            Self { separated: true, .. } => Status::Separated,
            _ => Status::Ok,
        }
    }

    /// Whether the maximum is finite and unique (or, under a Student-t prior, finite: the higher mode counts).
    pub(super) fn has_optimum(&self, problem: &Problem) -> bool {
        match problem.estimator {
            Estimator::MaximumLikelihood => self.full_rank && !self.separated,
            Estimator::Firth => self.full_rank,
            Estimator::Map(_) | Estimator::Ridge { .. } => penalised_exists(problem),
        }
    }
}

/// [`Data::has_optimum`] with no more work than the estimator needs; Firth's search finds a lack of rank by itself.
pub(super) fn exists(problem: &Problem) -> bool {
    match problem.estimator {
        Estimator::MaximumLikelihood => Data::of(problem).has_optimum(problem),
        Estimator::Firth => true,
        Estimator::Map(_) | Estimator::Ridge { .. } => penalised_exists(problem),
    }
}

/// Penalised slopes are always finite; an intercept without a prior needs choices of both kinds.
fn penalised_exists(problem: &Problem) -> bool {
    let free_intercept = match problem.estimator {
        Estimator::Map(priors) => problem.intercept && priors.intercept.is_flat(),
        _ => problem.intercept,
    };
    let (a, b) = problem.tally();
    !free_intercept || (a > 0.0 && b > 0.0)
}
