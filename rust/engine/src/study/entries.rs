//! Weights beside averaged reports: the entries of one accuracy, and all that follows from them alone.

use crate::clusters;
use crate::correlation::{Moments, pooled_r, standardised_slope, unit as unit_of};
use crate::error::Result;
use crate::outcome::{Outcome, Undefined};

use super::columns::{SetFigures, code};

/// A table of numbers for some contexts: estimated weights, averaged reports, or targets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// (contexts, attributes).
    pub values: Vec<f64>,
    /// Whether a context has numbers, (contexts,).
    pub known: Vec<bool>,
}

impl Table {
    /// Room for that many contexts, none known.
    pub fn new(contexts: usize, attributes: usize) -> Self {
        Self {
            values: vec![f64::NAN; contexts * attributes],
            known: vec![false; contexts],
        }
    }

    /// The attributes per context.
    pub fn attributes(&self) -> usize {
        self.values.len() / self.known.len()
    }

    /// One context's numbers.
    pub fn row(&self, context: usize) -> &[f64] {
        let k = self.attributes();
        &self.values[context * k..][..k]
    }

    /// One context's place for numbers.
    pub fn row_mut(&mut self, context: usize) -> &mut [f64] {
        let k = self.attributes();
        &mut self.values[context * k..][..k]
    }

    /// The numbers of all known contexts.
    pub fn all(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let rows = (0..self.known.len()).filter(|&c| self.known[c]);
        rows.flat_map(|c| self.row(c).iter().copied())
    }
}

/// The attributes of all contexts that have both a weight and a report.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// Estimated weights.
    pub weights: Vec<f64>,
    /// The same, standardised over all contexts with weights.
    pub weights_z: Vec<f64>,
    /// Averaged reports.
    pub reports: Vec<f64>,
    /// The same, standardised within each reporting model.
    pub reports_z: Vec<f64>,
    /// The context of each entry.
    pub contexts: Vec<i64>,
    /// The reporting model of each entry.
    pub groups: Vec<i64>,
    /// Attributes per context.
    pub attributes: usize,
}

impl Entries {
    /// Joins weights with reports; `second` tells which contexts the second of two reporting models reported on.
    pub fn join(weights: &Table, reports: &Table, second: impl Fn(usize) -> bool) -> Self {
        let mut out = Self {
            attributes: weights.attributes(),
            ..Self::default()
        };
        for context in (0..weights.known.len()).filter(|&c| weights.known[c] && reports.known[c]) {
            out.weights.extend(weights.row(context));
            out.reports.extend(reports.row(context));
            let same = std::iter::repeat_n((), out.attributes);
            #[expect(clippy::cast_possible_wrap, reason = "contexts are far fewer than 2^63")]
            out.contexts.extend(same.clone().map(|()| context as i64));
            out.groups.extend(same.map(|()| i64::from(second(context))));
        }
        let (mean, spread) = spread(weights.all());
        out.weights_z = out.weights.iter().map(|w| (w - mean) / spread).collect();
        out.reports_z = vec![f64::NAN; out.reports.len()];
        for group in [0, 1] {
            let member = |i: &usize| out.groups[*i] == group;
            let (mean, spread) = self::spread((0..out.reports.len()).filter(member).map(|i| out.reports[i]));
            for i in (0..out.reports.len()).filter(member) {
                out.reports_z[i] = (out.reports[i] - mean) / spread;
            }
        }
        out
    }

