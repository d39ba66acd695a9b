"""Agents: targets fill the scale, choices follow the stated rule, and no result depends on its neighbours."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from avowal import agents, design
from avowal.agents import Decisions, Deterministic, Logistic, choices_arrays, decisions_arrays, targets_arrays
from avowal.contexts import Attribute, Context, arrays
from avowal.design import differences, pairs_arrays
from avowal.errors import InputError
from avowal.rng import Purpose, uniforms, unit_id

u64 = st.integers(0, 2**64 - 1)
shares = st.floats(-1, 1, allow_subnormal=False)
whole_weights = st.integers(-100, 100).map(float)


def context(name: str, k: int) -> Context:
    attributes = tuple(Attribute(f"attribute_{i}", "units", 0.0, 50.0 + i) for i in range(k))
    return Context(name, "Which?", attributes, None, None)


KNOWN = [context(name, k) for name, k in zip("abcd", (2, 5, 2, 1), strict=True)]
LOGISTIC = Logistic(4.0, 0.3, 0.1)


@given(u64, st.lists(u64, min_size=1, max_size=8), st.integers(1, 12), st.data())
def test_targets_are_whole_and_fill_the_scale(seed: int, units: list[int], k: int, data: st.DataObject) -> None:
    found = agents.targets_arrays(k, seed=seed, units=units)
    assert found.shape == (len(units), k)
    assert np.array_equal(found, np.rint(found))
    assert (np.abs(found).max(axis=1) == 100).all()
    order = data.draw(st.permutations(range(len(units))))
    assert np.array_equal(agents.targets_arrays(k, seed=seed, units=[units[i] for i in order]), found[order])


@given(u64, u64, st.integers(1, 12))
def test_targets_are_scaled_and_rounded_uniforms(seed: int, unit: int, k: int) -> None:
    drawn = [200 * u - 100 for u in uniforms(seed, Purpose.TARGETS, unit, 0, k).tolist()]
    expected = [round(100 * w / max(map(abs, drawn))) for w in drawn]
    assert agents.targets_arrays(k, seed=seed, units=[unit])[0].tolist() == expected


@given(u64, st.permutations(range(4)), st.integers(1, 4))
def test_a_contexts_targets_depend_on_no_other(seed: int, order: list[int], kept: int) -> None:
    whole = agents.targets(KNOWN, seed=seed)
    some = agents.targets([KNOWN[i] for i in order[:kept]], seed=seed)
    for i in order[:kept]:
        here = whole.filter(pl.col("context") == KNOWN[i].name)
        assert here["attribute"].to_list() == [attribute.name for attribute in KNOWN[i].attributes]
        assert here["position"].to_list() == list(range(len(KNOWN[i].attributes)))
        assert some.filter(pl.col("context") == KNOWN[i].name).equals(here)


@given(hnp.arrays(float, (3, 4, 2, 3), elements=shares), hnp.arrays(float, (3, 3), elements=whole_weights))
def test_utilities_are_weighted_shares(values: np.ndarray, weights: np.ndarray) -> None:
    low, high = np.full((3, 3), -1.0), np.full((3, 3), 3.0)
    found = agents.utilities(values, low, high, weights)
    expected = np.einsum("ctok,ck->cto", (values + 1) / 4, weights)
    assert np.allclose(found, expected, rtol=0, atol=1e-12)
    d = design.differences(values, low, high)
    assert np.allclose(found[..., 0] - found[..., 1], np.einsum("ctk,ck->ct", d, weights), rtol=0, atol=1e-12)


@given(hnp.arrays(float, (2, 6, 3), elements=shares), hnp.arrays(float, (2, 3), elements=whole_weights))
def test_swapping_options_swaps_choices_except_ties(d: np.ndarray, weights: np.ndarray) -> None:
    forth = agents.choices_arrays(d, weights, rule=Deterministic(), seed=0)
    back = agents.choices_arrays(-d, weights, rule=Deterministic(), seed=0)
    advantage = np.array(
        [[sum(w * x for w, x in zip(weights[c], d[c, t], strict=True)) for t in range(6)] for c in (0, 1)]
    )
    assert np.array_equal(forth, advantage > 0)
    assert np.array_equal(forth + back, advantage != 0)


def test_ties_go_to_b() -> None:
    assert agents.choices_arrays([[[0.5, -0.5]]], [[60, 60]], rule=Deterministic(), seed=0).tolist() == [[0]]


@given(
    u64,
    u64,
    u64,
    hnp.arrays(float, (1, 9, 2), elements=shares),
    st.floats(0, 50),
    st.floats(-5, 5),
    st.floats(0, 1),
)
def test_logistic_choices_compare_one_uniform_per_trial(
    seed: int, unit: int, replicate: int, d: np.ndarray, temperature: float, bias: float, lapse: float
) -> None:
    rule = Logistic(temperature, bias, lapse)
    found = agents.choices_arrays(d, [[100, -40]], rule=rule, seed=seed, units=[unit], replicate=replicate)
    log_odds = temperature * (d[0] @ [1.0, -0.4]) + bias
    p = lapse / 2 + (1 - lapse) / (1 + np.exp(-log_odds))
    draw = uniforms(seed, Purpose.CHOICES, unit, replicate, 9)
    decided = np.abs(p - draw) > 1e-12
    assert np.array_equal(found[0, decided], (draw < p)[decided])


def test_logistic_frequencies_match_the_formula() -> None:
    trials = 40_000
    rules = [(6.0, 0.0, 0.0), (2.0, 1.0, 0.0), (0.0, 0.0, 0.5), (50.0, -1.0, 0.2), (1.0, -2.0, 0.05), (3.0, 0.4, 1.0)]
    temperature, bias, lapse = np.array(rules).T
    d = np.linspace(-0.5, 0.5, len(rules))
    found = agents.choices_arrays(
        np.broadcast_to(d[:, None, None], (len(rules), trials, 1)),
        np.full((len(rules), 1), 80.0),
        rule=Logistic(temperature, bias, lapse),
        seed=11,
    )
    p = lapse / 2 + (1 - lapse) / (1 + np.exp(-(temperature * 0.8 * d + bias)))
    # Four standard errors, at six frequencies under one seed: a right formula fails in 1 of 2,600 seeds.
    assert (np.abs(found.mean(axis=1) - p) < 4 * np.sqrt(p * (1 - p) / trials)).all()


@given(u64, st.lists(u64, min_size=2, max_size=5, unique=True), st.data())
def test_order_subset_and_threads_change_no_choice(seed: int, units: list[int], data: st.DataObject) -> None:
    n, trials = len(units), 2**15 // 4
    d = np.sin(np.arange(n * trials * 3.0)).reshape(n, trials, 3)
    weights = np.linspace(-100, 100, n * 3).reshape(n, 3)
    bias = np.linspace(-1, 1, n)
    whole = agents.choices_arrays(d, weights, rule=Logistic(3.0, bias), seed=seed, units=units, threads=1)
    again = agents.choices_arrays(d, weights, rule=Logistic(3.0, bias), seed=seed, units=units, threads=2)
    assert np.array_equal(whole, again)
    order = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]
    picked = data.draw(st.lists(st.integers(0, trials - 1), min_size=1, max_size=10))
    some = agents.choices_arrays(
        d[order][:, picked],
        weights[order],
        rule=Logistic(3.0, bias[order]),
        seed=seed,
        units=[units[i] for i in order],
        trials=np.broadcast_to(picked, (len(order), len(picked))),
    )
    assert np.array_equal(some, whole[order][:, picked])


def test_replicates_are_other_random_numbers() -> None:
    d = np.zeros((1, 200, 1))
    first, second = (agents.choices_arrays(d, [[100]], rule=LOGISTIC, seed=1, replicate=r) for r in (0, 1))
    assert not np.array_equal(first, second)


@given(u64, st.data())
def test_a_row_of_choices_depends_on_no_other_row(seed: int, data: st.DataObject) -> None:
    pairs, targets = design.pairs(KNOWN, 5, seed=seed), agents.targets(KNOWN, seed=seed)
    rule = Logistic(5.0, np.array([0.0, 1.0, -1.0, 0.5]))
    whole = agents.choose(pairs, KNOWN, targets, rule=rule, seed=seed, model="m")
    assert whole.schema == {
        "model": pl.String,
        "context": pl.String,
        "trial": pl.Int64,
        "a": pl.List(pl.Float64),
        "b": pl.List(pl.Float64),
        "choice": pl.String,
        "failure": pl.String,
    }
    assert whole.select(pairs.columns).equals(pairs)
    assert whole["failure"].null_count() == pairs.height
    rows = data.draw(st.lists(st.integers(0, pairs.height - 1), unique=True))
    some = agents.choose(pairs[rows], KNOWN, targets[::-1], rule=rule, seed=seed, model="m", threads=2)
    assert some.equals(whole[rows])


def test_table_and_arrays_make_the_same_choices() -> None:
    pairs, targets = design.pairs(KNOWN[:1], 30, seed=2), agents.targets(KNOWN[:1], seed=2)
    low, high = arrays(KNOWN[:1])
    units = [unit_id("a")]
    d = design.differences(design.pairs_arrays(low, high, 30, seed=2, units=units), low, high)
    weights = agents.targets_arrays(2, seed=2, units=units)
    for rule in (Deterministic(), LOGISTIC):
        table = agents.choose(pairs, KNOWN, targets, rule=rule, seed=2)
        array = agents.choices_arrays(d, weights, rule=rule, seed=2, units=units)
        assert (table["choice"] == "A").to_numpy().astype(int).tolist() == array[0].tolist()


def published_pairs(folder: Path) -> pl.DataFrame:
    """Read the authors' training and validation pairs: question, a, b and the label that they trained on."""
    rows: dict[str, list[Any]] = {"question": [], "a": [], "b": [], "label": []}
    for name in ("instill_100_prefs.jsonl", "instill_100_prefs_val.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            _, user, assistant = json.loads(line)["messages"]
            question, shown = user["content"].split("\n\n", 1)[1].split("\nA:\n")
            rows["question"].append(question)
            for column, option in zip("ab", shown.split("\n\nB:\n"), strict=True):
                rows[column].append([float(item.split(": ")[1].split()[0]) for item in option.splitlines()])
            rows["label"].append(assistant["content"])
    return pl.DataFrame(rows)


def test_the_deterministic_rule_gives_the_authors_labels(published: Path) -> None:
    with (published / "scenarios.csv").open(encoding="utf-8", newline="") as file:
        scenarios = list(csv.DictReader(file))[:100]
    contexts = [
        Context(
            row["scenario"],
            row["question"],
            tuple(
                Attribute(row[f"attr{i}"], "", float(row[f"attr{i}_min"]), float(row[f"attr{i}_max"]))
                for i in range(1, 6)
            ),
            None,
            None,
        )
        for row in scenarios
    ]
    wide = pl.read_csv(published / "instilled_weights.csv").rename({"scenario": "context"})
    names = {(c.name, f"attr{i}"): a.name for c in contexts for i, a in enumerate(c.attributes, 1)}
    long = wide.head(100).unpivot(index="context", variable_name="column", value_name="weight")
    attribute = [names[key] for key in long.select("context", "column").iter_rows()]
    pairs = published_pairs(published).with_columns(
        context=pl.col("question").replace_strict({c.question: c.name for c in contexts}),
        trial=pl.int_range(pl.len()).over("question"),
    )
    targets = long.with_columns(attribute=pl.Series(attribute))
    found = agents.choose(pairs, contexts, targets, rule=Deterministic(), seed=0)
    assert found.height == 6000
    assert found["choice"].equals(pairs["label"].alias("choice"))


BAD_CHOICES: list[tuple[dict[str, Any], str]] = [
    ({"differences": [[[np.nan]]]}, "differences: expected finite numbers, found NaN at flat index 0"),
    ({"differences": [[0.0]]}, r"differences: expected 3 dimensions, found shape \(1, 1\)"),
    ({"differences": [[[]]]}, "differences: expected at least one attribute"),
    ({"differences": [[[1e308]]]}, "differences: expected values whose weighted sum is finite"),
    ({"weights": [[np.inf]]}, "weights: expected finite numbers, found inf at flat index 0"),
    ({"weights": [[1.0, 2.0]]}, r"weights: expected shape \(1, 1\), found shape \(1, 2\)"),
    ({"rule": Logistic(-1.0)}, "inverse_temperature: expected 0 or more, finite, found -1"),
    ({"rule": Logistic(np.inf)}, "inverse_temperature: expected 0 or more, finite, found inf"),
    ({"rule": Logistic(np.zeros(2))}, r"inverse_temperature: expected a number, or shape \(1,\), found shape \(2,\)"),
    ({"rule": Logistic(1.0, np.nan)}, "position_bias: expected finite numbers, found NaN"),
    ({"rule": Logistic(1.0, 0.0, 1.5)}, "lapse: expected a share from 0 to 1, found 1.5"),
    ({"rule": Logistic("hot")}, "inverse_temperature: expected an array of real numbers"),  # type: ignore[arg-type]
    ({"rule": "logistic"}, r"rule: expected Deterministic\(\) or Logistic\(...\), found 'logistic'"),
    ({"seed": -1}, "seed: expected an integer from 0"),
    ({"units": [0, 1]}, r"units: expected shape \(1,\), found shape \(2,\)"),
    ({"replicate": -1}, "replicate: expected an integer from 0"),
    ({"trials": [[-1]]}, "trials: expected an integer from 0"),
    ({"trials": [[0, 1]]}, r"trials: expected shape \(1, 1\), found shape \(1, 2\)"),
    ({"threads": -1}, "threads: expected an integer from 0"),
]


@pytest.mark.parametrize(("change", "message"), BAD_CHOICES)
def test_bad_arguments_of_choices_are_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"differences": [[[0.5]]], "weights": [[100.0]], "rule": LOGISTIC, "seed": 0}
    with pytest.raises(InputError, match=f"^{message}"):
        agents.choices_arrays(**(good | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [[0.0, 1.0]]}, r"values: expected shape \(1, ..., 1\), found shape \(1, 2\)"),
        ({"values": 0.0}, r"values: expected shape \(1, ..., 1\), found shape \(\)"),
        ({"values": [[np.nan]]}, "values: expected finite numbers, found NaN"),
        ({"mins": [[1.0]]}, "maxs: expected a maximum above its minimum"),
        ({"weights": [[np.nan]]}, "weights: expected finite numbers, found NaN"),
        ({"weights": [100.0]}, r"weights: expected 2 dimensions, found shape \(1,\)"),
    ],
)
def test_bad_arguments_of_utilities_are_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"values": [[0.0]], "mins": [[0.0]], "maxs": [[1.0]], "weights": [[100.0]]}
    with pytest.raises(InputError, match=f"^{message}"):
        agents.utilities(**(good | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": 0}, "attributes: expected 1 or more, found 0"),
        ({"attributes": -1}, "attributes: expected an integer from 0"),
        ({"attributes": 2**62}, "attributes: expected as many as fit into memory"),
        ({"seed": 2**64}, "seed: expected an integer from 0"),
        ({"units": [[1]]}, r"units: expected shape \(1,\), found shape \(1, 1\)"),
        ({"units": ["a"]}, "units: expected an integer, found 'a'"),
    ],
)
def test_bad_arguments_of_targets_are_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"attributes": 2, "seed": 0, "units": [1]}
    with pytest.raises(InputError, match=f"^{message}"):
        agents.targets_arrays(**(good | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop("weight"), "targets: expected a column 'weight'"),
        (lambda t: t[1:], "targets: expected a weight for attribute 'attribute_0' of 'a', found none"),
        (
            lambda t: pl.concat([t, t[:1]]),
            "targets: expected each attribute of a context once",
        ),
        (
            lambda t: t.with_columns(weight=None),
            "targets: expected a weight for attribute 'attribute_0' of 'a', found none",
        ),
        (lambda t: t.with_columns(weight=float("nan")), "weights: expected finite numbers, found NaN"),
        (lambda t: t.with_columns(weight=pl.lit("7")), "weights: expected an array of real numbers"),
    ],
)
def test_bad_targets_are_named(change: Any, message: str) -> None:
    known = KNOWN[:1]
    pairs, targets = design.pairs(known, 2, seed=0), agents.targets(known, seed=0)
    with pytest.raises(InputError, match=f"^{message}"):
        agents.choose(pairs, known, change(targets), rule=Deterministic(), seed=0)


