"""Laws of the fits: symmetries, units, company, threads, and recovery as trials grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avowal import design
from avowal.estimators import Map
from avowal.fit import ArrayFit, fit_arrays, fit_ragged

seeds = st.integers(0, 2**32 - 1)
estimators = st.sampled_from(["map", "ml", "firth", "ridge"])
Data = tuple[np.ndarray, np.ndarray]


@st.composite
def agents(draw: st.DrawFn) -> Data:
    """One agent: 1 to 40 trials, 1 to 5 attributes, noise to near certainty; a grid makes ties and separation."""
    random = np.random.default_rng(draw(seeds))
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    x = random.uniform(size=(n, k)) - random.uniform(size=(n, k))
    if draw(st.booleans()):
        x = np.round(2 * x) / 2
    weights = draw(st.sampled_from([0.0, 1.0, 5.0, 100.0])) * random.normal(size=k)
    y = random.uniform(size=n) < 0.5 * (1 + np.tanh((x @ weights + random.normal()) / 2))
    return x, y.astype(float)


def one(data: Data, estimator: str, intercept: bool) -> ArrayFit:
    return fit_arrays(data[0][None], data[1][None], estimator=estimator, intercept=intercept, threads=1)


def near(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True))


# The best slope is zero, which rounding misses by 1e-17 on one side or the other, by the order of the trials.
NOTHING_TO_TELL = (
    np.array([[0.5, 0, 0, 0.5, 0.5, 0, -0.5, 0, -0.5, 0.5, 0.5, -0.5, -0.5, -0.5]]).T,
    np.array([0.0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0]),
)


def same_bits(one: ArrayFit, other: ArrayFit) -> bool:
    return one.status == other.status and all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in ArrayFit.__slots__
        if name != "status"
    )


@given(agents(), estimators, st.booleans())
def test_swapping_the_options_flips_the_intercept_alone(data: Data, estimator: str, intercept: bool) -> None:
    x, y = data
    plain, swapped = one(data, estimator, intercept), one((-x, 1 - y), estimator, intercept)
    assert plain.status == swapped.status
    assert near(plain.slopes, swapped.slopes)
    assert near(plain.scaled, swapped.scaled)
    assert near(plain.intercepts, -swapped.intercepts)
    assert near(plain.centred_intercepts, -swapped.centred_intercepts)
    assert near(plain.standard_errors, swapped.standard_errors)
    assert near(plain.log_posterior, swapped.log_posterior)


@given(agents(), estimators, st.booleans(), seeds)
@example(NOTHING_TO_TELL, "map", True, 1)
def test_the_order_of_trials_and_attributes_is_the_results_own(
    data: Data, estimator: str, intercept: bool, seed: int
) -> None:
    x, y = data
    random = np.random.default_rng(seed)
    trials, attributes = random.permutation(len(y)), random.permutation(x.shape[1])
    plain = one(data, estimator, intercept)
    moved = one((x[trials][:, attributes], y[trials]), estimator, intercept)
    assert plain.status == moved.status
    for name in ("slopes", "scaled", "standard_errors"):
        assert near(getattr(plain, name)[:, attributes], getattr(moved, name))
    for name in ("intercepts", "intercept_errors", "log_likelihood", "log_posterior"):
        assert near(getattr(plain, name), getattr(moved, name))


@given(seeds, st.integers(1, 5), st.lists(st.floats(-6, 6), min_size=5, max_size=5), st.floats(-1e3, 1e3), estimators)
def test_the_units_of_an_attribute_do_not_matter(
    seed: int, k: int, powers: list[float], origin: float, estimator: str
) -> None:
    random = np.random.default_rng(seed)
    pairs = random.uniform(size=(1, 30, 2, k))
    y = random.integers(0, 2, (1, 30))
    units = 10.0 ** np.array(powers[:k])
    shift = origin * units
    plain = fit_arrays(design.differences(pairs, np.zeros((1, k)), np.ones((1, k))), y, estimator=estimator)
    moved = fit_arrays(
        design.differences(pairs * units + shift, shift[None], (shift + units)[None]), y, estimator=estimator
    )
    assert plain.status == moved.status
    assert np.allclose(plain.slopes, moved.slopes, rtol=1e-8, atol=1e-8, equal_nan=True)
    assert np.allclose(plain.scaled, moved.scaled, rtol=1e-6, atol=1e-6, equal_nan=True)


@given(agents(), estimators, st.booleans())
@example(NOTHING_TO_TELL, "map", True)
def test_the_largest_scaled_weight_is_one_hundred(data: Data, estimator: str, intercept: bool) -> None:
    found = one(data, estimator, intercept)
    if np.isnan(found.scaled).any():
        assert np.isnan(found.scaled).all()
        # Slopes that are zero but for rounding can't be scaled either.
        nothing = np.abs(np.nan_to_num(found.slopes)) <= 1e-9 * np.nan_to_num(found.standard_errors)
        assert found.status[0] not in ("ok", "separated") or nothing.all()
    else:
        assert np.abs(found.scaled).max() == 100
        assert near(found.scaled * np.abs(found.slopes).max(), found.slopes * 100)


@given(st.lists(agents(), min_size=1, max_size=6), estimators, st.booleans(), seeds)
def test_neither_company_nor_threads_nor_chunks_change_a_bit(
    group: list[Data], estimator: str, intercept: bool, seed: int
) -> None:
    k = min(x.shape[1] for x, _ in group)
    group = [(x[:, :k], y) for x, y in group]
    x, y = np.concatenate([x for x, _ in group]), np.concatenate([y for _, y in group]).astype(np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(y) for _, y in group])]).astype(np.uint64)

    def fit(first: int, last: int, threads: int) -> ArrayFit:
        begin, end = int(offsets[first]), int(offsets[last])
        ends = offsets[first : last + 1] - offsets[first]
        return fit_ragged(x[begin:end], y[begin:end], ends, estimator=estimator, intercept=intercept, threads=threads)

    whole = fit(0, len(group), 1)
    assert same_bits(whole, fit(0, len(group), 2))
    assert same_bits(whole, fit(0, len(group), 0))
    cut = int(np.random.default_rng(seed).integers(0, len(group) + 1))
    halves = [fit(0, cut, 2), fit(cut, len(group), 1)]
    for name in ArrayFit.__slots__:
        parts = [getattr(half, name) for half in halves]
        if name == "status":
            assert whole.status == parts[0] + parts[1]
        else:
            assert getattr(whole, name).tobytes() == np.concatenate(parts).tobytes()
    for agent in range(len(group)):
        alone = fit(agent, agent + 1, 1)
        assert alone.slopes.tobytes() == whole.slopes[agent : agent + 1].tobytes()


SIZES = np.array([100, 300, 1000, 3000, 10_000])


def recovery(rule: str, estimator: Map | str, agents: int = 60) -> np.ndarray:
    """Mean length of the error of the weights' direction, for each number of trials."""
    random = np.random.default_rng(17)
    weights = random.uniform(-1, 1, (agents, 5))
    errors = []
    for n in SIZES:
        x = random.uniform(size=(agents, n, 5)) - random.uniform(size=(agents, n, 5))
        eta = 4 * np.einsum("atk,ak->at", x, weights)
        y = eta > 0 if rule == "deterministic" else random.uniform(size=eta.shape) < 1 / (1 + np.exp(-eta))
        slopes = fit_arrays(x, y, estimator=estimator).slopes
        directions = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (slopes, weights)]
        errors.append(np.linalg.norm(directions[0] - directions[1], axis=1).mean())
    return np.array(errors)


@pytest.mark.parametrize("estimator", ["map", "ml", "firth", "ridge"])
def test_errors_shrink_with_the_root_of_the_trials_under_logistic_choice(estimator: str) -> None:
    slope = np.polyfit(np.log(SIZES), np.log(recovery("logistic", estimator)), 1)[0]
    assert -0.65 < slope < -0.35


@pytest.mark.parametrize("estimator", ["map", "ridge"])
def test_errors_shrink_no_slower_under_deterministic_choice(estimator: str) -> None:
    errors = recovery("deterministic", estimator)
    assert np.polyfit(np.log(SIZES), np.log(errors), 1)[0] < -0.35
    assert (errors < recovery("logistic", estimator)).all()
