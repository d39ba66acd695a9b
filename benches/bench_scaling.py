"""Cost as agents and trials grow, on one thread, and the memory that it takes.

Prints a Markdown section and writes it into results.md beside this file, and draws ``docs/scaling.svg``.
"""

import argparse
import gc
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avowal.bootstrap import bootstrap_ragged
from avowal.fit import coefficients_arrays
from avowal.simulate import Settings, simulate
from avowal.trials import Trials
from results import processor, write
from scaling_picture import picture

TITLE = "# Cost and memory as agents and trials grow"
PICTURE = Path(__file__).parents[1] / "docs" / "scaling.svg"
ATTRIBUTES, TRIALS = 5, 50
AGENTS = (100, 1_000, 10_000, 100_000, 1_000_000)
LENGTHS = (10, 100, 1_000, 10_000, 100_000)
TOTAL = 1_000_000
"""Trials in all where their number per agent grows."""
FULL = 16
"""Agents at least: whole groups on every processor, or lanes would be idle."""
AT_ONCE = 100
"""Agents drawn at a time: what that takes is far below what is measured."""
RESAMPLES = 20
MEMORY = (10_000, 100_000, 1_000_000)

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Data:
    """Agents as they are fitted: shapes (agents, trials, attributes) and (agents, trials)."""

    x: Floats
    y: Bytes


