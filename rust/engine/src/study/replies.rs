//! What a model says of an agent's weights: a belief, and replies around it.

use crate::rng::{Purpose, Stream, uniform};

use super::latent::{Agent, LARGEST, unit};
use super::logistic::round;
use super::normal::{centred, normal, normals};
use super::settings::{Reporting, Set, Settings};

/// The replies about one agent.
#[derive(Debug, Clone, Default)]
pub struct Replies {
    /// What the agent believes its weights to be, (attributes,).
    pub belief: Vec<f64>,
    /// Valid replies, one after another, (valid, attributes).
    pub values: Vec<f64>,
    /// Whether each planned reply is valid, (replies,).
    pub valid: Vec<bool>,
    /// One call's draws, reply after reply.
    words: Vec<u64>,
    /// What decides how each valid reply is written.
    places: Vec<f64>,
}

/// Which stream the replies come from: model, seed, replicate.
pub type Key = (usize, u64, u64);

fn stream(set: Set, index: usize, key: Key) -> Stream {
    let (model, seed, replicate) = key;
    let part = Set::ALL.len() * model + set as usize;
    Stream::new(seed, Purpose::StudyReports, unit(part, index), replicate)
}

/// The place of what models share among streams: behind those of both models.
const COMMON: usize = 2;

/// The factor by which the models of a set (two for introspection training) stretch all their reports.
pub fn model_scales(settings: &Settings, set: Set, key: Key) -> [f64; 2] {
    let sd = settings.reporting[set as usize].model_scale_sd;
    // No agent has this index.
    let mut stream = stream(set, u32::MAX as usize, key);
    [(sd * normal(&mut stream)).exp(), (sd * normal(&mut stream)).exp()]
}

impl Replies {
    /// Draws anew, in place. The belief comes first and every reply takes as many words as any other, so that more replies
    /// extend the same sequence.
    pub fn draw(&mut self, settings: &Settings, agent: &Agent, set: Set, index: usize, model_scale: f64, key: Key) {
        let how = &settings.reporting[set as usize];
        let k = settings.attributes();
        let mut stream = stream(set, index, key);
        let gain = model_scale * how.scale * (how.scale_sd * normal(&mut stream)).exp();
        let shift = how.shift + how.shift_sd * normal(&mut stream);
        self.draw_errors(settings, set, index, key, &mut stream);
        believe(agent, set, how, &mut self.belief);
        let invalid = chance(how.invalid, how.invalid_clustering, &mut stream);
        self.words.resize(settings.replies() * (k + 2), 0);
        stream.fill_bits(&mut self.words);
        self.values.clear();
        self.valid.clear();
        self.places.clear();
        for words in self.words.chunks_exact(k + 2) {
            let valid = uniform(words[0]) >= invalid;
            self.valid.push(valid);
            if valid {
                // One draw decides both habit and rounding, so that the replies most by habit are the most coarsely rounded.
                self.places.push(uniform(words[1]));
                self.values.extend(words[2..].iter().map(|word| centred(*word)));
            }
        }
        normals(&mut self.values);
        for (reply, place) in self.values.chunks_exact_mut(k).zip(&self.places) {
            reply
                .iter_mut()
                .zip(&self.belief)
                .for_each(|(v, b)| *v = gain * b + shift + how.noise * *v);
            let stretch = if *place < how.habit { Some(how.stretch) } else { None };
            let step = if *place < how.coarse { how.coarse_step } else { how.step };
            written(reply, stretch, step);
        }
    }

    /// Makes the belief standard normals that correlate between models as asked for.
    fn draw_errors(&mut self, settings: &Settings, set: Set, index: usize, key: Key, own: &mut Stream) {
        let shared = settings.reporting[set as usize].shared_error;
        self.belief.clear();
        self.belief.extend((0..settings.attributes()).map(|_| normal(own)));
        if shared > 0.0 {
            let mut common = stream(set, index, (COMMON, key.1, key.2));
            let (a, b) = (shared.sqrt(), (1.0 - shared).sqrt());
            let draws = self.belief.iter_mut();
            draws.for_each(|o| *o = a * normal(&mut common) + b * *o);
        }
    }

    /// The average of the valid replies; `None` without any.
    pub fn mean(&self, out: &mut [f64]) -> bool {
        let k = out.len();
        out.fill(0.0);
        for reply in self.values.chunks_exact(k) {
            out.iter_mut().zip(reply).for_each(|(sum, v)| *sum += v);
        }
        let count = (self.values.len() / k) as f64;
        out.iter_mut().for_each(|sum| *sum /= count);
        count > 0.0
    }

