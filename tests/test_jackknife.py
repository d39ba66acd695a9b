"""Leaving out a context by sums leaves it out of the data; combinations and the bootstrap follow their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.intervals import bca, percentile
from avowal.jackknife import Cell, combination, context_bootstrap, jackknife, without_each

seeds = st.integers(0, 2**32 - 1)


def cell(seed: int, contexts: int = 12, attributes: int = 5, groups: int = 1, rho: float = 0.5) -> Cell:
    """Draw entries with a scale and a shift per context, shuffled, the groups holding alternate contexts."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(contexts, attributes))
    s = rho * w + np.sqrt(1 - rho**2) * rng.normal(size=w.shape)
    s = s * rng.lognormal(sigma=0.5, size=(contexts, 1)) + rng.normal(scale=0.3, size=(contexts, 1))
    ids = np.repeat(np.arange(contexts), attributes)
    order = rng.permutation(w.size)
    return Cell(50 * w.ravel()[order], 20 * s.ravel()[order] + 7, ids[order], ids[order] % groups)


def kept(entries: Cell, mask: np.ndarray) -> Cell:
    return Cell(*(np.asarray(v)[mask] for v in (entries.weights, entries.reports, entries.contexts, entries.groups)))


def brute_force(entries: Cell, ids: np.ndarray) -> np.ndarray:
    """Correlate anew without each of the contexts."""
    rest = (kept(entries, np.asarray(entries.contexts) != i) for i in ids)
    return np.array([pearson(c.weights, c.reports, groups=c.groups).r for c in rest])


@given(seeds, st.integers(4, 20), st.integers(2, 6), st.integers(1, 3))
def test_left_out_by_sums_is_left_out_of_the_data(seed: int, contexts: int, attributes: int, groups: int) -> None:
    entries = cell(seed, contexts, attributes, groups)
    expected = [np.nan if r is None else r for r in brute_force(entries, np.arange(contexts))]
    assert without_each(entries) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_one_context_with_nearly_all_the_variation_leaves_no_trace() -> None:
    entries = cell(4)
    first = np.asarray(entries.contexts) == 0
    wild = replace(entries, reports=np.where(first, 1e12, 1.0) * entries.reports)
    assert without_each(wild)[0] == pytest.approx(without_each(entries)[0], abs=1e-12)


@given(seeds, st.integers(1, 2), st.sampled_from([0.8, 0.95]))
def test_interval_is_the_formula(seed: int, groups: int, level: float) -> None:
    entries = cell(seed, 10, groups=groups)
    zs = np.arctanh(brute_force(entries, np.arange(10)).astype(float))
    se = np.sqrt(0.9 * np.sum((zs - zs.mean()) ** 2))
    z = np.arctanh(pearson(entries.weights, entries.reports, groups=entries.groups).r)
    corrected = 10 * z - 9 * zs.mean()
    df = min(9, 2 / (stats.kurtosis(zs) / 10 + 2 / 9))
    found = jackknife([entries], level=level).cells[0]
    assert (found.z, found.z_se, found.df) == pytest.approx((corrected, se, df), rel=1e-6, abs=1e-9)
    ends = np.tanh(corrected + np.array([-1, 1]) * se * stats.t.ppf((1 + level) / 2, df))
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-6, abs=1e-8)


def paired(seed: int) -> list[Cell]:
    """Draw two correlations that share contexts, of which each lacks some, and their deletions' covariance."""
    before, after = cell(seed, 14, rho=0.4), cell(seed, 14, rho=0.8)
    return [
        kept(before, np.asarray(before.contexts) > 1),
        kept(after, np.asarray(after.contexts) < 11),
        cell(seed + 1, 9),
    ]


@given(seeds)
def test_dependence_is_that_of_the_deletions(seed: int) -> None:
    cells = paired(seed)
    moves = np.zeros((3, 14))
    for row, entries in zip(moves, cells, strict=True):
        ids = np.unique(entries.contexts)
        zs = np.arctanh(brute_force(entries, ids).astype(float))
        row[ids] = zs - zs.mean()
    size = np.linalg.norm(moves, axis=1)
    assert jackknife(cells).dependence == pytest.approx(moves @ moves.T / np.outer(size, size), abs=1e-7)


