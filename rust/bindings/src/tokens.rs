//! Token counts for Python.

use avowal_tokens::Tokenizer;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::call::sized;

/// Bytes of text that are counted well within a millisecond.
const FEW: usize = 16 * 1024;

/// Tokens in each text of a UTF-8 buffer, text `i` from offset `i` to offset `i + 1`.
#[pyfunction]
pub fn count_tokens<'py>(
    py: Python<'py>,
    buffer: PyReadonlyArray1<'py, u8>,
    offsets: PyReadonlyArray1<'py, u64>,
    encoding: &str,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let (buffer, offsets) = (buffer.as_slice()?, offsets.as_slice()?);
    sized(py, buffer.len() <= FEW, |interrupt| {
        Tokenizer::named(encoding)?.count_many(buffer, offsets, threads, interrupt)
    })
    .map(|counts| counts.into_pyarray(py))
}
