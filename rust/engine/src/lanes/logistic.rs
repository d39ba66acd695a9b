//! The logistic function of a vector, with one division and no call: the same bits on every path.

use super::simd::Vector;

/// Two to the 52nd and a half more: adding it rounds a double to an integer held in the lowest bits of the sum.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Beyond this `1 / (1 + e^x)` is below 1e-300 or 1, and powers of two stay in range.
const LIMIT: f64 = 700.0;

/// The logarithm of two in two parts; the first has so few bits that its multiples up to 2^11 are exact.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// `tanh(r / 2) = r P(r^2) / Q(r^2)` for `|r| <= ln 2 / 2`, constant terms 1 and 2. Found by Remez's exchange in 50
/// digits: the relative error is 4.8e-18 at most, which leaves 1.7e-18 in `e^r = (Q + r P) / (Q - r P)`.
const P: [f64; 2] = [6.608_746_843_342_472e-5, 2.777_476_965_989_371_5e-2];
const Q: [f64; 2] = [1.983_525_436_006_225_4e-3, 2.222_162_059_864_501e-1];

/// `e^x`, `x` held within 700 of zero, as a numerator and a denominator: within 2.5 units in the last place of libm's, as
/// tests hold it.
#[inline(always)]
pub(super) fn exp<V: Vector>(x: V) -> (V, V) {
    let x = V::splat(-LIMIT).max(V::splat(LIMIT).min(x));
    let shifted = x.fma(V::splat(std::f64::consts::LOG2_E), V::splat(ROUNDING));
    let n = shifted.sub(V::splat(ROUNDING));
    let r = n.fnma(V::splat(LN_2[1]), n.fnma(V::splat(LN_2[0]), x));
    let square = r.mul(r);
    let p = square.fma(square.fma(V::splat(P[0]), V::splat(P[1])), V::splat(1.0));
    let q = square.fma(square.fma(V::splat(Q[0]), V::splat(Q[1])), V::splat(2.0));
    let odd = r.mul(p);
    (q.add(odd).scale(shifted), q.sub(odd))
}

/// `1 / (1 + e^x)`: the chance that is left, to full precision at either end.
#[inline(always)]
pub(super) fn miss<V: Vector>(x: V) -> V {
    let (above, below) = exp(x);
    below.div(below.add(above))
}
