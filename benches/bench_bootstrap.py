"""Time per resample of a bootstrap: avowal against compiled, batched and looped refits of the same resamples.

All are given the same counts and maximise the same: log likelihood, each trial as often as it counts, less half the
squared slopes (N(0, 1) priors), intercept free. Results must agree, and gradients vanish, before anything is timed.
Prints a Markdown section and writes it into results.md beside this file.
"""

import argparse
import math
import os
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from avowal.bootstrap import bootstrap_ragged, refits_arrays
from avowal.estimators import Map
from avowal.trials import Trials, from_arrays
from peers import Floats
from resamplers import Refit, resamplers
from results import write
from rounds import choosers, on_one_thread, rows, seconds, where

AGENTS, TRIALS, ATTRIBUTES, RESAMPLES = 100, 50, 5, 1_000
LOOPED = 5
"""Resamples of each agent in a round of a contender that loops over them: its time doesn't depend on their number."""
AGREEMENT = 1e-4
GRADIENT = 1e-4
FLAT = Map(intercept_scale=math.inf)


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to fit agents again to resamples."""

    name: str
    refit: Refit
    resamples: int = RESAMPLES


def contenders() -> tuple[Contender, ...]:
    own = partial(refits_arrays, estimator=FLAT, threads=1)
    others = (Contender(name, refit, LOOPED if looped else RESAMPLES) for name, (refit, looped) in resamplers().items())
    return Contender("avowal, counts given", own), *others


def whole(x: Floats, y: Floats, threads: int) -> object:
    """Bootstrap as users do: resamples are drawn too, intervals and standard errors made."""
    trials = Trials((), *from_arrays(x, y), ())
    return bootstrap_ragged(
        trials,
        resamples=RESAMPLES,
        seed=1,
        method="percentile",
        scaled=False,
        estimator=FLAT,
        threads=threads,
    )


def draw(seed: int) -> tuple[Floats, Floats, Floats]:
    x, y = choosers(seed, AGENTS, TRIALS, ATTRIBUTES)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(TRIALS, np.full(TRIALS, 1 / TRIALS), (AGENTS, RESAMPLES))
    return x, y, counts.astype(float)


def gradient_norms(coefficients: Floats, x: Floats, y: Floats, counts: Floats) -> Floats:
    p = 1 / (1 + np.exp(-(coefficients[:, :, :-1] @ x.transpose(0, 2, 1)) - coefficients[:, :, -1:]))
    residuals = counts * (y[:, None] - p)
    slopes = residuals @ x - coefficients[:, :, :-1]
    return np.hypot(np.linalg.norm(slopes, axis=2), residuals.sum(axis=2))


def compare(all_contenders: tuple[Contender, ...], x: Floats, y: Floats, counts: Floats) -> list[tuple[float, float]]:
    """Return each contender's largest gradient norm and largest difference from avowal's coefficients."""
    truth = all_contenders[0].refit(x, y, counts)
    found = []
    for contender in all_contenders:
        few = np.ascontiguousarray(counts[:, : contender.resamples])
        coefficients = contender.refit(x, y, few)
        gradient = gradient_norms(coefficients, x, y, few).max()
        difference = np.abs(coefficients - truth[:, : contender.resamples]).max()
        if not (gradient <= GRADIENT and difference <= AGREEMENT):
            sys.exit(f"{contender.name}: gradient {gradient:.1e}, difference {difference:.1e}: nothing to time")
        found.append((gradient, difference))
    return found


def measure(all_contenders: tuple[Contender, ...], x: Floats, y: Floats, counts: Floats, rounds: int) -> Floats:
    """Return microseconds per resample, (rounds, contenders and last the whole bootstrap)."""
    few = [np.ascontiguousarray(counts[:, : contender.resamples]) for contender in all_contenders]
    calls = [partial(contender.refit, x, y, own) for contender, own in zip(all_contenders, few, strict=True)]
    resamples = [*(contender.resamples for contender in all_contenders), RESAMPLES]
    return seconds([*calls, partial(whole, x, y, 1)], rounds) / resamples / AGENTS * 1e6


def scaling(x: Floats, y: Floats, counts: Floats, rounds: int) -> Floats:
    """Return how much faster two threads are, with counts given and for a whole bootstrap, round by round."""
    own = [partial(refits_arrays, x, y, counts, estimator=FLAT, threads=threads) for threads in (1, 2)]
    times = seconds([*own, *(partial(whole, x, y, threads) for threads in (1, 2))], rounds)
    return times[:, ::2] / times[:, 1::2]


def section(
    all_contenders: tuple[Contender, ...], times: Floats, checks: list[tuple[float, float]], scaled: Floats, load: float
) -> str:
    names = [*(contender.name for contender in all_contenders), "avowal, a whole bootstrap"]
    lines = rows(names, times, [*checks, None])
    refits, bootstraps = np.median(scaled, axis=0)
    return "\n".join(
        [
            "# Time per resample of a bootstrap",
            "",
            f"{AGENTS} agents x {TRIALS} trials x {ATTRIBUTES} attributes x {RESAMPLES:,} resamples; N(0, 1) priors",
            f"on slopes, flat intercept. One core; {len(times)} rounds in one process, each contender once a round.",
            "Made by `make bench`.",
            "",
            "| refitter | microseconds per resample | times avowal's | largest gradient norm | largest difference |",
            "|---|---:|---:|---:|---:|",
            *lines,
            "",
            "Times are medians, ratios medians of the ratios within rounds; differences are between coefficients.",
            "All are given the same counts and return coefficients alone; the first line is",
            "`avowal.bootstrap.refits_arrays`. The last, `avowal.bootstrap.bootstrap_ragged`, draws its resamples",
            "itself and makes percentile intervals and standard errors besides. All start at the agent's own fit but",
            f"scikit-learn, which fits {LOOPED} resamples of each agent a round, one after another. JAX is timed after",
            "it has compiled. The C reference is no part of this project.",
            f"Two threads are {refits:.2f} times as fast as one with counts given, and {bootstraps:.2f} times with a",
            f"whole bootstrap. Load before the start: {load:.1f} on {os.cpu_count()} cores; other work takes from the",
            "second.",
            "",
            where(),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    x, y, counts = draw(arguments.seed)
    load = os.getloadavg()[0]
    scaled = scaling(x, y, counts, arguments.rounds)
    on_one_thread()
    with threadpool_limits(1):
        all_contenders = contenders()
        checks = compare(all_contenders, x, y, counts)
        times = measure(all_contenders, x, y, counts, arguments.rounds)
    write(section(all_contenders, times, checks, scaled, load))


if __name__ == "__main__":
    main()
