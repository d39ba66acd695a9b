"""Trials are the table's valid choices in units of the ranges, agent after agent, and every row is accounted for."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest
from frames import choices, context
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.trials import Trials, by_name, from_choices

KNOWN = [context("two", 2), context("five", 5), context("also two", 2), context("one", 1)]
WIDTHS = {each.name: len(each.attributes) for each in KNOWN}


def row(model: str, name: str, trial: int, rng: np.random.Generator, choice: str | None) -> tuple:
    a, b = (rng.uniform(0, 10, WIDTHS[name]).tolist() for _ in range(2))
    return (model, name, trial, a, b, choice, None if choice else "refusal")


@st.composite
def rows(draw: st.DrawFn) -> list[tuple]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    keys = draw(st.lists(st.tuples(st.sampled_from("mn"), st.sampled_from(list(WIDTHS))), max_size=25))
    return [row(model, name, i, rng, draw(st.sampled_from(["A", "B", None]))) for i, (model, name) in enumerate(keys)]


@settings(max_examples=60)
@given(rows())
def test_every_row_is_found_again_in_its_agent(table: list[tuple]) -> None:
    parts = from_choices(choices(table), KNOWN)
    assert sorted(part.differences.shape[1] for part in parts) == sorted({WIDTHS[r[1]] for r in table})
    assert sorted(k for part in parts for k in part.keys) == sorted({(r[0], r[1]) for r in table})
    for part in parts:
        assert part.offsets[0] == 0
        assert part.offsets[-1] == len(part.choices) == len(part.differences)
        for agent, key in enumerate(part.keys):
            own = [r for r in table if (r[0], r[1]) == key]
            valid = [r for r in own if r[5] is not None]
            here = slice(int(part.offsets[agent]), int(part.offsets[agent + 1]))
            assert part.choices[here].tolist() == [int(r[5] == "A") for r in valid]
            width = 10.0 + np.arange(WIDTHS[key[1]])
            expected = [(np.array(r[3]) - np.array(r[4])) / width for r in valid]
            assert np.allclose(part.differences[here], np.array(expected).reshape(-1, WIDTHS[key[1]]), atol=1e-15)
            account = part.accounts[agent]
            assert (account.planned, account.valid) == (len(own), len(valid))
            assert dict(account.failed) == ({"refusal": len(own) - len(valid)} if len(own) > len(valid) else {})


@settings(max_examples=30)
@given(rows(), st.randoms(use_true_random=False))
def test_interleaving_agents_changes_no_agent(table: list[tuple], random: Random) -> None:
    keys = list({(r[0], r[1]) for r in table})
    random.shuffle(keys)
    together = [r for key in keys for r in table if (r[0], r[1]) == key]

    def by_agent(parts: list[Trials]) -> dict:
        return {
            key: (part.differences[s].tolist(), part.choices[s].tolist(), part.accounts[i])
            for part in parts
            for i, key in enumerate(part.keys)
            for s in [slice(int(part.offsets[i]), int(part.offsets[i + 1]))]
        }

    assert by_agent(from_choices(choices(together), KNOWN)) == by_agent(from_choices(choices(table), KNOWN))


@settings(max_examples=30)
@given(rows(), st.integers(0, 2**32 - 1))
def test_selected_trials_stay_with_their_agents(table: list[tuple], seed: int) -> None:
    for part in from_choices(choices(table), KNOWN):
        which = np.random.default_rng(seed).random(len(part.choices)) < 0.5
        kept = part.select(which)
        owner = np.repeat(np.arange(len(part.keys)), np.diff(part.offsets).astype(int))
        assert np.diff(kept.offsets).tolist() == [int(which[owner == i].sum()) for i in range(len(part.keys))]
        assert np.array_equal(kept.differences, part.differences[which])
        counted = [i for n in np.diff(part.offsets).tolist() for i in range(int(n))]
        assert part.position().tolist() == counted


def test_agents_of_failures_alone_are_kept_with_their_account() -> None:
    rng = np.random.default_rng(0)
    (part,) = from_choices(choices([row("m", "two", i, rng, None) for i in range(3)]), KNOWN)
    assert part.keys == (("m", "two"),)
    assert part.differences.shape == (0, 2)
    assert part.offsets.tolist() == [0, 0]
    assert part.accounts[0].failed == {"refusal": 3}
    assert from_choices(choices([]), KNOWN) == []


GOOD = ("m", "two", 0, [1.0, 2.0], [3.0, 4.0], "A", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: "three"}, "choices, context: expected a known context, found 'three'"),
        ({1: None}, "choices, context: expected a value in every row"),
        ({0: None}, "choices, model: expected a value in every row"),
        ({2: 1}, "choices, trial: expected each trial of a model and context once, found trial 1 of m, two"),
        ({5: "C"}, "choices, choice: expected A, B or null, found 'C'"),
        ({5: "a"}, "expected A, B or null, found 'a'"),
        ({5: None}, "choices, failure: expected a reason where the choice is null, found none at m, two, trial 0"),
        ({3: [1.0]}, r"choices, a: expected 2 values, found \[1.0\] at two, trial 0"),
        ({4: None}, "choices, b: expected 2 values, found None"),
        ({4: []}, r"choices, b: expected 2 values, found \[\]"),
        ({3: [1.0, None]}, "choices, a: expected finite values"),
        ({4: [1.0, float("inf")]}, "choices, b: expected finite values, found .* at two, trial 0"),
    ],
)
def test_bad_rows_are_named(change: dict, message: str) -> None:
    bad = tuple(change.get(i, value) for i, value in enumerate(GOOD))
    first = (*GOOD[:2], 1, *GOOD[3:])
    with pytest.raises(InputError, match=message):
        from_choices(choices([first, bad]), KNOWN)


def test_bad_tables_and_contexts_are_named() -> None:
    with pytest.raises(InputError, match="choices, trial: expected a column"):
        from_choices(choices([GOOD]).drop("trial"), KNOWN)
    with pytest.raises(InputError, match=r"choices: expected .*trial of Int64"):
        from_choices(choices([GOOD]).with_columns(pl.lit("x").alias("trial")), KNOWN)
    with pytest.raises(InputError, match="contexts: expected distinct names, found 'two' twice"):
        by_name([KNOWN[0], KNOWN[0]])
