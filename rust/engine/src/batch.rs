//! Many agents at once: ragged trials in, one row of results per agent out, no row dependent on another.

use crate::error::{Error, Result};
use crate::lanes::{self, Objective, Path};
use crate::logit::{Estimate, Fit, Model, Status, Trials, check_shape, check_values};
use crate::parallel::{Interrupt, fill_units, map_units, worth};

/// The trials of many agents, one agent's after another's.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    differences: &'a [f64],
    choices: &'a [u8],
    offsets: &'a [u64],
    attributes: usize,
}

impl<'a> Batch<'a> {
    /// Agent `i` owns the trials `offsets[i]..offsets[i + 1]`; `differences` is `trials x attributes`, row by row.
    pub fn new(differences: &'a [f64], choices: &'a [u8], offsets: &'a [u64], attributes: usize) -> Result<Self> {
        let batch = Self::shaped(differences, choices, offsets, attributes)?;
        batch.check_values()?;
        Ok(batch)
    }

    /// [`Batch::new`] with values that are still to be checked, which [`coefficients`] does on the way.
    pub fn shaped(differences: &'a [f64], choices: &'a [u8], offsets: &'a [u64], attributes: usize) -> Result<Self> {
        check_shape(differences, choices, attributes)?;
        let ordered = offsets.windows(2).all(|w| w[0] <= w[1]);
        if offsets.first() != Some(&0) || offsets.last() != Some(&(choices.len() as u64)) || !ordered {
            let expected = format!("numbers that rise from 0 to {}", choices.len());
            return Err(Error::input("offsets", expected, format!("{offsets:?}")));
        }
        Ok(Self {
            differences,
            choices,
            offsets,
            attributes,
        })
    }

    fn check_values(&self) -> Result<()> {
        check_values(self.differences, self.choices)
    }

    /// The number of agents.
    pub fn agents(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The number of trials of all agents.
    pub fn total(&self) -> usize {
        self.choices.len()
    }

    /// Attributes per trial.
    pub fn attributes(&self) -> usize {
        self.attributes
    }

    /// The number of trials of the agents before this one.
    pub fn before(&self, agent: usize) -> usize {
        usize::try_from(self.offsets[agent]).unwrap_or(usize::MAX)
    }

    /// One agent's trials.
    pub fn trials(&self, agent: usize) -> Trials<'a> {
        let (from, to) = (self.before(agent), self.before(agent + 1));
        Trials {
            differences: &self.differences[from * self.attributes..to * self.attributes],
            choices: &self.choices[from..to],
            counts: None,
            attributes: self.attributes,
        }
    }
}

/// Results of many agents, one entry (or row) each; NaN stands for null, and `status` says why.
#[derive(Debug, Clone, Default)]
pub struct Fits {
    /// [`Status`] as its number.
    pub status: Vec<u8>,
    /// Slopes, `agents x attributes`.
    pub slopes: Vec<f64>,
    /// Slopes scaled so that the largest absolute one is 100, `agents x attributes`.
    pub scaled: Vec<f64>,
    /// Intercepts on the design as given; zero in a model without.
    pub intercepts: Vec<f64>,
    /// Log odds of A at the average trial.
    pub centred_intercepts: Vec<f64>,
    /// Standard errors of the centred intercepts.
    pub centred_intercept_errors: Vec<f64>,
    /// Standard errors of slopes and, last, the intercept (where the model has one), `agents x parameters`.
    pub standard_errors: Vec<f64>,
    /// Covariance of slopes and intercept, `agents x parameters x parameters`.
    pub covariance: Vec<f64>,
    /// Log likelihoods at the optimum.
    pub log_likelihood: Vec<f64>,
    /// What was maximised; see [`Estimate::log_posterior`].
    pub log_posterior: Vec<f64>,
    /// Newton steps with safeguards; few or none where the lanes had already found the optimum.
    pub iterations: Vec<u64>,
    /// Length of the gradient at the optimum.
    pub gradient_norm: Vec<f64>,
    /// Share of choices predicted in sample, with the intercept.
    pub accuracy: Vec<f64>,
    /// Share of choices predicted in sample by the slopes alone; NaN where they are not scaled.
    pub accuracy_slopes_only: Vec<f64>,
}

