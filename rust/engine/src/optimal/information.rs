//! The information matrices of a growing and shrinking design, one for each draw of the slopes, kept as inverses that
//! every trial changes by rank one.
//!
//! With trial `x = (d, 1)` and `w = p (1 - p)` at a draw's slopes, `det(M + w x x') = det(M) (1 + w x' M^-1 x)`, and the
//! inverse follows by Sherman and Morrison's formula. The criterion is `ln det M - ln s` with `s` the intercept's own
//! information, precision and sum of weights. Arrays hold the draws side by side, which lets the compiler use
//! vector instructions.

/// Factors whose product is taken before its logarithm: with a precision of 1e-6 or more it stays within doubles.
const BLOCK: usize = 32;

/// One inverse for each draw, and one trial under consideration.
#[derive(Debug, Clone)]
pub(super) struct Information<'a> {
    /// Flat (attributes, draws).
    slopes: &'a [f64],
    attributes: usize,
    draws: usize,
    precision: f64,
    /// Lower triangles, flat (entries, draws), the intercept last.
    inverse: Vec<f64>,
    /// The intercept's own information: the sum of weights and the precision.
    sums: Vec<f64>,
    /// Sum of the criterion over the draws.
    total: f64,
    /// Of the trial under consideration: log odds; `M^-1 x`, flat (parameters, draws); `x' M^-1 x`.
    log_odds: Vec<f64>,
    product: Vec<f64>,
    form: Vec<f64>,
    /// Odds without the attribute that is being searched.
    odds: Vec<f64>,
}

impl<'a> Information<'a> {
    /// The information of the prior precision alone; `slopes` are flat (attributes, draws).
    pub fn new(slopes: &'a [f64], attributes: usize, precision: f64) -> Self {
        let (draws, p) = (slopes.len() / attributes, attributes + 1);
        let mut out = Self {
            slopes,
            attributes,
            draws,
            precision,
            inverse: vec![0.0; p * (p + 1) / 2 * draws],
            sums: vec![0.0; draws],
            total: 0.0,
            log_odds: vec![0.0; draws],
            product: vec![0.0; p * draws],
            form: vec![0.0; draws],
            odds: vec![0.0; draws],
        };
        out.reset();
        out
    }

    /// Forgets all trials.
    pub fn reset(&mut self) {
        let (p, m) = (self.attributes + 1, self.draws);
        self.inverse.fill(0.0);
        for i in 0..p {
            self.inverse[at(i, i) * m..][..m].fill(1.0 / self.precision);
        }
        self.sums.fill(self.precision);
        self.total = (self.attributes * m) as f64 * self.precision.ln();
    }

    /// The mean of the criterion over the draws.
    pub fn mean(&self) -> f64 {
        self.total / self.draws as f64
    }

    /// What the trial of these differences would add to the sum of logarithms.
    pub fn gain(&mut self, differences: &[f64]) -> f64 {
        self.consider(differences);
        self.gain_as_it_is()
    }

    /// Adds a trial.
    pub fn add(&mut self, differences: &[f64]) {
        self.total += self.gain(differences);
        self.change(1.0);
    }

    /// Takes a trial away and keeps it under consideration, as seen from what remains.
    pub fn remove(&mut self, differences: &[f64]) {
        self.consider(differences);
        self.change(-1.0);
        let (p, m) = (self.attributes + 1, self.draws);
        for draw in 0..m {
            let seen = 1.0 / (1.0 - weight(self.log_odds[draw].exp()) * self.form[draw]);
            self.form[draw] *= seen;
            (0..p).for_each(|i| self.product[i * m + draw] *= seen);
        }
        self.total -= self.gain_as_it_is();
    }

    /// Odds `e^(slope d)` of one attribute's difference, under every draw.
    pub fn odds_of(&self, attribute: usize, difference: f64) -> impl Iterator<Item = f64> {
        let slopes = &self.slopes[attribute * self.draws..][..self.draws];
        slopes.iter().map(move |slope| (slope * difference).exp())
    }

    /// Begins a search along one attribute of the trial under consideration, where it has this difference.
    pub fn search(&mut self, attribute: usize, difference: f64) {
        let slopes = &self.slopes[attribute * self.draws..][..self.draws];
        for ((odds, h), slope) in self.odds.iter_mut().zip(&self.log_odds).zip(slopes) {
            *odds = (h - slope * difference).exp();
        }
    }

