//! The one way from Python into the engine and back: detach, run, listen for Ctrl-C, map errors.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use avowal_engine::{Error, Interrupt, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(avowal.errors, InputError);

/// How often a long call looks for Ctrl-C.
const POLL: Duration = Duration::from_millis(50);

/// The one place where an engine error becomes a Python exception.
pub fn to_python(error: Error) -> PyErr {
    match error {
        Error::Input { name, expected, found } => {
            InputError::new_err(format!("{name}: expected {expected}, found {found}"))
        }
        Error::Interrupted => PyRuntimeError::new_err("interrupted without a pending signal"),
    }
}

/// Runs a short call (well below a tenth of a second) with the interpreter released.
pub fn short<T, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    F: Send + FnOnce(&Interrupt) -> Result<T>,
{
    py.detach(|| work(&Interrupt::new())).map_err(to_python)
}

/// Runs a call as [`short`] where it is known to be, and as [`long`] elsewhere: a thread takes longer to start than a few
/// draws take to make.
pub fn sized<T, F>(py: Python<'_>, brief: bool, work: F) -> PyResult<T>
where
    T: Send,
    F: Send + FnOnce(&Interrupt) -> Result<T>,
{
    if brief { short(py, work) } else { long(py, work) }
}

/// Runs a long call on a thread of its own while this one, interpreter released, wakes to answer signals.
pub fn long<T, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    F: Send + FnOnce(&Interrupt) -> Result<T>,
{
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let (sender, mut receiver) = channel();
        let flag = &interrupt;
        scope.spawn(move || {
            // A send fails only if the receiver is gone, and the receiver outlives this scope.
            let _ = sender.send(work(flag));
        });
        let mut signal = None;
        loop {
            let exclusive = &mut receiver;
            match py.detach(move || exclusive.recv_timeout(POLL)) {
                Ok(result) => {
                    // A signal that was taken must reach Python even if the work was done before it saw the flag.
                    return signal.map_or_else(|| result.map_err(to_python), Err);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if signal.is_none()
                        && let Err(error) = py.check_signals()
                    {
                        interrupt.raise();
                        signal = Some(error);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err("the engine stopped without a result"));
                }
            }
        }
    })
}
