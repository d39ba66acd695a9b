//! Separation as non-negative least squares: either a direction that separates the choices, or a proof of overlap.
//!
//! With rows `a_t = s_t z_t` (`s_t` is +1 for A and -1 for B, `z_t` the trial's design row) the choices are separated,
//! completely or quasi-completely, when some direction has `a_t . d >= 0` for all trials and `> 0` for one; then no
//! maximum-likelihood estimate exists (Albert and Anderson 1984). Stiemke's lemma: there is no such direction exactly
//! when positive multipliers make the rows cancel, `sum_t (1 + l_t) a_t = 0` with `l_t >= 0`. So minimise
//! `|| sum_t l_t a_t + sum_t a_t ||` over `l >= 0`: a zero residual proves overlap, and a residual that is not zero
//! is itself the separating direction, by the optimality conditions. Lawson and Hanson (1974, ch. 23) solve it with an
//! active set of at most as many rows as there are parameters.

use crate::linalg::{Cholesky, MAX, Vector, ZERO_MATRIX, ZERO_VECTOR, dot, norm};

/// Inner products of unit rows with a unit direction below this are zero but for rounding.
const ZERO: f64 = 1e-9;

/// Whether a direction separates `rows` (`dim` values each, zero rows allowed, any positive scale per row and column).
pub(crate) fn separated(mut rows: Vec<f64>, dim: usize) -> bool {
    // Neither the length of a row nor the unit of a column matters, so both are taken out: rounding is told from
    // separation by size.
    for i in 0..dim {
        let largest = rows.iter().skip(i).step_by(dim).fold(0.0_f64, |m, v| m.max(v.abs()));
        if largest > 0.0 {
            rows.iter_mut().skip(i).step_by(dim).for_each(|v| *v /= largest);
        }
    }
    let unit: Vec<f64> = rows.chunks_exact(dim).filter_map(unit_row).flatten().collect();
    if unit.is_empty() {
        return false;
    }
    let set = ActiveSet::new(&unit, dim);
    let nothing = set.nothing();
    let residual = set.minimise();
    let length = norm(&residual[..dim]);
    length > nothing
        && unit
            .chunks_exact(dim)
            .all(|row| dot(row, &residual[..dim]) >= -ZERO * length)
}

fn unit_row(row: &[f64]) -> Option<impl Iterator<Item = f64> + '_> {
    let largest = row.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    (largest > 0.0).then(|| {
        let length = row.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt();
        row.iter().map(move |v| v / largest / length)
    })
}

struct ActiveSet<'a> {
    rows: &'a [f64],
    dim: usize,
    total: Vector,
    /// Rows whose multipliers are positive, and those multipliers.
    active: Vec<(usize, f64)>,
}

impl<'a> ActiveSet<'a> {
    fn new(rows: &'a [f64], dim: usize) -> Self {
        let mut total = ZERO_VECTOR;
        for row in rows.chunks_exact(dim) {
            (0..dim).for_each(|i| total[i] += row[i]);
        }
        Self {
            rows,
            dim,
            total,
            active: Vec::with_capacity(MAX),
        }
    }

