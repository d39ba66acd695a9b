//! Recovery of weights: agents with random target weights decide, are fitted, and their learned weights are held against the
//! targets; replicate after replicate, and nothing of it is stored.
//!
//! Agent `i` of replicate `r` is the unit `r * agents + i` of [`crate::agents::draw_targets`] and [`crate::agents::decisions`],
//! and its fit that of [`crate::batch::coefficients`]: the same numbers, in a fraction of the time.

use crate::agents::{Deciding, Rule, decisions};
use crate::bootstrap::room;
use crate::design::{NANOSECONDS, Ranges, differences, pair_values};
use crate::error::{Error, Result};
use crate::lanes::{self, Objective, Path, Recovered, Strangers};
use crate::logit::{MAX_ATTRIBUTES, Model, Trials, scale};
use crate::parallel::{Interrupt, fill_units, worth};

/// The numbers of a replicate: the correlation of learned with target weights over all contexts, its mean within contexts,
/// and the agents behind them.
pub const FIGURES: usize = 3;

/// What is recovered, and how.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    /// Contexts, which agents of consecutive numbers take in turn.
    pub ranges: Ranges<'a>,
    /// Agents per replicate.
    pub agents: usize,
    /// Decisions per agent.
    pub trials: usize,
    /// How they choose.
    pub rule: Rule,
    /// How their choices are fitted: posterior modes or ridge estimates.
    pub model: Model,
}

/// Replicates `first` to `first + count - 1`, flat (replicates, [`FIGURES`]).
///
/// Agents whose choices are all alike have no learned weights and are left out; a correlation is NaN where nothing varies.
pub fn recovery(
    design: &Design<'_>,
    seed: u64,
    (first, count): (u64, usize),
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    let k = design.ranges.attributes();
    design.model.check()?;
    if k > MAX_ATTRIBUTES {
        return Err(Error::input("mins", format!("1 to {MAX_ATTRIBUTES} attributes"), k));
    }
    if design.ranges.contexts() == 0 {
        return Err(Error::input("mins", "at least one context", 0));
    }
    if design.agents == 0 {
        return Err(Error::input("agents", "1 or more", 0));
    }
    if design.trials <= k {
        let expected = format!("more than {k}, the number of attributes");
        return Err(Error::input("trials", expected, design.trials));
    }
    pair_values(&design.ranges, design.trials)?;
    // What a thread is about to need.
    room("trials", design.trials, (k + 2) * lanes::MOST)?;
    let objective = Objective::of(&design.model)
        .ok_or_else(|| Error::input("estimator", "map or ridge", "one without a penalty on slopes"))?;
    let agents = design.agents as u64;
    let last = first.checked_add(count as u64).and_then(|end| end.checked_mul(agents));
    if last.is_none() {
        let found = format!("{agents} a replicate, up to replicate {first} + {count}");
        return Err(Error::input("agents", "fewer than 2^64 in all", found));
    }
    let path = Path::chosen()?;
    let mut out = room("replicates", count, FIGURES)?;
    out.resize(count * FIGURES, f64::NAN);
    let enough = lanes::chunk(design.trials).div_ceil(design.agents);
    // Groups of agents go on from one replicate to the next, and parts of several replicates end with whole groups.
    let together = if enough == 1 {
        1
    } else {
        enough.next_multiple_of(lanes::MOST)
    };
    let work = design.agents as f64 * count as f64;
    let decided = NANOSECONDS * 2.0 * (design.trials * k) as f64 + lanes::nanoseconds(design.trials, k);
    fill_units(
        worth(threads, work * decided),
        &mut out,
        together * FIGURES,
        interrupt,
        |place, rows| {
            let replicate = first + (place * together) as u64;
            let count = rows.len() / FIGURES;
            let mut part = Part::recover(design, (path, &objective), seed, (replicate, count), interrupt)?;
            for (place, row) in rows.chunks_exact_mut(FIGURES).enumerate() {
                row.copy_from_slice(&part.figures(place));
            }
            Ok(())
        },
    )?;
    Ok(out)
}

/// The agents of some replicates.
struct Part {
    agents: usize,
    attributes: usize,
    /// Rows of target weights.
    targets: Vec<f64>,
    /// Rows of learned weights; NaN where an agent has none.
    learned: Vec<f64>,
    /// The correlation of both within each agent.
    within: Vec<f64>,
}

