//! Priors of the posterior mode: normal slopes and a Student-t on the intercept of the centred design, as in brms.

use statrs::function::gamma::ln_gamma;

use crate::error::{Error, Result};

/// Student-t prior on the intercept of the centred design (the log odds of A at the average trial).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterceptPrior {
    /// Degrees of freedom; infinite for a normal prior.
    pub degrees_of_freedom: f64,
    /// Location.
    pub location: f64,
    /// Scale; infinite for a flat prior.
    pub scale: f64,
}

/// The priors of a posterior mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Priors {
    /// Standard deviation of the normal prior on every slope, around zero.
    pub slope_sd: f64,
    /// Prior on the centred intercept.
    pub intercept: InterceptPrior,
}

impl Default for InterceptPrior {
    /// Student-t(3, 0, 2.5), brms's default.
    fn default() -> Self {
        Self {
            degrees_of_freedom: 3.0,
            location: 0.0,
            scale: 2.5,
        }
    }
}

impl Default for Priors {
    /// N(0, 1) on the slopes (the paper, Appendix C) and brms's default on the intercept.
    fn default() -> Self {
        Self {
            slope_sd: 1.0,
            intercept: InterceptPrior::default(),
        }
    }
}

impl Priors {
    /// Refuses scales and degrees of freedom that define no density.
    pub fn check(&self) -> Result<()> {
        let InterceptPrior {
            degrees_of_freedom,
            location,
            scale,
        } = self.intercept;
        for (name, value) in [
            ("intercept degrees of freedom", degrees_of_freedom),
            ("intercept scale", scale),
        ] {
            if value.is_nan() || value <= 0.0 {
                return Err(Error::input(name, "a positive number or infinity", value));
            }
        }
        if !(self.slope_sd > 0.0 && self.slope_sd.is_finite()) {
            return Err(Error::input("slope sd", "a positive finite number", self.slope_sd));
        }
        if !location.is_finite() {
            return Err(Error::input("intercept location", "a finite number", location));
        }
        Ok(())
    }
}

/// The value of a log density with its slope and its two curvatures, all at one point.
pub(crate) struct Term {
    pub value: f64,
    pub slope: f64,
    /// Minus the second derivative.
    pub curvature: f64,
    /// The curvature of the tangent parabola from below (never negative): safe where the density is not log-concave.
    pub majorised: f64,
}

impl InterceptPrior {
    pub(crate) fn is_flat(&self) -> bool {
        self.scale.is_infinite()
    }

    /// Whether the density is log-concave: flat or normal.
    pub(crate) fn is_concave(&self) -> bool {
        self.is_flat() || self.degrees_of_freedom.is_infinite()
    }

    /// The squared distance from the location within which a Student-t density is log-concave.
    pub(crate) fn inflection_squared(&self) -> f64 {
        self.degrees_of_freedom * self.scale * self.scale
    }

    /// A bound on the third derivative of the log density.
    pub(crate) fn bend(&self) -> f64 {
        if self.is_concave() {
            return 0.0;
        }
        // The slope is -(nu + 1) / sqrt(v) f(u / sqrt(v)) with v the squared inflection and f(x) = x / (1 + x^2), whose
        // third derivative is -6 at zero and smaller elsewhere.
        6.0 * (self.degrees_of_freedom + 1.0) * self.inflection_squared().powf(-1.5)
    }

    /// Log density up to its constant.
    pub(crate) fn term(&self, intercept: f64) -> Term {
        if self.is_flat() {
            return Term {
                value: 0.0,
                slope: 0.0,
                curvature: 0.0,
                majorised: 0.0,
            };
        }
        let u = intercept - self.location;
        let (nu, variance) = (self.degrees_of_freedom, self.scale * self.scale);
        if nu.is_infinite() {
            let precision = variance.recip();
            let value = -0.5 * u * u * precision;
            return Term {
                value,
                slope: -u * precision,
                curvature: precision,
                majorised: precision,
            };
        }
        let spread = nu * variance + u * u;
        let weight = (nu + 1.0) / spread;
        Term {
            value: -0.5 * (nu + 1.0) * (u * u / (nu * variance)).ln_1p(),
            slope: -weight * u,
            curvature: weight * (nu * variance - u * u) / spread,
            majorised: weight,
        }
    }

    /// The log of the density's constant.
    pub(super) fn log_constant(&self) -> f64 {
        if self.is_flat() {
            return 0.0;
        }
        let nu = self.degrees_of_freedom;
        if nu.is_infinite() {
            return -0.5 * (2.0 * std::f64::consts::PI).ln() - self.scale.ln();
        }
        ln_gamma(0.5 * (nu + 1.0)) - ln_gamma(0.5 * nu) - 0.5 * (nu * std::f64::consts::PI).ln() - self.scale.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slope_and_curvature_are_the_derivatives(u in -20.0..20.0_f64, nu in 0.5..30.0_f64, scale in 0.1..10.0_f64) {
            let prior = InterceptPrior { degrees_of_freedom: nu, location: 0.3, scale };
            let h = 1e-5;
            let (left, mid, right) = (prior.term(u - h), prior.term(u), prior.term(u + h));
            prop_assert!((mid.slope - (right.value - left.value) / (2.0 * h)).abs() < 1e-5 * (1.0 + mid.slope.abs() / scale));
            prop_assert!((mid.curvature + (right.slope - left.slope) / (2.0 * h)).abs() < 1e-4 * (1.0 + mid.majorised));
            prop_assert!(mid.majorised >= mid.curvature);
        }
    }
}
