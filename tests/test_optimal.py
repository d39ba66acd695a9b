"""Optimal pairs: what no design may break, the criterion against NumPy, and the search against all designs there are.

The search is held to within .02 of the best of all small designs: for two attributes that is worth one trial in a
hundred.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal import _core, design
from avowal.contexts import Attribute, Context, builtin
from avowal.errors import InputError
from avowal.fit import fit_arrays
from avowal.optimal import (
    CAP,
    MARGIN,
    PRECISION,
    criterion,
    optimal_differences,
    optimal_pairs,
    optimal_pairs_arrays,
    prior_slopes,
)
from avowal.rng import unit_id

seeds = st.integers(0, 2**64 - 1)
bounds = st.tuples(st.floats(-1e6, 1e6), st.sampled_from([0.04, 0.3, 0.99, 1.0, 3.7, 5.0, 8.5, 40.0, 123.4, 1e5])).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
quick: dict[str, Any] = {"draws": 8, "starts": 1}


def values_of(low: float, high: float) -> np.ndarray:
    """Return all values at the design's precision within the bounds, found by counting."""
    places = _core.decimals(high - low)
    first = round(low * 10**places)
    count = round((high - low) * 10**places)
    all_values = np.array([round((first + i) / 10**places, places) for i in range(-2, count + 3)])
    return all_values[(all_values >= low) & (all_values <= high)]


def unordered(pairs: np.ndarray) -> set[frozenset[tuple[float, ...]]]:
    return {frozenset(tuple(option) for option in pair) for pair in pairs.tolist()}


def extreme(values: np.ndarray, grid: np.ndarray, margin: float) -> np.ndarray:
    edge = int((len(grid) - 1) * margin)
    return (values <= grid[edge]) | (values >= grid[-1 - edge])


@given(
    st.lists(bounds, min_size=1, max_size=12),
    st.integers(0, 12),
    seeds,
    st.sampled_from([0.1, 0.3, 1.0]),
    st.sampled_from([0.0, 0.05, 0.2]),
)
@settings(max_examples=60, deadline=None)
def test_what_no_design_may_break(
    ranges: list[tuple[float, float]], trials: int, seed: int, cap: float, margin: float
) -> None:
    grids = [values_of(*one) for one in ranges]
    if len(ranges) == 1:
        # Inner values alone must leave room for that many pairs.
        inner = max(len(grids[0]) - 2 * (int((len(grids[0]) - 1) * margin) + 1), 1)
        trials = min(trials, inner * (inner - 1) // 2)
    low, high = np.array([ranges]).transpose(2, 0, 1)
    (pairs,) = optimal_pairs_arrays(low, high, trials, seed=seed, cap=cap, margin=margin, **quick)
    assert pairs.shape == (trials, 2, len(ranges))
    assert len(unordered(pairs)) == trials
    assert all(len(pair) == 2 for pair in unordered(pairs))
    for i, grid in enumerate(grids):
        assert np.isin(pairs[..., i], grid).all()
        if cap < 1:
            assert extreme(pairs[..., i], grid, margin).sum() <= cap * 2 * trials + 1e-9


@given(seeds, st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=4, unique=True), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_threads_and_neighbours_change_nothing(seed: int, units: list[int], k: int) -> None:
    low, high = np.zeros((len(units), k)), np.full((len(units), k), 50.0)
    all_units = np.array(units, dtype=np.uint64)
    runs = [
        optimal_pairs_arrays(low, high, 6, seed=seed, units=all_units, threads=threads, **quick)
        for threads in (1, 2, 3)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])
    for place, unit in enumerate(units):
        alone = optimal_pairs_arrays(low[:1], high[:1], 6, seed=seed, units=np.array([unit], dtype=np.uint64), **quick)
        assert np.array_equal(alone[0], runs[0][place])
    assert not np.array_equal(runs[0][0], runs[0][1])
    assert not np.array_equal(runs[0], optimal_pairs_arrays(low, high, 6, seed=seed ^ 1, units=all_units, **quick))


def test_a_context_has_its_pairs_in_any_company() -> None:
    known = [*builtin("training")[:3], Context("duel", "Which?", (Attribute("paces", "m", 5, 40),))]
    table = optimal_pairs(known, 8, seed=3, **quick)
    assert table.schema == design.pairs(known, 1, seed=3).schema
    assert table["context"].unique(maintain_order=True).to_list() == [context.name for context in known]
    back = optimal_pairs(known[::-1], 8, seed=3, threads=1, **quick)
    assert back.sort("context", "trial").equals(table.sort("context", "trial"))
    alone = optimal_pairs(known[1:2], 8, seed=3, **quick)
    assert alone.equals(table.filter(pl.col("context") == known[1].name))
    low = np.array([[attribute.min for attribute in known[0].attributes]])
    high = np.array([[attribute.max for attribute in known[0].attributes]])
    unit = np.array([unit_id(known[0].name)], dtype=np.uint64)
    values = optimal_pairs_arrays(low, high, 8, seed=3, units=unit, **quick)
    assert alone.height == 8
    assert np.array_equal(np.array(table["a"].head(8).to_list()), values[0, :, 0])
    assert optimal_pairs([], 8, seed=3).is_empty()


