//! Option pairs drawn side by side, one context a lane, and rounded exactly: the values of [`crate::design::draw_pairs`].

use crate::rng::UNIFORM_STEP;
use crate::rounding::{decimals, power_of_ten, round_decimals};

use super::deciding::columns;
use super::simd::{MOST_LANES, Vector};
use super::streams::{AT_ONCE, Streams};

/// The trials that are drawn at a time: with any number of attributes they take whole calls of [`Streams::draws`].
pub(super) const STEP: usize = AT_ONCE;

/// Closer than this to the middle between two whole numbers, rounding goes the exact way; or closer than four units in the
/// last place of the largest number, where that is more.
const MIDDLE: f64 = 1e-9;

/// The most decimals that are rounded to here: ten to this power and those below have so few digits that a whole number's
/// quotient by them is right once it has been corrected, see [`Values::round`].
const MOST_DECIMALS: usize = 15;

/// Ranges below this, and above ten to the power of minus [`MOST_DECIMALS`], are far from where doubles end.
const LARGE: f64 = 1e100;

/// How the values of contexts are drawn and rounded; one context a lane.
pub(super) struct Values<V, const K: usize> {
    min: [V; K],
    range: [V; K],
    /// One by the range.
    share: [V; K],
    scale: [Scale<V>; K],
    /// Whether ranges and values are of sizes that [`quotient`] is right for.
    ordinary: bool,
}

/// How the values of one attribute are rounded.
#[derive(Clone, Copy)]
struct Scale<V> {
    /// Whether all lanes round to whole numbers.
    whole: bool,
    power: V,
    inverse: V,
    /// The square of how far a scaled value may be from a whole number.
    limit: V,
    /// The range of a draw's upper 53 bits, taken as a whole number.
    step: V,
    decimals: [usize; MOST_LANES],
}

impl<V: Vector, const K: usize> Values<V, K> {
    /// The values of contexts with these minima and maxima.
    #[inline(always)]
    pub(super) fn new(mins: &[&[f64]; MOST_LANES], maxs: &[&[f64]; MOST_LANES]) -> Self {
        let (zero, one) = (V::splat(0.0), V::splat(1.0));
        let min: [V; K] = columns(mins);
        let mut range: [V; K] = columns(maxs);
        let (mut share, mut scale) = ([zero; K], [Scale::new(zero, one); K]);
        let mut ordinary = true;
        for i in 0..K {
            range[i] = range[i].sub(min[i]);
            share[i] = one.div(range[i]);
            scale[i] = Scale::new(min[i], range[i]);
            let fit = zero.less(scale[i].limit) & range[i].less(V::splat(LARGE));
            ordinary &= fit == all::<V>();
        }
        Self {
            min,
            range,
            share,
            scale,
            ordinary,
        }
    }

    /// The difference of two values of attribute `i` in shares of its range, rounded once.
    #[inline(always)]
    pub(super) fn difference(&self, i: usize, a: V, b: V) -> V {
        let difference = a.sub(b);
        if self.ordinary {
            quotient(difference, self.range[i], self.share[i])
        } else {
            difference.div(self.range[i])
        }
    }

    /// Draws the pairs of the trials from `STEP * step` on into options, A before B; those behind the last trial are noise.
    #[inline(always)]
    pub(super) fn draw(&self, streams: &Streams<V>, step: u64, trials: usize, options: &mut [[V; K]; 2 * STEP]) {
        let calls = (2 * trials * K).div_ceil(AT_ONCE);
        let blocks = options.as_flattened_mut().chunks_exact_mut(AT_ONCE);
        for (place, draws) in blocks.take(calls).enumerate() {
            let bits = streams.draws(step * 2 * K as u64 + place as u64);
            for i in 0..AT_ONCE {
                draws[i] = bits[i].upper_53();
            }
        }
        for option in &mut options[..2 * trials] {
            let drawn = *option;
            let (mut sure, mut every) = ([0; K], all::<V>());
            for i in 0..K {
                sure[i] = self.round(i, &mut option[i]);
                every &= sure[i];
            }
            if every != all::<V>() {
                self.exactly(&drawn, &sure, option);
            }
        }
    }

