//! The simulated study: whole replicates, from contexts to accuracies, with nothing but numbers in and out.
//!
//! Reading order: `settings` (every quantity), `latent` (what is true), `designs` and `deciding` (pairs and choices),
//! `replies` (reports), `fitting` (weights from choices), `logistic` and `normal` (draws, fast), `entries`
//! (weights beside reports), `replicate` (one model's study), `columns` (the figures). A replicate depends on its settings,
//! seed and number alone: each agent has streams of its own for its truth, its decisions and each set of replies.

mod columns;
mod deciding;
mod designs;
mod entries;
mod fitting;
mod latent;
mod logistic;
mod normal;
mod replicate;
mod replies;
mod settings;

pub use columns::{CONTRASTS, ContrastFigures, Figures, GroupFigures, REASONS, SetFigures, TargetFigures};
pub use deciding::Decisions;
pub use designs::Designs;
pub use entries::Table;
pub use fitting::{Fitted, Fitter, TOGETHER};
pub use latent::Agent;
pub use replicate::{Raw, Simulated, dump};
pub use replies::{Key, Replies, model_scales};
pub use settings::{Deciding, Design, Group, Reporting, Set, Settings};

use crate::correlation::{Moments, pearson, pooled_r, slope_contrast};
use crate::error::{Error, Result};
use crate::jackknife::{Jackknife, jackknife};
use crate::outcome::{Outcome, Undefined};
use crate::parallel::{Interrupt, map_units};
use columns::code;
use designs::Checked;
use entries::Entries;
use replicate::by_second_model;

/// Replicates whose rows wait to be copied into the table: few, so that the table is all that grows.
const ROWS_AT_ONCE: usize = 1024;

/// Which replicates are simulated, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The seed of all streams.
    pub seed: u64,
    /// The first replicate.
    pub first: u64,
    /// How many.
    pub count: usize,
    /// The level of all intervals.
    pub level: f64,
    /// 0 for one per core.
    pub threads: usize,
}

/// Simulates replicates of the study of one base model, or of two that share what their settings say: flat
/// (replicates, models, columns), columns as [`Figures::names`].
pub fn simulate(models: &[Settings], designs: Designs<'_>, run: &Run, interrupt: &Interrupt) -> Result<Vec<f64>> {
    crate::intervals::check_level(run.level)?;
    check_models(models)?;
    let designs = models
        .iter()
        .map(|settings| designs.check(settings))
        .collect::<Result<Vec<_>>>()?;
    if run.first.checked_add(run.count as u64).is_none() {
        return Err(Error::input("first", "a replicate below 2^64", run.first));
    }
    let mut out: Vec<f64> = Vec::new();
    let numbers = (Figures::names().len() * models.len()).saturating_mul(run.count);
    out.try_reserve_exact(numbers)
        .map_err(|_| Error::input("count", "as many replicates as fit into memory", run.count))?;
    for start in (0..run.count).step_by(ROWS_AT_ONCE) {
        let rows = map_units(run.threads, ROWS_AT_ONCE.min(run.count - start), interrupt, |i| {
            replicate_of(models, &designs, run, run.first + (start + i) as u64, interrupt)
        })?;
        rows.iter().for_each(|row| out.extend_from_slice(row));
    }
    Ok(out)
}

fn check_models(models: &[Settings]) -> Result<()> {
    if !(1..=2).contains(&models.len()) {
        return Err(Error::input("models", "one or two", models.len()));
    }
    let contexts = |s: &Settings| (s.attributes(), Group::ALL.map(|g| s.agents(g)));
    if models.iter().any(|s| contexts(s) != contexts(&models[0])) {
        return Err(Error::input(
            "models",
            "as many agents and attributes in both",
            "other numbers",
        ));
    }
    Ok(())
}

