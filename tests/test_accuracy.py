"""Accuracy equals a plain recomputation; joining, standardising and accounting obey their laws."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from frames import Study, grouped, reports, weights, zscore
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from avowal.accuracy import UNRECORDED, accuracy, difference, gain, reply_account
from avowal.entries import average_reports, entries, standardise
from avowal.errors import InputError

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)
REPLIES = [("m", "a", [1, 2, 4]), ("m", "a", [3, 2, 0]), ("m", "b", [5, -1, 0])]
WEIGHTS = weights({"a": [10, 20, 100], "b": [100, -3, 7]})


@few
@given(seeds, st.integers(1, 2))
def test_accuracy_is_the_regression_of_standardised_weights_on_standardised_reports(seed: int, models: int) -> None:
    study = Study(seed, models=models)
    found = accuracy(study.weights, study.reports)
    w, s, groups = study.arrays()
    line = sm.OLS(zscore(w), sm.add_constant(grouped(s, groups))).fit()
    assert found.slope.estimate == pytest.approx(line.params[1], rel=1e-10)
    assert found.interval == pytest.approx(tuple(line.conf_int()[1]), rel=1e-9)
    assert found.r == pytest.approx(stats.pearsonr(w, grouped(s, groups))[0], rel=1e-10)
    assert found.contexts == len(study.names)
    assert found.replies.valid == len(study.replies)
    assert found.status == found.slope.status == "ok"


@few
@given(seeds, st.randoms(use_true_random=False))
def test_neither_rows_nor_contexts_need_an_order(seed: int, random: object) -> None:
    study = Study(seed)
    order = list(range(len(study.replies)))
    random.shuffle(order)
    shuffled = study.reports[order]
    rows = study.weights.sample(fraction=1, shuffle=True, seed=seed % 1000)
    one, other = accuracy(study.weights, study.reports), accuracy(rows, shuffled)
    assert other.slope.estimate == pytest.approx(one.slope.estimate, rel=1e-10)
    assert other.r == pytest.approx(one.r, rel=1e-10)
    assert other.cluster_interval == pytest.approx(one.cluster_interval, rel=1e-6)
    assert other.replies == one.replies


def test_entries_follow_the_weights_order_and_keep_reports_raw() -> None:
    found = entries(WEIGHTS, reports([REPLIES[2], *REPLIES[:2]]))
    assert found.contexts.tolist() == ["a"] * 3 + ["b"] * 3
    assert found.positions.tolist() == [0, 1, 2] * 2
    assert found.reports.tolist() == [2, 2, 2, 5, -1, 0]
    assert found.weights.tolist() == [10, 20, 100, 100, -3, 7]
    backwards = entries(WEIGHTS.reverse(), reports(REPLIES))
    assert backwards.reports.tolist() == [0, -1, 5, 2, 2, 2]


@few
@given(seeds, st.floats(0.1, 50), st.floats(-100, 100))
def test_reports_are_raw_but_their_unit_is_the_reporting_models_own(seed: int, scale: float, shift: float) -> None:
    study = Study(seed)
    found = accuracy(study.weights, study.reports)
    moved = [(m, n, [scale * x + shift for x in r] if m == "n" else r) for m, n, r in study.replies if r is not None]
    other = accuracy(study.weights, reports(moved))
    assert other.r == pytest.approx(found.r, abs=1e-9)
    assert other.slope.estimate == pytest.approx(found.slope.estimate, abs=1e-9)
    means = study.averages()
    assert found.entries.reports == pytest.approx(np.concatenate([means[n] for n in study.names]))


def test_rescaling_reports_by_context_changes_the_accuracy() -> None:
    study = Study(5, models=1)
    scaled = [(m, n, [x * (i + 1) for x in r]) for i, (m, n, r) in enumerate(study.replies) if r is not None]
    assert abs(accuracy(study.weights, reports(scaled)).r - accuracy(study.weights, study.reports).r) > 0.01


def test_weights_are_standardised_over_contexts_without_reports_too() -> None:
    study = Study(3)
    some = study.reports.filter(pl.col("context").is_in(study.names[:5]))
    found = accuracy(study.weights, some)
    every = np.concatenate(list(study.given.values()))
    expected = (np.concatenate([study.given[n] for n in study.names[:5]]) - every.mean()) / every.std(ddof=1)
    assert found.entries.weights_z == pytest.approx(expected)
    assert dict(found.context_account.invalid) == {"no valid report": 3}
    assert (found.context_account.planned, found.contexts) == (8, 5)


def test_contexts_without_estimated_weights_are_lost_and_do_not_enter() -> None:
    study = Study(4)
    gone = pl.when(pl.col("context") == "c1").then(None).otherwise(pl.col("weight")).alias("weight")
    found = accuracy(study.weights.with_columns(gone), study.reports.filter(pl.col("context") != "c2"))
    assert dict(found.context_account.invalid) == {"no valid report": 1, "no estimated weights": 1}
    assert "c1" not in found.entries.names
    assert np.isfinite(found.entries.weights_z).all()
    asked = accuracy(study.weights.filter(pl.col("context") != "c1"), study.reports, contexts=study.names)
    assert dict(asked.context_account.invalid) == {"no estimated weights": 1}
    assert asked.replies.planned == len(study.replies)


def test_every_reply_is_accounted_for() -> None:
    table = pl.concat(
        [
            reports(REPLIES),
            reports([("m", "a", None), ("m", "b", None)]),
            reports([("m", "a", None)], failure="refusal"),
            reports([("m", "b", None)]).with_columns(pl.lit(None, dtype=pl.String).alias("failure")),
            reports([("m", "elsewhere", [1, 2])]),
        ]
    )
    account = reply_account(table, ["a", "b", "c"], 4)
    assert dict(account.invalid) == {"wrong keys": 2, "refusal": 1, UNRECORDED: 1 + 1 + 4}
    assert (account.planned, account.valid) == (12, 3)
    assert reply_account(table, ["a", "b"], None).planned == 7
    assert reply_account(table, ["a"], 1).planned == 4
    assert reply_account(table, [], 10).planned == 0


@few
@given(seeds, st.integers(0, 6))
def test_parts_of_the_accounts_add_up(seed: int, planned: int) -> None:
    study = Study(seed)
    found = accuracy(study.weights, study.reports, replies=planned)
    assert found.replies.planned == found.replies.valid + found.replies.lost
    assert found.replies.planned >= planned * len(study.names)
    assert found.context_account.planned == found.contexts + found.context_account.lost


@pytest.mark.parametrize(
    ("replies", "status"),
    [
        ([], "too few entries"),
        ([("m", "a", None)], "too few entries"),
        ([("m", "a", [0.1] * 3), ("m", "b", [0.1] * 3)], "no variation"),
        ([("m", "a", [0.1] * 3), ("n", "b", [1, 2, 3])], "no variation"),
        ([("m", "a", [33.3] * 3)] * 3 + [("m", "b", [33.3] * 3)] * 7, "no variation"),
    ],
)
def test_without_variation_there_is_a_status_and_no_number(replies: list, status: str) -> None:
    found = accuracy(WEIGHTS, reports(replies), replies=10)
    assert (found.r, found.slope.estimate, found.interval, found.cluster_interval) == (None,) * 4
    assert found.status == found.slope.status == found.cluster_status == status


def test_one_entry_is_too_few_by_all_accounts() -> None:
    found = accuracy(weights({"a": [100]}), reports([("m", "a", [3])]))
    assert found.status == found.slope.status == found.cluster_status == "too few entries"


def test_two_contexts_have_a_correlation_and_no_interval_by_context() -> None:
    found = accuracy(WEIGHTS, reports(REPLIES))
    assert found.r is not None
    assert found.cluster_interval is None
    assert found.cluster_status == "too few contexts"


@pytest.mark.parametrize(
    ("table", "replies", "message"),
    [
        (WEIGHTS, [("m", "a", [1, 2])], "expected 3 weights for 'a', found 2"),
        (WEIGHTS, [("m", "a", [1, 2, 3]), ("m", "a", [1, 2])], "expected reports on the same attributes"),
        (WEIGHTS, [("m", "a", [1, 2, 3]), ("n", "a", [1, 2, 3])], "one reporting model for each context"),
        (WEIGHTS, [("m", "a", [1, None, 3])], "one finite number for each attribute, found .*None.* for 'a'"),
        (WEIGHTS, [("m", "a", [1, float("nan"), 3])], "one finite number for each attribute"),
        (WEIGHTS, [("m", "a", [1, float("inf"), 3])], "one finite number for each attribute"),
        (WEIGHTS, [("m", "a", [])], "one finite number for each attribute"),
        (pl.concat([WEIGHTS, WEIGHTS]), REPLIES, "weights, position: expected one weight for each attribute"),
        (WEIGHTS.drop("position"), REPLIES, "weights: expected a column 'position'"),
    ],
)
def test_bad_tables_are_named(table: pl.DataFrame, replies: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        accuracy(table, reports(replies))


def test_bad_settings_are_named() -> None:
    with pytest.raises(InputError, match="level"):
        accuracy(WEIGHTS, reports(REPLIES), level=1)
    with pytest.raises(InputError, match="reports, failure: expected a column"):
        accuracy(WEIGHTS, reports(REPLIES).drop("failure"))
    ok = accuracy(WEIGHTS, reports(REPLIES))
    with pytest.raises(InputError, match="each model once"):
        gain([ok, ok], [ok, ok], ["m", "m"])
    with pytest.raises(InputError, match="one accuracy before and after for each model"):
        gain([ok], [], ["m"])


@few
@given(st.integers(1, 9), st.floats(-1e6, 1e6, allow_subnormal=False))
def test_equal_replies_average_to_themselves(count: int, value: float) -> None:
    found = average_reports(reports([("m", "a", [value, -value])] * count))
    assert found["report"].to_list() == [value, -value]
    assert found["replies"].to_list() == [count, count]


@given(seeds)
def test_standardised_values_have_mean_zero_and_spread_one_in_each_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(50, 9, 30), np.repeat(["x", "y", "z"], 10)
    found = standardise(values, groups)
    for group in "xyz":
        assert found[groups == group].mean() == pytest.approx(0, abs=1e-9)
        assert found[groups == group].std(ddof=1) == pytest.approx(1)
    assert np.isnan(standardise(np.full(3, 0.1), np.array(["x"] * 3))).all()


def pooled_contrast(cells: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, tuple[float, float]]:
    """Fit an intercept and a slope to each of before, after, before, after, ... with one residual variance."""
    sizes = [len(w) for w, _ in cells]
    design = np.zeros((sum(sizes), 2 * len(cells)))
    for i, (start, (_, s)) in enumerate(zip(np.cumsum([0, *sizes]), cells, strict=False)):
        design[start : start + len(s), 2 * i] = 1
        design[start : start + len(s), 2 * i + 1] = s
    line = sm.OLS(np.concatenate([w for w, _ in cells]), design).fit()
    contrast = np.zeros(2 * len(cells))
    contrast[1::2] = np.where(np.arange(len(cells)) % 2, 1, -1) / (len(cells) / 2)
    test = line.t_test(contrast)
    return float(test.effect[0]), tuple(test.conf_int()[0])


@few
@given(seeds, st.integers(1, 2))
def test_gain_is_the_pooled_contrast_and_pairs_common_contexts(seed: int, models: int) -> None:
    sides = [[Study(seed + 2 * m + t, models=1) for m in range(models)] for t in (0, 1)]
    names = [f"c{i}" for i in range(8)]
    results = []
    for t, side in enumerate(sides):
        kept = [n for i, n in enumerate(names) if i != t]
        results.append([accuracy(s.weights, s.reports.filter(pl.col("context").is_in(kept))) for s in side])
    found = gain(*results, [f"model {m}" for m in range(models)])
    cells = [(results[t][m].entries.weights_z, results[t][m].entries.reports_z) for m in range(models) for t in (0, 1)]
    estimate, interval = pooled_contrast(cells)
    assert found.contrast.estimate == pytest.approx(estimate, abs=1e-10)
    assert (found.contrast.low, found.contrast.high) == pytest.approx(interval, abs=1e-10)
    common = set(names[2:])

    def r(result: object) -> float:
        e = result.entries.only(sorted(common))
        return float(np.corrcoef(e.weights, e.reports)[0, 1])

    expected = np.mean([r(results[1][m]) - r(results[0][m]) for m in range(models)])
    assert found.cluster.estimate == pytest.approx(expected, abs=1e-10)
    assert found.common_contexts == 6


def test_a_gain_over_nothing_has_a_status() -> None:
    study = Study(1)
    ok = accuracy(study.weights, study.reports)
    empty = accuracy(study.weights, reports([]))
    equal = [("m", n, [1.0] * k) for n, k in zip(study.names, study.widths, strict=True)]
    flat = accuracy(study.weights, reports(equal))
    for bad, status in ((empty, "too few entries"), (flat, "no variation")):
        for before, after in (([bad], [ok]), ([ok], [bad]), ([ok, bad], [ok, bad])):
            found = gain(before, after, ["m", "n"][: len(before)])
            assert (found.contrast.estimate, found.contrast.status) == (None, status)
            assert found.cluster.low is None


@few
@given(seeds)
def test_a_difference_changes_sign_with_its_sides(seed: int) -> None:
    one, other = (accuracy(s.weights, s.reports) for s in (Study(seed), Study(seed + 1)))
    (there, common), (back, _) = difference(one, other), difference(other, one)
    assert there.estimate == pytest.approx(one.r - other.r, abs=1e-10)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert common == 8


def test_frame_has_a_row_for_each_entry() -> None:
    found = accuracy(WEIGHTS, reports(REPLIES))
    frame = found.to_frame()
    assert frame.columns == ["context", "position", "weight", "report", "weight_z", "report_z", "model"]
    assert frame["report"].to_list() == found.entries.reports.tolist()
    assert len(frame) == len(found.entries) == 6
