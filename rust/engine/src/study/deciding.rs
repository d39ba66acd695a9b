//! An agent's decisions: pairs drawn uniformly or taken from a design, choices by the logistic rule.
//!
//! Both options' values are uniform on the unit range, so a difference is that of two uniforms; that real values are
//! rounded to at least eight levels (most to dozens) moves it by a few hundredths at most, and is left out.

use crate::rng::{Purpose, Stream, uniform};

use super::latent::{Agent, unit};
use super::logistic::logistic;
use super::settings::{Group, Settings};

/// One agent's decisions, attribute after attribute, as the fits want them.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// Differences, (attributes, trials).
    pub differences: Vec<f64>,
    /// 1 for A, 0 for B, (trials,).
    pub chose_a: Vec<f64>,
    /// Log odds and then probabilities of A: working space of one call.
    odds: Vec<f64>,
    /// One call's draws, trial after trial.
    words: Vec<u64>,
}

impl Decisions {
    /// The number of trials.
    pub fn trials(&self) -> usize {
        self.chose_a.len()
    }

    /// The differences in one attribute.
    pub fn column(&self, attribute: usize) -> &[f64] {
        let trials = self.trials();
        &self.differences[attribute * trials..][..trials]
    }

    /// Appends the differences, trial after trial.
    pub fn rows(&self, attributes: usize, out: &mut Vec<f64>) {
        let trials = self.trials();
        for t in 0..trials {
            out.extend((0..attributes).map(|i| self.differences[i * trials + t]));
        }
    }

    /// Draws anew, in place. Every trial takes one word for each attribute and one for the choice, so that more decisions
    /// extend the same sequence. A design, flat (trials, attributes), takes the place of the differences that the words
    /// say, and leaves the words of the choices where they are.
    pub fn draw(
        &mut self,
        settings: &Settings,
        agent: &Agent,
        group: Group,
        index: usize,
        key: (usize, u64, u64),
        design: Option<&[f64]>,
    ) {
        let (model, seed, replicate) = key;
        let (k, trials) = (settings.attributes(), settings.decisions(group));
        let mut stream = Stream::new(
            seed,
            Purpose::StudyDecisions,
            unit(2 * model + group as usize, index),
            replicate,
        );
        self.differences.resize(k * trials, 0.0);
        self.chose_a.resize(trials, 0.0);
        self.odds.clear();
        self.odds.resize(trials, agent.position_bias);
        self.words.resize(trials * (k + 1), 0);
        stream.fill_bits(&mut self.words);
        for i in 0..k {
            let column = &mut self.differences[i * trials..][..trials];
            if let Some(rows) = design {
                column
                    .iter_mut()
                    .zip(rows.chunks_exact(k))
                    .for_each(|(d, row)| *d = row[i]);
                continue;
            }
            for (d, words) in column.iter_mut().zip(self.words.chunks_exact(k + 1)) {
                *d = difference(words[i]);
            }
        }
        for (choice, words) in self.chose_a.iter_mut().zip(self.words.chunks_exact(k + 1)) {
            *choice = uniform(words[k]);
        }
        for i in 0..k {
            let slope = agent.inverse_temperature * agent.weights[i] / super::latent::LARGEST;
            let column = &self.differences[i * trials..][..trials];
            for (odds, d) in self.odds.iter_mut().zip(column) {
                *odds += slope * d;
            }
        }
        logistic(&mut self.odds);
        let lapse = settings.deciding[group as usize].lapse;
        for (choice, p) in self.chose_a.iter_mut().zip(&self.odds) {
            *choice = f64::from(*choice < lapse / 2.0 + (1.0 - lapse) * p);
        }
    }

    /// The number of choices that `weights` prescribe; ties go to B.
    pub fn agreeing(&mut self, weights: &[f64]) -> usize {
        let trials = self.trials();
        self.odds.clear();
        self.odds.resize(trials, 0.0);
        for (i, w) in weights.iter().enumerate() {
            let column = &self.differences[i * trials..][..trials];
            for (sum, d) in self.odds.iter_mut().zip(column) {
                *sum += w * d;
            }
        }
        let pairs = self.odds.iter().zip(&self.chose_a);
        pairs
            .filter(|(sum, chose_a)| (**sum > 0.0) == (**chose_a == 1.0))
            .count()
    }
}

/// The difference of two uniforms, each a multiple of 2^-32, from the halves of one word.
#[inline]
fn difference(word: u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 32) as f64;
    (((word >> 32) as f64) - f64::from(word as u32)) * STEP
}
