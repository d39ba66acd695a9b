//! The laws of the lanes: the same bits on every path and in every company, and the optimum of the scalar twin.

use proptest::prelude::*;

use super::logistic::{exp, miss};
use super::pairs::quotient;
use super::simd::{Kernel, MOST_LANES, Path, Vector};
use super::streams::{AT_ONCE, Streams};
use crate::batch::{Batch, coefficients_on};
use crate::logit::{Estimator, InterceptPrior, Model, Priors, Trials};
use crate::parallel::Interrupt;
use crate::rng::{Purpose, Stream, uniform};

/// A kernel that takes `e^x` and `1 / (1 + e^x)` of numbers, as many as the widest vector has lanes.
struct Exponentials([f64; MOST_LANES]);

impl Kernel for Exponentials {
    type Output = ([f64; MOST_LANES], [f64; MOST_LANES]);

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        let (mut powers, mut misses) = ([0.0; MOST_LANES], [0.0; MOST_LANES]);
        for at in (0..MOST_LANES).step_by(V::LANES) {
            let x = V::load(&self.0[at..]);
            let (above, below) = exp(x);
            above.div(below).store(&mut powers[at..]);
            miss(x).store(&mut misses[at..]);
        }
        (powers, misses)
    }
}

/// The distance in units in the last place of `b`.
fn ulps(a: f64, b: f64) -> f64 {
    (a - b).abs() / (f64::from_bits(b.to_bits() + 1) - b)
}

#[test]
fn exponentials_are_right_to_two_units_in_the_last_place_everywhere() {
    let (mut worst, mut stream) = ((0.0_f64, 0.0_f64), Stream::new(1, Purpose::User, 0, 0));
    for i in 0..250_000 {
        // Spread over the whole range, and close to zero on every scale.
        let x: [f64; MOST_LANES] = std::array::from_fn(|l| {
            let wide = 1400.0 * stream.uniform() - 700.0;
            if l % 2 == 0 {
                wide
            } else {
                wide * 2.0_f64.powi(-(i % 60))
            }
        });
        let (powers, misses) = Path::available()[0].run(Exponentials(x));
        for l in 0..MOST_LANES {
            worst.0 = worst.0.max(ulps(powers[l], x[l].exp()));
            worst.1 = worst.1.max(ulps(misses[l], 1.0 / (1.0 + x[l].exp())));
        }
    }
    assert!(worst.0 <= 2.5 && worst.1 <= 3.5, "{worst:?}");
}

#[test]
fn certainty_is_a_chance_and_no_number_stays_none() {
    for path in Path::available() {
        let x = [
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            1e300,
            -1e300,
            1.0,
            f64::NAN,
        ];
        let (_, misses) = path.run(Exponentials(x));
        assert!(misses[0] < 1e-300 && misses[4] < 1e-300);
        assert_eq!((misses[1], misses[2], misses[3], misses[5]), (1.0, 0.5, 0.5, 1.0));
        assert!(misses[7].is_nan());
    }
}

/// A kernel that draws from streams, one a lane; the draws of a lane and their uniforms behind each other.
struct Draw<'a> {
    units: &'a [u64; MOST_LANES],
    place: u64,
}

impl Kernel for Draw<'_> {
    type Output = Vec<Vec<(u64, u64)>>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        let streams = Streams::<V>::new(3, Purpose::Pairs, self.units, 9);
        let mut out = vec![Vec::new(); V::LANES];
        for draws in streams.draws(self.place) {
            let (mut words, mut uniforms) = ([0.0; MOST_LANES], [0.0; MOST_LANES]);
            draws.store(&mut words);
            draws.uniform().store(&mut uniforms);
            for l in 0..V::LANES {
                out[l].push((words[l].to_bits(), uniforms[l].to_bits()));
            }
        }
        out
    }
}

/// A kernel that divides.
struct Divide([f64; MOST_LANES], [f64; MOST_LANES]);

impl Kernel for Divide {
    type Output = [f64; MOST_LANES];

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        let mut out = self.0;
        for at in (0..MOST_LANES).step_by(V::LANES) {
            let (x, divisor) = (V::load(&self.0[at..]), V::load(&self.1[at..]));
            quotient(x, divisor, V::splat(1.0).div(divisor)).store(&mut out[at..]);
        }
        out
    }
}

