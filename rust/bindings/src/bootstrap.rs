//! The trial bootstrap and Laplace draws: `avowal._core.trial_bootstrap`, `avowal._core.laplace_draws`.

use avowal_engine::bootstrap::{self, Method, Settings, Statistic};
use avowal_engine::outcome::status;
use avowal_engine::{Error, laplace};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call;
use crate::fit::on_batch;

fn method(name: &str) -> Result<Method, Error> {
    match name {
        "percentile" => Ok(Method::Percentile),
        "bca" => Ok(Method::Bca),
        _ => Err(Error::input("method", "percentile or bca", name)),
    }
}

#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn trial_bootstrap<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray2<'py, f64>,
    choices: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    units: PyReadonlyArray1<'py, u64>,
    resamples: usize,
    level: f64,
    method_name: &str,
    scaled: bool,
    seed: u64,
    keep_draws: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let statistic = if scaled {
        Statistic::Scaled
    } else {
        Statistic::Coefficients
    };
    let method = method(method_name).map_err(call::to_python)?;
    let settings = Settings {
        resamples,
        level,
        method,
        statistic,
        seed,
        keep_draws,
    };
    let units = units.as_slice()?;
    let trials = (differences, choices, offsets);
    let agents = on_batch(
        py,
        &trials,
        (estimator, numbers, intercept),
        |batch, model, interrupt| bootstrap::trial_bootstrap(batch, model, units, &settings, threads, interrupt),
    )?;
    let out = PyDict::new(py);
    let width = |a: &bootstrap::AgentBootstrap| a.intervals.len();
    let estimates: Vec<f64> = agents
        .iter()
        .flat_map(|a| a.estimate.clone().unwrap_or_else(|| vec![f64::NAN; width(a)]))
        .collect();
    let ends = || {
        agents
            .iter()
            .flat_map(|a| a.intervals.iter().map(|i| i.unwrap_or((f64::NAN, f64::NAN))))
    };
    let lower: Vec<f64> = ends().map(|e| e.0).collect();
    let upper: Vec<f64> = ends().map(|e| e.1).collect();
    let errors: Vec<f64> = agents.iter().flat_map(|a| a.standard_errors.iter().copied()).collect();
    let undefined: Vec<u64> = agents.iter().map(|a| a.undefined).collect();
    let statuses: Vec<&str> = agents.iter().flat_map(|a| a.intervals.iter().map(status)).collect();
    for (name, values) in [
        ("estimates", estimates),
        ("lower", lower),
        ("upper", upper),
        ("standard_errors", errors),
    ] {
        out.set_item(name, values.into_pyarray(py))?;
    }
    out.set_item("undefined", undefined.into_pyarray(py))?;
    out.set_item("status", statuses)?;
    let draws: Vec<Bound<'py, PyArray1<f64>>> = if keep_draws {
        agents.into_iter().map(|a| a.draws.into_pyarray(py)).collect()
    } else {
        Vec::new()
    };
    out.set_item("draws", draws)?;
    Ok(out)
}

/// Slopes and (last) the intercept, flat (agents, resamples, parameters).
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn refits<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray2<'py, f64>,
    choices: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    counts: PyReadonlyArray1<'py, f64>,
    resamples: usize,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let counts = counts.as_slice()?;
    let trials = (differences, choices, offsets);
    on_batch(
        py,
        &trials,
        (estimator, numbers, intercept),
        |batch, model, interrupt| bootstrap::refits(batch, model, counts, resamples, threads, interrupt),
    )
    .map(|out| out.into_pyarray(py))
}

/// Draws of slopes, flat (agents, draws, attributes).
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn laplace_draws<'py>(
    py: Python<'py>,
    slopes: PyReadonlyArray1<'py, f64>,
    covariance: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    draws: usize,
    units: PyReadonlyArray1<'py, u64>,
    seed: u64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (slopes, covariance, units) = (slopes.as_slice()?, covariance.as_slice()?, units.as_slice()?);
    call::long(py, |interrupt| {
        laplace::laplace_draws(slopes, covariance, attributes, draws, units, seed, threads, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}
