//! Option pairs: values drawn uniformly within each attribute's range, at the authors' precision, and their
//! normalised differences.

use crate::error::{Error, Result, check_finite, check_len};
use crate::parallel::{Interrupt, map_units, worth};
use crate::rng::{Purpose, Stream};
use crate::rounding::{decimals, round_decimals};

/// What a value takes to be drawn, rounded and stored.
pub(crate) const NANOSECONDS: f64 = 9.0;

/// Trials between two looks at the interrupt flag.
const TRIALS_PER_CHECK: usize = 1 << 12;

/// The ranges of the attributes of some contexts, each with the same number of attributes.
#[derive(Debug, Clone, Copy)]
pub struct Ranges<'a> {
    mins: &'a [f64],
    maxs: &'a [f64],
    attributes: usize,
}

impl<'a> Ranges<'a> {
    /// `mins` and `maxs` are flat (contexts, attributes); every minimum lies below its maximum, by a finite range.
    pub fn new(mins: &'a [f64], maxs: &'a [f64], attributes: usize) -> Result<Self> {
        if attributes == 0 || !mins.len().is_multiple_of(attributes) {
            return Err(Error::input("mins", "one value per context and attribute", mins.len()));
        }
        check_len("maxs", mins.len(), maxs.len())?;
        check_finite("mins", mins)?;
        check_finite("maxs", maxs)?;
        match mins.iter().zip(maxs).position(|(min, max)| !is_range(*min, *max)) {
            None => Ok(Self { mins, maxs, attributes }),
            Some(i) => Err(Error::input(
                "maxs",
                "a maximum above its minimum, by a finite range",
                format!("minimum {} and maximum {} at flat index {i}", mins[i], maxs[i]),
            )),
        }
    }

    /// How many contexts there are.
    pub fn contexts(&self) -> usize {
        self.mins.len() / self.attributes
    }

    /// How many attributes each context has.
    pub fn attributes(&self) -> usize {
        self.attributes
    }

    /// The (minimum, maximum) of each attribute of a context.
    pub(crate) fn bounds(&self, context: usize) -> impl Iterator<Item = (f64, f64)> + Clone {
        let here = context * self.attributes..(context + 1) * self.attributes;
        self.mins[here.clone()]
            .iter()
            .copied()
            .zip(self.maxs[here].iter().copied())
    }

    /// The (minimum, range) of each attribute of a context.
    pub(crate) fn of(&self, context: usize) -> impl Iterator<Item = (f64, f64)> + Clone {
        let here = context * self.attributes..(context + 1) * self.attributes;
        self.mins[here.clone()]
            .iter()
            .zip(&self.maxs[here])
            .map(|(min, max)| (*min, max - min))
    }
}

fn is_range(min: f64, max: f64) -> bool {
    min < max && (max - min).is_finite()
}

/// Pairs of options, flat (contexts, trials, 2, attributes), option A first.
///
/// The values of a context come from the stream (seed, [`Purpose::Pairs`], `units[context]`, 0), one draw each in the order of
/// the output, so that asking for more trials extends the same sequence. As in the authors' design, a value is rounded after
/// it is drawn and can therefore leave its range: 0.4 in a range from 0.1 to 10 becomes 0.
pub fn draw_pairs(
    ranges: &Ranges<'_>,
    units: &[u64],
    trials: usize,
    seed: u64,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    check_len("units", ranges.contexts(), units.len())?;
    let too_many = || Error::input("trials", "as many as fit into memory", trials);
    let per_context = trials.checked_mul(2 * ranges.attributes).ok_or_else(too_many)?;
    let total = per_context.checked_mul(units.len()).ok_or_else(too_many)?;
    let mut out = Vec::new();
    out.try_reserve_exact(total).map_err(|_| too_many())?;
    let drawn = map_units(
        worth(threads, NANOSECONDS * total as f64),
        units.len(),
        interrupt,
        |context| {
            let mut stream = Stream::new(seed, Purpose::Pairs, units[context], 0);
            let scales: Vec<_> = ranges
                .of(context)
                .map(|(min, range)| (min, range, decimals(range)))
                .collect();
            let mut values = Vec::new();
            values.try_reserve_exact(per_context).map_err(|_| too_many())?;
            for trial in 0..trials {
                if trial % TRIALS_PER_CHECK == 0 {
                    interrupt.check()?;
                }
                for &(min, range, decimals) in scales.iter().chain(&scales) {
                    values.push(round_decimals(min + range * stream.uniform(), decimals));
                }
            }
            Ok(values)
        },
    )?;
    for values in drawn {
        interrupt.check()?;
        out.extend(values);
    }
    Ok(out)
}