impl Fits {
    fn push(&mut self, fit: &Fit, trials: &Trials, model: &Model) {
        let attributes = trials.attributes;
        let dim = model.parameters(attributes);
        self.status.push(fit.status as u8);
        let Some(estimate) = &fit.estimate else {
            self.push_null(attributes, dim);
            return;
        };
        let scaled = if fit.status.allows_scaling() {
            estimate.scaled()
        } else {
            None
        };
        let (with, without) = estimate.accuracy(trials);
        self.accuracy.push(with);
        // The slopes of constant choices are zero up to rounding, and what rounding predicts is no result.
        self.accuracy_slopes_only
            .push(if scaled.is_some() { without } else { f64::NAN });
        self.scaled.extend(scaled.unwrap_or_else(|| vec![f64::NAN; attributes]));
        self.push_estimate(estimate, dim);
    }

    fn push_estimate(&mut self, estimate: &Estimate, dim: usize) {
        self.slopes.extend(estimate.slopes());
        self.intercepts.push(estimate.intercept);
        self.centred_intercepts.push(estimate.centred_intercept.0);
        self.centred_intercept_errors.push(estimate.centred_intercept.1);
        let covariance = estimate.covariance();
        let entry = |i: usize, j: usize| covariance.as_ref().map_or(f64::NAN, |c| c(i, j));
        for i in 0..dim {
            self.standard_errors.push(entry(i, i).sqrt());
            self.covariance.extend((0..dim).map(|j| entry(i, j)));
        }
        self.log_likelihood.push(estimate.log_likelihood);
        self.log_posterior.push(estimate.log_posterior);
        self.iterations.push(u64::from(estimate.steps));
        self.gradient_norm.push(estimate.gradient_norm);
    }

    fn push_null(&mut self, attributes: usize, dim: usize) {
        let nulls = |many: &mut Vec<f64>, count: usize| many.extend(std::iter::repeat_n(f64::NAN, count));
        nulls(&mut self.slopes, attributes);
        nulls(&mut self.scaled, attributes);
        nulls(&mut self.standard_errors, dim);
        nulls(&mut self.covariance, dim * dim);
        for column in [
            &mut self.intercepts,
            &mut self.centred_intercepts,
            &mut self.centred_intercept_errors,
            &mut self.log_likelihood,
            &mut self.log_posterior,
            &mut self.gradient_norm,
            &mut self.accuracy,
            &mut self.accuracy_slopes_only,
        ] {
            nulls(column, 1);
        }
        self.iterations.push(0);
    }
}

/// Fits every agent.
pub fn fit(batch: &Batch, model: &Model, threads: usize, interrupt: &Interrupt) -> Result<Fits> {
    model.check()?;
    let path = Path::chosen()?;
    /// Few, because the rest of a fit takes fifty times as long as its start.
    const AGENTS: usize = 2 * lanes::MOST;
    let fits = map_units(threads, batch.agents().div_ceil(AGENTS), interrupt, |chunk| {
        let agents = chunk * AGENTS..batch.agents().min((chunk + 1) * AGENTS);
        let trials: Vec<Trials> = agents.map(|agent| batch.trials(agent)).collect();
        fit_some(path, model, &trials, interrupt)
    })?;
    let mut out = Fits::default();
    for (agent, fit) in fits.iter().flatten().enumerate() {
        out.push(fit, &batch.trials(agent), model);
    }
    Ok(out)
}

/// Fits agents from the optima that the lanes find, and as ever where they find none.
pub(crate) fn fit_some(path: Path, model: &Model, agents: &[Trials], interrupt: &Interrupt) -> Result<Vec<Fit>> {
    let width = agents.first().map_or(1, |trials| model.parameters(trials.attributes));
    let mut starts = vec![f64::NAN; agents.len() * width];
    if let Some(objective) = Objective::of(model) {
        lanes::modes(path, &objective, 0..agents.len(), |agent| agents[agent], &mut starts);
    }
    let fits = agents.iter().zip(starts.chunks_exact(width)).map(|(trials, start)| {
        interrupt.check()?;
        Ok(model.fit_from(*trials, Some(start).filter(|start| !start[0].is_nan())))
    });
    fits.collect()
}

