//! Designs in place of uniform pairs: which differences an agent of a simulated study decides about.

use crate::error::{Error, Result, check_finite};
use crate::linalg::rank;

use super::settings::{Group, Settings};

/// Differences of some designs for each group, flat (designs, trials, attributes); none where pairs are uniform.
#[derive(Debug, Clone, Copy, Default)]
pub struct Designs<'a> {
    /// By [`Group`].
    pub differences: [Option<&'a [f64]>; 2],
}

/// Designs that fit a study, each looked at once.
#[derive(Debug, Clone)]
pub struct Checked<'a> {
    /// By [`Group`].
    differences: [Option<&'a [f64]>; 2],
    /// By [`Group`], for each design: see [`Design::full_rank`].
    full_rank: [Vec<bool>; 2],
}

/// One agent's design.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    /// Flat (trials, attributes).
    pub differences: &'a [f64],
    /// Whether choices about it can tell all slopes from each other and from the intercept.
    pub full_rank: bool,
}

impl<'a> Designs<'a> {
    /// Refuses designs that hold other numbers of trials than a group's agents decide about.
    pub(super) fn check(self, settings: &Settings) -> Result<Checked<'a>> {
        let mut full_rank = [Vec::new(), Vec::new()];
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
            let designs = differences.chunks_exact(trials * k);
            full_rank[group as usize] = designs.map(|design| has_full_rank(design, k)).collect();
        }
        Ok(Checked {
            differences: self.differences,
            full_rank,
        })
    }
}

impl<'a> Checked<'a> {
    /// The design of an agent: number `(replicate * agents + index) mod designs`.
    pub(super) fn of(&self, settings: &Settings, group: Group, index: usize, replicate: u64) -> Option<Design<'a>> {
        let differences = self.differences[group as usize]?;
        let each = settings.decisions(group) * settings.attributes();
        let turn = u128::from(replicate) * settings.agents(group) as u128 + index as u128;
        let place = usize::try_from(turn % (differences.len() / each) as u128).unwrap_or(0);
        Some(Design {
            differences: &differences[place * each..][..each],
            full_rank: self.full_rank[group as usize][place],
        })
    }
}

/// The rank as a fit takes it: of centred differences and a constant.
fn has_full_rank(design: &[f64], attributes: usize) -> bool {
    let trials = design.len() / attributes;
    let mut columns: Vec<Vec<f64>> = (0..attributes)
        .map(|i| {
            let column = || design.iter().skip(i).step_by(attributes);
            let mean = column().sum::<f64>() / trials as f64;
            column().map(|d| d - mean).collect()
        })
        .collect();
    columns.push(vec![1.0; trials]);
    trials > attributes && rank(&mut columns) == columns.len()
}
