//! The simulated study for Python: a flat list of parameters in, a flat table of figures out.

use avowal_engine::study::{
    Designs, Figures, Group, REASONS, Run, Set, Settings, Simulated, dump as engine_dump, simulate as engine_simulate,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::{long, to_python};

/// The names of parameters and of figures, and the statuses, each in the order of their numbers.
#[pyfunction]
pub fn study_names() -> (Vec<String>, Vec<String>, Vec<&'static str>) {
    let statuses = std::iter::once("ok").chain(REASONS.iter().map(|reason| reason.as_str()));
    (Settings::names(), Figures::names(), statuses.collect())
}

/// Figures flat (replicates, models, figures); `settings` are flat (models, parameters), designs flat (designs, trials,
/// attributes).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the engine's Run, one by one")]
pub fn simulate_study<'py>(
    py: Python<'py>,
    settings: PyReadonlyArray1<'py, f64>,
    models: usize,
    seed: u64,
    first: u64,
    count: usize,
    level: f64,
    threads: usize,
    trained: Option<PyReadonlyArray1<'py, f64>>,
    native: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let designs = designs(trained.as_ref(), native.as_ref())?;
    let models = read(settings.as_slice()?, models)?;
    let run = Run {
        seed,
        first,
        count,
        level,
        threads,
    };
    long(py, |interrupt| engine_simulate(&models, designs, &run, interrupt)).map(|out| out.into_pyarray(py))
}

/// One replicate under one model, kept whole, with designs as there: flat arrays by name, NaN for invalid replies and unknown weights.
#[pyfunction]
pub fn dump_study<'py>(
    py: Python<'py>,
    settings: PyReadonlyArray1<'py, f64>,
    model: usize,
    seed: u64,
    replicate: u64,
    trained: Option<PyReadonlyArray1<'py, f64>>,
    native: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let designs = designs(trained.as_ref(), native.as_ref())?;
    let settings = &read(settings.as_slice()?, 1)?[0];
    let (simulated, raw) = long(py, |interrupt| {
        engine_dump(settings, designs, (model, seed, replicate), interrupt)
    })?;
    let out = PyDict::new(py);
    let Simulated {
        agents,
        targets,
        weights,
        ..
    } = simulated;
    out.set_item("targets", targets.values.into_pyarray(py))?;
    for (group, ((differences, choices), (fitted, truth))) in Group::ALL
        .into_iter()
        .zip((raw.differences.into_iter().zip(raw.choices)).zip(weights.into_iter().zip(agents)))
    {
        let name = group.name();
        let held: Vec<f64> = truth.into_iter().flat_map(|agent| agent.weights).collect();
        out.set_item(format!("{name}.differences"), differences.into_pyarray(py))?;
        out.set_item(format!("{name}.choices"), choices.into_pyarray(py))?;
        out.set_item(format!("{name}.weights"), held.into_pyarray(py))?;
        out.set_item(format!("{name}.estimated"), fitted.values.into_pyarray(py))?;
    }
    for (set, replies) in Set::ALL.into_iter().zip(raw.replies) {
        out.set_item(format!("{}.replies", set.name()), replies.into_pyarray(py))?;
    }
    Ok(out)
}

fn designs<'a>(
    trained: Option<&'a PyReadonlyArray1<'_, f64>>,
    native: Option<&'a PyReadonlyArray1<'_, f64>>,
) -> PyResult<Designs<'a>> {
    Ok(Designs {
        differences: [
            trained.map(|one| one.as_slice()).transpose()?,
            native.map(|one| one.as_slice()).transpose()?,
        ],
    })
}

fn read(values: &[f64], models: usize) -> PyResult<Vec<Settings>> {
    let each = values.len() / models.max(1);
    values
        .chunks(each.max(1))
        .map(Settings::read)
        .collect::<Result<_, _>>()
        .map_err(to_python)
}
