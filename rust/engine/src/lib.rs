//! The engine of avowal: design, simulation, logistic fits, bootstraps and correlations, free of Python.
//!
//! Reading order: [`error`] (what is a broken contract), [`outcome`] (what the data don't have), [`parallel`]
//! (independent units on threads), [`rng`] (random streams), [`rounding`] (decimals as the authors round them), [`design`]
//! (option pairs), [`optimal`] (pairs that tell more), [`agents`] (target weights, utilities, choices), [`logit`] (choices to
//! weights, one agent), [`lanes`] (many agents side by side), [`batch`] (all agents), [`bootstrap`] and [`laplace`] (how far the weights could have come out elsewhere), [`correlation`] and [`intervals`]
//! (accuracy and draws), [`clusters`] (contexts left out or drawn again), [`jackknife`] and [`context_bootstrap`]
//! (intervals that follow from them), [`recovery`] (from random weights to learned ones, replicate after replicate).
#![deny(rustdoc::broken_intra_doc_links)]

pub mod agents;
pub mod batch;
pub mod bootstrap;
pub mod clusters;
pub mod context_bootstrap;
pub mod correlation;
pub mod design;
pub mod error;
pub mod intervals;
pub mod jackknife;
pub mod lanes;
pub mod laplace;
mod linalg;
pub mod logit;
pub mod optimal;
pub mod outcome;
pub mod parallel;
pub mod recovery;
mod refits;
pub mod rng;
pub mod rounding;
pub mod study;

pub use error::{Error, Result};
pub use parallel::Interrupt;
