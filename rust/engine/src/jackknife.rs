//! Intervals for correlations and for their differences, from deleting one context at a time on Fisher's z scale.
//!
//! Attributes of one context belong together, and so does one context before and after training. Deleting a context
//! takes it out of every correlation that it has part in, so the deletions carry the covariance of the correlations. A linear
//! combination gets its interval on the scale of r from the intervals of its parts (MOVER; Zou 2007, Psychological
//! Methods 12, 399-413).

use crate::clusters::{Clusters, Entries};
use crate::error::{Error, Result, check_finite, check_len};
use crate::intervals::{Ends, check_level, t_reach};
use crate::outcome::{Outcome, Undefined};

/// A correlation this close to one in size counts as perfect: it is what rounding leaves of a straight line.
const PERFECT: f64 = 1e-12;

fn fisher(r: f64) -> Outcome<f64> {
    if 1.0 - r.abs() < PERFECT {
        Err(Undefined::Perfect)
    } else {
        Ok(r.atanh())
    }
}

/// A correlation on Fisher's z scale, corrected for the jackknife's estimate of bias, with its standard error.
///
/// Contexts whose reports spread more than others' weigh more in r, which leaves z biased and its standard error less
/// certain than `n - 1` contexts would suggest. Hence both corrections; without them the interval of a correlation of
/// .75 covers .906 at a nominal .95 where the scales of reports have a log standard deviation of .5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fisher {
    /// `n z(r) - (n - 1) mean z(r without one context)` (Quenouille 1956).
    pub z: f64,
    /// Its standard error.
    pub se: f64,
    /// Satterthwaite's degrees of freedom of `se`, from the kurtosis of the deletions; at most `n - 1`.
    pub df: f64,
}

impl Fisher {
    /// The t interval, taken back to the scale of r.
    pub fn interval(&self, level: f64) -> Ends {
        let half = self.se * t_reach(level, self.df);
        ((self.z - half).tanh(), (self.z + half).tanh())
    }
}

/// One correlation and what the deletions say of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Number of entries.
    pub entries: usize,
    /// Number of distinct contexts.
    pub contexts: usize,
    /// The correlation.
    pub r: Outcome<f64>,
    /// The same on Fisher's scale with its standard error; undefined where r is.
    pub fisher: Outcome<Fisher>,
}

/// Correlations that may share contexts, with the dependence between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Jackknife {
    /// The correlations, in the order given.
    pub cells: Vec<Cell>,
    /// Jackknife correlation of the z of two cells, row by row; `None` where one of them is undefined.
    pub dependence: Vec<Option<f64>>,
}

/// A cell's contexts and how far z moves from its mean over deletions as each is deleted.
type Influence = Vec<(i64, f64)>;

/// The delete-one-context jackknife of several correlations.
///
/// A context that a cell lacks leaves that cell as it is. Each cell's standard error and degrees of freedom come from
/// its own contexts, so that its interval does not depend on the cells beside it.
pub fn jackknife(cells: &[Entries<'_>]) -> Result<Jackknife> {
    let clusters = cells.iter().map(Clusters::new).collect::<Result<Vec<_>>>()?;
    let (cells, influences): (Vec<_>, Vec<_>) = clusters.iter().map(one_cell).unzip();
    let mut dependence = Vec::with_capacity(cells.len() * cells.len());
    for (i, a) in influences.iter().enumerate() {
        for (j, b) in influences.iter().enumerate() {
            dependence.push(match (a, b) {
                (Some(_), Some(_)) if i == j => Some(1.0),
                (Some(a), Some(b)) => Some(cosine(a, b)),
                _ => None,
            });
        }
    }
    Ok(Jackknife { cells, dependence })
}

fn one_cell(clusters: &Clusters) -> (Cell, Option<Influence>) {
    let r = clusters.correlation();
    let both = r.and_then(fisher).and_then(|z| deletions(clusters, z));
    let cell = Cell {
        entries: clusters.entries(),
        contexts: clusters.contexts(),
        r,
        fisher: both.as_ref().map(|(fisher, _)| *fisher).map_err(|reason| *reason),
    };
    (cell, both.ok().map(|(_, influence)| influence))
}

fn deletions(clusters: &Clusters, z: f64) -> Outcome<(Fisher, Influence)> {
    if clusters.contexts() < 3 {
        return Err(Undefined::TooFewContexts);
    }
    let values = clusters
        .without_each()
        .into_iter()
        .map(|r| r.and_then(fisher).map_err(|_| Undefined::UndefinedDeletion))
        .collect::<Outcome<Vec<f64>>>()?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let influence: Influence = clusters
        .ids()
        .iter()
        .zip(&values)
        .map(|(&id, v)| (id, v - mean))
        .collect();
    let squares: f64 = influence.iter().map(|(_, d)| d * d).sum();
    let fisher = Fisher {
        z: n * z - (n - 1.0) * mean,
        se: ((n - 1.0) / n * squares).sqrt(),
        df: satterthwaite(&influence),
    };
    Ok((fisher, influence))
}

/// Degrees of freedom of a variance from `n` values of kurtosis `k`: `2 / ((k - 3) / n + 2 / (n - 1))`, at most `n - 1`.
fn satterthwaite(influence: &Influence) -> f64 {
    let n = influence.len() as f64;
    let (squares, fourths) = influence
        .iter()
        .fold((0.0, 0.0), |(s, f), (_, d)| (s + d * d, f + d.powi(4)));
    let relative_variance = (n * fourths / (squares * squares) - 3.0) / n + 2.0 / (n - 1.0);
    // Equal deletions have no kurtosis; tails lighter than a normal's promise nothing.
    if relative_variance > 0.0 {
        (2.0 / relative_variance).min(n - 1.0)
    } else {
        n - 1.0
    }
}

/// The cosine of two influences over their common contexts; zero where one does not vary.
fn cosine(a: &Influence, b: &Influence) -> f64 {
    let (mut cross, mut i, mut j) = (0.0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                cross += a[i].1 * b[j].1;
                i += 1;
                j += 1;
            }
        }
    }
    let size = |v: &Influence| v.iter().map(|(_, d)| d * d).sum::<f64>().sqrt();
    let scale = size(a) * size(b);
    if scale > 0.0 {
        (cross / scale).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// A linear combination of correlations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combination {
    /// The sum of coefficient times r.
    pub estimate: Outcome<f64>,
    /// Its interval, and the same combination on Fisher's scale.
    pub interval: Outcome<CombinationInterval>,
}

