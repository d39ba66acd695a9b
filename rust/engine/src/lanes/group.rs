//! As many problems as there are lanes, trial by trial: agents of their own, or resamples that share one agent's trials.

use crate::logit::Trials;

use super::factor::{Curvature, Parameters};
use super::logistic::miss;
use super::simd::{MOST_LANES, Vector};

/// Bytes that are one, eight at a time.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;

/// Trials that a gradient takes one step after another: log odds of all, then chances, then sums. Each step is short, so a
/// processor works on many trials at a time, which it can't where all steps of a trial come in turn.
const BLOCK: usize = 64;

/// What differs between problems of a group: a number for each lane, or one that all share.
pub(super) trait Spread<V>: Copy {
    /// Whether problems share rows, and differ in how often each counts.
    const SHARED: bool;
    /// A choice of every problem.
    type Side: Copy;
    /// How often a trial counts in every problem.
    type Count: Copy;
    /// The number in every lane.
    fn spread(self) -> V;
    /// Minus zero where B was chosen, zero where A was.
    fn flip(side: Self::Side) -> V;
    /// `x` as often as the trial counts.
    fn counted(count: Self::Count, x: V) -> V;
}

/// Sides and counts are bits, one for each lane: A, and a trial that is one of the problem's. A group of ordinary size then
/// stays in the processor's first cache.
impl<V: Vector> Spread<V> for V {
    const SHARED: bool = false;
    type Side = u8;
    type Count = u8;
    #[inline(always)]
    fn spread(self) -> V {
        self
    }
    #[inline(always)]
    fn flip(side: u8) -> V {
        V::select(side, V::splat(0.0), V::splat(-0.0))
    }
    #[inline(always)]
    fn counted(count: u8, x: V) -> V {
        V::select(count, x, V::splat(0.0))
    }
}

impl<V: Vector> Spread<V> for f64 {
    const SHARED: bool = true;
    type Side = f64;
    type Count = V;
    #[inline(always)]
    fn spread(self) -> V {
        V::splat(self)
    }
    #[inline(always)]
    fn flip(side: f64) -> V {
        V::splat(side)
    }
    #[inline(always)]
    fn counted(count: V, x: V) -> V {
        count.mul(x)
    }
}

