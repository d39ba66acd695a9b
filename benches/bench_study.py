"""Time and memory of the whole simulated study: as called, by part in the engine, and as replicates grow.

Prints a Markdown section and writes it into results.md beside this file, in place of the one of the same title.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

from avowal.simulate import Settings, simulate
from results import write

TITLE = "# Time of the simulated study"
REPLICATES, THREADS = 1_000, 2
PARTS = {
    "agents": "drawing agents: targets, common sense, weights in force",
    "decisions": "drawing pairs and choices",
    "fits": "fitting weights to choices",
    "replies": "drawing replies",
    "rest": "the rest: tables, correlations, jackknife, intervals, figures",
}


def rounds_of(rounds: int) -> list[float]:
    """Seconds for 1,000 replicates on two threads, ascending."""
    settings, times = Settings(), []
    simulate(settings, 50, seed=0, threads=THREADS)
    for seed in range(rounds):
        start = time.perf_counter()
        simulate(settings, REPLICATES, seed=seed, threads=THREADS)
        times.append(time.perf_counter() - start)
    return sorted(times)


def parts_of(rounds: int) -> dict[str, float]:
    """Median seconds for 1,000 replicates on one thread, by part, from the engine's own benchmark."""
    arguments = [str(REPLICATES), *(repr(float(value)) for value in Settings().flat())]
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "avowal-engine", "--bench", "study", "--", *arguments]
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        times = {name: float(seconds) for name, seconds in (line.split() for line in text.splitlines())}
        times["rest"] = times["whole"] - sum(times[name] for name in PARTS if name != "rest")
        for name, seconds in times.items():
            found.setdefault(name, []).append(seconds)
    return {name: statistics.median(values) for name, values in found.items()}


def memory_of(replicates: int) -> tuple[float, float]:
    """Peak memory of a process of its own and the size of its table, in megabytes."""
    command = [sys.executable, __file__, "--memory", str(replicates)]
    peak, table = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return float(peak), float(table)


def print_memory(replicates: int) -> None:
    found = simulate(Settings(), replicates, seed=1, threads=THREADS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(peak / 1e6, found.figures.nbytes / 1e6)


def section(times: list[float], parts: dict[str, float], memory: dict[int, tuple[float, float]]) -> str:
    shares = [f"| {text} | {parts[name]:.2f} | {parts[name] / parts['whole']:.0%} |" for name, text in PARTS.items()]
    sizes = [
        f"| {replicates:,} | {peak:.0f} | {table:.1f} | {peak - table:.0f} |"
        for replicates, (peak, table) in memory.items()
    ]
    return "\n".join(
        [
            TITLE,
            "",
            f"{REPLICATES:,} replicates: 100 trained agents x 50 decisions, 100 native x 100, five sets of 10 replies,",
            f"all fits, correlations and intervals: {statistics.median(times):.2f} s on two threads",
            f"(median of {len(times)}, {times[0]:.2f} to {times[-1]:.2f}). Made by `make bench`.",
            "",
            "| part, on one thread | seconds | share |",
            "|---|---:|---:|",
            *shares,
            f"| whole | {parts['whole']:.2f} | |",
            "",
            "Parts are timed by doing each alone in the engine; the rest is what the whole takes beyond them.",
            "",
            "| replicates | peak memory, MB | table of figures, MB | difference |",
            "|---:|---:|---:|---:|",
            *sizes,
            "",
            "Each row is the peak of a process of its own; most of the difference is the interpreter and its packages.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", type=int, help="only print peak memory and table size after that many replicates")
    arguments = parser.parse_args()
    if arguments.memory is not None:
        print_memory(arguments.memory)
        return
    memory = {replicates: memory_of(replicates) for replicates in (1_000, 8_000, 32_000)}
    write(section(rounds_of(arguments.rounds), parts_of(3), memory))


if __name__ == "__main__":
    main()
