//! Option pairs, their differences and the authors' rounding for Python; every array is flat, in C order.

use avowal_engine::design::{Ranges, differences as engine_differences, draw_pairs as engine_draw_pairs};
use avowal_engine::rounding::{decimals as engine_decimals, round_decimals as engine_round};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;

use crate::call::{short, sized};

/// Values that take a few milliseconds unless ranges are so extreme that each value is rounded the slow way: too short for a
/// thread of their own, which takes as long to start as ten thousand values to draw.
pub const BRIEF: usize = 1 << 19;

/// Writes pairs flat (contexts, trials, 2, attributes) to `out`.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the engine's call, one by one"
)]
pub fn draw_pairs<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    units: PyReadonlyArray1<'py, u64>,
    trials: usize,
    seed: u64,
    threads: usize,
    mut out: PyReadwriteArray1<'py, f64>,
) -> PyResult<()> {
    let (mins, maxs, units) = (mins.as_slice()?, maxs.as_slice()?, units.as_slice()?);
    let out = out.as_slice_mut()?;
    sized(py, out.len() <= BRIEF, |interrupt| {
        let ranges = Ranges::new(mins, maxs, attributes)?;
        engine_draw_pairs(&ranges, units, trials, seed, threads, interrupt, out)
    })
}

/// Differences flat (contexts, trials, attributes).
#[pyfunction]
pub fn differences<'py>(
    py: Python<'py>,
    mins: PyReadonlyArray1<'py, f64>,
    maxs: PyReadonlyArray1<'py, f64>,
    attributes: usize,
    pairs: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (mins, maxs, pairs) = (mins.as_slice()?, maxs.as_slice()?, pairs.as_slice()?);
    short(py, |_| engine_differences(&Ranges::new(mins, maxs, attributes)?, pairs)).map(|out| out.into_pyarray(py))
}

/// The decimals of values that span `range`.
#[pyfunction]
pub fn decimals(range: f64) -> usize {
    engine_decimals(range)
}

/// Python's `round(x, decimals)`.
#[pyfunction]
pub fn round_decimals(x: f64, decimals: usize) -> f64 {
    engine_round(x, decimals)
}
