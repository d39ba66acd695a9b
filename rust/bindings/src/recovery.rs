//! Recovery of weights from simulated choices: `avowal._core.recovery`.

use avowal_engine::design::Ranges;
use avowal_engine::recovery::{Design, recovery as engine_recovery};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::agents::rules;
use crate::call::{long, to_python};
use crate::fit::model;

/// Figures flat (replicates, 3); `rule_parameters` are those of one rule, as in `choices`.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn recovery<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    rule_parameters: PyReadonlyArray1<'py, f64>,
    agents: usize,
    trials: usize,
    estimator: &str,
    numbers: Vec<f64>,
    intercept: bool,
    seed: u64,
    first: u64,
    replicates: usize,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (mins, maxs) = (mins.as_slice()?, maxs.as_slice()?);
    let rule = rules(rule_parameters.as_slice()?, 1).map_err(to_python)?[0];
    let model = model(estimator, &numbers, intercept).map_err(to_python)?;
    long(py, |interrupt| {
        let design = Design {
            ranges: Ranges::new(mins, maxs, attributes)?,
            agents,
            trials,
            rule,
            model,
        };
        engine_recovery(&design, seed, (first, replicates), threads, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}
