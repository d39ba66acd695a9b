//! Agents with random weights, their decisions and the weights fitted to these, all in the lanes: nothing is stored between.

use crate::agents::{LARGEST, Rule, draw_targets};
use crate::design::Ranges;
use crate::error::Result;
use crate::parallel::Interrupt;
use crate::rng::Purpose;

use super::choosing::Rules;
use super::climb::Objective;
use super::deciding::{Deciders, STEPS_PER_CHECK, row};
use super::group::Group;
use super::pairs::{STEP, Values};
use super::simd::{Kernel, MOST_LANES, Path, Task, Vector};
use super::streams::Streams;

/// Agents whose weights are to be recovered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strangers<'a> {
    pub seed: u64,
    /// The first agent's number in the keys of streams.
    pub first: u64,
    /// Contexts, which agents of consecutive numbers take in turn.
    pub ranges: &'a Ranges<'a>,
    pub rule: Rule,
    pub trials: usize,
}

/// What is found of agents.
pub(crate) struct Recovered<'a> {
    /// Rows of target weights.
    pub targets: &'a mut [f64],
    /// Rows of learned weights; NaN where there are none, and where the optimum isn't proved.
    pub learned: &'a mut [f64],
    /// Their correlation within each agent.
    pub within: &'a mut [f64],
    /// Whether an agent's choices are not all alike.
    pub varied: &'a mut [bool],
}

/// Lets agents decide, and fits them.
pub(crate) fn recover(
    path: Path,
    objective: &Objective,
    agents: &Strangers,
    attributes: usize,
    out: Recovered,
    interrupt: &Interrupt,
) -> Result<()> {
    for_attributes!(
        attributes,
        K,
        path.run(Recover::<K> {
            objective,
            agents,
            out,
            interrupt
        })
    )
}

/// The kernel of [`recover`].
struct Recover<'a, const K: usize> {
    objective: &'a Objective,
    agents: &'a Strangers<'a>,
    out: Recovered<'a>,
    interrupt: &'a Interrupt,
}

