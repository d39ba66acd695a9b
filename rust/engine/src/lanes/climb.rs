//! Plain Newton steps for a group of agents: an agent that has arrived stays where it is while the others go on.
//!
//! An optimum is taken only where it is proved. With `s` a step, `R` the length of the longest row and `M = R |s|` a
//! bound on what any log odds moves by, the third derivatives of the log likelihood (`|w'| <= w`) leave, after a step by
//! the curvature where it starts, a gradient of at most `R s'Hs e^M / 2`. A step by the curvature of a point before, from
//! which log odds moved by `m`, leaves `R sqrt(s'Hs) (m + M / 2) e^(m + M) / 2` at most. The coefficients are then
//! wrong by about `m + M / 2` times the step.

use crate::logit::{InterceptPrior, rival};

use super::factor::{Curvature, Factor, Parameters};
use super::group::{Group, Spread, Totals};
use super::simd::{MOST_LANES, Task, Vector};

/// The gradient proved, well below what callers are promised.
const AIM: f64 = 1e-10;

/// The error of the coefficients, relative to the slopes and to an intercept of one.
const SMALL: f64 = 1e-11;

/// After log odds move by less than this, the curvature hardly changes and the last one serves.
const CLOSE: f64 = 0.005;

/// Where log odds move by less than this, `e^M` above is one to a few percent.
const NEAR: f64 = 0.05;

/// Rows longer than this, times how often they count, leave gradients whose rounding is no longer far below what callers
/// are promised.
const LONG: f64 = 1e6;

/// The second derivative of a gradient tells where a step leads as long as it turns the step by less than this share.
const TURN: f64 = 0.5;

/// Evaluations before an agent goes the long way; four are usual.
const STEPS: usize = 20;

/// What is maximised: log likelihood, less half of `precision` times the squared slopes, with a prior on the intercept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objective {
    pub precision: f64,
    /// `None` in a model without an intercept.
    pub intercept: Option<InterceptPrior>,
    /// The log likelihoods of A and of B at the location of the prior with slopes of zero.
    at_location: [f64; 2],
}

impl Objective {
    pub(crate) fn new(precision: f64, intercept: Option<InterceptPrior>) -> Self {
        let location = intercept.map_or(0.0, |prior| prior.location);
        Self {
            precision,
            intercept,
            at_location: [-location, location].map(|toward: f64| -(toward.max(0.0) + (-toward.abs()).exp().ln_1p())),
        }
    }
}

/// The optima of a group, on the design as given.
pub(super) struct Optima<V, const K: usize> {
    pub at: Parameters<V, K>,
    /// The lanes where the optimum is proved.
    pub found: u8,
}

/// Where a group starts to climb.
pub(super) struct Start<'a, V, const K: usize> {
    /// On the centred design.
    pub at: Parameters<V, K>,
    /// A bound on the squared length of rows, the intercept's 1 included.
    pub reach: V,
    pub known: Option<Known<'a, V, K>>,
}

/// What is known of the start: derivatives of the log likelihood.
pub(super) struct Known<'a, V, const K: usize> {
    pub gradient: Parameters<V, K>,
    pub information: Curvature<V, K>,
    /// For every trial, counted once, the derivative of its weight in the information by its log odds.
    pub skews: &'a [f64],
}

impl Objective {
    /// One in every lane where there is an intercept, else zero.
    #[inline(always)]
    pub(super) fn with<V: Vector>(&self) -> V {
        V::splat(f64::from(u8::from(self.intercept.is_some())))
    }

    /// Whether the log odds at the average trial matter.
    pub(super) fn weighs_average(&self) -> bool {
        self.intercept.is_some_and(|prior| !prior.is_flat())
    }
}

/// The task of [`Group::modes`].
struct Modes<'a, V: Vector, const K: usize> {
    group: &'a mut Group<V, V, K>,
    objective: &'a Objective,
}

impl<V: Vector, const K: usize> Task for Modes<'_, V, K> {
    type Output = Optima<V, K>;

    #[inline(always)]
    fn run(self) -> Optima<V, K> {
        let totals = self.group.centre(self.objective.with());
        let start = self.group.start(self.objective, &totals);
        self.group.optima(self.objective, &totals, start)
    }
}

impl<V: Vector, const K: usize> Group<V, V, K> {
    /// Centres agents that have been loaded and finds their optima.
    #[inline(always)]
    pub(super) fn modes(&mut self, objective: &Objective) -> Optima<V, K> {
        V::apart(Modes { group: self, objective })
    }

