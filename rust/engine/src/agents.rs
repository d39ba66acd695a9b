//! Agents: target weights, the utilities they give to options, and the choices they make.

use crate::design::{NANOSECONDS, Ranges, pair_values, values_per_context};
use crate::error::{Error, Result, check_finite, check_len};
use crate::lanes::{self, Choose, Path, Scene};
use crate::logit::MAX_ATTRIBUTES;
use crate::parallel::{Interrupt, fill_both, map_units, worth};
use crate::rng::{Purpose, Stream};

/// The largest absolute target weight.
pub(crate) const LARGEST: f64 = 100.0;

/// Trials between two looks at the interrupt flag.
const TRIALS_PER_CHECK: usize = 1 << 14;

/// How an agent turns the difference of two options into a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The option of higher utility, and B where they tie: the rule of the paper's training data.
    Deterministic,
    /// P(A) = lapse / 2 + (1 - lapse) logistic(inverse_temperature sum_i (w_i / 100) d_i + position_bias).
    Logistic {
        /// How much a full range of an attribute of weight 100 moves the log odds; 0 or more.
        inverse_temperature: f64,
        /// The log odds of A between equal options.
        position_bias: f64,
        /// The share of trials answered at random; from 0 to 1.
        lapse: f64,
    },
}

impl Rule {
    /// A logistic rule, once its numbers are found to make one.
    pub fn logistic(inverse_temperature: f64, position_bias: f64, lapse: f64) -> Result<Self> {
        if !(inverse_temperature >= 0.0 && inverse_temperature.is_finite()) {
            return Err(Error::input(
                "inverse_temperature",
                "0 or more, finite",
                inverse_temperature,
            ));
        }
        check_finite("position_bias", &[position_bias])?;
        if !(0.0..=1.0).contains(&lapse) {
            return Err(Error::input("lapse", "a share from 0 to 1", lapse));
        }
        Ok(Self::Logistic {
            inverse_temperature,
            position_bias,
            lapse,
        })
    }

    /// The probability of A where sum_i w_i d_i is `advantage`.
    pub fn probability_of_a(&self, advantage: f64) -> f64 {
        match *self {
            Self::Deterministic => f64::from(advantage > 0.0),
            Self::Logistic {
                inverse_temperature,
                position_bias,
                lapse,
            } => {
                let log_odds = inverse_temperature * (advantage / LARGEST) + position_bias;
                lapse / 2.0 + (1.0 - lapse) / (1.0 + (-log_odds).exp())
            }
        }
    }
}

/// Target weights, flat (units, attributes): uniform from -100 to 100, scaled so that the largest absolute weight is 100,
/// rounded half to even.
///
/// The weights of a unit are the first draws of the stream (seed, [`Purpose::Targets`], unit, 0).
pub fn draw_targets(units: &[u64], attributes: usize, seed: u64) -> Result<Vec<f64>> {
    if attributes == 0 {
        return Err(Error::input("attributes", "1 or more", attributes));
    }
    let mut out = Vec::new();
    units
        .len()
        .checked_mul(attributes)
        .and_then(|total| out.try_reserve_exact(total).ok())
        .ok_or_else(|| Error::input("attributes", "as many as fit into memory", attributes))?;
    for unit in units {
        let mut stream = Stream::new(seed, Purpose::Targets, *unit, 0);
        let drawn = loop {
            let drawn: Vec<f64> = (0..attributes)
                .map(|_| LARGEST * (2.0 * stream.uniform() - 1.0))
                .collect();
            // All zero has no scale; such a draw has probability 2^-53 per attribute.
            if drawn.iter().any(|w| *w != 0.0) {
                break drawn;
            }
        };
        let largest = drawn.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        // Adding zero turns a negative zero into zero.
        out.extend(drawn.iter().map(|w| (LARGEST * w / largest).round_ties_even() + 0.0));
    }
    Ok(out)
}

/// The utilities sum_i w_i (v_i - min_i) / (max_i - min_i) of options whose `values` are flat (contexts, options,
/// attributes), under `weights` flat (contexts, attributes): flat (contexts, options).
pub fn utilities(ranges: &Ranges<'_>, values: &[f64], weights: &[f64]) -> Result<Vec<f64>> {
    let k = ranges.attributes();
    check_len("weights", ranges.contexts() * k, weights.len())?;
    check_finite("weights", weights)?;
    let per_context = values_per_context("values", ranges, values, 1)?;
    check_finite("values", values)?;
    let mut out = Vec::with_capacity(values.len() / k);
    for (context, options) in values.chunks_exact(per_context).enumerate() {
        let weights = &weights[context * k..][..k];
        out.extend(options.chunks_exact(k).map(|option| {
            let shares = option
                .iter()
                .zip(ranges.of(context))
                .map(|(v, (min, range))| (v - min) / range);
            weights.iter().zip(shares).map(|(w, share)| w * share).sum::<f64>()
        }));
    }
    check_finite("utilities", &out)?;
    Ok(out)
}

