"""Solve finds where power reaches its target: on known curves, against brute force, and however interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from avowal.cli import app
from avowal.errors import InputError
from avowal.quantities import Settings
from avowal.sweep.crossing import LEVELLING, ROOT, Count, Scale, crossing
from avowal.sweep.power import power
from avowal.sweep.run import Chunk, here
from avowal.sweep.search import Evaluate, Found, search
from avowal.sweep.solve import Solution, solve
from avowal.sweep.solved import printed, sentence

Curve = Callable[[int], float]

TINY = {"attributes": 2, "decisions": 8, "reports": 1, "fidelity": 0.8, "noise": 10}
"""A design of which a thousand studies take a tenth of a second."""


def fisher(correlation: float) -> Curve:
    """Return the power of Fisher's z for a correlation above 0, by the number of pairs (.05, two-sided)."""
    return lambda n: float(norm.cdf(np.arctanh(correlation) * math.sqrt(n - 3) - norm.ppf(0.975))) if n > 3 else 0.0


def levelling(top: float, loss: float) -> Curve:
    return lambda n: float(norm.cdf(top - loss / n))


def answer(curve: Curve, target: float) -> int:
    return next(n for n in range(1, 100_000) if curve(n) >= target)


def noisy(curve: Curve, seed: int) -> Evaluate:
    """Return an evaluator whose first replicates of a number are the same however many are asked for."""

    def evaluate(plan: Mapping[int, int]) -> dict[int, int]:
        return {n: int((np.random.default_rng([seed, n]).random(r) < curve(n)).sum()) for n, r in plan.items()}

    return evaluate


def exact(curve: Curve) -> Evaluate:
    return lambda plan: {n: round(r * curve(n)) for n, r in plan.items()}


def searched(evaluate: Evaluate, target: float, **changes: object) -> Found:
    given: dict[str, object] = {"start": 100, "scale": ROOT, "limit": 1600, "tolerance": 0.02, "budget": 50_000}
    return search(evaluate, target=target, least=1, **(given | changes))  # type: ignore[arg-type]


@given(
    correlation=st.floats(0.15, 0.9),
    target=st.floats(0.3, 0.97),
    start=st.integers(4, 300),
    scale=st.sampled_from([ROOT, LEVELLING]),
)
@settings(max_examples=60)
def test_without_noise_the_answer_is_that_of_the_formula(
    correlation: float, target: float, start: int, scale: Scale
) -> None:
    curve = fisher(correlation)
    found = searched(exact(curve), target, start=start, scale=scale)
    truth = answer(curve, target)
    assert found.status in ("found", "budget")
    assert found.low <= truth <= found.high
    assert abs(found.n - truth) <= max(1, 0.02 * truth)


@pytest.mark.parametrize(
    ("curve", "target", "scale"),
    [
        (fisher(0.5), 0.9, ROOT),
        (fisher(0.3), 0.8, ROOT),
        (fisher(0.8), 0.95, ROOT),
        (levelling(2.0, 4.0), 0.9, LEVELLING),
        (levelling(1.2, 6.0), 0.8, LEVELLING),
    ],
)
def test_intervals_hold_the_answer(curve: Curve, target: float, scale: Scale) -> None:
    """Over 40 seeds; that 95% intervals of whole numbers hold it in fewer than 34 has a chance below .01."""
    truth = answer(curve, target)
    every = [searched(noisy(curve, seed), target, scale=scale, start=30) for seed in range(40)]
    assert all(each.low <= each.n <= each.high for each in every)
    assert sum(each.low <= truth <= each.high for each in every) >= 34
    assert abs(np.mean([each.n for each in every]) - truth) < 0.75


def test_a_found_interval_is_as_narrow_as_asked_for() -> None:
    for tolerance in (0.1, 0.04):
        found = searched(noisy(fisher(0.2), 1), 0.9, tolerance=tolerance)
        assert found.status == "found"
        assert max(found.n - found.low, found.high - found.n) <= tolerance * found.n
        assert {found.n - 1, found.n, found.n + 1} <= set(found.counts)


def test_a_larger_budget_narrows_the_interval() -> None:
    narrow, wide = (searched(noisy(fisher(0.1), 1), 0.9, budget=budget) for budget in (40_000, 4_000))
    assert wide.status == narrow.status == "budget"
    assert narrow.high - narrow.low < wide.high - wide.low
    assert sum(count.replicates for count in wide.counts.values()) <= 4_000 + 200 * 8


