"""Bootstrap: intervals redone by hand from the same resamples, the same numbers anywhere, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from avowal.account import Account
from avowal.bootstrap import ArrayBootstrap, agent_units, bootstrap, bootstrap_ragged, laplace_draws
from avowal.contexts import Attribute, Context
from avowal.errors import InputError
from avowal.estimators import Map
from avowal.fit import ArrayFit, fit_arrays, fit_ragged
from avowal.rng import Purpose, uniforms
from avowal.tables import CHOICES, WEIGHT_INTERVALS
from avowal.trials import Trials


def simulate(seed: int, sizes: list[int], k: int = 2, strength: float = 1.0) -> Trials:
    draw = np.random.default_rng(seed)
    n = sum(sizes)
    x = draw.uniform(size=(n, k)) - draw.uniform(size=(n, k))
    weights = np.repeat(strength * draw.uniform(-1, 1, (len(sizes), k)), sizes, axis=0)
    y = draw.uniform(size=n) < 1 / (1 + np.exp(-(x * weights).sum(axis=1)))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
    return Trials(tuple(("m", str(i)) for i in range(len(sizes))), x, y.astype(np.uint8), offsets, ())


def refit(trials: Trials, agent: int, rows: list[np.ndarray], scaled: bool, **options: Any) -> np.ndarray:
    """Fit an agent to each list of its trials: the statistic, a row each, NaN where there is none."""
    begin = int(trials.offsets[agent])
    chosen = np.concatenate([begin + r for r in rows])
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.uint64)
    found = fit_ragged(trials.differences[chosen], trials.choices[chosen], offsets, **options)
    if not scaled:
        return np.column_stack([found.slopes, found.intercepts])
    alike = np.array([len(set(trials.choices[begin + r])) == 1 for r in rows])
    weights = found.slopes / np.abs(found.slopes).max(axis=1, keepdims=True) * 100
    return np.where(alike[:, None], np.nan, weights)


def by_hand(
    trials: Trials, agent: int, resamples: int, seed: int, level: float, scaled: bool, **options: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws, percentile ends and BCa ends of one agent, shape (2, entries); NaN for an undefined interval."""
    size = int(trials.offsets[agent + 1] - trials.offsets[agent])
    picks = [
        (uniforms(seed, Purpose.TRIAL_BOOTSTRAP, agent, r, size) * size).astype(np.int64) for r in range(resamples)
    ]
    draws = refit(trials, agent, picks, scaled, **options)
    draws = draws[~np.isnan(draws).any(axis=1)]
    everything = np.arange(size)
    estimate = refit(trials, agent, [everything], scaled, **options)[0]
    left_out = refit(trials, agent, [np.delete(everything, t) for t in range(size)], scaled, **options)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    corrected = np.full((2, len(estimate)), np.nan)
    for i, value in enumerate(estimate):
        deviations = left_out[:, i].mean() - left_out[:, i]
        # The largest weight may be ±100 whichever trial is left out: no skewness, no acceleration.
        constant = np.ptp(left_out[:, i]) == 0
        acceleration = 0.0 if constant else (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
        share = ((draws[:, i] < value).mean() + (draws[:, i] <= value).mean()) / 2
        if 0 < share < 1:
            z = stats.norm.ppf(share) + stats.norm.ppf(tails)
            places = stats.norm.cdf(stats.norm.ppf(share) + z / (1 - acceleration * z))
            corrected[:, i] = np.quantile(draws[:, i], places)
    return draws, np.quantile(draws, tails, axis=0), corrected


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("estimator", ["map", "ml", "firth", "ridge"])
def test_intervals_are_those_worked_out_by_hand(estimator: str, scaled: bool) -> None:
    trials = simulate(1, [60, 45], strength=3.0)
    options: dict[str, Any] = {"resamples": 300, "seed": 7, "level": 0.9, "scaled": scaled, "estimator": estimator}
    percentile = bootstrap_ragged(trials, method="percentile", keep_draws=True, **options)
    corrected = bootstrap_ragged(trials, method="bca", **options)
    assert corrected.draws == ()
    for agent in range(2):
        draws, plain, bca = by_hand(trials, agent, 300, 7, 0.9, scaled, estimator=estimator)
        assert percentile.draws[agent].shape == draws.shape
        assert np.allclose(percentile.draws[agent], draws, rtol=1e-7, atol=1e-7)
        for found, expected in ((percentile, plain), (corrected, bca)):
            assert np.allclose(found.lower[agent], expected[0], rtol=1e-6, atol=1e-6, equal_nan=True)
            assert np.allclose(found.upper[agent], expected[1], rtol=1e-6, atol=1e-6, equal_nan=True)
            assert ((found.status[agent] == "ok") == ~np.isnan(expected[0])).all()
        assert np.allclose(percentile.standard_errors[agent], draws.std(axis=0, ddof=1), rtol=1e-6)
        assert percentile.undefined[agent] == 300 - len(draws)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.booleans(), st.sampled_from(["map", "ml", "firth", "ridge"]))
