//! One replicate of the study: agents, decisions, fits and reports of one model.

use crate::error::{Error, Result};
use crate::logit::Priors;
use crate::parallel::Interrupt;

use super::columns::{GroupFigures, SetFigures};
use super::deciding::Decisions;
use super::designs::{Checked, Designs};
use super::entries::{Table, mean, spread};
use super::fitting::{Fitter, TOGETHER};
use super::latent::{Agent, LARGEST};
use super::replies::{Key, Replies, model_scales};
use super::settings::{Group, Set, Settings};

/// Everything that was simulated of one model in one replicate.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The agents' truth, by [`Group`].
    pub agents: [Vec<Agent>; 2],
    /// Target weights of trained contexts.
    pub targets: Table,
    /// Estimated weights on the ±100 scale, by [`Group`].
    pub weights: [Table; 2],
    /// Beliefs, by [`Set`], (contexts, attributes).
    pub beliefs: [Vec<f64>; 5],
    /// Averaged reports, by [`Set`].
    pub reports: [Table; 5],
    /// Figures of the fits, by [`Group`].
    pub group_figures: [GroupFigures; 2],
    /// Figures of the replies, by [`Set`]; the rest of them is still NaN.
    pub set_figures: [SetFigures; 5],
}

/// The choices and replies behind a replicate.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    /// Differences, by [`Group`], (agents, trials, attributes).
    pub differences: [Vec<f64>; 2],
    /// 1 for A, 0 for B, by [`Group`], (agents, trials).
    pub choices: [Vec<f64>; 2],
    /// Replies, by [`Set`], (contexts, replies, attributes); NaN where invalid.
    pub replies: [Vec<f64>; 5],
}

/// Whether the second of two reporting models reports on a context: introspection training is two-fold, each model
/// asked about the half that it was not trained on.
pub fn by_second_model(set: Set, context: usize, contexts: usize) -> bool {
    set == Set::IntrospectionTrained && context < contexts / 2
}

impl Simulated {
    /// Simulates; `raw` keeps choices and replies where given.
    pub fn draw(
        settings: &Settings,
        designs: &Checked<'_>,
        key: Key,
        mut raw: Option<&mut Raw>,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let k = settings.attributes();
        let (model, seed, replicate) = key;
        let sizes = Group::ALL.map(|group| settings.agents(group));
        let mut out = Self {
            agents: Group::ALL.map(|group| {
                let draw = |index| Agent::draw(settings, group, index, model, seed, replicate);
                (0..sizes[group as usize]).map(draw).collect()
            }),
            targets: Table::new(sizes[0], k),
            weights: sizes.map(|agents| Table::new(agents, k)),
            beliefs: Default::default(),
            reports: Set::ALL.map(|set| Table::new(sizes[set.group() as usize], k)),
            group_figures: [GroupFigures::default(); 2],
            set_figures: [SetFigures::default(); 5],
        };
        for group in Group::ALL {
            out.decide(settings, designs, group, key, raw.as_deref_mut(), interrupt)?;
        }
        for set in Set::ALL {
            interrupt.check()?;
            out.report(settings, set, key, raw.as_deref_mut());
        }
        Ok(out)
    }

    fn decide(
        &mut self,
        settings: &Settings,
        designs: &Checked<'_>,
        group: Group,
        key: Key,
        mut raw: Option<&mut Raw>,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let (k, place) = (settings.attributes(), group as usize);
        let mut decisions: [Decisions; TOGETHER] = Default::default();
        let (mut fitter, mut fits) = (Fitter::new(Priors::default())?, Vec::new());
        let (mut agreeing, mut right) = (0, (0, 0));
        let (mut lengths, mut intercepts) = (Vec::new(), Vec::new());
        for first in (0..self.agents[place].len()).step_by(TOGETHER) {
            interrupt.check()?;
            let agents = &self.agents[place][first..];
            let decisions = &mut decisions[..TOGETHER.min(agents.len())];
            for (l, (decisions, agent)) in decisions.iter_mut().zip(agents).enumerate() {
                let index = first + l;
                let design = designs.of(settings, group, index, key.2);
                decisions.draw(settings, agent, group, index, key, design.map(|one| one.differences));
                if let Some(raw) = raw.as_deref_mut() {
                    keep(decisions, k, &mut raw.differences[place], &mut raw.choices[place]);
                }
                if group == Group::Trained {
                    agreeing += decisions.agreeing(&agent.targets);
                    self.targets.known[index] = true;
                    self.targets.row_mut(index).copy_from_slice(&agent.targets);
                }
            }
            fitter.fit(decisions, k, &mut fits);
            for (l, fitted) in fits.iter().enumerate().filter(|(_, fitted)| fitted.found) {
                let index = first + l;
                right.0 += fitted.predicted.0;
                intercepts.push(fitted.coefficients[k]);
                let slopes = &fitted.coefficients[..k];
                let largest = slopes.iter().fold(0.0, |m: f64, b| m.max(b.abs()));
                let design = designs.of(settings, group, index, key.2);
                let full_rank = design.is_none_or(|one| one.full_rank);
                if fitted.scalable && full_rank && largest > 0.0 {
                    let row = self.weights[place].row_mut(index);
                    row.iter_mut().zip(slopes).for_each(|(w, b)| *w = b / largest * LARGEST);
                    self.weights[place].known[index] = true;
                    right.1 += fitted.predicted.1;
                    lengths.push(slopes.iter().map(|b| b * b).sum::<f64>().sqrt().ln());
                }
            }
        }
        let trials = |agents: usize| (agents * settings.decisions(group)) as f64;
        let all = (self.agents[place].len() * settings.decisions(group)) as f64;
        let weights = &self.weights[place];
        let figures = &mut self.group_figures[place];
        if group == Group::Trained {
            figures.agreement = agreeing as f64 / all;
        }
        figures.fitted = weights.known.iter().filter(|known| **known).count() as f64;
        figures.fit_accuracy = right.0 as f64 / trials(intercepts.len());
        figures.fit_accuracy_slopes = right.1 as f64 / trials(lengths.len());
        figures.extremes = mean(weights.all().map(|w| f64::from(w.abs().round_ties_even() >= LARGEST)));
        (figures.log_length, figures.log_length_sd) = spread(lengths.iter().copied());
        (figures.intercept, figures.intercept_sd) = spread(intercepts.iter().copied());
        Ok(())
    }

