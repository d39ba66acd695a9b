//! As many problems as there are lanes, trial by trial: loaded, centred, and what Newton's method sums over trials.

use crate::logit::Trials;

use super::factor::{Curvature, Parameters};
use super::logistic::miss;
use super::simd::{MOST_LANES, Vector};

/// Bytes that are one, eight at a time.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The trials of a group of problems; a trial that a problem doesn't have counts zero times.
pub(super) struct Group<V, const K: usize> {
    /// Differences as given.
    given: Vec<[V; K]>,
    /// Differences, centred once [`Group::centre`] has been called.
    rows: Vec<[V; K]>,
    /// Minus zero where B was chosen, zero where A was.
    flips: Vec<V>,
    counts: Vec<V>,
    /// The chances of the choices not made, where resamples share them.
    missed: Vec<V>,
    /// The weights of the trials in the curvature, at the point where the gradient was last asked for.
    weights: Vec<V>,
}

/// What centring finds.
pub(super) struct Totals<V, const K: usize> {
    /// The average differences; zeros in a model without an intercept.
    pub means: [V; K],
    /// The number of trials.
    pub trials: V,
    /// Choices of A less choices of B.
    pub balance: V,
    /// The differences of the trials that chose A, summed; in a model without an intercept the gradient at zero.
    pub pull: [V; K],
}

impl<V: Vector, const K: usize> Group<V, K> {
    pub(super) const fn new() -> Self {
        Self {
            given: Vec::new(),
            rows: Vec::new(),
            flips: Vec::new(),
            counts: Vec::new(),
            missed: Vec::new(),
            weights: Vec::new(),
        }
    }

    #[inline(always)]
    fn resize(&mut self, trials: usize) {
        let zero = V::splat(0.0);
        self.given.resize(trials, [zero; K]);
        self.rows.resize(trials, [zero; K]);
        for space in [&mut self.flips, &mut self.counts, &mut self.weights] {
            space.resize(trials, zero);
        }
    }

    /// Loads one agent into each lane, every trial counted once; false where a choice is neither 0 nor 1.
    #[inline(always)]
    pub(super) fn load(&mut self, agents: &[Trials; MOST_LANES]) -> bool {
        let lengths = agents.map(|trials| trials.choices.len());
        let (mut shortest, mut longest) = (usize::MAX, 0);
        for length in &lengths[..V::LANES] {
            (shortest, longest) = (shortest.min(*length), longest.max(*length));
        }
        self.resize(longest);
        let differences = agents.map(|trials| trials.differences);
        interleave(&differences, shortest * K, self.given.as_flattened_mut());
        let mut lanes = [0.0; MOST_LANES];
        for (t, count) in self.counts.iter_mut().enumerate() {
            for l in 0..V::LANES {
                lanes[l] = f64::from(u8::from(t < lengths[l]));
            }
            *count = V::load(&lanes);
        }
        let (mut words, mut other) = ([0; MOST_LANES], 0);
        for (block, flips) in self.flips.chunks_mut(8).enumerate() {
            for l in 0..V::LANES {
                let word = eight(agents[l].choices, 8 * block);
                other |= word & !ONES;
                words[l] = word ^ ONES;
            }
            for (byte, flip) in flips.iter_mut().enumerate() {
                // The lowest bit of the byte goes to the front.
                *flip = V::signs(&words, 63 - 8 * byte as u64);
            }
        }
        other == 0
    }

    /// Loads one agent into all lanes, for resamples of its trials, and the chances of the choices not made at `at`, which
    /// all resamples share.
    #[inline(always)]
    pub(super) fn share(&mut self, trials: &Trials, at: &Parameters<V, K>) {
        self.resize(trials.choices.len());
        self.missed.clear();
        for (t, row) in self.given.iter_mut().enumerate() {
            let mut odds = at.intercept;
            for i in 0..K {
                row[i] = V::splat(trials.row(t)[i]);
                odds = row[i].fma(at.slopes[i], odds);
            }
            self.flips[t] = V::splat(if trials.choices[t] == 1 { 0.0 } else { -0.0 });
            self.missed.push(miss(odds.xor(self.flips[t])));
        }
    }

    /// Loads how often each resample has each trial.
    #[inline(always)]
    pub(super) fn count(&mut self, counts: &[&[f64]; MOST_LANES]) {
        interleave(counts, self.counts.len(), &mut self.counts);
    }

