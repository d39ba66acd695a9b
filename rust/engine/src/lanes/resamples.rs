//! Resamples of one agent's trials, side by side: they share its rows, and differ in how often each trial counts.
//!
//! All start at the agent's own optimum. What is summed over trials there is linear in the counts, so the first gradient
//! and the first information are products of the counts with one table that all resamples share.

use crate::logit::Trials;

use super::climb::{Known, Objective, Start};
use super::factor::{Curvature, Parameters};
use super::group::{Group, Totals, interleave, log_odds};
use super::logistic::miss;
use super::simd::{Kernel, MOST_LANES, Path, Vector};

/// Columns of a table that are summed at a time, so that the sums stay in registers on every path.
const COLUMNS: usize = 10;

/// How often resamples have each trial.
pub(crate) trait Counts {
    /// The counts of resample `place`; `space` is as long, for those that are not at hand.
    fn of<'a>(&'a self, place: usize, space: &'a mut [f64]) -> &'a [f64];
    /// The counts of resample `place` where they are at hand and will be asked for soon.
    fn ahead(&self, _place: usize) -> &[f64] {
        &[]
    }
}

/// Resamples of one agent that are fitted together.
pub(crate) struct Resamples<'a> {
    pub trials: Trials<'a>,
    /// The agent's optimum: slopes and (last) the intercept.
    pub start: &'a [f64],
    pub counts: &'a dyn Counts,
    /// The place of the first in `counts`.
    pub first: usize,
}

/// Writes the optima of resamples as [`super::modes`] does, and whether the choices of each vary.
pub(crate) fn resampled_modes(
    path: Path,
    objective: &Objective,
    resamples: &Resamples,
    out: &mut [f64],
    varied: &mut Vec<bool>,
) {
    for_attributes!(
        resamples.trials.attributes,
        K,
        path.run(Resampled::<K> {
            objective,
            resamples,
            out,
            varied
        })
    );
}

/// The kernel of [`resampled_modes`].
struct Resampled<'a, const K: usize> {
    objective: &'a Objective,
    resamples: &'a Resamples<'a>,
    out: &'a mut [f64],
    varied: &'a mut Vec<bool>,
}

impl<const K: usize> Kernel for Resampled<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (objective, resamples) = (self.objective, self.resamples);
        let mut means = [0.0; K];
        if objective.intercept.is_some() {
            means.copy_from_slice(&resamples.trials.means()[..K]);
        }
        let mut group = Group::<V, f64, K>::new();
        group.share(&resamples.trials, &means);
        let reach = V::splat(group.longest() + 1.0);
        let at = start(objective, resamples.start, &means);
        let table = Table::new(objective, &group, &at);
        let mut sums = vec![V::splat(0.0); table.tiles.len() * COLUMNS];
        let trials = resamples.trials.choices.len();
        let mut spaces = vec![0.0; trials * V::LANES];
        let width = K + usize::from(objective.intercept.is_some());
        for (place, out) in self.out.chunks_mut(V::LANES * width).enumerate() {
            let many = out.len() / width;
            let first = resamples.first + place * V::LANES;
            let mut lanes: [&[f64]; MOST_LANES] = [&[]; MOST_LANES];
            for (l, space) in spaces.chunks_mut(trials.max(1)).enumerate().take(many) {
                lanes[l] = resamples.counts.of(first + l, space);
            }
            for l in 0..V::LANES {
                V::fetch(resamples.counts.ahead(first + V::LANES + l));
            }
            for l in many..V::LANES {
                lanes[l] = lanes[0];
            }
            let least = group.count(&lanes);
            table.multiply(&group.counts, &mut sums);
            let (totals, gradient, information) = Table::read(objective, &sums, &means);
            let known = Known {
                gradient,
                information,
                skews: &table.skews,
            };
            let start = Start {
                at,
                reach,
                known: Some(known),
            };
            let optima = group.optima(objective, &totals, start);
            let valid = !least.less(V::splat(0.0));
            let rows = optima.among(valid).rows();
            for (row, found) in out.chunks_exact_mut(width).zip(&rows) {
                row.copy_from_slice(&found[..width]);
            }
            let mixed = totals.mixed();
            self.varied.extend((0..many).map(|l| mixed >> l & 1 == 1));
        }
    }
}

/// The agent's optimum in every lane, on the design less `means`.
#[inline(always)]
fn start<V: Vector, const K: usize>(objective: &Objective, start: &[f64], means: &[f64; K]) -> Parameters<V, K> {
    let mut at = Parameters::zero();
    for i in 0..K {
        at.slopes[i] = V::splat(start[i]);
        if objective.intercept.is_some() {
            at.intercept = at.slopes[i].fma(V::splat(means[i]), at.intercept);
        }
    }
    if objective.intercept.is_some() {
        at.intercept = at.intercept.add(V::splat(start[K]));
    }
    at
}

