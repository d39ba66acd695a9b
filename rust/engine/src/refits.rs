//! One agent fitted again to resamples of its trials, as many resamples at a time as the processor's vectors have lanes.

use std::cell::RefCell;
use std::cmp::Ordering;

use crate::error::Result;
use crate::lanes::{self, Counts, Objective, Path, Resamples};
use crate::logit::{Model, Trials};
use crate::parallel::Interrupt;

/// The share of different trials up to which it pays to put those that are alike together.
const ALIKE: f64 = 0.75;

/// An agent to be fitted again.
pub(crate) struct Refits<'a> {
    pub trials: Trials<'a>,
    pub model: &'a Model,
    pub path: Path,
    /// Where every refit starts: slopes and (last) the intercept of the agent's own fit, if it has one.
    pub start: Option<&'a [f64]>,
}

/// Counts that a function writes.
struct Written<F>(F);

impl<F: Fn(usize, &mut [f64])> Counts for Written<F> {
    fn of<'a>(&'a self, place: usize, space: &'a mut [f64]) -> &'a [f64] {
        (self.0)(place, space);
        space
    }
}

/// Trials of an agent that are alike, in differences and choice, put together: the fewer, the faster every refit.
struct Merged {
    differences: Vec<f64>,
    choices: Vec<u8>,
    /// How many trials each stands for.
    times: Vec<f64>,
    /// For each of the agent's trials its place here.
    places: Vec<usize>,
}

impl Merged {
    /// `None` where so few trials are alike that to add up counts would take longer than it saves.
    fn of(trials: &Trials) -> Option<Self> {
        let size = trials.choices.len();
        let row = |t: usize| &trials.differences[t * trials.attributes..][..trials.attributes];
        let order = |&a: &usize, &b: &usize| {
            let first = row(a).iter().zip(row(b)).map(|(a, b)| a.total_cmp(b));
            first
                .chain([trials.choices[a].cmp(&trials.choices[b])])
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        let mut sorted: Vec<usize> = (0..size).collect();
        sorted.sort_by(order);
        let groups = || sorted.chunk_by(|a, b| order(a, b).is_eq());
        let many = groups().count();
        if many as f64 > ALIKE * size as f64 {
            return None;
        }
        let mut out = Self {
            differences: Vec::with_capacity(many * trials.attributes),
            choices: Vec::with_capacity(many),
            times: Vec::with_capacity(many),
            places: vec![0; size],
        };
        for (place, group) in groups().enumerate() {
            out.differences.extend(row(group[0]));
            out.choices.push(trials.choices[group[0]]);
            out.times.push(group.len() as f64);
            group.iter().for_each(|&t| out.places[t] = place);
        }
        Some(out)
    }

    fn trials(&self, attributes: usize) -> Trials<'_> {
        Trials {
            differences: &self.differences,
            choices: &self.choices,
            counts: Some(&self.times),
            attributes,
        }
    }
}

/// Counts added up over trials that are alike.
struct Added<'a> {
    counts: &'a dyn Counts,
    places: &'a [usize],
    space: RefCell<Vec<f64>>,
}

impl Counts for Added<'_> {
    fn of<'a>(&'a self, place: usize, space: &'a mut [f64]) -> &'a [f64] {
        let mut own = self.space.borrow_mut();
        space.fill(0.0);
        for (&count, &place) in self.counts.of(place, &mut own).iter().zip(self.places) {
            // Else a negative count could hide behind another.
            space[place] += if count >= 0.0 { count } else { f64::NAN };
        }
        space
    }
}

impl Refits<'_> {
    /// Refits to so many resamples and hands each to `found`, in order: slopes and (last) the intercept, `None` where there
    /// is no optimum or none was found, and whether its choices vary. `count` says how often a resample has each trial.
    pub(crate) fn each(
        &self,
        resamples: usize,
        interrupt: &Interrupt,
        count: impl Fn(usize, &mut [f64]),
        mut found: impl FnMut(Option<&mut [f64]>, bool),
    ) -> Result<()> {
        let width = self.model.parameters(self.trials.attributes);
        let block = lanes::resampled(self.trials.choices.len());
        let mut rows = vec![0.0; block.min(resamples) * width];
        let counts = Written(count);
        for first in (0..resamples).step_by(block) {
            let rows = &mut rows[..block.min(resamples - first) * width];
            rows.fill(f64::NAN);
            let varied = self.rows(&counts, first, interrupt, |_, _| Ok(()), rows)?;
            for (row, varied) in rows.chunks_exact_mut(width).zip(varied) {
                found((!row[0].is_nan()).then_some(row), varied);
            }
        }
        Ok(())
    }

    /// Writes slopes and (last) the intercept of the resamples of `counts` from `first` on, as many as `out` has rows, which
    /// hold NaN and keep it where there is no optimum or none was found. Returns which have choices that vary. What `check` says of the counts
    /// of a resample counts where its optimum wasn't found at once, as it never is with counts that mean nothing.
    pub(crate) fn rows(
        &self,
        counts: &dyn Counts,
        first: usize,
        interrupt: &Interrupt,
        check: impl Fn(usize, &[f64]) -> Result<()>,
        out: &mut [f64],
    ) -> Result<Vec<bool>> {
        let width = self.model.parameters(self.trials.attributes);
        let mut varied = Vec::with_capacity(out.len() / width);
        interrupt.check()?;
        if let (Some(objective), Some(start)) = (Objective::of(self.model), self.start) {
            let merged = Merged::of(&self.trials);
            let added = merged.as_ref().map(|merged| Added {
                counts,
                places: &merged.places,
                space: RefCell::new(vec![0.0; self.trials.choices.len()]),
            });
            let resamples = Resamples {
                trials: merged
                    .as_ref()
                    .map_or(self.trials, |merged| merged.trials(self.trials.attributes)),
                start,
                counts: added.as_ref().map_or(counts, |added| added),
                first,
            };
            lanes::resampled_modes(self.path, &objective, &resamples, out, &mut varied);
        }
        varied.resize(out.len() / width, false);
        let mut space = vec![0.0; self.trials.choices.len()];
        for (place, (row, varied)) in out.chunks_exact_mut(width).zip(&mut varied).enumerate() {
            if !row[0].is_nan() {
                continue;
            }
            interrupt.check()?;
            let counts = counts.of(first + place, &mut space);
            check(first + place, counts)?;
            *varied = vary(self.trials.choices, counts);
            let resample = Trials {
                counts: Some(counts),
                ..self.trials
            };
            if let Some(found) = self.model.refit(resample, self.start) {
                row.copy_from_slice(&found);
            }
        }
        Ok(varied)
    }
}