impl<const K: usize> Kernel for Recover<'_, K> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Result<()> {
        let (all, contexts) = (self.agents, self.agents.ranges.contexts() as u64);
        let mut group = Group::<V, V, K>::new();
        let mut values = None;
        let Recovered {
            targets,
            learned,
            within,
            varied,
        } = self.out;
        let rows = targets.chunks_mut(K * V::LANES).zip(learned.chunks_mut(K * V::LANES));
        let each = within.chunks_mut(V::LANES).zip(varied.chunks_mut(V::LANES));
        for (place, ((targets, learned), (within, varied))) in rows.zip(each).enumerate() {
            let first = all.first + (place * V::LANES) as u64;
            let units: [u64; MOST_LANES] = std::array::from_fn(|l| first.wrapping_add(l as u64));
            if contexts > 1 || values.is_none() {
                // Below the number of contexts.
                #[allow(clippy::cast_possible_truncation)]
                let rows = |bounds| units.map(|unit| row::<K>(bounds, (unit % contexts) as usize));
                values = Some(Values::<V, K>::new(&rows(all.ranges.mins), &rows(all.ranges.maxs)));
            }
            let Some(values) = &values else { continue };
            let weights = drawn::<V, K>(all.seed, &units);
            let vary = V::apart(Decisions {
                agents: all,
                interrupt: self.interrupt,
                units: &units,
                values,
                weights: &weights,
                group: &mut group,
            })?;
            let optima = group.modes(self.objective);
            let scaled = scaled(&optima.at.slopes, vary & optima.found);
            let mut lanes = [0.0; MOST_LANES];
            correlation(&scaled, &weights).store(&mut lanes);
            within.copy_from_slice(&lanes[..within.len()]);
            for (l, varied) in varied.iter_mut().enumerate() {
                *varied = vary >> l & 1 == 1;
            }
            for (rows, vectors) in [(targets, &weights), (learned, &scaled)] {
                for i in 0..K {
                    vectors[i].store(&mut lanes);
                    for (row, number) in rows.chunks_exact_mut(K).zip(lanes) {
                        row[i] = number;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The task of filling a group with the agents' decisions; gives the lanes whose choices are not all alike.
struct Decisions<'a, V: Vector, const K: usize> {
    agents: &'a Strangers<'a>,
    interrupt: &'a Interrupt,
    units: &'a [u64; MOST_LANES],
    values: &'a Values<V, K>,
    weights: &'a [V; K],
    group: &'a mut Group<V, V, K>,
}

impl<V: Vector, const K: usize> Task for Decisions<'_, V, K> {
    type Output = Result<u8>;

    #[inline(always)]
    fn run(self) -> Result<u8> {
        let (seed, units) = (self.agents.seed, self.units);
        let pairs = Streams::new(seed, Purpose::Pairs, units, 0);
        let deciders = Deciders {
            choices: Streams::new(seed, Purpose::Choices, units, 0),
            rules: Rules::new(&[self.agents.rule; MOST_LANES]),
            weights: *self.weights,
        };
        let mut options = [[V::splat(0.0); K]; 2 * STEP];
        let (mut any, mut always) = (0, u8::MAX);
        let (differences, sides) = self.group.room(self.agents.trials);
        let steps = differences.chunks_mut(STEP).zip(sides.chunks_mut(STEP));
        for (step, (differences, sides)) in steps.enumerate() {
            if step % STEPS_PER_CHECK == 0 {
                self.interrupt.check()?;
            }
            self.values.draw(&pairs, step as u64, differences.len(), &mut options);
            let chosen = deciders.choose(self.values, step as u64, &options, differences);
            sides.copy_from_slice(&chosen[..sides.len()]);
            for chosen in sides {
                (any, always) = (any | *chosen, always & *chosen);
            }
        }
        Ok(any & !always)
    }
}

/// Slopes as [`crate::logit::scale`] scales them in the lanes of `known`; NaN elsewhere, and where all are zero.
#[inline(always)]
fn scaled<V: Vector, const K: usize>(slopes: &[V; K], known: u8) -> [V; K] {
    let (zero, mut largest) = (V::splat(0.0), V::splat(0.0));
    for i in 0..K {
        largest = largest.max(slopes[i].max(zero.sub(slopes[i])));
    }
    let known = known & zero.less(largest);
    let mut out = *slopes;
    for i in 0..K {
        out[i] = V::select(known, slopes[i].div(largest).mul(V::splat(LARGEST)), V::splat(f64::NAN));
    }
    out
}

/// The correlation of `x` and `y` in every lane; NaN with fewer than three attributes or where nothing varies.
#[inline(always)]
fn correlation<V: Vector, const K: usize>(x: &[V; K], y: &[V; K]) -> V {
    let zero = V::splat(0.0);
    let (mut mean_x, mut mean_y) = (zero, zero);
    for i in 0..K {
        (mean_x, mean_y) = (mean_x.add(x[i]), mean_y.add(y[i]));
    }
    let attributes = V::splat(K as f64);
    (mean_x, mean_y) = (mean_x.div(attributes), mean_y.div(attributes));
    let [mut xx, mut yy, mut xy] = [zero; 3];
    let (mut x_varies, mut y_varies) = (0, 0);
    for i in 0..K {
        let (dx, dy) = (x[i].sub(mean_x), y[i].sub(mean_y));
        (xx, yy, xy) = (dx.fma(dx, xx), dy.fma(dy, yy), dx.fma(dy, xy));
        x_varies |= x[i].less(x[0]) | x[0].less(x[i]);
        y_varies |= y[i].less(y[0]) | y[0].less(y[i]);
    }
    let r = xy.div(xx.mul(yy).sqrt()).min(V::splat(1.0)).max(V::splat(-1.0));
    let defined = if K < 3 { 0 } else { x_varies & y_varies };
    V::select(defined, r, V::splat(f64::NAN))
}

/// The target weights of agents, as [`draw_targets`] draws them.
#[inline(always)]
fn drawn<V: Vector, const K: usize>(seed: u64, units: &[u64; MOST_LANES]) -> [V; K] {
    let draws = Streams::<V>::new(seed, Purpose::Targets, units, 0).draws(0);
    let (zero, one, hundred) = (V::splat(0.0), V::splat(1.0), V::splat(LARGEST));
    let (mut weights, mut largest) = ([zero; K], zero);
    for i in 0..K {
        let uniform = draws[i].uniform();
        weights[i] = hundred.mul(uniform.add(uniform).sub(one));
        largest = largest.max(weights[i].max(zero.sub(weights[i])));
    }
    let all = u8::MAX >> (MOST_LANES - V::LANES);
    if zero.less(largest) != all {
        return again(seed, units);
    }
    for i in 0..K {
        weights[i] = hundred.mul(weights[i]).div(largest).round().add(zero);
    }
    weights
}

/// Where a lane drew nothing but zeros.
#[cold]
#[inline(never)]
fn again<V: Vector, const K: usize>(seed: u64, units: &[u64; MOST_LANES]) -> [V; K] {
    let rows = draw_targets(units, K, seed).unwrap_or_default();
    let mut out = [V::splat(0.0); K];
    for i in 0..K {
        let mut lanes = [0.0; MOST_LANES];
        for l in 0..MOST_LANES {
            lanes[l] = rows[l * K + i];
        }
        out[i] = V::load(&lanes);
    }
    out
}
