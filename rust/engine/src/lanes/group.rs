//! As many problems as there are lanes, trial by trial: agents of their own, or resamples that share one agent's trials.

use crate::logit::Trials;

use super::factor::{Curvature, Parameters};
use super::logistic::miss;
use super::simd::{MOST_LANES, Vector};

/// Bytes that are one, eight at a time.
const ONES: u64 = 0x0101_0101_0101_0101;

/// A number of every problem of a group: one for each lane, or one that all share.
pub(super) trait Spread<V>: Copy {
    /// Whether problems share rows, and differ in how often each counts.
    const SHARED: bool;
    /// The number in every lane.
    fn spread(self) -> V;
}

impl<V: Vector> Spread<V> for V {
    const SHARED: bool = false;
    #[inline(always)]
    fn spread(self) -> V {
        self
    }
}

impl<V: Vector> Spread<V> for f64 {
    const SHARED: bool = true;
    #[inline(always)]
    fn spread(self) -> V {
        V::splat(self)
    }
}

/// The trials of a group of problems; a trial that a problem doesn't have counts zero times.
pub(super) struct Group<V, S, const K: usize> {
    /// Differences, centred where there is an intercept.
    rows: Vec<[S; K]>,
    /// Minus zero where B was chosen, zero where A was.
    flips: Vec<S>,
    counts: Vec<V>,
    /// The weights of the trials in the curvature, at the point where the gradient was last asked for.
    weights: Vec<V>,
}

/// What is summed once.
pub(super) struct Totals<V, const K: usize> {
    /// What was subtracted from the differences; zeros in a model without an intercept.
    pub means: [V; K],
    /// The averages of what is left; zeros where every problem has rows of its own.
    pub shift: [V; K],
    /// The number of trials.
    pub trials: V,
    /// Choices of A less choices of B.
    pub balance: V,
    /// The differences from the average of the trials that chose A, summed; without an intercept the gradient at zero.
    pub pull: [V; K],
}

impl<V: Vector, S: Spread<V>, const K: usize> Group<V, S, K> {
    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            flips: Vec::new(),
            counts: Vec::new(),
            weights: Vec::new(),
        }
    }

    #[inline(always)]
    fn resize(&mut self, trials: usize) {
        self.counts.resize(trials, V::splat(0.0));
        self.weights.resize(trials, V::splat(0.0));
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
            let odds = log_odds(row, at);
            *weight = contribute(&mut sum, row, flip, count, miss(odds.xor(flip.spread())));
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
                let weighted = weight.mul(row[i].spread());
                edge[i] = edge[i].add(weighted);
                for j in 0..=i {
                    square[i][j] = weighted.fma(row[j].spread(), square[i][j]);
                }
            }
        }
        Curvature { square, edge, corner }
    }
}

