"""Time per agent of a fit: avowal against compiled, batched and looped fits of the same posterior modes.

All maximise the same: log likelihood less half the squared slopes (N(0, 1) priors), intercept free. Results must agree
before anything is timed. Prints a Markdown section and writes it into results.md beside this file.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from avowal.estimators import Map
from avowal.fit import coefficients_arrays, fit_arrays
from peers import Fit, Floats, peers
from results import quote, write
from rounds import avx2, choosers, has_avx2, on_one_thread, rows, seconds, where

AGENTS, TRIALS, ATTRIBUTES = 1_000, 50, 5
LOOPED = 100
"""Agents in a round of a contender that loops over agents: its time per agent doesn't depend on their number."""
AGREEMENT = 1e-4
HEADER = "| fitter | microseconds per agent | times avowal's |"
README = Path(__file__).parents[1] / "README.md"
FLAT = Map(intercept_scale=math.inf)


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to fit: (agents, trials, attributes) and (agents, trials) in, slopes and intercepts per agent out."""

    name: str
    fit: Fit
    agents: int = AGENTS
    bytes: bool = False
    """Whether the choices come as they are stored, a byte each; the others take them as numbers."""


def coefficients_alone(x: Floats, y: Floats) -> Floats:
    return coefficients_arrays(x, y, estimator=FLAT, threads=1)


def with_avx2(x: Floats, y: Floats) -> Floats:
    with avx2():
        return coefficients_alone(x, y)


def all_of_it(x: Floats, y: Floats) -> Floats:
    result = fit_arrays(x, y, estimator=FLAT, threads=1)
    return np.column_stack([result.slopes, result.intercepts])


def contenders() -> tuple[Contender, ...]:
    others = (Contender(name, fit, LOOPED if looped else AGENTS) for name, (fit, looped) in peers().items())
    narrower = (Contender("avowal, coefficients alone, AVX2", with_avx2, bytes=True),) if has_avx2() else ()
    return (
        Contender("avowal, coefficients alone", coefficients_alone, bytes=True),
        *narrower,
        Contender("avowal, all of a fit", all_of_it, bytes=True),
        *others,
    )


def gradient_norms(coefficients: Floats, x: Floats, y: Floats) -> Floats:
    p = 1 / (1 + np.exp(-np.einsum("atk,ak->at", x, coefficients[:, :-1]) - coefficients[:, -1:]))
    slopes = np.einsum("atk,at->ak", x, y - p) - coefficients[:, :-1]
    return np.hypot(np.linalg.norm(slopes, axis=1), (y - p).sum(axis=1))


def given(contender: Contender, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    few = y[: contender.agents]
    return x[: contender.agents], few.astype(np.uint8) if contender.bytes else few


def compare(all_contenders: tuple[Contender, ...], x: Floats, y: Floats) -> list[tuple[float, float]]:
    """Return each contender's largest gradient norm and largest difference from avowal's coefficients."""
    truth = all_of_it(x, y)
    found = []
    for contender in all_contenders:
        few = slice(contender.agents)
        coefficients = contender.fit(*given(contender, x, y))
        difference = np.abs(coefficients - truth[few]).max()
        if not difference <= AGREEMENT:
            sys.exit(f"{contender.name} differs by {difference:.1e} in a coefficient: nothing to time")
        found.append((gradient_norms(coefficients, x[few], y[few]).max(), difference))
    return found


def measure(all_contenders: tuple[Contender, ...], x: Floats, y: Floats, rounds: int) -> Floats:
    """Return microseconds per agent, (rounds, contenders)."""
    calls = [partial(contender.fit, *given(contender, x, y)) for contender in all_contenders]
    return seconds(calls, rounds) / [contender.agents for contender in all_contenders] * 1e6


def table(all_contenders: tuple[Contender, ...], times: Floats, checks: list[tuple[float, float]]) -> list[str]:
    return rows([contender.name for contender in all_contenders], times, checks)


def section(
    all_contenders: tuple[Contender, ...], times: Floats, checks: list[tuple[float, float]], separated: int
) -> str:
    return "\n".join(
        [
            "# Time per agent of a fit",
            "",
            f"{AGENTS:,} agents x {TRIALS} trials x {ATTRIBUTES} attributes; N(0, 1) priors on slopes, flat intercept.",
            f"One core; {len(times)} rounds in one process, each contender once a round. Made by `make bench`.",
            "",
            f"{HEADER} largest gradient norm | largest difference |",
            "|---|---:|---:|---:|---:|",
            *table(all_contenders, times, checks),
            "",
            "Times are medians, ratios medians of the ratios within rounds; differences are between coefficients.",
            "The first lines are `avowal.fit.coefficients_arrays`; all of a fit is `avowal.fit.fit_arrays`, with",
            "standard errors, covariances, accuracies and an exact test of separation",
            f"({separated} of the {AGENTS:,} are separated). statsmodels computes covariances too; the others return",
            f"coefficients alone. scikit-learn and statsmodels fit {LOOPED} agents a round, one after another. JAX and",
            "Numba are timed after they have compiled. The C reference is no part of this project.",
            "",
            where(),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    on_one_thread()
    x, y = choosers(arguments.seed, AGENTS, TRIALS, ATTRIBUTES)
    with threadpool_limits(1):
        all_contenders = contenders()
        checks = compare(all_contenders, x, y)
        times = measure(all_contenders, x, y, arguments.rounds)
    write(section(all_contenders, times, checks, fit_arrays(x, y).status.count("separated")))
    quote(README, HEADER, table(all_contenders, times, checks))


if __name__ == "__main__":
    main()
