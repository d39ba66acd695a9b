//! Laws of the fits: what a change of sides, of order or of company does to an agent's estimate.

use avowal_engine::batch::{Batch, Fits, fit};
use avowal_engine::logit::{Estimate, Estimator, Model, Priors, Status, Trials};
use avowal_engine::parallel::Interrupt;
use proptest::prelude::*;

const ATTRIBUTES: usize = 3;

/// Differences and choices of one agent.
type Data = (Vec<f64>, Vec<u8>);

fn agent() -> impl Strategy<Value = Data> {
    (1..40_usize).prop_flat_map(|trials| {
        (
            prop::collection::vec(-1.0..1.0_f64, trials * ATTRIBUTES),
            prop::collection::vec(0..2_u8, trials),
        )
    })
}

fn model() -> impl Strategy<Value = Model> {
    let estimator = prop_oneof![
        Just(Estimator::Map(Priors::default())),
        Just(Estimator::MaximumLikelihood),
        Just(Estimator::Firth),
        Just(Estimator::Ridge { penalty: 0.5 }),
    ];
    (estimator, any::<bool>()).prop_map(|(estimator, intercept)| Model { estimator, intercept })
}

fn estimate(model: &Model, differences: &[f64], choices: &[u8]) -> (Status, Option<Estimate>) {
    let fit = model.fit(Trials {
        differences,
        choices,
        counts: None,
        attributes: ATTRIBUTES,
    });
    (fit.status, fit.estimate)
}

/// Equal but for what a gradient of 1e-8 leaves open where columns nearly depend on each other.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * (1.0 + a.abs().max(b.abs()))
}

fn reordered<T: Copy>(rows: &[T], width: usize, order: &[usize]) -> Vec<T> {
    order
        .iter()
        .flat_map(|&t| rows[t * width..(t + 1) * width].iter().copied())
        .collect()
}

proptest! {
    #[test]
    fn swapping_the_options_flips_the_intercept_alone((x, y) in agent(), model in model()) {
        let swapped: Vec<f64> = x.iter().map(|d| -d).collect();
        let flipped: Vec<u8> = y.iter().map(|c| 1 - c).collect();
        let ((status, one), (other_status, other)) = (estimate(&model, &x, &y), estimate(&model, &swapped, &flipped));
        prop_assert_eq!(status, other_status);
        prop_assert_eq!(one.is_some(), other.is_some());
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert!(one.slopes().iter().zip(other.slopes()).all(|(a, b)| close(*a, *b)));
            prop_assert!(close(one.intercept, -other.intercept));
        }
    }

    #[test]
    fn the_order_of_trials_does_not_matter((x, y) in agent(), model in model(), key in any::<u64>()) {
        let mut order: Vec<usize> = (0..y.len()).collect();
        order.sort_by_key(|&t| (t as u64 + 1).wrapping_mul(key | 1));
        let ((status, one), (other_status, other)) =
            (estimate(&model, &x, &y), estimate(&model, &reordered(&x, ATTRIBUTES, &order), &reordered(&y, 1, &order)));
        prop_assert_eq!(status, other_status);
        prop_assert_eq!(one.is_some(), other.is_some());
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert!(one.slopes().iter().zip(other.slopes()).all(|(a, b)| close(*a, *b)));
        }
    }

    #[test]
    fn counting_a_trial_twice_is_having_it_twice((x, y) in agent(), model in model(), key in any::<u64>()) {
        let counts: Vec<usize> = (0..y.len()).map(|t| usize::from((key >> (2 * (t % 32))) as u8 % 4)).collect();
        let repeated: Vec<usize> = counts.iter().enumerate().flat_map(|(t, &n)| std::iter::repeat_n(t, n)).collect();
        let weights: Vec<f64> = counts.iter().map(|&n| n as f64).collect();
        let counted = model.fit(Trials { differences: &x, choices: &y, counts: Some(&weights), attributes: ATTRIBUTES });
        let (status, long) = estimate(&model, &reordered(&x, ATTRIBUTES, &repeated), &reordered(&y, 1, &repeated));
        prop_assert_eq!(counted.status, status);
        prop_assert_eq!(counted.estimate.is_some(), long.is_some());
        if let (Some(one), Some(other)) = (counted.estimate, long) {
            prop_assert!(one.slopes().iter().zip(other.slopes()).all(|(a, b)| close(*a, *b)));
        }
    }

    #[test]
    fn a_refit_from_anywhere_is_a_fit((x, y) in agent(), model in model(), start in prop::collection::vec(-5.0..5.0_f64, 4)) {
        let (_, fresh) = estimate(&model, &x, &y);
        let trials = Trials { differences: &x, choices: &y, counts: None, attributes: ATTRIBUTES };
        let again = model.refit(trials, Some(&start[..ATTRIBUTES + usize::from(model.intercept)]));
        prop_assert_eq!(fresh.is_some(), again.is_some());
        if let (Some(one), Some(other)) = (fresh, again) {
            prop_assert!(one.slopes().iter().zip(&other).all(|(a, b)| close(*a, *b)));
        }
    }

    #[test]
    fn company_and_threads_change_no_bit(agents in prop::collection::vec(agent(), 1..6), model in model()) {
        let differences: Vec<f64> = agents.iter().flat_map(|a| a.0.iter().copied()).collect();
        let choices: Vec<u8> = agents.iter().flat_map(|a| a.1.iter().copied()).collect();
        let mut offsets = vec![0_u64];
        for (_, y) in &agents {
            offsets.push(offsets[offsets.len() - 1] + y.len() as u64);
        }
        let batch = Batch::new(&differences, &choices, &offsets, ATTRIBUTES).expect("valid");
        let [one, two] = [1, 2].map(|threads| fit(&batch, &model, threads, &Interrupt::new()).expect("valid"));
        prop_assert_eq!(bits(&one), bits(&two));
        for (i, (x, y)) in agents.iter().enumerate() {
            let offsets = [0, y.len() as u64];
            let alone = Batch::new(x, y, &offsets, ATTRIBUTES).expect("valid");
            let alone = fit(&alone, &model, 1, &Interrupt::new()).expect("valid");
            let row = |all: &[f64]| all[i * ATTRIBUTES..(i + 1) * ATTRIBUTES].iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(row(&one.slopes), alone.slopes.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            prop_assert_eq!(one.status[i], alone.status[0]);
        }
    }
}

fn bits(fits: &Fits) -> Vec<u64> {
    [
        &fits.slopes,
        &fits.scaled,
        &fits.covariance,
        &fits.log_posterior,
        &fits.gradient_norm,
    ]
    .into_iter()
    .flatten()
    .map(|v| v.to_bits())
    .collect()
}

#[test]
fn firth_finds_the_higher_of_two_maxima() {
    // One trial a hundred times as telling as twenty others that agree with it: near zero it alone is uncertain.
    let mut differences = vec![1.0; 20];
    differences.push(100.0);
    let fit = Model {
        estimator: Estimator::Firth,
        intercept: false,
    }
    .fit(Trials {
        differences: &differences,
        choices: &[1; 21],
        counts: None,
        attributes: 1,
    });
    let estimate = fit.estimate.expect("full rank");
    // Twenty trials alone: half a choice each way more, log(20.5 / 0.5).
    assert!((estimate.slopes()[0] - 41.0_f64.ln()).abs() < 1e-6);
}
