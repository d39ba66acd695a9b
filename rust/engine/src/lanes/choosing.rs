//! Choices by an agent's rule, in lanes: [`crate::agents::Rule::probability_of_a`] against uniforms.

use crate::agents::{LARGEST, Rule};

use super::logistic::miss;
use super::simd::{Kernel, MOST_LANES, Vector};

/// The rules of agents, one a lane.
#[derive(Clone, Copy)]
pub(super) struct Rules<V> {
    temperature: V,
    bias: V,
    /// The chance of A by lapse, and the share of trials without one.
    lapse: V,
    rest: V,
    /// The lanes whose agents look at nothing but utilities.
    deterministic: u8,
}

impl<V: Vector> Rules<V> {
    #[inline(always)]
    pub(super) fn new(rules: &[Rule; MOST_LANES]) -> Self {
        let mut numbers = [[0.0; MOST_LANES]; 4];
        let mut deterministic = 0;
        for l in 0..V::LANES {
            match rules[l] {
                Rule::Deterministic => deterministic |= 1 << l,
                Rule::Logistic {
                    inverse_temperature,
                    position_bias,
                    lapse,
                } => {
                    for (place, number) in [inverse_temperature, position_bias, lapse / 2.0, 1.0 - lapse]
                        .into_iter()
                        .enumerate()
                    {
                        numbers[place][l] = number;
                    }
                }
            }
        }
        let [temperature, bias, lapse, rest] = numbers.map(|lanes| V::load(&lanes));
        Self {
            temperature,
            bias,
            lapse,
            rest,
            deterministic,
        }
    }

    /// Puts the chance of A into the place of each sum_i w_i d_i. All sums take one step after another, so that the processor
    /// works on many at a time.
    #[inline(always)]
    pub(super) fn chances(&self, advantages: &mut [V]) {
        for advantage in &mut *advantages {
            let odds = self.temperature.fma(advantage.div(V::splat(LARGEST)), self.bias);
            let chance = self.rest.fma(miss(V::splat(0.0).sub(odds)), self.lapse);
            // Looking at nothing but utilities, an agent is certain, and chooses B where they tie.
            let certain = V::select(V::splat(0.0).less(*advantage), V::splat(1.0), V::splat(0.0));
            *advantage = V::select(self.deterministic, certain, chance);
        }
    }
}

/// The choices of one agent: trials side by side.
pub(crate) struct Choose<'a> {
    pub rule: Rule,
    /// sum_i w_i d_i of every trial.
    pub advantages: &'a [f64],
    /// The draw of every trial.
    pub words: &'a [u64],
    /// 1 for A, 0 for B.
    pub out: &'a mut [u8],
}

impl Kernel for Choose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let rules = Rules::<V>::new(&[self.rule; MOST_LANES]);
        let trials = self.advantages.chunks(V::LANES).zip(self.words.chunks(V::LANES));
        for ((advantages, words), out) in trials.zip(self.out.chunks_mut(V::LANES)) {
            let (mut lanes, mut bits) = ([0.0; MOST_LANES], [0; MOST_LANES]);
            lanes[..advantages.len()].copy_from_slice(advantages);
            bits[..words.len()].copy_from_slice(words);
            let mut chance = [V::load(&lanes)];
            rules.chances(&mut chance);
            let chosen = V::words(&bits).uniform().less(chance[0]);
            for (l, choice) in out.iter_mut().enumerate() {
                *choice = chosen >> l & 1;
            }
        }
    }
}
