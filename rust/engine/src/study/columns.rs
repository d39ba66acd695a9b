//! The figures of a simulated study: one flat row of numbers per replicate and model, NaN where the data give none.

use crate::outcome::{Outcome, Undefined};

use super::settings::{Group, Set};

/// A struct of figures that is written into a flat row.
macro_rules! figures {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: f64,)+
        }

        impl $name {
            /// The columns in the order of the row.
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            fn write(&self, row: &mut Vec<f64>) {
                row.extend([$(self.$field),+]);
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: f64::NAN,)+ }
            }
        }
    };
}

figures! {
    /// Learned against target weights.
    TargetFigures {
        /// Slope of standardised learned on standardised target weights.
        slope,
        /// Lower end of that regression's interval.
        slope_low,
        /// Upper end.
        slope_high,
        /// Pearson's correlation.
        r,
        /// Lower end of its interval by contexts.
        cluster_low,
        /// Upper end.
        cluster_high,
        /// 0, or one more than the place of the reason why there is no `r`.
        status,
        /// The same for the interval by contexts.
        cluster_status,
        /// Correlation of the weights in force with the targets, over all trained contexts: no choice in between.
        true_r,
    }
}

figures! {
    /// One group's fits.
    GroupFigures {
        /// Agents with estimated weights.
        fitted,
        /// Share of choices that the targets prescribe, in trained contexts.
        agreement,
        /// Share of choices predicted in sample, with the intercept.
        fit_accuracy,
        /// The same by the slopes alone.
        fit_accuracy_slopes,
        /// Share of estimated weights that round to ±100.
        extremes,
        /// Mean over agents of the log length of the vector of slopes.
        log_length,
        /// Standard deviation of the same.
        log_length_sd,
        /// Mean intercept.
        intercept,
        /// Standard deviation of intercepts.
        intercept_sd,
        /// Correlation with the other model's estimated weights.
        between_models,
    }
}

figures! {
    /// One set of reports.
    SetFigures {
        /// Slope of standardised weights on standardised reports.
        slope,
        /// Lower end of that regression's interval.
        slope_low,
        /// Upper end.
        slope_high,
        /// Pearson's correlation.
        r,
        /// Lower end of its interval by contexts.
        cluster_low,
        /// Upper end.
        cluster_high,
        /// 0, or one more than the place of the reason why there is no `r`.
        status,
        /// The same for the interval by contexts.
        cluster_status,
        /// Correlation of the agents' beliefs with the weights in force, over all contexts: neither choices nor replies in
        /// between.
        true_r,
        /// Contexts without an entry.
        contexts_lost,
        /// Valid replies.
        replies_valid,
        /// Correlation of reports with targets.
        r_target,
        /// Correlation without the entries whose weight rounds to ±100.
        r_without_extremes,
        /// Mean correlation within contexts.
        r_within,
        /// Share of entries in which weight and report have the same sign.
        sign_agreement,
        /// Share of contexts in which the largest weight and report are the same attribute's.
        top_agreement,
        /// Share of numbers in valid replies that are ±100.
        extremes,
        /// Share of valid replies whose largest absolute number is 100.
        full_replies,
        /// Spearman-Brown reliability of the averaged reports, from the first and the second half of the replies.
        reliability,
        /// Mean averaged report.
        report_mean,
        /// Standard deviation over contexts of a context's mean report.
        report_mean_sd,
        /// Root mean square of averaged reports about their context's mean.
        report_spread,
        /// Standard deviation over contexts of the log of that root mean square plus one.
        report_spread_log_sd,
        /// Correlation of the reports with the other model's estimated weights.
        crossed_r,
        /// Correlation with the other model's averaged reports.
        between_models,
        /// Correlation with the averaged off-the-shelf reports, in trained contexts after training.
        baseline_r,
    }
}

figures! {
    /// A difference between two sets of one group.
    ContrastFigures {
        /// Slope after less slope before.
        slope,
        /// Lower end of the pooled regression's interval.
        slope_low,
        /// Upper end.
        slope_high,
        /// Correlation after less before, over common contexts.
        r,
        /// Lower end of the paired interval by contexts.
        cluster_low,
        /// Upper end.
        cluster_high,
        /// Difference of the sets' `true_r`.
        true_r,
        /// Common contexts.
        common_contexts,
        /// 0, or one more than the place of the reason why there is no `slope`.
        status,
        /// The same for the interval by contexts.
        cluster_status,
    }
}

/// The differences, each with the sets before and after.
pub const CONTRASTS: [(&str, Set, Set); 3] = [
    ("gain_instilled", Set::WeightTrained, Set::IntrospectionTrained),
    ("gain_native", Set::NativeBefore, Set::NativeAfter),
    ("over_baseline", Set::OffTheShelf, Set::WeightTrained),
];

/// All figures of one replicate under one model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Learned against target weights.
    pub target: TargetFigures,
    /// By [`Group`].
    pub groups: [GroupFigures; 2],
    /// By [`Set`].
    pub sets: [SetFigures; 5],
    /// In the order of [`CONTRASTS`].
    pub contrasts: [ContrastFigures; 3],
}

impl Figures {
    /// The names of the columns: those of a group, set or contrast behind its name and a full stop.
    pub fn names() -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |prefix: &str, fields: &[&str]| names.extend(fields.iter().map(|f| format!("{prefix}.{f}")));
        add("learned_target", TargetFigures::NAMES);
        for group in Group::ALL {
            add(weights_name(group), GroupFigures::NAMES);
        }
        for set in Set::ALL {
            add(set.name(), SetFigures::NAMES);
        }
        for (name, _, _) in CONTRASTS {
            add(name, ContrastFigures::NAMES);
        }
        names
    }

    /// Adds one row.
    pub fn write(&self, row: &mut Vec<f64>) {
        self.target.write(row);
        self.groups.iter().for_each(|g| g.write(row));
        self.sets.iter().for_each(|s| s.write(row));
        self.contrasts.iter().for_each(|c| c.write(row));
    }
}

/// Weights estimated in trained contexts are called learned.
const fn weights_name(group: Group) -> &'static str {
    match group {
        Group::Trained => "learned",
        Group::Native => "native",
    }
}

/// Why figures are missing, in the order of the numbers in columns of statuses.
pub const REASONS: [Undefined; 7] = [
    Undefined::TooFewEntries,
    Undefined::TooFewContexts,
    Undefined::NoVariation,
    Undefined::Perfect,
    Undefined::UndefinedDeletion,
    Undefined::BeyondDraws,
    Undefined::NoEstimate,
];

/// The number of a status.
pub fn code<T>(outcome: &Outcome<T>) -> f64 {
    match outcome {
        Ok(_) => 0.0,
        Err(reason) => REASONS
            .iter()
            .position(|known| known == reason)
            .map_or(f64::NAN, |place| place as f64 + 1.0),
    }
}
