//! Optimal pairs, their prior and their criterion for Python; every array is flat, in C order.

use avowal_engine::design::Ranges;
use avowal_engine::optimal::{
    Belief, Wish, criterion as engine_criterion, optimal_pairs as engine_optimal_pairs, prior_slopes as engine_slopes,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::call::{long, short};

/// Median inverse temperature, standard deviation of its logarithm, precision, and the number of draws.
type Prior = (f64, f64, f64, usize);

fn belief((inverse_temperature, inverse_temperature_sd, precision, draws): Prior) -> Belief {
    Belief {
        inverse_temperature,
        inverse_temperature_sd,
        precision,
        draws,
    }
}

/// Pairs flat (contexts, trials, 2, attributes); `search` is cap, margin and the number of starts.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the engine's Wish, one by one")]
pub fn optimal_pairs<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    units: PyReadonlyArray1<'py, u64>,
    trials: usize,
    prior: Prior,
    search: (f64, f64, usize),
    seed: u64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (mins, maxs, units) = (mins.as_slice()?, maxs.as_slice()?, units.as_slice()?);
    let (cap, margin, starts) = search;
    let wish = Wish {
        trials,
        belief: belief(prior),
        cap,
        margin,
        starts,
    };
    long(py, |interrupt| {
        let ranges = Ranges::new(mins, maxs, attributes)?;
        engine_optimal_pairs(&ranges, units, &wish, seed, threads, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}

/// Slopes flat (units, draws, attributes).
#[pyfunction]
pub fn prior_slopes<'py>(
    py: Python<'py>,
    units: PyReadonlyArray1<'py, u64>,
    attributes: usize,
    prior: Prior,
    seed: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let units = units.as_slice()?;
    short(py, |_| engine_slopes(units, attributes, &belief(prior), seed)).map(|out| out.into_pyarray(py))
}

/// The criterion of each design, (designs,).
#[pyfunction]
pub fn criterion<'py>(
    py: Python<'py>,
    differences: PyReadonlyArray1<'py, f64>,
    trials: usize,
    attributes: usize,
    slopes: PyReadonlyArray1<'py, f64>,
    precision: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (differences, slopes) = (differences.as_slice()?, slopes.as_slice()?);
    long(py, |_| {
        engine_criterion(differences, trials, attributes, slopes, precision)
    })
    .map(|out| out.into_pyarray(py))
}
