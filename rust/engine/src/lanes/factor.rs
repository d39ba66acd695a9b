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

/// Work for every column, its number known to the compiler, which then keeps the matrix in registers.
macro_rules! for_columns {
    ($column:ident, $many:ident, $work:expr) => {
        for_columns!($column, $many, $work; 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($column:ident, $many:ident, $work:expr; $($number:literal)*) => {
        $({
            const $column: usize = $number;
            if $column < $many {
                $work
            }
        })*
    };
}

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
        let (one, rounded) = (V::splat(1.0), V::splat(ROUNDED));
        let (mut lower, mut inverses, mut definite) = (*matrix, [one; K], u8::MAX);
        for_columns!(J, K, {
            let pivot = lower.square[J][J];
            definite &= matrix.square[J][J].mul(rounded).less(pivot);
            inverses[J] = one.div(pivot);
            let mut scaled = [pivot; K];
            for i in J + 1..K {
                lower.square[i][J] = lower.square[i][J].mul(inverses[J]);
                scaled[i] = lower.square[i][J].mul(pivot);
                for l in J + 1..=i {
                    lower.square[i][l] = lower.square[i][J].fnma(scaled[l], lower.square[i][l]);
                }
            }
            lower.edge[J] = lower.edge[J].mul(inverses[J]);
            for l in J + 1..K {
                lower.edge[l] = lower.edge[J].fnma(scaled[l], lower.edge[l]);
            }
            lower.corner = lower.edge[J].fnma(lower.edge[J].mul(pivot), lower.corner);
        });
        definite &= matrix.corner.mul(rounded).less(lower.corner);
        lower.corner = one.div(lower.corner);
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

    /// A step further in the lanes of `mask`.
    #[inline(always)]
    pub(super) fn add(mut self, step: &Self, mask: u8) -> Self {
        for i in 0..K {
            self.slopes[i] = V::select(mask, self.slopes[i].add(step.slopes[i]), self.slopes[i]);
        }
        self.intercept = V::select(mask, self.intercept.add(step.intercept), self.intercept);
        self
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