/// For every trial what it adds, counted once, to each of the sums at the start.
struct Table<const K: usize> {
    /// So many columns of all trials each.
    tiles: Vec<Vec<[f64; COLUMNS]>>,
    /// The derivatives of the weights in the curvature by the log odds.
    skews: Vec<f64>,
}

impl<const K: usize> Table<K> {
    #[inline(always)]
    fn new<V: Vector>(objective: &Objective, group: &Group<V, f64, K>, at: &Parameters<V, K>) -> Self {
        let (mut tiles, mut skews): (Vec<Vec<[f64; COLUMNS]>>, _) = (Vec::new(), Vec::new());
        let mut columns = Vec::new();
        let mut lanes = [0.0; MOST_LANES];
        for (row, &flip) in group.rows.iter().zip(&group.sides) {
            miss(log_odds(row, at).xor(V::splat(flip))).store(&mut lanes);
            let (missed, side) = (lanes[0], 1.0_f64.copysign(flip));
            let weight = missed - missed * missed;
            skews.push(side * weight * (2.0 * missed - 1.0));
            columns.clear();
            columns.extend([1.0, side]);
            columns.extend(row.iter().map(|z| side * missed * z));
            columns.push(side * missed);
            for i in 0..K {
                columns.extend((0..=i).map(|j| weight * row[i] * row[j]));
            }
            columns.extend(row.iter().map(|z| weight * z));
            columns.push(weight);
            if objective.weighs_average() {
                columns.extend(row);
                columns.extend(row.iter().map(|z| side * z));
            }
            tiles.resize(columns.len().div_ceil(COLUMNS), Vec::new());
            for (tile, columns) in tiles.iter_mut().zip(columns.chunks(COLUMNS)) {
                let mut entries = [0.0; COLUMNS];
                entries[..columns.len()].copy_from_slice(columns);
                tile.push(entries);
            }
        }
        Self { tiles, skews }
    }

    /// The sums over trials, each as often as it counts.
    #[inline(always)]
    fn multiply<V: Vector>(&self, counts: &[V], out: &mut [V]) {
        for (tile, out) in self.tiles.iter().zip(out.chunks_exact_mut(COLUMNS)) {
            let mut sums = [V::splat(0.0); COLUMNS];
            for (count, entries) in counts.iter().zip(tile) {
                for (sum, &entry) in sums.iter_mut().zip(entries) {
                    *sum = count.fma(V::splat(entry), *sum);
                }
            }
            out.copy_from_slice(&sums);
        }
    }

    /// Sums in the order of the columns: totals of the trials, gradient and information.
    #[inline(always)]
    fn read<V: Vector>(
        objective: &Objective,
        sums: &[V],
        means: &[f64; K],
    ) -> (Totals<V, K>, Parameters<V, K>, Curvature<V, K>) {
        let zero = V::splat(0.0);
        let mut sums = sums.iter().copied();
        let mut next = || sums.next().unwrap_or(zero);
        let (trials, balance) = (next(), next());
        let gradient = Parameters {
            slopes: [zero; K].map(|_| next()),
            intercept: next(),
        };
        let mut square = [[zero; K]; K];
        for i in 0..K {
            for j in 0..=i {
                square[i][j] = next();
            }
        }
        let information = Curvature {
            square,
            edge: [zero; K].map(|_| next()),
            corner: next(),
        };
        let (mut shift, mut pull) = ([zero; K], [zero; K]);
        if objective.weighs_average() {
            let (half, share) = (V::splat(0.5), V::splat(1.0).div(trials));
            shift = shift.map(|_| next().mul(share));
            for i in 0..K {
                // Of differences from the average, half of A's less half of B's are A's.
                pull[i] = shift[i].fnma(balance, next()).mul(half);
            }
        }
        let totals = Totals {
            means: means.map(V::splat),
            shift,
            trials,
            balance,
            pull,
        };
        (totals, gradient, information)
    }
}

impl<V: Vector, const K: usize> Group<V, f64, K> {
    /// Takes one agent's trials, less `means`, for resamples to share.
    fn share(&mut self, trials: &Trials, means: &[f64; K]) {
        self.resize(trials.choices.len());
        self.counts.resize(trials.choices.len(), V::splat(0.0));
        let rows = trials.differences.as_chunks::<K>().0;
        self.rows = rows
            .iter()
            .map(|row| std::array::from_fn(|i| row[i] - means[i]))
            .collect();
        self.sides = trials
            .choices
            .iter()
            .map(|&c| if c == 1 { 0.0 } else { -0.0 })
            .collect();
    }

    /// The squared length of the longest row.
    fn longest(&self) -> f64 {
        let lengths = self.rows.iter().map(|row| row.iter().map(|z| z * z).sum());
        lengths.fold(0.0, f64::max)
    }

    /// Loads how often each resample has each trial; returns the smallest counts.
    #[inline(always)]
    fn count(&mut self, counts: &[&[f64]; MOST_LANES]) -> V {
        interleave(counts, self.counts.len(), &mut self.counts);
        let least = |least: V, count: &V| count.min(least);
        self.counts.iter().fold(V::splat(0.0), least)
    }
}
