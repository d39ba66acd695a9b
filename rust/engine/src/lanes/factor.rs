//! The curvatures of as many agents as there are lanes, factored and solved: `L D L'`, which needs no square root.

use super::simd::Vector;

/// Slopes and the intercept: a point, a gradient, or a step from one point to another.
#[derive(Clone, Copy)]
pub(super) struct Parameters<V, const K: usize> {
    pub slopes: [V; K],
    pub intercept: V,
}

/// The lower triangle of a symmetric matrix over slopes and, last, the intercept.
#[derive(Clone, Copy)]
pub(super) struct Curvature<V, const K: usize> {
    pub square: [[V; K]; K],
    pub edge: [V; K],
    pub corner: V,
}

/// The factor of a [`Curvature`], its diagonal inverted.
#[derive(Clone, Copy)]
pub(super) struct Factor<V, const K: usize> {
    lower: Curvature<V, K>,
    inverses: [V; K],
}

/// A pivot this far below its diagonal entry may be rounding error.
const ROUNDED: f64 = 1e-12;

impl<V: Vector, const K: usize> Factor<V, K> {
    /// The factor of nothing yet.
    #[inline(always)]
    pub(super) fn zero() -> Self {
        let zero = V::splat(0.0);
        Self {
            lower: Curvature {
                square: [[zero; K]; K],
                edge: [zero; K],
                corner: zero,
            },
            inverses: [zero; K],
        }
    }

    /// The factor, and the lanes where the matrix is positive definite beyond doubt.
    #[inline(always)]
    pub(super) fn new(matrix: &Curvature<V, K>) -> (Self, u8) {
        let (zero, one, rounded) = (V::splat(0.0), V::splat(1.0), V::splat(ROUNDED));
        let mut lower = *matrix;
        let (mut pivots, mut inverses, mut definite) = ([zero; K], [zero; K], u8::MAX);
        for j in 0..K {
            let mut scaled = [zero; K];
            let mut pivot = matrix.square[j][j];
            for l in 0..j {
                scaled[l] = lower.square[j][l].mul(pivots[l]);
                pivot = lower.square[j][l].fnma(scaled[l], pivot);
            }
            definite &= matrix.square[j][j].mul(rounded).less(pivot);
            (pivots[j], inverses[j]) = (pivot, one.div(pivot));
            for i in j + 1..K {
                let mut rest = matrix.square[i][j];
                for l in 0..j {
                    rest = lower.square[i][l].fnma(scaled[l], rest);
                }
                lower.square[i][j] = rest.mul(inverses[j]);
            }
            let mut rest = matrix.edge[j];
            for l in 0..j {
                rest = lower.edge[l].fnma(scaled[l], rest);
            }
            lower.edge[j] = rest.mul(inverses[j]);
        }
        let mut pivot = matrix.corner;
        for l in 0..K {
            pivot = lower.edge[l].fnma(lower.edge[l].mul(pivots[l]), pivot);
        }
        definite &= matrix.corner.mul(rounded).less(pivot);
        lower.corner = one.div(pivot);
        (Self { lower, inverses }, definite)
    }

    /// The solution of `M x = b`.
    #[inline(always)]
    pub(super) fn solve(&self, b: &Parameters<V, K>) -> Parameters<V, K> {
        let (lower, mut x) = (&self.lower, *b);
        for i in 0..K {
            for l in 0..i {
                x.slopes[i] = lower.square[i][l].fnma(x.slopes[l], x.slopes[i]);
            }
            x.intercept = lower.edge[i].fnma(x.slopes[i], x.intercept);
        }
        x.intercept = x.intercept.mul(lower.corner);
        for i in (0..K).rev() {
            x.slopes[i] = lower.edge[i].fnma(x.intercept, x.slopes[i].mul(self.inverses[i]));
            for l in i + 1..K {
                x.slopes[i] = lower.square[l][i].fnma(x.slopes[l], x.slopes[i]);
            }
        }
        x
    }

    /// `kept` in the lanes of `mask`, `self` in the others.
    #[inline(always)]
    pub(super) fn keep(mut self, mask: u8, kept: &Self) -> Self {
        for i in 0..K {
            for j in 0..i {
                self.lower.square[i][j] = V::select(mask, kept.lower.square[i][j], self.lower.square[i][j]);
            }
            self.lower.edge[i] = V::select(mask, kept.lower.edge[i], self.lower.edge[i]);
            self.inverses[i] = V::select(mask, kept.inverses[i], self.inverses[i]);
        }
        self.lower.corner = V::select(mask, kept.lower.corner, self.lower.corner);
        self
    }
}

impl<V: Vector, const K: usize> Parameters<V, K> {
    /// Zeros.
    #[inline(always)]
    pub(super) fn zero() -> Self {
        let zero = V::splat(0.0);
        Self {
            slopes: [zero; K],
            intercept: zero,
        }
    }

    /// The sum of the squared slopes.
    #[inline(always)]
    pub(super) fn squares(&self) -> V {
        let mut sum = V::splat(0.0);
        for i in 0..K {
            sum = self.slopes[i].fma(self.slopes[i], sum);
        }
        sum
    }

    /// The scalar product.
    #[inline(always)]
    pub(super) fn dot(&self, other: &Self) -> V {
        let mut sum = self.intercept.mul(other.intercept);
        for i in 0..K {
            sum = self.slopes[i].fma(other.slopes[i], sum);
        }
        sum
    }
}