@given(seeds, st.tuples(*[st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])] * 3).filter(any))
def test_combination_is_zous(seed: int, coefficients: tuple[float, ...]) -> None:
    cells = paired(seed)
    parts = jackknife(cells)
    a = np.array(coefficients)
    r, low, high, z, se = (np.array([getattr(c, f) for c in parts.cells]) for f in ("r", "low", "high", "z", "z_se"))
    middle = np.tanh(z)
    centre = a @ middle
    down = a * np.where(a > 0, middle - low, high - middle)
    up = a * np.where(a > 0, high - middle, middle - low)
    found = combination(cells, coefficients)
    assert found.estimate == pytest.approx(a @ r, abs=1e-12)
    assert found.low == pytest.approx(centre - np.sqrt(max(0, down @ parts.dependence @ down)), abs=1e-8)
    assert found.high == pytest.approx(centre + np.sqrt(max(0, up @ parts.dependence @ up)), abs=1e-8)
    assert found.z == pytest.approx(a @ z, abs=1e-12)
    assert found.z_se == pytest.approx(np.sqrt(max(0, (a * se) @ parts.dependence @ (a * se))), abs=1e-8)
    reach = found.z_se * stats.t.ppf(0.975, found.df)
    assert (found.z_low, found.z_high) == pytest.approx((found.z - reach, found.z + reach), abs=1e-8)


def test_zous_two_correlations() -> None:
    """For a difference of two this is Zou's equation for dependent correlations: the covariance is taken off."""
    cells = paired(8)[:2]
    parts, found = jackknife(cells), combination(cells, [-1, 1])
    (one, two), c = parts.cells, parts.dependence[0, 1]
    from_one, from_two = np.tanh(one.z), np.tanh(two.z)
    gain = from_two - from_one
    lower, upper = from_two - two.low, one.high - from_one
    assert found.low == pytest.approx(gain - np.sqrt(lower**2 + upper**2 - 2 * c * lower * upper), abs=1e-12)
    lower, upper = from_one - one.low, two.high - from_two
    assert found.high == pytest.approx(gain + np.sqrt(lower**2 + upper**2 - 2 * c * lower * upper), abs=1e-12)


def test_single_cell_combination_is_its_own_interval() -> None:
    entries = cell(3)
    alone, found = jackknife([entries]).cells[0], combination([entries], [1])
    assert (found.estimate, found.low, found.high) == pytest.approx((alone.r, alone.low, alone.high), abs=1e-12)
    turned = combination([entries], [-2])
    assert (turned.low, turned.high) == pytest.approx((-2 * alone.high, -2 * alone.low), abs=1e-12)


def test_a_cell_minus_itself_is_zero_for_certain() -> None:
    found = combination([cell(6), cell(6)], [1, -1])
    assert (found.estimate, found.z) == (0, 0)
    assert (found.z_low, found.z_high) == pytest.approx((0, 0), abs=1e-7)


@given(seeds)
def test_neighbours_change_no_interval(seed: int) -> None:
    cells = paired(seed)
    together = jackknife(cells).cells
    assert together == tuple(jackknife([c]).cells[0] for c in cells)


@given(seeds, seeds)
def test_order_of_entries_and_names_of_contexts_change_nothing(seed: int, shuffle: int) -> None:
    rng = np.random.default_rng(shuffle)
    entries = cell(seed, groups=2)
    names = rng.permutation([f"context {i}" for i in range(12)])
    mixed = kept(replace(entries, contexts=names[np.asarray(entries.contexts)]), rng.permutation(60))
    one, two = jackknife([entries]).cells[0], jackknife([mixed]).cells[0]
    assert (one.r, one.z_se, one.low, one.high) == pytest.approx((two.r, two.z_se, two.low, two.high), abs=1e-10)


@given(seeds, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_affine_maps_change_no_interval(seed: int, scale: float, shift: float) -> None:
    entries = cell(seed, groups=2)
    first = np.asarray(entries.groups) == 0
    moved = replace(
        entries,
        weights=scale * np.asarray(entries.weights) + shift,
        reports=np.where(first, scale * np.asarray(entries.reports) - shift, entries.reports),
    )
    one, two = jackknife([entries]).cells[0], jackknife([moved]).cells[0]
    assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-7)