#[test]
fn quotients_are_those_of_a_division() {
    let mut stream = Stream::new(4, Purpose::User, 0, 0);
    for i in 0..200_000 {
        // Numbers of any bits, and whole ones, whose quotients are close to the middle between two doubles more often.
        let mut draw = |whole: bool| {
            let x = 1.0 + stream.uniform();
            let x = if whole { (x * 1000.0).floor() } else { x };
            x * 2.0_f64.powi((stream.bits() % 60) as i32 - 30)
        };
        let x = std::array::from_fn(|l| draw(l % 2 == 0));
        let divisor = std::array::from_fn(|l| draw(l % 4 < 2));
        let expected = std::array::from_fn(|l| x[l] / divisor[l]);
        assert_eq!(
            Path::available()[i % Path::available().len()].run(Divide(x, divisor)),
            expected
        );
    }
}

proptest! {
    #[test]
    fn streams_in_lanes_are_the_streams(units: [u64; MOST_LANES], place in prop_oneof![0u64..100, any::<u64>().prop_map(|p| p >> 5)]) {
        for path in Path::available() {
            for (l, draws) in path.run(Draw { units: &units, place }).into_iter().enumerate() {
                let mut stream = Stream::new(3, Purpose::Pairs, units[l], 9);
                stream.seek(place * AT_ONCE as u64);
                let expected: Vec<(u64, u64)> = (0..AT_ONCE)
                    .map(|_| stream.bits())
                    .map(|word| (word, uniform(word).to_bits()))
                    .collect();
                prop_assert_eq!(draws, expected, "{} {}", path.name(), l);
            }
        }
    }
}

/// Agents of one number of attributes, of any lengths.
#[derive(Debug, Clone, Default)]
struct Agents {
    attributes: usize,
    differences: Vec<f64>,
    choices: Vec<u8>,
    offsets: Vec<u64>,
}

impl Agents {
    /// `kinds` say what each agent is like: its trials, the size of its slopes and what is special about it.
    fn draw(attributes: usize, kinds: &[(usize, f64, u8)], scale: f64, seed: u64) -> Self {
        let mut out = Self {
            attributes,
            offsets: vec![0],
            ..Self::default()
        };
        for (unit, &(trials, size, special)) in kinds.iter().enumerate() {
            let mut stream = Stream::new(seed, Purpose::User, unit as u64, 0);
            let slopes: Vec<f64> = (0..attributes).map(|_| size * (2.0 * stream.uniform() - 1.0)).collect();
            let bias = 0.3 * size * (2.0 * stream.uniform() - 1.0);
            for _ in 0..trials {
                let mut row: Vec<f64> = (0..attributes).map(|_| 2.0 * stream.uniform() - 1.0).collect();
                match special {
                    1 => row[attributes - 1] = row[0],
                    2 => row[0] = 0.25,
                    3 => row.iter_mut().for_each(|d| *d = (2.0 * *d).round() / 2.0),
                    4 => row[0] += 100.0,
                    _ => {}
                }
                let odds = bias + row.iter().zip(&slopes).map(|(d, s)| d * s).sum::<f64>();
                out.choices.push(match special {
                    5 => 1,
                    6 => 0,
                    7 => u8::from(odds > 0.0),
                    _ => u8::from(stream.uniform() < 1.0 / (1.0 + (-odds).exp())),
                });
                out.differences.extend(row.iter().map(|d| d * scale));
            }
            out.offsets.push(out.choices.len() as u64);
        }
        out
    }

    fn batch(&self) -> Batch<'_> {
        Batch::new(&self.differences, &self.choices, &self.offsets, self.attributes).expect("valid")
    }

    /// The same agents in the order of `order`.
    fn reordered(&self, order: &[usize]) -> Self {
        let mut out = Self {
            attributes: self.attributes,
            offsets: vec![0],
            ..Self::default()
        };
        for &agent in order {
            let trials = self.batch().trials(agent);
            out.differences.extend(trials.differences);
            out.choices.extend(trials.choices);
            out.offsets.push(out.choices.len() as u64);
        }
        out
    }
}

fn agents() -> impl Strategy<Value = Agents> {
    let kind = (
        prop_oneof![0..4_usize, 0..70_usize, Just(50_usize)],
        0.0..20.0_f64,
        0..12_u8,
    );
    let kinds = prop::collection::vec(kind, 1..24);
    let scale = prop_oneof![Just(1.0), (-7..7_i32).prop_map(|power| 10.0_f64.powi(power))];
    (1..=12_usize, kinds, scale, any::<u64>())
        .prop_map(|(attributes, kinds, scale, seed)| Agents::draw(attributes, &kinds, scale, seed))
}

