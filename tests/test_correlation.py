"""Correlations and slopes agree with NumPy and statsmodels, ignore scale and order, and say why where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from avowal.correlation import pearson, slope, slope_contrast
from avowal.errors import InputError

seeds = st.integers(0, 2**32 - 1)


def z(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std(ddof=1)


def pairs(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=n) * rng.lognormal() * 30 + rng.normal(scale=50)
    return w, 0.6 * w + rng.normal(scale=w.std() + 1, size=n)


def within(w: np.ndarray, s: np.ndarray, groups: np.ndarray) -> float:
    scaled = s.copy()
    for group in np.unique(groups):
        scaled[groups == group] = z(s[groups == group])
    return float(np.corrcoef(w, scaled)[0, 1])


@given(seeds, st.integers(3, 60))
def test_pearson_is_numpys(seed: int, n: int) -> None:
    w, s = pairs(seed, n)
    assert pearson(w, s).r == pytest.approx(np.corrcoef(w, s)[0, 1], abs=1e-12)


@given(seeds, st.integers(2, 40), st.integers(2, 40))
def test_reports_are_standardised_within_groups(seed: int, first: int, second: int) -> None:
    w, s = pairs(seed, first + second)
    groups = np.repeat(["b", "a"], [first, second])
    s[:first] = 3 * s[:first] + 70
    assert pearson(w, s, groups=groups).r == pytest.approx(within(w, s, groups), abs=1e-12)


@given(seeds, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_affine_maps_change_nothing(seed: int, a: float, b: float, c: float, d: float) -> None:
    w, s = pairs(seed, 30)
    groups = np.arange(30) % 2
    moved = np.where(groups == 0, c * s + d, s)
    assert pearson(a * w + b, moved, groups=groups).r == pytest.approx(pearson(w, s, groups=groups).r, abs=1e-8)
    assert pearson(-a * w, s).r == pytest.approx(-pearson(w, s).r, abs=1e-12)


@given(seeds, st.integers(3, 60), st.sampled_from([0.5, 0.89, 0.95, 0.99]))
def test_slope_is_statsmodels(seed: int, n: int, level: float) -> None:
    w, s = pairs(seed, n)
    fit = sm.OLS(w, sm.add_constant(s)).fit()
    ours = slope(w, s, level=level)
    assert (ours.estimate, ours.se, ours.df) == pytest.approx((fit.params[1], fit.bse[1], n - 2), rel=1e-8)
    assert (ours.low, ours.high) == pytest.approx(fit.conf_int(1 - level)[1], rel=1e-7, abs=1e-10)


def test_slope_of_two_standardised_columns_is_their_correlation() -> None:
    w, s = pairs(5, 50)
    assert slope(z(w), z(s)).estimate == pytest.approx(pearson(w, s).r, abs=1e-12)


def contrast_by_regression(w, s, models, trained, level):
    """Fit one regression with an intercept and slope per model and condition, and contrast its slopes."""
    cells = [(m, t) for m in np.unique(models) for t in (False, True)]
    masks = [(models == m) & (trained == t) for m, t in cells]
    design = np.column_stack([mask.astype(float) for mask in masks] + [mask * s for mask in masks])
    fit = sm.OLS(w, design).fit()
    sign = np.tile([-1.0, 1.0], len(cells) // 2) / (len(cells) // 2)
    test = fit.t_test(np.concatenate([np.zeros(len(cells)), sign]))
    ends = test.conf_int(1 - level)[0]
    return test.effect[0], test.sd[0, 0], fit.df_resid, *ends


@given(seeds, st.integers(1, 3), st.sampled_from([0.9, 0.95]))
def test_contrast_is_the_full_regressions(seed: int, count: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 40, size=2 * count)
    cell = rng.permutation(np.repeat(np.arange(2 * count), sizes))
    w, s = pairs(seed, len(cell))
    models, trained = np.array(["x", "y", "a"])[cell // 2], cell % 2 == 1
    ours = slope_contrast(w, s, models, trained, level=level)
    expected = contrast_by_regression(w, s, models, trained, level)
    assert (ours.estimate, ours.se, ours.df, ours.low, ours.high) == pytest.approx(expected, rel=1e-7, abs=1e-9)
    assert [m for m, _ in ours.by_model] == sorted(set(models.tolist()))
    assert np.mean([gain for _, gain in ours.by_model]) == pytest.approx(ours.estimate, abs=1e-12)


@pytest.mark.parametrize(
    ("weights", "reports", "status"),
    [
        ([], [], "too few entries"),
        ([1, 2], [1, 2], "too few entries"),
        ([0.1] * 4, [1, 2, 3, 4], "no variation"),
        ([1, 2, 3, 4], [1 / 3] * 4, "no variation"),
    ],
)
def test_undefined_is_a_status(weights: list[float], reports: list[float], status: str) -> None:
    assert (pearson(weights, reports).r, pearson(weights, reports).status) == (None, status)
    line = slope(weights, reports)
    assert (line.estimate, line.se, line.low, line.status) == (None, None, None, status)
    contrast = slope_contrast(weights, reports, np.zeros(len(weights)), np.zeros(len(weights)))
    assert (contrast.estimate, contrast.by_model) == (None, ())
    assert contrast.status in (status, "too few entries")


def test_a_group_without_variation_is_named() -> None:
    assert pearson([1, 2, 3, 4], [5, 5, 1, 2], groups=[0, 0, 1, 1]).status == "no variation"


def test_bad_input_names_the_argument() -> None:
    with pytest.raises(InputError, match=r"reports: expected 3 values, found 2"):
        pearson([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match=r"weights: expected finite numbers, found NaN at flat index 1"):
        pearson([1, np.nan, 3], [1, 2, 3])
    with pytest.raises(InputError, match=r"level: expected a number between 0 and 1, found 95"):
        slope([1, 2, 3], [1, 3, 2], level=95)
    with pytest.raises(InputError, match=r"model: expected 3 values, found 2"):
        slope_contrast([1, 2, 3], [1, 3, 2], [0, 1], [0, 1, 1])