    /// A step from slopes of zero and the intercept's log odds.
    #[inline(always)]
    fn start(&mut self, objective: &Objective, totals: &Totals<V, K>) -> Start<'static, V, K> {
        // The share of A, each answer seen half a time more, is (1 + v) / 2; its log odds, 2 artanh(v), as Padé has it.
        let v = objective
            .with::<V>()
            .mul(totals.balance)
            .div(totals.trials.add(V::splat(1.0)));
        let square = v.mul(v);
        let above = v.mul(square.fnma(V::splat(8.0), V::splat(30.0)));
        let intercept = above.div(square.fnma(V::splat(9.0), V::splat(15.0)));
        let weight = square.fnma(V::splat(0.25), V::splat(0.25));
        self.weigh(weight);
        let mut information = self.information();
        let mut reach = V::splat(0.0);
        for i in 0..K {
            reach = reach.add(information.square[i][i]);
            information.square[i][i] = information.square[i][i].add(V::splat(objective.precision));
            information.edge[i] = V::splat(0.0);
        }
        let pull = Parameters {
            slopes: totals.pull,
            intercept: V::splat(0.0),
        };
        // The step gives the slopes of least squares. Those of discriminant analysis are longer, by one to one less the
        // share of choices that the slopes explain (Haggstrom 1983); logistic ones lie between, about halfway.
        let mut step = Factor::new(&information).0.solve(&pull);
        let share = pull.dot(&step).div(totals.trials);
        let longer = V::splat(1.0).div(V::splat(0.5).fnma(share, V::splat(1.0)));
        for i in 0..K {
            step.slopes[i] = step.slopes[i].mul(longer);
        }
        step.intercept = intercept;
        Start {
            at: step,
            reach: reach.div(weight).add(totals.trials),
            known: None,
        }
    }
}

impl<V: Vector, S: Spread<V>, const K: usize> Group<V, S, K> {
    /// The optima that Newton's method reaches from `start`.
    #[inline(always)]
    pub(super) fn optima(
        &mut self,
        objective: &Objective,
        totals: &Totals<V, K>,
        start: Start<'_, V, K>,
    ) -> Optima<V, K> {
        let mut active = u8::MAX >> (MOST_LANES - V::LANES);
        if objective.intercept.is_some_and(|prior| prior.is_flat()) {
            // Without a prior, choices that are all alike have no intercept.
            active &= totals.mixed();
        }
        let mut rounding = start.reach;
        if S::SHARED {
            let often = V::splat(1.0).max(totals.trials.div(V::splat(self.counts.len() as f64)));
            rounding = rounding.mul(often).mul(often);
        }
        active &= rounding.less(V::splat(LONG * LONG));
        let (mut at, found) = self.climb(objective, &totals.shift, start, active);
        let found = highest(objective, totals, average::<V, S, K>(&at, &totals.shift), found);
        for i in 0..K {
            at.intercept = at.slopes[i].fnma(totals.means[i], at.intercept);
        }
        Optima { at, found }
    }