    fn report(&mut self, settings: &Settings, set: Set, key: Key, mut raw: Option<&mut Raw>) {
        let k = settings.attributes();
        let scales = model_scales(settings, set, key);
        let agents = &self.agents[set.group() as usize];
        let mut replies = Replies::default();
        let mut halves = [Vec::new(), Vec::new()];
        let (mut valid, mut extreme, mut full) = (0, 0, 0);
        for (index, agent) in agents.iter().enumerate() {
            let scale = scales[usize::from(by_second_model(set, index, agents.len()))];
            replies.draw(settings, agent, set, index, scale, key);
            self.beliefs[set as usize].extend(&replies.belief);
            let table = &mut self.reports[set as usize];
            table.known[index] = replies.mean(table.row_mut(index));
            for reply in replies.values.chunks_exact(k) {
                let reached = reply.iter().filter(|v| v.abs() >= LARGEST).count();
                extreme += reached;
                full += usize::from(reached > 0);
                valid += 1;
            }
            replies.halves(k, &mut halves);
            if let Some(raw) = raw.as_deref_mut() {
                replies.keep(k, &mut raw.replies[set as usize]);
            }
        }
        let figures = &mut self.set_figures[set as usize];
        figures.replies_valid = f64::from(valid);
        figures.extremes = extreme as f64 / (f64::from(valid) * k as f64);
        figures.full_replies = full as f64 / f64::from(valid);
        figures.reliability = reliability(&halves);
        shape(&self.reports[set as usize], figures);
    }
}

fn keep(decisions: &Decisions, k: usize, differences: &mut Vec<f64>, choices: &mut Vec<f64>) {
    decisions.rows(k, differences);
    choices.extend(&decisions.chose_a);
}

/// Spearman and Brown's correction of the correlation of both halves.
fn reliability(halves: &[Vec<f64>; 2]) -> f64 {
    match crate::correlation::pearson(&halves[0], &halves[1]) {
        Ok(Ok(r)) if r > -1.0 => 2.0 * r / (1.0 + r),
        _ => f64::NAN,
    }
}

/// Mean, spread between and spread within contexts of averaged reports.
fn shape(reports: &Table, figures: &mut SetFigures) {
    figures.report_mean = mean(reports.all());
    let (mut means, mut logs, mut total) = (Vec::new(), Vec::new(), 0.0);
    for context in (0..reports.known.len()).filter(|&c| reports.known[c]) {
        let row = reports.row(context);
        let centre = mean(row.iter().copied());
        let variance = mean(row.iter().map(|v| (v - centre) * (v - centre)));
        means.push(centre);
        logs.push(variance.sqrt().ln_1p());
        total += variance;
    }
    figures.report_mean_sd = spread(means.iter().copied()).1;
    figures.report_spread_log_sd = spread(logs.iter().copied()).1;
    figures.report_spread = (total / means.len() as f64).sqrt();
}

/// Simulates one replicate, kept whole; an error where an argument is none.
pub fn dump(settings: &Settings, designs: Designs<'_>, key: Key, interrupt: &Interrupt) -> Result<(Simulated, Raw)> {
    let designs = designs.check(settings)?;
    if key.0 > 1 {
        return Err(Error::input("model", "0 or 1", key.0));
    }
    let mut raw = Raw::default();
    Simulated::draw(settings, &designs, key, Some(&mut raw), interrupt).map(|simulated| (simulated, raw))
}