    /// The distinct contexts, ascending.
    pub fn names(&self) -> impl Iterator<Item = i64> + '_ {
        self.contexts.iter().step_by(self.attributes).copied()
    }

    /// The number of contexts.
    pub fn len(&self) -> usize {
        self.contexts.len() / self.attributes
    }

    /// The entries of some contexts, as they were standardised; `names` is ascending.
    pub fn only(&self, names: &[i64]) -> Self {
        let kept: Vec<usize> = (0..self.contexts.len())
            .filter(|&i| names.binary_search(&self.contexts[i]).is_ok())
            .collect();
        let pick = |values: &[f64]| kept.iter().map(|&i| values[i]).collect();
        let label = |values: &[i64]| kept.iter().map(|&i| values[i]).collect();
        Self {
            weights: pick(&self.weights),
            weights_z: pick(&self.weights_z),
            reports: pick(&self.reports),
            reports_z: pick(&self.reports_z),
            contexts: label(&self.contexts),
            groups: label(&self.groups),
            attributes: self.attributes,
        }
    }

    /// As the jackknife takes them.
    pub fn cell(&self) -> clusters::Entries<'_> {
        clusters::Entries {
            weights: &self.weights,
            reports: &self.reports,
            contexts: &self.contexts,
            groups: &self.groups,
        }
    }

    /// Whether both standardisations succeeded.
    pub fn standardised(&self) -> bool {
        self.weights_z.iter().chain(&self.reports_z).all(|v| v.is_finite())
    }

    /// The correlation of the reports with numbers in place of the weights, over the entries that are wanted.
    pub fn correlation(&self, weights: &[f64], wanted: impl Fn(usize) -> bool) -> Outcome<f64> {
        let (w, s) = (unit_of(weights), unit_of(&self.reports));
        let mut groups = [Moments::default(); 2];
        for i in (0..self.reports.len()).filter(|&i| wanted(i)) {
            groups[usize::from(self.groups[i] != 0)].push(self.reports[i] / s, weights[i] / w);
        }
        pooled_r(&groups)
    }

    /// The correlation of the reports with another table, where it has numbers.
    pub fn against(&self, table: &Table) -> f64 {
        let k = self.attributes;
        let context = |i: usize| usize::try_from(self.contexts[i]).unwrap_or(usize::MAX);
        let numbers: Vec<f64> = (0..self.contexts.len())
            .map(|i| table.row(context(i))[i % k])
            .map(|v| if v.is_nan() { 0.0 } else { v })
            .collect();
        self.correlation(&numbers, |i| table.known[context(i)])
            .unwrap_or(f64::NAN)
    }

    /// Fills in slope, correlations and agreements.
    pub fn describe(&self, figures: &mut SetFigures, level: f64) -> Result<()> {
        let slope = if self.standardised() {
            standardised_slope(&self.weights_z, &self.reports_z, level)?
        } else {
            Err(Undefined::NoVariation)
        };
        if let Ok(line) = slope {
            (figures.slope, figures.slope_low, figures.slope_high) = (line.estimate, line.low, line.high);
        }
        let r = self.correlation(&self.weights, |_| true);
        figures.status = code(&r);
        figures.r = r.unwrap_or(f64::NAN);
        let inside = |i: usize| self.weights[i].abs().round_ties_even() < super::latent::LARGEST;
        figures.r_without_extremes = self.correlation(&self.weights, inside).unwrap_or(f64::NAN);
        self.agreements(figures);
        Ok(())
    }

    fn agreements(&self, figures: &mut SetFigures) {
        let pairs = self.weights.iter().zip(&self.reports);
        let signs = pairs.filter(|(w, s)| **w != 0.0 && **s != 0.0);
        figures.sign_agreement = mean(signs.map(|(w, s)| f64::from((*w > 0.0) == (*s > 0.0))));
        let k = self.attributes;
        let contexts = || self.weights.chunks_exact(k).zip(self.reports.chunks_exact(k));
        figures.top_agreement = mean(contexts().map(|(w, s)| f64::from(top(w) == top(s))));
        figures.r_within = mean(contexts().filter_map(|(w, s)| {
            let (a, b) = (unit_of(w), unit_of(s));
            pooled_r(&[Moments::of(s.iter().map(|v| v / b), w.iter().map(|v| v / a))]).ok()
        }));
    }
}

/// The place of the largest absolute value; ties: the first.
fn top(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i].abs() > values[best].abs() { i } else { best })
}

/// The mean; NaN without values.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}

/// Mean and standard deviation (n - 1); NaN without variation.
pub fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (mean, n) = (mean(values.clone()), values.clone().count() as f64);
    let sd = (values.map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt();
    (mean, if sd > 0.0 { sd } else { f64::NAN })
}
