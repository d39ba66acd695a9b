//! Trials drawn with replacement within each agent: how far an agent's weights could have come out elsewhere.
//!
//! Resample `r` of agent `u` draws as many trials as the agent has from the stream (seed, trial bootstrap, u, r), so
//! agents and resamples may be computed anywhere in any order. A resample without an optimum (under maximum likelihood:
//! a separated one) is counted and left out; intervals are then conditional on existence, which the counts show.

use crate::batch::{self, Batch};
use crate::error::{Error, Result, check_len};
use crate::intervals::{Ascending, Ends, check_level, percentile_interval};
use crate::lanes::{self, Counts, Path};
use crate::logit::{Model, Trials, scale};
use crate::outcome::{Outcome, Undefined};
use crate::parallel::{Interrupt, fill_units, map_units, worth};
use crate::refits::Refits;
use crate::rng::{Purpose, Stream};

/// Which interval is built from the draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Equal tails of the draws.
    Percentile,
    /// Bias-corrected and accelerated, with one refit per trial left out.
    Bca,
}

/// Which numbers are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Slopes and (last) the intercept.
    Coefficients,
    /// Slopes scaled, in every resample anew, so that the largest absolute one is 100.
    Scaled,
}

/// How the bootstrap is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Resamples per agent, at least 2.
    pub resamples: usize,
    /// Level of the intervals.
    pub level: f64,
    /// Kind of interval.
    pub method: Method,
    /// What is resampled.
    pub statistic: Statistic,
    /// Seed of the resampling.
    pub seed: u64,
    /// Whether the draws are returned; they take 8 bytes per agent, resample and entry.
    pub keep_draws: bool,
}

/// One agent's bootstrap.
#[derive(Debug, Clone)]
pub struct AgentBootstrap {
    /// The statistic on the agent's data; `None` where the fit has none.
    pub estimate: Option<Vec<f64>>,
    /// An interval for each entry of the statistic, or why there is none.
    pub intervals: Vec<Outcome<Ends>>,
    /// Standard deviation of the draws, NaN with fewer than two.
    pub standard_errors: Vec<f64>,
    /// Resamples without an optimum, or without a slope to scale by.
    pub undefined: u64,
    /// The draws that are defined, row by row; empty unless they were to be kept.
    pub draws: Vec<f64>,
}

impl Statistic {
    /// The number of entries per agent.
    pub fn width(self, attributes: usize, model: &Model) -> usize {
        match self {
            Self::Coefficients => model.parameters(attributes),
            Self::Scaled => attributes,
        }
    }

    /// The statistic of slopes and intercept, in their place; choices that are not `varied` have no scaled weights.
    fn of(self, coefficients: &mut [f64], attributes: usize, varied: bool) -> Option<&[f64]> {
        if self == Self::Scaled {
            let scaled = varied.then(|| scale(&coefficients[..attributes])).flatten()?;
            coefficients[..attributes].copy_from_slice(&scaled);
            return Some(&coefficients[..attributes]);
        }
        Some(coefficients)
    }
}