fn replicate_of(
    models: &[Settings],
    designs: &[Checked<'_>],
    run: &Run,
    replicate: u64,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    let simulated = models
        .iter()
        .zip(designs)
        .enumerate()
        .map(|(model, (settings, designs))| {
            Simulated::draw(settings, designs, (model, run.seed, replicate), None, interrupt)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut row = Vec::new();
    for (place, own) in simulated.iter().enumerate() {
        let other = simulated.get(1 - place);
        figures(own, other, run.level)?.write(&mut row);
    }
    Ok(row)
}

/// Everything that can be said of one model's study; `other` for what two models have in common.
pub fn figures(own: &Simulated, other: Option<&Simulated>, level: f64) -> Result<Figures> {
    let mut out = Figures {
        target: TargetFigures::default(),
        groups: own.group_figures,
        sets: own.set_figures,
        contrasts: [ContrastFigures::default(); 3],
    };
    out.target = against_targets(own, level)?;
    let entries = Set::ALL.map(|set| {
        let weights = &own.weights[set.group() as usize];
        Entries::join(weights, &own.reports[set as usize], |context| {
            by_second_model(set, context, weights.known.len())
        })
    });
    let trained = jackknife(&[entries[0].cell(), entries[1].cell(), entries[2].cell()])?;
    let native = jackknife(&[entries[3].cell(), entries[4].cell()])?;
    for set in Set::ALL {
        let (place, found) = (set as usize, &entries[set as usize]);
        let figures = &mut out.sets[place];
        found.describe(figures, level)?;
        figures.true_r = true_r(own, set.group(), &own.beliefs[place]);
        figures.contexts_lost = (own.reports[place].known.len() - found.len()) as f64;
        let cell = if place < 3 {
            &trained.cells[place]
        } else {
            &native.cells[place - 3]
        };
        figures.cluster_status = code(&cell.fisher);
        if let Ok(fisher) = cell.fisher {
            (figures.cluster_low, figures.cluster_high) = fisher.interval(level);
        }
        if set.group() == Group::Trained {
            figures.r_target = found.against(&own.targets);
            if set != Set::OffTheShelf {
                figures.baseline_r = tables_r(&own.reports[place], &own.reports[0])?;
            }
        }
        if let Some(other) = other {
            figures.crossed_r = found.against(&other.weights[set.group() as usize]);
            figures.between_models = tables_r(&own.reports[place], &other.reports[place])?;
        }
    }
    if let Some(other) = other {
        for group in Group::ALL {
            let place = group as usize;
            out.groups[place].between_models = tables_r(&own.weights[place], &other.weights[place])?;
        }
    }
    for (contrast, (_, before, after)) in out.contrasts.iter_mut().zip(CONTRASTS) {
        let (shared, offset) = match before.group() {
            Group::Trained => (&trained, 0),
            Group::Native => (&native, 3),
        };
        let (b, a) = (before as usize, after as usize);
        *contrast = difference(&entries[b], &entries[a], (shared, b - offset, a - offset), level)?;
        contrast.true_r = out.sets[a].true_r - out.sets[b].true_r;
    }
    Ok(out)
}

/// Learned weights beside target weights, as an accuracy is described.
fn against_targets(own: &Simulated, level: f64) -> Result<TargetFigures> {
    let entries = Entries::join(&own.weights[0], &own.targets, |_| false);
    let mut described = SetFigures::default();
    entries.describe(&mut described, level)?;
    let cell = jackknife(&[entries.cell()])?.cells[0];
    let (low, high) = cell
        .fisher
        .map_or((f64::NAN, f64::NAN), |fisher| fisher.interval(level));
    Ok(TargetFigures {
        slope: described.slope,
        slope_low: described.slope_low,
        slope_high: described.slope_high,
        r: described.r,
        cluster_low: low,
        cluster_high: high,
        status: described.status,
        cluster_status: code(&cell.fisher),
        true_r: true_r(own, Group::Trained, &own.targets.values),
    })
}

/// The correlation of the weights in force with what stands for them without noise.
fn true_r(own: &Simulated, group: Group, stand: &[f64]) -> f64 {
    let weights = own.agents[group as usize].iter().flat_map(|agent| &agent.weights);
    let moments = Moments::of(stand.iter().copied(), weights.copied());
    pooled_r(&[moments]).unwrap_or(f64::NAN)
}

/// The correlation of two tables over the contexts that both know.
fn tables_r(one: &Table, other: &Table) -> Result<f64> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for context in (0..one.known.len()).filter(|&c| one.known[c] && other.known[c]) {
        left.extend_from_slice(one.row(context));
        right.extend_from_slice(other.row(context));
    }
    Ok(pearson(&left, &right)?.unwrap_or(f64::NAN))
}

/// After less before; `shared` is a jackknife of both with their places, good where both have the same contexts.
fn difference(
    before: &Entries,
    after: &Entries,
    shared: (&Jackknife, usize, usize),
    level: f64,
) -> Result<ContrastFigures> {
    let mut out = ContrastFigures::default();
    let slope = slope_difference(before, after, level)?;
    out.status = code(&slope);
    if let Ok((estimate, low, high)) = slope {
        (out.slope, out.slope_low, out.slope_high) = (estimate, low, high);
    }
    let common: Vec<i64> = before
        .names()
        .filter(|name| after.contexts.binary_search(name).is_ok())
        .collect();
    out.common_contexts = common.len() as f64;
    let combined = if common.len() == before.len() && common.len() == after.len() {
        let (all, b, a) = shared;
        let mut coefficients = vec![0.0; all.cells.len()];
        (coefficients[b], coefficients[a]) = (-1.0, 1.0);
        all.combination(&coefficients, level)?
    } else {
        let (b, a) = (before.only(&common), after.only(&common));
        jackknife(&[b.cell(), a.cell()])?.combination(&[-1.0, 1.0], level)?
    };
    out.r = combined.estimate.unwrap_or(f64::NAN);
    out.cluster_status = code(&combined.interval);
    if let Ok(interval) = combined.interval {
        (out.cluster_low, out.cluster_high) = (interval.low, interval.high);
    }
    Ok(out)
}

fn slope_difference(before: &Entries, after: &Entries, level: f64) -> Result<Outcome<(f64, f64, f64)>> {
    if !(before.standardised() && after.standardised()) {
        return Ok(Err(Undefined::NoVariation));
    }
    let both = |f: fn(&Entries) -> &Vec<f64>| [f(before).as_slice(), f(after).as_slice()].concat();
    let (n, m) = (before.weights_z.len(), after.weights_z.len());
    let sides = [vec![0; n], vec![1; m]].concat();
    let contrast = slope_contrast(
        &both(|e| &e.weights_z),
        &both(|e| &e.reports_z),
        &vec![0; n + m],
        &sides,
        level,
    )?;
    Ok(contrast.map(|c| (c.mean.estimate, c.mean.low, c.mean.high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changes: &[(&str, f64)]) -> Settings {
        let plain = |name: &str| match name.rsplit('.').next().unwrap_or(name) {
            "trained_agents" | "native_agents" => 8.0,
            "attributes" | "step" => 5.0,
            "trained_decisions" | "native_decisions" => 40.0,
            "replies" => 3.0,
            "inverse_temperature" => 6.0,
            "scale" | "stretch" | "coarse_step" => 1.0,
            "fidelity" | "instilling" => 0.7,
            "noise" => 20.0,
            _ => 0.0,
        };
        let changed = |name: &str| changes.iter().find(|c| c.0 == name).map(|c| c.1);
        let values: Vec<f64> = Settings::names()
            .iter()
            .map(|name| changed(name).unwrap_or_else(|| plain(name)))
            .collect();
        Settings::read(&values).expect("good settings")
    }

    fn run(models: &[Settings], first: u64, count: usize, threads: usize) -> Vec<f64> {
        let run = Run {
            seed: 7,
            first,
            count,
            level: 0.95,
            threads,
        };
        simulate(models, Designs::default(), &run, &Interrupt::new()).expect("good settings")
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn a_replicate_is_itself_whatever_runs_beside_it() {
        let models = [settings(&[("weight_trained.invalid", 0.5)]), settings(&[])];
        let all = run(&models, 3, 6, 1);
        assert_eq!(bits(&all), bits(&run(&models, 3, 6, 2)));
        let width = all.len() / 6;
        assert_eq!(width, 2 * Figures::names().len());
        assert_eq!(bits(&all[4 * width..5 * width]), bits(&run(&models, 7, 1, 1)));
    }

    #[test]
    fn rows_keep_their_order_beyond_what_is_worked_on_at_once() {
        let all = run(&[settings(&[])], 0, ROWS_AT_ONCE + 2, 2);
        let width = Figures::names().len();
        assert_eq!(all.len(), width * (ROWS_AT_ONCE + 2));
        let border = ROWS_AT_ONCE - 1;
        assert_eq!(
            bits(&all[border * width..]),
            bits(&run(&[settings(&[])], border as u64, 3, 1))
        );
    }

    #[test]
    fn counts_beyond_memory_are_errors() {
        let count = usize::MAX / 2;
        let endless = Run {
            seed: 1,
            first: 0,
            count,
            level: 0.95,
            threads: 1,
        };
        assert!(simulate(&[settings(&[])], Designs::default(), &endless, &Interrupt::new()).is_err());
    }

    #[test]
    fn sets_without_a_valid_reply_have_no_figures_and_say_so() {
        let row = run(&[settings(&[("native_before.invalid", 1.0)])], 0, 1, 1);
        let of = |name: &str| row[Figures::names().iter().position(|n| n == name).expect("a figure")];
        assert_eq!(of("native_before.contexts_lost"), 8.0);
        assert_eq!(of("native_before.replies_valid"), 0.0);
        assert!(of("native_before.r").is_nan() && of("gain_native.r").is_nan() && of("gain_native.slope").is_nan());
        assert!(of("native_before.status") > 0.0 && of("gain_native.cluster_status") > 0.0);
        assert!(of("native_after.r").is_finite());
    }

    #[test]
    fn broken_contracts_are_errors() {
        let (one, other) = (settings(&[]), settings(&[("attributes", 4.0)]));
        let run = Run {
            seed: 1,
            first: u64::MAX,
            count: 1,
            level: 0.95,
            threads: 1,
        };
        let flag = Interrupt::new();
        assert!(simulate(&[one], Designs::default(), &run, &flag).is_err());
        assert!(simulate(&[one, other], Designs::default(), &Run { first: 0, ..run }, &flag).is_err());
        assert!(simulate(&[], Designs::default(), &Run { first: 0, ..run }, &flag).is_err());
        assert!(Settings::read(&[1.0]).is_err());
        flag.raise();
        assert!(simulate(&[one], Designs::default(), &Run { first: 0, ..run }, &flag).is_err());
    }
}
