"""Solve finds where power reaches its target: on known curves, against brute force, and however interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from avowal.cli import app
from avowal.errors import AvowalError, InputError
from avowal.quantities import Settings
from avowal.sweep.crossing import LEVELLING, ROOT, Count, Scale, crossing
from avowal.sweep.money import Pricing
from avowal.sweep.power import power
from avowal.sweep.run import Chunk, here
from avowal.sweep.search import Evaluate, Found, bounds, search
from avowal.sweep.solve import Solution, solve
from avowal.sweep.solved import printed, sentence

Curve = Callable[[int], float]

TINY = {"attributes": 2, "decisions": 8, "reports": 1, "fidelity": 0.8, "noise": 10}
"""A design of which a thousand studies take a tenth of a second."""


def fisher(correlation: float) -> Curve:
    """Return the power of Fisher's z for a correlation above 0, by the number of pairs (.05, two-sided)."""
    return lambda n: float(norm.cdf(np.arctanh(correlation) * math.sqrt(n - 3) - norm.ppf(0.975))) if n > 3 else 0.0


def weakened(plateau: float, noise: float) -> Curve:
    """Return the power for a correlation that noise of variance noise / n weakens, by n, up to a plateau."""
    strength = norm.ppf(plateau) + norm.ppf(0.975)
    return lambda n: float(norm.cdf(strength / math.sqrt(1 + noise / n) - norm.ppf(0.975)))


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
    given: dict[str, object] = {"start": 100, "scales": ROOT, "limit": 1600, "tolerance": 0.02, "budget": 50_000}
    return search(evaluate, target=target, least=1, **(given | changes))  # type: ignore[arg-type]


@given(
    correlation=st.floats(0.15, 0.9),
    target=st.floats(0.3, 0.97),
    start=st.integers(4, 300),
    scales=st.sampled_from([ROOT, LEVELLING]),
)
@settings(max_examples=25)
def test_without_noise_the_answer_is_that_of_the_formula(
    correlation: float, target: float, start: int, scales: Sequence[Scale]
) -> None:
    curve = fisher(correlation)
    found = searched(exact(curve), target, start=start, scales=scales)
    truth = answer(curve, target)
    assert found.status in ("found", "budget")
    assert found.low <= truth <= found.high
    assert abs(found.n - truth) <= max(1, 0.02 * truth)


@pytest.mark.parametrize(
    ("curve", "target", "scales"),
    [
        (fisher(0.5), 0.9, ROOT),
        pytest.param(fisher(0.3), 0.8, ROOT, marks=pytest.mark.heavy),
        pytest.param(fisher(0.8), 0.95, ROOT, marks=pytest.mark.heavy),
        pytest.param(levelling(2.0, 4.0), 0.9, LEVELLING, marks=pytest.mark.heavy),
        (levelling(1.2, 6.0), 0.8, LEVELLING),
    ],
)
def test_intervals_hold_the_answer(curve: Curve, target: float, scales: Sequence[Scale]) -> None:
    """Over 40 seeds; that 95% intervals of whole numbers hold it in fewer than 34 has a chance below .01."""
    truth = answer(curve, target)
    every = [searched(noisy(curve, seed), target, scales=scales, start=30) for seed in range(40)]
    assert all(each.low <= each.n <= each.high for each in every)
    assert sum(each.low <= truth <= each.high for each in every) >= 34
    assert abs(np.mean([each.n for each in every]) - truth) < 0.75


@pytest.mark.parametrize(
    ("plateau", "target"),
    [
        pytest.param(0.82, 0.8, marks=pytest.mark.heavy),
        pytest.param(0.91, 0.9, marks=pytest.mark.heavy),
        pytest.param(0.915, 0.9, marks=pytest.mark.heavy),
        (0.92, 0.9),
    ],
)
def test_intervals_hold_the_answer_where_power_levels_off(plateau: float, target: float) -> None:
    """As above, of those searches that can tell the plateau from the target: some can't, and have to say so."""
    curve = weakened(plateau, 2)
    truth = answer(curve, target)
    every = [searched(noisy(curve, seed), target, scales=LEVELLING, start=10, limit=160) for seed in range(40)]
    answered = [each for each in every if each.status != "unresolved"]
    assert len(answered) >= 20
    assert sum(not each.low <= truth <= each.high for each in answered) <= 6
    assert abs(np.median([each.n for each in answered]) - truth) < 0.25 * truth


