//! Everything that a simulated study depends on: how many of what, how agents decide, how models report.

use crate::error::{Error, Result};
use crate::logit::MAX_ATTRIBUTES;

/// The numbers that a parameter may take.
#[derive(Debug, Clone, Copy)]
enum Domain {
    /// Whole, from the first to the second.
    Count(f64, f64),
    /// From 0 to 1.
    Share,
    /// From -1 to 1.
    Correlation,
    /// Positive and finite.
    Positive,
    /// 0 or more, finite.
    Spread,
    /// Finite.
    Real,
}

impl Domain {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Count(low, high) => value.fract() == 0.0 && (low..=high).contains(&value),
            Self::Share => (0.0..=1.0).contains(&value),
            Self::Correlation => (-1.0..=1.0).contains(&value),
            Self::Positive => value > 0.0 && value.is_finite(),
            Self::Spread => value >= 0.0 && value.is_finite(),
            Self::Real => value.is_finite(),
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Count(low, high) => format!("a whole number from {low} to {high}"),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Correlation => "a number from -1 to 1".to_owned(),
            Self::Positive => "a positive number".to_owned(),
            Self::Spread => "a number of 0 or more".to_owned(),
            Self::Real => "a finite number".to_owned(),
        }
    }
}

/// A struct of numbers that is read from a flat list, each checked against its domain.
macro_rules! parameters {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $domain:expr,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: f64,)+
        }

        impl $name {
            /// The parameters in the order of the flat list.
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            fn read(values: &mut impl Iterator<Item = f64>, prefix: &str) -> Result<Self> {
                Ok(Self { $($field: checked(values.next(), prefix, stringify!($field), $domain)?,)+ })
            }
        }
    };
}

fn checked(value: Option<f64>, prefix: &str, field: &str, domain: Domain) -> Result<f64> {
    let name = format!("{prefix}{field}");
    match value {
        Some(value) if domain.holds(value) => Ok(value),
        Some(value) => Err(Error::input(&name, domain.describe(), value)),
        None => Err(Error::input(&name, domain.describe(), "nothing")),
    }
}

/// More of anything than a study could have; keeps sizes within memory and within the 32 bits of a unit.
const MANY: f64 = 1_000_000.0;

parameters! {
    /// How large the study is, and what stands between targets, common sense and the weights in force.
    Design {
        /// Agents with trained weights.
        trained_agents: Domain::Count(1.0, MANY),
        /// Agents that never appeared in training.
        native_agents: Domain::Count(1.0, MANY),
        /// Attributes of every context.
        attributes: Domain::Count(2.0, MAX_ATTRIBUTES as f64),
        /// Decisions of each trained agent.
        trained_decisions: Domain::Count(1.0, MANY),
        /// Decisions of each native agent.
        native_decisions: Domain::Count(1.0, MANY),
        /// Replies to each question about weights, in every set.
        replies: Domain::Count(1.0, MANY),
        /// Correlation of the weights in force with the targets, before both are scaled.
        instilling: Domain::Correlation,
        /// Correlation of what training left of the model's own weights with common sense.
        residual_common_sense: Domain::Correlation,
        /// Correlation of native weights with common sense, before scaling.
        native_common_sense: Domain::Correlation,
        /// Share of trained agents whose targets two models have in common.
        shared_targets: Domain::Share,
        /// Correlation of two models' common sense.
        shared_common_sense: Domain::Share,
        /// Correlation of two models' residual weights beyond common sense.
        shared_residual: Domain::Share,
        /// Correlation of two models' native weights beyond common sense.
        shared_native: Domain::Share,
    }
}

parameters! {
    /// How the agents of one kind decide: `P(A) = lapse / 2 + (1 - lapse) logistic(b sum_i (w_i / 100) d_i + a)`.
    Deciding {
        /// The median of `b` over agents: log odds per full range of an attribute of weight 100.
        inverse_temperature: Domain::Spread,
        /// Standard deviation of `ln b` over agents.
        inverse_temperature_sd: Domain::Spread,
        /// Mean of `a` over agents: log odds of A between equal options.
        position_bias: Domain::Real,
        /// Standard deviation of `a` over agents.
        position_bias_sd: Domain::Spread,
        /// Share of trials answered at random.
        lapse: Domain::Share,
    }
}