    fn row(&self, t: usize) -> &'a [f64] {
        &self.rows[t * self.dim..(t + 1) * self.dim]
    }

    /// Rounding in a sum of all rows stays far below this length; a single row beyond the plane stays far above.
    fn nothing(&self) -> f64 {
        ZERO * ((self.rows.len() / self.dim) as f64).sqrt()
    }

    /// `sum_t (1 + l_t) a_t`.
    fn residual(&self) -> Vector {
        let mut r = self.total;
        for &(t, multiplier) in &self.active {
            let row = self.row(t);
            (0..self.dim).for_each(|i| r[i] += multiplier * row[i]);
        }
        r
    }

    /// The shortest residual over non-negative multipliers; ends because no accepted step lengthens it.
    fn minimise(mut self) -> Vector {
        let mut residual = self.residual();
        let mut refused: Vec<usize> = Vec::new();
        loop {
            let length = norm(&residual[..self.dim]);
            if length <= self.nothing() {
                return residual;
            }
            let Some(entering) = self.most_violated(&residual, length, &refused) else {
                return residual;
            };
            let before = self.active.clone();
            self.active.push((entering, 0.0));
            let accepted = self.descend();
            let next = self.residual();
            if accepted && norm(&next[..self.dim]) < length {
                residual = next;
                refused.clear();
            } else {
                // Rounding let in a row that cannot shorten the residual: leave it out until something else has.
                self.active = before;
                refused.push(entering);
            }
        }
    }

    /// The row that points furthest against the residual, if one does beyond rounding.
    fn most_violated(&self, residual: &Vector, length: f64, refused: &[usize]) -> Option<usize> {
        let mut best = (-0.1 * ZERO * length, None);
        for (t, row) in self.rows.chunks_exact(self.dim).enumerate() {
            let along = dot(row, &residual[..self.dim]);
            if along < best.0 && !refused.contains(&t) && self.active.iter().all(|&(a, _)| a != t) {
                best = (along, Some(t));
            }
        }
        best.1
    }

    /// Moves to the least-squares multipliers of the active rows, dropping those that would turn negative on the way.
    fn descend(&mut self) -> bool {
        while !self.active.is_empty() {
            let Some(target) = self.least_squares() else {
                return false;
            };
            let blocking = self
                .active
                .iter()
                .zip(target)
                .filter(|((_, _), aim)| *aim <= 0.0)
                .map(|(&(_, now), aim)| now / (now - aim))
                .fold(f64::INFINITY, f64::min);
            let step = blocking.min(1.0);
            for (entry, aim) in self.active.iter_mut().zip(target) {
                entry.1 += step * (aim - entry.1);
            }
            if step >= 1.0 {
                return true;
            }
            let smallest = self.active.iter().map(|a| a.1).fold(f64::INFINITY, f64::min).max(0.0);
            self.active.retain(|a| a.1 > smallest);
        }
        true
    }

    /// The multipliers that minimise the residual over the active rows, free in sign.
    fn least_squares(&self) -> Option<Vector> {
        let count = self.active.len();
        if count > self.dim {
            return None;
        }
        let (mut gram, mut right) = (ZERO_MATRIX, ZERO_VECTOR);
        for (i, &(t, _)) in self.active.iter().enumerate() {
            right[i] = -dot(self.row(t), &self.total[..self.dim]);
            for (j, &(u, _)) in self.active.iter().enumerate() {
                gram[i][j] = dot(self.row(t), self.row(u));
            }
        }
        let factor = Cholesky::new(&gram, count)?;
        let mut solution = factor.solve(&right);
        // One step of refinement against the residual wins back what forming the Gram matrix lost.
        let mut rest = self.total;
        for (i, &(t, _)) in self.active.iter().enumerate() {
            let row = self.row(t);
            (0..self.dim).for_each(|d| rest[d] += solution[i] * row[d]);
        }
        for (i, &(t, _)) in self.active.iter().enumerate() {
            right[i] = -dot(self.row(t), &rest[..self.dim]);
        }
        let correction = factor.solve(&right);
        (0..count).for_each(|i| solution[i] += correction[i]);
        Some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_sided_rows_are_separated_and_opposite_rows_are_not() {
        assert!(separated(vec![1.0, 0.0, 0.5, 1.0, 0.2, -0.1], 2));
        assert!(!separated(vec![1.0, 0.0, -1.0, 0.0], 2));
        assert!(separated(vec![1.0, 0.0, -1.0, 0.0, 0.0, 1.0], 2));
        assert!(!separated(vec![0.0, 0.0], 2));
        assert!(!separated(vec![], 3));
    }

    #[test]
    fn a_residual_of_rounding_error_ends_the_search() {
        // As many independent rows as dimensions cancel exactly; what rounding leaves of them pointed nowhere, forever.
        let rows = vec![2.0, 2.0, 0.0, -2.0, -1.0, 2.0, 0.0, -1.0, 0.0, -2.0, -1.0, -1.0];
        assert!(!separated(rows, 3));
    }

    #[test]
    fn units_of_columns_do_not_matter() {
        let rows = [1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 3.0, 1.0];
        for unit in [1e-300, 1e-12, 1e12, 1e300] {
            let mut overlapping: Vec<f64> = rows.chunks(2).flat_map(|r| [r[0] * unit, r[1]]).collect();
            assert!(separated(overlapping.clone(), 2));
            overlapping.extend([unit, -1.0]);
            assert!(!separated(overlapping, 2));
        }
    }

    proptest! {
        #[test]
        fn rows_on_one_side_of_a_plane_are_separated(
            raw in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 4), 1..60),
            normal in prop::collection::vec(-1.0..1.0_f64, 4),
            scale in 1e-6..1e6_f64,
        ) {
            prop_assume!(norm(&normal) > 0.1);
            let rows: Vec<f64> = raw.iter().flat_map(|row| {
                let side = if dot(row, &normal) >= 0.0 { scale } else { -scale };
                row.iter().map(move |v| v * side)
            }).collect();
            prop_assume!(raw.iter().any(|row| dot(row, &normal).abs() > 1e-3));
            prop_assert!(separated(rows, 4));
        }

        #[test]
        fn rows_that_cancel_are_not(
            raw in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 4), 1..30),
            weights in prop::collection::vec(0.1..10.0_f64, 30),
        ) {
            let mut rows: Vec<f64> = raw.iter().flatten().copied().collect();
            for i in 0..4 {
                rows.push(-raw.iter().zip(&weights).map(|(row, w)| w * row[i]).sum::<f64>());
            }
            let last = rows.len() - 4;
            rows.rotate_left(last);
            prop_assert!(!separated(rows, 4));
        }
    }
}
