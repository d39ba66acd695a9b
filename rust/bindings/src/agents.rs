//! Target weights, utilities and choices for Python; every array is flat, in C order.

use avowal_engine::agents::{
    Deciding, Rule, Trials, choices as engine_choices, decisions as engine_decisions,
    draw_targets as engine_draw_targets, utilities as engine_utilities,
};
use avowal_engine::design::Ranges;
use avowal_engine::{Error, Result};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;

use crate::call::{long, short, sized, to_python};
use crate::design::BRIEF;

/// Target weights flat (units, attributes).
#[pyfunction]
pub fn draw_targets<'py>(
    py: Python<'py>,
    units: PyReadonlyArray1<'py, u64>,
    attributes: usize,
    seed: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let units = units.as_slice()?;
    short(py, |_| engine_draw_targets(units, attributes, seed)).map(|out| out.into_pyarray(py))
}

/// Utilities flat (contexts, options).
#[pyfunction]
pub fn utilities<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    values: PyReadonlyArray1<'py, f64>,
    weights: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (mins, maxs) = (mins.as_slice()?, maxs.as_slice()?);
    let (values, weights) = (values.as_slice()?, weights.as_slice()?);
    short(py, |_| {
        engine_utilities(&Ranges::new(mins, maxs, attributes)?, values, weights)
    })
    .map(|out| out.into_pyarray(py))
}

/// Choices flat (units, trials), 1 for A; `rule_parameters` are flat (3, units): inverse temperature, position bias, lapse,
/// or empty for the deterministic rule.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
#[pyo3(signature = (differences, weights, attributes, rule_parameters, units, seed, replicate, indices, threads))]
pub fn choices<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray1<'py, f64>,
    weights: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    rule_parameters: PyReadonlyArray1<'py, f64>,
    units: PyReadonlyArray1<'py, u64>,
    seed: u64,
    replicate: u64,
    indices: Option<PyReadonlyArray1<'py, u64>>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let (differences, weights, units) = (differences.as_slice()?, weights.as_slice()?, units.as_slice()?);
    let indices = indices.as_ref().map(|array| array.as_slice()).transpose()?;
    let rules = rules(rule_parameters.as_slice()?, units.len()).map_err(to_python)?;
    let input = Trials {
        differences,
        weights,
        attributes,
        rules: &rules,
        indices,
    };
    long(py, |interrupt| {
        engine_choices(&input, units, seed, replicate, threads, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}

/// Writes pairs flat (units, trials, 2, attributes) and choices flat (units, trials), 1 for A, to `pairs` and `chosen`;
/// `rule_parameters` as in [`choices`].
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn decisions<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    weights: PyReadonlyArray1<'py, f64>,
    rule_parameters: PyReadonlyArray1<'py, f64>,
    units: PyReadonlyArray1<'py, u64>,
    seed: u64,
    replicate: u64,
    threads: usize,
    mut pairs: PyReadwriteArray1<'py, f64>,
    mut chosen: PyReadwriteArray1<'py, u8>,
) -> PyResult<()> {
    let (mins, maxs) = (mins.as_slice()?, maxs.as_slice()?);
    let (weights, units) = (weights.as_slice()?, units.as_slice()?);
    let rules = rules(rule_parameters.as_slice()?, units.len()).map_err(to_python)?;
    let (pairs, chosen) = (pairs.as_slice_mut()?, chosen.as_slice_mut()?);
    sized(py, pairs.len() <= BRIEF, |interrupt| {
        let deciding = Deciding {
            ranges: Ranges::new(mins, maxs, attributes)?,
            weights,
            rules: &rules,
        };
        engine_decisions(&deciding, units, (seed, replicate), threads, interrupt, (pairs, chosen))
    })
}

/// One rule for each unit from its parameters, as [`choices`] has them.
pub fn rules(parameters: &[f64], units: usize) -> Result<Vec<Rule>> {
    if parameters.is_empty() {
        return Ok(vec![Rule::Deterministic; units]);
    }
    if parameters.len() != 3 * units {
        let found = parameters.len();
        return Err(Error::input("rule_parameters", format!("{} values", 3 * units), found));
    }
    let (inverse_temperatures, rest) = parameters.split_at(units);
    let (biases, lapses) = rest.split_at(units);
    (0..units)
        .map(|i| Rule::logistic(inverse_temperatures[i], biases[i], lapses[i]))
        .collect()
}
