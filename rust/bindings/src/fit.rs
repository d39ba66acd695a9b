//! Fits of many agents: `avowal._core.fit_agents` and its relatives.

use avowal_engine::batch::{self, Batch};
use avowal_engine::logit::{Estimator, InterceptPrior, Model, Priors};
use avowal_engine::{Error, Interrupt, Result};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call;

/// Trials borrowed from NumPy: differences (trials, attributes), choices and offsets.
type Borrowed<'py> = (
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray1<'py, u8>,
    PyReadonlyArray1<'py, u64>,
);

/// The estimator from its name and the numbers that belong to it: `map` takes slope sd, then degrees of freedom,
/// location and scale of the intercept; `ridge` takes its penalty.
pub fn model(estimator: &str, numbers: &[f64], intercept: bool) -> Result<Model> {
    let estimator = match (estimator, numbers) {
        ("map", &[slope_sd, degrees_of_freedom, location, scale]) => Estimator::Map(Priors {
            slope_sd,
            intercept: InterceptPrior {
                degrees_of_freedom,
                location,
                scale,
            },
        }),
        ("ml", []) => Estimator::MaximumLikelihood,
        ("firth", []) => Estimator::Firth,
        ("ridge", &[penalty]) => Estimator::Ridge { penalty },
        _ => {
            let found = format!("{estimator} with {} numbers", numbers.len());
            return Err(Error::input(
                "estimator",
                "map (4 numbers), ml, firth or ridge (1 number)",
                found,
            ));
        }
    };
    Ok(Model { estimator, intercept })
}

/// Runs `work` on the borrowed batch and model, listening for Ctrl-C.
pub fn on_batch<T: Send>(
    py: Python<'_>,
    trials: &Borrowed<'_>,
    chosen: (&str, Vec<f64>, bool),
    work: impl Send + FnOnce(&Batch, &Model, &Interrupt) -> Result<T>,
) -> PyResult<T> {
    let attributes = trials.0.as_array().ncols();
    let (differences, choices, offsets) = (trials.0.as_slice()?, trials.1.as_slice()?, trials.2.as_slice()?);
    let model = model(chosen.0, &chosen.1, chosen.2).map_err(call::to_python)?;
    call::long(py, |interrupt| {
        let batch = Batch::new(differences, choices, offsets, attributes)?;
        work(&batch, &model, interrupt)
    })
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn fit_agents<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray2<'py, f64>,
    choices: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let trials = (differences, choices, offsets);
    let fits = on_batch(
        py,
        &trials,
        (estimator, numbers, intercept),
        |batch, model, interrupt| batch::fit(batch, model, threads, interrupt),
    )?;
    let out = PyDict::new(py);
    out.set_item("status", fits.status.into_pyarray(py))?;
    out.set_item("iterations", fits.iterations.into_pyarray(py))?;
    for (name, values) in [
        ("slopes", fits.slopes),
        ("scaled", fits.scaled),
        ("intercepts", fits.intercepts),
        ("centred_intercepts", fits.centred_intercepts),
        ("centred_intercept_errors", fits.centred_intercept_errors),
        ("standard_errors", fits.standard_errors),
        ("covariance", fits.covariance),
        ("log_likelihood", fits.log_likelihood),
        ("log_posterior", fits.log_posterior),
        ("gradient_norm", fits.gradient_norm),
        ("accuracy", fits.accuracy),
        ("accuracy_slopes_only", fits.accuracy_slopes_only),
    ] {
        out.set_item(name, values.into_pyarray(py))?;
    }
    Ok(out)
}

/// Trials whose coefficients take a few milliseconds, however many of them go the long way: too short to be interrupted.
const BRIEF: usize = 100_000;

/// Slopes and (last) the intercept, flat (agents, parameters).
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn fit_coefficients<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray2<'py, f64>,
    choices: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let attributes = differences.as_array().ncols();
    let (differences, choices, offsets) = (differences.as_slice()?, choices.as_slice()?, offsets.as_slice()?);
    let model = model(estimator, &numbers, intercept).map_err(call::to_python)?;
    call::sized(py, choices.len() < BRIEF, |interrupt| {
        let batch = Batch::shaped(differences, choices, offsets, attributes)?;
        batch::coefficients(&batch, &model, threads, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}

/// Held-out choices predicted, and predicted correctly, per agent.
type Counts<'py> = (Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<u64>>);

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn cross_validate<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray2<'py, f64>,
    choices: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    folds: usize,
    threads: usize,
) -> PyResult<Counts<'py>> {
    let trials = (differences, choices, offsets);
    let results = on_batch(
        py,
        &trials,
        (estimator, numbers, intercept),
        |batch, model, interrupt| batch::cross_validate(batch, model, folds, threads, interrupt),
    )?;
    let predicted: Vec<u64> = results.iter().map(|r| r.predicted).collect();
    let correct: Vec<u64> = results.iter().map(|r| r.correct).collect();
    Ok((predicted.into_pyarray(py), correct.into_pyarray(py)))
}
