//! A design under construction: options by level, no pair twice in either order, extreme values within their cap.

use crate::error::{Error, Result};
use crate::rng::Stream;

use super::grid::{Grid, below};

/// Random tries at one more pair before all pairs are gone through.
const TRIES: usize = 1000;

/// Grids with more pairs are never gone through; random tries find room on them.
const MOST_PAIRS: u128 = 1_000_000;

/// Positions that are looked at for a pair that isn't taken; more only matter where nearly all pairs are.
const POSITIONS: i64 = 64;

/// Option A and option B, by level.
pub(super) type Pair = (Vec<i64>, Vec<i64>);

/// The pairs of one context; levels flat (trials, attributes).
#[derive(Debug, Clone)]
pub(super) struct Plan<'a> {
    pub grids: &'a [Grid],
    a: Vec<i64>,
    b: Vec<i64>,
    /// Extreme values of each attribute.
    extremes: Vec<usize>,
    /// How many there may be.
    most: usize,
}

impl<'a> Plan<'a> {
    /// No pairs yet; at most `most` extreme values of each attribute.
    pub fn new(grids: &'a [Grid], most: usize) -> Self {
        Self {
            grids,
            a: Vec::new(),
            b: Vec::new(),
            extremes: vec![0; grids.len()],
            most,
        }
    }

    /// How many pairs there are.
    pub fn trials(&self) -> usize {
        self.a.len() / self.grids.len()
    }

    fn at(&self, trial: usize, attribute: usize) -> usize {
        trial * self.grids.len() + attribute
    }

    /// The levels by which A exceeds B.
    pub fn apart(&self, trial: usize, attribute: usize) -> i64 {
        let at = self.at(trial, attribute);
        self.a[at] - self.b[at]
    }

    /// The differences of a pair in shares of the ranges.
    pub fn differences(&self, trial: usize, out: &mut Vec<f64>) {
        let here = self.at(trial, 0)..self.at(trial + 1, 0);
        differences(self.grids, &self.a[here.clone()], &self.b[here], out);
    }

    /// The options of a pair, A first, in the attributes' units.
    pub fn values(&self, trial: usize) -> impl Iterator<Item = f64> {
        let here = self.at(trial, 0)..self.at(trial + 1, 0);
        let options = self.a[here.clone()].iter().chain(&self.b[here]);
        options
            .zip(self.grids.iter().cycle())
            .map(|(level, grid)| grid.value(*level))
    }