    /// Subtracts the averages where there is an intercept (`1` in every lane of `with`, else `0`).
    #[inline(always)]
    pub(super) fn centre(&mut self, with: V) -> Totals<V, K> {
        let zero = V::splat(0.0);
        let (mut trials, mut balance, mut means, mut pull) = (zero, zero, [zero; K], [zero; K]);
        for ((row, &flip), &count) in self.given.iter().zip(&self.flips).zip(&self.counts) {
            trials = trials.add(count);
            balance = balance.add(count.xor(flip));
            for i in 0..K {
                means[i] = count.fma(row[i], means[i]);
            }
        }
        let share = with.div(trials);
        for i in 0..K {
            means[i] = means[i].mul(share);
        }
        let half = V::splat(0.5);
        let loaded = self.given.iter().zip(&self.flips).zip(&self.counts);
        for (((given, &flip), &count), row) in loaded.zip(&mut self.rows) {
            // Centred differences sum to zero, so half of A's less half of B's are A's.
            let side = count.mul(half).xor(flip);
            for i in 0..K {
                row[i] = given[i].sub(means[i]);
                pull[i] = side.fma(row[i], pull[i]);
            }
        }
        Totals {
            means,
            trials,
            balance,
            pull,
        }
    }

    /// Gives every trial that counts the weight `weight`.
    #[inline(always)]
    pub(super) fn weigh(&mut self, weight: V) {
        for (space, &count) in self.weights.iter_mut().zip(&self.counts) {
            *space = count.mul(weight);
        }
    }

    /// The gradient of the log likelihood.
    #[inline(always)]
    pub(super) fn gradient(&mut self, at: &Parameters<V, K>) -> Parameters<V, K> {
        let mut sum = Parameters::zero();
        let trials = self.rows.iter().zip(&self.flips).zip(&self.counts);
        for (((row, &flip), &count), weight) in trials.zip(&mut self.weights) {
            let mut odds = at.intercept;
            for i in 0..K {
                odds = row[i].fma(at.slopes[i], odds);
            }
            *weight = contribute(&mut sum, row, flip, count, miss(odds.xor(flip)));
        }
        sum
    }

    /// [`Group::gradient`] where choices are missed as all resamples share it.
    #[inline(always)]
    pub(super) fn shared_gradient(&mut self) -> Parameters<V, K> {
        let mut sum = Parameters::zero();
        let trials = self.rows.iter().zip(&self.flips).zip(&self.counts).zip(&self.missed);
        for ((((row, &flip), &count), &missed), weight) in trials.zip(&mut self.weights) {
            *weight = contribute(&mut sum, row, flip, count, missed);
        }
        sum
    }

    /// The lower triangle of Fisher's information with the weights of the last gradient.
    #[inline(always)]
    pub(super) fn information(&self) -> Curvature<V, K> {
        let zero = V::splat(0.0);
        let (mut square, mut edge, mut corner) = ([[zero; K]; K], [zero; K], zero);
        for (row, &weight) in self.rows.iter().zip(&self.weights) {
            corner = corner.add(weight);
            for i in 0..K {
                let weighted = weight.mul(row[i]);
                edge[i] = edge[i].add(weighted);
                for j in 0..=i {
                    square[i][j] = weighted.fma(row[j], square[i][j]);
                }
            }
        }
        Curvature { square, edge, corner }
    }
}

/// Adds a trial whose choice had been missed with this chance to a gradient; returns its weight in the curvature.
#[inline(always)]
fn contribute<V: Vector, const K: usize>(sum: &mut Parameters<V, K>, row: &[V; K], flip: V, count: V, missed: V) -> V {
    let counted = count.mul(missed);
    let residual = counted.xor(flip);
    sum.intercept = sum.intercept.add(residual);
    for i in 0..K {
        sum.slopes[i] = residual.fma(row[i], sum.slopes[i]);
    }
    counted.fnma(missed, counted)
}

/// Entry `i` of every source as vector `i`; all sources have as many entries as `whole`, and zeros stand behind their ends.
#[inline(always)]
fn interleave<V: Vector>(sources: &[&[f64]; MOST_LANES], whole: usize, out: &mut [V]) {
    let blocks = whole / V::LANES * V::LANES;
    for at in (0..blocks).step_by(V::LANES) {
        V::transpose(sources, at, &mut out[at..]);
    }
    let mut lanes = [0.0; MOST_LANES];
    for (at, vector) in out.iter_mut().enumerate().skip(blocks) {
        for l in 0..V::LANES {
            lanes[l] = sources[l].get(at).copied().unwrap_or(0.0);
        }
        *vector = V::load(&lanes);
    }
}

/// Eight choices as the bytes of a word, the first in the lowest; zeros behind the last.
#[inline(always)]
fn eight(choices: &[u8], at: usize) -> u64 {
    if let Some(bytes) = choices.get(at..at + 8) {
        return u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    }
    let rest = choices.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, &choice| word << 8 | u64::from(choice))
}
