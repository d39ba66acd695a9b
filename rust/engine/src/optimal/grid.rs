//! The grid of an attribute: its rounded values inside the range, which of them are extreme, and where a pair with a
//! given difference can lie.

use crate::error::{Error, Result};
use crate::rng::Stream;
use crate::rounding::{decimals, round_decimals};

/// The largest whole number up to which doubles are all whole numbers.
const EXACT: f64 = (1u64 << 53) as f64;

/// Powers of ten beyond this are no doubles, and a quotient by them would round twice.
const MOST_DECIMALS: usize = 22;

/// The values of one attribute: level l is `(first + l) / power`, for l from 0 to `levels - 1`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    first: i64,
    power: f64,
    decimals: usize,
    /// How many values there are.
    pub levels: i64,
    /// How many levels at either end are extreme.
    pub edge: i64,
    /// One step in shares of the attribute's range.
    pub step: f64,
}

/// A run of positions of the lower value, all with as many extreme values in the pair.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: i64,
    to: i64,
    extremes: usize,
}

impl Grid {
    /// The values at the design's precision within `[min, min + range]`; `margin` is the share of their span that
    /// counts as extreme at either end, or `None` where nothing does.
    pub fn new(min: f64, max: f64, margin: Option<f64>) -> Result<Self> {
        let range = max - min;
        let decimals = decimals(range);
        let power = 10f64.powi(i32::try_from(decimals.min(MOST_DECIMALS)).unwrap_or(0));
        let largest = min.abs().max(max.abs()) * power;
        if decimals > MOST_DECIMALS || largest > EXACT {
            return Err(Error::input(
                "mins",
                "ranges whose values differ at their precision",
                format!("{min} to {max}, at {decimals} decimals"),
            ));
        }
        let value = |k: f64| round_decimals(k / power, decimals);
        let inside = |k: f64| (min..=max).contains(&value(k));
        // The products are off by less than one step, so one step either way finds the ends.
        let (mut low, mut high) = ((min * power).floor() - 1.0, (max * power).ceil() + 1.0);
        while low < high && !inside(low) {
            low += 1.0;
        }
        while high > low && !inside(high) {
            high -= 1.0;
        }
        let levels = (high - low) as i64 + 1;
        if levels < 2 {
            return Err(Error::input(
                "mins",
                "at least two values in every range",
                format!("{min} to {max}"),
            ));
        }
        let edge = margin.map_or(0, |margin| ((levels - 1) as f64 * margin) as i64 + 1);
        Ok(Self {
            first: low as i64,
            power,
            decimals,
            levels,
            edge,
            step: 1.0 / power / range,
        })
    }

    /// The value of a level.
    pub fn value(&self, level: i64) -> f64 {
        round_decimals((self.first + level) as f64 / self.power, self.decimals)
    }

    /// 1 for an extreme level, 0 for any other.
    pub fn extreme(&self, level: i64) -> usize {
        usize::from(level < self.edge || level >= self.levels - self.edge)
    }

    /// The positions of the lower of two values that lie `apart` levels from each other.
    fn runs(&self, apart: i64) -> impl Iterator<Item = Run> {
        let (positions, upper) = (self.levels - apart, self.levels - self.edge);
        // Between these no value enters or leaves the extremes.
        let mut cuts = [0, self.edge - apart, self.edge, upper - apart, upper, positions];
        cuts.iter_mut().for_each(|cut| *cut = (*cut).clamp(0, positions));
        cuts.sort_unstable();
        let grid = *self;
        (1..cuts.len())
            .filter(move |i| cuts[i - 1] < cuts[*i])
            .map(move |i| Run {
                from: cuts[i - 1],
                to: cuts[i],
                extremes: grid.extreme(cuts[i - 1]) + grid.extreme(cuts[i - 1] + apart),
            })
    }

