"""Fits against outside oracles: long arithmetic, statsmodels, scipy, closed forms, exact rationals, and brms.

Tolerances: estimates to 1e-8 of max(1, |estimate|) and gradients below 1e-8, as promised; covariances to 1e-9 of their
scale, which leaves room for the inverse of a matrix of condition 1e6. Against brms see the test.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from highprecision import ESTIMATORS, LONG_DOUBLE, Objective, gradient_norm
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, stats

from avowal.estimators import Estimator, Firth, Map, MaximumLikelihood, Ridge
from avowal.fit import ArrayFit, fit_arrays

PROMISED = 1e-8
seeds = st.integers(0, 2**32 - 1)


def one(x: Any, y: Any, estimator: Estimator | str, intercept: bool = True) -> ArrayFit:
    return fit_arrays([x], [y], estimator=estimator, intercept=intercept, threads=1)


def logistic(draw: np.random.Generator, x: np.ndarray, weights: Any, bias: float = 0.3) -> np.ndarray:
    return (draw.uniform(size=len(x)) < 0.5 * (1 + np.tanh((x @ np.asarray(weights) + bias) / 2))).astype(float)


def triangular(draw: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Differences of two uniform options in units of the range."""
    return draw.uniform(size=(n, k)) - draw.uniform(size=(n, k))


def check(found: ArrayFit, objective: Objective) -> None:
    """Hold an estimate to the highest optimum, and its gradient to nothing, in other digits."""
    best = objective.optimum()
    assert np.abs(found.slopes[0] - best.slopes).max() <= PROMISED * max(1.0, np.abs(best.slopes).max())
    assert abs(found.intercepts[0] - best.intercept) <= PROMISED * max(1.0, abs(best.intercept))
    assert gradient_norm(objective, found.slopes[0], found.centred_intercepts[0]) < PROMISED
    assert found.gradient_norm[0] < PROMISED


def adversarial() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(5)
    x = triangular(draw, 30, 3)
    yield "overlapping", x, logistic(draw, x, [2, -1, 0])
    yield "separable", x, (x @ [3.0, -1, 0.5] > 0).astype(float)
    yield "separable in one", x[:, :1], (x[:, 0] > 0.1).astype(float)
    yield (
        "quasi-separable",
        np.array([[1, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0, 1.0]]),
        np.array([1, 1, 0, 1, 1, 0]),
    )
    yield "constant choice", x, np.ones(30)
    yield "one B of thirty", x, (np.arange(30) < 29).astype(float)
    yield "duplicated column", np.column_stack([x, x[:, 0]]), logistic(draw, x, [2, -1, 0])
    yield "constant column", np.column_stack([x, np.full(30, 0.1)]), logistic(draw, x, [2, -1, 0])
    yield "zero column", np.column_stack([x, np.zeros(30)]), logistic(draw, x, [2, -1, 0])
    yield "one trial", x[:1], np.ones(1)
    yield "one trial, one attribute", x[:1, :1], np.zeros(1)
    yield "equal options", np.zeros((4, 2)), np.array([1, 0, 1, 1])
    yield "differences of a million", 1e6 * x, logistic(draw, x, [2, -1, 0])
    yield "differences of a million, separable", 1e6 * x, (x @ [3.0, -1, 0.5] > 0).astype(float)
    yield "differences of a million, duplicated", 1e6 * x[:, [0, 1, 0]], logistic(draw, x, [2, -1, 0])
    yield "weights of a million", x, logistic(draw, x, [1e6, -2e6, 5e5])
    yield "weights of a million, overlapping", 1e-6 * x, logistic(draw, 1e-6 * x, [1e6, -2e6, 5e5])
    yield "units a trillion apart", x * [1e6, 1.0, 1e-6], logistic(draw, x, [2, -1, 1])
    yield "a far trial", np.vstack([x, [50.0, -30, 20]]), np.append(logistic(draw, x, [2, -1, 0]), 0)
    yield "a hundred ranges from the origin", x + 100.0, logistic(draw, x, [2, -1, 0])


ADVERSARIAL = list(adversarial())


