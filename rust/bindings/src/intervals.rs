//! Intervals from draws, and quantiles, as functions of arrays.

use avowal_engine::Result;
use avowal_engine::intervals::{self as engine, Ascending, Ends};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::call::short;
use crate::correlation::{IntervalFields, split};

fn on_sorted<T: Send>(
    py: Python<'_>,
    draws: &PyReadonlyArray1<'_, f64>,
    work: impl Send + FnOnce(&Ascending) -> Result<T>,
) -> PyResult<T> {
    let draws = draws.as_slice()?;
    short(py, |_| work(&Ascending::new(draws)?))
}

/// The type-7 quantiles of draws at the probabilities.
#[pyfunction]
pub fn quantile(py: Python<'_>, draws: PyReadonlyArray1<'_, f64>, probabilities: Vec<f64>) -> PyResult<Vec<f64>> {
    on_sorted(py, &draws, |sorted| {
        probabilities.iter().map(|&p| sorted.quantile(p)).collect()
    })
}

/// The equal-tailed interval of draws.
#[pyfunction]
pub fn percentile_interval(py: Python<'_>, draws: PyReadonlyArray1<'_, f64>, level: f64) -> PyResult<Ends> {
    on_sorted(py, &draws, |sorted| sorted.percentile_interval(level))
}

/// The bias-corrected and accelerated interval of draws: (ends, status).
#[pyfunction]
pub fn bca_interval(
    py: Python<'_>,
    draws: PyReadonlyArray1<'_, f64>,
    estimate: f64,
    jackknife: PyReadonlyArray1<'_, f64>,
    level: f64,
) -> PyResult<IntervalFields> {
    let jackknife = jackknife.as_slice()?;
    on_sorted(py, &draws, |sorted| {
        sorted.bca_interval(estimate, jackknife, level).map(split)
    })
}

/// The highest-density interval of draws.
#[pyfunction]
pub fn hdi(py: Python<'_>, draws: PyReadonlyArray1<'_, f64>, level: f64) -> PyResult<Ends> {
    on_sorted(py, &draws, |sorted| sorted.hdi(level))
}

/// The quantile of Student's t.
#[pyfunction]
pub fn t_quantile(py: Python<'_>, p: f64, df: f64) -> PyResult<f64> {
    short(py, |_| engine::t_quantile(p, df))
}

/// The quantile of the standard normal distribution.
#[pyfunction]
pub fn normal_quantile(py: Python<'_>, p: f64) -> PyResult<f64> {
    short(py, |_| engine::normal_quantile(p))
}