    /// The fewest extreme values in a pair that differs by `apart` levels.
    pub fn fewest(&self, apart: i64) -> usize {
        self.runs(apart).map(|run| run.extremes).min().unwrap_or(0)
    }

    /// How many pairs of values differ by `apart` levels with exactly that many extreme ones.
    pub fn positions(&self, apart: i64, extremes: usize) -> i64 {
        let matching = self.runs(apart).filter(|run| run.extremes == extremes);
        matching.map(|run| run.to - run.from).sum()
    }

    /// The lower value's level at the position of that index, among those that [`Grid::positions`] counts.
    pub fn position(&self, apart: i64, extremes: usize, index: i64) -> i64 {
        let mut left = index;
        for run in self.runs(apart).filter(|run| run.extremes == extremes) {
            if left < run.to - run.from {
                return run.from + left;
            }
            left -= run.to - run.from;
        }
        0
    }

    /// A difference of two values, each drawn uniformly from all levels or from those that aren't extreme.
    pub fn difference(&self, inner: bool, stream: &mut Stream) -> Result<i64> {
        let edge = if inner { self.edge } else { 0 };
        let levels = (self.levels - 2 * edge).max(1).unsigned_abs();
        Ok(below(stream, levels)? - below(stream, levels)?)
    }
}

/// Uniform on 0 to n - 1, as a level.
pub(super) fn below(stream: &mut Stream, n: u64) -> Result<i64> {
    Ok(stream.below(n)?.cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_rounded_and_inside() {
        let values = |min, max| {
            let grid = Grid::new(min, max, None).expect("a good range");
            (0..grid.levels).map(|level| grid.value(level)).collect::<Vec<_>>()
        };
        assert_eq!(values(0.5, 5.5), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(values(-2.0, 3.0), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            values(0.26, 0.3),
            [
                0.26, 0.261, 0.262, 0.263, 0.264, 0.265, 0.266, 0.267, 0.268, 0.269, 0.27, 0.271, 0.272, 0.273, 0.274,
                0.275, 0.276, 0.277, 0.278, 0.279, 0.28, 0.281, 0.282, 0.283, 0.284, 0.285, 0.286, 0.287, 0.288, 0.289,
                0.29, 0.291, 0.292, 0.293, 0.294, 0.295, 0.296, 0.297, 0.298, 0.299, 0.3
            ]
        );
        assert!(Grid::new(1e17, 1e17 + 64.0, None).is_err() && Grid::new(0.0, 1e-30, None).is_err());
    }

    proptest! {
        #[test]
        fn positions_are_those_that_counting_finds(range in 5i64..40, margin in 0.0..0.5_f64, apart in 0i64..40) {
            prop_assume!(apart <= range);
            let grid = Grid::new(0.0, range as f64, Some(margin)).expect("a good range");
            let counted = |extremes: usize| -> Vec<i64> {
                let places = 0..grid.levels - apart;
                places.filter(|low| grid.extreme(*low) + grid.extreme(low + apart) == extremes).collect()
            };
            for extremes in 0..=2 {
                let expected = counted(extremes);
                let count = i64::try_from(expected.len()).expect("few levels");
                prop_assert_eq!(grid.positions(apart, extremes), count);
                let found: Vec<i64> = (0..count).map(|i| grid.position(apart, extremes, i)).collect();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(Some(grid.fewest(apart)), (0..=2).find(|extremes| !counted(*extremes).is_empty()));
        }

        #[test]
        fn no_value_of_the_grid_is_missing(min in -1e4..1e4_f64, range in 0.01..300.0_f64) {
            let (max, grid) = (min + range, Grid::new(min, min + range, None).expect("a good range"));
            let inside = |level: i64| (min..=max).contains(&grid.value(level));
            prop_assert!((0..grid.levels).all(inside) && !inside(-1) && !inside(grid.levels));
            prop_assert!((1..grid.levels).all(|level| grid.value(level - 1) < grid.value(level)));
        }
    }
}
