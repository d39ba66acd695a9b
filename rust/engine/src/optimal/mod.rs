//! Optimal pairs: designs under which the answers tell as much about the weights as any that a search can find.
//!
//! A choice of A has log odds `intercept + sum_i slope_i d_i`, so a design's information at known slopes is
//! `M = sum_t p_t (1 - p_t) x_t x_t'` with `x = (d, 1)`. The slopes are what is to be learned: the Bayesian D-criterion is
//! a mean of log determinants over draws of them (Kessels, Goos and Vandebroek 2006, Journal of Marketing Research
//! 43:409). The intercept is a nuisance, so its own information is taken off, `ln det M - ln M_aa` (D_s-optimality,
//! Atkinson and Donev 1992): with it, pairs of nearly equal options, which tell of nothing else, would be worth asking.
//! Pairs are exchanged one coordinate at a time (Meyer and Nachtsheim 1995, Technometrics 37:60).
//!
//! Reading order: `belief` (draws of slopes), `information` (the criterion, changed by rank one), `grid` (which values
//! there are), `plan` (which pairs may stand together), `search` (starts and exchanges).

mod belief;
mod grid;
mod information;
mod plan;
mod search;

pub use belief::Belief;

use crate::design::Ranges;
use crate::error::{Error, Result, check_finite, check_len};
use crate::logit::MAX_ATTRIBUTES;
use crate::parallel::{Interrupt, map_units};
use crate::rng::{Purpose, Stream};
use grid::Grid;
use information::Information;
use plan::{Plan, options, shuffle};
use search::Search;

/// Log odds beyond which the information of a trial is lost in rounding.
const CERTAIN: f64 = 300.0;

/// What is asked of a design.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish {
    /// Pairs of each context.
    pub trials: usize,
    /// The prior of the slopes.
    pub belief: Belief,
    /// The largest share of an attribute's values that may be extreme; 1 for any.
    pub cap: f64,
    /// How far from either end a value counts as extreme, as a share of the span of the grid's values.
    pub margin: f64,
    /// Starts of the search; the best result counts.
    pub starts: usize,
}

impl Wish {
    fn check(&self) -> Result<()> {
        self.belief.check()?;
        if !(0.0..=1.0).contains(&self.cap) {
            return Err(Error::input("cap", "a share from 0 to 1", self.cap));
        }
        if !(0.0..0.5).contains(&self.margin) {
            return Err(Error::input("margin", "a share from 0 to under .5", self.margin));
        }
        if self.starts == 0 {
            return Err(Error::input("starts", "at least 1", self.starts));
        }
        Ok(())
    }

    /// How many of an attribute's values may be extreme.
    #[expect(clippy::cast_sign_loss, reason = "a share of a number")]
    fn most(&self) -> usize {
        // The tolerance keeps .3 times 10 at 3.
        (self.cap * (2 * self.trials) as f64 + 1e-9) as usize
    }
}

/// Pairs of options, flat (contexts, trials, 2, attributes), option A first, as [`crate::design::draw_pairs`] gives them.
///
/// Values lie on the grid of rounded values inside each range. No pair stands twice, in either order. A context's pairs
/// depend on the seed, its unit, its ranges and the wish alone: slopes come from the stream (seed,
/// [`Purpose::OptimalPairs`], unit, 0), start `s` from replicate `s + 1`. Other trials make another design.
pub fn optimal_pairs(
    ranges: &Ranges<'_>,
    units: &[u64],
    wish: &Wish,
    seed: u64,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    wish.check()?;
    check_len("units", ranges.contexts(), units.len())?;
    check_attributes(ranges.attributes())?;
    let too_many = || Error::input("trials", "as many as fit into memory", wish.trials);
    let per_context = wish.trials.checked_mul(2 * ranges.attributes()).ok_or_else(too_many)?;
    let total = per_context.checked_mul(units.len()).ok_or_else(too_many)?;
    let mut out = Vec::new();
    out.try_reserve_exact(total).map_err(|_| too_many())?;
    let designs = map_units(threads, units.len(), interrupt, |context| {
        let margin = (wish.cap < 1.0).then_some(wish.margin);
        let grids = (ranges.bounds(context))
            .map(|(min, max)| Grid::new(min, max, margin))
            .collect::<Result<Vec<_>>>()?;
        design(&grids, wish, (seed, units[context]), interrupt)
    })?;
    out.extend(designs.into_iter().flatten());
    Ok(out)
}

