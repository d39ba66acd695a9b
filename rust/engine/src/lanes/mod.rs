//! Posterior modes of many small agents at the speed of the processor: agents side by side in the lanes of its vectors.
//!
//! Reading order: `simd` (vectors of doubles on every processor), `logistic` (one function of them), `group` (as many
//! agents as there are lanes, trial by trial), `factor` (their curvatures), `climb` (Newton's method and the proof of the
//! optimum), `resamples` (of one agent); `streams` (draws), `pairs` (values, rounded), `choosing` (chances of A), `deciding`
//! (pairs and choices), `recovering` (from random weights to learned ones). No number is ever added across lanes, every path
//! does the same operations in the same order, and an agent that has arrived no longer moves: so its coefficients are the same
//! bits on every path, in every company.
//!
//! The scalar fit of [`crate::logit`] is the truth, and the way for agents whose optimum is not proved here.

/// An expression with a constant number of attributes, whichever it is.
macro_rules! for_attributes {
    ($attributes:expr, $name:ident, $work:expr) => {
        for_attributes!($attributes, $name, $work; 1 2 3 4 5 6 7 8 9 10 11 12)
    };
    ($attributes:expr, $name:ident, $work:expr; $($number:literal)*) => {
        match $attributes {
            $($number => {
                const $name: usize = $number;
                $work
            })*
            _ => unreachable!("batches have 1 to {} attributes", crate::logit::MAX_ATTRIBUTES),
        }
    };
}

mod choosing;
mod climb;
mod deciding;
mod factor;
mod group;
mod logistic;
mod pairs;
mod recovering;
mod resamples;
mod simd;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use choosing::Choose;
pub(crate) use deciding::{Scene, decide};
pub(crate) use recovering::{Recovered, Strangers, recover};
pub use simd::Path;

use crate::logit::{Estimator, InterceptPrior, MAX_ATTRIBUTES, Model, Trials};
pub(crate) use climb::Objective;
use climb::Optima;
use group::Group;
pub(crate) use resamples::{Counts, Resamples, resampled_modes};
use simd::{Kernel, MOST_LANES, Vector};

/// The most agents that are fitted at a time.
pub(crate) const MOST: usize = MOST_LANES;

/// Problems of so many trials that share one working space, between two looks at the interrupt flag: enough to make its
/// allocation cheap, few enough for threads to share the work and to answer within milliseconds.
pub(crate) fn chunk(trials: usize) -> usize {
    ((1 << 18) / trials.max(1)).clamp(MOST, 256)
}

/// Resamples of so many trials between two looks at the interrupt flag: what their agent tells all of them is worked out
/// once for each such block.
pub(crate) fn resampled(trials: usize) -> usize {
    ((1 << 18) / trials.max(1)).clamp(MOST, 4096)
}

/// About how long the fits of so many trials take.
pub(crate) fn nanoseconds(trials: usize, attributes: usize) -> f64 {
    trials as f64 * (4.0 + 0.8 * attributes as f64 + 0.1 * (attributes * attributes) as f64)
}

impl Objective {
    /// What a model maximises; `None` for estimators whose optimum needs more than plain Newton steps.
    pub(crate) fn of(model: &Model) -> Option<Self> {
        let flat = InterceptPrior {
            scale: f64::INFINITY,
            ..InterceptPrior::default()
        };
        let (precision, prior) = match model.estimator {
            Estimator::Map(priors) => ((priors.slope_sd * priors.slope_sd).recip(), priors.intercept),
            Estimator::Ridge { penalty } => (penalty, flat),
            Estimator::MaximumLikelihood | Estimator::Firth => return None,
        };
        Some(Self::new(precision, model.intercept.then_some(prior)))
    }
}

/// Writes the optima of `agents`, `trials` of each, in rows of slopes and the intercept on the design as given; a row of
/// NaN where none is proved. False where a choice is neither 0 nor 1.
pub(crate) fn modes<'a>(
    path: Path,
    objective: &Objective,
    agents: std::ops::Range<usize>,
    trials: impl Fn(usize) -> Trials<'a>,
    out: &mut [f64],
) -> bool {
    let mut all: Vec<(usize, Trials<'a>)> = agents.map(trials).enumerate().collect();
    // Lanes wait for the longest.
    all.sort_by_key(|(_, trials)| trials.choices.len());
    let Some((_, first)) = all.first() else {
        return true;
    };
    for_attributes!(
        first.attributes,
        K,
        path.run(Modes::<K> {
            objective,
            agents: &all,
            out
        })
    )
}

/// The kernel of [`modes`].
struct Modes<'a, const K: usize> {
    objective: &'a Objective,
    agents: &'a [(usize, Trials<'a>)],
    out: &'a mut [f64],
}

impl<const K: usize> Kernel for Modes<'_, K> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector>(self) -> bool {
        let mut group = Group::<V, V, K>::new();
        let mut valid = true;
        for agents in self.agents.chunks(V::LANES) {
            let mut lanes = [agents[0].1; MOST_LANES];
            for (lane, agent) in lanes.iter_mut().zip(agents) {
                *lane = agent.1;
            }
            valid &= group.load(&lanes);
            let rows = group.modes(self.objective).rows();
            for (l, (place, _)) in agents.iter().enumerate() {
                let width = K + usize::from(self.objective.intercept.is_some());
                self.out[place * width..][..width].copy_from_slice(&rows[l][..width]);
            }
        }
        valid
    }
}

impl<V: Vector, const K: usize> Optima<V, K> {
    /// Those of the lanes of `mask`.
    #[inline(always)]
    fn among(self, mask: u8) -> Self {
        Self {
            found: self.found & mask,
            ..self
        }
    }

    /// Slopes and intercept, lane after lane.
    #[inline(always)]
    fn rows(&self) -> [[f64; MAX_ATTRIBUTES + 1]; MOST_LANES] {
        let mut rows = [[f64::NAN; MAX_ATTRIBUTES + 1]; MOST_LANES];
        for i in 0..=K {
            let mut lanes = [0.0; MOST_LANES];
            let vector = if i < K { self.at.slopes[i] } else { self.at.intercept };
            V::select(self.found, vector, V::splat(f64::NAN)).store(&mut lanes);
            for l in 0..V::LANES {
                rows[l][i] = lanes[l];
            }
        }
        rows
    }
}