def test_what_cannot_be_known_has_a_status() -> None:
    line = np.arange(12.0)
    ids = np.repeat(np.arange(4), 3)
    one_varies = np.where(ids == 0, line, 5.0)
    cells = {
        "too few entries": Cell([1, 2], [2, 1], [0, 1]),
        "no variation": Cell(np.ones(12), line, ids),
        "perfect correlation": Cell(line, 3 * line + 1, ids),
        "too few contexts": Cell(line, np.sin(line), ids // 2),
        "undefined with one left out": Cell(one_varies, np.sin(line), ids),
        "ok": Cell(line, np.sin(line), ids),
    }
    found = jackknife(list(cells.values()))
    assert [c.status for c in found.cells] == list(cells)
    for status, one in zip(cells, found.cells, strict=True):
        assert (one.low is None) == (one.z is None) == (status != "ok")
    assert [c.r is None for c in found.cells] == [True, True, False, False, False, False]
    assert found.cells[2].r == pytest.approx(1)
    assert np.isnan(found.dependence[:5]).all()
    assert found.dependence[5, 5] == 1
    gain = combination(list(cells.values()), [0, 0, 0, 1, 0, -1])
    assert gain.status == "too few contexts"
    assert gain.estimate == pytest.approx(found.cells[3].r - found.cells[5].r)
    assert gain.low is None
    assert combination(list(cells.values()), [1, 0, 0, 0, 0, -1]).estimate is None
    assert combination(list(cells.values()), [0, 0, 0, 0, 0, 1]).status == "ok"


def test_bootstrap_is_the_correlation_of_drawn_contexts() -> None:
    """Every replicate must be a multiset of contexts; with three contexts there are ten, and all of them occur."""
    entries = cell(2, contexts=3, groups=1)
    ids = np.asarray(entries.contexts)
    possible = set()
    for a in range(3):
        for b in range(a, 3):
            for c in range(b, 3):
                rows = np.concatenate([np.flatnonzero(ids == k) for k in (a, b, c)])
                possible.add(round(pearson(np.asarray(entries.weights)[rows], np.asarray(entries.reports)[rows]).r, 9))
    found = context_bootstrap(entries, replicates=2000, seed=1)
    assert {round(r, 9) for r in found.draws.tolist()} == possible
    assert (found.undefined, found.contexts, found.status) == (0, 3, "ok")


@settings(max_examples=20)
@given(seeds, seeds)
def test_bootstrap_depends_on_seed_and_replicate_alone(data: int, seed: int) -> None:
    entries = cell(data, groups=2)
    one = context_bootstrap(entries, replicates=600, seed=seed, threads=1)
    two = context_bootstrap(entries, replicates=600, seed=seed, threads=2)
    fewer = context_bootstrap(entries, replicates=300, seed=seed, threads=2)
    assert (one.draws == two.draws).all()
    assert (one.bca, one.percentile) == (two.bca, two.percentile)
    assert (one.draws[:300] == fewer.draws).all()
    mixed = kept(entries, np.random.default_rng(data).permutation(60))
    assert context_bootstrap(mixed, replicates=300, seed=seed).draws == pytest.approx(fewer.draws, abs=1e-12)


def test_bootstrap_spread_is_the_jackknifes() -> None:
    entries = cell(9, contexts=400)
    found, wanted = context_bootstrap(entries, replicates=4000, seed=7), jackknife([entries]).cells[0]
    assert np.arctanh(found.draws).std() == pytest.approx(wanted.z_se, rel=0.06)
    assert found.percentile.low < found.r < found.percentile.high


def test_bootstrap_intervals_are_those_of_its_draws() -> None:
    entries = cell(12, groups=2)
    found = context_bootstrap(entries, replicates=999, level=0.9)
    assert found.percentile == percentile(found.draws, level=0.9)
    assert found.bca == bca(found.draws, found.r, without_each(entries), level=0.9)


def test_replicates_without_a_correlation_are_counted() -> None:
    ids = np.repeat(np.arange(4), 3)
    entries = Cell(np.where(ids == 0, np.arange(12.0), 5.0), np.sin(np.arange(12)), ids)
    found = context_bootstrap(entries, replicates=4000, seed=1)
    # A replicate misses the one context that varies with probability (3/4)^4 = .316.
    assert found.undefined / 4000 == pytest.approx(0.75**4, abs=0.03)
    assert len(found.draws) + found.undefined == found.replicates
    assert found.bca.status == "undefined with one left out"
    flat = context_bootstrap(Cell(np.ones(12), np.arange(12.0), ids), replicates=10)
    assert (flat.r, flat.status, flat.bca.status, flat.percentile.low) == (None, "no variation", "no variation", None)


def test_bad_input_names_the_argument() -> None:
    entries = cell(1)
    with pytest.raises(InputError, match=r"cells\[1\].contexts: expected 60 values, found shape \(3,\)"):
        jackknife([entries, replace(entries, contexts=[1, 2, 3])])
    with pytest.raises(InputError, match="cells: expected at least one cell"):
        jackknife([])
    with pytest.raises(InputError, match="contexts: expected numbers in all cells or names in all cells"):
        jackknife([entries, replace(entries, contexts=np.asarray(entries.contexts).astype(str))])
    with pytest.raises(InputError, match="coefficients: expected 1 values, found 2"):
        combination([entries], [1, -1])
    with pytest.raises(InputError, match="coefficients: expected at least one other than 0"):
        combination([entries], [0])
    with pytest.raises(InputError, match="replicates: expected at least one"):
        context_bootstrap(entries, replicates=0)
    with pytest.raises(InputError, match="seed: expected an integer"):
        context_bootstrap(entries, seed=-1)
