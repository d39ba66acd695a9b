//! Draws from the normal approximation of each agent's posterior: mode and inverse curvature.

use crate::bootstrap::room;
use crate::error::{Error, Result, check_len};
use crate::linalg::{Cholesky, ZERO_MATRIX};
use crate::logit::MAX_ATTRIBUTES;
use crate::parallel::{Interrupt, map_units};
use crate::rng::{Purpose, Stream};

/// Draws of slopes, `agents x draws x attributes`, with `slopes` the modes (`agents x attributes`) and `covariance` of
/// shape `agents x parameters x parameters`, slopes first.
///
/// Agent `i` draws from the stream (seed, Laplace, `units[i]`, 0). An agent with a NaN, or with a covariance that is not
/// positive definite, gets NaN throughout.
#[allow(clippy::too_many_arguments)]
pub fn laplace_draws(
    slopes: &[f64],
    covariance: &[f64],
    attributes: usize,
    draws: usize,
    units: &[u64],
    seed: u64,
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    if !(1..=MAX_ATTRIBUTES).contains(&attributes) {
        return Err(Error::input("attributes", format!("1 to {MAX_ATTRIBUTES}"), attributes));
    }
    check_len("slopes", units.len() * attributes, slopes.len())?;
    let with_intercept = units.len() * (attributes + 1) * (attributes + 1);
    let dim = if covariance.len() == with_intercept {
        attributes + 1
    } else {
        attributes
    };
    check_len("covariance", units.len() * dim * dim, covariance.len())?;
    let agents = map_units(threads, units.len(), interrupt, |agent| {
        let mode = &slopes[agent * attributes..(agent + 1) * attributes];
        let mut block = ZERO_MATRIX;
        for i in 0..attributes {
            let row = agent * dim * dim + i * dim;
            block[i][..attributes].copy_from_slice(&covariance[row..row + attributes]);
        }
        let mut out = room("draws", draws, attributes)?;
        let factor = Cholesky::new(&block, attributes).filter(|_| mode.iter().all(|v| v.is_finite()));
        let Some(factor) = factor else {
            out.resize(draws * attributes, f64::NAN);
            return Ok(out);
        };
        let mut stream = Stream::new(seed, Purpose::Laplace, units[agent], 0);
        let mut normals = vec![0.0; attributes];
        for _ in 0..draws {
            stream.fill_normal(&mut normals);
            let step = factor.colour(&normals);
            out.extend(mode.iter().zip(step).map(|(m, s)| m + s));
        }
        Ok(out)
    })?;
    Ok(agents.concat())
}
