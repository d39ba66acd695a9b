"""Companions equal plain recomputations on random studies, and say None where there is nothing to compute from."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from frames import Study, context, grouped, reports, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from avowal.accuracy import accuracy
from avowal.companions import (
    Companions,
    companions,
    follows_pair,
    report_reliability,
    sign_agreement,
    top_agreement,
    within,
)
from avowal.entries import entries
from avowal.errors import InputError
from avowal.tables import REPORTS

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def beside(study: Study, **others: object) -> Companions:
    found = accuracy(study.weights, study.reports).entries
    return companions(found, study.weights, study.reports, study.contexts, **others)


def r_of(w: np.ndarray, s: np.ndarray, groups: np.ndarray) -> float:
    return float(stats.pearsonr(w, grouped(s, groups))[0])


@few
@given(seeds, st.integers(1, 2))
def test_companions_equal_plain_recomputations(seed: int, models: int) -> None:
    study, rng = Study(seed, models=models), np.random.default_rng(seed)
    targets = {n: rng.uniform(-100, 100, len(w)) for n, w in study.given.items() if n != "c3"}
    others = [weights({n: rng.normal(size=len(w)).tolist() for n, w in study.given.items()}) for _ in range(2)]
    found = beside(study, targets=weights(targets), others=others)
    w, s, groups = study.arrays()
    names = np.concatenate([[n] * k for n, k in zip(study.names, study.widths, strict=True)])
    known = names != "c3"
    assert found.r_target == pytest.approx(r_of(np.concatenate(list(targets.values())), s[known], groups[known]))
    assert found.crossed_r == pytest.approx(np.mean([r_of(o["weight"].to_numpy(), s, groups) for o in others]))
    means = study.averages()
    assert found.r_rescaled == pytest.approx(
        r_of(w, np.concatenate([m * 100 / abs(m).max() for m in means.values()]), groups)
    )
    assert found.r_within == pytest.approx(
        np.mean([stats.pearsonr(study.given[n], m)[0] for n, m in means.items() if len(m) > 2])
    )
    assert found.sign_agreement == np.mean(np.sign(w) == np.sign(s))
    assert found.top_agreement == np.mean([abs(study.given[n]).argmax() == abs(m).argmax() for n, m in means.items()])
    assert found.follows_pair is None


@few
@given(seeds)
def test_odd_replies_are_counted_and_left_out_of_one_figure_alone(seed: int) -> None:
    study = Study(seed, models=1)
    k = study.widths[0]
    odd = [("m", "c0", [2388.0] + [0.0] * (k - 1)), ("m", "c1", [0.0] * study.widths[1]), ("m", "c2", None)]
    clean = beside(study)
    far = sum(max(map(abs, r)) > 100 for _, _, r in study.replies if r is not None)
    study.reports = pl.concat([study.reports, reports(odd)])
    found = beside(study)
    assert (found.out_of_range, found.all_zero) == (far + 1, 1)
    assert clean.out_of_range == far
    assert found.r_in_range == pytest.approx(clean.r_in_range, rel=1e-12)
    kept = study.reports.filter(pl.col("report").is_not_null())
    assert accuracy(study.weights, kept).r == pytest.approx(accuracy(study.weights, study.reports).r, rel=1e-12)


def test_exactly_100_is_in_range_and_its_weight_an_extreme() -> None:
    table = weights({"a": [100, 99.4, 20], "b": [-99.6, 3, 50]})
    given_reports = reports([("m", "a", [100, 1, 2]), ("m", "b", [-100, 5, 70])])
    found = entries(table, given_reports)
    result = companions(found, table, given_reports, [context("a", 3), context("b", 3)])
    assert result.out_of_range == 0
    assert result.r_without_extremes == pytest.approx(np.corrcoef([99.4, 20, 3, 50], [1, 2, 5, 70])[0, 1])


def test_ties_and_zeros_follow_the_rules() -> None:
    found = entries(
        weights({"a": [-100, 100, 0], "b": [0, 100, 1]}),
        reports([("m", "a", [70, -70, 5]), ("m", "b", [0, -3, 0])]),
    )
    assert top_agreement(found) == 1.0
    assert sign_agreement(found) == 0.0
    none = entries(weights({"a": [100, 3]}), reports([("m", "a", [0, 0])]))
    assert sign_agreement(none) is None
    assert within(none) == []


def pairs_shown(rows: list[tuple[str, list[float], list[float], list[float]]]) -> pl.DataFrame:
    table = [("m", "set", name, i, report, None, a, b) for i, (name, report, a, b) in enumerate(rows)]
    return pl.DataFrame(table, schema=dict(REPORTS), orient="row")


@few
@given(seeds)
def test_following_the_pair_is_a_correlation_centred_by_context_and_attribute(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, sizes, gaps = [], [], []
    for name, k in (("x", 2), ("y", 4)):
        a, b, r = (rng.uniform(0, 10, (5, k)) for _ in range(3))
        rows += [(name, *(v[i].tolist() for v in (r, a, b))) for i in range(5)]
        width = 10.0 + np.arange(k)
        gap = abs(a - b) / width
        gaps += (gap - gap.mean(axis=0)).ravel().tolist()
        sizes += (abs(r) - abs(r).mean(axis=0)).ravel().tolist()
    known = [context("x", 2), context("y", 4)]
    assert follows_pair(pairs_shown(rows), known) == pytest.approx(np.corrcoef(gaps, sizes)[0, 1])
    lonely = [*rows, ("z", [1.0, 2.0], [3.0, 4.0], [5.0, 5.0])]
    assert follows_pair(pairs_shown(lonely), [*known, context("z", 2)]) == pytest.approx(
        follows_pair(pairs_shown(rows), known)
    )


def test_reports_that_are_the_pair_follow_it_wholly() -> None:
    shown = [("x", [5 * abs(i - 3.0), 1.0], [float(i), 0.0], [3.0, 0.0]) for i in range(6)]
    assert follows_pair(pairs_shown(shown), [context("x", 2)]) == pytest.approx(1.0)
    assert follows_pair(pairs_shown(shown[:1]), [context("x", 2)]) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x", [1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0]), "reports, a: expected 2 values, found .* for 'x'"),
        (("x", [1.0, 2.0], [1.0, 2.0], [1.0]), "reports, b: expected 2 values"),
        (("x", [1.0], [1.0, 2.0], [1.0, 2.0]), "reports, report: expected 2 values"),
        (("q", [1.0], [1.0], [1.0]), "a known context, found 'q'"),
    ],
)
def test_pairs_that_do_not_fit_their_context_are_named(row: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        follows_pair(pairs_shown([row]), [context("x", 2)])


def test_reliability_is_near_its_theory_and_one_without_noise() -> None:
    rng = np.random.default_rng(2)
    belief = rng.normal(0, 50, (200, 5))
    noisy = [("m", f"c{i}", (belief[i] + rng.normal(0, 80, 5)).tolist()) for i in range(200) for _ in range(10)]
    theory = 50**2 / (50**2 + 80**2 / 10)
    assert report_reliability(reports(noisy)) == pytest.approx(theory, abs=0.03)
    same = [("m", f"c{i}", belief[i].tolist()) for i in range(9) for _ in range(3)]
    assert report_reliability(reports(same)) == pytest.approx(1.0)


def test_reliability_of_two_replies_has_one_split() -> None:
    study = Study(8, models=1)
    rng = np.random.default_rng(1)
    first, second = (rng.normal(size=(6, 3)) for _ in range(2))
    table = reports([("m", f"c{i}", v[i].tolist()) for i in range(6) for v in (first, first + second)])
    outcomes = []
    for flips in itertools.product([0, 1], repeat=6):
        halves = [np.where(np.array(flips)[:, None] == side, first, first + second).ravel() for side in (0, 1)]
        r = np.corrcoef(*halves)[0, 1]
        outcomes.append(2 * r / (1 + r))
    found = report_reliability(table, splits=400, seed=3)
    assert min(outcomes) <= found <= max(outcomes)
    assert found == pytest.approx(np.mean(outcomes), abs=0.02)
    assert report_reliability(table, seed=3) == report_reliability(table, seed=3)
    assert report_reliability(study.reports.unique("context")) is None


def test_nothing_to_compute_from_gives_none() -> None:
    table, nothing = weights({"a": [100, 3]}), reports([("m", "a", None)])
    found = companions(entries(table, nothing), table, nothing, [context("a", 2)], targets=table, others=[table])
    numbers = {name: getattr(found, name) for name in Companions.__slots__}
    assert numbers.pop("out_of_range") == numbers.pop("all_zero") == 0
    assert set(numbers.values()) == {None}


def test_one_other_model_without_a_figure_leaves_the_crossed_one_open() -> None:
    study = Study(3)
    flat = weights({n: [1.0] * k for n, k in zip(study.names, study.widths, strict=True)})
    assert beside(study, others=[study.weights]).crossed_r == pytest.approx(accuracy(study.weights, study.reports).r)
    assert beside(study, others=[study.weights, flat]).crossed_r is None
    assert beside(study).crossed_r is None