@pytest.mark.parametrize("budget", [0, 400])
def test_without_a_budget_the_interval_is_what_single_numbers_prove(budget: int) -> None:
    found = searched(noisy(weakened(0.97, 2), 1), 0.9, scales=LEVELLING, start=10, limit=160, budget=budget)
    above = [n for n, count in found.counts.items() if bounds(count, 3)[0] >= 0.9]
    below = [n for n, count in found.counts.items() if bounds(count, 3)[1] < 0.9]
    assert found.status == "budget"
    if budget == 0:
        assert (found.low, found.high) == (max(below) + 1, min(above))
    assert max(below) < found.low <= found.n <= found.high <= min(above)


def test_settling_the_limit_leaves_half_the_budget() -> None:
    found = searched(exact(lambda n: 0.9 if n == 1600 else 0.5), 0.9)
    assert found.status == "unresolved"
    assert found.counts[1600].replicates == 200 + 25_000


def test_two_standard_errors_below_the_target_are_not_surely_below() -> None:
    assert searched(exact(lambda n: 0.85), 0.9, budget=0).status == "unresolved"
    assert searched(exact(lambda n: 0.80), 0.9, budget=0).status == "levels_off"


def test_the_answer_rests_on_the_numbers_near_it() -> None:
    def bent(n: int) -> float:
        return float(norm.cdf(norm.ppf(0.9) + 0.3 * (math.sqrt(n) - math.sqrt(60)))) if n < 90 else 0.96

    found = searched(exact(bent), 0.9, limit=100_000, start=30_000)
    assert abs(found.n - 60) <= 1


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
        (lambda n: 0.0, "never"),
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
    st.sampled_from([*ROOT, *LEVELLING]),
)
def test_the_line_is_that_of_statsmodels(shares: dict[int, float], target: float, scale: Scale) -> None:
    """The regression of statsmodels gets the imagined studies as a part of its counts."""
    counts = {n: Count(round(1000 * share), 1000) for n, share in shares.items()}
    numbers = sorted(counts)
    successes = np.array([counts[n].supporting + target for n in numbers])
    x = np.array([scale.of(n) for n in numbers])
    family = sm.families.Binomial(link=sm.families.links.Probit())
    line = sm.GLM(np.column_stack([successes, 1001 - successes]), sm.add_constant(x), family=family).fit().params
    found = crossing(counts, target, [scale], 1, 100_000)
    if line[1] < 1e-3:
        return
    assert found is not None
    at = (norm.ppf(target) - line[0]) / line[1]
    if scale.of(1) < at < scale.of(1000):
        assert scale.of(found.estimate) == pytest.approx(at, rel=1e-4, abs=1e-4)
        assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize(("plateau", "target"), [(0.82, 0.8), (0.91, 0.9), (0.92, 0.9)])
