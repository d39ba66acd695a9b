//! Option pairs: values drawn uniformly within each attribute's range, at the authors' precision, and their
//! normalised differences.

use crate::error::{Error, Result, check_finite, check_len};
use crate::lanes::{self, Path, Scene};
use crate::logit::MAX_ATTRIBUTES;
use crate::parallel::{Interrupt, fill_units, worth};
use crate::rng::{Purpose, Stream};
use crate::rounding::{decimals, round_decimals};

/// What a value takes to be drawn, rounded and stored.
pub(crate) const NANOSECONDS: f64 = 1.0;

/// Trials between two looks at the interrupt flag.
const TRIALS_PER_CHECK: usize = 1 << 12;

/// The ranges of the attributes of some contexts, each with the same number of attributes.
#[derive(Debug, Clone, Copy)]
pub struct Ranges<'a> {
    pub(crate) mins: &'a [f64],
    pub(crate) maxs: &'a [f64],
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

    /// One context alone.
    pub(crate) fn only(&self, context: usize) -> Self {
        let here = context * self.attributes..(context + 1) * self.attributes;
        Self {
            mins: &self.mins[here.clone()],
            maxs: &self.maxs[here],
            attributes: self.attributes,
        }
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

/// Pairs of options, flat (contexts, trials, 2, attributes), option A first, written to `out`.
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
    out: &mut [f64],
) -> Result<()> {
    let k = ranges.attributes;
    check_len("units", ranges.contexts(), units.len())?;
    let per_context = pair_values(ranges, trials)?;
    check_len("out", per_context * units.len(), out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    let threads = worth(threads, NANOSECONDS * out.len() as f64);
    if k > MAX_ATTRIBUTES {
        return fill_units(threads, out, per_context, interrupt, |context, values| {
            draw_one(ranges, context, units[context], seed, interrupt, values)
        });
    }
    let path = Path::chosen()?;
    let scene = Scene {
        seed,
        replicate: 0,
        units,
        mins: ranges.mins,
        maxs: ranges.maxs,
        weights: &[],
        rules: &[],
    };
    let together = lanes::chunk(trials);
    fill_units(threads, out, together * per_context, interrupt, |place, pairs| {
        let first = place * together;
        let contexts = first..units.len().min(first + together);
        lanes::decide(path, &scene, k, contexts, (pairs, &mut []), interrupt)
    })
}

/// The values in the pairs of one context; an error where all together do not fit into memory.
pub(crate) fn pair_values(ranges: &Ranges<'_>, trials: usize) -> Result<usize> {
    let per_context = trials.checked_mul(2 * ranges.attributes);
    let fits = |values: &usize| values.checked_mul(8 * ranges.contexts()).is_some();
    per_context
        .filter(fits)
        .ok_or_else(|| Error::input("trials", "as many as fit into memory", trials))
}

/// The pairs of one context, value by value.
fn draw_one(
    ranges: &Ranges<'_>,
    context: usize,
    unit: u64,
    seed: u64,
    interrupt: &Interrupt,
    out: &mut [f64],
) -> Result<()> {
    let mut stream = Stream::new(seed, Purpose::Pairs, unit, 0);
    let scales: Vec<_> = ranges
        .of(context)
        .map(|(min, range)| (min, range, decimals(range)))
        .collect();
    for (trial, pair) in out.chunks_exact_mut(2 * scales.len()).enumerate() {
        if trial % TRIALS_PER_CHECK == 0 {
            interrupt.check()?;
        }
        for (value, &(min, range, decimals)) in pair.iter_mut().zip(scales.iter().chain(&scales)) {
            *value = round_decimals(min + range * stream.uniform(), decimals);
        }
    }
    Ok(())
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
        let mut out = vec![f64::NAN; units.len() * trials * 2 * k];
        draw_pairs(&ranges, units, trials, 7, threads, &Interrupt::new(), &mut out).expect("good input");
        out
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
        assert!(draw_pairs(&ranges, &[0], usize::MAX / 4, 0, 1, &Interrupt::new(), &mut []).is_err());
    }

    /// Every rounding there is, many decimals and large numbers included.
    fn bounds() -> impl Strategy<Value = (f64, f64)> {
        (-1.0..1.0_f64, -9i32..13, -20i32..13)
            .prop_map(|(share, low, range)| (share * 10f64.powi(low), (1.0 + share.abs()) * 10f64.powi(range)))
            .prop_filter("a range", |(min, range)| is_range(*min, min + range))
    }

    proptest! {
        #[test]
        fn lanes_draw_what_is_drawn_value_by_value(
            contexts in prop::collection::vec((any::<u64>(), prop::collection::vec(bounds(), 4)), 1..20),
            k in 1usize..5,
            trials in 1usize..40,
        ) {
            let units: Vec<u64> = contexts.iter().map(|(unit, _)| *unit).collect();
            let mins: Vec<f64> = contexts.iter().flat_map(|(_, all)| all[..k].iter().map(|b| b.0)).collect();
            let maxs: Vec<f64> = contexts.iter().flat_map(|(_, all)| all[..k].iter().map(|b| b.0 + b.1)).collect();
            let ranges = Ranges::new(&mins, &maxs, k).expect("good ranges");
            let mut expected = vec![f64::NAN; units.len() * trials * 2 * k];
            for (context, values) in expected.chunks_mut(trials * 2 * k).enumerate() {
                draw_one(&ranges, context, units[context], 7, &Interrupt::new(), values).expect("not interrupted");
            }
            let found = pairs(&mins, &maxs, k, &units, trials, 1);
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
            prop_assert_eq!(bits(&found), bits(&expected));
        }
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