def draw(agents: int, trials: int) -> Data:
    """Draw logistic choices of agents whose largest weight moves the log odds by 5, each in its place."""
    rng = np.random.default_rng(agents)
    x, y = np.empty((agents, trials, ATTRIBUTES)), np.empty((agents, trials), np.uint8)
    some = max(1, AT_ONCE * TRIALS // trials)
    for start in range(0, agents, some):
        rows = x[start : start + some]
        rng.random(out=rows)
        rows -= rng.random(rows.shape)
        weights = rng.uniform(-1, 1, (len(rows), ATTRIBUTES, 1))
        weights *= 5 / np.abs(weights).max(axis=1, keepdims=True)
        odds = (rows @ weights)[..., 0]
        y[start : start + some] = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    return Data(x, y)


def available() -> float:
    """Memory that is free, in bytes."""
    listing = Path("/proc/meminfo")
    if not listing.exists():
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    lines = dict(line.split(":") for line in listing.read_text(encoding="utf-8").splitlines())
    return 1024.0 * int(lines["MemAvailable"].split()[0])


def affordable(sizes: tuple[int, ...], what: str) -> tuple[int, ...]:
    """Leave out numbers of agents whose data, results and working space need more memory than there is."""
    each = TRIALS * (8 * ATTRIBUTES + 1) + 8 * (ATTRIBUTES + 1)
    fits = tuple(agents for agents in sizes if 1.5 * each * agents < available())
    for agents in sorted(set(sizes) - set(fits)):
        print(f"{what} of {agents:,} agents is left out: it needs {1.5 * each * agents / 1e9:.1f} GB of free memory")
    return fits


def measure(data: list[Data], rounds: int) -> Floats:
    """Return seconds per call, (rounds, data); every round has an order of its own."""
    orders = np.random.default_rng(rounds)
    # Little work is repeated until it takes about as long as a million trials.
    repeats = [max(1, TOTAL // each.y.size) for each in data]
    times = np.empty((rounds, len(data)))
    for each in data:
        coefficients_arrays(each.x, each.y, threads=1)
    gc.disable()
    for r in range(rounds):
        for d in orders.permutation(len(data)):
            start = time.perf_counter()
            for _ in range(repeats[d]):
                coefficients_arrays(data[d].x, data[d].y, threads=1)
            times[r, d] = (time.perf_counter() - start) / repeats[d]
    gc.enable()
    return times


def fit(agents: int) -> Callable[[], int]:
    data = draw(agents, TRIALS)
    return lambda: coefficients_arrays(data.x, data.y, threads=1).nbytes


def bootstrap(agents: int) -> Callable[[], int]:
    data = draw(agents, TRIALS)
    offsets = np.arange(agents + 1, dtype=np.uint64) * np.uint64(TRIALS)
    trials = Trials((), data.x.reshape(-1, ATTRIBUTES), data.y.ravel(), offsets, ())

    def run() -> int:
        found = bootstrap_ragged(trials, resamples=RESAMPLES, method="percentile", seed=1, threads=1)
        arrays = (found.estimates, found.lower, found.upper, found.standard_errors, found.status, found.undefined)
        return sum(array.nbytes for array in arrays)

    return run


def study(agents: int) -> Callable[[], int]:
    settings = Settings(trained_agents=agents // 2, native_agents=agents // 2)
    return lambda: simulate(settings, 1, seed=1, threads=1).figures.nbytes


KINDS = {
    "fit": (fit, "`coefficients_arrays`"),
    "bootstrap": (bootstrap, f"`bootstrap_ragged`, {RESAMPLES} resamples"),
    "study": (study, "`simulate`, one replicate"),
}


def resident(field: str) -> int:
    """Return what the system says of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def print_memory(kind: str, agents: int) -> None:
    """Print bytes beyond what was there before a call and what it returns.

    A small call comes first, for what is loaded and kept by any; then the peak starts anew, since a process that was
    forked has that of its parent.
    """
    KINDS[kind][0](FULL)()
    run = KINDS[kind][0](agents)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = resident("VmRSS")
    returned = run()
    print(resident("VmHWM") - before - returned, returned)


def memory() -> dict[tuple[str, int], tuple[int, int]]:
    """Return bytes needed and returned, by kind and number of agents, each from a process of its own."""
    if not Path("/proc/self/clear_refs").exists():
        print("memory is left out: only Linux tells the peak of one call")
        return {}
    found = {}
    for kind in KINDS:
        for agents in affordable(MEMORY, f"memory for the {kind}"):
            command = [sys.executable, __file__, "--memory", kind, str(agents)]
            text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
            needed, returned = text.split()
            found[kind, agents] = int(needed), int(returned)
    return found


def rows_of(data: list[Data], times: Floats) -> list[str]:
    rows = []
    for each, seconds in zip(data, times.T, strict=True):
        agents, trials = each.y.shape
        middle, low, high = np.median(seconds), seconds.min(), seconds.max()
        spread = f"{low / each.y.size * 1e9:.1f} to {high / each.y.size * 1e9:.1f}"
        per_agent, per_trial = middle / agents * 1e6, middle / each.y.size * 1e9
        rows.append(f"| {agents:,} | {trials:,} | {per_agent:,.2f} | {per_trial:.1f} | {spread} |")
    return rows


def memory_rows(found: dict[tuple[str, int], tuple[int, int]]) -> list[str]:
    return [
        f"| {KINDS[kind][1]} | {agents:,} | {needed / 1e6:,.1f} | {returned / 1e6:,.1f} |"
        for (kind, agents), (needed, returned) in found.items()
    ]


def section(data: list[Data], times: Floats, found: dict[tuple[str, int], tuple[int, int]], load: float) -> str:
    lines = [
        TITLE,
        "",
        f"`avowal.fit.coefficients_arrays`, {ATTRIBUTES} attributes, one thread; medians of {len(times)} rounds, each",
        "with all sizes in an order of its own. Made by `make bench`.",
        "",
        "| agents | trials of each | microseconds per agent | nanoseconds per trial | least to most |",
        "|---:|---:|---:|---:|---:|",
        *rows_of(data, times),
        "",
    ]
    if found:
        lines += [
            f"| call, {TRIALS} trials, one thread | agents | memory needed, MB | returned, MB |",
            "|---|---:|---:|---:|",
            *memory_rows(found),
            "",
            "Needed is the peak of a process of its own beyond what it held before the call, data included, and what",
            "the call returned. The study has half of the agents in either group, and draws and drops their trials.",
            "",
        ]
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return "\n".join([*lines, f"Load before the start: {load:.1f}. {processor()}; {versions}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", nargs=2, metavar=("KIND", "AGENTS"), help="only print what one call needs")
    arguments = parser.parse_args()
    if arguments.memory is not None:
        print_memory(arguments.memory[0], int(arguments.memory[1]))
        return
    found = memory()
    sizes = affordable(AGENTS, "a fit")
    largest = draw(max(sizes), TRIALS)
    data = [Data(largest.x[:agents], largest.y[:agents]) for agents in sizes]
    data += [draw(max(FULL, TOTAL // trials), trials) for trials in LENGTHS]
    load = os.getloadavg()[0]
    times = measure(data, arguments.rounds)
    medians = np.median(times, axis=0)
    by_agents = {len(each.y): seconds for each, seconds in zip(data[: len(sizes)], medians, strict=False)}
    by_trials = {
        each.y.shape[1]: seconds / len(each.y)
        for each, seconds in zip(data[len(sizes) :], medians[len(sizes) :], strict=True)
    }
    PICTURE.write_text(picture(by_agents, by_trials), encoding="utf-8")
    write(section(data, times, found, load))


if __name__ == "__main__":
    main()