/// What agents choose between: everything about the trials of some units that does not come from chance.
#[derive(Debug, Clone, Copy)]
pub struct Trials<'a> {
    /// Flat (units, trials, attributes), as [`crate::design::differences`] gives them.
    pub differences: &'a [f64],
    /// Flat (units, attributes).
    pub weights: &'a [f64],
    /// How many attributes there are.
    pub attributes: usize,
    /// One rule per unit.
    pub rules: &'a [Rule],
    /// The index of each trial within its unit, flat (units, trials); without it they are 0, 1, 2, ...
    pub indices: Option<&'a [u64]>,
}

impl Trials<'_> {
    /// How many trials each unit has, once all parts are found to fit together.
    fn check(&self, units: usize) -> Result<usize> {
        let k = self.attributes;
        if k == 0 {
            return Err(Error::input("differences", "at least one attribute", k));
        }
        check_len("weights", units * k, self.weights.len())?;
        check_len("rules", units, self.rules.len())?;
        let trials = self.differences.len() / (units * k).max(1);
        check_len("differences", units * trials * k, self.differences.len())?;
        if let Some(indices) = self.indices {
            check_len("indices", units * trials, indices.len())?;
        }
        check_finite("differences", self.differences)?;
        check_finite("weights", self.weights)?;
        Ok(trials)
    }
}

/// Choices, flat (units, trials): 1 for A and 0 for B.
///
/// Trial t of a unit takes draw t of the stream (seed, [`Purpose::Choices`], `units[i]`, `replicate`), whatever its rule.
pub fn choices(
    input: &Trials<'_>,
    units: &[u64],
    seed: u64,
    replicate: u64,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<u8>> {
    let trials = input.check(units.len())?;
    let path = Path::chosen()?;
    let work = NANOSECONDS * input.differences.len() as f64;
    let chosen = map_units(worth(threads, work), units.len(), interrupt, |i| {
        let stream = Stream::new(seed, Purpose::Choices, units[i], replicate);
        choices_of_one(input, i, trials, path, stream, interrupt)
    })?;
    Ok(chosen.concat())
}

fn choices_of_one(
    input: &Trials<'_>,
    i: usize,
    trials: usize,
    path: Path,
    mut stream: Stream,
    interrupt: &Interrupt,
) -> Result<Vec<u8>> {
    let k = input.attributes;
    let weights = &input.weights[i * k..][..k];
    let differences = &input.differences[i * trials * k..][..trials * k];
    let indices = input.indices.map(|all| &all[i * trials..][..trials]);
    let mut chosen = vec![0; trials];
    let room = TRIALS_PER_CHECK.min(trials);
    let (mut advantages, mut words) = (Vec::with_capacity(room), vec![0; room]);
    let mut next_draw = Some(0);
    for (block, out) in chosen.chunks_mut(TRIALS_PER_CHECK).enumerate() {
        interrupt.check()?;
        let first = block * TRIALS_PER_CHECK;
        let words = &mut words[..out.len()];
        match indices {
            None => stream.fill_bits(words),
            Some(indices) => {
                for (word, &index) in words.iter_mut().zip(&indices[first..]) {
                    if Some(index) != next_draw {
                        stream.seek(index);
                    }
                    next_draw = index.checked_add(1);
                    *word = stream.bits();
                }
            }
        }
        let rows = differences[first * k..].chunks_exact(k).take(out.len());
        advantages.clear();
        advantages.extend(rows.map(|d| weights.iter().zip(d).map(|(w, d)| w * d).sum::<f64>()));
        if let Some(t) = advantages.iter().position(|advantage| !advantage.is_finite()) {
            return Err(Error::input(
                "differences",
                "values whose weighted sum is finite",
                format!("{} at position {} of unit {i}", advantages[t], first + t),
            ));
        }
        path.run(Choose {
            rule: input.rules[i],
            advantages: &advantages,
            words,
            out,
        });
    }
    Ok(chosen)
}

/// What agents decide on, and how: ranges, `weights` flat (units, attributes) and one rule per unit.
#[derive(Debug, Clone, Copy)]
pub struct Deciding<'a> {
    /// Of the attributes of every unit's context.
    pub ranges: Ranges<'a>,
    /// Flat (units, attributes).
    pub weights: &'a [f64],
    /// One rule per unit.
    pub rules: &'a [Rule],
}

