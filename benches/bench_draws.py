"""Time of pairs and choices, and of a replicate of recovery: avowal against NumPy, Numba, JAX and a C reference.

Contenders have random numbers of their own, so laws are compared before anything is timed: pairs and choices with what
they must be, correlations with avowal's. Prints two Markdown sections and writes them into results.md beside this file.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from textwrap import fill

import numpy as np
from threadpoolctl import threadpool_limits

from avowal import _core
from avowal.agents import Decisions, Logistic, decisions_arrays, targets_arrays
from avowal.estimators import Map
from avowal.recovery import Recovery, recovery_arrays
from drawers import Draw, Drawn, Scene, drawers
from peers import Floats
from recoverers import Recover, Study, recoverers
from results import write
from rounds import avx2, has_avx2, on_one_thread, seconds, where

LOW, HIGH = np.array([0.0, 1, 500, 0, 10]), np.array([100.0, 5, 3000, 1, 60])
POWER = 10.0 ** np.array([_core.decimals(width) for width in HIGH - LOW])
RULE = Logistic(5.0)
DECIDING, AGENTS, TRIALS, REPLICATES = 1_000, 100, 50, 64
IN_A_ROW = 10
STUDIES = 10
"""Calls that make the replicates whose correlations are compared."""
FAR = 5.0
"""Standard errors by which a figure of a contender's pairs and choices may differ from what it must be."""
APART = 4.0
"""Standard errors by which mean correlations may differ."""


def drawing_contenders() -> tuple[dict[str, Draw], Scene]:
    weights = targets_arrays(len(LOW), seed=1, units=np.arange(DECIDING))
    bounds = [np.tile(row, (DECIDING, 1)) for row in (LOW, HIGH)]
    scene = Scene(LOW, HIGH, POWER, RULE.inverse_temperature * weights / 100, TRIALS)
    out = Decisions(*scene.room())
    decide = partial(decisions_arrays, *bounds, weights, TRIALS, rule=RULE, seed=1, threads=1)

    def own() -> Drawn:
        return decide(out=out)

    def narrower() -> Drawn:
        with avx2():
            return own()

    found: dict[str, Draw] = {"avowal": own}
    if has_avx2():
        found["avowal, AVX2 alone"] = narrower
    found["avowal, fresh arrays"] = decide
    return {**found, **drawers(scene)}, scene


def deviations(drawn: Drawn, scene: Scene) -> Floats:
    """Return how many standard errors figures are from what they must be.

    Figures are means of values, means and variances of differences, where values on the ends of a range are half as
    likely as those between; the share of A; and choices against the odds of their pairs.
    """
    pairs, choices = drawn
    far = []
    for k, (low, high, power) in enumerate(zip(scene.low, scene.high, scene.power, strict=True)):
        values = np.arange(round(low * power), round(high * power) + 1) / power
        probability = np.full(len(values), 1 / (len(values) - 1))
        probability[[0, -1]] /= 2
        variance, fourth = (probability @ (values - (low + high) / 2) ** moment for moment in (2, 4))
        difference = (pairs[:, :, 0, k] - pairs[:, :, 1, k]).ravel()
        mean = pairs[:, :, :, k].mean() - (low + high) / 2
        error = np.sqrt((2 * fourth + 2 * variance**2) / difference.size)
        far += [
            mean / np.sqrt(variance / (2 * difference.size)),
            difference.mean() / np.sqrt(2 * variance / difference.size),
            ((difference**2).mean() - 2 * variance) / error,
        ]
    shares = (pairs[:, :, 0] - pairs[:, :, 1]) / (scene.high - scene.low)
    odds = np.einsum("atk,ak->at", shares, scene.weights)
    p = 1 / (1 + np.exp(-odds))
    far.append((choices.mean() - 0.5) / (0.5 / np.sqrt(choices.size)))
    for along in (np.ones_like(odds), odds):
        far.append(((choices - p) * along).sum() / np.sqrt((p * (1 - p) * along**2).sum()))
    return np.abs(far)