/// The trials of a group of problems; a trial that a problem doesn't have counts zero times.
pub(super) struct Group<V, S: Spread<V>, const K: usize> {
    /// Differences, centred where there is an intercept.
    pub rows: Vec<[S; K]>,
    pub sides: Vec<S::Side>,
    pub counts: Vec<S::Count>,
    /// The weights of the trials in the curvature, at the point where the gradient was last asked for.
    weights: Vec<V>,
    /// The chances of the choices not made at that point, where resamples share rows.
    missed: Vec<V>,
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

impl<V: Vector, const K: usize> Totals<V, K> {
    /// The lanes whose choices are not all alike.
    #[inline(always)]
    pub(super) fn mixed(&self) -> u8 {
        let negative = V::splat(0.0).sub(self.balance);
        self.balance.max(negative).less(self.trials)
    }
}

impl<V: Vector, S: Spread<V>, const K: usize> Group<V, S, K> {
    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            sides: Vec::new(),
            counts: Vec::new(),
            weights: Vec::new(),
            missed: Vec::new(),
        }
    }

    #[inline(always)]
    pub(super) fn resize(&mut self, trials: usize) {
        self.weights.resize(trials, V::splat(0.0));
        let kept = if S::SHARED { trials } else { 0 };
        self.missed.resize(kept, V::splat(0.0));
    }

    /// Gives every trial that counts the weight `weight`.
    #[inline(always)]
    pub(super) fn weigh(&mut self, weight: V) {
        for (space, &count) in self.weights.iter_mut().zip(&self.counts) {
            *space = S::counted(count, weight);
        }
    }

    /// The gradient of the log likelihood.
    #[inline(always)]
    pub(super) fn gradient(&mut self, at: &Parameters<V, K>) -> Parameters<V, K> {
        let mut sum = Parameters::<V, K>::zero();
        for from in (0..self.rows.len()).step_by(BLOCK) {
            let block = from..self.rows.len().min(from + BLOCK);
            let (rows, sides) = (&self.rows[block.clone()], &self.sides[block.clone()]);
            let weights = &mut self.weights[block.clone()];
            for ((row, &side), odds) in rows.iter().zip(sides).zip(&mut *weights) {
                *odds = log_odds(row, at).xor(S::flip(side));
            }
            for missed in &mut *weights {
                *missed = miss(*missed);
            }
            if S::SHARED {
                self.missed[block.clone()].copy_from_slice(weights);
            }
            let trials = rows.iter().zip(sides).zip(&self.counts[block]);
            for (((row, &side), &count), weight) in trials.zip(weights) {
                let missed = *weight;
                let counted = S::counted(count, missed);
                let residual = counted.xor(S::flip(side));
                sum.intercept = sum.intercept.add(residual);
                for i in 0..K {
                    sum.slopes[i] = residual.fma(row[i].spread(), sum.slopes[i]);
                }
                *weight = counted.fnma(missed, counted);
            }
        }
        sum
    }

    /// What the curvature of the gradient adds to it after a step: half the second derivative along the step. `skew` gives
    /// a trial's weight's derivative by its log odds.
    #[inline(always)]
    pub(super) fn bent(&self, step: &Parameters<V, K>, skew: impl Fn(usize) -> V) -> Parameters<V, K> {
        let mut sum = Parameters::<V, K>::zero();
        for (t, row) in self.rows.iter().enumerate() {
            let odds = log_odds(row, step);
            let part = odds.mul(odds).mul(skew(t));
            sum.intercept = sum.intercept.sub(part);
            for i in 0..K {
                sum.slopes[i] = part.fnma(row[i].spread(), sum.slopes[i]);
            }
        }
        let half = V::splat(0.5);
        sum.slopes = sum.slopes.map(|slope| slope.mul(half));
        sum.intercept = sum.intercept.mul(half);
        sum
    }

    /// The derivative of a trial's weight by its log odds, where the gradient was last asked for.
    #[inline(always)]
    pub(super) fn skew(&self, t: usize) -> V {
        let (missed, weight) = (self.missed[t], self.weights[t]);
        missed
            .add(missed)
            .sub(V::splat(1.0))
            .mul(weight)
            .xor(S::flip(self.sides[t]))
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
        self.sides.resize(longest, 0);
        let differences = agents.map(|trials| trials.differences);
        interleave(&differences, shortest * K, self.rows.as_flattened_mut());
        self.counts.clear();
        self.counts.resize(shortest, u8::MAX);
        for t in shortest..longest {
            let own = (0..V::LANES).filter(|l| t < lengths[*l]);
            self.counts.push(own.fold(0, |lanes, l| lanes | 1 << l));
        }
        let mut other = 0;
        for (block, sides) in self.sides.chunks_mut(8).enumerate() {
            let mut lanes = 0;
            for l in 0..V::LANES {
                let word = eight(agents[l].choices, 8 * block);
                other |= word & !ONES;
                lanes |= (word & ONES) << l;
            }
            sides.copy_from_slice(&lanes.to_le_bytes()[..sides.len()]);
        }
        other == 0
    }

    /// Room for `trials` trials of every lane, each to be counted once: rows and sides, which the caller fills.
    #[inline(always)]
    pub(super) fn room(&mut self, trials: usize) -> (&mut [[V; K]], &mut [u8]) {
        self.resize(trials);
        self.counts.clear();
        self.counts.resize(trials, u8::MAX);
        self.rows.resize(trials, [V::splat(0.0); K]);
        self.sides.resize(trials, 0);
        (&mut self.rows, &mut self.sides)
    }

    /// Subtracts the averages where there is an intercept (`1` in every lane of `with`, else `0`).
    #[inline(always)]
    pub(super) fn centre(&mut self, with: V) -> Totals<V, K> {
        let zero = V::splat(0.0);
        let (mut trials, mut balance, mut means, mut pull) = (zero, zero, [zero; K], [zero; K]);
        for ((row, &side), &count) in self.rows.iter().zip(&self.sides).zip(&self.counts) {
            let count = V::counted(count, V::splat(1.0));
            trials = trials.add(count);
            balance = balance.add(count.xor(V::flip(side)));
            for i in 0..K {
                means[i] = count.fma(row[i], means[i]);
            }
        }
        let share = with.div(trials);
        for i in 0..K {
            means[i] = means[i].mul(share);
        }
        let half = V::splat(0.5);
        for ((row, &side), &count) in self.rows.iter_mut().zip(&self.sides).zip(&self.counts) {
            // Centred differences sum to zero, so half of A's less half of B's are A's.
            let side = V::counted(count, half).xor(V::flip(side));
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

/// The log odds of A.
#[inline(always)]
pub(super) fn log_odds<V: Vector, S: Spread<V>, const K: usize>(row: &[S; K], at: &Parameters<V, K>) -> V {
    let mut odds = at.intercept;
    for i in 0..K {
        odds = row[i].spread().fma(at.slopes[i], odds);
    }
    odds
}

/// Entry `i` of every source as vector `i`; no source has fewer than `whole` entries, and zeros stand behind their ends.
#[inline(always)]
pub(super) fn interleave<V: Vector>(sources: &[&[f64]; MOST_LANES], whole: usize, out: &mut [V]) {
    let blocks = whole / V::LANES * V::LANES;
    for at in (0..blocks).step_by(V::LANES) {
        V::transpose(sources, at, &mut out[at..]);
    }
    let mut done = blocks;
    if done > 0 && done < whole {
        // The last block overlaps the one before.
        V::transpose(sources, whole - V::LANES, &mut out[whole - V::LANES..]);
        done = whole;
    }
    let mut lanes = [0.0; MOST_LANES];
    for (at, vector) in out.iter_mut().enumerate().skip(done) {
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