def decided(threads: int = 1, **changed: Any) -> Decisions:
    arguments: dict[str, Any] = {"rule": Logistic(4.0, 0.3, 0.1), "seed": 5, "replicate": 2, "threads": threads}
    units = np.arange(19) * 7
    low = np.linspace(-5, 5, 19 * 4).reshape(19, 4)
    weights = targets_arrays(4, seed=5, units=units)
    return decisions_arrays(low, low + np.array([0.02, 0.5, 3, 40]), weights, 37, units=units, **(arguments | changed))


def test_decisions_are_pairs_and_the_choices_between_them() -> None:
    units = np.arange(19) * 7
    low = np.linspace(-5, 5, 19 * 4).reshape(19, 4)
    high = low + np.array([0.02, 0.5, 3, 40])
    shown = pairs_arrays(low, high, 37, seed=5, units=units)
    weights = targets_arrays(4, seed=5, units=units)
    d = differences(shown, low, high)
    for rule in (Deterministic(), Logistic(4.0, 0.3, 0.1), Logistic(np.linspace(0, 9, 19))):
        found = decided(rule=rule)
        assert found.pairs.tobytes() == shown.tobytes()
        assert (
            found.choices.tolist() == choices_arrays(d, weights, rule=rule, seed=5, units=units, replicate=2).tolist()
        )


