//! Outcomes: a statistic, or the reason why the data have none; never an error, never a number that looks like data.

use std::fmt;

/// Why a statistic has no value; an outcome of the data, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// Fewer than three entries, or no residual degree of freedom.
    TooFewEntries,
    /// Fewer than three contexts to delete one from.
    TooFewContexts,
    /// Equal weights, or equal reports within a group, or equal draws.
    NoVariation,
    /// A correlation of one or minus one, where Fisher's z is infinite.
    Perfect,
    /// Without some single context the correlation is undefined or perfect.
    UndefinedDeletion,
    /// All draws lie on one side of the estimate, or the correction leaves their range.
    BeyondDraws,
    /// The data themselves give no estimate to put an interval around.
    NoEstimate,
}

impl Undefined {
    /// The status as users read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFewEntries => "too few entries",
            Self::TooFewContexts => "too few contexts",
            Self::NoVariation => "no variation",
            Self::Perfect => "perfect correlation",
            Self::UndefinedDeletion => "undefined with one left out",
            Self::BeyondDraws => "beyond the draws",
            Self::NoEstimate => "no estimate",
        }
    }
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A statistic, or the reason why there is none.
pub type Outcome<T> = Result<T, Undefined>;

/// The status string of an outcome: "ok" or the reason.
pub const fn status<T>(outcome: &Outcome<T>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(reason) => reason.as_str(),
    }
}
