"""What a second thread is worth, for little work and for much.

Prints a Markdown section and writes it into results.md beside this file, in place of the one of the same title.
"""

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable

import numpy as np

from avowal.bootstrap import bootstrap_ragged
from avowal.fit import coefficients_arrays
from avowal.simulate import Settings, simulate
from avowal.trials import Trials
from bench_scaling import ATTRIBUTES, TRIALS, Floats, draw
from results import processor, write

FITS = (100, 500, 1_000, 2_000, 3_000, 10_000)
AGENTS, RESAMPLES, REPLICATES = 100, 1_000, 200
LEAST = 0.02
"""Seconds of a timing at least: less work is repeated."""
Work = Callable[[int], object]


def fit(agents: int) -> Work:
    data = draw(agents, TRIALS)
    return lambda threads: coefficients_arrays(data.x, data.y, threads=threads)


def bootstrap(method: str) -> Work:
    data = draw(AGENTS, TRIALS)
    offsets = np.arange(AGENTS + 1, dtype=np.uint64) * np.uint64(TRIALS)
    trials = Trials((), data.x.reshape(-1, ATTRIBUTES), data.y.ravel(), offsets, ())
    return lambda threads: bootstrap_ragged(trials, resamples=RESAMPLES, method=method, seed=1, threads=threads)


def study() -> Work:
    settings = Settings()
    return lambda threads: simulate(settings, REPLICATES, seed=1, threads=threads)


def all_work() -> dict[str, Work]:
    return {
        **{f"fit of {agents:,} agents": fit(agents) for agents in FITS},
        f"bootstrap of {AGENTS} agents, {RESAMPLES:,} resamples": bootstrap("percentile"),
        f"simulated study, {REPLICATES} replicates": study(),
    }


def timed(work: Work, threads: int, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work(threads)
    return (time.perf_counter() - start) / repeats


def measure(works: list[Work], rounds: int) -> Floats:
    """Return seconds per call, (rounds, works, 2): on one and on two threads, one right after the other."""
    orders = np.random.default_rng(rounds)
    for work in works:
        work(2)
    repeats = [max(1, round(LEAST / timed(work, 1, 1))) for work in works]
    times = np.empty((rounds, len(works), 2))
    gc.disable()
    for r in range(rounds):
        for w in orders.permutation(len(works)):
            for t in orders.permutation(2):
                times[r, w, t] = timed(works[w], int(t) + 1, repeats[w])
    gc.enable()
    return times


def section(names: list[str], times: Floats, load: float) -> str:
    rows = []
    for name, own in zip(names, times.transpose(1, 0, 2), strict=True):
        one, two = np.median(own, axis=0) * 1e3
        ratios = own[:, 0] / own[:, 1]
        low, high = np.quantile(ratios, (0.25, 0.75))
        rows.append(f"| {name} | {one:,.2f} | {two:,.2f} | {np.median(ratios):.2f} | {low:.2f} to {high:.2f} |")
    return "\n".join(
        [
            "# Two threads against one",
            "",
            f"{TRIALS} trials x {ATTRIBUTES} attributes. {len(times)} rounds, each with all work on one and on two",
            "threads; medians of times and of the ratios within rounds. Made by `make bench`.",
            "",
            "| work | ms on one thread | ms on two | times as fast | middle half of rounds |",
            "|---|---:|---:|---:|---:|",
            *rows,
            "",
            f"Load before the start: {load:.1f} on {os.cpu_count()} cores.",
            f"{processor()}; Python {platform.python_version()}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    load, works = os.getloadavg()[0], all_work()
    write(section(list(works), measure(list(works.values()), arguments.rounds), load))


if __name__ == "__main__":
    main()
