"""Instructions of the engine's kernels, counted by valgrind: what a change costs shows without a quiet machine.

Prints a Markdown section and writes it into results.md beside this file, and the counts into instructions.toml; with
``--check`` writes nothing, and fails where a kernel takes more instructions than are recorded there.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from avowal.simulate import Settings
from results import write

RECORD = Path(__file__).with_name("instructions.toml")
HEADER = "# Written by benches/instructions.py: instructions by path and kernel.\n"
PATHS = ("avx2", "portable")
"""valgrind knows no AVX-512."""
ALLOWED = 0.03
"""Kernels move by about a hundredth when code beside them changes, because they are then inlined otherwise."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What is run, and how much of it one repetition does."""

    words: str
    items: int
    unit: str


KERNELS = {
    "fit": Kernel("coefficients of 1,000 agents x 50 trials x 5 attributes", 1_000, "agent"),
    "bootstrap": Kernel("bootstrap of one agent, 1,000 resamples of 50 trials", 1_000, "resample"),
    "replicate": Kernel("simulated study, one replicate", 1, "replicate"),
    "pairs": Kernel("pairs of options drawn, 1,000 contexts x 50 x 5", 50_000, "pair"),
    "choices": Kernel("choices drawn, 1,000 agents x 50 x 5", 50_000, "choice"),
    "decisions": Kernel("pairs and choices, 1,000 agents x 50 x 5", 50_000, "pair"),
    "recovery": Kernel("replicate of recovery, 100 agents x 50 x 5", 2, "replicate"),
}
Counts = dict[str, dict[str, int]]


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        sys.exit(
            f"instructions: needs {program}, which is not on the path"
            + ("; Debian: apt-get install valgrind" if program == "valgrind" else "")
        )
    return path


def built() -> str:
    """Return the path of the benchmark's program."""
    command = [found("cargo"), "bench", "--quiet", "--locked", "-p", "avowal-engine", "--bench", "kernels"]
    command += ["--no-run", "--message-format=json"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    messages = (json.loads(line) for line in text.splitlines())
    return str(next(path for path in (message.get("executable") for message in messages) if path))


def compiler() -> str:
    command = [found("rustc"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def instructions(program: str, path: str, kernel: str, repetitions: int) -> int:
    """Return what a whole run takes, its start and its data included."""
    numbers = [repr(float(value)) for value in Settings().flat()] if kernel == "replicate" else []
    command = [found("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null", program]
    command += [kernel, str(repetitions), *numbers]
    run = subprocess.run(command, env=os.environ | {"AVOWAL_SIMD": path}, capture_output=True, text=True)  # noqa: S603
    count = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or count is None:
        sys.exit(f"instructions: {kernel} on {path} failed:\n{run.stderr}")
    return int(count.group(1))


def counted() -> Counts:
    """Return what one repetition takes, by path and kernel: the difference of two runs, which share all else."""
    program = built()
    return {
        path: {name: instructions(program, path, name, 2) - instructions(program, path, name, 1) for name in KERNELS}
        for path in PATHS
    }


def recorded() -> tuple[str, Counts]:
    held = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    return held.pop("compiler"), held


def record(counts: Counts) -> None:
    lines = [f'compiler = "{compiler()}"']
    for path, kernels in counts.items():
        lines += ["", f"[{path}]", *(f"{name} = {count}" for name, count in kernels.items())]
    RECORD.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def section(counts: Counts) -> str:
    rows = []
    for name, kernel in KERNELS.items():
        each = " | ".join(f"{counts[path][name] / kernel.items:,.0f}" for path in PATHS)
        rows.append(f"| {kernel.words} | {kernel.unit} | {each} |")
    return "\n".join(
        [
            "# Instructions of the engine's kernels",
            "",
            f"| kernel, on one thread | instructions per | {' | '.join(PATHS)} |",
            f"|---|---|{'---:|' * len(PATHS)}",
            *rows,
            "",
            "Counted by valgrind, which knows no AVX-512; they hardly depend on the machine or on what else it does.",
            f"`make instructions` fails where one is more than {ALLOWED:.0%} above these; `make instructions CHECK=`",
            "records them anew.",
            "",
            f"{compiler()}.",
            "",
        ]
    )


def check(counts: Counts) -> None:
    """Compare with what is recorded; more than is allowed fails, with the compiler that it was recorded with."""
    made_by, before = recorded()
    more = []
    for path, kernels in counts.items():
        for name, count in kernels.items():
            if name not in before.get(path, {}):
                sys.exit(f"instructions: {name} on {path} is not recorded; `make instructions CHECK=` records it")
            ratio = count / before[path][name]
            print(f"{path:9} {name:10} {count:13,} instructions, {ratio - 1:+.2%}")
            if ratio > 1 + ALLOWED:
                more.append(f"{name} on {path} takes {ratio - 1:.1%} more instructions than recorded")
    if made_by != compiler():
        # Another compiler inlines and unrolls otherwise, which is no regression of ours.
        print(f"Recorded with {made_by}; this is {compiler()}: nothing is judged.")
    elif more:
        sys.exit("instructions: " + "; ".join(more) + ". If that is the price of something, record it: CHECK=")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is recorded, and write nothing")
    arguments = parser.parse_args()
    counts = counted()
    if arguments.check:
        check(counts)
    else:
        record(counts)
        write(section(counts))


if __name__ == "__main__":
    main()
