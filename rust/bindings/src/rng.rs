//! Random streams for Python.

use avowal_engine::rng::{Purpose, Stream, draw};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::call::{sized, to_python};

/// Draws that take microseconds.
const FEW: usize = 4096;

/// `size` uniforms on [0, 1) of a stream, from draw `offset` on.
#[pyfunction]
pub fn uniforms<'py>(
    py: Python<'py>,
    seed: u64,
    purpose: u64,
    unit: u64,
    replicate: u64,
    size: usize,
    offset: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let stream = stream(seed, purpose, unit, replicate, offset)?;
    sized(py, size <= FEW, |interrupt| {
        draw(stream, Stream::fill_uniform, size, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}

/// `size` standard normals of a stream, from draw `offset` on.
#[pyfunction]
pub fn normals<'py>(
    py: Python<'py>,
    seed: u64,
    purpose: u64,
    unit: u64,
    replicate: u64,
    size: usize,
    offset: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let stream = stream(seed, purpose, unit, replicate, offset)?;
    sized(py, size <= FEW, |interrupt| {
        draw(stream, Stream::fill_normal, size, interrupt)
    })
    .map(|out| out.into_pyarray(py))
}

fn stream(seed: u64, purpose: u64, unit: u64, replicate: u64, offset: u64) -> PyResult<Stream> {
    let purpose = Purpose::from_code(purpose).map_err(to_python)?;
    let mut stream = Stream::new(seed, purpose, unit, replicate);
    stream.seek(offset);
    Ok(stream)
}
