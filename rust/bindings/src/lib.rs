//! The Python module `avowal._core`: one binding file per engine topic; each checks, borrows, detaches, calls, wraps.
// PyO3's macros expand to code that forbids neither unsafe nor undocumented items.
#![allow(missing_docs)]

mod agents;
mod bootstrap;
mod call;
mod correlation;
mod design;
mod fit;
mod intervals;
mod jackknife;
mod optimal;
mod recovery;
mod rng;
mod study;
mod tokens;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    use super::*;

    #[pymodule_export]
    use crate::agents::{choices, decisions, draw_targets, utilities};
    #[pymodule_export]
    use crate::bootstrap::{laplace_draws, refits, trial_bootstrap};
    #[pymodule_export]
    use crate::correlation::{context_bootstrap, pearson, slope_contrast, standardised_slope};
    #[pymodule_export]
    use crate::design::{decimals, differences, draw_pairs, round_decimals};
    #[pymodule_export]
    use crate::fit::{cross_validate, fit_agents, fit_coefficients};
    #[pymodule_export]
    use crate::intervals::{bca_interval, hdi, normal_quantile, percentile_interval, quantile, t_quantile};
    #[pymodule_export]
    use crate::jackknife::{combination, jackknife, without_each};
    #[pymodule_export]
    use crate::optimal::{criterion, optimal_pairs, prior_slopes};
    #[pymodule_export]
    use crate::recovery::recovery;
    #[pymodule_export]
    use crate::rng::{normals, uniforms};
    #[pymodule_export]
    use crate::tokens::count_tokens;

    #[pymodule_export]
    use crate::study::{dump_study, simulate_study, study_names};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