@pytest.mark.parametrize("path", ["avx2", "portable"])
def test_decisions_are_the_same_on_every_path_and_number_of_threads(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = decided(threads=2)
    monkeypatch.setenv("AVOWAL_SIMD", path)
    try:
        found = decided()
    except InputError:
        pytest.skip(f"this processor has no {path}")
    assert [array.tobytes() for array in found] == [array.tobytes() for array in fastest]


def test_threads_change_no_decision_where_there_is_enough_to_share() -> None:
    low, high = np.zeros((700, 5)), np.array([100.0, 1, 0.3, 7, 4]) * np.ones((700, 1))
    weights = targets_arrays(5, seed=1, units=np.arange(700))
    one, two = (
        decisions_arrays(low, high, weights, 100, rule=Logistic(5.0), seed=1, threads=threads) for threads in (1, 2)
    )
    assert [array.tobytes() for array in one] == [array.tobytes() for array in two]
    shown = [pairs_arrays(low, high, 100, seed=1, threads=threads) for threads in (1, 2)]
    assert shown[0].tobytes() == shown[1].tobytes() == one.pairs.tobytes()
    d = differences(shown[0], low, high)
    for threads in (1, 2):
        assert np.array_equal(choices_arrays(d, weights, rule=Logistic(5.0), seed=1, threads=threads), one.choices)


def test_the_last_draw_there_is_has_no_next_one() -> None:
    def chosen(*trials: int) -> list[int]:
        d = np.zeros((1, len(trials), 1))
        return choices_arrays(d, [[1.0]], rule=Logistic(1.0), seed=1, trials=[trials])[0].tolist()

    assert chosen(2**64 - 1, 0, 1) == chosen(2**64 - 1) + chosen(0) + chosen(1)


def test_decisions_are_written_over_an_earlier_call() -> None:
    out = decided(seed=6)
    assert decided(out=out) is out
    assert [array.tobytes() for array in out] == [array.tobytes() for array in decided()]
    for bad in (
        Decisions(out.pairs[:, :5], out.choices),
        Decisions(out.pairs, out.choices.astype(float)),
        Decisions(out.pairs, out.choices[::-1]),
        Decisions([1.0], out.choices),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="out: expected contiguous"):
            decided(out=bad)


def test_decisions_that_cannot_be_are_errors() -> None:
    ends: tuple[Any, Any] = [[0.0]], [[1.0]]
    for weights, trials, message in (
        ([[math.nan]], 3, "weights: expected"),
        ([[1e308]], 3, "weights"),
        ([[1.0]], 2**62, "trials: expected as many as fit into memory"),
        ([[1.0, 2.0]], 3, "weights: expected"),
    ):
        with pytest.raises(InputError, match=message):
            decisions_arrays(*ends, weights, trials, rule=Deterministic(), seed=1)
    with pytest.raises(InputError, match="mins: expected 1 to 12 attributes"):
        decisions_arrays(np.zeros((1, 13)), np.ones((1, 13)), np.ones((1, 13)), 3, rule=Deterministic(), seed=1)