/// Whether the choices that count are not all alike.
fn vary(choices: &[u8], counts: &[f64]) -> bool {
    let mut counted = choices.iter().zip(counts).filter(|(_, count)| **count > 0.0);
    let first = counted.next().map(|(choice, _)| choice);
    counted.any(|(choice, _)| Some(choice) != first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logit::{Estimator, InterceptPrior, Priors};
    use crate::rng::{Purpose, Stream};

    const RESAMPLES: usize = 21;

    fn refits(path: Path, model: &Model, trials: &Trials, start: &[f64], counts: &[f64]) -> Vec<(Vec<f64>, bool)> {
        let refits = Refits {
            trials: *trials,
            model,
            path,
            start: Some(start),
        };
        let size = trials.choices.len();
        let mut out = Vec::new();
        let count = |r: usize, into: &mut [f64]| into.copy_from_slice(&counts[r * size..][..size]);
        let many = counts.len() / size;
        refits
            .each(many, &Interrupt::new(), count, |found, varied| {
                out.push((found.map_or_else(Vec::new, |row| row.to_vec()), varied));
            })
            .expect("not interrupted");
        out
    }

    proptest! {
        #[test]
        fn they_are_the_scalar_refits_and_the_same_bits_on_every_path(
            (size, attributes) in (1..60_usize, 1..13_usize),
            seed: u64,
            (slope, shift) in (0.0..12.0_f64, prop_oneof![Just(0.0), Just(40.0)]),
            scale in prop_oneof![Just(2.5), Just(f64::INFINITY)],
            degrees_of_freedom in prop_oneof![Just(3.0), Just(f64::INFINITY)],
            intercept: bool,
            coarse: bool,
            whole: bool,
        ) {
            let mut stream = Stream::new(seed, Purpose::User, 0, 0);
            let mut draw = || 2.0 * stream.uniform() - 1.0;
            let mut draw = || if coarse { draw().round() } else { draw() };
            let differences: Vec<f64> = (0..size * attributes).map(|_| shift + draw()).collect();
            let choices: Vec<u8> = differences
                .chunks(attributes)
                .map(|d| u8::from(stream.uniform() < 1.0 / (1.0 + (-slope * (d[0] - shift)).exp())))
                .collect();
            let mut counts = vec![0.0; RESAMPLES * size];
            for resample in counts.chunks_mut(size) {
                stream.each_below(size, size, |trial| resample[trial] += 1.0);
                if !whole {
                    resample.iter_mut().for_each(|count| *count *= 2.0 * stream.uniform());
                }
            }
            let prior = InterceptPrior { degrees_of_freedom, location: 0.0, scale };
            let model = Model {
                estimator: Estimator::Map(Priors { slope_sd: 1.0, intercept: prior }),
                intercept,
            };
            let trials = Trials { differences: &differences, choices: &choices, counts: None, attributes };
            let Some(start) = model.refit(trials, None) else { return Ok(()) };
            let found = refits(Path::available()[0], &model, &trials, &start, &counts);
            for path in Path::available() {
                prop_assert_eq!(&refits(path, &model, &trials, &start, &counts), &found);
            }
            for (counts, (row, varied)) in counts.chunks(size).zip(&found) {
                let expected = model.refit(Trials { counts: Some(counts), ..trials }, Some(&start)).unwrap_or_default();
                prop_assert_eq!(row.len(), expected.len());
                for (a, b) in row.iter().zip(&expected) {
                    prop_assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs() + shift * 40.0), "{row:?} {expected:?}");
                }
                prop_assert_eq!(*varied, vary(&choices, counts));
                prop_assert_eq!(&refits(Path::available()[0], &model, &trials, &start, counts)[0].0, row);
            }
        }
    }
}
