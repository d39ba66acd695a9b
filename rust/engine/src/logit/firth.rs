//! Firth's penalty: half the log determinant of Fisher's information, finite for every design of full rank.
//!
//! Firth (1993); existence for any choices by Kosmidis and Firth (2021). With `h_t = z_t' I^-1 z_t`, the weight
//! `w = p (1 - p)` and its derivatives `w', w''` by the linear predictor, the gradient of the penalty is
//! `1/2 sum_t w'_t h_t z_t` and its Hessian `1/2 sum_t w''_t h_t z_t z_t' - 1/2 [tr(I^-1 I_i I^-1 I_j)]_ij`, where
//! `I_i = sum_t w'_t z_ti z_t z_t'`.

use crate::linalg::{Cholesky, Matrix, ZERO_MATRIX, dot};

use super::problem::{Point, Problem, logistic, mirror};

/// Adds the penalty to the log likelihood at `point`; its value is minus infinity where the information is singular.
pub(super) fn add_penalty(problem: &Problem, point: &mut Point) {
    let dim = problem.dim;
    let Some(factor) = Cholesky::new(&point.information, dim) else {
        point.objective = f64::NEG_INFINITY;
        return;
    };
    point.objective += 0.5 * factor.log_determinant();
    let inverse = factor.inverse();
    let mut hessian = ZERO_MATRIX;
    let mut slopes = vec![ZERO_MATRIX; dim];
    for (z, count, _) in problem.rows() {
        let (p, q) = logistic(dot(z, &point.theta[..dim]));
        let first = count * p * q * (q - p);
        let second = count * p * q * (1.0 - 6.0 * p * q);
        // From the factor, not the inverse, which loses twice the digits where columns are nearly dependent.
        let half = factor.forward(z);
        let leverage = dot(&half[..dim], &half[..dim]);
        for i in 0..dim {
            point.gradient[i] += 0.5 * first * leverage * z[i];
            for j in 0..=i {
                let pair = z[i] * z[j];
                hessian[i][j] += 0.5 * second * leverage * pair;
                for (k, slope) in slopes.iter_mut().enumerate() {
                    slope[i][j] += first * z[k] * pair;
                }
            }
        }
    }
    let products: Vec<Matrix> = slopes
        .iter_mut()
        .map(|slope| {
            mirror(slope, dim);
            product(&inverse, slope, dim)
        })
        .collect();
    for i in 0..dim {
        for j in 0..=i {
            let trace: f64 = (0..dim)
                .map(|a| (0..dim).map(|b| products[i][a][b] * products[j][b][a]).sum::<f64>())
                .sum();
            hessian[i][j] -= 0.5 * trace;
        }
    }
    mirror(&mut hessian, dim);
    for i in 0..dim {
        (0..dim).for_each(|j| point.curvature[i][j] -= hessian[i][j]);
    }
}

fn product(a: &Matrix, b: &Matrix, dim: usize) -> Matrix {
    let mut out = ZERO_MATRIX;
    for i in 0..dim {
        for j in 0..dim {
            out[i][j] = (0..dim).map(|k| a[i][k] * b[k][j]).sum();
        }
    }
    out
}