/// The interval of a combination on the scale of r, and the combination of the z with its t interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombinationInterval {
    /// Lower end for the combination of r.
    pub low: f64,
    /// Upper end for the combination of r.
    pub high: f64,
    /// The sum of coefficient times z.
    pub z: f64,
    /// Its jackknife standard error.
    pub z_se: f64,
    /// Lower end for the combination of z.
    pub z_low: f64,
    /// Upper end for the combination of z.
    pub z_high: f64,
    /// Degrees of freedom on the z scale: the fewest of the cells.
    pub df: f64,
}

impl Jackknife {
    /// The combination of the cells with these coefficients; cells with a coefficient of zero take no part.
    pub fn combination(&self, coefficients: &[f64], level: f64) -> Result<Combination> {
        check_len("coefficients", self.cells.len(), coefficients.len())?;
        check_finite("coefficients", coefficients)?;
        check_level(level)?;
        let used: Vec<usize> = (0..coefficients.len()).filter(|&i| coefficients[i] != 0.0).collect();
        if used.is_empty() {
            return Err(Error::input("coefficients", "at least one other than 0", "none"));
        }
        let estimate = used.iter().map(|&i| self.cells[i].r.map(|r| coefficients[i] * r)).sum();
        Ok(Combination {
            estimate,
            interval: self.combined(&used, coefficients, level),
        })
    }

    fn combined(&self, used: &[usize], coefficients: &[f64], level: f64) -> Outcome<CombinationInterval> {
        let (mut centre, mut z, mut df) = (0.0, 0.0, f64::INFINITY);
        let (mut down, mut up, mut spread) = (Vec::new(), Vec::new(), Vec::new());
        for &i in used {
            let (a, fisher) = (coefficients[i], self.cells[i].fisher?);
            let (r, (low, high)) = (fisher.z.tanh(), fisher.interval(level));
            // The end that lowers the combination is the lower one for a positive coefficient, else the upper one.
            let (toward, away) = if a > 0.0 {
                (r - low, high - r)
            } else {
                (high - r, r - low)
            };
            centre += a * r;
            z += a * fisher.z;
            df = fisher.df.min(df);
            down.push(a * toward);
            up.push(a * away);
            spread.push(a * fisher.se);
        }
        let z_se = self.length(used, &spread);
        let half = z_se * t_reach(level, df);
        Ok(CombinationInterval {
            low: centre - self.length(used, &down),
            high: centre + self.length(used, &up),
            z,
            z_se,
            z_low: z - half,
            z_high: z + half,
            df,
        })
    }

    /// The length of a vector over cells under the dependence between them; rounding may take its square below zero.
    fn length(&self, used: &[usize], parts: &[f64]) -> f64 {
        let mut square = 0.0;
        for (&i, a) in used.iter().zip(parts) {
            for (&j, b) in used.iter().zip(parts) {
                square += a * b * self.dependence[i * self.cells.len() + j].unwrap_or(0.0);
            }
        }
        square.max(0.0).sqrt()
    }
}