/// Slopes and, last, the intercept (where the model has one) of every agent, `agents x parameters`, and nothing else; NaN
/// where there is no optimum or none was found.
pub fn coefficients(batch: &Batch, model: &Model, threads: usize, interrupt: &Interrupt) -> Result<Vec<f64>> {
    let work = lanes::nanoseconds(batch.total(), batch.attributes);
    coefficients_on(Path::chosen()?, batch, model, worth(threads, work), interrupt)
}

/// Parts in which threads share agents, unless those are too few to fill the lanes.
const PARTS: usize = 16;

/// [`coefficients`] on a path and on threads that are given.
pub(crate) fn coefficients_on(
    path: Path,
    batch: &Batch,
    model: &Model,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    model.check()?;
    let objective = Objective::of(model);
    if objective.is_none() {
        batch.check_values()?;
    }
    let width = model.parameters(batch.attributes);
    let mut out = vec![f64::NAN; batch.agents() * width];
    let mut chunk = lanes::chunk(batch.total() / batch.agents().max(1));
    if threads != 1 {
        // Few agents are shared in small parts, or one thread would wait for another.
        chunk = chunk.min(batch.agents().div_ceil(PARTS).next_multiple_of(lanes::MOST));
    }
    fill_units(threads, &mut out, chunk * width, interrupt, |place, rows| {
        let agents = place * chunk..place * chunk + rows.len() / width;
        let valid = objective
            .as_ref()
            .is_none_or(|objective| lanes::modes(path, objective, agents.clone(), |agent| batch.trials(agent), rows));
        for (agent, row) in agents.zip(rows.chunks_exact_mut(width)) {
            if !valid || row[0].is_nan() {
                // Values that are not finite leave NaN too.
                check_values(batch.trials(agent).differences, batch.trials(agent).choices)
                    .or_else(|_| batch.check_values())?;
                interrupt.check()?;
                if let Some(found) = model.refit(batch.trials(agent), None) {
                    row.copy_from_slice(&found);
                }
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// Out-of-sample agreement of one agent: how many held-out choices could be predicted, and how many were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossValidation {
    /// Choices predicted by a fit that had an optimum.
    pub predicted: u64,
    /// Those of them predicted correctly; ties count as B.
    pub correct: u64,
}

/// `folds`-fold cross-validation within each agent; trial `t` is held out in fold `t mod folds`.
pub fn cross_validate(
    batch: &Batch,
    model: &Model,
    folds: usize,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<CrossValidation>> {
    model.check()?;
    if folds < 2 {
        return Err(Error::input("folds", "at least 2", folds));
    }
    map_units(threads, batch.agents(), interrupt, |agent| {
        let trials = batch.trials(agent);
        let mut out = CrossValidation {
            predicted: 0,
            correct: 0,
        };
        let mut counts = vec![1.0; trials.choices.len()];
        for fold in 0..folds.min(counts.len()) {
            interrupt.check()?;
            let held_out = |t: &usize| t % folds == fold;
            (0..counts.len()).for_each(|t| counts[t] = if held_out(&t) { 0.0 } else { 1.0 });
            let fit = model.fit(Trials {
                counts: Some(&counts),
                ..trials
            });
            let Some(estimate) = fit.estimate.filter(|_| fit.status != Status::TooFewTrials) else {
                continue;
            };
            for t in (0..counts.len()).filter(held_out) {
                let row = &trials.differences[t * trials.attributes..(t + 1) * trials.attributes];
                let eta = crate::linalg::dot(row, estimate.slopes()) + estimate.intercept;
                out.predicted += 1;
                out.correct += u64::from((eta > 0.0) == (trials.choices[t] == 1));
            }
        }
        Ok(out)
    })
}