    /// Newton's method in the lanes of `active`; returns the optima and the lanes where one was found.
    #[inline(always)]
    fn climb(
        &mut self,
        objective: &Objective,
        shift: &[V; K],
        start: Start<'_, V, K>,
        mut active: u8,
    ) -> (Parameters<V, K>, u8) {
        let Start {
            mut at,
            reach,
            mut known,
        } = start;
        let with = objective.with();
        let precision = V::splat(objective.precision);
        let mut bend = V::splat(objective.intercept.map_or(0.0, |prior| prior.bend().powi(2)));
        if S::SHARED {
            let mut direction = V::splat(1.0);
            for i in 0..K {
                direction = shift[i].fma(shift[i], direction);
            }
            bend = bend.mul(direction);
        }
        let mut moved = V::splat(f64::INFINITY);
        let mut factor = Factor::zero();
        let mut found = 0;
        for _ in 0..STEPS {
            let first = known.take();
            let mut gradient = match &first {
                Some(first) => first.gradient,
                None => self.gradient(&at),
            };
            let (slope, curvature) = prior(objective, average::<V, S, K>(&at, shift));
            gradient.intercept = gradient.intercept.mul(with).add(slope);
            for i in 0..K {
                gradient.slopes[i] = precision.fnma(at.slopes[i], gradient.slopes[i]);
                if S::SHARED {
                    gradient.slopes[i] = slope.fma(shift[i], gradient.slopes[i]);
                }
            }
            let close = moved.less(V::splat(CLOSE * CLOSE));
            if active & !close != 0 {
                let mut information = match &first {
                    Some(first) => first.information,
                    None => self.information(),
                };
                information.corner = information.corner.mul(with).add(curvature);
                for i in 0..K {
                    information.square[i][i] = information.square[i][i].add(precision);
                    information.edge[i] = information.edge[i].mul(with);
                    if S::SHARED && objective.weighs_average() {
                        let along = curvature.mul(shift[i]);
                        information.edge[i] = information.edge[i].add(along);
                        for j in 0..=i {
                            information.square[i][j] = along.fma(shift[j], information.square[i][j]);
                        }
                    }
                }
                let (new, definite) = Factor::new(&information);
                factor = if active & close == 0 {
                    new
                } else {
                    new.keep(close, &factor)
                };
                active &= definite | close;
            }
            let step = factor.solve(&gradient);
            at = at.add(&step, active);
            let intercept = average::<V, S, K>(&step, shift);
            let (slopes, intercept) = (step.squares(), intercept.mul(intercept));
            let mut moves = reach.mul(step.intercept.fma(step.intercept, slopes));
            // The square of m + M / 2 is at most 2 m^2 + M^2 / 2, that of the gradient at most twice either part's.
            let stale = V::select(close, moved.add(moved), V::splat(0.0));
            let error = moves.fma(V::splat(0.5), stale);
            let data = reach.mul(V::splat(0.25)).mul(gradient.dot(&step));
            let left = V::splat(2.0).mul(error).mul(bend.fma(intercept, data));
            let arrived = moves.less(V::splat(NEAR * NEAR))
                & left.less(V::splat(AIM * AIM))
                & error.mul(intercept).less(V::splat(SMALL * SMALL))
                & !V::splat(SMALL * SMALL).mul(at.squares()).less(error.mul(slopes));
            found |= active & arrived;
            active &= !arrived;
            if S::SHARED {
                let far = active & !close & !moves.less(V::splat(CLOSE * CLOSE));
                if far != 0 {
                    let mut bent = match &first {
                        Some(first) => self.bent(&step, |t| S::counted(self.counts[t], V::splat(first.skews[t]))),
                        None => self.bent(&step, |t| self.skew(t)),
                    };
                    bent.intercept = bent.intercept.mul(with);
                    let turn = factor.solve(&bent);
                    let turns = reach.mul(turn.intercept.fma(turn.intercept, turn.squares()));
                    let safe = far & turns.less(moves.mul(V::splat(TURN * TURN)));
                    at = at.add(&turn, safe);
                    moves = V::select(safe, moves.add(turns).mul(V::splat(2.0)), moves);
                }
            }
            // From where the curvature is: the square of m + M is at most 3 m^2 / 2 + 3 M^2.
            let further = moved.fma(V::splat(1.5), moves.mul(V::splat(3.0)));
            moved = V::select(close, further, moves);
            if active == 0 {
                break;
            }
        }
        (at, found)
    }
}

/// The log odds at the average trial: the intercept, where every problem's own average has been subtracted.
#[inline(always)]
fn average<V: Vector, S: Spread<V>, const K: usize>(at: &Parameters<V, K>, shift: &[V; K]) -> V {
    let mut odds = at.intercept;
    if S::SHARED {
        for i in 0..K {
            odds = at.slopes[i].fma(shift[i], odds);
        }
    }
    odds
}

/// The slope of the intercept's log prior and minus its second derivative; one where there is no intercept to tell.
#[inline(always)]
fn prior<V: Vector>(objective: &Objective, at: V) -> (V, V) {
    let Some(prior) = objective.intercept else {
        return (V::splat(0.0), V::splat(1.0));
    };
    if prior.is_flat() {
        return (V::splat(0.0), V::splat(0.0));
    }
    let u = at.sub(V::splat(prior.location));
    if prior.degrees_of_freedom.is_infinite() {
        let precision = V::splat((prior.scale * prior.scale).recip());
        return (u.fnma(precision, V::splat(0.0)), precision);
    }
    let inflection = V::splat(prior.inflection_squared());
    let square = u.mul(u);
    let spread = inflection.add(square);
    let weight = V::splat(prior.degrees_of_freedom + 1.0).div(spread);
    (
        weight.fnma(u, V::splat(0.0)),
        weight.mul(inflection.sub(square)).div(spread),
    )
}

/// The lanes of `found` where no mode is higher: see `logit::rival`, of which this is the first bound.
#[inline(always)]
fn highest<V: Vector, const K: usize>(objective: &Objective, totals: &Totals<V, K>, at: V, found: u8) -> u8 {
    let Some(prior) = objective.intercept.filter(|prior| !prior.is_concave()) else {
        return found;
    };
    let mut pull = V::splat(0.0);
    for i in 0..K {
        pull = totals.pull[i].fma(totals.pull[i], pull);
    }
    let columns = [at, totals.trials, totals.balance, pull];
    let mut numbers = [[0.0; MOST_LANES]; 4];
    for i in 0..4 {
        columns[i].store(&mut numbers[i]);
    }
    let [at, trials, balance, pull] = numbers;
    let mut proved = 0;
    for l in 0..V::LANES {
        let chosen = [0.5 * (trials[l] + balance[l]), 0.5 * (trials[l] - balance[l])];
        let floor = chosen[0] * objective.at_location[0] + chosen[1] * objective.at_location[1];
        if rival::excluded(&prior, at[l], chosen, pull[l] / objective.precision, floor) {
            proved |= 1 << l;
        }
    }
    found & proved
}