def determined(x: np.ndarray, y: np.ndarray, estimator: Estimator, intercept: bool) -> bool:
    """Ask whether an optimum exists and is unique, by NumPy's rank and the linear program below."""
    z = np.column_stack([x, np.ones(len(x))]) if intercept else x
    z = z / np.maximum(np.abs(z).max(axis=0), 1e-300)
    full = np.linalg.matrix_rank(z) == z.shape[1]
    match estimator:
        case MaximumLikelihood():
            return bool(full and not separable_by_linear_program(z, y))
        case Firth():
            return bool(full)
        case Ridge():
            return not intercept or len(set(y)) == 2
        case _:
            return True


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(("case", "x", "y"), ADVERSARIAL, ids=[case for case, _, _ in ADVERSARIAL])
def test_optima_of_adversarial_data(case: str, x: np.ndarray, y: np.ndarray, name: str, intercept: bool) -> None:
    estimator = ESTIMATORS[name]
    found = one(x, y, estimator, intercept)
    if determined(x, y, estimator, intercept):
        check(found, Objective(x, y, estimator, intercept))
    else:
        assert np.isnan(found.slopes).all()
        assert found.status[0] not in ("ok", "not converged")


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("k", [1, 12])
def test_optima_for_one_and_twelve_attributes(k: int, name: str) -> None:
    draw = np.random.default_rng(k)
    x = triangular(draw, 150, k)
    y = logistic(draw, x, draw.normal(size=k))
    check(one(x, y, ESTIMATORS[name]), Objective(x, y, ESTIMATORS[name], numbers=LONG_DOUBLE))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_optima_of_a_hundred_thousand_trials(name: str) -> None:
    draw = np.random.default_rng(9)
    x = triangular(draw, 100_000, 5)
    y = logistic(draw, x, [3, -2, 1, 0, 8])
    check(one(x, y, ESTIMATORS[name]), Objective(x, y, ESTIMATORS[name], numbers=LONG_DOUBLE))


@settings(max_examples=40)
@given(seeds, st.integers(1, 25), st.integers(1, 3), st.sampled_from(list(ESTIMATORS)), st.booleans(), st.booleans())
def test_optima_of_random_data(seed: int, n: int, k: int, name: str, intercept: bool, whole: bool) -> None:
    draw = np.random.default_rng(seed)
    x = draw.integers(-2, 3, (n, k)).astype(float) if whole else triangular(draw, n, k)
    y = logistic(draw, x, draw.normal(0, 3, k))
    found = one(x, y, ESTIMATORS[name], intercept)
    assert determined(x, y, ESTIMATORS[name], intercept) == np.isfinite(found.slopes).all()
    if np.isfinite(found.slopes).all():
        check(found, Objective(x, y, ESTIMATORS[name], intercept))


@pytest.mark.parametrize("scale", [0.02, 0.05, 0.1, 0.2, 0.4])
def test_the_higher_of_two_posterior_modes_counts(scale: float) -> None:
    x = triangular(np.random.default_rng(3), 20, 2)
    prior = Map(intercept_scale=scale)
    for wrong in range(6):
        y = (np.arange(20) >= wrong).astype(float)
        check(one(x, y, prior), Objective(x, y, prior))


@settings(max_examples=60)
@given(
    seeds,
    st.integers(1, 60),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(-3, 0),
    st.floats(-8, 8),
    st.sampled_from([0.0, 1.0, -2.0]),
)
def test_the_highest_mode_counts_under_any_tight_prior(
    seed: int, n: int, log_sd: float, log_df: float, log_scale: float, bias: float, location: float
) -> None:
    draw = np.random.default_rng(seed)
    x = triangular(draw, n, 2)
    y = logistic(draw, x, draw.normal(0, 2, 2), bias)
    prior = Map(10**log_sd, 10**log_df, location, 10**log_scale)
    found, objective = one(x, y, prior), Objective(x, y, prior, numbers=LONG_DOUBLE)
    best = objective.value(objective.optimum().theta)
    mine = objective.value(np.append(found.slopes[0], found.centred_intercepts[0]).astype(np.longdouble))
    assert abs(mine - best) < 1e-10 * (1 + abs(best))
    assert gradient_norm(objective, found.slopes[0], found.centred_intercepts[0]) < PROMISED


