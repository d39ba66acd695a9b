"""Simulated reports are as true as asked for, and no reply depends on any other."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from frames import context, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal import agents
from avowal.accuracy import accuracy
from avowal.errors import InputError
from avowal.reports import INVALID, SPREAD, Reporting, report
from avowal.tables import REPORTS

u64 = st.integers(0, 2**64 - 1)
KNOWN = [context(name, k) for name, k in zip("abcde", (2, 5, 3, 1, 4), strict=True)]
TARGETS = agents.targets(KNOWN, seed=5)
NOISY = Reporting(0.5, noise=20, invalid=0.3)
few = settings(max_examples=30)


@pytest.mark.parametrize("fidelity", [-1.0, -0.4, 0.0, 0.6, 0.9, 1.0])
def test_fidelity_is_the_correlation_of_beliefs_with_unscaled_weights(fidelity: float) -> None:
    many, rng = [context(f"c{i}", 5) for i in range(1500)], np.random.default_rng(0)
    true = rng.uniform(-100, 100, (1500, 5))
    held = weights({each.name: w.tolist() for each, w in zip(many, true, strict=True)})
    found = report(held, many, 1, how=Reporting(fidelity, noise=0, step=1e-6), seed=4)
    said = np.array(found["report"].to_list())
    r = np.corrcoef(said.ravel(), true.ravel())[0, 1]
    assert r == pytest.approx(fidelity, abs=0.035)
    # Reports end at ±100, which costs a little fidelity; the same rule in NumPy says how much.
    other = fidelity * true + np.sqrt(1 - fidelity**2) * SPREAD * rng.normal(size=true.shape)
    assert r == pytest.approx(np.corrcoef(np.clip(other, -100, 100).ravel(), true.ravel())[0, 1], abs=0.035)


def test_perfect_reporters_are_perfectly_accurate_and_liars_perfectly_wrong() -> None:
    for fidelity, expected in ((1.0, 1.0), (-1.0, -1.0)):
        found = report(TARGETS, KNOWN, 2, how=Reporting(fidelity, noise=0, step=1), seed=1)
        assert accuracy(TARGETS, found).r == pytest.approx(expected, abs=1e-9)


def test_noise_is_as_wide_as_asked_for_and_averages_out() -> None:
    held = weights({"b": [0.0] * 5})
    found = report(held, KNOWN[1:2], 4000, how=Reporting(1.0, noise=20, step=1e-6), seed=2)
    said = np.array(found["report"].to_list())
    assert said.std(axis=0, ddof=1) == pytest.approx(20, rel=0.05)
    assert said.mean(axis=0) == pytest.approx(0, abs=4 * 20 / np.sqrt(4000))
    assert abs(np.corrcoef(said.T)[np.triu_indices(5, 1)]).max() < 0.06


def test_invalid_replies_come_at_the_rate_asked_for_and_say_nothing_of_the_belief() -> None:
    found = report(TARGETS, KNOWN, 800, how=Reporting(0.5, noise=20, invalid=0.2), seed=9)
    rate = found["report"].is_null().mean()
    assert rate == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / len(found)))
    assert found.filter(pl.col("report").is_null())["failure"].unique().to_list() == [INVALID]
    assert (
        found.filter(pl.col("report").is_not_null())["failure"].null_count()
        == len(found) - found["report"].null_count()
    )
    valid = report(TARGETS, KNOWN, 800, how=Reporting(0.5, noise=20), seed=9)
    kept = found.filter(pl.col("report").is_not_null())
    same = kept.join(valid, on=["context", "reply"], maintain_order="left")
    assert same["report"].to_list() == same["report_right"].to_list()
    assert report(TARGETS, KNOWN, 9, how=Reporting(0.5, invalid=1), seed=9)["report"].null_count() == 45


@few
@given(u64, st.integers(0, 6), st.integers(0, 6))
def test_more_replies_extend_the_same_sequence(seed: int, count: int, more: int) -> None:
    short = report(TARGETS, KNOWN, count, how=NOISY, seed=seed)
    long = report(TARGETS, KNOWN, count + more, how=NOISY, seed=seed)
    assert long.filter(pl.col("reply") < count).equals(short)
    assert dict(long.schema) == dict(REPORTS)
    assert len(long) == 5 * (count + more)


@few
@given(u64, st.permutations(range(5)), st.integers(1, 5))
def test_a_contexts_replies_depend_on_neither_order_nor_company(seed: int, order: list[int], kept: int) -> None:
    some = [KNOWN[i] for i in order[:kept]]
    whole = report(TARGETS, KNOWN, 3, how=NOISY, seed=seed)
    part = report(TARGETS.reverse(), some, 3, how=NOISY, seed=seed)
    assert part["context"].unique(maintain_order=True).to_list() == [each.name for each in some]
    for each in some:
        assert part.filter(pl.col("context") == each.name).equals(whole.filter(pl.col("context") == each.name))


def test_sets_and_seeds_differ() -> None:
    one = report(TARGETS, KNOWN, 3, how=NOISY, seed=1)
    assert not one.equals(report(TARGETS, KNOWN, 3, how=NOISY, seed=2))
    other = report(TARGETS, KNOWN, 3, how=NOISY, seed=1, name="other", model="m")
    assert other["report"].to_list() != one["report"].to_list()
    assert other["set"].unique().to_list() == ["other"]
    assert other["model"].unique().to_list() == ["m"]


@few
@given(u64, st.sampled_from([0.5, 1.0, 5.0, 10.0, 25.0]))
def test_reports_are_multiples_of_the_step_within_the_scale(seed: int, step: float) -> None:
    said = report(TARGETS, KNOWN, 3, how=Reporting(0.3, noise=60, step=step), seed=seed)["report"].explode().to_numpy()
    assert (abs(said) <= 100).all()
    assert (said / step == np.round(said / step)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fidelity": 1.01}, "fidelity: expected a number from -1 to 1, found 1.01"),
        ({"fidelity": float("nan")}, "fidelity"),
        ({"noise": -1}, "noise: expected a number of 0 or more"),
        ({"noise": float("inf")}, "noise"),
        ({"step": 0}, "step: expected a positive number, found 0"),
        ({"step": float("nan")}, "step"),
        ({"invalid": 1.5}, "invalid: expected a number from 0 to 1"),
        ({"invalid": float("nan")}, "invalid"),
    ],
)
def test_bad_settings_are_named(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Reporting(**{"fidelity": 0.5, **change})


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"a": [1, 2, 3]}, r"weights: expected 2 weights for 'a', found \[1.0, 2.0, 3.0\]"),
        ({"b": [1, 2]}, "expected 2 weights for 'a', found none"),
        ({"a": [1, None]}, "expected 2 weights for 'a'"),
        ({"a": [1, float("nan")]}, "expected 2 weights for 'a'"),
    ],
)
def test_bad_weights_are_named(held: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        report(weights(held), KNOWN[:1], 1, how=NOISY, seed=1)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(InputError, match="replies"):
        report(TARGETS, KNOWN, -1, how=NOISY, seed=1)
    with pytest.raises(InputError, match="seed"):
        report(TARGETS, KNOWN, 1, how=NOISY, seed=-1)
    with pytest.raises(InputError, match="distinct names"):
        report(TARGETS, [KNOWN[0], KNOWN[0]], 1, how=NOISY, seed=1)
    with pytest.raises(InputError, match="column 'position'"):
        report(TARGETS.drop("position"), KNOWN, 1, how=NOISY, seed=1)