/// The slopes over which the criterion of each unit's design is a mean, flat (units, draws, attributes).
pub fn prior_slopes(units: &[u64], attributes: usize, belief: &Belief, seed: u64) -> Result<Vec<f64>> {
    belief.check()?;
    check_attributes(attributes)?;
    let mut out = Vec::new();
    for unit in units {
        let slopes = belief.slopes(attributes, &mut Stream::new(seed, Purpose::OptimalPairs, *unit, 0))?;
        out.extend((0..belief.draws).flat_map(|draw| slopes[draw..].iter().step_by(belief.draws)));
    }
    Ok(out)
}

/// The criterion of designs flat (designs, trials, attributes): the mean over slopes, flat (draws, attributes), of
/// `ln det M - ln M_aa` with `M = precision I + sum_t p_t (1 - p_t) x_t x_t'` and `a` the intercept.
pub fn criterion(
    differences: &[f64],
    trials: usize,
    attributes: usize,
    slopes: &[f64],
    precision: f64,
) -> Result<Vec<f64>> {
    check_attributes(attributes)?;
    belief::check_precision(precision)?;
    check_finite("differences", differences)?;
    check_finite("slopes", slopes)?;
    if trials == 0 || !differences.len().is_multiple_of(trials * attributes) {
        let expected = format!("trials of {attributes} values each, as many in every design");
        return Err(Error::input("differences", expected, differences.len()));
    }
    let draws = slopes.len() / attributes;
    check_len("slopes", draws.max(1) * attributes, slopes.len())?;
    let reach = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if reach(differences) * reach(slopes) * attributes as f64 > CERTAIN {
        let expected = format!("log odds within {CERTAIN}");
        return Err(Error::input("slopes", expected, reach(differences) * reach(slopes)));
    }
    let by_attribute: Vec<f64> = (0..attributes)
        .flat_map(|i| slopes[i..].iter().step_by(attributes).copied())
        .collect();
    let mut information = Information::new(&by_attribute, attributes, precision);
    let value = |design: &[f64]| {
        information.reset();
        design.chunks_exact(attributes).for_each(|trial| information.add(trial));
        information.mean()
    };
    Ok(differences.chunks_exact(trials * attributes).map(value).collect())
}

fn check_attributes(attributes: usize) -> Result<()> {
    if (1..=MAX_ATTRIBUTES).contains(&attributes) {
        Ok(())
    } else {
        Err(Error::input("attributes", format!("1 to {MAX_ATTRIBUTES}"), attributes))
    }
}

