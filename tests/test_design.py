"""Option pairs: rounding is Python's own; a context's pairs depend on the seed, its unit and its bounds alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from avowal import _core, design
from avowal.contexts import Attribute, Context, arrays
from avowal.errors import InputError
from avowal.rng import Purpose, uniforms, unit_id

finite = st.floats(allow_nan=False, allow_infinity=False)
seeds = st.integers(0, 2**64 - 1)


def context(name: str, k: int = 2, low: float = 0.0, high: float = 10.0) -> Context:
    attributes = tuple(Attribute(f"attribute_{i}", "units", low, high + i) for i in range(k))
    return Context(name, "Which?", attributes, None, None)


def authors_decimals(span: float) -> int:
    if span >= 5:
        return 0
    return 1 if span >= 1 else abs(math.floor(math.log10(span))) + 1


@given(st.floats(0, exclude_min=True, allow_infinity=False))
@example(5.0)
@example(math.nextafter(5, 0))
@example(1.0)
@example(math.nextafter(1, 0))
@example(0.1)
@example(0.7 - 0.6)
@example(1e-5)
@example(5e-324)
def test_decimals_are_the_authors_rule(span: float) -> None:
    assert _core.decimals(span) == authors_decimals(span)


@given(finite, st.integers(0, 330))
@example(0.125, 2)
@example(2.675, 2)
@example(0.5, 0)
@example(1.5, 0)
@example(2.5, 0)
@example(-0.5, 0)
@example(5e-324, 323)
@example(5e-324, 325)
@example(1.7976931348623157e308, 300)
@example(2.0**52 + 0.5, 0)
@example(2.0**51 + 0.5, 0)
def test_rounding_is_pythons(x: float, decimals: int) -> None:
    expected, found = round(x, decimals), _core.round_decimals(x, decimals)
    assert found == expected
    assert math.copysign(1, found) == math.copysign(1, expected)


@given(st.integers(-(10**12), 10**12), st.integers(0, 15), st.integers(-2, 2))
def test_rounding_is_pythons_around_halves(n: int, decimals: int, ulps: int) -> None:
    x = (n + 0.5) / 10**decimals
    for _ in range(abs(ulps)):
        x = math.nextafter(x, math.copysign(math.inf, ulps))
    assert _core.round_decimals(x, decimals) == round(x, decimals)


@given(st.integers(-(2**40), 2**40), st.integers(1, 12), st.integers(0, 12))
def test_rounding_is_pythons_at_true_ties(n: int, power: int, decimals: int) -> None:
    x = n / 2**power
    assert _core.round_decimals(x, decimals) == round(x, decimals)


@given(seeds, st.integers(0, 2**64 - 1), finite, finite, st.integers(0, 20))
def test_pairs_are_rounded_uniforms_in_order(seed: int, unit: int, low: float, high: float, trials: int) -> None:
    assume(low < high and math.isfinite(high - low))
    found = design.pairs_arrays([[low, -1]], [[high, 1]], trials, seed=seed, units=[unit])
    assert found.shape == (1, trials, 2, 2)
    draws = uniforms(seed, Purpose.PAIRS, unit, 0, 4 * trials).reshape(trials, 2, 2).tolist()
    decimals = authors_decimals(high - low)
    expected = [[[round(low + (high - low) * u, decimals), round(-1 + 2 * v, 1)] for u, v in pair] for pair in draws]
    assert found[0].tolist() == expected


@given(seeds, st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6), st.data())
def test_order_subset_threads_and_later_trials_change_nothing(seed: int, units: list[int], data: st.DataObject) -> None:
    n = len(units)
    order = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]
    low = np.linspace(-3, 2, n * 3).reshape(n, 3)
    high = low + np.linspace(0.3, 30, n * 3).reshape(n, 3)
    trials = 2**15 // (6 * n) + 1
    whole = design.pairs_arrays(low, high, trials, seed=seed, units=units, threads=1)
    assert np.array_equal(whole, design.pairs_arrays(low, high, trials, seed=seed, units=units, threads=2))
    some = design.pairs_arrays(low[order], high[order], 7, seed=seed, units=np.array(units, dtype=np.uint64)[order])
    assert np.array_equal(some, whole[order, :7])


def test_a_rounded_value_may_leave_its_range_as_in_the_authors_design() -> None:
    values = design.pairs_arrays([[0.1]], [[10.0]], 500, seed=1)
    assert values.min() == 0.0


def test_values_are_uniform() -> None:
    values = design.pairs_arrays([[0.0]], [[9999.0]], 50_000, seed=3)
    counts, _ = np.histogram(values, bins=20, range=(0, 9999))
    # Chi-squared with 19 degrees of freedom: 43.8 is its .999 quantile.
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8


@given(seeds, st.integers(1, 4), st.integers(0, 5), st.integers(1, 5))
def test_differences_are_shares_of_the_range(seed: int, contexts: int, trials: int, k: int) -> None:
    low = np.full((contexts, k), -7.0)
    high = low + np.arange(1, k + 1)
    values = design.pairs_arrays(low, high, trials, seed=seed)
    found = design.differences(values, low, high)
    assert np.array_equal(found, (values[:, :, 0] - values[:, :, 1]) / (high - low)[:, None])
    assert np.array_equal(design.differences(values[:, :, ::-1], low, high), -found)


@given(seeds, st.permutations(["a", "b", "c", "d"]), st.integers(1, 4), st.integers(0, 6))
def test_a_contexts_rows_depend_on_no_other(seed: int, names: list[str], kept: int, trials: int) -> None:
    known = {name: context(name, k) for name, k in zip("abcd", (2, 5, 2, 1), strict=True)}
    whole = design.pairs(known.values(), 6, seed=seed)
    assert whole.schema == {"context": pl.String, "trial": pl.Int64, "a": pl.List(pl.Float64), "b": pl.List(pl.Float64)}
    assert whole["context"].unique(maintain_order=True).to_list() == list("abcd")
    some = design.pairs([known[name] for name in names[:kept]], trials, seed=seed, threads=2)
    assert some.height == kept * trials
    for name in names[:kept]:
        rows = whole.filter(pl.col("context") == name).head(trials)
        assert some.filter(pl.col("context") == name).equals(rows)


def test_table_and_arrays_hold_the_same_pairs() -> None:
    one = context("one", 3)
    table = design.pairs([one], 4, seed=8)
    array = design.pairs_arrays(*arrays([one]), 4, seed=8, units=[unit_id("one")])[0]
    assert np.array_equal(array, np.stack([table["a"].to_list(), table["b"].to_list()], axis=1))


@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_blocks_hold_every_row_once(random: Any, trials: list[int]) -> None:
    known = [context(name, k) for name, k in zip("abcd", (2, 5, 2, 1), strict=True)]
    frame = pl.concat([design.pairs([c], n, seed=4) for c, n in zip(known, trials, strict=True)])
    order = list(range(frame.height))
    random.shuffle(order)
    frame = frame[order]
    blocks = design.blocks(frame, known)
    assert sorted(row for block in blocks for row in block.rows.ravel()) == list(range(frame.height))
    for block in blocks:
        for place, rows, numbers, pairs in zip(block.places, block.rows, block.trials, block.pairs, strict=True):
            here = frame[rows]
            assert here["context"].unique().to_list() == [known[place].name]
            assert here["trial"].to_list() == numbers.tolist()
            assert np.array_equal(np.stack([here["a"].to_list(), here["b"].to_list()], axis=1), pairs)


BAD_ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"mins": [[1.0]], "maxs": [[1.0]]}, "maxs: expected a maximum above its minimum"),
    ({"mins": [[2.0]]}, "maxs: expected a maximum above its minimum"),
    ({"mins": [[float("nan")]]}, "mins: expected finite numbers, found NaN at flat index 0"),
    ({"maxs": [[float("inf")]]}, "maxs: expected finite numbers, found inf at flat index 0"),
    ({"mins": [[-1e308]], "maxs": [[1e308]]}, "maxs: expected a maximum above its minimum, by a finite range"),
    ({"mins": [0.0]}, r"mins: expected 2 dimensions, found shape \(1,\)"),
    ({"mins": [[0.0, 0.0]]}, r"maxs: expected the shape of mins, \(1, 2\), found shape \(1, 1\)"),
    ({"mins": [[]], "maxs": [[]]}, "mins: expected at least one attribute"),
    ({"mins": [[0.0], [0.0, 1.0]]}, "mins: expected an array of real numbers"),
    ({"mins": [["0"]]}, "mins: expected an array of real numbers"),
    ({"mins": [[1j]]}, "mins: expected an array of real numbers"),
    ({"trials": -1}, "trials: expected an integer from 0"),
    ({"trials": 2.0}, "trials: expected an integer, found 2.0"),
    ({"trials": 2**62}, "trials: expected as many as fit into memory"),
    ({"seed": -1}, "seed: expected an integer from 0"),
    ({"units": [1, 2]}, r"units: expected shape \(1,\), found shape \(2,\)"),
    ({"units": [-1]}, "units: expected an integer from 0"),
    ({"units": [0.5]}, "units: expected an integer, found 0.5"),
    ({"threads": -1}, "threads: expected an integer from 0"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ARRAYS)
def test_bad_arrays_are_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"mins": [[0.0]], "maxs": [[1.0]], "trials": 3, "seed": 0}
    with pytest.raises(InputError, match=f"^{message}"):
        design.pairs_arrays(**(good | change))


def test_bad_pairs_are_named() -> None:
    with pytest.raises(InputError, match=r"^pairs: expected shape \(1, trials, 2, 1\), found shape \(1, 1, 3, 1\)"):
        design.differences(np.zeros((1, 1, 3, 1)), [[0.0]], [[1.0]])
    with pytest.raises(InputError, match=r"^pairs: expected finite numbers, found NaN at flat index 1"):
        design.differences([[[[0.0], [np.nan]]]], [[0.0]], [[1.0]])
    with pytest.raises(InputError, match=r"^differences: expected finite numbers, found inf"):
        design.differences([[[[1e308], [-1e308]]]], [[0.0]], [[1.0]])


def test_bad_contexts_are_named() -> None:
    with pytest.raises(
        InputError, match=r"^name: expected context names used once, found 'a' in entries \[0\] and \[1\]"
    ):
        design.pairs([context("a"), context("a")], 1, seed=0)


BAD_TABLES: list[tuple[pl.Expr | str, str]] = [
    ("context", "pairs: expected a column 'context'"),
    ("b", "pairs: expected a column 'b'"),
    (pl.lit("z").alias("context"), "pairs, row 0, context: expected a known context, found 'z'"),
    (pl.lit(None, dtype=pl.String).alias("context"), "pairs, row 0, context: expected a known context, found None"),
    (pl.lit(0).alias("trial"), "pairs: expected each trial of a context once, found trial 0 of 'a' twice"),
    (pl.col("trial") - 1, "pairs, trial: expected integers from 0 up"),
    (pl.col("trial").cast(pl.Float64), "pairs, trial: expected integers from 0 up"),
    (pl.lit(None, dtype=pl.Int64).alias("trial"), "pairs, trial: expected integers from 0 up"),
    (pl.col("a").list.head(1), "pairs, row 0, a: expected 2 values, one per attribute, found 1 values"),
    (pl.col("a").list.head(0), "pairs, row 0, a: expected 2 values, one per attribute, found 0 values"),
    (pl.lit(None, dtype=pl.List(pl.Float64)).alias("b"), "pairs, row 0, b: expected 2 values"),
    (pl.lit("x").alias("a"), "pairs, a: expected lists of numbers"),
]


@pytest.mark.parametrize(("change", "message"), BAD_TABLES)
def test_bad_tables_are_named(change: pl.Expr | str, message: str) -> None:
    known = [context("a")]
    frame = design.pairs(known, 3, seed=0)
    with pytest.raises(InputError, match=f"^{message}"):
        design.blocks(frame.drop(change) if isinstance(change, str) else frame.with_columns(change), known)