    /// What the trial would add, moved by `delta` along the attribute, where its odds become `odds`.
    pub fn gain_along(&self, attribute: usize, delta: f64, odds: &[f64]) -> f64 {
        let m = self.draws;
        let along = &self.product[attribute * m..][..m];
        let square = &self.inverse[at(attribute, attribute) * m..][..m];
        let mut sum = 0.0;
        for start in (0..m).step_by(BLOCK) {
            let here = start..(start + BLOCK).min(m);
            let mut factors = [1.0; BLOCK];
            for ((((factor, e), c), (b, a)), (q, s)) in factors
                .iter_mut()
                .zip(&odds[here.clone()])
                .zip(&self.odds[here.clone()])
                .zip(along[here.clone()].iter().zip(&square[here.clone()]))
                .zip(self.form[here.clone()].iter().zip(&self.sums[here]))
            {
                *factor = added(e * c, q + delta * (2.0 * b + delta * a), *s);
            }
            sum += ln_product(factors);
        }
        sum
    }

    /// Moves the trial under consideration by `delta` along an attribute.
    pub fn step(&mut self, attribute: usize, delta: f64) {
        let (p, m) = (self.attributes + 1, self.draws);
        let slopes = &self.slopes[attribute * m..][..m];
        let along = self.product[attribute * m..][..m].to_vec();
        let square = &self.inverse[at(attribute, attribute) * m..][..m];
        for draw in 0..m {
            self.log_odds[draw] += delta * slopes[draw];
            self.form[draw] += delta * (2.0 * along[draw] + delta * square[draw]);
        }
        for i in 0..p {
            let column = &self.inverse[at(i, attribute) * m..][..m];
            for (v, a) in self.product[i * m..][..m].iter_mut().zip(column) {
                *v += delta * a;
            }
        }
    }

    /// What the trial under consideration would add as it is.
    pub fn gain_as_it_is(&self) -> f64 {
        let pairs = self.log_odds.iter().zip(&self.form).zip(&self.sums);
        sum_ln(pairs.map(|((h, q), s)| added(h.exp(), *q, *s)))
    }

    /// What it would add with its options swapped.
    pub fn gain_swapped(&self) -> f64 {
        let (p, m) = (self.attributes + 1, self.draws);
        let (last, corner) = (&self.product[(p - 1) * m..], &self.inverse[at(p - 1, p - 1) * m..]);
        // Swapping turns d into -d and leaves the intercept: only the products of both change their sign.
        let crossed = last.iter().zip(corner).map(|(v, a)| 4.0 * (v - a));
        let pairs = self.log_odds.iter().zip(&self.form).zip(&self.sums).zip(crossed);
        sum_ln(pairs.map(|(((h, q), s), crossed)| added(h.exp(), q - crossed, *s)))
    }

    /// How many draws there are.
    pub fn draws(&self) -> usize {
        self.draws
    }

    fn consider(&mut self, differences: &[f64]) {
        let (p, m) = (self.attributes + 1, self.draws);
        self.log_odds.fill(0.0);
        self.form.fill(0.0);
        for (i, d) in differences.iter().enumerate() {
            for (h, slope) in self.log_odds.iter_mut().zip(&self.slopes[i * m..][..m]) {
                *h += d * slope;
            }
        }
        for i in 0..p {
            let product = &mut self.product[i * m..][..m];
            product.copy_from_slice(&self.inverse[at(i, p - 1) * m..][..m]);
            for (j, d) in differences.iter().enumerate() {
                for (v, a) in product.iter_mut().zip(&self.inverse[at(i, j) * m..][..m]) {
                    *v += d * a;
                }
            }
            let d = differences.get(i).copied().unwrap_or(1.0);
            for (q, v) in self.form.iter_mut().zip(product) {
                *q += d * *v;
            }
        }
    }

    /// Adds the trial under consideration to every inverse and sum of weights, or with a sign of -1 takes it away.
    fn change(&mut self, sign: f64) {
        let (p, m) = (self.attributes + 1, self.draws);
        let mut scales = vec![0.0; m];
        for (((scale, sum), h), q) in (scales.iter_mut().zip(&mut self.sums).zip(&self.log_odds)).zip(&self.form) {
            let w = sign * weight(h.exp());
            *sum += w;
            *scale = w / (1.0 + w * q);
        }
        for i in 0..p {
            for j in 0..=i {
                let (u, v) = (&self.product[i * m..][..m], &self.product[j * m..][..m]);
                let entries = self.inverse[at(i, j) * m..][..m].iter_mut();
                for ((entry, s), (u, v)) in entries.zip(&scales).zip(u.iter().zip(v)) {
                    *entry -= s * u * v;
                }
            }
        }
    }
}

