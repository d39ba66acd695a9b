//! Broken contracts: what a caller gave that no computation can start from.
//!
//! Bad numerics (separation, no variation, no convergence) are outcomes and never appear here.

use std::fmt;

/// Why a call could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument that breaks the contract: its name, what was expected, what was found.
    Input {
        /// The argument, as callers know it.
        name: String,
        /// What would have been accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The caller asked for the work to stop.
    Interrupted,
}

impl Error {
    /// An [`Error::Input`] from anything that prints.
    pub fn input(name: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Input {
            name: name.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { name, expected, found } => {
                write!(f, "{name}: expected {expected}, found {found}")
            }
            Self::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl std::error::Error for Error {}

/// The result of every fallible call of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// An [`Error::Input`] unless `found == expected`; for lengths of slices that belong together.
pub(crate) fn check_len(name: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::input(name, format!("{expected} values"), found))
    }
}

/// An [`Error::Input`] naming the first entry that is NaN or infinite.
pub(crate) fn check_finite(name: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::input(
            name,
            "finite numbers",
            format!("{} at flat index {i}", values[i]),
        )),
    }
}
