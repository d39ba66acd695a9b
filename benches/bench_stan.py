"""Time of weights in Stan: avowal draws every context in one run, the authors' way is one brms update for each.

Both have the same choices, priors, chains and iterations, and must agree before a time is told. Without R and brms only
avowal is timed. Prints a Markdown section and writes it into results.md beside this file.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from avowal.agents import Logistic, choose, targets
from avowal.contexts import Context, builtin
from avowal.design import pairs
from avowal.fit import fit
from avowal.stan import ChoicePosterior, Sampling, choice_posterior
from avowal.stan.choices import trial_data
from results import processor, write

TITLE = "# Posterior of the weights in Stan"
CONTEXTS, CHOICES, ATTRIBUTES = 100, 50, 5
CORES = (1, 2)
"""For the chains of an update: brms's default, and as many as chains run at once with avowal on two cores."""
AGREEMENT = 5.0
"""Monte-Carlo standard errors between two posterior means: exceeded once in 3,000 comparisons of 600 of them."""
TERMS = {"b_Intercept": "intercept[{c}]"} | {f"b_d{k}": f"slope[{{c}},{k}]" for k in range(1, ATTRIBUTES + 1)}
"""brms's names of coefficients and ours."""


@dataclass(slots=True)
class Ours:
    """Rounds of avowal: seconds and seconds of processor time of each, and the first one's posterior."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    first: ChoicePosterior | None = None

    def draw(self, choices: pl.DataFrame, contexts: list[Context], seed: int) -> None:
        """Time one round."""
        start, used = time.perf_counter(), time.process_time()
        found = choice_posterior(choices, contexts, how=Sampling(engine="stanli", seed=seed))
        self.seconds.append(time.perf_counter() - start)
        self.processor.append(time.process_time() - used)
        self.first = self.first or found


@dataclass(slots=True)
class Brms:
    """A running `brms_choices.R`: times of compilation and of updates by cores, and tables of posterior means.

    Times are seconds and seconds of processor time.
    """

    process: subprocess.Popen[str]
    folder: Path
    compilation: tuple[float, float] = (0.0, 0.0)
    versions: str = ""
    updates: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: {cores: [] for cores in CORES})
    posteriors: dict[int, pl.DataFrame] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        """Start R on a folder of tables and wait until the model is compiled."""
        command = [shutil.which("Rscript") or "Rscript", str(Path(__file__).with_name("brms_choices.R")), str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with (
            (folder / "errors.txt").open("w") as errors,
            subprocess.Popen(command, stderr=errors, **pipes) as process,  # noqa: S603
        ):
            found = cls(process, folder)
            seconds, used, found.versions = found.answer().split(" ", 2)
            found.compilation = float(seconds), float(used)
            yield found

    def answer(self) -> str:
        """Wait for the next answer; end with R's own words where it ended."""
        for line in self.process.stdout:
            if line.startswith("= "):
                return line[2:].strip()
        sys.exit(f"brms stopped:\n{(self.folder / 'errors.txt').read_text()}")

    def update(self, context: int, cores: int) -> None:
        """Draw one context's weights."""
        print(context, cores, file=self.process.stdin, flush=True)
        seconds, used = self.answer().split()
        self.updates[cores].append((float(seconds), float(used)))
        self.posteriors[context] = pl.read_csv(self.folder / f"{context}-posterior.csv")

    def update_times(self, cores: int, which: int = 0) -> list[float]:
        """Return seconds, or (1) seconds of processor time, of the updates that were made."""
        return [times[which] for times in self.updates[cores]]

    def hundred(self, cores: int, which: int = 0) -> float:
        """Add up compilation and an update for each context, told from the median where not all were made."""
        made = self.update_times(cores, which)
        whole = sum(made) if len(made) == CONTEXTS else statistics.median(made) * CONTEXTS
        return self.compilation[which] + whole

    def effective(self) -> tuple[float, float]:
        """Return the smallest effective sample sizes of slopes, bulk and tail."""
        slopes = pl.concat(self.posteriors.values()).filter(pl.col("variable").str.starts_with("b_d"))
        return slopes["ess_bulk"].min(), slopes["ess_tail"].min()


def has_brms() -> bool:
    program = shutil.which("Rscript")
    command = [program or "", "-e", "quit(status = !requireNamespace('brms', quietly = TRUE))"]
    return program is not None and subprocess.run(command, capture_output=True).returncode == 0  # noqa: S603


def simulated(seed: int) -> tuple[pl.DataFrame, list[Context]]:
    contexts = builtin("training")[:CONTEXTS]
    rule = Logistic(inverse_temperature=6)
    return choose(
        pairs(contexts, CHOICES, seed=seed), contexts, targets(contexts, seed=seed), rule=rule, seed=seed
    ), contexts


def hand_over(choices: pl.DataFrame, contexts: list[Context], folder: Path) -> None:
    """Write a table for each context as brms reads it, in the order in which avowal names contexts."""
    data = trial_data([trials for trials, _ in fit(choices, contexts).parts])
    ends = np.cumsum(data["trials"])[:-1]
    for index, (x, y) in enumerate(zip(np.split(data["x"], ends), np.split(data["y"], ends), strict=True)):
        table = pl.DataFrame({"choice": y} | {f"d{k}": column for k, column in enumerate(x.T, 1)})
        table.write_csv(folder / f"{index}.csv")