@settings(max_examples=40)
@example(208211, 3, 2, False)  # A rough climb runs to where no information is left.
@given(seeds, st.integers(3, 30), st.integers(1, 2), st.booleans())
def test_the_higher_of_firths_maxima_counts(seed: int, n: int, k: int, intercept: bool) -> None:
    draw = np.random.default_rng(seed)
    x = triangular(draw, n, k) * 10 ** draw.uniform(-1, 1, (n, 1))
    y = logistic(draw, x, draw.normal(0, 3, k))
    found, objective = one(x, y, "firth", intercept), Objective(x, y, Firth(), intercept, LONG_DOUBLE)
    assume(found.status[0] not in ("too few trials", "rank deficient"))
    theta = np.append(found.slopes[0], found.centred_intercepts[0]) if intercept else found.slopes[0]
    mine, best = (objective.value(t) for t in (theta.astype(np.longdouble), objective.optimum().theta))
    assert mine >= best - 1e-9 * (1 + abs(best))


@pytest.mark.parametrize("intercept", [True, False])
def test_maximum_likelihood_is_that_of_statsmodels(intercept: bool) -> None:
    draw = np.random.default_rng(4)
    for n, k in [(60, 1), (80, 3), (300, 5), (1000, 12)]:
        x = triangular(draw, n, k)
        y = logistic(draw, x, draw.normal(0, 1.5, k))
        found = one(x, y, "ml", intercept)
        theirs = sm.Logit(y, np.column_stack([x, np.ones(n)]) if intercept else x).fit(
            method="newton", tol=1e-14, disp=0
        )
        mine = np.append(found.slopes[0], found.intercepts[0]) if intercept else found.slopes[0]
        errors = (
            np.append(found.standard_errors[0], found.intercept_errors[0]) if intercept else found.standard_errors[0]
        )
        assert np.allclose(mine, theirs.params, rtol=1e-8, atol=1e-8)
        assert np.allclose(errors, theirs.bse, rtol=1e-8)
        assert np.allclose(found.covariance[0], theirs.cov_params(), rtol=1e-7, atol=1e-10)
        assert found.log_likelihood[0] == pytest.approx(theirs.llf, rel=1e-12)
        assert found.log_posterior[0] == found.log_likelihood[0]
        assert found.accuracy[0] == ((theirs.predict() > 0.5) == y).mean()


@pytest.mark.parametrize(
    "prior", [Map(), Map(0.3, 7.0, 0.5, 0.8), Map(2.0, np.inf, -1.0, 0.5), Map(1.5, 3.0, 0.0, np.inf)]
)
def test_log_densities_are_those_of_scipy(prior: Map) -> None:
    draw = np.random.default_rng(6)
    x = triangular(draw, 50, 3)
    y = logistic(draw, x, [1, -2, 0])
    found = one(x, y, prior)
    eta = x @ found.slopes[0] + found.intercepts[0]
    likelihood = stats.bernoulli.logpmf(y, stats.logistic.cdf(eta)).sum()
    assert found.log_likelihood[0] == pytest.approx(likelihood, rel=1e-12)
    density = stats.norm.logpdf(found.slopes[0], 0, prior.slope_sd).sum()
    if np.isfinite(prior.intercept_scale):
        place = (found.centred_intercepts[0], prior.intercept_df, prior.intercept_location, prior.intercept_scale)
        density += stats.norm.logpdf(place[0], *place[2:]) if np.isinf(prior.intercept_df) else stats.t.logpdf(*place)
    assert found.log_posterior[0] == pytest.approx(likelihood + density, rel=1e-12)
    bare = one(x, y, prior, intercept=False)
    likelihood = stats.bernoulli.logpmf(y, stats.logistic.cdf(x @ bare.slopes[0])).sum()
    density = stats.norm.logpdf(bare.slopes[0], 0, prior.slope_sd).sum()
    assert bare.log_posterior[0] == pytest.approx(likelihood + density, rel=1e-12)


