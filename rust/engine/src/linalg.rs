//! Linear algebra of at most [`MAX`] dimensions: Cholesky factors and pivoted orthogonalisation, without allocation.

/// The largest dimension: twelve attributes and an intercept.
pub(crate) const MAX: usize = 13;

/// A vector whose first entries, as many as the problem has parameters, are in use.
pub(crate) type Vector = [f64; MAX];

/// A square matrix whose leading block is in use.
pub(crate) type Matrix = [[f64; MAX]; MAX];

pub(crate) const ZERO_VECTOR: Vector = [0.0; MAX];
pub(crate) const ZERO_MATRIX: Matrix = [[0.0; MAX]; MAX];

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// The lower Cholesky factor of a symmetric positive definite matrix.
pub(crate) struct Cholesky {
    dim: usize,
    lower: Matrix,
}

impl Cholesky {
    /// `None` where the leading block is not positive definite to working precision.
    pub(crate) fn new(matrix: &Matrix, dim: usize) -> Option<Self> {
        let mut lower = ZERO_MATRIX;
        for i in 0..dim {
            for j in 0..=i {
                let rest = matrix[i][j] - dot(&lower[i][..j], &lower[j][..j]);
                if i == j {
                    // A pivot this far below its diagonal entry is rounding error.
                    if rest.is_nan() || rest <= 1e-15 * matrix[i][i].abs() || rest.is_infinite() {
                        return None;
                    }
                    lower[i][i] = rest.sqrt();
                } else {
                    lower[i][j] = rest / lower[j][j];
                }
            }
        }
        Some(Self { dim, lower })
    }

    /// The solution of `L v = b`, whose squared length is `b' M^-1 b`.
    pub(crate) fn forward(&self, b: &[f64]) -> Vector {
        let mut v = ZERO_VECTOR;
        for i in 0..self.dim {
            v[i] = (b[i] - dot(&self.lower[i][..i], &v[..i])) / self.lower[i][i];
        }
        v
    }

    /// The solution of `L' v = b`.
    fn backward(&self, b: &Vector) -> Vector {
        let mut v = ZERO_VECTOR;
        for i in (0..self.dim).rev() {
            let mut rest = b[i];
            for j in i + 1..self.dim {
                rest -= self.lower[j][i] * v[j];
            }
            v[i] = rest / self.lower[i][i];
        }
        v
    }

    /// The solution of `M v = b`.
    pub(crate) fn solve(&self, b: &Vector) -> Vector {
        self.backward(&self.forward(b))
    }

    /// The inverse of the factored matrix.
    pub(crate) fn inverse(&self) -> Matrix {
        let mut inverse = ZERO_MATRIX;
        for j in 0..self.dim {
            let mut unit = ZERO_VECTOR;
            unit[j] = 1.0;
            let column = self.solve(&unit);
            for i in 0..self.dim {
                inverse[i][j] = column[i];
            }
        }
        inverse
    }

    /// The logarithm of the determinant of the factored matrix.
    pub(crate) fn log_determinant(&self) -> f64 {
        (0..self.dim).map(|i| 2.0 * self.lower[i][i].ln()).sum()
    }

    /// `L v`: turns independent standard normals into draws whose covariance is the factored matrix.
    pub(crate) fn colour(&self, v: &[f64]) -> Vector {
        let mut out = ZERO_VECTOR;
        for i in 0..self.dim {
            out[i] = dot(&self.lower[i][..=i], &v[..=i]);
        }
        out
    }
}

/// The numerical rank of `columns` vectors of equal length, by Gram-Schmidt with pivoting on unit columns.
pub(crate) fn rank(columns: &mut [Vec<f64>]) -> usize {
    /// What remains of a unit column that depends on the ones before it is rounding error below this.
    const DEPENDENT: f64 = 1e-10;
    for column in columns.iter_mut() {
        // Scaled by the largest entry first, so that squares neither overflow nor vanish.
        let largest = column.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if largest > 0.0 {
            column.iter_mut().for_each(|v| *v /= largest);
            let length = norm(column);
            column.iter_mut().for_each(|v| *v /= length);
        }
    }
    for done in 0..columns.len() {
        let lengths: Vec<f64> = columns[done..].iter().map(|c| norm(c)).collect();
        let pivot = (0..lengths.len()).fold(0, |best, i| if lengths[i] > lengths[best] { i } else { best });
        if lengths[pivot] < DEPENDENT {
            return done;
        }
        columns.swap(done, done + pivot);
        let length = lengths[pivot];
        columns[done].iter_mut().for_each(|v| *v /= length);
        let (head, tail) = columns.split_at_mut(done + 1);
        let direction = &head[done];
        for column in tail {
            // Twice is enough (Kahan, Parlett): the second pass removes what cancellation left of the first.
            for _ in 0..2 {
                let along = dot(direction, column);
                column.iter_mut().zip(direction).for_each(|(v, d)| *v -= along * d);
            }
        }
    }
    columns.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gram(rows: &[Vec<f64>], dim: usize) -> Matrix {
        let mut m = ZERO_MATRIX;
        for row in rows {
            for i in 0..dim {
                for j in 0..dim {
                    m[i][j] += row[i] * row[j];
                }
            }
        }
        (0..dim).for_each(|i| m[i][i] += 0.1);
        m
    }

    proptest! {
        #[test]
        fn solve_and_inverse_undo_the_matrix(rows in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 4), 1..9)) {
            let m = gram(&rows, 4);
            let factor = Cholesky::new(&m, 4).expect("positive definite");
            let mut b = ZERO_VECTOR;
            b[..4].copy_from_slice(&[1.0, -2.0, 0.5, 3.0]);
            let v = factor.solve(&b);
            let inverse = factor.inverse();
            for i in 0..4 {
                prop_assert!((dot(&m[i][..4], &v[..4]) - b[i]).abs() < 1e-10);
                prop_assert!((dot(&inverse[i][..4], &b[..4]) - v[i]).abs() < 1e-10);
            }
        }

        #[test]
        fn a_combination_of_columns_adds_no_rank(a in prop::collection::vec(-1.0..1.0_f64, 12), b in prop::collection::vec(-1.0..1.0_f64, 12), scale in 1e-6..1e6_f64) {
            let sum: Vec<f64> = a.iter().zip(&b).map(|(x, y)| scale * (x - 2.0 * y)).collect();
            prop_assert_eq!(rank(&mut [a.clone(), b.clone(), sum]), 2);
            prop_assert_eq!(rank(&mut [a, b]), 2);
        }
    }
}
