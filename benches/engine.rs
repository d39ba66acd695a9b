//! Time of the engine's main calls on one thread: fits, pairs, trial bootstrap, jackknife.

mod drawn;

use avowal_engine::Interrupt;
use avowal_engine::batch::{self, Batch};
use avowal_engine::bootstrap::{Method, Settings, Statistic, trial_bootstrap};
use avowal_engine::clusters::Entries;
use avowal_engine::jackknife::jackknife;
use avowal_engine::logit::{Estimator, Model, Priors};
use divan::Bencher;
use divan::counter::ItemsCount;
use drawn::{ATTRIBUTES, ONE_THREAD, SEED, Study, TRIALS, draw_pairs};

fn main() {
    divan::main();
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
