//! What is true in a simulated study and never observed: targets, common sense, and the weights in force.

use crate::rng::{Purpose, Stream};

use super::normal::normal;
use super::settings::{Group, Settings};

/// The largest absolute weight.
pub const LARGEST: f64 = 100.0;

/// One agent's truth under one model; vectors hold one entry for each attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Target weights, whole numbers; empty for native agents.
    pub targets: Vec<f64>,
    /// Common sense, standard normal.
    pub common_sense: Vec<f64>,
    /// The weights in force, scaled so that the largest absolute one is 100.
    pub weights: Vec<f64>,
    /// Log odds per full range of an attribute of weight 100.
    pub inverse_temperature: f64,
    /// Log odds of A between equal options.
    pub position_bias: f64,
}

impl Agent {
    /// The root mean square of the weights in force.
    pub fn size(&self) -> f64 {
        rms(&self.weights)
    }

    /// Draws agent `index` of a group under model `model`.
    ///
    /// What models share comes from the agent's common stream, what is a model's own from a stream of its own; the
    /// order of draws is frozen with the streams.
    pub fn draw(settings: &Settings, group: Group, index: usize, model: usize, seed: u64, replicate: u64) -> Self {
        let stream = |who: usize| {
            let unit = unit(2 * who + group as usize, index);
            Stream::new(seed, Purpose::StudyAgents, unit, replicate)
        };
        // Stream 0 is common; model m has stream m + 1.
        let (mut common, mut own) = (stream(0), stream(model + 1));
        let (design, deciding, k) = (
            &settings.design,
            &settings.deciding[group as usize],
            settings.attributes(),
        );
        let inverse_temperature =
            deciding.inverse_temperature * (deciding.inverse_temperature_sd * normal(&mut own)).exp();
        let position_bias = deciding.position_bias + deciding.position_bias_sd * normal(&mut own);
        let common_sense = mixed(&mut common, &mut own, design.shared_common_sense, k);
        let (rest_shared, follows) = match group {
            Group::Trained => (design.shared_residual, design.residual_common_sense),
            Group::Native => (design.shared_native, design.native_common_sense),
        };
        let rest = mixed(&mut common, &mut own, rest_shared, k);
        let other = (1.0 - follows * follows).sqrt();
        let native = common_sense.iter().zip(&rest).map(|(c, o)| follows * c + other * o);
        let (targets, weights) = match group {
            Group::Native => (Vec::new(), scaled(native.collect())),
            Group::Trained => {
                let shared = common.uniform() < design.shared_targets;
                let targets = targets(if shared { &mut common } else { &mut own }, k);
                let (kept, lost) = (
                    design.instilling,
                    (1.0 - design.instilling * design.instilling).sqrt() * rms(&targets),
                );
                let weights = targets.iter().zip(native).map(|(t, n)| kept * t + lost * n).collect();
                (targets, scaled(weights))
            }
        };
        Self {
            targets,
            common_sense,
            weights,
            inverse_temperature,
            position_bias,
        }
    }
}

/// The unit of a stream: which part of the study, and which agent.
pub fn unit(part: usize, index: usize) -> u64 {
    ((part as u64) << 32) | index as u64
}

/// Standard normals that correlate `shared` between models.
fn mixed(common: &mut Stream, own: &mut Stream, shared: f64, k: usize) -> Vec<f64> {
    let (a, b) = (shared.sqrt(), (1.0 - shared).sqrt());
    (0..k).map(|_| a * normal(common) + b * normal(own)).collect()
}

/// Uniform from -100 to 100, scaled so that the largest absolute one is 100, rounded, as [`crate::agents::draw_targets`].
fn targets(stream: &mut Stream, k: usize) -> Vec<f64> {
    let drawn = (0..k).map(|_| LARGEST * (2.0 * stream.uniform() - 1.0)).collect();
    let mut weights = scaled(drawn);
    weights.iter_mut().for_each(|w| *w = w.round_ties_even());
    weights
}

/// Scaled so that the largest absolute value is 100; all zeros, which have probability zero, stay.
fn scaled(mut weights: Vec<f64>) -> Vec<f64> {
    let largest = weights.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    if largest > 0.0 {
        weights.iter_mut().for_each(|w| *w = LARGEST * *w / largest);
    }
    weights
}

fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
}
