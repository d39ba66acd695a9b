//! The search for one context's design: greedy starts, then exchange of one attribute of one pair at a time.

use crate::error::Result;
use crate::parallel::Interrupt;
use crate::rng::Stream;

use super::information::Information;
use super::plan::{Pair, Plan, differences};

/// Random pairs among which a greedy start takes the best.
const PROPOSALS: usize = 8;

/// Differences that an exchange looks at, of either sign; on finer grids, finer steps follow.
const COARSE: i64 = 4;

/// Steps are no finer than this share of the levels: the criterion doesn't feel less.
const FINEST: i64 = 200;

/// Passes over the design at coarse differences, at most; nearly all gains come in the first few.
const PASSES: usize = 12;

/// A pass that gains less than this in the criterion is the last.
const WORTHWHILE: f64 = 5e-3;

/// A change that gains less is rounding error.
const NOTHING: f64 = 1e-9;

/// The differences that are tried in one attribute, in levels, with their odds under every draw.
#[derive(Debug, Default)]
struct Ladder {
    apart: Vec<i64>,
    odds: Vec<f64>,
}

/// A design and the information that it carries.
#[derive(Debug, Clone)]
pub(super) struct Search<'a> {
    plan: Plan<'a>,
    information: Information<'a>,
    differences: Vec<f64>,
}

impl<'a> Search<'a> {
    /// A start: pair after pair, each the best of a few random ones.
    pub fn start(plan: Plan<'a>, information: Information<'a>, trials: usize, stream: &mut Stream) -> Result<Self> {
        let mut out = Self {
            plan,
            information,
            differences: Vec::new(),
        };
        while out.plan.trials() < trials {
            let mut best: Option<(f64, Pair)> = None;
            for _ in 0..PROPOSALS {
                let Some((a, b)) = out.plan.propose(stream)? else { break };
                differences(out.plan.grids, &a, &b, &mut out.differences);
                let gain = out.information.gain(&out.differences);
                if best.as_ref().is_none_or(|(held, _)| gain > *held) {
                    best = Some((gain, (a, b)));
                }
            }
            let Some((_, (a, b))) = best else {
                out.plan.fill_frugally(trials, stream)?;
                break;
            };
            out.plan.push(&a, &b);
            differences(out.plan.grids, &a, &b, &mut out.differences);
            out.information.add(&out.differences);
        }
        out.recompute();
        Ok(out)
    }

    /// The mean of the criterion over the draws.
    pub fn value(&self) -> f64 {
        self.information.mean()
    }

    /// Anew from the pairs, free of what rank-one changes have lost.
    fn recompute(&mut self) {
        self.information.reset();
        for trial in 0..self.plan.trials() {
            self.plan.differences(trial, &mut self.differences);
            self.information.add(&self.differences);
        }
    }

    /// Exchanges at coarse differences.
    pub fn exchange(&mut self, stream: &mut Stream, interrupt: &Interrupt) -> Result<()> {
        let ladders: Vec<Ladder> = (0..self.plan.grids.len()).map(|i| self.coarse(i)).collect();
        self.passes(PASSES, stream, interrupt, |search, trial, stream| {
            for (i, ladder) in ladders.iter().enumerate() {
                search.improve(trial, i, ladder, stream)?;
            }
            Ok(())
        })
    }

