//! Weights from the choices of simulated agents: posterior modes in the lanes, and what the choices say besides.

use crate::error::Result;
use crate::lanes::{self, Objective, Path};
use crate::logit::{Estimator, Model, Priors, Trials};

use super::deciding::Decisions;

/// Agents that are best fitted together.
pub const TOGETHER: usize = lanes::MOST;

/// Weights from one agent's choices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitted {
    /// Whether a posterior mode was found; if not, nothing else says anything.
    pub found: bool,
    /// Slopes, then the intercept, on the design as given.
    pub coefficients: Vec<f64>,
    /// Choices predicted in sample, with the intercept and by the slopes alone; ties count as B.
    pub predicted: (usize, usize),
    /// Whether choices and trials allow scaled weights, given a design of full rank: choices vary, trials are not fewer
    /// than parameters.
    pub scalable: bool,
}

/// Fits agents in the same working space.
#[derive(Debug, Clone)]
pub struct Fitter {
    model: Model,
    path: Path,
    /// Differences, agent after agent, trial after trial.
    differences: Vec<f64>,
    choices: Vec<u8>,
    /// Coefficients, agent after agent.
    rows: Vec<f64>,
    /// Log odds of one agent, without the intercept.
    odds: Vec<f64>,
    /// Agents that went the long way.
    pub long_way: usize,
}

impl Fitter {
    /// A fitter under these priors; an error where the environment asks for a path that there is not.
    pub fn new(priors: Priors) -> Result<Self> {
        Ok(Self {
            model: Model {
                estimator: Estimator::Map(priors),
                intercept: true,
            },
            path: Path::chosen()?,
            differences: Vec::new(),
            choices: Vec::new(),
            rows: Vec::new(),
            odds: Vec::new(),
            long_way: 0,
        })
    }

    /// The posterior modes of agents, all of the same number of attributes.
    pub fn fit(&mut self, agents: &[Decisions], attributes: usize, out: &mut Vec<Fitted>) {
        self.differences.clear();
        self.choices.clear();
        for decisions in agents {
            decisions.rows(attributes, &mut self.differences);
            self.choices
                .extend(decisions.chose_a.iter().map(|y| u8::from(*y == 1.0)));
        }
        let (mut trials, mut from) = (Vec::with_capacity(agents.len()), 0);
        for decisions in agents {
            let to = from + decisions.trials();
            trials.push(Trials {
                differences: &self.differences[from * attributes..to * attributes],
                choices: &self.choices[from..to],
                counts: None,
                attributes,
            });
            from = to;
        }
        let width = attributes + 1;
        self.rows.clear();
        self.rows.resize(agents.len() * width, f64::NAN);
        if let Some(objective) = Objective::of(&self.model) {
            lanes::modes(
                self.path,
                &objective,
                0..agents.len(),
                |agent| trials[agent],
                &mut self.rows,
            );
        }
        out.resize(agents.len(), Fitted::default());
        for (place, fitted) in out.iter_mut().enumerate() {
            let row = &self.rows[place * width..][..width];
            fitted.coefficients.clear();
            if row[0].is_nan() {
                self.long_way += 1;
                fitted
                    .coefficients
                    .extend(self.model.refit(trials[place], None).iter().flatten());
            } else {
                fitted.coefficients.extend(row);
            }
            fitted.found = !fitted.coefficients.is_empty();
            if !fitted.found {
                continue;
            }
            let decisions = &agents[place];
            let chosen: f64 = decisions.chose_a.iter().sum();
            let trials = decisions.trials();
            fitted.scalable = trials > attributes && chosen > 0.0 && chosen < trials as f64;
            fitted.predicted = predicted(decisions, &fitted.coefficients, &mut self.odds);
        }
    }
}

/// Choices predicted with the intercept and by the slopes alone.
fn predicted(decisions: &Decisions, coefficients: &[f64], odds: &mut Vec<f64>) -> (usize, usize) {
    let (slopes, intercept) = coefficients.split_at(coefficients.len() - 1);
    odds.clear();
    odds.resize(decisions.trials(), 0.0);
    for (i, slope) in slopes.iter().enumerate() {
        let pairs = odds.iter_mut().zip(decisions.column(i));
        pairs.for_each(|(sum, d)| *sum += slope * d);
    }
    let right = |shift: f64| {
        let pairs = odds.iter().zip(&decisions.chose_a);
        pairs.filter(|(sum, y)| (**sum + shift > 0.0) == (**y == 1.0)).count()
    };
    (right(intercept[0]), right(0.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decisions(trials: usize, k: usize, seed: u64, slope: f64, bias: f64) -> Decisions {
        let mut stream = crate::rng::Stream::new(seed, crate::rng::Purpose::User, 0, 0);
        let mut out = Decisions::default();
        out.differences = (0..k * trials).map(|_| 2.0 * stream.uniform() - 1.0).collect();
        out.chose_a = (0..trials)
            .map(|t| {
                let eta = bias + slope * out.differences[t] - slope * out.differences[(k - 1) * trials + t] / 2.0;
                f64::from(stream.uniform() < 1.0 / (1.0 + (-eta).exp()))
            })
            .collect();
        out
    }

    proptest! {
        // Biases up to 12 make constant choices and second modes, which must go the long way.
        #[test]
        fn the_optimum_of_the_safeguarded_fit(
            many in prop::collection::vec((1usize..120, any::<u64>(), 0.0..60.0_f64, -12.0..12.0_f64), 1..12),
            k in 1usize..10,
        ) {
            let agents: Vec<Decisions> = many.iter().map(|&(t, seed, slope, bias)| decisions(t, k, seed, slope, bias)).collect();
            let mut fitter = Fitter::new(Priors::default()).expect("a path");
            let mut found = Vec::new();
            fitter.fit(&agents, k, &mut found);
            for (data, fitted) in agents.iter().zip(&found) {
                let mut rows = Vec::new();
                data.rows(k, &mut rows);
                let choices: Vec<u8> = data.chose_a.iter().map(|y| u8::from(*y == 1.0)).collect();
                let trials = Trials { differences: &rows, choices: &choices, counts: None, attributes: k };
                let expected = fitter.model.refit(trials, None).expect("a posterior mode");
                for (a, b) in fitted.coefficients.iter().zip(&expected) {
                    prop_assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{fitted:?} {expected:?}");
                }
            }
        }
    }

    #[test]
    fn ordinary_agents_take_the_short_way() {
        let mut fitter = Fitter::new(Priors::default()).expect("a path");
        let agents: Vec<Decisions> = (0..500).map(|seed| decisions(50, 5, seed, 5.0, 0.3)).collect();
        let mut found = Vec::new();
        fitter.fit(&agents, 5, &mut found);
        assert!(found.iter().all(|fitted| fitted.found));
        assert!(fitter.long_way <= 5, "{}", fitter.long_way);
    }
}