/// The pairs of [`crate::design::draw_pairs`] and the choices of [`choices`] between them, in one go: `pairs` flat (units,
/// trials, 2, attributes), `chosen` flat (units, trials).
pub fn decisions(
    deciding: &Deciding<'_>,
    units: &[u64],
    (seed, replicate): (u64, u64),
    threads: usize,
    interrupt: &Interrupt,
    (pairs, chosen): (&mut [f64], &mut [u8]),
) -> Result<()> {
    let (ranges, k) = (&deciding.ranges, deciding.ranges.attributes());
    if k > MAX_ATTRIBUTES {
        return Err(Error::input("mins", format!("1 to {MAX_ATTRIBUTES} attributes"), k));
    }
    check_len("units", ranges.contexts(), units.len())?;
    check_len("weights", units.len() * k, deciding.weights.len())?;
    check_len("rules", units.len(), deciding.rules.len())?;
    check_finite("weights", deciding.weights)?;
    // Rounding moves no difference beyond two ranges.
    let beyond = |w: &&f64| !(2.0 * k as f64 * w.abs()).is_finite();
    if let Some(w) = deciding.weights.iter().find(beyond) {
        return Err(Error::input("weights", "numbers whose utilities are finite", w));
    }
    let trials = chosen.len() / units.len().max(1);
    check_len("chosen", units.len() * trials, chosen.len())?;
    let per_unit = pair_values(ranges, trials)?;
    check_len("pairs", units.len() * per_unit, pairs.len())?;
    if chosen.is_empty() {
        return Ok(());
    }
    let path = Path::chosen()?;
    let scene = Scene {
        seed,
        replicate,
        units,
        mins: ranges.mins,
        maxs: ranges.maxs,
        weights: deciding.weights,
        rules: deciding.rules,
    };
    let (together, work) = (lanes::chunk(trials), NANOSECONDS * pairs.len() as f64);
    let sizes = (together * per_unit, together * trials);
    fill_both(
        worth(threads, work),
        (pairs, chosen),
        sizes,
        interrupt,
        |place, parts| {
            let first = place * together;
            let agents = first..units.len().min(first + together);
            lanes::decide(path, &scene, k, agents, parts, interrupt)
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choose(d: &[f64], weights: &[f64], rule: Rule, units: &[u64], threads: usize) -> Vec<u8> {
        let rules = vec![rule; units.len()];
        let attributes = weights.len() / units.len();
        let input = Trials {
            differences: d,
            weights,
            attributes,
            rules: &rules,
            indices: None,
        };
        choices(&input, units, 5, 0, threads, &Interrupt::new()).expect("good input")
    }

    fn logistic(inverse_temperature: f64, position_bias: f64, lapse: f64) -> Rule {
        Rule::logistic(inverse_temperature, position_bias, lapse).expect("a good rule")
    }

    #[test]
    fn rules_that_are_none_are_errors() {
        assert!(Rule::logistic(-1.0, 0.0, 0.0).is_err());
        assert!(Rule::logistic(f64::INFINITY, 0.0, 0.0).is_err());
        assert!(Rule::logistic(1.0, f64::NAN, 0.0).is_err());
        assert!(Rule::logistic(1.0, 0.0, 1.1).is_err());
        assert!(Rule::logistic(1.0, 0.0, f64::NAN).is_err());
    }

    #[test]
    fn ties_go_to_b() {
        assert_eq!(choose(&[1.0, -1.0], &[50.0, 50.0], Rule::Deterministic, &[0], 1), [0]);
    }

    #[test]
    fn probabilities_of_the_formula() {
        assert_eq!(logistic(4.0, 0.0, 0.2).probability_of_a(0.0), 0.5);
        assert_eq!(logistic(1e300, 0.0, 0.2).probability_of_a(-1e10), 0.1);
        let p = logistic(2.0, 0.5, 0.1).probability_of_a(30.0);
        assert!((p - (0.05 + 0.9 / (1.0 + (-1.1f64).exp()))).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn choices_are_draws_below_the_probability_of_a(
            seed: u64,
            rule in prop_oneof![
                Just(Rule::Deterministic),
                (0.0..40.0, -9.0..9.0, 0.0..1.0).prop_map(|(t, b, l)| logistic(t, b, l)),
            ],
            d in prop::collection::vec(-1.0..1.0_f64, 1..70),
        ) {
            let (mut stream, weight) = (Stream::new(5, Purpose::Choices, seed, 0), 80.0);
            for (d, choice) in d.iter().zip(choose(&d, &[weight], rule, &[seed], 1)) {
                let (p, uniform) = (rule.probability_of_a(weight * d), stream.uniform());
                prop_assert!(choice == u8::from(uniform < p) || (uniform - p).abs() < 1e-14);
            }
        }

        #[test]
        fn targets_are_whole_and_reach_one_hundred(units in prop::collection::vec(any::<u64>(), 0..20), k in 1usize..13, seed: u64) {
            let all = draw_targets(&units, k, seed).expect("good input");
            for (weights, unit) in all.chunks(k).zip(&units) {
                prop_assert!(weights.iter().all(|w| w.fract() == 0.0 && w.abs() <= 100.0 && w.to_bits() != (-0.0f64).to_bits()));
                prop_assert!(weights.iter().any(|w| w.abs() == 100.0));
                prop_assert_eq!(weights, &draw_targets(&[*unit], k, seed).expect("good input")[..]);
            }
        }

        #[test]
        fn order_threads_and_choice_of_trials_change_nothing(trials in 3000usize..9000, bias in -1.0..1.0) {
            let units = [3u64, 1, u64::MAX];
            let d: Vec<f64> = (0..trials * 6).map(|i| ((i * 7919) % 2001) as f64 / 1000.0 - 1.0).collect();
            let weights = [100.0, -30.0, 5.0, 100.0, 0.0, -100.0];
            let rule = logistic(3.0, bias, 0.1);
            let all = choose(&d, &weights, rule, &units, 1);
            prop_assert_eq!(&all, &choose(&d, &weights, rule, &units, 2));
            let last = choose(&d[trials * 4..], &weights[4..], rule, &units[2..], 1);
            prop_assert_eq!(&last[..], &all[trials * 2..]);
            let some = [trials as u64 - 1, 5, 6, 2];
            let picked: Vec<f64> = some.iter().flat_map(|t| &d[*t as usize * 2..][..2]).copied().collect();
            let input = Trials { differences: &picked, weights: &weights[..2], attributes: 2, rules: &[rule], indices: Some(&some) };
            let chosen = choices(&input, &units[..1], 5, 0, 1, &Interrupt::new()).expect("good input");
            prop_assert_eq!(chosen, some.map(|t| all[t as usize]));
        }

        #[test]
        fn decisions_are_the_pairs_and_the_choices_between_them(
            units in prop::collection::vec(any::<u64>(), 1..20),
            k in 1usize..13,
            trials in 0usize..40,
            (temperature, bias, lapse) in (0.0..9.0, -1.0..1.0, 0.0..1.0),
            seed: u64,
        ) {
            let agents = units.len();
            let mins: Vec<f64> = (0..agents * k).map(|i| i as f64 / 7.0).collect();
            let maxs: Vec<f64> = mins.iter().enumerate().map(|(i, min)| min + [0.5, 3.0, 40.0][i % 3]).collect();
            let ranges = Ranges::new(&mins, &maxs, k).expect("good ranges");
            let weights = draw_targets(&units, k, seed).expect("good input");
            let rules: Vec<Rule> = (0..agents)
                .map(|i| if i % 5 == 4 { Rule::Deterministic } else { logistic(temperature, bias, lapse) })
                .collect();
            let deciding = Deciding { ranges, weights: &weights, rules: &rules };
            let (mut pairs, mut chosen) = (vec![f64::NAN; agents * trials * 2 * k], vec![7; agents * trials]);
            let flag = Interrupt::new();
            decisions(&deciding, &units, (seed, 2), 1, &flag, (&mut pairs, &mut chosen)).expect("good input");
            let mut expected = vec![f64::NAN; pairs.len()];
            crate::design::draw_pairs(&ranges, &units, trials, seed, 1, &flag, &mut expected).expect("good input");
            prop_assert_eq!(&pairs, &expected);
            let differences = crate::design::differences(&ranges, &pairs).expect("good pairs");
            let input = Trials { differences: &differences, weights: &weights, attributes: k, rules: &rules, indices: None };
            prop_assert_eq!(&chosen, &choices(&input, &units, seed, 2, 1, &flag).expect("good input"));
        }

        #[test]
        fn swapping_options_swaps_choices_but_for_ties(d in prop::collection::vec(-1.0..1.0, 12), weights in prop::collection::vec(-100i32..=100, 3)) {
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let swapped: Vec<f64> = d.iter().map(|d| -d).collect();
            let forth = choose(&d, &weights, Rule::Deterministic, &[0], 1);
            let back = choose(&swapped, &weights, Rule::Deterministic, &[0], 1);
            for (t, (x, y)) in forth.into_iter().zip(back).enumerate() {
                let sum: f64 = d[t * 3..][..3].iter().zip(&weights).map(|(d, w)| w * d).sum();
                prop_assert_eq!(x + y, u8::from(sum != 0.0));
            }
        }
    }
}
