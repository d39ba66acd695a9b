//! How closely reports follow weights: Pearson's correlation, standardised slopes and their contrast, from merged moments.
//!
//! Moments are means and centred sums, merged by the pairwise rule of Chan, Golub and LeVeque (1983). Nothing is ever
//! subtracted, so equal values have a centred sum of exactly zero and "no variation" needs no tolerance.

use crate::error::{Error, Result, check_finite, check_len};
use crate::intervals::{check_level, t_reach};
use crate::outcome::{Outcome, Undefined};

/// Number, means and centred sums of pairs (report, weight).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub n: f64,
    mean_report: f64,
    mean_weight: f64,
    pub reports: f64,
    pub weights: f64,
    pub cross: f64,
}

impl Moments {
    /// The moments of these pairs.
    pub fn of(reports: impl Iterator<Item = f64>, weights: impl Iterator<Item = f64>) -> Self {
        let mut all = Self::default();
        for (report, weight) in reports.zip(weights) {
            all.push(report, weight);
        }
        all
    }

    /// Adds one pair.
    pub fn push(&mut self, report: f64, weight: f64) {
        *self = self.merge(Self {
            n: 1.0,
            mean_report: report,
            mean_weight: weight,
            ..Self::default()
        });
    }

    /// The moments of both sets together.
    pub fn merge(self, other: Self) -> Self {
        if self.n == 0.0 {
            return other;
        }
        if other.n == 0.0 {
            return self;
        }
        let n = self.n + other.n;
        let share = other.n / n;
        let (dr, dw) = (
            other.mean_report - self.mean_report,
            other.mean_weight - self.mean_weight,
        );
        let factor = self.n * share;
        Self {
            n,
            mean_report: self.mean_report + dr * share,
            mean_weight: self.mean_weight + dw * share,
            reports: self.reports + other.reports + dr * dr * factor,
            weights: self.weights + other.weights + dw * dw * factor,
            cross: self.cross + other.cross + dr * dw * factor,
        }
    }

    /// The moments of `copies` copies of the set.
    pub fn times(self, copies: f64) -> Self {
        Self {
            n: self.n * copies,
            reports: self.reports * copies,
            weights: self.weights * copies,
            cross: self.cross * copies,
            ..self
        }
    }

    fn checked(&self) -> Outcome<()> {
        if self.n < 3.0 {
            Err(Undefined::TooFewEntries)
        } else if self.reports == 0.0 || self.weights == 0.0 {
            Err(Undefined::NoVariation)
        } else {
            Ok(())
        }
    }

    fn slope(&self) -> f64 {
        self.cross / self.reports
    }

    /// Residual sum of squares; rounding may take a perfect fit below zero.
    fn residuals(&self) -> f64 {
        (self.weights - self.cross * self.slope()).max(0.0)
    }
}

/// The largest absolute value, to divide by before squaring: no over- or underflow, and equal values stay equal.
pub(crate) fn unit(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}

/// Checks that weights and reports belong together and are finite.
pub(crate) fn check_pairs(weights: &[f64], reports: &[f64]) -> Result<()> {
    check_len("reports", weights.len(), reports.len())?;
    check_finite("weights", weights)?;
    check_finite("reports", reports)
}

/// Pearson's correlation of weights with reports standardised within each group, from the groups' moments.
///
/// Standardised reports have mean zero in every group, so the pooled cross product is the sum of the groups' own.
/// Groups without entries are skipped.
pub(crate) fn pooled_r(groups: &[Moments]) -> Outcome<f64> {
    let all = groups.iter().fold(Moments::default(), |sum, g| sum.merge(*g));
    if all.n < 3.0 {
        return Err(Undefined::TooFewEntries);
    }
    if all.weights == 0.0 {
        return Err(Undefined::NoVariation);
    }
    let (mut cross, mut reports) = (0.0, 0.0);
    for group in groups.iter().filter(|g| g.n > 0.0) {
        if group.reports == 0.0 {
            return Err(Undefined::NoVariation);
        }
        let df = group.n - 1.0;
        cross += group.cross / (group.reports / df).sqrt();
        reports += df;
    }
    Ok((cross / (all.weights.sqrt() * reports.sqrt())).clamp(-1.0, 1.0))
}

/// Pearson's correlation.
pub fn pearson(weights: &[f64], reports: &[f64]) -> Result<Outcome<f64>> {
    check_pairs(weights, reports)?;
    let (w, r) = (unit(weights), unit(reports));
    let all = Moments::of(reports.iter().map(|v| v / r), weights.iter().map(|v| v / w));
    Ok(pooled_r(&[all]))
}

/// A regression estimate with its standard error and t interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regression {
    /// The slope, or the contrast of slopes.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Residual degrees of freedom.
    pub df: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Regression {
    fn new(estimate: f64, se: f64, df: f64, level: f64) -> Self {
        let half = se * t_reach(level, df);
        Self {
            estimate,
            se,
            df,
            low: estimate - half,
            high: estimate + half,
        }
    }
}