parameters! {
    /// How one set of reports comes about.
    ///
    /// With weights `w` in force (common sense for off-the-shelf reports), `s` their root mean square, `c` common sense
    /// and `o` standard normal: belief `b = fidelity w + sqrt(1 - fidelity^2) s e`, error
    /// `e = common_sense c + sqrt(1 - common_sense^2) o`, and reply `g b + h + noise z`, scaled by habit, rounded, cut at
    /// ±100. `o`, `g` and `h` are drawn once for each agent.
    Reporting {
        /// Weight of the true weights in the belief; where `common_sense` is 0, their correlation.
        fidelity: Domain::Correlation,
        /// Correlation of the belief's error with common sense.
        common_sense: Domain::Correlation,
        /// Correlation of two models' `o`.
        shared_error: Domain::Share,
        /// Median of `g` over agents.
        scale: Domain::Positive,
        /// Standard deviation of `ln g` over agents.
        scale_sd: Domain::Spread,
        /// Mean of `h` over agents.
        shift: Domain::Real,
        /// Standard deviation of `h` over agents.
        shift_sd: Domain::Spread,
        /// Standard deviation of a reply around the agent's own centre.
        noise: Domain::Spread,
        /// Share of replies scaled so that their largest absolute number is `100 stretch`, before the cut at ±100.
        habit: Domain::Share,
        /// How far beyond the scale that habit reaches; past 1 more than one number is ±100.
        stretch: Domain::Positive,
        /// Replies are rounded to multiples of this.
        step: Domain::Positive,
        /// Share of replies rounded to multiples of `coarse_step` instead; scaled replies come first.
        coarse: Domain::Share,
        /// The coarser rounding.
        coarse_step: Domain::Positive,
        /// Mean share of replies that can't be read.
        invalid: Domain::Share,
        /// How far those concentrate in some agents: the correlation of two replies of one agent in being unreadable.
        /// The agents' own shares are beta distributed; 0 for equal shares, 1 for agents that lose all or nothing.
        invalid_clustering: Domain::Share,
        /// Standard deviation of a further `ln g` over reporting models; the two halves of introspection training are two.
        model_scale_sd: Domain::Spread,
    }
}

/// The five sets of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Set {
    /// The model before any training, on trained contexts.
    OffTheShelf,
    /// The weight-trained model, on trained contexts.
    WeightTrained,
    /// Two introspection-trained models, each on the half of the trained contexts that it was not trained on.
    IntrospectionTrained,
    /// The weight-trained model, on native contexts.
    NativeBefore,
    /// The introspection-trained model, on native contexts.
    NativeAfter,
}

impl Set {
    /// All of them, in the order of every table.
    pub const ALL: [Self; 5] = [
        Self::OffTheShelf,
        Self::WeightTrained,
        Self::IntrospectionTrained,
        Self::NativeBefore,
        Self::NativeAfter,
    ];

    /// The name in parameters and columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OffTheShelf => "off_the_shelf",
            Self::WeightTrained => "weight_trained",
            Self::IntrospectionTrained => "introspection_trained",
            Self::NativeBefore => "native_before",
            Self::NativeAfter => "native_after",
        }
    }

    /// The group of contexts that the set reports on.
    pub const fn group(self) -> Group {
        match self {
            Self::NativeBefore | Self::NativeAfter => Group::Native,
            _ => Group::Trained,
        }
    }
}

/// The two kinds of contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Group {
    /// Contexts in which weights were instilled.
    Trained,
    /// Contexts that training never touched.
    Native,
}

impl Group {
    /// Both, in the order of every table.
    pub const ALL: [Self; 2] = [Self::Trained, Self::Native];

    /// The name in parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Native => "native",
        }
    }
}

/// The settings of one base model's study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Sizes and the origin of weights.
    pub design: Design,
    /// How agents decide, by [`Group`].
    pub deciding: [Deciding; 2],
    /// How reports come about, by [`Set`].
    pub reporting: [Reporting; 5],
}

impl Settings {
    /// The names of all parameters, in the order of [`Settings::read`]: those of a group or set behind its name and a
    /// full stop.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = Design::NAMES.iter().map(ToString::to_string).collect();
        let mut add = |prefix: &str, fields: &[&str]| names.extend(fields.iter().map(|f| format!("{prefix}.{f}")));
        for group in Group::ALL {
            add(group.name(), Deciding::NAMES);
        }
        for set in Set::ALL {
            add(set.name(), Reporting::NAMES);
        }
        names
    }

    /// Settings from a flat list of all parameters; an error names the first that is out of its domain.
    pub fn read(values: &[f64]) -> Result<Self> {
        crate::error::check_len("settings", Self::names().len(), values.len())?;
        let rest = &mut values.iter().copied();
        let design = Design::read(rest, "")?;
        let [trained, native] = Group::ALL.map(|group| Deciding::read(rest, &format!("{}.", group.name())));
        let [a, b, c, d, e] = Set::ALL.map(|set| Reporting::read(rest, &format!("{}.", set.name())));
        Ok(Self {
            design,
            deciding: [trained?, native?],
            reporting: [a?, b?, c?, d?, e?],
        })
    }

    /// Attributes of every context.
    pub fn attributes(&self) -> usize {
        whole(self.design.attributes)
    }

    /// Agents of a group.
    pub fn agents(&self, group: Group) -> usize {
        whole(match group {
            Group::Trained => self.design.trained_agents,
            Group::Native => self.design.native_agents,
        })
    }

    /// Decisions of each agent of a group.
    pub fn decisions(&self, group: Group) -> usize {
        whole(match group {
            Group::Trained => self.design.trained_decisions,
            Group::Native => self.design.native_decisions,
        })
    }

    /// Replies for each context and set.
    pub fn replies(&self) -> usize {
        whole(self.design.replies)
    }
}

#[expect(clippy::cast_sign_loss, reason = "counts are checked to be whole and positive")]
fn whole(value: f64) -> usize {
    value as usize
}
