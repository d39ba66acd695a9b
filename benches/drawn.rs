//! Studies that benchmarks compute with, drawn from one seed.

use avowal_engine::agents::{Rule, Trials, choices, draw_targets};
use avowal_engine::batch::Batch;
use avowal_engine::design::{self, Ranges};
use avowal_engine::{Interrupt, Result};

pub const ATTRIBUTES: usize = 5;
pub const TRIALS: usize = 50;
pub const SEED: u64 = 1;
pub const ONE_THREAD: usize = 1;

/// Trials of agents who choose by the logistic rule.
pub struct Study {
    pub units: Vec<u64>,
    pub targets: Vec<f64>,
    pub differences: Vec<f64>,
    pub choices: Vec<u8>,
    pub offsets: Vec<u64>,
}

impl Study {
    pub fn draw(agents: usize) -> Result<Self> {
        let units: Vec<u64> = (0..agents as u64).collect();
        let pairs = draw_pairs(&units)?;
        let (mins, maxs) = ranges(agents);
        let differences = design::differences(&Ranges::new(&mins, &maxs, ATTRIBUTES)?, &pairs)?;
        let targets = draw_targets(&units, ATTRIBUTES, SEED)?;
        let choices = choose(&units, &differences, &targets)?;
        Ok(Self {
            offsets: (0..=agents).map(|agent| (agent * TRIALS) as u64).collect(),
            units,
            targets,
            differences,
            choices,
        })
    }

    pub fn batch(&self) -> Result<Batch<'_>> {
        Batch::new(&self.differences, &self.choices, &self.offsets, ATTRIBUTES)
    }
}

/// Minima and maxima of the attributes of so many contexts, all alike.
pub fn ranges(contexts: usize) -> (Vec<f64>, Vec<f64>) {
    (vec![0.0; contexts * ATTRIBUTES], vec![100.0; contexts * ATTRIBUTES])
}

pub fn draw_pairs(units: &[u64]) -> Result<Vec<f64>> {
    let (mins, maxs) = ranges(units.len());
    let ranges = Ranges::new(&mins, &maxs, ATTRIBUTES)?;
    let mut out = vec![0.0; units.len() * TRIALS * 2 * ATTRIBUTES];
    design::draw_pairs(&ranges, units, TRIALS, SEED, ONE_THREAD, &Interrupt::new(), &mut out)?;
    Ok(out)
}

/// The choices of agents who weigh differences by their targets.
pub fn choose(units: &[u64], differences: &[f64], targets: &[f64]) -> Result<Vec<u8>> {
    let trials = Trials {
        differences,
        weights: targets,
        attributes: ATTRIBUTES,
        rules: &vec![Rule::logistic(5.0, 0.0, 0.0)?; units.len()],
        indices: None,
    };
    choices(&trials, units, SEED, 0, ONE_THREAD, &Interrupt::new())
}
