//! Time of the engine's main calls on one thread: fits, pairs, trial bootstrap, jackknife.

use avowal_engine::agents::{Rule, Trials, choices, draw_targets};
use avowal_engine::batch::{self, Batch};
use avowal_engine::bootstrap::{Method, Settings, Statistic, trial_bootstrap};
use avowal_engine::clusters::Entries;
use avowal_engine::design::{self, Ranges};
use avowal_engine::jackknife::jackknife;
use avowal_engine::logit::{Estimator, Model, Priors};
use avowal_engine::{Interrupt, Result};
use divan::Bencher;
use divan::counter::ItemsCount;

const ATTRIBUTES: usize = 5;
const TRIALS: usize = 50;
const SEED: u64 = 1;
const ONE_THREAD: usize = 1;

fn main() {
    divan::main();
}

/// Trials of agents who choose by the logistic rule.
struct Study {
    units: Vec<u64>,
    targets: Vec<f64>,
    differences: Vec<f64>,
    choices: Vec<u8>,
    offsets: Vec<u64>,
}

impl Study {
    fn draw(agents: usize) -> Result<Self> {
        let units: Vec<u64> = (0..agents as u64).collect();
        let pairs = draw_pairs(&units)?;
        let (mins, maxs) = ranges(agents);
        let differences = design::differences(&Ranges::new(&mins, &maxs, ATTRIBUTES)?, &pairs)?;
        let targets = draw_targets(&units, ATTRIBUTES, SEED)?;
        let trials = Trials {
            differences: &differences,
            weights: &targets,
            attributes: ATTRIBUTES,
            rules: &vec![Rule::logistic(5.0, 0.0, 0.0)?; agents],
            indices: None,
        };
        let choices = choices(&trials, &units, SEED, 0, ONE_THREAD, &Interrupt::new())?;
        Ok(Self {
            offsets: (0..=agents).map(|agent| (agent * TRIALS) as u64).collect(),
            units,
            targets,
            differences,
            choices,
        })
    }

    fn batch(&self) -> Result<Batch<'_>> {
        Batch::new(&self.differences, &self.choices, &self.offsets, ATTRIBUTES)
    }
}

fn ranges(contexts: usize) -> (Vec<f64>, Vec<f64>) {
    (vec![0.0; contexts * ATTRIBUTES], vec![100.0; contexts * ATTRIBUTES])
}

fn draw_pairs(units: &[u64]) -> Result<Vec<f64>> {
    let (mins, maxs) = ranges(units.len());
    let ranges = Ranges::new(&mins, &maxs, ATTRIBUTES)?;
    let mut out = vec![0.0; units.len() * TRIALS * 2 * ATTRIBUTES];
    design::draw_pairs(&ranges, units, TRIALS, SEED, ONE_THREAD, &Interrupt::new(), &mut out)?;
    Ok(out)
}

fn model(estimator: Estimator) -> Model {
    Model {
        estimator,
        intercept: true,
    }
}

fn fit(bencher: Bencher, agents: usize, estimator: Estimator) {
    let study = Study::draw(agents).expect("a valid study");
    let batch = study.batch().expect("a valid batch");
    bencher
        .counter(ItemsCount::new(agents))
        .bench(|| batch::fit(&batch, &model(estimator), ONE_THREAD, &Interrupt::new()));
}

#[divan::bench(args = [1_000])]
fn fit_posterior_mode(bencher: Bencher, agents: usize) {
    fit(bencher, agents, Estimator::Map(Priors::default()));
}

#[divan::bench(args = [1_000])]
fn coefficients_alone(bencher: Bencher, agents: usize) {
    let study = Study::draw(agents).expect("a valid study");
    let model = model(Estimator::Map(Priors::default()));
    bencher.counter(ItemsCount::new(agents)).bench(|| {
        let batch = Batch::shaped(&study.differences, &study.choices, &study.offsets, ATTRIBUTES)?;
        batch::coefficients(&batch, &model, ONE_THREAD, &Interrupt::new())
    });
}

#[divan::bench(args = [1_000])]
fn fit_maximum_likelihood(bencher: Bencher, agents: usize) {
    fit(bencher, agents, Estimator::MaximumLikelihood);
}

#[divan::bench(args = [1_000])]
fn fit_firth(bencher: Bencher, agents: usize) {
    fit(bencher, agents, Estimator::Firth);
}

#[divan::bench(args = [1_000])]
fn pairs(bencher: Bencher, contexts: usize) {
    let units: Vec<u64> = (0..contexts as u64).collect();
    bencher
        .counter(ItemsCount::new(contexts * TRIALS))
        .bench(|| draw_pairs(&units));
}

#[divan::bench(args = [100])]
fn bootstrap_of_trials(bencher: Bencher, resamples: usize) {
    let study = Study::draw(10).expect("a valid study");
    let batch = study.batch().expect("a valid batch");
    let settings = Settings {
        resamples,
        level: 0.95,
        method: Method::Percentile,
        statistic: Statistic::Scaled,
        seed: SEED,
        keep_draws: false,
    };
    let model = model(Estimator::Map(Priors::default()));
    bencher
        .counter(ItemsCount::new(resamples * study.units.len()))
        .bench(|| trial_bootstrap(&batch, &model, &study.units, &settings, ONE_THREAD, &Interrupt::new()));
}

#[divan::bench(args = [100])]
fn jackknife_of_contexts(bencher: Bencher, contexts: usize) {
    let study = Study::draw(2 * contexts).expect("a valid study");
    let (weights, reports) = study.targets.split_at(contexts * ATTRIBUTES);
    let of_entry: Vec<i64> = (0..)
        .flat_map(|context| [context; ATTRIBUTES])
        .take(weights.len())
        .collect();
    let entries = Entries {
        weights,
        reports,
        contexts: &of_entry,
        groups: &vec![0; weights.len()],
    };
    bencher
        .counter(ItemsCount::new(contexts))
        .bench(|| jackknife(&[entries, entries]));
}
