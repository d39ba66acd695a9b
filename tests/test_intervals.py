"""Intervals from draws agree with NumPy, SciPy and brute force; quantiles agree with SciPy to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from avowal import _core
from avowal.errors import InputError
from avowal.intervals import bca, hdi, percentile

draw_lists = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
levels = st.sampled_from([0.01, 0.5, 0.8, 0.89, 0.95, 0.99])


@given(draw_lists, levels)
def test_percentile_is_numpys(draws: list[float], level: float) -> None:
    found = percentile(draws, level=level)
    expected = np.quantile(draws, [(1 - level) / 2, 1 - (1 - level) / 2])
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(draw_lists, st.lists(st.floats(0, 1), max_size=5))
def test_quantiles_are_numpys(draws: list[float], probabilities: list[float]) -> None:
    found = _core.quantile(np.array(draws), probabilities)
    assert found == pytest.approx(np.quantile(draws, probabilities), rel=1e-12, abs=1e-9)


@given(draw_lists, levels)
def test_hdi_is_the_shortest_that_holds_its_share(draws: list[float], level: float) -> None:
    found = hdi(draws, level=level)
    need = int(np.floor(level * len(draws))) + 1
    held = [(b - a, a, b) for a in draws for b in draws if sum(a <= d <= b for d in draws) >= need]
    assert (found.low, found.high) == min(held)[1:]


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_are_scipys_on_the_same_resamples(method: str) -> None:
    rng = np.random.default_rng(3)
    sample = rng.lognormal(size=40)
    theirs = stats.bootstrap((sample,), np.mean, n_resamples=999, method=method, rng=rng)
    draws = theirs.bootstrap_distribution
    left_out = (sample.sum() - sample) / 39
    found = percentile(draws) if method == "percentile" else bca(draws, sample.mean(), left_out)
    # The two normal distributions behind BCa agree to about eleven digits.
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


def test_bca_without_a_value_says_why() -> None:
    assert bca([1, 2, 3], 0, [1, 2]).status == "beyond the draws"
    nothing = bca([1, 2, 3], 2, [])
    assert (nothing.low, nothing.high, nothing.status) == (None, None, "no variation")


def test_bca_of_what_no_unit_moves_has_no_acceleration() -> None:
    same, plain = bca([1, 2, 3], 2, [0.1, 0.1, 0.1]), percentile([1, 2, 3])
    assert (same.low, same.high) == pytest.approx((plain.low, plain.high), rel=1e-9)
    assert same.status == "ok"


@given(st.floats(1e-9, 1 - 1e-9), st.floats(0.5, 1e6))
def test_t_quantiles_are_scipys(p: float, df: float) -> None:
    assert _core.t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-9)


@given(st.floats(1e-300, 1 - 1e-15))
def test_normal_quantiles_are_scipys(p: float) -> None:
    assert _core.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("draws", [[], [1, np.nan], [1, np.inf], [[1, 2]], ["a"]])
def test_bad_draws_are_errors(draws: list[object]) -> None:
    for interval in (percentile, hdi):
        with pytest.raises(InputError, match="draws"):
            interval(draws)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, np.nan])
def test_bad_levels_are_errors(level: float) -> None:
    with pytest.raises(InputError, match="level: expected a number between 0 and 1"):
        hdi([1, 2, 3], level=level)


@pytest.mark.parametrize("unit", [1e-110, 1e150])
def test_the_acceleration_of_bca_has_no_unit(unit: float) -> None:
    draws, left_out = np.linspace(0, 1, 101), np.array([0.1, 0.3, 0.7])
    plain, scaled = bca(draws, 0.45, left_out), bca(draws, 0.45, left_out * unit)
    assert (scaled.low, scaled.high) == pytest.approx((plain.low, plain.high), rel=1e-9)
    assert bca([1.0], 1.0, [1e200, -1e200, 0.0]).status == "ok"
