//! Cholesky's factor of a matrix whose dimension is known when compiling, so that its loops unroll.

/// The lower Cholesky factor of a positive definite matrix, its diagonal inverted.
pub struct Factor<const D: usize>([[f64; D]; D]);

impl<const D: usize> Default for Factor<D> {
    fn default() -> Self {
        Self([[0.0; D]; D])
    }
}

impl<const D: usize> Factor<D> {
    /// Of the matrix with this lower triangle; `None` where it isn't positive definite.
    #[inline(always)]
    pub fn new(matrix: &[[f64; D]; D]) -> Option<Self> {
        let mut lower = [[0.0; D]; D];
        for i in 0..D {
            for j in 0..=i {
                let mut rest = matrix[i][j];
                for l in 0..j {
                    rest -= lower[i][l] * lower[j][l];
                }
                if i == j {
                    if rest.is_nan() || rest <= 1e-12 * matrix[i][i].abs() || rest.is_infinite() {
                        return None;
                    }
                    lower[i][i] = rest.sqrt().recip();
                } else {
                    lower[i][j] = rest * lower[j][j];
                }
            }
        }
        Some(Self(lower))
    }

    /// The solution of `M x = b`.
    #[inline(always)]
    pub fn solve(&self, b: &[f64; D]) -> [f64; D] {
        let (lower, mut x) = (&self.0, *b);
        for i in 0..D {
            for j in 0..i {
                x[i] -= lower[i][j] * x[j];
            }
            x[i] *= lower[i][i];
        }
        for i in (0..D).rev() {
            for j in i + 1..D {
                x[i] -= lower[j][i] * x[j];
            }
            x[i] *= lower[i][i];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_solve_and_indefinite_matrices_have_none() {
        let lower = [[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [-1.0, 1.5, 3.0]];
        let full = |i: usize, j: usize| if i < j { lower[j][i] } else { lower[i][j] };
        let b = [1.0, -2.0, 0.5];
        let x = Factor::new(&lower).expect("positive definite").solve(&b);
        for i in 0..3 {
            let found: f64 = (0..3).map(|j| full(i, j) * x[j]).sum();
            assert!((found - b[i]).abs() < 1e-14);
        }
        assert!(Factor::new(&[[1.0, 0.0], [2.0, 4.0]]).is_none());
        assert!(Factor::new(&[[f64::NAN]]).is_none());
    }
}