impl Part {
    fn recover(
        design: &Design<'_>,
        (path, objective): (Path, &Objective),
        seed: u64,
        (replicate, count): (u64, usize),
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let (agents, k) = (design.agents * count, design.ranges.attributes());
        let numbers = |width| {
            let mut all = room("agents", agents, width)?;
            all.resize(agents * width, f64::NAN);
            Ok(all)
        };
        let mut part = Self {
            agents: design.agents,
            attributes: k,
            targets: numbers(k)?,
            learned: numbers(k)?,
            within: numbers(1)?,
        };
        let mut varied = vec![false; agents];
        let strangers = Strangers {
            seed,
            first: replicate * design.agents as u64,
            ranges: &design.ranges,
            rule: design.rule,
            trials: design.trials,
        };
        let out = Recovered {
            targets: &mut part.targets,
            learned: &mut part.learned,
            within: &mut part.within,
            varied: &mut varied,
        };
        lanes::recover(path, objective, &strangers, k, out, interrupt)?;
        for (agent, row) in part.learned.chunks_exact_mut(k).enumerate() {
            if varied[agent] && row[0].is_nan() {
                interrupt.check()?;
                let targets = &part.targets[agent * k..][..k];
                if let Some(learned) = the_long_way(design, seed, strangers.first + agent as u64, targets)? {
                    row.copy_from_slice(&learned);
                    part.within[agent] = correlation(row, targets);
                }
            }
        }
        Ok(part)
    }

    /// The figures of replicate `place` of the part.
    fn figures(&mut self, place: usize) -> [f64; FIGURES] {
        let (k, mut known) = (self.attributes, 0);
        let first = place * self.agents;
        let mut within = (0.0, 0.0);
        // Rows of agents without learned weights give way to those behind them.
        for agent in first..first + self.agents {
            let r = self.within[agent];
            if !r.is_nan() {
                within = (within.0 + r, within.1 + 1.0);
            }
            if !self.learned[agent * k].is_nan() {
                if first + known != agent {
                    self.learned
                        .copy_within(agent * k..(agent + 1) * k, (first + known) * k);
                    self.targets
                        .copy_within(agent * k..(agent + 1) * k, (first + known) * k);
                }
                known += 1;
            }
        }
        let entries = first * k..(first + known) * k;
        let pooled = correlation(&self.learned[entries.clone()], &self.targets[entries]);
        [pooled, within.0 / within.1, known as f64]
    }
}

/// The learned weights of an agent whose optimum the lanes did not prove.
fn the_long_way(design: &Design<'_>, seed: u64, unit: u64, targets: &[f64]) -> Result<Option<Vec<f64>>> {
    // Below the number of contexts.
    #[allow(clippy::cast_possible_truncation)]
    let ranges = design.ranges.only((unit % design.ranges.contexts() as u64) as usize);
    let k = ranges.attributes();
    let deciding = Deciding {
        ranges,
        weights: targets,
        rules: &[design.rule],
    };
    let (mut pairs, mut choices) = (vec![0.0; design.trials * 2 * k], vec![0; design.trials]);
    let flag = Interrupt::new();
    decisions(&deciding, &[unit], (seed, 0), 1, &flag, (&mut pairs, &mut choices))?;
    let trials = Trials {
        differences: &differences(&ranges, &pairs)?,
        choices: &choices,
        counts: None,
        attributes: k,
    };
    let slopes = design.model.refit(trials, None);
    Ok(slopes.and_then(|slopes| scale(&slopes[..k])))
}

/// Pearson's correlation, NaN with fewer than three pairs or where nothing varies: that of [`crate::correlation::pearson`]
/// for numbers that are all of one size, as scaled weights are.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let varies = |all: &[f64]| all.iter().any(|value| *value != all[0]);
    if x.len() < 3 || !varies(x) || !varies(y) {
        return f64::NAN;
    }
    let n = x.len() as f64;
    let mean_x = sum(x, y, |x, _| x) / n;
    let mean_y = sum(x, y, |_, y| y) / n;
    let xy = sum(x, y, |x, y| (x - mean_x) * (y - mean_y));
    let xx = sum(x, y, |x, _| (x - mean_x) * (x - mean_x));
    let yy = sum(x, y, |_, y| (y - mean_y) * (y - mean_y));
    (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
}