impl<V: Vector, const K: usize> Group<V, V, K> {
    /// Loads one agent into each lane, every trial counted once; false where a choice is neither 0 nor 1.
    #[inline(always)]
    pub(super) fn load(&mut self, agents: &[Trials; MOST_LANES]) -> bool {
        let lengths = agents.map(|trials| trials.choices.len());
        let (mut shortest, mut longest) = (usize::MAX, 0);
        for length in &lengths[..V::LANES] {
            (shortest, longest) = (shortest.min(*length), longest.max(*length));
        }
        self.resize(longest);
        self.rows.resize(longest, [V::splat(0.0); K]);
        self.flips.resize(longest, V::splat(0.0));
        let differences = agents.map(|trials| trials.differences);
        interleave(&differences, shortest * K, self.rows.as_flattened_mut());
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

    /// Subtracts the averages where there is an intercept (`1` in every lane of `with`, else `0`).
    #[inline(always)]
    pub(super) fn centre(&mut self, with: V) -> Totals<V, K> {
        let zero = V::splat(0.0);
        let (mut trials, mut balance, mut means, mut pull) = (zero, zero, [zero; K], [zero; K]);
        for ((row, &flip), &count) in self.rows.iter().zip(&self.flips).zip(&self.counts) {
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
        for ((row, &flip), &count) in self.rows.iter_mut().zip(&self.flips).zip(&self.counts) {
            // Centred differences sum to zero, so half of A's less half of B's are A's.
            let side = count.mul(half).xor(flip);
            for i in 0..K {
                row[i] = row[i].sub(means[i]);
                pull[i] = side.fma(row[i], pull[i]);
            }
        }
        Totals {
            means,
            shift: [zero; K],
            trials,
            balance,
            pull,
        }
    }
}

impl<V: Vector, const K: usize> Group<V, f64, K> {
    /// Takes one agent's trials, less `means`, for resamples to share.
    pub(super) fn share(&mut self, trials: &Trials, means: &[f64; K]) {
        self.resize(trials.choices.len());
        let rows = trials.differences.as_chunks::<K>().0;
        self.rows = rows
            .iter()
            .map(|row| std::array::from_fn(|i| row[i] - means[i]))
            .collect();
        self.flips = trials
            .choices
            .iter()
            .map(|&c| if c == 1 { 0.0 } else { -0.0 })
            .collect();
    }

    /// The squared length of the longest row.
    pub(super) fn longest(&self) -> f64 {
        let lengths = self.rows.iter().map(|row| row.iter().map(|z| z * z).sum());
        lengths.fold(0.0, f64::max)
    }

    /// Loads how often each resample has each trial.
    #[inline(always)]
    pub(super) fn count(&mut self, counts: &[&[f64]; MOST_LANES]) {
        interleave(counts, self.counts.len(), &mut self.counts);
    }

    /// The chances of the choices not made at `at`.
    #[inline(always)]
    pub(super) fn missed(&self, at: &Parameters<V, K>, out: &mut Vec<V>) {
        for (row, &flip) in self.rows.iter().zip(&self.flips) {
            out.push(miss(log_odds(row, at).xor(V::splat(flip))));
        }
    }

    /// [`Group::gradient`] where all resamples miss choices with the same chances.
    #[inline(always)]
    pub(super) fn shared_gradient(&mut self, missed: &[V]) -> Parameters<V, K> {
        let mut sum = Parameters::zero();
        let trials = self.rows.iter().zip(&self.flips).zip(&self.counts).zip(missed);
        for ((((row, &flip), &count), &missed), weight) in trials.zip(&mut self.weights) {
            *weight = contribute(&mut sum, row, flip, count, missed);
        }
        sum
    }

    /// Sums over trials whose differences are centred on `means` where there is an intercept.
    #[inline(always)]
    pub(super) fn totals(&self, means: &[f64; K], with: V) -> Totals<V, K> {
        let zero = V::splat(0.0);
        let (mut trials, mut balance, mut shift, mut pull) = (zero, zero, [zero; K], [zero; K]);
        for ((row, &flip), &count) in self.rows.iter().zip(&self.flips).zip(&self.counts) {
            trials = trials.add(count);
            let side = count.xor(V::splat(flip));
            balance = balance.add(side);
            for i in 0..K {
                shift[i] = count.fma(V::splat(row[i]), shift[i]);
                pull[i] = side.fma(V::splat(row[i]), pull[i]);
            }
        }
        let (half, share) = (V::splat(0.5), with.div(trials));
        let mut subtracted = [zero; K];
        for i in 0..K {
            shift[i] = shift[i].mul(share);
            // Of differences from the average, half of A's less half of B's are A's.
            pull[i] = shift[i].fnma(balance, pull[i]).mul(half);
            subtracted[i] = V::splat(means[i]);
        }
        Totals {
            means: subtracted,
            shift,
            trials,
            balance,
            pull,
        }
    }
}

/// The log odds of A.
#[inline(always)]
fn log_odds<V: Vector, S: Spread<V>, const K: usize>(row: &[S; K], at: &Parameters<V, K>) -> V {
    let mut odds = at.intercept;
    for i in 0..K {
        odds = row[i].spread().fma(at.slopes[i], odds);
    }
    odds
}

/// Adds a trial whose choice had been missed with this chance to a gradient; returns its weight in the curvature.
#[inline(always)]
fn contribute<V: Vector, S: Spread<V>, const K: usize>(
    sum: &mut Parameters<V, K>,
    row: &[S; K],
    flip: S,
    count: V,
    missed: V,
) -> V {
    let counted = count.mul(missed);
    let residual = counted.xor(flip.spread());
    sum.intercept = sum.intercept.add(residual);
    for i in 0..K {
        sum.slopes[i] = residual.fma(row[i].spread(), sum.slopes[i]);
    }
    counted.fnma(missed, counted)
}

/// Entry `i` of every source as vector `i`; no source has fewer than `whole` entries, and zeros stand behind their ends.
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
    rest.iter()
        .rev()
        .fold(0, |word, &choice| (word << 8) | u64::from(choice))
}
