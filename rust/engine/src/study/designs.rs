//! Designs in place of uniform pairs: which differences an agent of a simulated study decides about.

use crate::error::{Error, Result, check_finite};

use super::settings::{Group, Settings};

/// Differences of some designs for each group, flat (designs, trials, attributes); none where pairs are uniform.
#[derive(Debug, Clone, Copy, Default)]
pub struct Designs<'a> {
    /// By [`Group`].
    pub differences: [Option<&'a [f64]>; 2],
}

impl<'a> Designs<'a> {
    /// Refuses designs that hold other numbers of trials than a group's agents decide about.
    pub(super) fn check(&self, settings: &Settings) -> Result<()> {
        for group in Group::ALL {
            let Some(differences) = self.differences[group as usize] else {
                continue;
            };
            let name = format!("designs, {}", group.name());
            let (trials, k) = (settings.decisions(group), settings.attributes());
            if differences.is_empty() || !differences.len().is_multiple_of(trials * k) {
                let expected = format!("whole designs of {trials} decisions on {k} attributes");
                return Err(Error::input(&name, expected, format!("{} values", differences.len())));
            }
            check_finite(&name, differences)?;
        }
        Ok(())
    }

    /// The differences for an agent, flat (trials, attributes): those of design `(replicate * agents + index) mod designs`.
    pub(super) fn of(&self, settings: &Settings, group: Group, index: usize, replicate: u64) -> Option<&'a [f64]> {
        let differences = self.differences[group as usize]?;
        let each = settings.decisions(group) * settings.attributes();
        let turn = u128::from(replicate) * settings.agents(group) as u128 + index as u128;
        let place = turn % (differences.len() / each) as u128;
        let start = usize::try_from(place).map_or(0, |place| place * each);
        Some(&differences[start..start + each])
    }
}