def compare_draws(contenders: dict[str, Draw], scene: Scene) -> list[float]:
    """Return each contender's largest deviation."""
    found = []
    for name, draw in contenders.items():
        pairs, choices = draw()
        if not np.array_equal(np.round(pairs * scene.power) / scene.power, pairs):
            sys.exit(f"{name}: values of other decimals: nothing to time")
        if (pairs < scene.low).any() or (pairs > scene.high).any():
            sys.exit(f"{name}: values out of bounds: nothing to time")
        found.append(deviations((pairs, choices), scene).max())
        if not found[-1] <= FAR:
            sys.exit(f"{name} is {found[-1]:.1f} standard errors from what it must be: nothing to time")
    return found


def repeat(draw: Draw) -> None:
    for _ in range(IN_A_ROW):
        draw()


def own_recovery(seed: int) -> Recovery:
    return recovery_arrays(
        [LOW],
        [HIGH],
        agents=AGENTS,
        trials=TRIALS,
        replicates=REPLICATES,
        rule=RULE,
        seed=seed,
        estimator=Map(intercept_scale=math.inf),
        threads=1,
    )


def recovering_contenders() -> dict[str, tuple[Recover, Recover | None]]:
    """Return contenders, each with what its correlations are to agree with if not avowal's."""
    study = Study(LOW, HIGH, POWER, AGENTS, TRIALS, REPLICATES, RULE.inverse_temperature)

    def own(seed: int) -> Floats:
        return own_recovery(seed).r

    def narrower(seed: int) -> Floats:
        with avx2():
            return own(seed)

    found: dict[str, tuple[Recover, Recover | None]] = {"avowal": (own, None)}
    if has_avx2():
        found["avowal, AVX2 alone"] = narrower, None
    return {**found, **recoverers(study)}


def compare_recoveries(contenders: dict[str, tuple[Recover, Recover | None]]) -> list[tuple[float, float]]:
    """Return each contender's mean correlation and its standard error."""

    def summary(recover: Recover, first: int) -> tuple[float, float]:
        r = np.concatenate([recover(first + study) for study in range(STUDIES)])
        return r.mean(), r.std(ddof=1) / np.sqrt(len(r))

    if any((own_recovery(seed).agents < AGENTS).any() for seed in range(STUDIES)):
        sys.exit("agents whose choices are all alike, whom only avowal leaves out: nothing to time")
    own = summary(contenders["avowal"][0], 0)
    found = []
    for name, (recover, same) in contenders.items():
        here = summary(recover, 0)
        # Seeds of its own: the same numbers as the contender's would prove less.
        expected = own if same is None else summary(same, STUDIES)
        apart = abs(here[0] - expected[0]) / math.hypot(here[1], expected[1])
        if not apart <= APART:
            sys.exit(f"{name}: mean correlation {here[0]:.4f}, not {expected[0]:.4f}: nothing to time")
        found.append(here)
    return found


def columns(times: Floats) -> list[str]:
    """Return a line's two columns for each contender: the median time, the median ratio to the first within rounds."""
    figures = zip(np.median(times, axis=0), np.median(times / times[:, :1], axis=0), strict=True)
    return [f"{median:,.1f} | {ratio:,.2f}" for median, ratio in figures]


def rows(*cells: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in zip(*cells, strict=True)]


def section(title: str, done: str, table: Sequence[str], words: str, rounds: int, load: float) -> str:
    how = (
        f"One core; {rounds} rounds in one process, each contender once a round; load before the start {load:.1f} on"
        f" {os.cpu_count()} cores. Made by `make bench`."
    )
    parts = (fill(f"{done} {how}", 110), "\n".join(table), fill(words, 110), where())
    return "\n\n".join((f"# {title}", *parts)) + "\n"


