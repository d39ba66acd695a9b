//! Decisions drawn side by side, one agent a lane: pairs of options, and the choices between them.

use crate::agents::Rule;
use crate::error::Result;
use crate::parallel::Interrupt;
use crate::rng::Purpose;

use super::choosing::Rules;
use super::group::ONES;
use super::pairs::{STEP, Values};
use super::simd::{Kernel, MOST_LANES, Path, Vector};
use super::streams::Streams;

/// Steps between two looks at the interrupt flag.
pub(super) const STEPS_PER_CHECK: usize = 1 << 8;

/// Agents who see pairs and, where weights are given, choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub seed: u64,
    /// Which of many choices of the same pairs, in the keys of choices.
    pub replicate: u64,
    /// The agents' numbers in the keys of streams.
    pub units: &'a [u64],
    /// The attributes' minima and maxima, agent after agent.
    pub mins: &'a [f64],
    pub maxs: &'a [f64],
    /// What agents weigh differences with, agent after agent; empty where nobody chooses.
    pub weights: &'a [f64],
    /// One for each agent; empty where nobody chooses.
    pub rules: &'a [Rule],
}

/// As many agents as there are lanes.
pub(super) struct Deciders<V, const K: usize> {
    pub choices: Streams<V>,
    pub rules: Rules<V>,
    pub weights: [V; K],
}

impl<V: Vector, const K: usize> Deciders<V, K> {
    /// Draws the choices between the pairs of the trials from `STEP * step` on, and hands over their differences: for each
    /// trial one bit for each lane that chose A.
    #[inline(always)]
    pub(super) fn choose(
        &self,
        values: &Values<V, K>,
        step: u64,
        options: &[[V; K]; 2 * STEP],
        differences: &mut [[V; K]],
    ) -> [u8; STEP] {
        let mut chances = [V::splat(0.0); STEP];
        for ((row, chance), pair) in differences.iter_mut().zip(&mut chances).zip(options.as_chunks::<2>().0) {
            for i in 0..K {
                row[i] = values.difference(i, pair[0][i], pair[1][i]);
                *chance = chance.add(self.weights[i].mul(row[i]));
            }
        }
        let trials = differences.len();
        self.rules.chances(&mut chances[..trials]);
        let mut chosen = [0; STEP];
        let draws = self.choices.draws(step);
        for t in 0..trials {
            chosen[t] = draws[t].uniform().less(chances[t]);
        }
        chosen
    }
}

/// Writes the pairs of the agents of `agents` to `pairs` and, where it has room, their choices to `choices`.
pub(crate) fn decide(
    path: Path,
    scene: &Scene,
    attributes: usize,
    agents: std::ops::Range<usize>,
    (pairs, choices): (&mut [f64], &mut [u8]),
    interrupt: &Interrupt,
) -> Result<()> {
    for_attributes!(
        attributes,
        K,
        path.run(Decide::<K> {
            scene,
            agents,
            pairs,
            choices,
            interrupt
        })
    )
}

/// The kernel of [`decide`].
struct Decide<'a, const K: usize> {
    scene: &'a Scene<'a>,
    agents: std::ops::Range<usize>,
    pairs: &'a mut [f64],
    choices: &'a mut [u8],
    interrupt: &'a Interrupt,
}