def largest_difference(ours: ChoicePosterior, brms: Brms) -> tuple[float, int]:
    """Return the largest difference in posterior means, in Monte-Carlo standard errors, and how many were compared."""
    mine = {row["quantity"]: row for row in ours.draws.summary(ours.diagnosis).iter_rows(named=True)}
    found = []
    for context, table in brms.posteriors.items():
        for row in table.filter(pl.col("variable").is_in(TERMS)).iter_rows(named=True):
            other = mine[TERMS[row["variable"]].format(c=context + 1)]
            found.append(abs(row["mean"] - other["mean"]) / np.hypot(row["mcse_mean"], other["mcse"]))
    worst = max(found, default=np.nan)
    if len(found) != len(TERMS) * len(brms.posteriors) or not worst <= AGREEMENT:
        sys.exit(f"{len(found)} posterior means differ from brms's by up to {worst:.1f} errors: nothing to tell")
    return worst, len(found)


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def beside_brms(ours: Ours, brms: Brms) -> list[str]:
    """Rows of the table for brms, then the parts of its time and the agreement."""
    worst, compared = largest_difference(ours.first, brms)
    own, own_used = statistics.median(ours.seconds), statistics.median(ours.processor)
    bulk, tail = brms.effective()
    made = len(brms.updates[CORES[0]])
    words = {1: "one core", 2: "two cores"}
    hundreds = [
        f"| brms, compilation and {CONTEXTS} updates, {words[cores]} | {brms.hundred(cores):.1f} "
        f"| {brms.hundred(cores) / own:.1f} "
        f"| {brms.hundred(cores, 1):.1f} | {brms.hundred(cores, 1) / own_used:.1f} | {bulk:,.0f} | {tail:,.0f} |"
        for cores in CORES
    ]
    updates = [
        f"| an update, {words[cores]} | {statistics.median(times):.2f} | {spread(times)} "
        f"| {statistics.median(times) * CONTEXTS / own:.1f} "
        f"| {statistics.median(used):.2f} |"
        for cores in CORES
        for times, used in [(brms.update_times(cores), brms.update_times(cores, 1))]
    ]
    count = (
        f"All {CONTEXTS} updates were made, once on one core and once on two."
        if made == CONTEXTS
        else f"{made} updates were made on one core and on two; figures for {CONTEXTS} are their median x {CONTEXTS}."
    )
    return [
        *hundreds,
        "",
        f"| part of brms's time | median seconds | from, to | {CONTEXTS} of them, times avowal's | processor seconds |",
        "|---|---:|---:|---:|---:|",
        f"| compilation, once | {brms.compilation[0]:.1f} | | | {brms.compilation[1]:.1f} |",
        *updates,
        "",
        count,
        "`brm(choice ~ d1 + ... + d5, family = bernoulli(), prior = prior(normal(0, 1), class = b))` is compiled once,",
        "then `update(model, newdata, recompile = FALSE)` is called for each context (`benches/brms_choices.R`).",
        "One core is brms's default; with two, rstan forks R for every chain, which takes longer than drawing.",
        f"Of {compared} posterior means none differs from brms's by more than {worst:.1f} Monte-Carlo standard errors.",
        "",
        f"{brms.versions}.",
    ]


def section(ours: Ours, brms: Brms | None, load: float) -> str:
    median, used = statistics.median(ours.seconds), sum(ours.processor) / sum(ours.seconds)
    sizes = ours.first.weights.select(pl.col("ess_bulk", "ess_tail").min()).row(0)
    count = os.cpu_count() or 1
    shared = f"Load before the start: {load:.1f} on {count} cores."
    if load > 0.5 or used < 1.5:
        shared += " The machine was shared: ratios say more than seconds, and processor seconds more than either."
    return "\n".join(
        [
            TITLE,
            "",
            f"{CONTEXTS} contexts x {CHOICES} choices, {ATTRIBUTES} attributes, simulated; 4 chains of 1,000 draws",
            f"after 1,000 of warm-up. Rounds: {len(ours.seconds)}, each with every way in turn; times are medians.",
            f"Made by `make bench`; `python benches/bench_stan.py --updates {CONTEXTS}` makes every update.",
            "",
            "| way | seconds | times avowal's | processor seconds | times avowal's | least bulk ESS | least tail ESS |",
            "|---|---:|---:|---:|---:|---:|---:|",
            f"| avowal, all contexts in one run | {median:.1f} | 1 | {statistics.median(ours.processor):.1f} | 1 "
            f"| {sizes[0]:,.0f} | {sizes[1]:,.0f} |",
            *(beside_brms(ours, brms) if brms else ["", "The authors' way was not timed: there was no R with brms."]),
            "",
            "avowal is timed as called, `avowal.stan.choice_posterior` with stanli: with modes, diagnostics and",
            f"tables; nothing is compiled. Its rounds took {spread(ours.seconds)} s and got {used:.1f} cores' worth.",
            "ESS are effective draws of slopes, the least of all contexts that were drawn.",
            shared,
            "",
            f"{processor()}; Python {platform.python_version()}, {ours.first.engine}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--updates", type=int, default=10, choices=range(1, CONTEXTS + 1), metavar="N", help="contexts that brms draws"
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    choices, contexts = simulated(arguments.seed)
    ours, rounds = Ours(), range(1, arguments.rounds + 1)
    if not has_brms():
        for seed in rounds:
            ours.draw(choices, contexts, seed)
        write(section(ours, None, load))
        return
    with tempfile.TemporaryDirectory() as folder:
        hand_over(choices, contexts, Path(folder))
        with Brms.running(Path(folder)) as brms:
            for seed, block in zip(rounds, np.array_split(np.arange(arguments.updates), len(rounds)), strict=True):
                ours.draw(choices, contexts, seed)
                for context in block:
                    for cores in CORES:
                        brms.update(int(context), cores)
        write(section(ours, brms, load))


if __name__ == "__main__":
    main()