def test_one_of_the_scales_suits_a_curve_that_levels_off(plateau: float, target: float) -> None:
    """From numbers far apart, where the scale matters: alone, those that don't level off are off by a tenth or more."""
    curve = weakened(plateau, 2)
    counts = {n: Count(round(10_000 * curve(n)), 10_000) for n in (10, 20, 40, 80, 160)}
    truth = answer(curve, target)
    found = crossing(counts, target, LEVELLING, 1, 1000)
    assert found is not None
    assert abs(found.estimate - truth) < 0.07 * truth
    assert found.low < truth < found.high
    for scale in LEVELLING[1:]:
        alone = crossing(counts, target, [scale], 1, 1000)
        assert alone is not None
        assert abs(alone.estimate - truth) > 0.1 * truth


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
        assert row["supporting"] / row["replicates"] == row["power"]
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
        ({"target": "accuracy>=1"}, "from 0.01 to 0.99"),
        ({"target": "accuracy>=0"}, "from 0.01 to 0.99"),
        ({"target": "accuracy>=0.999"}, "from 0.01 to 0.99"),
        ({"target": "accuracy>=1e-300"}, "from 0.01 to 0.99"),
        ({"target": 0.9}, "ESTIMAND>=POWER"),
        ({"test": 0.3}, "a claim, such as"),
        ({"design": ["agents=5"]}, "a mapping"),
        ({"base": None}, "settings, or the name"),
        ({"level": "0.9"}, "a number between 0 and 1"),
        ({"tolerance": "a"}, "a number between 0 and 1"),
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
        (["--solve", "accuracy>=.8", "--for", "agents", "--x", "agents"], "no --x with --solve"),
        (["--solve", "accuracy>=.8", "--for", "agents", "--no-charts"], "no --charts or --no-charts with --solve"),
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
        (
            "accuracy<-0.5",
            4,
            "No number of reports up to 4 gives a power of .8 for accuracy.weight_trained < -0.5: none of",
        ),
    ],
)
def test_other_endings_are_told(test: str, limit: int, begins: str) -> None:
    found = solve({**TINY, "agents": 16}, "accuracy>=0.8", "reports", base=Settings(), test=test, limit=limit)
    assert sentence(found).startswith(begins)
    assert len(printed(found)) == (3 if found.n is None else 4)


def test_the_search_begins_at_the_smaller_group() -> None:
    design = {name: value for name, value in TINY.items() if name != "agents"}
    uneven = replace(Settings(), trained_agents=16, native_agents=64)
    found = solve(design, "accuracy>=0.8", base=uneven, test="accuracy>0.3", tolerance=0.2)
    assert found.limit == 16 * 16


def test_bills_are_those_of_the_pricing() -> None:
    pricing = Pricing(seed=3, model="gpt-4o-2024-08-06", mode="batch")
    found = tiny(pricing=pricing)
    for n, bill in ((found.n, found.bill), (found.low, found.bill_low), (found.high, found.bill_high)):
        cell = power({**TINY, "agents": n}, base=Settings(), tests=["accuracy"], replicates=1).sweep.cells[0]
        assert bill == pricing.bill(cell)
    assert found.bill.price is not None
    assert found.bill.price < tiny(pricing=Pricing(seed=3, model="gpt-4o-2024-08-06")).bill.price


def test_replicates_that_do_not_come_back_are_no_power() -> None:
    def losing(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, np.ndarray]]:
        return (done for done in here()(chunks) if done[0].first != 0)

    with pytest.raises(AvowalError, match="replicates of agents=16 came back"):
        tiny(executor=losing)


@pytest.mark.heavy
@pytest.mark.parametrize(("for_", "target", "numbers"), [("agents", 0.8, range(16, 21)), ("reports", 0.7, range(4, 9))])
def test_intervals_hold_what_brute_force_finds(for_: str, target: float, numbers: range) -> None:
    """A grid of 40,000 studies of each design tells the answer, unless its power lies too near the target."""
    design = {**TINY, "agents": 16, "noise": 10 if for_ == "agents" else 100}
    claims = ["accuracy>0.3"] if for_ == "agents" else ["accuracy>0.2"]
    grid = power({**design, for_: list(numbers)}, base=Settings(), tests=claims, replicates=40_000, seed=999).table
    reached = grid.filter(grid["power"] >= target)[for_].item(0)
    held = 0
    for seed in range(40):
        found = solve(design, f"accuracy>={target}", for_, base=Settings(), test=claims[0], seed=seed)
        assert found.status in ("found", "budget")
        held += found.low <= reached <= found.high
    assert held >= 36
