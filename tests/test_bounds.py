"""Bounds hold for every completion of the lost replies, and general optimisers reach them."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from frames import Reply, Study, reports, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import differential_evolution, minimize

from avowal.accuracy import accuracy
from avowal.bounds import bounds

seeds = st.integers(0, 2**32 - 1)
PLANNED = 4


def lossy(seed: int, contexts: int = 6, models: int = 2) -> Study:
    """Draw a study in which contexts have 0 to 4 of 4 replies, within the scale."""
    study, rng = Study(seed, contexts, models=models), np.random.default_rng(seed)
    counts = rng.integers(0, PLANNED + 1, contexts)
    counts[[0, -1]] = np.maximum(counts[[0, -1]], 1)
    study.replies = []
    for place, (name, w) in enumerate(study.given.items()):
        for _ in range(counts[place]):
            report = np.clip(0.6 * w + rng.normal(0, 30, len(w)), -100, 100)
            study.replies.append(("mn"[models * place // contexts], name, report.tolist()))
    study.reports = reports(study.replies)
    return study


def completed(study: Study, draw: np.random.Generator, models: int) -> list[Reply]:
    """Return the replies with every lost one drawn: anything, or whatever helps or hurts most."""
    replies = list(study.replies)
    style = draw.integers(0, 4)
    for place, (name, w) in enumerate(study.given.items()):
        model = nearest(study, place) if models > 1 else "m"
        for _ in range(PLANNED - sum(n == name for _, n, _ in study.replies)):
            extreme = 100 * np.sign(w) * (1 if style == 1 else -1)
            report = draw.uniform(-100, 100, len(w)) if style == 0 else extreme
            if style == 3:
                report = draw.choice([-100.0, 100.0], len(w))
            replies.append((model, name, report.tolist()))
    return replies


def nearest(study: Study, place: int) -> str:
    model = {n: m for m, n, _ in study.replies}
    away = {n: abs(i - place) for i, n in enumerate(study.names) if n in model}
    return model[min(away, key=lambda n: away[n])]


@settings(max_examples=40)
@given(seeds, st.integers(1, 2))
def test_no_completion_lies_outside(seed: int, models: int) -> None:
    study, draw = lossy(seed, models=models), np.random.default_rng(seed + 1)
    low, high = bounds(study.weights, study.reports, study.names, PLANNED)
    for _ in range(5):
        r = accuracy(study.weights, reports(completed(study, draw, models))).r
        assert low - 1e-9 <= r <= high + 1e-9
    observed = accuracy(study.weights, study.reports)
    if observed.replies.planned == PLANNED * len(study.names):
        assert low == high == pytest.approx(observed.r)


def boxed(study: Study) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights and the ends of the averaged reports, worked out reply by reply."""
    w, low, high = [], [], []
    for name, weight in study.given.items():
        rows = [r for _, n, r in study.replies if n == name]
        for end, value in ((low, -100.0), (high, 100.0)):
            whole = [*rows, *[[value] * len(weight)] * (PLANNED - len(rows))]
            end.append(np.mean(whole, axis=0))
        w.append(weight)
    return np.concatenate(w), np.concatenate(low), np.concatenate(high)


@pytest.mark.parametrize("seed", range(8))
def test_general_optimisers_reach_both_ends_and_pass_neither(seed: int) -> None:
    study = lossy(seed, contexts=4, models=1)
    w, below, above = boxed(study)
    box = list(zip(below, above, strict=True))
    low, high = bounds(study.weights, study.reports, study.names, PLANNED)
    for sign, end in ((1.0, high), (-1.0, low)):

        def loss(s: np.ndarray, sign: float = sign) -> float:
            return 0.0 if np.ptp(s) < 1e-9 else -sign * float(np.corrcoef(w, s)[0, 1])

        rng = np.random.default_rng(seed)
        starts = [np.where(sign * (w - w.mean()) > 0, above, below), *(rng.uniform(below, above) for _ in range(3))]
        local = [minimize(loss, start, bounds=box, method="SLSQP", options={"ftol": 1e-12}).fun for start in starts]
        wide = differential_evolution(loss, box, seed=seed, maxiter=60, popsize=8, polish=False).fun
        best = -sign * min(*local, wide)
        assert sign * (end - best) >= -1e-7
        assert end == pytest.approx(best, abs=2e-3)