/// Least-squares slope (with intercept) of standardised weights on standardised reports.
pub fn standardised_slope(weights_z: &[f64], reports_z: &[f64], level: f64) -> Result<Outcome<Regression>> {
    check_pairs(weights_z, reports_z)?;
    check_level(level)?;
    let (w, r) = (unit(weights_z), unit(reports_z));
    let all = Moments::of(reports_z.iter().map(|v| v / r), weights_z.iter().map(|v| v / w));
    Ok(all.checked().map(|()| {
        let df = all.n - 2.0;
        let se = (all.residuals() / df / all.reports).sqrt();
        Regression::new(all.slope() * w / r, se * w / r, df, level)
    }))
}

/// A contrast of slopes and the share of each model in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SlopeContrast {
    /// The mean over models, each with equal weight, of slope after minus slope before.
    pub mean: Regression,
    /// Slope after minus slope before, per model.
    pub by_model: Vec<f64>,
}

/// The effect of training on the slope, averaged over models: a separate intercept and slope per model and condition,
/// and one pooled residual variance (the paper's `weight ~ report * trained * model` under flat priors).
///
/// `model` holds 0, 1, ... and `after` 0 or 1. The cells share nothing but the variance, so each contributes its own
/// moments, and no matrix is solved.
pub fn slope_contrast(
    weights_z: &[f64],
    reports_z: &[f64],
    model: &[i64],
    after: &[u8],
    level: f64,
) -> Result<Outcome<SlopeContrast>> {
    check_pairs(weights_z, reports_z)?;
    check_len("model", weights_z.len(), model.len())?;
    check_len("after", weights_z.len(), after.len())?;
    check_level(level)?;
    let (w, r) = (unit(weights_z), unit(reports_z));
    let mut cells: Vec<[Moments; 2]> = Vec::new();
    for (i, (&m, &a)) in model.iter().zip(after).enumerate() {
        let m = usize::try_from(m)
            .ok()
            .filter(|&m| m < model.len())
            .ok_or_else(|| Error::input("model", "numbers from 0, without gaps", m))?;
        if a > 1 {
            return Err(Error::input("after", "0 or 1", a));
        }
        if m >= cells.len() {
            cells.resize(m + 1, [Moments::default(); 2]);
        }
        cells[m][usize::from(a)].push(reports_z[i] / r, weights_z[i] / w);
    }
    Ok(contrast(&cells, w / r, level))
}

fn contrast(cells: &[[Moments; 2]], scale: f64, level: f64) -> Outcome<SlopeContrast> {
    if cells.is_empty() {
        return Err(Undefined::TooFewEntries);
    }
    let (mut df, mut residuals, mut leverage) = (0.0, 0.0, 0.0);
    for cell in cells.iter().flatten() {
        cell.checked()?;
        df += cell.n - 2.0;
        residuals += cell.residuals();
        leverage += 1.0 / cell.reports;
    }
    let by_model: Vec<f64> = cells.iter().map(|[b, a]| (a.slope() - b.slope()) * scale).collect();
    let models = by_model.len() as f64;
    let se = (residuals / df * leverage).sqrt() / models * scale;
    let mean = by_model.iter().sum::<f64>() / models;
    Ok(SlopeContrast {
        mean: Regression::new(mean, se, df, level),
        by_model,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_no_variation_exactly() {
        let y: Vec<f64> = (0..7).map(f64::from).collect();
        for value in [0.1, 1e-300, -1e300, 1.0 / 3.0] {
            assert_eq!(pearson(&[value; 7], &y), Ok(Err(Undefined::NoVariation)));
            assert_eq!(pearson(&y, &[value; 7]), Ok(Err(Undefined::NoVariation)));
        }
        assert_eq!(pearson(&y[..2], &y[..2]), Ok(Err(Undefined::TooFewEntries)));
    }

    #[test]
    fn extreme_magnitudes_neither_overflow_nor_vanish() {
        let x = [1.0, 2.0, 3.0, 5.0];
        let y = [2.0, 1.0, 4.0, 3.0];
        let plain = pearson(&x, &y).expect("valid").expect("defined");
        for scale in [1e-250, 1e250] {
            let scaled: Vec<f64> = x.iter().map(|v| v * scale).collect();
            let r = pearson(&scaled, &y).expect("valid").expect("defined");
            assert!((r - plain).abs() < 1e-14);
        }
    }

    #[test]
    fn broken_contracts_are_errors() {
        assert!(pearson(&[1.0], &[1.0, 2.0]).is_err());
        assert!(pearson(&[f64::NAN; 3], &[1.0, 2.0, 3.0]).is_err());
        assert!(standardised_slope(&[1.0; 3], &[1.0; 3], 1.0).is_err());
        assert!(slope_contrast(&[1.0; 3], &[1.0; 3], &[0, -1, 0], &[0; 3], 0.95).is_err());
        assert!(slope_contrast(&[1.0; 3], &[1.0; 3], &[0; 3], &[0, 1, 2], 0.95).is_err());
    }
}