fn model() -> impl Strategy<Value = Model> {
    let freedom = prop_oneof![Just(f64::INFINITY), Just(3.0), 0.5..30.0_f64];
    let scale = prop_oneof![Just(f64::INFINITY), Just(2.5), 0.05..10.0_f64];
    let intercept = (freedom, -2.0..2.0_f64, scale).prop_map(|(degrees_of_freedom, location, scale)| InterceptPrior {
        degrees_of_freedom,
        location,
        scale,
    });
    let estimator = prop_oneof![
        4 => Just(Estimator::Map(Priors::default())),
        4 => (0.2..20.0_f64, intercept).prop_map(|(slope_sd, intercept)| Estimator::Map(Priors { slope_sd, intercept })),
        2 => (0.01..10.0_f64).prop_map(|penalty| Estimator::Ridge { penalty }),
        1 => Just(Estimator::MaximumLikelihood),
    ];
    (estimator, any::<bool>()).prop_map(|(estimator, intercept)| Model { estimator, intercept })
}

fn bits(path: Path, agents: &Agents, model: &Model, threads: usize) -> Vec<u64> {
    let found = coefficients_on(path, &agents.batch(), model, threads, &Interrupt::new()).expect("valid");
    found.into_iter().map(f64::to_bits).collect()
}

proptest! {
    #[test]
    fn paths_threads_order_and_company_change_no_bit(agents in agents(), model in model(), key in any::<u64>()) {
        let paths = Path::available();
        let expected = bits(paths[0], &agents, &model, 1);
        for path in paths {
            prop_assert_eq!(&bits(path, &agents, &model, 1), &expected, "{}", path.name());
        }
        let path = Path::available()[0];
        prop_assert_eq!(&bits(path, &agents, &model, 2), &expected);
        let mut order: Vec<usize> = (0..agents.offsets.len() - 1).collect();
        order.sort_by_key(|&agent| (agent as u64 + 1).wrapping_mul(key | 1));
        let found = bits(path, &agents.reordered(&order), &model, 1);
        let width = expected.len() / order.len();
        for (place, &agent) in order.iter().enumerate() {
            let alone = bits(path, &agents.reordered(&[agent]), &model, 1);
            prop_assert_eq!(&alone, &expected[agent * width..][..width]);
            prop_assert_eq!(&found[place * width..][..width], &alone);
        }
    }

    #[test]
    fn the_optimum_is_that_of_the_scalar_twin(agents in agents(), model in model()) {
        let batch = agents.batch();
        let path = Path::available()[0];
        let found = coefficients_on(path, &batch, &model, 1, &Interrupt::new()).expect("valid");
        let width = agents.attributes + usize::from(model.intercept);
        for (agent, row) in found.chunks_exact(width).enumerate() {
            let Some(twin) = model.fit(batch.trials(agent)).estimate else {
                prop_assert!(row.iter().all(|c| c.is_nan()));
                continue;
            };
            let (slopes, intercept) = row.split_at(agents.attributes);
            let length = |v: &[f64]| v.iter().map(|c| c * c).sum::<f64>().sqrt();
            // Slopes that are zero but for the rounding of the differences are as far apart as rounding goes.
            let rounding: f64 = batch.trials(agent).differences.iter().map(|d| d.abs() * 4.0 * f64::EPSILON).sum();
            let variance: f64 = twin.covariance().map_or(0.0, |c| (0..agents.attributes).map(|i| c(i, i)).sum());
            let apart: Vec<f64> = slopes.iter().zip(twin.slopes()).map(|(a, b)| a - b).collect();
            let allowed = 1e-10 * length(twin.slopes()) + rounding * variance;
            prop_assert!(length(&apart) <= allowed, "{agent}: {row:?} {:?}", twin.slopes());
            // The intercept as given is the centred one less what the slopes say of the average differences.
            let average = batch.trials(agent).differences.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
            for found in intercept {
                let allowed = 1e-10 * (1.0 + found.abs()) + allowed * average * width as f64;
                prop_assert!((found - twin.intercept).abs() <= allowed, "{agent}: {row:?} {}", twin.intercept);
            }
        }
    }
}

#[test]
fn ordinary_agents_take_the_short_way() {
    let agents = Agents::draw(5, &[(50, 5.0, 0); 500], 1.0, 1);
    let batch = agents.batch();
    let model = Model {
        estimator: Estimator::Map(Priors::default()),
        intercept: true,
    };
    let objective = super::Objective::of(&model).expect("a posterior mode");
    let trials = |agent: usize| -> Trials { batch.trials(agent) };
    let mut rows = vec![0.0; 500 * 6];
    assert!(super::modes(
        Path::available()[0],
        &objective,
        0..500,
        trials,
        &mut rows
    ));
    let long = rows.chunks_exact(6).filter(|row| row[0].is_nan()).count();
    assert!(long <= 5, "{long}");
}