@settings(max_examples=60)
@given(seeds, st.floats(1, 40))
def test_where_an_end_stays_on_one_side_of_zero_no_corner_passes_it(seed: int, noise: float) -> None:
    # One reply of many is lost in some contexts, so that the correlation stays positive and its least value is at a
    # corner; on the 2^6 corners of a small study that end is checked against each.
    rng = np.random.default_rng(seed)
    given_weights = {f"c{i}": rng.uniform(-100, 100, 3) for i in range(5)}
    table = weights({n: w.tolist() for n, w in given_weights.items()})
    rows = {n: np.clip(w + rng.normal(0, noise, (9, 3)), -100, 100) for n, w in given_weights.items()}
    lost = {"c0": 2, "c3": 1}
    kept = reports([("m", n, r.tolist()) for n, each in rows.items() for r in each[lost.get(n, 0) :]])
    low, high = bounds(table, kept, list(rows), 9)
    corners = []
    for ends in itertools.product([-100.0, 100.0], repeat=6):
        filled = {n: r.copy() for n, r in rows.items()}
        filled["c0"][:2], filled["c3"][:1] = ends[:3], ends[3:]
        averages = np.concatenate([r.mean(axis=0) for r in filled.values()])
        corners.append(np.corrcoef(np.concatenate(list(given_weights.values())), averages)[0, 1])
    assert low <= min(corners) + 1e-12
    assert high >= max(corners) - 1e-12
    if min(corners) > 0:
        assert low == pytest.approx(min(corners), abs=0.01)


@settings(max_examples=25)
@given(seeds)
def test_more_loss_widens_and_reversed_weights_mirror_the_bounds(seed: int) -> None:
    study = lossy(seed)
    low, high = bounds(study.weights, study.reports, study.names, PLANNED)
    wider = bounds(study.weights, study.reports, study.names, PLANNED + 1)
    assert wider[0] <= low + 1e-9
    assert wider[1] >= high - 1e-9
    mirrored = bounds(study.weights.with_columns(-pl.col("weight")), study.reports, study.names, PLANNED)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


def test_everything_lost_leaves_everything_open() -> None:
    table = weights({"a": [100, 20, -30], "b": [5, 100]})
    low, high = bounds(table, reports([]), ["a", "b"], 10)
    assert (low, high) == pytest.approx((-1, 1), abs=1e-6)


def test_failed_replies_are_lost_replies() -> None:
    study = lossy(3)
    failed = pl.concat([study.reports, reports([("m", n, None) for n in study.names])])
    assert bounds(study.weights, failed, study.names, PLANNED) == bounds(
        study.weights, study.reports, study.names, PLANNED
    )


def test_contexts_without_weights_or_a_plan_do_not_count() -> None:
    study = lossy(4)
    more = pl.concat([study.weights, weights({"later": [1, 2, 3], "null": [None, None]})])
    with_others = bounds(more, study.reports, [*study.names, "null", "unheard of"], PLANNED)
    assert with_others == bounds(study.weights, study.reports, study.names, PLANNED)


@pytest.mark.parametrize(
    ("table", "replies", "planned"),
    [
        ({"a": [100, 100, 100]}, [("m", "a", [1, 2, 3])], 1),
        ({"a": [100, 2, 3]}, [("m", "a", [7, 7, 7])], 1),
        ({"a": [100, 2]}, [], 3),
        ({"a": [None, None]}, [], 3),
        ({}, [], 3),
    ],
)
def test_without_any_correlation_there_are_no_bounds(table: dict, replies: list, planned: int) -> None:
    assert bounds(weights(table), reports(replies), list(table), planned) is None


def test_silent_contexts_belong_to_their_neighbours_model() -> None:
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(8)]
    table = weights({n: rng.uniform(-100, 100, 4).tolist() for n in names})
    rows = [("z" if i < 4 else "a", n, rng.uniform(-90, 90, 4).tolist()) for i, n in enumerate(names)]
    silent = reports([row for row in rows if row[1] not in ("c0", "c7")])
    low, high = bounds(table, silent, names, 1)
    for _ in range(60):
        drawn = {n: rng.uniform(-100, 100, 4).tolist() for n in ("c0", "c7")}
        whole = reports([(m, n, drawn.get(n, r)) for m, n, r in rows])
        assert low <= accuracy(table, whole).r <= high