/// Bootstraps every agent; `units[i]` is agent `i` in the keys of the streams.
pub fn trial_bootstrap(
    batch: &Batch,
    model: &Model,
    units: &[u64],
    settings: &Settings,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<AgentBootstrap>> {
    model.check()?;
    check_level(settings.level)?;
    check_len("units", batch.agents(), units.len())?;
    if settings.resamples < 2 {
        return Err(Error::input("resamples", "at least 2", settings.resamples));
    }
    let path = Path::chosen()?;
    let work = lanes::nanoseconds(batch.total(), batch.attributes()) * settings.resamples as f64;
    map_units(worth(threads, work), batch.agents(), interrupt, |agent| {
        one_agent(batch.trials(agent), model, path, units[agent], settings, interrupt)
    })
}

fn one_agent(
    trials: Trials,
    model: &Model,
    path: Path,
    unit: u64,
    settings: &Settings,
    interrupt: &Interrupt,
) -> Result<AgentBootstrap> {
    let width = settings.statistic.width(trials.attributes, model);
    let fits = batch::fit_some(path, model, &[trials], interrupt)?;
    let fit = &fits[0];
    let Some(full) = fit.estimate.as_ref() else {
        return Ok(AgentBootstrap {
            estimate: None,
            intervals: vec![Err(Undefined::NoEstimate); width],
            standard_errors: vec![f64::NAN; width],
            undefined: settings.resamples as u64,
            draws: Vec::new(),
        });
    };
    let mut start = full.slopes().to_vec();
    start.extend(model.intercept.then_some(full.intercept));
    let allowed = settings.statistic == Statistic::Coefficients || fit.status.allows_scaling();
    let (attributes, mut own) = (trials.attributes, start.clone());
    let estimate = allowed
        .then(|| settings.statistic.of(&mut own, attributes, true))
        .flatten();
    let refits = Refits {
        trials,
        model,
        path,
        start: Some(&start),
    };
    let size = trials.choices.len();
    let mut draws = room("resamples", settings.resamples, width)?;
    let mut undefined = 0;
    let resample = |replicate: usize, counts: &mut [f64]| {
        let mut stream = Stream::new(settings.seed, Purpose::TrialBootstrap, unit, replicate as u64);
        counts.fill(0.0);
        stream.each_below(size, size, |trial| counts[trial] += 1.0);
    };
    refits.each(settings.resamples, interrupt, resample, |found, varied| {
        match found.and_then(|c| settings.statistic.of(c, attributes, varied)) {
            Some(draw) => draws.extend_from_slice(draw),
            None => undefined += 1,
        }
    })?;
    let mut left_out = Vec::new();
    if settings.method == Method::Bca && estimate.is_some() {
        let without = |trial: usize, counts: &mut [f64]| {
            counts.fill(1.0);
            counts[trial] = 0.0;
        };
        refits.each(size, interrupt, without, |found, varied| {
            let statistic = found.and_then(|c| settings.statistic.of(c, attributes, varied));
            left_out.push(statistic.map(<[f64]>::to_vec));
        })?;
    }
    let columns: Vec<Vec<f64>> = (0..width)
        .map(|i| draws.iter().skip(i).step_by(width).copied().collect())
        .collect();
    let intervals = columns
        .iter()
        .enumerate()
        .map(|(i, column)| interval(column, estimate.as_ref().map(|e| e[i]), i, &left_out, settings))
        .collect::<Result<_>>()?;
    let standard_errors = columns.iter().map(|c| deviation(c)).collect();
    Ok(AgentBootstrap {
        estimate: estimate.map(<[f64]>::to_vec),
        intervals,
        standard_errors,
        undefined,
        draws: if settings.keep_draws { draws } else { Vec::new() },
    })
}

/// Fits every agent again with trials that count as often as `counts` says: to its resamples, one after another and each
/// as long as the agent has trials, agent after agent. Counts may be any numbers from 0 on.
///
/// Returns slopes and (last) the intercept, flat (agents, resamples, parameters); NaN where there is no optimum or none was
/// found.
pub fn refits(
    batch: &Batch,
    model: &Model,
    counts: &[f64],
    resamples: usize,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    model.check()?;
    check_len("counts", batch.total().saturating_mul(resamples), counts.len())?;
    let path = Path::chosen()?;
    let width = model.parameters(batch.attributes());
    let mut out = room("resamples", batch.agents().saturating_mul(resamples), width)?;
    out.resize(batch.agents() * resamples * width, f64::NAN);
    if resamples == 0 {
        return Ok(out);
    }
    let work = lanes::nanoseconds(batch.total(), batch.attributes()) * resamples as f64;
    let (threads, agent) = (worth(threads, work), resamples * width);
    let starts = batch::coefficients_on(path, batch, model, threads, interrupt)?;
    fill_units(threads, &mut out, agent, interrupt, |agent, rows| {
        let (trials, from) = (batch.trials(agent), batch.before(agent) * resamples);
        let size = trials.choices.len();
        let given = Given {
            counts: &counts[from..from + size * resamples],
            size,
        };
        let start = &starts[agent * width..][..width];
        let refits = Refits {
            trials,
            model,
            path,
            start: (!start[0].is_nan()).then_some(start),
        };
        let check = |resample: usize, counts: &[f64]| match counts.iter().find(|c| !(c.is_finite() && **c >= 0.0)) {
            None => Ok(()),
            Some(wrong) => {
                let found = format!("{wrong} for agent {agent}, resample {resample}");
                Err(Error::input("counts", "finite numbers from 0 on", found))
            }
        };
        let block = lanes::resampled(size);
        for (place, rows) in rows.chunks_mut(block * width).enumerate() {
            refits.rows(&given, place * block, interrupt, check, rows)?;
        }
        Ok(())
    })?;
    Ok(out)
}

/// Counts at hand, of `size` trials each.
struct Given<'a> {
    counts: &'a [f64],
    size: usize,
}