fn design(grids: &[Grid], wish: &Wish, (seed, unit): (u64, u64), interrupt: &Interrupt) -> Result<Vec<f64>> {
    let options = options(grids);
    let pairs = options * (options - 1) / 2;
    if wish.trials as u128 > pairs {
        let expected = format!("at most the {pairs} different pairs that there are");
        return Err(Error::input("trials", expected, wish.trials));
    }
    let stream = |replicate| Stream::new(seed, Purpose::OptimalPairs, unit, replicate);
    let slopes = wish.belief.slopes(grids.len(), &mut stream(0))?;
    let mut best: Option<(Search<'_>, Stream)> = None;
    for start in 0..wish.starts {
        let mut stream = stream(start as u64 + 1);
        let information = Information::new(&slopes, grids.len(), wish.belief.precision);
        let mut search = Search::start(Plan::new(grids, wish.most()), information, wish.trials, &mut stream)?;
        search.exchange(&mut stream, interrupt)?;
        if best.as_ref().is_none_or(|(held, _)| search.value() > held.value()) {
            best = Some((search, stream));
        }
    }
    let Some((search, mut stream)) = best else {
        return Ok(Vec::new());
    };
    let mut plan = search.refine(&mut stream, interrupt)?;
    plan.spread(&mut stream)?;
    // The information is the same with all pairs swapped: a coin leaves no option of any pair favoured as A.
    if stream.uniform() < 0.5 {
        (0..wish.trials).for_each(|trial| plan.swap(trial));
    }
    let mut order: Vec<usize> = (0..wish.trials).collect();
    shuffle(&mut order, &mut stream)?;
    Ok(order.iter().flat_map(|trial| plan.values(*trial)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(trials: usize, cap: f64) -> Wish {
        let belief = Belief {
            inverse_temperature: 6.0,
            inverse_temperature_sd: 0.2,
            precision: 0.1,
            draws: 16,
        };
        Wish {
            trials,
            belief,
            cap,
            margin: 0.05,
            starts: 2,
        }
    }

    fn pairs(max: f64, k: usize, units: &[u64], wish: &Wish, threads: usize) -> Result<Vec<f64>> {
        let (mins, maxs) = (vec![0.0; k * units.len()], vec![max; k * units.len()]);
        let ranges = Ranges::new(&mins, &maxs, k).expect("good ranges");
        optimal_pairs(&ranges, units, wish, 5, threads, &Interrupt::new())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn pairs_differ_and_extremes_keep_to_their_cap(unit: u64, max in 5u32..200, k in 2usize..7, cap in 0.0..1.0_f64) {
            let max = f64::from(max);
            let found = pairs(max, k, &[unit], &wish(6, cap), 1).expect("a design");
            let mut sorted: Vec<Vec<u64>> = found
                .chunks_exact(2 * k)
                .map(|pair| {
                    let (a, b) = pair.split_at(k);
                    let (a, b) = if a < b { (a, b) } else { (b, a) };
                    assert_ne!(a, b);
                    a.iter().chain(b).map(|v| v.to_bits()).collect()
                })
                .collect();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), 6);
            let edge = (max * 0.05).floor();
            for attribute in 0..k {
                let values = found.iter().skip(attribute).step_by(k);
                let extremes = values.filter(|v| **v <= edge || **v >= max - edge).count();
                prop_assert!(extremes as f64 <= cap * 12.0 + 1e-9);
            }
        }

        #[test]
        fn threads_and_neighbours_change_nothing(units in prop::collection::vec(any::<u64>(), 2..4), k in 1usize..5) {
            let all = pairs(30.0, k, &units, &wish(5, 0.3), 1).expect("a design");
            prop_assert_eq!(&all, &pairs(30.0, k, &units, &wish(5, 0.3), 2).expect("a design"));
            for (context, unit) in units.iter().enumerate() {
                let alone = pairs(30.0, k, &[*unit], &wish(5, 0.3), 1).expect("a design");
                prop_assert_eq!(&alone[..], &all[context * 10 * k..][..10 * k]);
            }
        }
    }

    #[test]
    fn a_search_ends_above_its_start() {
        let grids = [Grid::new(0.0, 50.0, Some(0.05)).expect("a good range"); 4];
        let mut stream = Stream::new(1, Purpose::OptimalPairs, 0, 1);
        let slopes = wish(20, 0.1).belief.slopes(4, &mut stream).expect("a good prior");
        let mut search = Search::start(Plan::new(&grids, 4), Information::new(&slopes, 4, 0.1), 20, &mut stream)
            .expect("room enough");
        let start = search.value();
        search.exchange(&mut stream, &Interrupt::new()).expect("no interrupt");
        assert!(search.value() > start + 0.2, "{start} to {}", search.value());
    }

    #[test]
    fn what_cannot_be_is_an_error_that_says_why() {
        let refusal = |found: Result<Vec<f64>>| found.expect_err("a refusal").to_string();
        assert!(refusal(pairs(5.0, 1, &[1], &wish(16, 1.0), 1)).starts_with("trials: expected at most the 15"));
        assert_eq!(pairs(5.0, 1, &[1], &wish(15, 1.0), 1).expect("all pairs").len(), 30);
        assert!(refusal(pairs(5.0, 1, &[1], &wish(7, 0.0), 1)).starts_with("cap: expected"));
        assert!(refusal(pairs(5.0, 13, &[1], &wish(7, 0.5), 1)).starts_with("attributes: expected"));
        assert!(refusal(pairs(5.0, 2, &[1], &wish(usize::MAX / 4, 0.5), 1)).starts_with("trials: expected"));
        assert!(pairs(5.0, 2, &[1], &wish(0, 0.5), 1).expect("nothing").is_empty());
        let raised = Interrupt::new();
        raised.raise();
        let ranges = Ranges::new(&[0.0], &[9.0], 1).expect("a good range");
        let stopped = optimal_pairs(&ranges, &[1], &wish(5, 0.5), 1, 1, &raised);
        assert_eq!(stopped, Err(Error::Interrupted));
    }
}