def drawing_section(names: Sequence[str], times: Floats, in_a_row: Floats, checks: Sequence[float], load: float) -> str:
    done = (
        f"{DECIDING:,} agents x {TRIALS} pairs x {len(LOW)} attributes: values of both options drawn, rounded at the"
        " authors' precision, choices made by the logistic rule, all of it stored."
    )
    table = [
        "| drawer | nanoseconds per pair | times avowal's | in a row | times avowal's | largest deviation |",
        "|---|---:|---:|---:|---:|---:|",
        *rows(names, columns(times), columns(in_a_row), [f"{far:.1f}" for far in checks]),
    ]
    words = (
        "Times are medians, ratios medians of the ratios within rounds. A call by itself finds its arrays"
        f" driven out of the cache by the others; {IN_A_ROW} in a row find them there. Deviations, in standard"
        " errors, are the largest of means of values, of means and variances of differences, of the share of A"
        " and of choices from the odds of their pairs; values must lie on the grid of their decimals, within"
        " bounds. The first line is `avowal.agents.decisions_arrays` with `out`; without, it makes its arrays, as"
        " does NumPy's plain way. All others write into arrays made and touched before."
        " avowal takes bounds for each agent, rounds exactly, and gives each agent ChaCha8 streams keyed by"
        " seed and agent, so that numbers depend neither on other agents nor on threads. The peers' generators"
        " are simpler and keyed by a seed alone; those in place or"
        " in lanes need the same bounds for all agents. Numba is timed after it has compiled; in lanes it has"
        " its generator and its exponential written out, since calls of the usual ones prevent vector"
        " instructions."
    )
    return section("Time of pairs and choices", done, table, words, len(times), load)


def recovering_section(names: Sequence[str], times: Floats, checks: Sequence[tuple[float, float]], load: float) -> str:
    done = (
        f"{AGENTS} agents x {TRIALS} decisions x {len(LOW)} attributes, {REPLICATES} replicates a call: target weights"
        " drawn, pairs drawn and rounded, choices made by the logistic rule, slopes fitted (N(0, 1) priors, flat"
        " intercept), weights correlated."
    )
    table = [
        "| way | microseconds per replicate | times avowal's | mean correlation |",
        "|---|---:|---:|---:|",
        *rows(names, columns(times), [f"{mean:.4f} ± {error:.4f}" for mean, error in checks]),
    ]
    words = (
        "Times are medians, ratios medians of the ratios within rounds; correlations are of"
        f" {STUDIES * REPLICATES} replicates, ± their standard error."
        " The first line is `avowal.recovery.recovery_arrays`,"
        " which gives the mean of correlations within agents too. Generators are those of the section above,"
        " in JAX its `rbg`: keyed by a seed alone but for avowal's. Numba and JAX are timed after they have"
        " compiled. The C reference, no part of this project, scales no weights: its correlation is of other"
        " numbers, and agrees with that of NumPy without scaling."
    )
    return section("Time of a replicate of recovery", done, table, words, len(times), load)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    on_one_thread()
    with threadpool_limits(1):
        load = os.getloadavg()[0]
        drawing, scene = drawing_contenders()
        far = compare_draws(drawing, scene)
        per_pair = 1e9 / (DECIDING * TRIALS)
        times = seconds(list(drawing.values()), arguments.rounds) * per_pair
        in_a_row = seconds([partial(repeat, draw) for draw in drawing.values()], arguments.rounds) * per_pair / IN_A_ROW
        write(drawing_section(list(drawing), times, in_a_row, far, load))
        load = os.getloadavg()[0]
        recovering = recovering_contenders()
        correlations = compare_recoveries(recovering)
        calls = [partial(recover, 1) for recover, _ in recovering.values()]
        times = seconds(calls, arguments.rounds) / REPLICATES * 1e6
        write(recovering_section(list(recovering), times, correlations, load))


if __name__ == "__main__":
    main()