def numpy_criterion(differences: np.ndarray, slopes: np.ndarray, precision: float) -> np.ndarray:
    """Compute the criterion of designs (designs, trials, attributes) from its definition."""
    odds = np.einsum("ntk,mk->nmt", differences, slopes)
    weights = 0.25 / np.cosh(odds / 2) ** 2
    x = np.concatenate([differences, np.ones((*differences.shape[:2], 1))], axis=2)
    information = np.einsum("nmt,nti,ntj->nmij", weights, x, x) + precision * np.eye(x.shape[2])
    return (np.linalg.slogdet(information)[1] - np.log(information[..., -1, -1])).mean(axis=1)


@given(seeds, st.integers(1, 12), st.integers(1, 30), st.integers(1, 70), st.sampled_from([1e-6, 0.1, 2.0]))
@settings(max_examples=60, deadline=None)
def test_the_criterion_is_numpys(seed: int, k: int, trials: int, draws: int, precision: float) -> None:
    rng = np.random.default_rng(seed)
    differences = rng.uniform(-1, 1, (3, trials, k))
    slopes = 8 * rng.normal(size=(draws, k)).clip(-3, 3)
    found = criterion(differences, slopes, precision=precision)
    assert np.allclose(found, numpy_criterion(differences, slopes, precision), rtol=1e-6, atol=1e-6)


@given(seeds, st.integers(1, 12), st.floats(0.1, 5), st.floats(0, 0.4))
@settings(max_examples=100, deadline=None)
def test_prior_slopes_are_targets_times_inverse_temperatures(seed: int, k: int, b: float, sd: float) -> None:
    slopes = prior_slopes(k, seed=seed, inverse_temperature=b, inverse_temperature_sd=sd, draws=500, units=[3, 4])
    assert slopes.shape == (2, 500, k)
    assert (slopes[..., 0] >= 0).all()
    largest = np.abs(slopes).max(axis=2)
    logs = np.log(largest / b)
    assert abs(np.median(logs)) < 0.15 * sd + 1e-9
    assert abs(logs.std() - sd) < 0.1 * sd + 1e-9
    if k > 1:
        shares = slopes[0, :, 1] / largest[0]
        # Beyond eight attributes the lattice is no more even than independent draws would be.
        assert abs(shares.mean()) < (0.1 if k <= 8 else 0.2)
        assert 0.5 < np.abs(shares).mean() < 0.8


def test_slopes_beyond_certainty_are_cut() -> None:
    assert np.abs(prior_slopes(3, seed=1, inverse_temperature=25.0, inverse_temperature_sd=1.0)).max() == 25


