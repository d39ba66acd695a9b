"""Recovery of weights: the calls that a fused replicate stands for, laws of its figures, and designs refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal.agents import Deterministic, Logistic, Rule, decisions_arrays, targets_arrays
from avowal.design import differences
from avowal.errors import InputError
from avowal.estimators import Map, Ridge
from avowal.fit import coefficients_arrays
from avowal.recovery import Recovery, recovery_arrays

LOW, HIGH = np.array([[0.0, 1, 500, 0], [-3, 0, 0, 10]]), np.array([[100.0, 5, 3000, 1], [3, 0.25, 9, 60]])
PLAIN: dict[str, Any] = {"agents": 20, "trials": 30, "replicates": 3, "rule": Logistic(5.0), "seed": 1}


def step_by_step(replicate: int, rule: Rule, estimator: Any, agents: int, trials: int) -> tuple[float, float, int]:
    """Return a replicate's figures by NumPy from the public calls."""
    units = np.arange(agents) + replicate * agents
    low, high = LOW[units % 2], HIGH[units % 2]
    targets = targets_arrays(4, seed=1, units=units)
    pairs, choices = decisions_arrays(low, high, targets, trials, rule=rule, seed=1, units=units)
    slopes = coefficients_arrays(differences(pairs, low, high), choices, estimator=estimator)[:, :4]
    known = choices.any(axis=1) & ~choices.all(axis=1)
    slopes, targets = slopes[known], targets[known]
    learned = 100 * slopes / np.abs(slopes).max(axis=1, keepdims=True)
    within = [np.corrcoef(*rows)[0, 1] for rows in zip(learned, targets, strict=True)]
    return np.corrcoef(learned.ravel(), targets.ravel())[0, 1], float(np.mean(within)), int(known.sum())


@pytest.mark.parametrize("estimator", [Map(), Map(intercept_scale=math.inf), Ridge(0.5)])
@pytest.mark.parametrize("rule", [Logistic(5.0), Logistic(2.0, position_bias=4.0, lapse=0.1), Deterministic()])
def test_a_replicate_is_the_calls_it_stands_for(rule: Rule, estimator: Any) -> None:
    found = recovery_arrays(LOW, HIGH, **{**PLAIN, "rule": rule}, estimator=estimator)
    for replicate in range(3):
        expected = step_by_step(replicate, rule, estimator, 20, 30)
        assert np.allclose([column[replicate] for column in found], expected, rtol=0, atol=1e-12)


def bits(found: Recovery) -> list[bytes]:
    return [column.tobytes() for column in found]


@pytest.mark.parametrize("path", ["avx2", "portable"])
def test_replicates_are_the_same_bits_on_every_path(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = recovery_arrays(LOW, HIGH, **PLAIN)
    monkeypatch.setenv("AVOWAL_SIMD", path)
    try:
        found = recovery_arrays(LOW, HIGH, **PLAIN)
    except InputError:
        pytest.skip(f"this processor has no {path}")
    assert bits(found) == bits(fastest)


@settings(deadline=None, max_examples=15)
@given(agents=st.integers(1, 300), first=st.integers(0, 5), count=st.integers(0, 4))
def test_neither_threads_nor_other_replicates_matter(agents: int, first: int, count: int) -> None:
    rest = {**PLAIN, "agents": agents}
    everything = recovery_arrays(LOW, HIGH, **{**rest, "replicates": 9}, threads=2)
    some = recovery_arrays(LOW, HIGH, **{**rest, "replicates": count}, first=first, threads=1)
    assert bits(some) == bits(Recovery(*(column[first : first + count] for column in everything)))


def test_more_decisions_and_clearer_ones_tell_more() -> None:
    def mean(trials: int, rule: Rule) -> float:
        return float(recovery_arrays(LOW, HIGH, agents=50, trials=trials, replicates=20, rule=rule, seed=2).r.mean())

    assert mean(20, Logistic(4.0)) + 0.05 < mean(80, Logistic(4.0)) < 1
    assert mean(40, Logistic(1.0)) + 0.1 < mean(40, Logistic(6.0))
    assert abs(mean(40, Logistic(0.0))) < 0.1


def test_agents_who_always_choose_alike_are_left_out() -> None:
    found = recovery_arrays(LOW, HIGH, **{**PLAIN, "rule": Logistic(0.0, position_bias=50.0)})
    assert found.agents.tolist() == [0, 0, 0]
    assert np.isnan([found.r, found.r_within]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"agents": 0}, "agents: expected 1 or more"),
        ({"trials": 4}, "trials: expected more than 4, the number of attributes"),
        ({"estimator": "firth"}, "estimator: expected map or ridge"),
        ({"agents": 2**50}, "agents: expected few enough to fit in memory"),
        ({"agents": 2**62, "replicates": 5}, "agents: expected fewer than 2\\^64 in all"),
        ({"trials": 2**50}, "trials: expected few enough to fit in memory"),
        ({"rule": Logistic(np.array([1.0, 2.0]))}, "inverse_temperature: expected a number"),
        ({"rule": "best"}, "rule: expected"),
        ({"first": 2**64 - 1}, "agents: expected fewer than 2\\^64 in all"),
        ({"replicates": 2**62, "agents": 1}, "replicates: expected few enough to fit in memory"),
        ({"seed": -1}, "seed: expected"),
    ],
)
def test_designs_that_are_none_are_errors(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recovery_arrays(LOW, HIGH, **(PLAIN | changed))


def test_more_attributes_than_the_lanes_take_are_an_error() -> None:
    with pytest.raises(InputError, match="mins: expected 1 to 12 attributes"):
        recovery_arrays(np.zeros((1, 13)), np.ones((1, 13)), **PLAIN)