    /// Adds the averages of the first and of the second half of the valid replies; an odd one is left out.
    pub fn halves(&self, k: usize, out: &mut [Vec<f64>; 2]) {
        let half = self.values.len() / k / 2;
        if half == 0 {
            return;
        }
        for (part, out) in self.values.chunks_exact(half * k).zip(out) {
            out.extend((0..k).map(|i| part.iter().skip(i).step_by(k).sum::<f64>() / half as f64));
        }
    }

    /// Adds all planned replies, NaN where invalid.
    pub fn keep(&self, k: usize, out: &mut Vec<f64>) {
        let mut valid = self.values.chunks_exact(k);
        for known in &self.valid {
            match known.then(|| valid.next()).flatten() {
                Some(reply) => out.extend(reply),
                None => out.extend(std::iter::repeat_n(f64::NAN, k)),
            }
        }
    }
}

/// Replaces errors by what the agent believes of its weights.
fn believe(agent: &Agent, set: Set, how: &Reporting, errors: &mut [f64]) {
    let size = agent.size();
    let astray = (1.0 - how.fidelity * how.fidelity).sqrt() * size;
    let alone = (1.0 - how.common_sense * how.common_sense).sqrt();
    let truths = agent.weights.iter().zip(&agent.common_sense);
    for (error, (w, c)) in errors.iter_mut().zip(truths) {
        let held = if set == Set::OffTheShelf { size * c } else { *w };
        *error = how.fidelity * held + astray * (how.common_sense * c + alone * *error);
    }
}

/// A reply as it is written down: scaled by habit, rounded, and within the scale that was asked for.
fn written(reply: &mut [f64], stretch: Option<f64>, step: f64) {
    let factor = stretch.map_or(1.0, |stretch| {
        let largest = reply.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if largest > 0.0 {
            stretch * LARGEST / largest
        } else {
            1.0
        }
    });
    for value in reply {
        // Cut first where a number is too large for rounding; adding zero turns a negative zero into zero.
        let cut = (*value * factor).clamp(-1e6, 1e6);
        *value = (round(cut / step) * step).clamp(-LARGEST, LARGEST) + 0.0;
    }
}

/// One agent's share of invalid replies: beta distributed with that mean and intraclass correlation.
fn chance(mean: f64, clustering: f64, stream: &mut Stream) -> f64 {
    if mean == 0.0 || mean == 1.0 || clustering == 0.0 {
        return mean;
    }
    let size = clustering.recip() - 1.0;
    if size < 1e-6 {
        return f64::from(stream.uniform() < mean);
    }
    // In logarithms, because small shapes give gammas below the smallest double.
    let (a, b) = (
        log_gamma_variate(mean * size, stream),
        log_gamma_variate((1.0 - mean) * size, stream),
    );
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a gamma variate of unit scale (Marsaglia and Tsang 2000, ACM TOMS 26:3, with their boost below 1).
fn log_gamma_variate(shape: f64, stream: &mut Stream) -> f64 {
    if shape < 1.0 {
        let boost = (1.0 - stream.uniform()).ln() / shape;
        return boost + log_gamma_variate(shape + 1.0, stream);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal(stream);
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && (1.0 - stream.uniform()).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d.ln() + v.ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_shares_have_the_mean_and_the_clustering_asked_for() {
        for (mean, clustering) in [(0.4, 0.5), (0.03, 0.8), (0.2, 0.05), (0.6, 0.999_999_9)] {
            let mut stream = Stream::new(3, Purpose::User, 0, 0);
            let drawn: Vec<f64> = (0..40_000).map(|_| chance(mean, clustering, &mut stream)).collect();
            let n = drawn.len() as f64;
            let average = drawn.iter().sum::<f64>() / n;
            let variance = drawn.iter().map(|p| (p - average).powi(2)).sum::<f64>() / n;
            let spread = (mean * (1.0 - mean) * clustering / n).sqrt();
            assert!((average - mean).abs() < 4.0 * spread, "{average} for {mean}");
            let found = variance / (mean * (1.0 - mean));
            assert!(
                (found - clustering).abs() < 0.05 * clustering.max(0.2),
                "{found} for {clustering}"
            );
        }
    }

    #[test]
    fn replies_are_scaled_rounded_and_cut() {
        let mut reply = [12.0, -49.0, 3.0];
        written(&mut reply, Some(1.0), 10.0);
        assert_eq!(reply, [20.0, -100.0, 10.0]);
        let mut stretched = [12.0, -49.0, 48.0];
        written(&mut stretched, Some(1.1), 1.0);
        assert_eq!(stretched, [27.0, -100.0, 100.0]);
        let mut beyond = [260.0, -2.0, -1e300];
        written(&mut beyond, None, 5.0);
        assert_eq!(beyond, [100.0, 0.0, -100.0]);
        assert!(beyond[1].is_sign_positive());
        let mut nothing = [0.0, 0.0];
        written(&mut nothing, Some(2.0), 5.0);
        assert_eq!(nothing, [0.0, 0.0]);
    }
}
