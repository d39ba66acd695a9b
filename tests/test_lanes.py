"""Coefficients alone: those of the whole fit, the same bits on every path of the processor, and the same refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.estimators import Estimator, Firth, Map, MaximumLikelihood, Ridge
from avowal.fit import coefficients_arrays, fit_arrays

PRIORS: tuple[Estimator, ...] = (
    Map(),
    Map(intercept_scale=math.inf),
    Map(slope_sd=3.0, intercept_df=math.inf, intercept_scale=1.5),
    Map(intercept_df=1.0, intercept_location=1.0, intercept_scale=0.5),
    Ridge(0.3),
    MaximumLikelihood(),
    Firth(),
)


def agents(seed: int, attributes: int, trials: int, size: float, scale: float) -> tuple[Any, Any]:
    """Ordinary, separated, constant, dependent, tied and shifted agents, some of their trials without a choice."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, (24, trials, attributes))
    x[3::8, :, -1] = x[3::8, :, 0]
    x[4::8] = x[4::8].round()
    x[5::8] += 30.0
    odds = np.einsum("atk,ak->at", x - x.mean(axis=1, keepdims=True), draw.uniform(-size, size, (24, attributes)))
    y = (draw.uniform(size=odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    y[1::8] = odds[1::8] > 0
    y[2::8] = 1.0
    y[6::8][draw.uniform(size=y[6::8].shape) < 0.3] = np.nan
    return x * scale, y


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    attributes=st.integers(1, 12),
    trials=st.integers(1, 70),
    size=st.floats(0, 20),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e3]),
    estimator=st.sampled_from(PRIORS[:5]),
    intercept=st.booleans(),
)
def test_they_are_those_of_the_whole_fit(
    seed: int, attributes: int, trials: int, size: float, scale: float, estimator: Estimator, intercept: bool
) -> None:
    x, y = agents(seed, attributes, trials, size, scale)
    whole = fit_arrays(x, y, estimator=estimator, intercept=intercept, threads=1)
    found = coefficients_arrays(x, y, estimator=estimator, intercept=intercept, threads=1)
    assert found.shape == (24, attributes + intercept)
    assert np.array_equal(np.isnan(found[:, 0]), np.isnan(whole.slopes[:, 0]))
    lengths = np.linalg.norm(whole.slopes, axis=1)
    # What rounding makes of slopes of zero: sums of differences, times what the data leave open.
    rounding = 1e-15 * np.abs(x).sum(axis=(1, 2)) * (whole.standard_errors**2).sum(axis=1)
    allowed = 1e-10 * lengths + np.nan_to_num(rounding)
    fitted = ~np.isnan(lengths)
    assert (np.linalg.norm(found[:, :attributes] - whole.slopes, axis=1) <= allowed)[fitted].all()
    if intercept:
        allowed = 1e-10 * (1 + np.abs(whole.intercepts)) + allowed * np.abs(x).max(axis=(1, 2)) * attributes
        assert (np.abs(found[:, -1] - whole.intercepts) <= allowed)[fitted].all()


@pytest.mark.parametrize("estimator", PRIORS)
def test_estimators_without_a_fast_way_have_a_slow_one(estimator: Estimator) -> None:
    x, y = agents(1, 3, 40, 2.0, 1.0)
    whole = fit_arrays(x, y, estimator=estimator)
    found = coefficients_arrays(x, y, estimator=estimator)
    expected = np.column_stack([whole.slopes, whole.intercepts])
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(np.nan_to_num(found), np.nan_to_num(expected), rtol=1e-7, atol=1e-7)


def test_every_path_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = agents(2, 5, 50, 5.0, 1.0)
    chosen = coefficients_arrays(x, y)
    monkeypatch.setenv("AVOWAL_SIMD", "portable")
    assert np.array_equal(coefficients_arrays(x, y), chosen, equal_nan=True)
    monkeypatch.setenv("AVOWAL_SIMD", "mmx")
    with pytest.raises(InputError, match=r"AVOWAL_SIMD: expected .*portable, found mmx"):
        coefficients_arrays(x, y)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32])
def test_choices_may_be_of_any_type(dtype: type) -> None:
    x, y = agents(3, 4, 30, 5.0, 1.0)
    y = np.nan_to_num(y)
    assert np.array_equal(coefficients_arrays(x, y.astype(dtype)), coefficients_arrays(x, y), equal_nan=True)


def test_no_agents_are_no_rows() -> None:
    assert coefficients_arrays(np.empty((0, 5, 2)), np.empty((0, 5))).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([[[0.5], [np.inf]]], [[1, 0]], "differences: expected finite numbers, found inf at flat index 1"),
        ([[[0.5], [0.1]]], np.array([[1, 2]], np.uint8), "choices: expected 1 .* found 2 at flat index 1"),
        ([[[0.5], [0.1]]], [[1, 2]], "y: expected 1 .* found 2"),
        ([[[0.5], [0.1]]], [[1, 0, 1]], r"y: expected shape \(1, 2\) as in x, found shape \(1, 3\)"),
        (np.zeros((1, 2, 13)), [[1, 0]], "attributes: expected 1 to 12, found 13"),
    ],
)
def test_input_that_means_nothing_is_refused(x: Any, y: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        coefficients_arrays(x, y)