def test_undefined_resamples_are_counted(seed: int, n: int, intercept: bool, estimator: str) -> None:
    """Few trials on a grid: separated, constant and rank-deficient resamples are common."""
    trials = simulate(seed, [n])
    trials = Trials(trials.keys, np.round(trials.differences * 2) / 2, trials.choices, trials.offsets, ())
    found = bootstrap_ragged(
        trials, resamples=40, seed=seed, method="percentile", scaled=False, estimator=estimator,
        intercept=intercept, keep_draws=True,
    )  # fmt: skip
    picks = [(uniforms(seed, Purpose.TRIAL_BOOTSTRAP, 0, r, n) * n).astype(np.int64) for r in range(40)]
    whole = fit_ragged(trials.differences, trials.choices, trials.offsets, estimator=estimator, intercept=intercept)
    if np.isnan(whole.slopes).any():
        assert found.undefined.tolist() == [40]
        assert (found.status == "no estimate").all()
        assert np.isnan(found.lower).all()
        return
    draws = refit(trials, 0, picks, False, estimator=estimator, intercept=intercept)[:, : 2 + intercept]
    draws = draws[~np.isnan(draws).any(axis=1)]
    assert found.undefined.tolist() == [40 - len(draws)]
    assert np.allclose(found.draws[0], draws, rtol=1e-7, atol=1e-7)


def test_near_separable_choices_leave_resamples_of_maximum_likelihood_undefined() -> None:
    x = np.linspace(-1, 1, 30)[:, None]
    y = (x[:, 0] > 0).astype(np.uint8)
    y[14:16] = 1, 0  # The only overlap: without these two trials the choices are separated.
    trials = Trials((("m", "c"),), x, y, np.array([0, 30], np.uint64), ())
    found = bootstrap_ragged(trials, resamples=2000, seed=3, estimator="ml", scaled=False, method="bca")
    picks = [(uniforms(3, Purpose.TRIAL_BOOTSTRAP, 0, r, 30) * 30).astype(np.int64) for r in range(2000)]
    missing = sum(not ({14, 15} <= set(p.tolist())) for p in picks)
    assert found.undefined.tolist() == [missing]
    assert 0.5 < missing / 2000 < 0.65
    assert set(found.status.ravel()) == {"undefined with one left out"}
    assert np.isfinite(found.standard_errors).all()
    percentile = bootstrap_ragged(trials, resamples=2000, seed=3, estimator="ml", scaled=False, method="percentile")
    assert (percentile.status == "ok").all()


def test_choices_without_variation_have_no_scaled_intervals() -> None:
    trials = simulate(2, [20])
    alike = Trials(trials.keys, trials.differences, np.ones(20, np.uint8), trials.offsets, ())
    found = bootstrap_ragged(alike, resamples=20, seed=1)
    assert (found.status == "no estimate").all()
    assert np.isnan(found.estimates).all()
    assert found.undefined.tolist() == [20]


def same(one: ArrayBootstrap, other: ArrayBootstrap) -> bool:
    names = ("estimates", "lower", "upper", "standard_errors", "status", "undefined")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names) and all(
        a.tobytes() == b.tobytes() for a, b in zip(one.draws, other.draws, strict=True)
    )


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_threads_change_no_bit(method: str) -> None:
    trials = simulate(4, [30, 5, 41, 12])
    results = [
        bootstrap_ragged(trials, resamples=50, seed=9, method=method, keep_draws=True, threads=threads)
        for threads in (0, 1, 2, 3)
    ]
    assert all(same(results[0], other) for other in results[1:])