impl Counts for Given<'_> {
    fn of<'a>(&'a self, place: usize, _: &'a mut [f64]) -> &'a [f64] {
        &self.counts[place * self.size..][..self.size]
    }

    fn ahead(&self, place: usize) -> &[f64] {
        let from = place * self.size;
        self.counts.get(from..from + self.size).unwrap_or_default()
    }
}

/// An empty list with room for `rows` of `width` numbers, or an error that blames the argument `name`.
pub(crate) fn room(name: &'static str, rows: usize, width: usize) -> Result<Vec<f64>> {
    let mut out = Vec::new();
    match rows.checked_mul(width).map(|size| out.try_reserve_exact(size)) {
        Some(Ok(())) => Ok(out),
        _ => Err(Error::input(name, "few enough to fit in memory", rows)),
    }
}

fn interval(
    draws: &[f64],
    estimate: Option<f64>,
    entry: usize,
    left_out: &[Option<Vec<f64>>],
    settings: &Settings,
) -> Result<Outcome<Ends>> {
    let Some(estimate) = estimate else {
        return Ok(Err(Undefined::NoEstimate));
    };
    if draws.len() < 2 {
        return Ok(Err(Undefined::BeyondDraws));
    }
    match settings.method {
        Method::Percentile => percentile_interval(draws, settings.level).map(Ok),
        Method::Bca => match left_out
            .iter()
            .map(|s| s.as_ref().map(|s| s[entry]))
            .collect::<Option<Vec<f64>>>()
        {
            Some(values) => Ascending::new(draws)?.bca_interval(estimate, &values, settings.level),
            None => Ok(Err(Undefined::UndefinedDeletion)),
        },
    }
}

fn deviation(draws: &[f64]) -> f64 {
    if draws.len() < 2 {
        return f64::NAN;
    }
    let mean = draws.iter().sum::<f64>() / draws.len() as f64;
    (draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (draws.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logit::{Estimator, Priors};

    fn example(agents: usize) -> (Vec<f64>, Vec<u8>, Vec<u64>) {
        let mut stream = Stream::new(1, Purpose::User, 0, 0);
        let differences: Vec<f64> = (0..agents * 40 * 2).map(|_| 2.0 * stream.uniform() - 1.0).collect();
        let choices = differences
            .chunks(2)
            .map(|d| u8::from(stream.uniform() < 0.5 + 0.4 * d[0]))
            .collect();
        (differences, choices, (0..=agents as u64).map(|i| 40 * i).collect())
    }

    #[test]
    fn an_agent_keeps_its_numbers_in_any_company() {
        let (differences, choices, offsets) = example(5);
        let model = Model {
            estimator: Estimator::Map(Priors::default()),
            intercept: true,
        };
        let settings = Settings {
            resamples: 50,
            level: 0.9,
            method: Method::Bca,
            statistic: Statistic::Scaled,
            seed: 3,
            keep_draws: true,
        };
        let batch = Batch::new(&differences, &choices, &offsets, 2).expect("valid");
        let flag = Interrupt::new();
        let all = trial_bootstrap(&batch, &model, &[9, 8, 7, 6, 5], &settings, 2, &flag).expect("valid");
        let alone = Batch::new(&differences[3 * 80..4 * 80], &choices[3 * 40..4 * 40], &[0, 40], 2).expect("valid");
        let one = trial_bootstrap(&alone, &model, &[6], &settings, 1, &flag).expect("valid");
        assert_eq!(all[3].draws, one[0].draws);
        assert_eq!(all[3].intervals, one[0].intervals);
    }
}
