//! The delete-one-context jackknife of correlations, as functions of arrays; cells lie behind each other.

use avowal_engine::clusters::{Clusters, Entries};
use avowal_engine::jackknife::{self as engine, Cell};
use avowal_engine::outcome::status;
use avowal_engine::{Error, Result};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::call::short;
use crate::correlation::split;

/// (z, se, df, low, high).
type FisherFields = (f64, f64, f64, f64, f64);
/// (entries, contexts, r, Fisher's z or nothing, status).
type CellFields = (usize, usize, Option<f64>, Option<FisherFields>, &'static str);
/// (low, high, z, z_se, z_low, z_high, df).
type CombinationFields = (f64, f64, f64, f64, f64, f64, f64);

/// The arrays cut into cells of the given lengths.
fn cut<'a>(entries: Entries<'a>, lengths: &[usize]) -> Result<Vec<Entries<'a>>> {
    let total = entries.weights.len();
    let same = [entries.reports.len(), entries.contexts.len(), entries.groups.len()];
    if same.iter().any(|n| *n != total) || lengths.iter().sum::<usize>() != total {
        return Err(Error::input(
            "cells",
            format!("{total} entries in every array"),
            format!("{same:?}"),
        ));
    }
    let mut start = 0;
    Ok(lengths
        .iter()
        .map(|length| {
            let range = start..start + length;
            start = range.end;
            Entries {
                weights: &entries.weights[range.clone()],
                reports: &entries.reports[range.clone()],
                contexts: &entries.contexts[range.clone()],
                groups: &entries.groups[range],
            }
        })
        .collect())
}

fn fields(cell: &Cell, level: f64) -> CellFields {
    let fisher = cell.fisher.ok().map(|f| {
        let (low, high) = f.interval(level);
        (f.z, f.se, f.df, low, high)
    });
    (cell.entries, cell.contexts, cell.r.ok(), fisher, status(&cell.fisher))
}

/// The jackknife of every cell: (cells, dependence row by row).
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn jackknife(
    py: Python<'_>,
    weights: PyReadonlyArray1<'_, f64>,
    reports: PyReadonlyArray1<'_, f64>,
    contexts: PyReadonlyArray1<'_, i64>,
    groups: PyReadonlyArray1<'_, i64>,
    lengths: Vec<usize>,
    level: f64,
) -> PyResult<(Vec<CellFields>, Vec<Option<f64>>)> {
    let entries = Entries {
        weights: weights.as_slice()?,
        reports: reports.as_slice()?,
        contexts: contexts.as_slice()?,
        groups: groups.as_slice()?,
    };
    short(py, |_| {
        let result = engine::jackknife(&cut(entries, &lengths)?)?;
        let cells = result.cells.iter().map(|cell| fields(cell, level)).collect();
        Ok((cells, result.dependence))
    })
}

/// A linear combination of the cells' correlations: (estimate, interval fields, status).
#[pyfunction]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
pub fn combination(
    py: Python<'_>,
    weights: PyReadonlyArray1<'_, f64>,
    reports: PyReadonlyArray1<'_, f64>,
    contexts: PyReadonlyArray1<'_, i64>,
    groups: PyReadonlyArray1<'_, i64>,
    lengths: Vec<usize>,
    coefficients: Vec<f64>,
    level: f64,
) -> PyResult<(Option<f64>, Option<CombinationFields>, &'static str)> {
    let entries = Entries {
        weights: weights.as_slice()?,
        reports: reports.as_slice()?,
        contexts: contexts.as_slice()?,
        groups: groups.as_slice()?,
    };
    let result = short(py, |_| {
        engine::jackknife(&cut(entries, &lengths)?)?.combination(&coefficients, level)
    })?;
    let (interval, status) = split(result.interval);
    let fields = interval.map(|i| (i.low, i.high, i.z, i.z_se, i.z_low, i.z_high, i.df));
    Ok((result.estimate.ok(), fields, status))
}

/// The correlation without each context in turn, contexts ascending; NaN where there is none.
#[pyfunction]
pub fn without_each<'py>(
    py: Python<'py>,
    weights: PyReadonlyArray1<'_, f64>,
    reports: PyReadonlyArray1<'_, f64>,
    contexts: PyReadonlyArray1<'_, i64>,
    groups: PyReadonlyArray1<'_, i64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let entries = Entries {
        weights: weights.as_slice()?,
        reports: reports.as_slice()?,
        contexts: contexts.as_slice()?,
        groups: groups.as_slice()?,
    };
    let values = short(py, |_| Ok(Clusters::new(&entries)?.without_each()))?;
    let values: Vec<f64> = values.into_iter().map(|r| r.unwrap_or(f64::NAN)).collect();
    Ok(values.into_pyarray(py))
}