def test_an_agents_numbers_depend_on_no_other() -> None:
    trials = simulate(5, [30, 25, 40])
    whole = bootstrap_ragged(trials, resamples=60, seed=2, units=[11, 12, 13], keep_draws=True)
    for agent in range(3):
        begin, end = (int(v) for v in trials.offsets[agent : agent + 2])
        alone = Trials(
            trials.keys[agent : agent + 1],
            trials.differences[begin:end],
            trials.choices[begin:end],
            np.array([0, end - begin], np.uint64),
            (),
        )
        one = bootstrap_ragged(alone, resamples=60, seed=2, units=[11 + agent], keep_draws=True)
        assert one.draws[0].tobytes() == whole.draws[agent].tobytes()
        assert one.lower.tobytes() == whole.lower[agent : agent + 1].tobytes()
        other = bootstrap_ragged(alone, resamples=60, seed=2, units=[99], keep_draws=True)
        assert one.draws[0].tobytes() != other.draws[0].tobytes()
    more = bootstrap_ragged(trials, resamples=90, seed=2, units=[11, 12, 13], keep_draws=True)
    assert all(np.array_equal(a, b[: len(a)]) for a, b in zip(whole.draws, more.draws, strict=True))


def table(agents: dict[str, int], k: int = 2) -> tuple[pl.DataFrame, list[Context]]:
    rows = []
    for name, n in agents.items():
        draw = np.random.default_rng(len(name))
        for t in range(n):
            a, b = draw.uniform(0, 1, (2, k))
            choice = "A" if draw.uniform() < 0.5 + 0.4 * (a - b)[0] else "B"
            rows.append(dict(zip(CHOICES, ("m", name, t, a.tolist(), b.tolist(), choice, None), strict=True)))
    attributes = tuple(Attribute(f"attribute_{i}", "units", 0.0, 1.0) for i in range(k))
    return pl.DataFrame(rows, schema=dict(CHOICES)), [
        Context(name, "Which?", attributes, None, None) for name in agents
    ]


