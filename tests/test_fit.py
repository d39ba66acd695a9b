"""Fit: what comes out of choices, which statuses null what, and which input is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from avowal import trials as trials_module
from avowal.account import Account, total
from avowal.contexts import Attribute, Context
from avowal.errors import InputError
from avowal.estimators import Firth, Map, MaximumLikelihood, Ridge, label, resolve
from avowal.fit import STATUSES, ArrayFit, cross_validate, fit, fit_arrays, fit_ragged
from avowal.tables import AGENT_FITS, CHOICES, FITTED_WEIGHTS

ALL = ("map", "ml", "firth", "ridge")
OVERLAPPING = ([[0.5, 0.1], [-0.2, 0.9], [0.1, -0.3], [-0.6, 0.2], [0.3, 0.3], [0.4, -0.8]], [1, 1, 0, 0, 0, 1])


def one(x: Any, y: Any, estimator: Any = "map", **options: Any) -> ArrayFit:
    return fit_arrays([x], [y], estimator=estimator, **options)


def context(name: str, k: int) -> Context:
    attributes = tuple(Attribute(f"{name}_{i}", "units", 0.0, 10.0 * (i + 1)) for i in range(k))
    return Context(name, "Which?", attributes, None, None)


TEA, HOTEL, PADS = context("tea", 2), context("hotel", 3), context("pads", 2)


def row(model: str, known: Context, trial: int, choice: str | None, failure: str | None = None) -> dict[str, Any]:
    draw = np.random.default_rng([trial, len(known.name), len(model)])
    highs = np.array([attribute.max for attribute in known.attributes])
    a, b = (draw.uniform(size=len(highs)) * highs for _ in range(2))
    return {
        "model": model,
        "context": known.name,
        "trial": trial,
        "a": a.tolist(),
        "b": b.tolist(),
        "choice": choice,
        "failure": failure,
    }


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(CHOICES))


MIXED = table(
    [row("m", TEA, t, "ABABBAABAB"[t]) for t in range(10)]
    + [row("m", HOTEL, t, "AABABBABBA"[t]) for t in range(10)]
    + [row("n", TEA, t, "ABAB"[t % 4] if t % 3 else None, None if t % 3 else "refused") for t in range(12)]
    + [row("n", PADS, t, None, "timed out" if t else "refused") for t in range(3)]
)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("estimator", ALL)
def test_every_field_has_the_shape_it_promises(estimator: str, intercept: bool) -> None:
    draw = np.random.default_rng(1)
    x, y = draw.uniform(-1, 1, (7, 30, 4)), draw.integers(0, 2, (7, 30))
    found = fit_arrays(x, y, estimator=estimator, intercept=intercept)
    parameters = 4 + intercept
    shapes = {name: np.shape(getattr(found, name)) for name in ArrayFit.__slots__}
    assert shapes.pop("covariance") == (7, parameters, parameters)
    for name in ("slopes", "scaled", "standard_errors"):
        assert shapes.pop(name) == (7, 4)
    assert set(shapes.values()) == {(7,)}
    assert found.status == ("ok",) * 7
    assert (found.gradient_norm < 1e-8).all()
    assert (np.abs(found.scaled).max(axis=1) == 100).all()
    diagonal = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    assert np.array_equal(found.standard_errors, diagonal[:, :4])
    if intercept:
        assert np.array_equal(found.intercept_errors, diagonal[:, 4])
        shift = (found.slopes * x.mean(axis=1)).sum(axis=1)
        assert np.allclose(found.centred_intercepts, found.intercepts + shift, rtol=0, atol=1e-12)
    else:
        assert (found.intercepts == 0).all()
        for absent in (found.intercept_errors, found.centred_intercepts, found.centred_intercept_errors):
            assert np.isnan(absent).all()


@pytest.mark.parametrize("estimator", ALL)
def test_accuracy_is_the_share_of_choices_predicted(estimator: str) -> None:
    draw = np.random.default_rng(2)
    x, y = draw.uniform(-1, 1, (5, 40, 3)), draw.integers(0, 2, (5, 40))
    found = fit_arrays(x, y, estimator=estimator)
    eta = np.einsum("atk,ak->at", x, found.slopes)
    assert np.array_equal(found.accuracy, ((eta + found.intercepts[:, None] > 0) == y).mean(axis=1))
    assert np.array_equal(found.accuracy_slopes_only, ((eta > 0) == y).mean(axis=1))


def test_ties_count_as_b() -> None:
    found = one([[0.0], [0.0], [1.0], [-1.0]], [1, 0, 1, 0], intercept=False)
    assert found.slopes.item() > 0
    assert found.accuracy.tolist() == found.accuracy_slopes_only.tolist() == [3 / 4]


@pytest.mark.parametrize("estimator", ALL)
def test_what_rounding_leaves_of_the_slopes_of_constant_choices_predicts_nothing(estimator: str) -> None:
    found = fit_arrays(np.random.default_rng(0).uniform(-1, 1, (4, 9, 3)), np.ones((4, 9)), estimator=estimator)
    assert np.isnan(found.accuracy_slopes_only).all()
    assert np.isnan(found.scaled).all()


@pytest.mark.parametrize("estimator", ALL)
def test_a_nan_is_a_trial_that_never_was(estimator: str) -> None:
    draw = np.random.default_rng(3)
    x, y = draw.uniform(-1, 1, (3, 25, 2)), draw.integers(0, 2, (3, 25)).astype(float)
    y[0, [1, 7]], y[1, 3] = np.nan, np.nan
    x[0, 1] = np.nan  # The differences of a missing trial are never looked at.
    found = fit_arrays(x, y, estimator=estimator)
    for agent in range(3):
        kept = ~np.isnan(y[agent])
        alone = one(x[agent, kept], y[agent, kept], estimator)
        assert np.array_equal(found.slopes[agent], alone.slopes[0])
        assert found.intercepts[agent] == alone.intercepts[0]
        assert found.accuracy[agent] == alone.accuracy[0]


SEPARABLE = ([[0.5, 0.3], [0.2, -0.3], [-0.1, 0.2], [-0.6, -0.2], [0.4, 0.1]], [1, 1, 0, 0, 1])
QUASI = ([[1, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0, 1]], [1, 1, 0, 1, 1, 0])
CONSTANT = (OVERLAPPING[0], [1] * 6)
DEPENDENT = ([[a, 2 * a] for a, _ in OVERLAPPING[0]], OVERLAPPING[1])
FEW = ([[0.5, 0.3], [0.2, -0.3]], [1, 0])
NONE: tuple[list[list[float]], list[int]] = ([], [])

# Which estimators return an optimum, and whether weights are scaled where one is returned.
MATRIX = [
    (OVERLAPPING, "ok", {"map", "ml", "firth", "ridge"}, True),
    (SEPARABLE, "separated", {"map", "firth", "ridge"}, True),
    (QUASI, "separated", {"map", "firth", "ridge"}, True),
    (CONSTANT, "no variation", {"map", "firth"}, False),
    (DEPENDENT, "rank deficient", {"map", "ridge"}, False),
    (FEW, "too few trials", {"map", "ridge"}, False),
]


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize(("data", "status", "estimated", "scaled"), MATRIX, ids=[case[1] for case in MATRIX])
def test_statuses_null_what_the_data_leave_open(
    data: Any, status: str, estimated: set[str], scaled: bool, estimator: str
) -> None:
    found = one(*data, estimator)
    assert found.status == (status,)
    exists = estimator in estimated
    for name in ("slopes", "intercepts", "log_likelihood", "log_posterior", "gradient_norm", "accuracy"):
        assert np.isfinite(getattr(found, name)).all() == exists, name
        assert np.isnan(getattr(found, name)).all() != exists, name
    assert np.isnan(found.scaled).all() == (not (exists and scaled))
    assert np.isfinite(found.standard_errors).all() == np.isfinite(found.covariance).all() == exists


def test_a_model_without_intercept_needs_no_variation_for_ridge() -> None:
    found = one(*CONSTANT, Ridge(2.0), intercept=False)
    assert found.status == ("no variation",)
    assert np.isfinite(found.slopes).all()
    assert np.isnan(found.scaled).all()


def test_a_flat_intercept_needs_both_answers() -> None:
    assert np.isnan(one(*CONSTANT, Map(intercept_scale=np.inf)).slopes).all()
    flat, ridge = one(*SEPARABLE, Map(2.0, intercept_scale=np.inf)), one(*SEPARABLE, Ridge(0.25))
    assert np.allclose(flat.slopes, ridge.slopes, rtol=0, atol=1e-12)


def test_an_agent_without_trials_has_the_priors_mode() -> None:
    found = fit_arrays(np.empty((1, 0, 3)), np.empty((1, 0)), estimator=Map(intercept_location=0.7))
    assert found.status == ("too few trials",)
    assert found.slopes.tolist() == [[0, 0, 0]]
    assert found.intercepts.tolist() == [0.7]
    assert np.isnan(found.scaled).all()
    assert np.isnan(found.accuracy).all()
    for estimator in ("ml", "firth", "ridge"):
        assert np.isnan(fit_arrays(np.empty((1, 0, 3)), np.empty((1, 0)), estimator=estimator).slopes).all()


def test_ragged_arrays_may_be_of_any_numbers() -> None:
    x, y = np.array(OVERLAPPING[0]), np.array(OVERLAPPING[1], np.uint8)
    plain = fit_ragged(x, y, np.array([0, 6], np.uint64))
    for choices in (y.astype(np.int64), y.astype(bool), y.astype(float), np.repeat(y, 2)[::2]):
        other = fit_ragged(np.asfortranarray(x), choices, [0, 6])
        assert np.array_equal(plain.slopes, other.slopes)


def test_no_agents_are_no_rows() -> None:
    found = fit_arrays(np.empty((0, 5, 3)), np.empty((0, 5)))
    assert found.status == ()
    assert found.slopes.shape == (0, 3)
    assert found.covariance.shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fit_arrays([[[1.0]]], [[2]]), "y: expected 1 (A), 0 (B) or NaN, found 2.0"),
        (lambda: fit_arrays([[[1.0]]], [[0.5]]), "found 0.5"),
        (lambda: fit_arrays([[[1.0]]], [[np.inf]]), "found inf"),
        (lambda: fit_arrays([[[1.0]]], [[1, 0]]), "y: expected shape (1, 1) as in x, found shape (1, 2)"),
        (lambda: fit_arrays([[[np.nan]]], [[1]]), "differences"),
        (lambda: fit_arrays([[[np.inf]]], [[1]]), "differences"),
        (lambda: fit_arrays([[1.0]], [[1]]), "x: expected 3 dimensions"),
        (lambda: fit_arrays([[["a"]]], [[1]]), "x: expected an array of real numbers"),
        (lambda: fit_arrays([[[1.0]]], [["A"]]), "y: expected an array of real numbers"),
        (lambda: fit_arrays(np.ones((1, 2, 13)), [[1, 0]]), "attributes: expected 1 to 12, found 13"),
        (lambda: fit_arrays(np.ones((1, 2, 0)), [[1, 0]]), "attributes: expected 1 to 12, found 0"),
        (lambda: one(*OVERLAPPING, "mle"), "estimator: expected map, ml, firth, ridge"),
        (lambda: one(*OVERLAPPING, None), "estimator: expected map, ml, firth, ridge"),
        (lambda: one(*OVERLAPPING, Ridge(0.0)), "ridge penalty: expected a positive finite number"),
        (lambda: one(*OVERLAPPING, Ridge(np.inf)), "ridge penalty"),
        (lambda: one(*OVERLAPPING, Map(-1.0)), "slope sd"),
        (lambda: one(*OVERLAPPING, Map(intercept_scale=0.0)), "intercept scale"),
        (lambda: one(*OVERLAPPING, Map(intercept_df=np.nan)), "intercept degrees of freedom"),
        (lambda: one(*OVERLAPPING, Map(intercept_location=np.inf)), "intercept location"),
        (lambda: one(*OVERLAPPING, threads=-1), "threads"),
        (lambda: one(*OVERLAPPING, threads=1.5), "threads"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 0], np.uint8), np.array([0, 1], np.uint64)), "offsets"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 2], np.uint8), np.array([0, 2], np.uint64)), "choices"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1], np.uint8), np.array([0, 1], np.uint64)), "differences"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 256]), np.array([0, 2])), "choices: expected 1 (A) or 0 (B)"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([[1, 0]], np.uint8), np.array([0, 2])), "choices"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 0]), np.array([0, -2])), "offsets"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 0]), np.array([0.0, 2.0])), "offsets"),
        (lambda: fit_ragged(np.ones((2, 1)), np.array([1, 0]), np.array([], np.uint64)), "offsets"),
        (lambda: fit_ragged(np.ones(2), np.array([1, 0]), np.array([0, 2])), "differences: expected 2 dimensions"),
    ],
)
def test_input_that_means_nothing_is_refused(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop("choice"), "choice"),
        (lambda t: t.with_columns(context=pl.lit("elsewhere")), "found 'elsewhere'"),
        (lambda t: t.with_columns(choice=pl.lit("C")), "choice: expected A, B or null, found 'C'"),
        (lambda t: t.with_columns(choice=pl.lit(None, pl.String), failure=pl.lit(None, pl.String)), "failure"),
        (lambda t: t.with_columns(a=pl.lit([1.0], pl.List(pl.Float64))), "a: expected 2 values"),
        (lambda t: t.with_columns(b=pl.lit([1.0, None], pl.List(pl.Float64))), "b: expected finite values"),
        (lambda t: t.with_columns(b=pl.lit([1.0, np.nan], pl.List(pl.Float64))), "b: expected finite values"),
        (lambda t: t.with_columns(b=pl.lit(None, pl.List(pl.Float64))), "b: expected 2 values"),
        (lambda t: t.with_columns(trial=pl.lit("first")), "trial"),
        (lambda t: t.with_columns(model=pl.lit(None, pl.String)), "model"),
        (lambda t: t.with_columns(context=pl.lit(None, pl.String)), "context"),
        (lambda t: t.with_columns(trial=pl.lit(0, pl.Int64)), "trial"),
    ],
)
def test_a_table_of_anything_else_is_refused(change: Callable[[pl.DataFrame], pl.DataFrame], said: str) -> None:
    good = MIXED.filter((pl.col("model") == "m") & (pl.col("context") == "tea"))
    assert fit(good, [TEA]).agents.height == 1
    with pytest.raises(InputError) as caught:
        fit(change(good), [TEA, HOTEL])
    assert said in str(caught.value)


def test_contexts_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="distinct names"):
        fit(MIXED, [TEA, HOTEL, PADS, TEA])


def test_one_table_may_hold_agents_of_any_width() -> None:
    found = fit(MIXED, [HOTEL, PADS, TEA])
    assert dict(found.agents.schema) == dict(AGENT_FITS)
    assert dict(found.weights.schema) == dict(FITTED_WEIGHTS)
    assert set(found.agents.select("model", "context").iter_rows()) == {
        ("m", "tea"),
        ("m", "hotel"),
        ("n", "tea"),
        ("n", "pads"),
    }
    assert found.weights.height == 2 + 3 + 2 + 2
    for known in (TEA, HOTEL, PADS):
        for _, rows in found.weights.filter(pl.col("context") == known.name).group_by("model"):
            assert rows["attribute"].to_list() == [attribute.name for attribute in known.attributes]
            assert rows["position"].to_list() == list(range(len(known.attributes)))


def test_an_agent_of_a_table_is_the_agent_of_the_arrays() -> None:
    found = fit(MIXED, [HOTEL, PADS, TEA], estimator="firth")
    for name, known in (("tea", TEA), ("hotel", HOTEL)):
        rows = MIXED.filter((pl.col("model") == "m") & (pl.col("context") == name))
        spans = np.array([attribute.max - attribute.min for attribute in known.attributes])
        x = (np.array(rows["a"].to_list()) - np.array(rows["b"].to_list())) / spans
        alone = one(x, (rows["choice"] == "A").to_numpy().astype(int), "firth")
        mine = found.weights.filter((pl.col("model") == "m") & (pl.col("context") == name))
        assert mine["slope"].to_list() == alone.slopes[0].tolist()
        assert mine["weight"].to_list() == alone.scaled[0].tolist()
        assert mine["standard_error"].to_list() == alone.standard_errors[0].tolist()


def test_planned_is_valid_and_failed() -> None:
    found = fit(MIXED, [HOTEL, PADS, TEA])
    agents = found.agents
    assert (agents["planned"] == agents["valid"] + agents["failed"]).all()
    assert agents["planned"].sum() == MIXED.height
    account = found.account
    assert account == Account(35, 28, failed={"refused": 5, "timed out": 2})
    lost = agents.filter(pl.col("context") == "pads").row(0, named=True)
    assert (lost["planned"], lost["valid"], lost["failed"], lost["status"]) == (3, 0, 3, "too few trials")
    assert lost["accuracy"] is None
    with pytest.raises(ValueError, match="planned"):
        Account(3, 1, failed={"refused": 1})
    assert total([]) == Account(0, 0)


def test_to_frame_has_the_weights_with_their_status() -> None:
    found = fit(MIXED, [HOTEL, PADS, TEA], estimator="ml")
    frame = found.to_frame()
    assert frame.columns == [*FITTED_WEIGHTS, "status"]
    assert frame.drop("status").equals(found.weights)
    assert set(frame["status"]) <= set(STATUSES)
    nothing = frame.filter(pl.col("context") == "pads")
    assert nothing["slope"].to_list() == nothing["weight"].to_list() == [None, None]
    assert not frame.select(pl.col(pl.Float64).is_nan().any()).row(0).count(True)


def test_an_empty_table_has_no_agents() -> None:
    found = fit(table([]), [TEA])
    assert found.agents.is_empty()
    assert dict(found.agents.schema) == dict(AGENT_FITS)
    assert dict(found.weights.schema) == dict(FITTED_WEIGHTS)
    assert found.to_frame().is_empty()
    assert found.account == Account(0, 0)


def test_cross_validation_predicts_each_choice_from_the_others() -> None:
    (part,) = trials_module.from_choices(MIXED.filter(pl.col("context") == "hotel"), [HOTEL])
    predicted, correct = cross_validate(part, folds=4)
    hits = 0
    for fold in range(4):
        held = part.position() % 4 == fold
        rest = one(part.differences[~held], part.choices[~held])
        eta = part.differences[held] @ rest.slopes[0] + rest.intercepts[0]
        hits += int(((eta > 0) == part.choices[held]).sum())
    assert (predicted.tolist(), correct.tolist()) == ([10], [hits])
    with pytest.raises(InputError, match="folds"):
        cross_validate(part, folds=1)


def test_estimators_are_named_and_labelled() -> None:
    assert resolve("map") == resolve(Map()) == ("map", [1.0, 3.0, 0.0, 2.5])
    assert resolve(MaximumLikelihood()) == ("ml", [])
    assert resolve(Firth()) == ("firth", [])
    assert resolve(Ridge(2)) == ("ridge", [2.0])
    assert label(Map(2.0, intercept_scale=np.inf)) == "posterior mode, N(0, 2^2) slopes, flat intercept"
    assert [label(name) for name in ALL[1:]] == [
        "maximum likelihood",
        "Firth's penalised likelihood",
        "ridge, penalty 1",
    ]


@pytest.mark.parametrize("margin", [1e-6, 1e-7, 1e-8])
def test_choices_that_a_hair_separates_are_separated(margin: float) -> None:
    """Half of the trials lie within a hair of the plane: too little for normal equations, enough for an exact test."""
    rng = np.random.default_rng(1)
    normal = np.array([3.0, -2.0, 1.0]) / np.sqrt(14)
    x = rng.uniform(-1, 1, (40, 50, 3))
    side = rng.choice([-1.0, 1.0], (40, 50))
    distance = np.where(np.arange(50) % 2 == 0, margin, rng.uniform(0.1, 1, (40, 50)))
    x += ((side * distance) - x @ normal)[..., None] * normal
    y = (side > 0).astype(float)
    assert set(fit_arrays(x, y, intercept=False).status) == {"separated"}
    likelihood = fit_arrays(x, y, intercept=False, estimator="ml")
    assert set(likelihood.status) == {"separated"}
    assert np.isnan(likelihood.slopes).all()