    /// Exchanges with neighbouring differences, at half the distance each time; returns the pairs.
    pub fn refine(mut self, stream: &mut Stream, interrupt: &Interrupt) -> Result<Plan<'a>> {
        let mut ladder = Ladder::default();
        for halvings in 1.. {
            let steps: Vec<i64> = self.plan.grids.iter().map(|grid| fine(grid.levels, halvings)).collect();
            if steps.iter().all(|step| *step == 0) {
                break;
            }
            self.passes(1, stream, interrupt, |search, trial, stream| {
                for (i, step) in steps.iter().enumerate().filter(|(_, step)| **step > 0) {
                    search.neighbours(trial, i, *step, &mut ladder);
                    search.improve(trial, i, &ladder, stream)?;
                }
                Ok(())
            })?;
        }
        Ok(self.plan)
    }

    /// Takes every pair out, changes it, and puts it back, until that gains next to nothing.
    fn passes(
        &mut self,
        most: usize,
        stream: &mut Stream,
        interrupt: &Interrupt,
        mut change: impl FnMut(&mut Self, usize, &mut Stream) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..most {
            interrupt.check()?;
            let before = self.value();
            for trial in 0..self.plan.trials() {
                self.plan.differences(trial, &mut self.differences);
                self.information.remove(&self.differences);
                change(self, trial, stream)?;
                if self.information.gain_swapped() > self.information.gain_as_it_is() + NOTHING {
                    self.plan.swap(trial);
                }
                self.plan.differences(trial, &mut self.differences);
                self.information.add(&self.differences);
            }
            self.recompute();
            if self.value() < before + WORTHWHILE {
                break;
            }
        }
        Ok(())
    }

    /// Gives the pair that was taken out the best difference of a ladder, if one is better than its own.
    fn improve(&mut self, trial: usize, attribute: usize, ladder: &Ladder, stream: &mut Stream) -> Result<()> {
        let draws = self.information.draws();
        let step = self.plan.grids[attribute].step;
        let mut now = self.plan.apart(trial, attribute);
        self.information.search(attribute, now as f64 * step);
        let mut gains: Vec<f64> = (ladder.apart.iter().zip(ladder.odds.chunks_exact(draws)))
            .map(|(apart, odds)| {
                self.information
                    .gain_along(attribute, (apart - now) as f64 * step, odds)
            })
            .collect();
        let kept = self.information.gain_as_it_is();
        while let Some(best) = (0..gains.len()).max_by(|i, j| gains[*i].total_cmp(&gains[*j])) {
            if gains[best] <= kept + NOTHING {
                break;
            }
            let apart = ladder.apart[best];
            if self.plan.allows(trial, attribute, apart) && self.plan.place(trial, attribute, apart, stream)? {
                self.information.step(attribute, (apart - now) as f64 * step);
                now = apart;
                break;
            }
            gains[best] = f64::NEG_INFINITY;
        }
        debug_assert_eq!(now, self.plan.apart(trial, attribute));
        Ok(())
    }

    /// All differences of a coarse grid, or some, evenly spread, of a fine one.
    fn coarse(&self, attribute: usize) -> Ladder {
        let furthest = self.plan.grids[attribute].levels - 1;
        let rungs = furthest.min(COARSE);
        let apart: Vec<i64> = (-rungs..=rungs).map(|rung| rung * furthest / rungs).collect();
        let mut ladder = Ladder {
            apart,
            odds: Vec::new(),
        };
        self.fill(attribute, &mut ladder);
        ladder
    }

    /// The difference as it is, one step down and one step up.
    fn neighbours(&self, trial: usize, attribute: usize, step: i64, ladder: &mut Ladder) {
        let furthest = self.plan.grids[attribute].levels - 1;
        let now = self.plan.apart(trial, attribute);
        ladder.apart.clear();
        ladder.apart.extend(
            [now - step, now + step]
                .into_iter()
                .filter(|apart| apart.abs() <= furthest),
        );
        self.fill(attribute, ladder);
    }

    fn fill(&self, attribute: usize, ladder: &mut Ladder) {
        let step = self.plan.grids[attribute].step;
        ladder.odds.clear();
        for apart in &ladder.apart {
            let odds = self.information.odds_of(attribute, *apart as f64 * step);
            ladder.odds.extend(odds);
        }
    }
}

/// The step after so many halvings of the coarse one, in levels; 0 where the coarse search has seen all there is, or
/// where the criterion doesn't feel it.
fn fine(levels: i64, halvings: u32) -> i64 {
    let step = ((levels - 2 + COARSE) / COARSE) >> halvings;
    if step * FINEST >= levels - 1 { step } else { 0 }
}