@pytest.mark.parametrize("jump", [2, 13, 90, 101])
def test_a_jump_is_found_exactly(jump: int) -> None:
    found = searched(lambda plan: {n: r if n >= jump else 0 for n, r in plan.items()}, 0.9)
    assert (found.status, found.n, found.low, found.high) == ("found", jump, jump, jump)


@pytest.mark.parametrize(
    ("curve", "status"),
    [
        (lambda n: 1.0, "smallest"),
        (levelling(0.5, 3.0), "levels_off"),
        (fisher(0.05), "rising"),
        (lambda n: 5 / math.sqrt(n) if n > 60 else 0.8, "falling"),
        (lambda n: 0.9, "unresolved"),
    ],
)
def test_what_has_no_answer_says_why(curve: Curve, status: str) -> None:
    found = searched(exact(curve), 0.9)
    assert found.status == status
    assert (found.n == 1) if status == "smallest" else (found.n is None)


@given(
    st.dictionaries(st.integers(2, 200), st.floats(0.02, 0.98), min_size=3, max_size=8).filter(
        lambda shares: max(shares.values()) - min(shares.values()) > 0.05
    ),
    st.floats(0.2, 0.9),
    st.sampled_from([ROOT, LEVELLING]),
)
def test_the_line_is_that_of_statsmodels(shares: dict[int, float], target: float, scale: Scale) -> None:
    """The regression of statsmodels gets the imagined studies as a part of its counts."""
    counts = {n: Count(round(1000 * share), 1000) for n, share in shares.items()}
    numbers = sorted(counts)
    successes = np.array([counts[n].supporting + target for n in numbers])
    x = np.array([scale.of(n) for n in numbers])
    family = sm.families.Binomial(link=sm.families.links.Probit())
    line = sm.GLM(np.column_stack([successes, 1001 - successes]), sm.add_constant(x), family=family).fit().params
    found = crossing(counts, target, scale, 1, 100_000)
    if line[1] < 1e-3:
        return
    assert found is not None
    at = (norm.ppf(target) - line[0]) / line[1]
    if scale.of(1) < at < scale.of(1000):
        assert scale.of(found.estimate) == pytest.approx(at, rel=1e-4, abs=1e-4)
        assert found.low <= found.estimate <= found.high


def test_scatter_beyond_chance_widens_the_interval() -> None:
    smooth = {n: Count(round(2000 * fisher(0.4)(n)), 2000) for n in range(50, 70, 4)}
    rough = {n: Count(c.supporting + (40 if n % 8 == 2 else -40), 2000) for n, c in smooth.items()}
    narrow, wide = (crossing(counts, 0.9, ROOT, 1, 1000) for counts in (smooth, rough))
    assert narrow is not None
    assert wide is not None
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def tiny(seed: int = 1, **more: object) -> Solution:
    given: dict[str, object] = {"base": Settings(), "test": "accuracy>0.3", "tolerance": 0.1}
    return solve({**TINY, "agents": 16}, "accuracy>=0.8", seed=seed, **(given | more))  # type: ignore[arg-type]


def test_evaluations_are_those_of_power() -> None:
    found = tiny()
    for row in found.neighbours.iter_rows(named=True):
        same = power(
            {**TINY, "agents": row["agents"]}, base=Settings(), tests=["accuracy>0.3"], replicates=row["replicates"]
        ).table.row(0, named=True)
        for name in ("power", "power_low", "power_high", "mean", "width", "undefined"):
            assert row[name] == same[name]
        assert row["supporting"] == row["power"] * row["replicates"]
    assert found.neighbours["agents"].to_list() == [found.n - 1, found.n, found.n + 1]


def test_the_answer_does_not_depend_on_what_was_kept(tmp_path: Path) -> None:
    alone = tiny()
    power({**TINY, "agents": [alone.n, 32]}, base=Settings(), tests=["accuracy"], replicates=3000, out=tmp_path)
    before = (tmp_path / "sweep.json").read_bytes()
    again = tiny(out=tmp_path)
    assert again.to_dict() == alone.to_dict() == json.loads((tmp_path / "solution.json").read_text())
    assert (tmp_path / "sweep.json").read_bytes() == before