def test_what_firth_and_ridge_maximise() -> None:
    draw = np.random.default_rng(7)
    x = triangular(draw, 40, 2)
    y = logistic(draw, x, [1, -2])
    firth, ridge = one(x, y, "firth"), one(x, y, Ridge(0.7))
    z = np.column_stack([x, np.ones(40)])
    p = stats.logistic.cdf(z @ np.append(firth.slopes[0], firth.intercepts[0]))
    penalty = 0.5 * np.linalg.slogdet(z.T @ ((p * (1 - p))[:, None] * z))[1]
    assert firth.log_posterior[0] == pytest.approx(firth.log_likelihood[0] + penalty, rel=1e-12)
    assert ridge.log_posterior[0] == pytest.approx(
        ridge.log_likelihood[0] - 0.35 * (ridge.slopes[0] ** 2).sum(), rel=1e-12
    )


@given(st.lists(st.integers(0, 12), min_size=4, max_size=4))
def test_firth_adds_one_half_to_each_cell_of_a_two_by_two_table(cells: list[int]) -> None:
    a_high, b_high, a_low, b_low = cells
    assume(a_high + b_high and a_low + b_low and sum(cells) > 2)
    x = np.repeat([1.0, 1.0, 0.0, 0.0], cells)[:, None]
    y = np.repeat([1.0, 0.0, 1.0, 0.0], cells)
    found = one(x, y, "firth")
    low = np.log((a_low + 0.5) / (b_low + 0.5))
    assert found.intercepts[0] == pytest.approx(low, abs=1e-9)
    assert found.slopes[0, 0] == pytest.approx(np.log((a_high + 0.5) / (b_high + 0.5)) - low, abs=1e-9)


def separable_by_linear_program(z: np.ndarray, y: np.ndarray) -> bool:
    """Ask whether a bounded direction has a positive total over signed rows none of which it makes negative (HiGHS)."""
    signed = z * np.where(np.asarray(y) == 1, 1.0, -1.0)[:, None]
    found = optimize.linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(z)), bounds=(-1, 1), method="highs")
    assert found.status == 0
    return bool(-found.fun > 1e-7)


def separable_by_fractions(rows: list[list[int]]) -> bool:
    """Solve the same linear program exactly: the simplex method on fractions with Bland's rule."""
    k, m = len(rows[0]), len(rows)
    goal = [Fraction(sum(row[i] for row in rows)) for i in range(k)]
    slack = [[Fraction(int(i == j)) for j in range(m + 1)] for i in range(m + 1)]
    signed = [[Fraction(v) for v in row] for row in rows]
    tableau = [[-v for v in row] + row + slack[i] + [Fraction(0)] for i, row in enumerate(signed)]
    tableau.append(goal + [-v for v in goal] + slack[m] + [Fraction(1)])
    price = [-v for v in goal] + goal + [Fraction(0)] * (m + 2)
    basis = [2 * k + i for i in range(m + 1)]
    while (entering := next((j for j, v in enumerate(price[:-1]) if v < 0), None)) is not None:
        ratios = [(row[-1] / row[entering], basis[i], i) for i, row in enumerate(tableau) if row[entering] > 0]
        leaving = min(ratios)[2]
        pivot = tableau[leaving][entering]
        tableau[leaving] = [v / pivot for v in tableau[leaving]]
        for i, row in enumerate(tableau):
            if i != leaving and row[entering]:
                tableau[i] = [v - row[entering] * w for v, w in zip(row, tableau[leaving], strict=True)]
        price = [v - price[entering] * w for v, w in zip(price, tableau[leaving], strict=True)]
        basis[leaving] = entering
    return price[-1] > 0


small = st.tuples(st.integers(1, 14), st.integers(1, 3)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int64, shape, elements=st.integers(-2, 2)),
        hnp.arrays(np.int64, shape[0], elements=st.integers(0, 1)),
        hnp.arrays(np.int64, shape[1] + 1, elements=st.integers(-2, 2)),
        st.booleans(),
        st.booleans(),
    )
)