def test_a_tables_intervals_are_those_of_its_agents_in_any_order() -> None:
    choices, contexts = table({"tea": 30, "hotel": 22})
    found = bootstrap(choices, contexts, resamples=40, seed=3)
    assert dict(found.to_frame().schema) == dict(WEIGHT_INTERVALS)
    assert found.to_frame() is found.intervals
    turned = bootstrap(choices.sort("context", maintain_order=True), contexts[::-1], resamples=40, seed=3)
    keys = ["model", "context", "position"]
    assert found.intervals.sort(keys).equals(turned.intervals.sort(keys))
    alone = bootstrap(choices.filter(pl.col("context") == "hotel"), contexts, resamples=40, seed=3)
    assert alone.intervals.equals(found.intervals.filter(pl.col("context") == "hotel"))
    assert (found.intervals["low"] <= found.intervals["high"]).all()
    undefined = found.intervals.group_by("context").agg(pl.col("undefined").first())["undefined"].sum()
    assert found.account == Account(80, 80 - undefined, failed={"no estimate": undefined} if undefined else {})
    empty = bootstrap(choices.clear(), contexts, seed=1)
    assert empty.intervals.is_empty()
    assert empty.account == Account(0, 0)
    assert agent_units(simulate(1, [3, 3])).dtype == np.uint64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"resamples": 1}, "resamples: expected at least 2"),
        ({"resamples": -1}, "resamples"),
        ({"resamples": 10**15}, "resamples: expected few enough to fit in memory"),
        ({"resamples": 2**64 - 1}, "resamples: expected few enough to fit in memory"),
        ({"level": 0.0}, "level"),
        ({"level": 1.0}, "level"),
        ({"level": float("nan")}, "level"),
        ({"method": "normal"}, "method: expected percentile or bca"),
        ({"seed": -1}, "seed"),
        ({"units": [1, 2]}, "units"),
        ({"estimator": "mle"}, "estimator"),
        ({"threads": -1}, "threads"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        bootstrap_ragged(simulate(1, [10]), **{"resamples": 10, "seed": 1, **options})
    assert said in str(caught.value)


def fitted(estimator: Map | str = "map") -> ArrayFit:
    trials = simulate(6, [80, 80, 80], k=3)
    return fit_ragged(trials.differences, trials.choices, trials.offsets, estimator=estimator)


def test_laplace_draws_have_the_mean_and_covariance_of_the_fit() -> None:
    found, count = fitted(), 40_000
    drawn = laplace_draws(found, count, seed=5)
    assert drawn.shape == (3, count, 3)
    for agent in range(3):
        covariance = found.covariance[agent, :3, :3]
        spread = np.sqrt(np.diag(covariance))
        assert (np.abs(drawn[agent].mean(axis=0) - found.slopes[agent]) < 5 * spread / np.sqrt(count)).all()
        assert np.abs((np.cov(drawn[agent].T) - covariance) / np.outer(spread, spread)).max() < 5 * np.sqrt(2 / count)
        whitened = np.linalg.solve(np.linalg.cholesky(covariance), (drawn[agent] - found.slopes[agent]).T)
        assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-4


def test_laplace_draws_have_streams_of_their_own() -> None:
    found = fitted()
    drawn = laplace_draws(found, 20, seed=5, units=[7, 8, 9], threads=1)
    assert np.array_equal(drawn, laplace_draws(found, 20, seed=5, units=[7, 8, 9], threads=2))
    assert np.array_equal(drawn[:, :10], laplace_draws(found, 10, seed=5, units=[7, 8, 9]))
    assert np.array_equal(laplace_draws(found, 20, seed=5, units=[9, 8, 7])[1], drawn[1])
    assert not np.array_equal(laplace_draws(found, 20, seed=6, units=[7, 8, 9]), drawn)
    assert laplace_draws(found, 0, seed=1).shape == (3, 0, 3)


def test_an_agent_without_an_estimate_has_no_laplace_draws() -> None:
    found = fit_arrays([[[0.5], [-0.5], [0.2]], [[0.5], [-0.5], [0.2]]], [[1, 0, 1], [0, 0, 1]], estimator="ml")
    assert found.status == ("separated", "ok")
    drawn = laplace_draws(found, 5, seed=1)
    assert np.isnan(drawn[0]).all()
    assert np.isfinite(drawn[1]).all()
    with pytest.raises(InputError, match="draws"):
        laplace_draws(found, -1, seed=1)
    with pytest.raises(InputError, match="draws: expected few enough to fit in memory"):
        laplace_draws(found, 10**15, seed=1)


LONG_CALL = """
    import numpy as np
    from avowal import bootstrap, fit
    from avowal.trials import Trials
    draw = np.random.default_rng(1)
    agents, n = {agents}, {trials}
    x, y = draw.uniform(-1, 1, (agents * n, 5)), draw.integers(0, 2, agents * n).astype(np.uint8)
    offsets = np.arange(agents + 1, dtype=np.uint64) * np.uint64(n)
    print("ready", flush=True)
    {call}
"""
RUN = "bootstrap.bootstrap_ragged(Trials((), x, y, offsets, ()), resamples=10**7, seed=1, threads={threads})"


def interrupted(script: str) -> float:
    """Return how long a script takes to end after Ctrl-C."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        _, errors = process.communicate(timeout=20)
        waited = time.monotonic() - sent
    assert b"KeyboardInterrupt" in errors
    assert process.returncode != 0
    return waited


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to one process there")
@pytest.mark.parametrize(("agents", "trials", "threads"), [(1, 200, 1), (50, 50, 2), (2, 20_000, 1)])
def test_ctrl_c_is_answered_within_half_a_second(agents: int, trials: int, threads: int) -> None:
    script = textwrap.dedent(LONG_CALL).format(agents=agents, trials=trials, call=RUN.format(threads=threads))
    # Half a second for the call; the rest is Python's own farewell, which a busy machine may keep waiting now and then.
    assert any(interrupted(script) < 0.5 + 0.3 for _ in range(3))


def test_the_interpreter_is_free_meanwhile() -> None:
    trials = simulate(7, [60] * 20, k=5)
    beats: list[float] = []
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            beats.append(time.monotonic())
            time.sleep(0.002)

    def timed(work: Callable[[], object]) -> int:
        begun = time.monotonic()
        work()
        ended = time.monotonic()
        return sum(begun < moment < ended for moment in beats) if ended - begun > 0.2 else -1

    other = threading.Thread(target=beat)
    other.start()
    try:
        count = timed(lambda: bootstrap_ragged(trials, resamples=50_000, seed=1, threads=1))
    finally:
        stop.set()
        other.join()
    assert count > 10