def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    simulated: list[Chunk] = []

    def counting(stop: int | None) -> Callable[[Iterable[Chunk]], Iterator[tuple[Chunk, np.ndarray]]]:
        def execute(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, np.ndarray]]:
            for chunk, figures in here()(chunks):
                if stop is not None and len(simulated) == stop:
                    raise KeyboardInterrupt
                simulated.append(chunk)
                yield chunk, figures

        return execute

    whole = tiny()
    with pytest.raises(KeyboardInterrupt):
        tiny(out=tmp_path, executor=counting(7))
    assert not (tmp_path / "solution.json").exists()
    resumed = tiny(out=tmp_path, executor=counting(None))
    assert resumed.to_dict() == whole.to_dict()
    assert sum(chunk.count for chunk in simulated) == whole.evaluations["replicates"].sum()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": "accuracy>=1"}, "between 0 and 1"),
        ({"target": "accuracy>=0"}, "between 0 and 1"),
        ({"target": "accuracy>0.9"}, "ESTIMAND>=POWER"),
        ({"target": "luck>=0.9"}, "luck"),
        ({"for_": "fidelity"}, "agents, trained_agents"),
        ({"test": "gain>0"}, "a claim on accuracy.weight_trained"),
        ({"design": {"reports": [5, 10]}}, "several values of reports"),
        ({"design": {"agents": [5, 10]}}, "several values of agents"),
        ({"design": {"trained_agents": 5}}, "trained_agents set once"),
        ({"limit": 1}, "limit"),
        ({"tolerance": 0}, "tolerance"),
        ({"budget": -1}, "budget"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        solve(**changes)  # type: ignore[arg-type]


COMMAND = ["power", *(f"{name}={value}" for name, value in TINY.items()), "agents=16", "--test", "accuracy>0.3"]
SOLVE = [*COMMAND, "--solve", "accuracy>=0.8", "--for", "agents", "--tolerance", "0.1"]


def test_the_command_tells_what_the_function_finds(tmp_path: Path) -> None:
    found = tiny(base="gpt-4o")
    result = CliRunner().invoke(app, [*SOLVE, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    flat = " ".join(result.output.split())
    assert f"Smallest agents with a power of .8 for accuracy.weight_trained > 0.3: {found.n}" in flat
    assert flat.startswith(" ".join(sentence(found).split()))
    document = json.loads(CliRunner().invoke(app, [*SOLVE, "--out", str(tmp_path), "--json"]).stdout)
    assert document == found.to_dict()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--solve", "accuracy>=.8"], "--for with --solve"),
        (["--for", "agents"], "--solve with --for"),
        (["--budget", "100"], "--solve with --budget"),
        (["--solve", "accuracy>=.8", "--for", "agents", "--replicates", "10"], "no --replicates with --solve"),
        (["--solve", "accuracy>=.8", "--for", "agents", "--cell", "1"], "no --cell with --solve"),
        (["--solve", "accuracy>=.8", "--for", "agents", "--test", "gain"], "at most one --test"),
    ],
)
def test_options_that_contradict_each_other_are_refused(arguments: list[str], told: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*COMMAND, *arguments, "--out", str(tmp_path / "power")])
    assert isinstance(result.exception, InputError)
    assert told in str(result.exception)
    assert not (tmp_path / "power").exists()


@pytest.mark.parametrize(
    ("test", "limit", "begins"),
    [
        ("accuracy>-0.9", 100, "The smallest number of reports, 1, already gives a power of .8"),
        ("accuracy>0.9", 4, "No number of reports up to 4 gives a power of .8"),
    ],
)
def test_other_endings_are_told(test: str, limit: int, begins: str) -> None:
    found = solve({**TINY, "agents": 16}, "accuracy>=0.8", "reports", base=Settings(), test=test, limit=limit)
    assert sentence(found).startswith(begins)
    assert len(printed(found)) == (2 if found.n is None else 3)


@pytest.mark.slow
@pytest.mark.parametrize(("for_", "target", "numbers"), [("agents", 0.8, range(16, 21)), ("reports", 0.7, range(4, 9))])
def test_intervals_hold_what_brute_force_finds(for_: str, target: float, numbers: range) -> None:
    """A grid of 40,000 studies of each design tells the answer, unless its power lies too near the target."""
    design = {**TINY, "agents": 16, "noise": 10 if for_ == "agents" else 100}
    claims = ["accuracy>0.3"] if for_ == "agents" else ["accuracy>0.2"]
    grid = power({**design, for_: list(numbers)}, base=Settings(), tests=claims, replicates=40_000, seed=999).table
    reached = grid.filter(grid["power"] >= target)[for_].item(0)
    held = 0
    for seed in range(100):
        found = solve(design, f"accuracy>={target}", for_, base=Settings(), test=claims[0], seed=seed)
        assert found.status in ("found", "budget")
        held += found.low <= reached <= found.high
    assert held >= 90