@settings(max_examples=300)
@given(small, st.lists(st.integers(-6, 6), min_size=3, max_size=3))
def test_separation_of_whole_numbers_is_exact_in_any_units(drawn: Any, units: list[int]) -> None:
    x, y, weights, tidy, intercept = drawn
    z = np.column_stack([x, np.ones(len(x), dtype=np.int64)]) if intercept else x
    if (
        tidy
    ):  # Choices that follow weights but for ties: separable completely, quasi-completely, or not, on a knife's edge.
        eta = z @ weights[: z.shape[1]]
        y = np.where(eta == 0, y, eta > 0)
    scaled = x * 10.0 ** np.array(units[: x.shape[1]])
    status = one(scaled, y, "ml", intercept).status[0]
    assume(status not in ("too few trials", "no variation", "rank deficient"))
    exact = separable_by_fractions((z * np.where(y == 1, 1, -1)[:, None]).tolist())
    assert status == ("separated" if exact else "ok")


@settings(max_examples=150)
@given(seeds, st.integers(5, 200), st.integers(1, 12), st.floats(0, 30), st.booleans())
def test_separation_is_that_of_a_linear_program(seed: int, n: int, k: int, strength: float, intercept: bool) -> None:
    draw = np.random.default_rng(seed)
    x = triangular(draw, n, k)
    y = logistic(draw, x, strength * draw.normal(size=k))
    status = one(x, y, "ml", intercept).status[0]
    assume(status in ("ok", "separated"))
    z = np.column_stack([x, np.ones(n)]) if intercept else x
    assert status == ("separated" if separable_by_linear_program(z, y) else "ok")


def test_separation_of_many_trials_is_found() -> None:
    draw = np.random.default_rng(8)
    x = triangular(draw, 20_000, 6)
    eta = x @ draw.normal(size=6)
    y = (eta > 0).astype(float)
    assert one(x, y, "ml").status == ("separated",)
    y[np.argmax(eta)] = 0
    assert one(x, y, "ml").status == ("ok",)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_covariance_is_the_inverse_of_the_numerical_curvature(name: str, intercept: bool) -> None:
    draw = np.random.default_rng(11)
    for k, offset in [(1, 0.0), (3, 0.0), (2, 5.0)]:
        x = triangular(draw, 40, k) + offset
        y = logistic(draw, x - offset, draw.normal(size=k))
        objective = Objective(x, y, ESTIMATORS[name], intercept)
        found, expected = one(x, y, ESTIMATORS[name], intercept), objective.optimum().covariance()
        assert np.allclose(found.covariance[0], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_covariance_of_separable_and_constant_choices() -> None:
    for case, x, y in ADVERSARIAL:
        if case in (
            "separable",
            "constant choice",
            "duplicated column",
            "one trial",
            "differences of a million, separable",
        ):
            expected = Objective(x, y, Map()).optimum().covariance()
            scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
            assert (np.abs(one(x, y, "map").covariance[0] - expected) < 1e-8 * scale).all(), case


def brms_contexts(published: Path) -> dict[str, Any]:
    file = published.parent / "oracle" / "brms_choices.json"
    if not file.is_file():
        pytest.skip(f"brms's posterior summaries are not at {file}")
    found: dict[str, Any] = json.loads(file.read_text())["contexts"]
    return found


def brms_data(published: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    with (published / "scenarios.csv").open(newline="") as handle:
        bounds = next(row for row in csv.DictReader(handle) if row["scenario"] == name)
    with (published / "gpt-4o-2024-08-06_instilled_selections.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["scenario"] == name]
    columns = [
        [
            (float(row[f"A_attribute_{i}"]) - float(row[f"B_attribute_{i}"]))
            / (float(bounds[f"attr{i}_max"]) - float(bounds[f"attr{i}_min"]))
            for row in rows
        ]
        for i in range(1, 6)
    ]
    return np.array(columns).T, np.array([row["selection"] == "A" for row in rows]).astype(float)


def test_modes_and_curvatures_lie_near_brms_posteriors(published: Path) -> None:
    for name, theirs in brms_contexts(published).items():
        found = one(*brms_data(published, name), "map")
        keys = [f"b_d{i}" for i in range(1, 6)] + ["b_Intercept"]
        mean, sd = (np.array([theirs[part][key] for key in keys]) for part in ("mean", "sd"))
        mine = np.append(found.slopes[0], found.intercepts[0])
        errors = np.append(found.standard_errors[0], found.intercept_errors[0])
        assert (np.abs(mine - mean) < 0.35 * sd).all(), name
        assert (np.abs(errors / sd - 1) < 0.15).all(), name
