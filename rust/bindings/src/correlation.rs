//! Correlations, standardised slopes and the bootstrap of contexts, as functions of arrays.

use avowal_engine::clusters::{Clusters, Entries};
use avowal_engine::context_bootstrap::{self as bootstrap, Resampling};
use avowal_engine::correlation::{self as engine, Regression};
use avowal_engine::intervals::Ends;
use avowal_engine::outcome::{Outcome, status};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::call::{long, short};

/// (estimate, se, df, low, high).
type RegressionFields = (f64, f64, f64, f64, f64);
/// (low, high) or nothing, and the status.
pub type IntervalFields = (Option<Ends>, &'static str);

fn fields(regression: &Regression) -> RegressionFields {
    (
        regression.estimate,
        regression.se,
        regression.df,
        regression.low,
        regression.high,
    )
}

/// An optional value beside its status.
pub fn split<T>(outcome: Outcome<T>) -> (Option<T>, &'static str) {
    let status = status(&outcome);
    (outcome.ok(), status)
}

/// Pearson's correlation with reports standardised within groups: (r, status).
#[pyfunction]
pub fn pearson(
    py: Python<'_>,
    weights: PyReadonlyArray1<'_, f64>,
    reports: PyReadonlyArray1<'_, f64>,
    groups: PyReadonlyArray1<'_, i64>,
) -> PyResult<(Option<f64>, &'static str)> {
    let groups = groups.as_slice()?;
    let entries = Entries {
        weights: weights.as_slice()?,
        reports: reports.as_slice()?,
        contexts: groups,
        groups,
    };
    short(py, |_| Ok(split(Clusters::new(&entries)?.correlation())))
}

/// Least-squares slope of standardised weights on standardised reports: (fields, status).
#[pyfunction]
pub fn standardised_slope(
    py: Python<'_>,
    weights_z: PyReadonlyArray1<'_, f64>,
    reports_z: PyReadonlyArray1<'_, f64>,
    level: f64,
) -> PyResult<(Option<RegressionFields>, &'static str)> {
    let (weights, reports) = (weights_z.as_slice()?, reports_z.as_slice()?);
    let (slope, status) = split(short(py, |_| engine::standardised_slope(weights, reports, level))?);
    Ok((slope.as_ref().map(fields), status))
}

/// The mean over models of slope after minus slope before: (fields, by model, status).
#[pyfunction]
pub fn slope_contrast(
    py: Python<'_>,
    weights_z: PyReadonlyArray1<'_, f64>,
    reports_z: PyReadonlyArray1<'_, f64>,
    model: PyReadonlyArray1<'_, i64>,
    after: PyReadonlyArray1<'_, u8>,
    level: f64,
) -> PyResult<(Option<RegressionFields>, Vec<f64>, &'static str)> {
    let (weights, reports) = (weights_z.as_slice()?, reports_z.as_slice()?);
    let (model, after) = (model.as_slice()?, after.as_slice()?);
    let contrast = short(py, |_| engine::slope_contrast(weights, reports, model, after, level))?;
    Ok(match split(contrast) {
        (Some(contrast), status) => (Some(fields(&contrast.mean)), contrast.by_model, status),
        (None, status) => (None, Vec::new(), status),
    })
}

/// Contexts drawn with replacement: (r, status, draws, undefined, contexts, percentile, BCa).
#[pyfunction]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
pub fn context_bootstrap<'py>(
    py: Python<'py>,
    weights: PyReadonlyArray1<'_, f64>,
    reports: PyReadonlyArray1<'_, f64>,
    contexts: PyReadonlyArray1<'_, i64>,
    groups: PyReadonlyArray1<'_, i64>,
    replicates: usize,
    seed: u64,
    level: f64,
    threads: usize,
) -> PyResult<(
    Option<f64>,
    &'static str,
    Bound<'py, PyArray1<f64>>,
    usize,
    usize,
    IntervalFields,
    IntervalFields,
)> {
    let entries = Entries {
        weights: weights.as_slice()?,
        reports: reports.as_slice()?,
        contexts: contexts.as_slice()?,
        groups: groups.as_slice()?,
    };
    let resampling = Resampling {
        replicates,
        seed,
        threads,
    };
    let (clusters, result) = long(py, |interrupt| {
        let clusters = Clusters::new(&entries)?;
        let result = bootstrap::context_bootstrap(&clusters, resampling, level, interrupt)?;
        Ok((clusters.contexts(), result))
    })?;
    let (r, status) = split(result.r);
    Ok((
        r,
        status,
        result.draws.into_pyarray(py),
        result.undefined,
        clusters,
        split(result.percentile),
        split(result.bca),
    ))
}