    /// A pair drawn at random from those that could be added; none where a thousand tries find none.
    pub fn propose(&self, stream: &mut Stream) -> Result<Option<Pair>> {
        let k = self.grids.len();
        let (mut a, mut b) = (vec![0; k], vec![0; k]);
        'tries: for _ in 0..TRIES {
            for (i, grid) in self.grids.iter().enumerate() {
                let room = self.most - self.extremes[i];
                let apart = grid.difference(room == 0, stream)?;
                let fewest = grid.fewest(apart.abs());
                if fewest > room {
                    continue 'tries;
                }
                let positions = grid.positions(apart.abs(), fewest).unsigned_abs();
                let low = grid.position(apart.abs(), fewest, below(stream, positions)?);
                (a[i], b[i]) = (low + apart.max(0), low + (-apart).max(0));
            }
            if a != b && self.is_new(&a, &b, usize::MAX) {
                return Ok(Some((a, b)));
            }
        }
        Ok(None)
    }

    /// Replaces all pairs by as many as asked for, those with the fewest extreme values first; an error where the cap
    /// leaves too few.
    pub fn fill_frugally(&mut self, trials: usize, stream: &mut Stream) -> Result<()> {
        let counts: Vec<i64> = self.grids.iter().map(|grid| grid.levels).collect();
        let options = options(self.grids);
        if options * (options - 1) / 2 > MOST_PAIRS {
            return Err(self.too_tight(trials));
        }
        let option = |mut index: i64| -> Vec<i64> {
            let digit = |n: &i64| {
                let level = index % n;
                index /= n;
                level
            };
            counts.iter().map(digit).collect()
        };
        let all: Vec<Vec<i64>> = (0..i64::try_from(options).unwrap_or(0)).map(option).collect();
        let places = 0..all.len();
        let mut pairs: Vec<(usize, usize)> = places.flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        shuffle(&mut pairs, stream)?;
        let count = |o: &[i64]| -> usize { o.iter().zip(self.grids).map(|(l, grid)| grid.extreme(*l)).sum() };
        pairs.sort_by_key(|(i, j)| count(&all[*i]) + count(&all[*j]));
        *self = Self::new(self.grids, self.most);
        for (i, j) in pairs {
            if self.trials() == trials {
                break;
            }
            self.push(&all[i], &all[j]);
            if self.extremes.iter().any(|used| *used > self.most) {
                self.pop();
            }
        }
        if self.trials() < trials {
            return Err(self.too_tight(trials));
        }
        Ok(())
    }

    fn too_tight(&self, trials: usize) -> Error {
        Error::input(
            "cap",
            format!("a share of extreme values that leaves room for {trials} different pairs"),
            format!("room for {} of {} values of an attribute", self.most, 2 * trials),
        )
    }

    /// Adds a pair.
    pub fn push(&mut self, a: &[i64], b: &[i64]) {
        self.a.extend(a);
        self.b.extend(b);
        self.count(self.trials() - 1, |used, here| used + here);
    }

    fn pop(&mut self) {
        self.count(self.trials() - 1, |used, here| used - here);
        let left = self.a.len() - self.grids.len();
        self.a.truncate(left);
        self.b.truncate(left);
    }

    fn count(&mut self, trial: usize, change: impl Fn(usize, usize) -> usize) {
        for i in 0..self.grids.len() {
            self.extremes[i] = change(self.extremes[i], self.extremes_of(trial, i));
        }
    }

    fn extremes_of(&self, trial: usize, attribute: usize) -> usize {
        let (at, grid) = (self.at(trial, attribute), &self.grids[attribute]);
        grid.extreme(self.a[at]) + grid.extreme(self.b[at])
    }

    /// Extreme values that an attribute of a pair may have, given all others.
    fn room(&self, trial: usize, attribute: usize) -> usize {
        self.most - (self.extremes[attribute] - self.extremes_of(trial, attribute))
    }

    /// Whether a pair could have that difference in an attribute: within the cap, and not the same option twice.
    pub fn allows(&self, trial: usize, attribute: usize, apart: i64) -> bool {
        let others = || (0..self.grids.len()).all(|i| i == attribute || self.apart(trial, i) == 0);
        self.grids[attribute].fewest(apart.abs()) <= self.room(trial, attribute) && (apart != 0 || !others())
    }

    /// Gives a pair that difference in an attribute, at a random place with the fewest extreme values; fails where every
    /// place makes it a pair that is taken.
    pub fn place(&mut self, trial: usize, attribute: usize, apart: i64, stream: &mut Stream) -> Result<bool> {
        let grid = self.grids[attribute];
        for extremes in 0..=self.room(trial, attribute).min(2) {
            let positions = grid.positions(apart.abs(), extremes);
            if positions == 0 {
                continue;
            }
            let start = below(stream, positions.unsigned_abs())?;
            for offset in 0..positions.min(POSITIONS) {
                let low = grid.position(apart.abs(), extremes, (start + offset) % positions);
                if self.put(trial, attribute, (low + apart.max(0), low + (-apart).max(0))) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Puts two levels in place of those that are there, unless the cap or another pair forbids it.
    fn put(&mut self, trial: usize, attribute: usize, (a, b): (i64, i64)) -> bool {
        let (at, grid) = (self.at(trial, attribute), &self.grids[attribute]);
        let others = self.extremes[attribute] - self.extremes_of(trial, attribute);
        let used = others + grid.extreme(a) + grid.extreme(b);
        let before = (self.a[at], self.b[at]);
        (self.a[at], self.b[at]) = (a, b);
        let here = self.at(trial, 0)..self.at(trial + 1, 0);
        if used <= self.most && self.is_new(&self.a[here.clone()], &self.b[here], trial) {
            self.extremes[attribute] = used;
            true
        } else {
            (self.a[at], self.b[at]) = before;
            false
        }
    }

    /// Moves pairs along their attributes without changing a difference, to where uniform draws put them as far as the
    /// cap has room: a search that saves extreme values would leave them out where they cost nothing.
    pub fn spread(&mut self, stream: &mut Stream) -> Result<()> {
        for trial in 0..self.trials() {
            for attribute in 0..self.grids.len() {
                let apart = self.apart(trial, attribute);
                let low = below(stream, (self.grids[attribute].levels - apart.abs()).unsigned_abs())?;
                self.put(trial, attribute, (low + apart.max(0), low + (-apart).max(0)));
            }
        }
        Ok(())
    }

    /// Swaps the options of one pair.
    pub fn swap(&mut self, trial: usize) {
        let here = self.at(trial, 0)..self.at(trial + 1, 0);
        self.a[here.clone()].swap_with_slice(&mut self.b[here]);
    }

    fn is_new(&self, a: &[i64], b: &[i64], except: usize) -> bool {
        let k = self.grids.len();
        let pairs = self.a.chunks_exact(k).zip(self.b.chunks_exact(k)).enumerate();
        let taken = |(c, d): (&[i64], &[i64])| (c == a && d == b) || (c == b && d == a);
        !pairs.into_iter().any(|(trial, pair)| trial != except && taken(pair))
    }
}

/// The differences of two options in shares of the ranges.
pub(super) fn differences(grids: &[Grid], a: &[i64], b: &[i64], out: &mut Vec<f64>) {
    out.clear();
    out.extend(
        a.iter()
            .zip(b)
            .zip(grids)
            .map(|((a, b), grid)| (a - b) as f64 * grid.step),
    );
}

/// How many options a grid has, or at least a number far beyond any design.
pub(super) fn options(grids: &[Grid]) -> u128 {
    let levels = grids.iter().map(|grid| u128::from(grid.levels.unsigned_abs()));
    levels.fold(1, |product: u128, n| (product * n).min(1 << 40))
}

/// An order drawn at random (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], stream: &mut Stream) -> Result<()> {
    for last in (1..items.len()).rev() {
        let place = usize::try_from(stream.below(last as u64 + 1)?).unwrap_or(last);
        items.swap(last, place);
    }
    Ok(())
}
