"""Agents fitted again to given counts: trials repeated, cases weighted, the same bits anywhere, and counts refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from avowal.bootstrap import bootstrap_ragged, refits_arrays
from avowal.errors import InputError
from avowal.estimators import Estimator, Firth, Map, MaximumLikelihood, Ridge
from avowal.fit import coefficients_arrays, fit_ragged
from avowal.rng import Purpose, uniforms
from avowal.trials import Trials

FLAT = Map(intercept_scale=math.inf)
ESTIMATORS: tuple[Estimator, ...] = (Map(), FLAT, Ridge(0.3), MaximumLikelihood(), Firth())


def agents(seed: int, many: int, trials: int, attributes: int, coarse: bool = False) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, (many, trials, attributes))
    x = (1.5 * x).round() / 2 if coarse else x
    odds = np.einsum("atk,ak->at", x, draw.uniform(-4, 4, (many, attributes)))
    return x, (draw.uniform(size=odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)


def whole_counts(seed: int, many: int, resamples: int, trials: int) -> Any:
    draw = np.random.default_rng(seed)
    return np.stack([draw.multinomial(trials, np.full(trials, 1 / trials), resamples) for _ in range(many)])


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_count_of_three_is_a_trial_three_times(estimator: Estimator, intercept: bool, coarse: bool) -> None:
    x, y = agents(1, 3, 40, 2, coarse)
    counts = whole_counts(2, 3, 30, 40)
    found = refits_arrays(x, y, counts, estimator=estimator, intercept=intercept)
    assert found.shape == (3, 30, 2 + intercept)
    for agent in range(3):
        rows = [np.repeat(np.arange(40), often) for often in counts[agent]]
        offsets = np.arange(31, dtype=np.uint64) * np.uint64(40)
        picked = np.concatenate(rows)
        repeated = fit_ragged(
            x[agent][picked], y[agent][picked].astype(np.uint8), offsets, estimator=estimator, intercept=intercept
        )
        expected = np.column_stack([repeated.slopes, repeated.intercepts])[:, : 2 + intercept]
        np.testing.assert_allclose(found[agent], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", [Map(), FLAT, Map(intercept_df=math.inf, intercept_scale=1.0)])
def test_counts_that_are_not_whole_weigh_cases(estimator: Map) -> None:
    x, y = agents(3, 2, 50, 3)
    weights = np.random.default_rng(4).dirichlet(np.ones(50), (2, 5)) * 50
    found = refits_arrays(x, y, weights, estimator=estimator)
    for agent in range(2):
        design, sign = np.column_stack([x[agent], np.ones(50)]), 2 * y[agent] - 1
        centre = np.empty(3)

        def loss(theta: Any, counts: Any, design: Any = design, sign: Any = sign, centre: Any = centre) -> float:
            u = theta[3] + centre @ theta[:3]
            prior = 0.0
            if math.isinf(estimator.intercept_df):
                prior = u**2 / (2 * estimator.intercept_scale**2)
            elif not math.isinf(estimator.intercept_scale):
                spread = estimator.intercept_df * estimator.intercept_scale**2
                prior = (estimator.intercept_df + 1) / 2 * math.log1p(u**2 / spread)
            likelihood = counts @ np.logaddexp(0, -sign * (design @ theta))
            return float(likelihood + theta[:3] @ theta[:3] / 2 + prior)

        for counts, row in zip(weights[agent], found[agent], strict=True):
            centre[:] = counts @ x[agent] / counts.sum()
            best = minimize(loss, np.zeros(4), args=(counts,), method="BFGS", options={"gtol": 1e-7})
            np.testing.assert_allclose(row, best.x, rtol=1e-4, atol=1e-5)
            assert loss(row, counts) <= loss(best.x, counts) + 1e-12


def test_case_weights_are_those_of_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.api")
    x, y = agents(5, 1, 200, 2)
    weights = np.random.default_rng(6).uniform(0, 3, (1, 4, 200))
    found = refits_arrays(x, y, weights, estimator="ml")
    for counts, row in zip(weights[0], found[0], strict=True):
        design = np.column_stack([x[0], np.ones(200)])
        expected = sm.GLM(y[0], design, family=sm.families.Binomial(), freq_weights=counts).fit(tol=1e-12).params
        np.testing.assert_allclose(row, expected, rtol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    attributes=st.integers(1, 12),
    trials=st.integers(1, 60),
    resamples=st.integers(1, 20),
    scale=st.sampled_from([1e-12, 1e-3, 1.0, 1e3]),
    estimator=st.sampled_from(ESTIMATORS[:3]),
    coarse=st.booleans(),
)
def test_every_path_and_any_company_give_the_same_bits(
    seed: int, attributes: int, trials: int, resamples: int, scale: float, estimator: Estimator, coarse: bool
) -> None:
    x, y = agents(seed, 3, trials, attributes, coarse)
    counts = scale * np.random.default_rng(seed).exponential(size=(3, resamples, trials))
    found = refits_arrays(x, y, counts, estimator=estimator, threads=1)
    for path in ("avx512", "avx2", "neon", "portable"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AVOWAL_SIMD", path)
            try:
                other = refits_arrays(x, y, counts, estimator=estimator, threads=2)
            except InputError as error:
                assert "AVOWAL_SIMD" in str(error)  # noqa: PT017
                continue
        assert np.array_equal(other, found, equal_nan=True), path
    last = refits_arrays(x[1:2], y[1:2], counts[1:2, -1:], estimator=estimator)
    assert np.array_equal(last, found[1:2, -1:], equal_nan=True)


def test_threads_change_no_bit_where_there_is_enough_to_share() -> None:
    x, y = agents(12, 20, 50, 4)
    counts = np.random.default_rng(13).exponential(size=(20, 100, 50))
    assert refits_arrays(x, y, counts, threads=1).tobytes() == refits_arrays(x, y, counts, threads=2).tobytes()


def test_the_bootstrap_draws_such_counts() -> None:
    x, y = agents(7, 2, 30, 2)
    picks = [[(uniforms(9, Purpose.TRIAL_BOOTSTRAP, a, r, 30) * 30).astype(int) for r in range(50)] for a in range(2)]
    counts = np.array([[np.bincount(p, minlength=30) for p in own] for own in picks])
    trials = Trials((), x.reshape(-1, 2), y.astype(np.uint8).ravel(), np.array([0, 30, 60], np.uint64), ())
    drawn = bootstrap_ragged(trials, resamples=50, seed=9, method="percentile", scaled=False, keep_draws=True)
    np.testing.assert_allclose(np.stack(drawn.draws), refits_arrays(x, y, counts), rtol=1e-11)


def test_trials_alike_may_be_put_together() -> None:
    x, y = agents(8, 1, 60, 2, coarse=True)
    weights = np.random.default_rng(9).exponential(size=(1, 40, 60))
    apart = x + 1e-13 * np.arange(60)[:, None]
    np.testing.assert_allclose(refits_arrays(x, y, weights), refits_arrays(apart, y, weights), rtol=1e-9, atol=1e-9)


def test_trials_without_a_choice_are_left_out_whatever_their_counts() -> None:
    x, y = agents(10, 2, 20, 2)
    y[0, 3:7], y[1, 0] = np.nan, np.nan
    counts = whole_counts(11, 2, 6, 20)
    found = refits_arrays(x, y, counts)
    kept = [~np.isnan(own) for own in y]
    for agent in range(2):
        which = kept[agent]
        alone = refits_arrays(
            x[agent : agent + 1, which], y[agent : agent + 1, which], counts[agent : agent + 1, :, which]
        )
        assert np.array_equal(found[agent], alone[0])


def test_counts_of_one_are_the_fit_and_of_zero_the_prior() -> None:
    x, y = agents(12, 4, 50, 5)
    counts = np.stack([np.ones((4, 50)), np.zeros((4, 50))], axis=1)
    found = refits_arrays(x, y, counts)
    np.testing.assert_allclose(found[:, 0], coefficients_arrays(x, y), rtol=1e-10)
    assert (np.abs(found[:, 1]) < 1e-20).all()
    assert np.isnan(refits_arrays(x, y, counts, estimator=FLAT)[:, 1]).all()


def test_counts_of_any_size_weigh_the_data_against_the_prior() -> None:
    x, y = agents(13, 1, 50, 2)
    counts = np.array([1e-300, 1e-9, 1.0, 1e4])[None, :, None] * np.ones((1, 1, 50))
    found = refits_arrays(x, y, counts)[0]
    free = coefficients_arrays(x, y, estimator="ml")[0]
    lengths = np.linalg.norm(found[:, :2], axis=1)
    assert (np.diff(lengths) > 0).all()
    assert lengths[0] < 1e-290
    np.testing.assert_allclose(found[-1], free, rtol=1e-3)


def test_no_resamples_and_no_agents_are_no_rows() -> None:
    x, y = agents(14, 2, 5, 2)
    assert refits_arrays(x, y, np.empty((2, 0, 5))).shape == (2, 0, 3)
    assert refits_arrays(x[:0], y[:0], np.empty((0, 4, 5))).shape == (0, 4, 3)


@pytest.mark.parametrize("estimator", ["map", "ml", "firth"])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("wrong", [-1.0, -1e-300, np.nan, np.inf])
def test_counts_that_mean_nothing_are_refused(wrong: float, coarse: bool, estimator: str) -> None:
    x, y = agents(15, 3, 30, 2, coarse)
    counts = np.ones((3, 12, 30))
    counts[2, 9, 4] = wrong
    with pytest.raises(
        InputError, match=r"counts: expected finite numbers from 0 on, found .* for agent 2, resample 9"
    ):
        refits_arrays(x, y, counts, estimator=estimator)


@pytest.mark.parametrize("shape", [(1, 4, 5), (2, 4, 6), (2, 5)])
def test_counts_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    x, y = agents(16, 2, 5, 2)
    with pytest.raises(InputError, match="counts: expected"):
        refits_arrays(x, y, np.ones(shape))