/// The differences (a - b) / (max - min) of pairs flat (contexts, trials, 2, attributes): flat (contexts, trials, attributes).
pub fn differences(ranges: &Ranges<'_>, pairs: &[f64]) -> Result<Vec<f64>> {
    let per_context = values_per_context("pairs", ranges, pairs, 2)?;
    check_finite("pairs", pairs)?;
    let k = ranges.attributes;
    let mut out = Vec::with_capacity(pairs.len() / 2);
    for (context, values) in pairs.chunks_exact(per_context).enumerate() {
        for pair in values.chunks_exact(2 * k) {
            let (a, b) = pair.split_at(k);
            out.extend(
                ranges
                    .of(context)
                    .zip(a.iter().zip(b))
                    .map(|((_, range), (a, b))| (a - b) / range),
            );
        }
    }
    check_finite("differences", &out)?;
    Ok(out)
}

/// How many of the values, made of `options` options per item, belong to each context; at least 1, for chunking.
pub(crate) fn values_per_context(name: &str, ranges: &Ranges<'_>, values: &[f64], options: usize) -> Result<usize> {
    let per_context = values.len() / ranges.contexts().max(1);
    let even = per_context * ranges.contexts() == values.len();
    if even && per_context.is_multiple_of(options * ranges.attributes) {
        Ok(per_context.max(1))
    } else {
        let expected = format!(
            "the same number of options, of {} values each, for each of {} contexts",
            ranges.attributes,
            ranges.contexts()
        );
        Err(Error::input(name, expected, format!("{} values", values.len())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parallel::LITTLE;

    fn pairs(mins: &[f64], maxs: &[f64], k: usize, units: &[u64], trials: usize, threads: usize) -> Vec<f64> {
        let ranges = Ranges::new(mins, maxs, k).expect("good ranges");
        draw_pairs(&ranges, units, trials, 7, threads, &Interrupt::new()).expect("good input")
    }

    #[test]
    fn an_attribute_without_range_is_an_error() {
        for (min, max) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (f64::MIN, f64::MAX)] {
            assert!(Ranges::new(&[min], &[max], 1).is_err(), "{min} to {max}");
        }
        assert!(Ranges::new(&[0.0; 3], &[1.0; 3], 2).is_err());
        assert!(Ranges::new(&[], &[], 0).is_err());
    }

    #[test]
    fn a_design_beyond_memory_is_an_error() {
        let ranges = Ranges::new(&[0.0], &[1.0], 1).expect("a good range");
        assert!(draw_pairs(&ranges, &[0], usize::MAX / 4, 0, 1, &Interrupt::new()).is_err());
    }

    #[test]
    fn rounding_may_leave_the_range() {
        let values = pairs(&[0.1], &[10.0], 1, &[0], 500, 1);
        assert!(values.contains(&0.0));
        assert!(values.iter().all(|v| v.fract() == 0.0 && (0.0..=10.0).contains(v)));
    }

    proptest! {
        #[test]
        fn threads_neighbours_and_later_trials_change_nothing(units in prop::collection::vec(any::<u64>(), 2..5), k in 1usize..6) {
            let (mins, maxs) = (vec![-1.0; k * units.len()], vec![2.5; k * units.len()]);
            // Enough trials to cross the threshold where threads wake.
            let values = (1..).find(|&values| NANOSECONDS * f64::from(values) > LITTLE).unwrap_or(0_u32) as usize;
            let trials = values / (2 * k * units.len()) + 1;
            let all = pairs(&mins, &maxs, k, &units, trials, 1);
            prop_assert_eq!(&all, &pairs(&mins, &maxs, k, &units, trials, 2));
            for (context, unit) in units.iter().enumerate() {
                let alone = pairs(&mins[..k], &maxs[..k], k, &[*unit], 3, 1);
                prop_assert_eq!(&alone[..], &all[context * trials * 2 * k..][..6 * k]);
            }
        }

        #[test]
        fn differences_are_within_one_and_change_sign_with_the_order(unit: u64, min in -100.0..100.0, range in 5.0..1e6) {
            // At whole numbers within whole bounds no value leaves the range.
            let (mins, maxs) = ([f64::floor(min)], [f64::floor(min) + f64::ceil(range)]);
            let ranges = Ranges::new(&mins, &maxs, 1).expect("a good range");
            let forth = pairs(&mins, &maxs, 1, &[unit], 20, 1);
            let back: Vec<f64> = forth.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
            let d = differences(&ranges, &forth).expect("good pairs");
            let swapped = differences(&ranges, &back).expect("good pairs");
            prop_assert!(d.iter().zip(&swapped).all(|(x, y)| *x == -y && x.abs() <= 1.0));
        }
    }
}
