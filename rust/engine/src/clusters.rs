//! A correlation as a function of its contexts: what it is without one of them, or with each of them several times.

use crate::correlation::{Moments, check_pairs, pooled_r, unit};
use crate::error::{Result, check_len};
use crate::outcome::Outcome;

/// One correlation's entries: attributes of contexts, flat and in any order.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    /// The model's estimated weight of each entry.
    pub weights: &'a [f64],
    /// The report of each entry, in its reporting model's own scale.
    pub reports: &'a [f64],
    /// The context of each entry, by any numbers.
    pub contexts: &'a [i64],
    /// The reporting model of each entry, by any numbers; reports are standardised within it.
    pub groups: &'a [i64],
}

/// The moments of each context within each group: all that a correlation needs to know of its entries.
#[derive(Debug, Clone)]
pub struct Clusters {
    ids: Vec<i64>,
    /// Where the pieces of each context start, and where the last ones end.
    starts: Vec<usize>,
    /// (group, moments), by context.
    pieces: Vec<(usize, Moments)>,
    groups: usize,
    entries: usize,
}

impl Clusters {
    /// Sums the entries; the order of contexts is that of their numbers, whatever the order of entries.
    pub fn new(entries: &Entries<'_>) -> Result<Self> {
        check_pairs(entries.weights, entries.reports)?;
        let n = entries.weights.len();
        check_len("contexts", n, entries.contexts.len())?;
        check_len("groups", n, entries.groups.len())?;
        let mut groups = entries.groups.to_vec();
        groups.sort_unstable();
        groups.dedup();
        let key = |i: usize| (entries.contexts[i], entries.groups[i]);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| key(i));

        let (w, r) = (unit(entries.weights), unit(entries.reports));
        let mut clusters = Self {
            ids: Vec::new(),
            starts: Vec::new(),
            pieces: Vec::new(),
            groups: groups.len(),
            entries: n,
        };
        let mut last = None;
        for i in order {
            let (context, group) = key(i);
            if clusters.ids.last() != Some(&context) {
                clusters.ids.push(context);
                clusters.starts.push(clusters.pieces.len());
            }
            if last != Some((context, group)) {
                let place = groups.partition_point(|g| *g < group);
                clusters.pieces.push((place, Moments::default()));
                last = Some((context, group));
            }
            if let Some((_, moments)) = clusters.pieces.last_mut() {
                moments.push(entries.reports[i] / r, entries.weights[i] / w);
            }
        }
        clusters.starts.push(clusters.pieces.len());
        Ok(clusters)
    }

    /// The distinct contexts, ascending.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The number of distinct contexts.
    pub fn contexts(&self) -> usize {
        self.ids.len()
    }

    /// The number of entries.
    pub const fn entries(&self) -> usize {
        self.entries
    }

    fn add(&self, sums: &mut [Moments], context: usize, copies: u32) {
        for (group, moments) in &self.pieces[self.starts[context]..self.starts[context + 1]] {
            let more = if copies == 1 {
                *moments
            } else {
                moments.times(f64::from(copies))
            };
            sums[*group] = sums[*group].merge(more);
        }
    }

    /// Pearson's correlation of the weights with the reports standardised within each group.
    pub fn correlation(&self) -> Outcome<f64> {
        let mut sums = vec![Moments::default(); self.groups];
        for context in 0..self.contexts() {
            self.add(&mut sums, context, 1);
        }
        pooled_r(&sums)
    }

    /// The correlation with each context taken `copies` times, in `sums` as working space.
    pub(crate) fn resampled(&self, copies: &[u32], sums: &mut Vec<Moments>) -> Outcome<f64> {
        sums.clear();
        sums.resize(self.groups, Moments::default());
        for (context, &times) in copies.iter().enumerate() {
            if times > 0 {
                self.add(sums, context, times);
            }
        }
        pooled_r(sums)
    }

    /// The correlation without each context in turn, reports standardised anew each time.
    ///
    /// What comes before and what comes after a context are summed once each, so the cost is linear in the contexts
    /// and no sum is ever taken out of another.
    pub fn without_each(&self) -> Vec<Outcome<f64>> {
        let (n, groups) = (self.contexts(), self.groups);
        // The sums from each context on, context after context.
        let mut after = vec![Moments::default(); (n + 1) * groups];
        for context in (0..n).rev() {
            let (here, later) = after[context * groups..].split_at_mut(groups);
            here.copy_from_slice(&later[..groups]);
            self.add(here, context, 1);
        }
        let mut before = vec![Moments::default(); groups];
        let mut rest = before.clone();
        (0..n)
            .map(|context| {
                let later = &after[(context + 1) * groups..][..groups];
                for (sum, (b, a)) in rest.iter_mut().zip(before.iter().zip(later)) {
                    *sum = b.merge(*a);
                }
                self.add(&mut before, context, 1);
                pooled_r(&rest)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = (f64, f64, i64, i64);

    fn clusters(rows: &[Row]) -> Clusters {
        let column = |f: fn(&Row) -> f64| rows.iter().map(f).collect::<Vec<_>>();
        let labels = |f: fn(&Row) -> i64| rows.iter().map(f).collect::<Vec<_>>();
        Clusters::new(&Entries {
            weights: &column(|r| r.0),
            reports: &column(|r| r.1),
            contexts: &labels(|r| r.2),
            groups: &labels(|r| r.3),
        })
        .expect("valid")
    }

    fn same(a: Outcome<f64>, b: Outcome<f64>) -> bool {
        match (a, b) {
            (Ok(a), Ok(b)) => (a - b).abs() < 1e-9,
            (a, b) => a == b,
        }
    }

    proptest! {
        // Whole numbers make equal values, and with them every kind of undefined correlation, common.
        #[test]
        fn contexts_left_out_or_repeated_are_as_in_the_data(
            rows in prop::collection::vec(
                ((-3i32..4).prop_map(f64::from), (-3i32..4).prop_map(f64::from), 0i64..5, 0i64..2), 1..30)
        ) {
            let all = clusters(&rows);
            for (id, found) in all.ids().iter().zip(all.without_each()) {
                let rest: Vec<Row> = rows.iter().filter(|r| r.2 != *id).copied().collect();
                prop_assert!(same(found, clusters(&rest).correlation()));
            }
            let copies: Vec<u32> = (0..all.contexts()).map(|i| [2, 0, 1][i % 3]).collect();
            let repeated: Vec<Row> = rows.iter().flat_map(|r| {
                let place = all.ids().partition_point(|id| *id < r.2);
                vec![*r; copies[place] as usize]
            }).collect();
            prop_assert!(same(all.resampled(&copies, &mut Vec::new()), clusters(&repeated).correlation()));
        }
    }
}