@pytest.mark.parametrize(("trials", "b", "cap"), [(2, 6.0, 1.0), (3, 6.0, 1.0), (3, 3.0, 0.4)])
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_the_best_of_all_small_designs(trials: int, b: float, cap: float, seed: int) -> None:
    """Two attributes of five values (0.5 to 5.5 has the whole numbers 1 to 5) and every design of differences."""
    made_for: dict[str, Any] = {"inverse_temperature": b, "draws": 8}
    low, high = np.full((1, 2), 0.5), np.full((1, 2), 5.5)
    (slopes,) = prior_slopes(2, seed=seed, **made_for)
    steps = np.array(list(product(range(-4, 5), repeat=2)))
    steps = steps[(steps != 0).any(axis=1)]
    # A design and its mirror image carry the same information: one trial needs but one order of its options.
    halves = np.flatnonzero((steps[:, 0] > 0) | ((steps[:, 0] == 0) & (steps[:, 1] > 0)))
    rest = list(combinations_with_replacement(range(len(steps)), trials - 1))
    sets = np.array([(first, *others) for first in halves for others in rest])
    # A difference of 4 needs two extreme values, one of 3 needs one, others none: enough for designs without repeats.
    forced = np.maximum(np.abs(steps) - 2, 0)[sets].sum(axis=1)
    sets = sets[(forced <= (2 * trials if cap == 1 else int(cap * 2 * trials + 1e-9))).all(axis=1)]
    values = np.concatenate(
        [
            numpy_criterion(steps[chunk] / 5, slopes, PRECISION)
            for chunk in np.array_split(sets, len(sets) // 20_000 + 1)
        ]
    )
    pairs = optimal_pairs_arrays(low, high, trials, seed=seed, cap=cap, starts=20, **made_for)
    (found,) = criterion(design.differences(pairs, low, high), slopes)
    assert values.max() - 0.02 < found < values.max() + 1e-9


@pytest.mark.parametrize(("k", "trials", "b"), [(1, 10, 6.0), (2, 6, 3.0), (5, 20, 6.0), (5, 50, 12.0), (12, 50, 6.0)])
def test_designs_are_better_than_uniform_ones(k: int, trials: int, b: float) -> None:
    slopes = prior_slopes(k, seed=99, inverse_temperature=b, draws=2000)[0]
    found = criterion(optimal_differences(k, trials, 4, seed=1, inverse_temperature=b), slopes)
    uniform = np.random.default_rng(0).uniform(size=(200, trials, k, 2))
    assert found.min() > criterion(uniform[..., 0] - uniform[..., 1], slopes).max()


def test_choices_about_optimal_pairs_give_better_weights() -> None:
    """The same agents decide about as many pairs: the error falls by a quarter or more."""
    rng = np.random.default_rng(1)
    weights = rng.uniform(-1, 1, (2000, 5))
    weights *= 100 / np.abs(weights).max(axis=1, keepdims=True)
    uniform = rng.uniform(size=(2000, 50, 5, 2))
    errors = []
    for differences in (
        uniform[..., 0] - uniform[..., 1],
        np.tile(optimal_differences(5, 50, 20, seed=1), (100, 1, 1)),
    ):
        odds = 0.06 * np.einsum("atk,ak->at", differences, weights)
        choices = rng.uniform(size=odds.shape) < 1 / (1 + np.exp(-odds))
        scaled = fit_arrays(differences, choices.astype(np.uint8)).scaled
        errors.append(np.sqrt(np.mean((scaled - weights) ** 2)))
    assert errors[1] < 0.75 * errors[0]


def test_neither_option_is_favoured_as_a() -> None:
    differences = optimal_differences(5, 50, 60, seed=2, draws=32, starts=1)
    # 60 coins fall for one and the same attribute of one trial: .27 is 3.5 standard deviations from a half.
    positive = (differences > 0).mean(axis=0)
    assert abs((differences > 0).mean() - 0.5) < 0.02
    assert positive.min() > 0.2
    assert positive.max() < 0.8
    # Within a design the intercept is told apart from the slopes, so an attribute's higher value stands on both sides.
    assert np.abs(np.sign(differences).mean(axis=1)).max() < 0.5


def test_sides_are_balanced_within_a_design() -> None:
    """Coins for each pair would give 1. A search that never swaps a pair's options gets .47, this one .28."""
    differences = optimal_differences(8, 40, 200, seed=2, draws=16, starts=1)
    imbalance = (differences.mean(axis=1) ** 2).mean() / ((differences**2).mean() / 40)
    assert np.sqrt(imbalance) < 0.35


def test_pairs_lie_where_uniform_draws_would_put_their_differences() -> None:
    """Of pairs that differ little, a fifth at either end is extreme as often as the cap lets it be.

    A search that gives each difference the place with the fewest extreme values leaves a quarter of the room unused.
    """
    shape = (20, 5)
    made_for: dict[str, Any] = {"inverse_temperature": 25.0, "draws": 16, "starts": 1}
    values = optimal_pairs_arrays(np.zeros(shape), np.full(shape, 1000.0), 30, seed=1, cap=0.5, margin=0.2, **made_for)
    extremes = (values <= 200) | (values >= 800)
    assert 0.46 < extremes.mean() <= 0.5


def test_the_order_of_trials_is_random() -> None:
    """Two of five pairs have an extreme value, and are found last."""
    shape = (200, 1)
    values = optimal_pairs_arrays(np.full(shape, 0.5), np.full(shape, 5.5), 5, seed=1, cap=0.2, **quick)
    extremes = ((values == 1) | (values == 5)).any(axis=(2, 3))
    assert (extremes.sum(axis=1) == 2).all()
    # .15 is four standard deviations of 200 draws.
    assert np.abs(extremes.mean(axis=0) - 0.4).max() < 0.15


def test_the_margin_is_a_share_of_the_span_of_values() -> None:
    """From 0.5 to 10.45 the grid has 1 to 10: .12 of their span reaches 2 and 9, .12 of the range wouldn't."""
    (values,) = optimal_pairs_arrays([[0.5]], [[10.45]], 15, seed=1, cap=0.0, margin=0.12, **quick)
    assert set(values.ravel()) == {3, 4, 5, 6, 7, 8}
    # A range that goes further has the same values, and the same ones are extreme.
    (wider,) = optimal_pairs_arrays([[0.01]], [[10.99]], 15, seed=1, cap=0.0, margin=0.12, **quick)
    assert unordered(values) == unordered(wider)


def test_the_default_cap_leaves_as_many_extreme_values_as_uniform_pairs_have() -> None:
    shape = (20, 5)
    values = optimal_pairs_arrays(np.zeros(shape), np.full(shape, 1000.0), 30, seed=1, draws=16, starts=1)
    extremes = (values <= 1000 * MARGIN) | (values >= 1000 * (1 - MARGIN))
    assert extremes.mean() <= CAP
    assert extremes.mean() > 0.8 * CAP
    assert abs(design.pairs_arrays(np.zeros(shape), np.full(shape, 1000.0), 300, seed=1).mean() - 500) < 5


def test_all_pairs_of_a_small_grid_can_be_asked_for() -> None:
    low, high = [[0.5]], [[5.5]]
    everything = optimal_pairs_arrays(low, high, 10, seed=1, cap=1.0, **quick)
    assert len(unordered(everything[0])) == 10
    with pytest.raises(InputError, match="trials: expected at most the 10 different pairs"):
        optimal_pairs_arrays(low, high, 11, seed=1, cap=1.0, **quick)
    # Without 1 and 5 three pairs are left; with a cap of a quarter, five values of twenty.
    assert len(unordered(optimal_pairs_arrays(low, high, 3, seed=1, cap=0.0, **quick)[0])) == 3
    assert len(unordered(optimal_pairs_arrays(low, high, 5, seed=1, cap=0.2, **quick)[0])) == 5
    with pytest.raises(InputError, match=r"cap: expected .* 4 different pairs"):
        optimal_pairs_arrays(low, high, 4, seed=1, cap=0.0, **quick)


def test_values_stay_inside_bounds_that_rounding_would_leave() -> None:
    values = optimal_pairs_arrays([[0.1, 0.1]], [[10.0, 0.26]], 40, seed=1, cap=1.0, **quick)[0]
    assert set(values[..., 0].ravel()) <= set(range(1, 11))
    assert values[..., 1].min() >= 0.1
    assert values[..., 1].max() <= 0.26


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"inverse_temperature": 0.0}, "inverse_temperature"),
        ({"inverse_temperature": 26.0}, "inverse_temperature"),
        ({"inverse_temperature": float("nan")}, "inverse_temperature"),
        ({"inverse_temperature": "hot"}, "inverse_temperature"),
        ({"inverse_temperature_sd": -0.1}, "inverse_temperature_sd"),
        ({"precision": 0.0}, "precision"),
        ({"precision": float("inf")}, "precision"),
        ({"cap": 1.1}, "cap"),
        ({"cap": True}, "cap"),
        ({"margin": 0.5}, "margin"),
        ({"draws": 0}, "draws"),
        ({"draws": 5000}, "draws"),
        ({"starts": 0}, "starts"),
        ({"starts": 1.5}, "starts"),
        ({"trials": -1}, "trials"),
        ({"trials": 2**62}, "trials"),
        ({"seed": -1}, "seed"),
        ({"attributes": 0}, "mins"),
        ({"attributes": 13}, "attributes"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], place: str) -> None:
    plain: dict[str, Any] = {"attributes": 2, "trials": 3, "designs": 1, "seed": 1}
    with pytest.raises(InputError, match=f"^{place}: expected"):
        optimal_differences(**(plain | arguments))


def test_bad_arrays_are_named() -> None:
    with pytest.raises(InputError, match="maxs"):
        optimal_pairs_arrays([[1.0]], [[1.0]], 3, seed=1)
    with pytest.raises(InputError, match="units"):
        optimal_pairs_arrays([[1.0]], [[9.0]], 3, seed=1, units=[1, 2])
    with pytest.raises(InputError, match="differ at their precision"):
        optimal_pairs_arrays([[1e17]], [[1e17 + 64]], 3, seed=1)
    with pytest.raises(InputError, match="slopes"):
        criterion(np.zeros((1, 2, 3)), np.zeros((4, 2)))
    with pytest.raises(InputError, match="slopes"):
        criterion(np.ones((1, 2, 3)), np.full((4, 3), 200.0))
    with pytest.raises(InputError, match="differences"):
        criterion(np.full((1, 2, 3), np.nan), np.zeros((4, 3)))
    with pytest.raises(InputError, match="differences"):
        criterion(np.zeros((1, 0, 3)), np.zeros((4, 3)))
