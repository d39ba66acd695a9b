//! The engine of avowal: design, simulation, logistic fits, bootstraps and correlations, free of Python.
//!
//! Reading order: [`error`] (what is a broken contract), [`parallel`] (independent units on threads).
#![deny(rustdoc::broken_intra_doc_links)]

pub mod batch;
pub mod error;
mod linalg;
pub mod logit;
pub mod parallel;

pub use error::{Error, Result};
pub use parallel::Interrupt;
