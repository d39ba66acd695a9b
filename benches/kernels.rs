//! One kernel a given number of times, for counting its instructions: `kernels.rs NAME REPETITIONS PARAMETER...`.
//!
//! What is drawn beforehand is the same whatever the repetitions, so the difference of two runs is the kernel's alone.
//! The parameters are those of the simulated study.

mod drawn;

use std::hint::black_box;

use avowal_engine::agents::{Deciding, Rule, decisions, draw_targets};
use avowal_engine::batch::{self, Batch};
use avowal_engine::bootstrap::{Method, Settings, Statistic, trial_bootstrap};
use avowal_engine::design::Ranges;
use avowal_engine::logit::{Estimator, Model, Priors};
use avowal_engine::recovery::{Design, recovery};
use avowal_engine::study::{self, Designs, Run, simulate};
use avowal_engine::{Error, Interrupt, Result};
use drawn::{ATTRIBUTES, ONE_THREAD, SEED, Study, TRIALS, choose, draw_pairs, ranges};

const AGENTS: usize = 1_000;

fn model() -> Model {
    Model {
        estimator: Estimator::Map(Priors::default()),
        intercept: true,
    }
}

fn fit(repetitions: u64) -> Result<()> {
    let drawn = Study::draw(AGENTS)?;
    for _ in 0..repetitions {
        let batch = Batch::shaped(&drawn.differences, &drawn.choices, &drawn.offsets, ATTRIBUTES)?;
        black_box(batch::coefficients(&batch, &model(), ONE_THREAD, &Interrupt::new())?);
    }
    Ok(())
}

fn bootstrap(repetitions: u64) -> Result<()> {
    let drawn = Study::draw(1)?;
    let settings = Settings {
        resamples: 1_000,
        level: 0.95,
        method: Method::Percentile,
        statistic: Statistic::Scaled,
        seed: SEED,
        keep_draws: false,
    };
    for _ in 0..repetitions {
        let batch = drawn.batch()?;
        black_box(trial_bootstrap(
            &batch,
            &model(),
            &drawn.units,
            &settings,
            ONE_THREAD,
            &Interrupt::new(),
        )?);
    }
    Ok(())
}

fn pairs(repetitions: u64) -> Result<()> {
    let units: Vec<u64> = (0..AGENTS as u64).collect();
    for _ in 0..repetitions {
        black_box(draw_pairs(&units)?);
    }
    Ok(())
}

fn choices(repetitions: u64) -> Result<()> {
    let drawn = Study::draw(AGENTS)?;
    for _ in 0..repetitions {
        black_box(choose(&drawn.units, &drawn.differences, &drawn.targets)?);
    }
    Ok(())
}

fn decide(repetitions: u64) -> Result<()> {
    let units: Vec<u64> = (0..AGENTS as u64).collect();
    let (mins, maxs) = ranges(AGENTS);
    let deciding = Deciding {
        ranges: Ranges::new(&mins, &maxs, ATTRIBUTES)?,
        weights: &draw_targets(&units, ATTRIBUTES, SEED)?,
        rules: &vec![Rule::logistic(5.0, 0.0, 0.0)?; AGENTS],
    };
    let mut pairs = vec![0.0; AGENTS * TRIALS * 2 * ATTRIBUTES];
    let mut choices = vec![0; AGENTS * TRIALS];
    for _ in 0..repetitions {
        let out = (&mut pairs[..], &mut choices[..]);
        decisions(&deciding, &units, (SEED, 0), ONE_THREAD, &Interrupt::new(), out)?;
        black_box((&pairs, &choices));
    }
    Ok(())
}

fn recover(repetitions: u64) -> Result<()> {
    let (mins, maxs) = ranges(1);
    let design = Design {
        ranges: Ranges::new(&mins, &maxs, ATTRIBUTES)?,
        agents: 100,
        trials: TRIALS,
        rule: Rule::logistic(5.0, 0.0, 0.0)?,
        model: model(),
    };
    for _ in 0..repetitions {
        black_box(recovery(&design, SEED, (0, 2), ONE_THREAD, &Interrupt::new())?);
    }
    Ok(())
}

/// The same replicate every time: others would draw other numbers, and differ in their instructions.
fn replicate(repetitions: u64, settings: &study::Settings) -> Result<()> {
    let run = Run {
        seed: SEED,
        first: 0,
        count: 1,
        level: 0.95,
        threads: ONE_THREAD,
    };
    for _ in 0..repetitions {
        black_box(simulate(&[*settings], Designs::default(), &run, &Interrupt::new())?);
    }
    Ok(())
}

fn main() -> Result<()> {
    // Cargo adds --bench.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let name = arguments.next().unwrap_or_default();
    let repetitions = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    let parameters: Vec<f64> = arguments.filter_map(|argument| argument.parse().ok()).collect();
    match name.as_str() {
        "fit" => fit(repetitions),
        "bootstrap" => bootstrap(repetitions),
        "pairs" => pairs(repetitions),
        "choices" => choices(repetitions),
        "decisions" => decide(repetitions),
        "recovery" => recover(repetitions),
        "replicate" => replicate(repetitions, &study::Settings::read(&parameters)?),
        _ => Err(Error::input(
            "kernel",
            "fit, bootstrap, pairs, choices, decisions, recovery or replicate",
            name,
        )),
    }
}