    /// Turns the upper bits of a draw into a value of attribute `i`; returns the lanes where it's surely the right one.
    #[inline(always)]
    fn round(&self, i: usize, value: &mut V) -> u8 {
        let scale = &self.scale[i];
        let x = self.min[i].add(scale.step.mul(*value));
        if scale.whole {
            *value = x.round();
            return u8::MAX;
        }
        let scaled = x.mul(scale.power);
        let whole = scaled.round();
        let off = scaled.sub(whole);
        // The product with the inverse is within two units in the last place of the quotient, what is left is exact, and
        // no quotient of a whole number by so small a power of ten is as close to the middle between two doubles as what
        // the correction is off by. Subtracting keeps the sign of zero.
        let near = whole.mul(scale.inverse);
        let over = near.fma(scale.power, V::splat(0.0).sub(whole));
        *value = over.fnma(scale.inverse, near);
        off.mul(off).less(scale.limit)
    }

    /// Rounds again what is not sure to be right.
    #[cold]
    #[inline(never)]
    fn exactly(&self, drawn: &[V; K], sure: &[u8; K], option: &mut [V; K]) {
        for i in 0..K {
            let [mut draws, mut min, mut range, mut values] = [[0.0; MOST_LANES]; 4];
            drawn[i].store(&mut draws);
            self.min[i].store(&mut min);
            self.range[i].store(&mut range);
            option[i].store(&mut values);
            for l in (0..V::LANES).filter(|l| sure[i] >> l & 1 == 0) {
                values[l] = round_decimals(min[l] + range[l] * (draws[l] * UNIFORM_STEP), self.scale[i].decimals[l]);
            }
            option[i] = V::load(&values);
        }
    }
}

impl<V: Vector> Scale<V> {
    /// The scale of an attribute of these minima and ranges.
    #[inline(always)]
    fn new(min: V, range: V) -> Self {
        let (one, zero) = (V::splat(1.0), V::splat(0.0));
        let (tenths, small) = (range.less(V::splat(5.0)), range.less(one));
        let mut places: [usize; MOST_LANES] = std::array::from_fn(|l| usize::from(tenths >> l & 1));
        let mut power = V::select(tenths, V::splat(10.0), one);
        let mut few = all::<V>();
        if small != 0 {
            let [mut powers, mut ranges] = [[1.0; MOST_LANES]; 2];
            range.store(&mut ranges);
            for l in 0..V::LANES {
                places[l] = decimals(ranges[l]);
                powers[l] = power_of_ten(places[l]).unwrap_or(1.0);
                few &= !(u8::from(places[l] > MOST_DECIMALS) << l);
            }
            power = V::load(&powers);
        }
        let highest = min.add(range);
        let largest = min.max(zero.sub(min)).max(highest.max(zero.sub(highest))).mul(power);
        let margin = largest.mul(V::splat(4.0 * f64::EPSILON)).max(V::splat(MIDDLE));
        let limit = V::splat(0.5).sub(margin).max(zero);
        // Nothing is ever a whole away from a whole number, and whole numbers need no scale.
        let limit = V::select(tenths, limit.mul(limit), one);
        Self {
            whole: tenths == 0,
            power,
            inverse: one.div(power),
            limit: V::select(few, limit, zero),
            step: range.mul(V::splat(UNIFORM_STEP)),
            decimals: places,
        }
    }
}

/// Every lane.
#[inline(always)]
fn all<V: Vector>() -> u8 {
    u8::MAX >> (MOST_LANES - V::LANES)
}

/// `x / divisor` rounded once, without the wait for a division; `inverse` is one by the divisor.
///
/// The first correction leaves less than a unit in the last place, the second the quotient itself (Markstein 1990, IBM
/// Journal of Research and Development 34), where nothing comes near the ends of the doubles.
#[inline(always)]
pub(super) fn quotient<V: Vector>(x: V, divisor: V, inverse: V) -> V {
    let near = x.mul(inverse);
    let nearer = near.fnma(divisor, x).fma(inverse, near);
    nearer.fnma(divisor, x).fma(inverse, nearer)
}