/// The place of an entry of a symmetric matrix.
fn at(i: usize, j: usize) -> usize {
    let (high, low) = (i.max(j), i.min(j));
    high * (high + 1) / 2 + low
}

/// The factor by which a trial of these odds, with `q = x' M^-1 x`, multiplies the criterion's determinant:
/// `(1 + w q) s / (s + w)`, with `s` the sum of weights, in one division.
#[inline(always)]
fn added(odds: f64, q: f64, s: f64) -> f64 {
    let both = (1.0 + odds) * (1.0 + odds);
    (both + odds * q) * s / (s * both + odds)
}

/// `p (1 - p)` at these odds.
#[inline(always)]
fn weight(odds: f64) -> f64 {
    let both = 1.0 + odds;
    odds / (both * both)
}

/// The sum of logarithms, one logarithm for each block.
fn sum_ln(factors: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut block, mut filled) = (0.0, [1.0; BLOCK], 0);
    for factor in factors {
        block[filled] = factor;
        filled += 1;
        if filled == BLOCK {
            sum += ln_product(block);
            (block, filled) = ([1.0; BLOCK], 0);
        }
    }
    sum + ln_product(block)
}

/// The logarithm of the product, by halves.
#[inline(always)]
fn ln_product(mut factors: [f64; BLOCK]) -> f64 {
    let mut half = BLOCK / 2;
    while half > 0 {
        let (low, high) = factors.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(l, h)| *l *= *h);
        half /= 2;
    }
    factors[0].ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linalg::{Cholesky, ZERO_MATRIX};

    const ATTRIBUTES: usize = 3;
    const DRAWS: usize = 37;

    /// The criterion from its definition.
    fn directly(slopes: &[f64], trials: &[Vec<f64>], precision: f64) -> f64 {
        let value = |draw: usize| {
            let mut m = ZERO_MATRIX;
            (0..=ATTRIBUTES).for_each(|i| m[i][i] = precision);
            for trial in trials {
                let x = [trial[0], trial[1], trial[2], 1.0];
                let log_odds: f64 = (0..ATTRIBUTES).map(|i| trial[i] * slopes[i * DRAWS + draw]).sum();
                let p = 1.0 / (1.0 + (-log_odds).exp());
                (0..4).for_each(|i| (0..4).for_each(|j| m[i][j] += p * (1.0 - p) * x[i] * x[j]));
            }
            Cholesky::new(&m, 4).expect("positive definite").log_determinant() - m[3][3].ln()
        };
        (0..DRAWS).map(value).sum::<f64>() / DRAWS as f64
    }

    fn some(trials: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<f64>>> {
        prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, ATTRIBUTES), trials)
    }

    proptest! {
        #[test]
        fn every_step_says_what_the_definition_says(
            slopes in prop::collection::vec(-12.0..12.0_f64, ATTRIBUTES * DRAWS),
            trials in some(1..9),
            precision in 0.01..2.0_f64,
            attribute in 0..ATTRIBUTES,
            difference in -1.0..1.0_f64,
        ) {
            let near = |one: f64, other: f64| (one - other).abs() < 1e-8;
            let mut information = Information::new(&slopes, ATTRIBUTES, precision);
            trials.iter().for_each(|trial| information.add(trial));
            prop_assert!(near(information.mean(), directly(&slopes, &trials, precision)));

            let (last, rest) = trials.split_last().expect("a trial");
            information.remove(last);
            let left = directly(&slopes, rest, precision);
            prop_assert!(near(information.mean(), left));
            let with = |trial: Vec<f64>| directly(&slopes, &[rest, &[trial]].concat(), precision) - left;
            prop_assert!(near(information.gain_as_it_is() / DRAWS as f64, with(last.clone())));
            prop_assert!(near(information.gain_swapped() / DRAWS as f64, with(last.iter().map(|d| -d).collect())));

            let mut moved = last.clone();
            moved[attribute] = difference;
            let odds: Vec<f64> = information.odds_of(attribute, difference).collect();
            information.search(attribute, last[attribute]);
            let delta = difference - last[attribute];
            let gain = information.gain_along(attribute, delta, &odds);
            prop_assert!(near(gain / DRAWS as f64, with(moved.clone())));
            information.step(attribute, delta);
            prop_assert!(near(information.gain_as_it_is() / DRAWS as f64, with(moved.clone())));
            information.add(&moved);
            prop_assert!(near(information.mean(), left + with(moved)));
        }
    }
}