/// The sum of `term` of all pairs: eight sums side by side, none of which waits for another.
fn sum(x: &[f64], y: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (x_blocks, x_rest) = x.as_chunks::<8>();
    let (y_blocks, y_rest) = y.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in x_blocks.iter().zip(y_blocks) {
        for l in 0..8 {
            sums[l] += term(x[l], y[l]);
        }
    }
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| term(*x, *y));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::agents::draw_targets;
    use crate::batch::{Batch, coefficients};
    use crate::correlation::pearson;
    use crate::logit::{Estimator, InterceptPrior, Priors};

    /// The figures of a replicate by the calls that the fused one stands for.
    fn step_by_step(design: &Design<'_>, seed: u64, replicate: u64) -> [f64; FIGURES] {
        let (agents, k) = (design.agents, design.ranges.attributes());
        let (mut learned, mut targets, mut within) = (Vec::new(), Vec::new(), Vec::new());
        for agent in 0..agents as u64 {
            let unit = replicate * agents as u64 + agent;
            let ranges = design.ranges.only((unit % design.ranges.contexts() as u64) as usize);
            let weights = draw_targets(&[unit], k, seed).expect("good input");
            let (mut pairs, mut choices) = (vec![0.0; design.trials * 2 * k], vec![0; design.trials]);
            let deciding = Deciding {
                ranges,
                weights: &weights,
                rules: &[design.rule],
            };
            let flag = Interrupt::new();
            decisions(&deciding, &[unit], (seed, 0), 1, &flag, (&mut pairs, &mut choices)).expect("good input");
            if choices.iter().all(|choice| *choice == choices[0]) {
                continue;
            }
            let differences = differences(&ranges, &pairs).expect("good pairs");
            let offsets = [0, design.trials as u64];
            let batch = Batch::new(&differences, &choices, &offsets, k).expect("good trials");
            let slopes = coefficients(&batch, &design.model, 1, &flag).expect("not interrupted");
            if let Some(scaled) = scale(&slopes[..k]) {
                within.extend(pearson(&weights, &scaled).expect("finite").ok());
                learned.extend(scaled);
                targets.extend(weights);
            }
        }
        let mean = within.iter().sum::<f64>() / within.len() as f64;
        let pooled = pearson(&targets, &learned).expect("finite").unwrap_or(f64::NAN);
        [pooled, mean, (learned.len() / k) as f64]
    }

    proptest! {
        #[test]
        fn fused_replicates_are_the_calls_one_by_one(
            (agents, k, extra) in (1usize..12, 1usize..13, 1usize..40),
            contexts in 1usize..4,
            // With much position bias choices are all alike, and second modes go the long way.
            (temperature, bias, lapse) in (0.0..9.0, prop_oneof![Just(0.0), -9.0..9.0], 0.0..1.0),
            scale in prop_oneof![Just(2.5), Just(f64::INFINITY)],
            intercept: bool,
            seed: u64,
            first in 0u64..1000,
        ) {
            let mins: Vec<f64> = (0..contexts * k).map(|i| i as f64 / 7.0).collect();
            let maxs: Vec<f64> = mins.iter().enumerate().map(|(i, min)| min + [0.5, 3.0, 40.0][i % 3]).collect();
            let design = Design {
                ranges: Ranges::new(&mins, &maxs, k).expect("good ranges"),
                agents,
                trials: k + extra,
                rule: Rule::logistic(temperature, bias, lapse).expect("a rule"),
                model: Model {
                    estimator: Estimator::Map(Priors {
                        slope_sd: 1.0,
                        intercept: InterceptPrior { scale, ..InterceptPrior::default() },
                    }),
                    intercept,
                },
            };
            let flag = Interrupt::new();
            let found = recovery(&design, seed, (first, 5), 1, &flag).expect("good input");
            let close = |a: f64, b: f64| (a - b).abs() < 1e-12 || a.is_nan() && b.is_nan();
            for (place, row) in found.chunks(FIGURES).enumerate() {
                let expected = step_by_step(&design, seed, first + place as u64);
                prop_assert!(row.iter().zip(expected).all(|(a, b)| close(*a, b)), "{row:?} {expected:?}");
            }
            let bits = |rows: &[f64]| rows.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
            let alone = recovery(&design, seed, (first + 3, 1), 1, &flag).expect("good input");
            prop_assert_eq!(bits(&alone), bits(&found[3 * FIGURES..4 * FIGURES]));
        }
    }

    #[test]
    fn designs_that_tell_nothing_are_errors() {
        let ranges = Ranges::new(&[0.0, 0.0], &[1.0, 1.0], 2).expect("good ranges");
        let model = Model {
            estimator: Estimator::Map(Priors::default()),
            intercept: true,
        };
        let design = Design {
            ranges,
            agents: 3,
            trials: 9,
            rule: Rule::Deterministic,
            model,
        };
        let fails =
            |design: Design<'_>, first, count| recovery(&design, 1, (first, count), 1, &Interrupt::new()).is_err();
        assert!(!fails(design, 0, 0) && !fails(design, 0, 2));
        assert!(fails(Design { agents: 0, ..design }, 0, 1));
        assert!(fails(Design { trials: 2, ..design }, 0, 1));
        assert!(fails(
            Design {
                model: Model {
                    estimator: Estimator::Firth,
                    intercept: true
                },
                ..design
            },
            0,
            1
        ));
        assert!(fails(design, u64::MAX / 2, 1));
        assert!(fails(design, 0, usize::MAX));
    }
}