impl<const K: usize> Kernel for Decide<'_, K> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Result<()> {
        let (scene, trials) = (self.scene, self.pairs.len() / (2 * K * self.agents.len()));
        let zero = V::splat(0.0);
        let (mut options, mut differences) = ([[zero; K]; 2 * STEP], [[zero; K]; STEP]);
        let (mut pairs, mut choices) = (self.pairs, self.choices);
        for first in self.agents.clone().step_by(V::LANES) {
            let here = V::LANES.min(self.agents.end - first);
            // Lanes beyond the last agent do as it does.
            let agents: [usize; MOST_LANES] = std::array::from_fn(|l| (first + l).min(self.agents.end - 1));
            let rows = |numbers| agents.map(|agent| row::<K>(numbers, agent));
            let units = agents.map(|agent| scene.units[agent]);
            let values = Values::<V, K>::new(&rows(scene.mins), &rows(scene.maxs));
            let stream = Streams::new(scene.seed, Purpose::Pairs, &units, 0);
            let deciders = (!scene.rules.is_empty()).then(|| Deciders {
                choices: Streams::new(scene.seed, Purpose::Choices, &units, scene.replicate),
                rules: Rules::new(&agents.map(|agent| scene.rules[agent])),
                weights: columns(&rows(scene.weights)),
            });
            let own_pairs = pairs.split_off_mut(..here * 2 * K * trials).unwrap_or_default();
            let own_choices = choices.split_off_mut(..here * trials).unwrap_or_default();
            let (mut pairs_of, mut choices_of) = (lanes_of(own_pairs, here), lanes_of(own_choices, here));
            for from in (0..trials).step_by(STEP) {
                if from % (STEP * STEPS_PER_CHECK) == 0 {
                    self.interrupt.check()?;
                }
                let (step, many) = ((from / STEP) as u64, STEP.min(trials - from));
                values.draw(&stream, step, many, &mut options);
                spread(options[..2 * many].as_flattened(), 2 * K * from, &mut pairs_of, here);
                if let Some(deciders) = &deciders {
                    let chosen = deciders.choose(&values, step, &options, &mut differences[..many]);
                    tell(&chosen[..many], from, &mut choices_of, here);
                }
            }
        }
        Ok(())
    }
}

/// The numbers of an agent.
#[inline(always)]
pub(super) fn row<const K: usize>(numbers: &[f64], agent: usize) -> &[f64] {
    &numbers[agent * K..][..K]
}

/// Rows, one a lane, number by number.
#[inline(always)]
pub(super) fn columns<V: Vector, const K: usize>(rows: &[&[f64]; MOST_LANES]) -> [V; K] {
    let mut out = [V::splat(0.0); K];
    for i in 0..K {
        out[i] = V::load(&rows.map(|row| row[i]));
    }
    out
}

/// Equal parts, one for each of the first `lanes` lanes.
fn lanes_of<T>(all: &mut [T], lanes: usize) -> [&mut [T]; MOST_LANES] {
    let mut parts = all.chunks_exact_mut((all.len() / lanes).max(1));
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Writes vector `i` to entry `at + i` of the targets, one for each of the first `lanes` lanes.
#[inline(always)]
fn spread<V: Vector>(vectors: &[V], at: usize, targets: &mut [&mut [f64]; MOST_LANES], lanes: usize) {
    let blocks = if lanes == V::LANES {
        vectors.len() / V::LANES * V::LANES
    } else {
        0
    };
    for from in (0..blocks).step_by(V::LANES) {
        V::scatter(&vectors[from..], at + from, targets);
    }
    let mut numbers = [0.0; MOST_LANES];
    for (i, vector) in vectors.iter().enumerate().skip(blocks) {
        vector.store(&mut numbers);
        for l in 0..lanes {
            targets[l][at + i] = numbers[l];
        }
    }
}

/// Writes the choices of trials from `at` on to the targets, one for each of the first `lanes` lanes.
#[inline(always)]
fn tell(chosen: &[u8], at: usize, targets: &mut [&mut [u8]; MOST_LANES], lanes: usize) {
    for (block, masks) in chosen.chunks(8).enumerate() {
        let mut bytes = [0; 8];
        bytes[..masks.len()].copy_from_slice(masks);
        // The byte of a trial holds a bit of every lane.
        let word = u64::from_le_bytes(bytes);
        for l in 0..lanes {
            let own = (word >> l & ONES).to_le_bytes();
            targets[l][at + 8 * block..][..masks.len()].copy_from_slice(&own[..masks.len()]);
        }
    }
}
