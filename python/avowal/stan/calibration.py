"""Simulation-based calibration: parameters drawn from the priors must rank evenly among draws given their data.

After Talts, Betancourt, Simpson, Vehtari and Gelman (2018). Every program is run under proper priors; data sets whose
choices are all the same stay in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.stan.draws import Draws
from avowal.stan.engines import Sampling, sample
from avowal.stan.program import program
from avowal.stan.worlds import accuracy_world, choice_world, joint_world

KEPT = 101
"""Draws that a parameter is ranked among: 1,212 draws thinned by 12, so that they are nearly independent."""

BINS = 17
"""Bins of six of the 102 ranks; 16 degrees of freedom, an even number, for which chi-square has a closed form."""

SIMULATIONS = 340
"""Simulations of each program by ``make sbc``: 20 for each bin."""

SIGNIFICANCE = 0.01
"""Level of the uniformity test, divided by the number of quantities of a program."""

World = Callable[[np.random.Generator], tuple[dict[str, Any], dict[str, float]]]

WORLDS: dict[str, World] = {"choices": choice_world, "accuracy": accuracy_world, "joint": joint_world}
"""For each program, a draw of parameters and data from its priors."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Ranks of one program's quantities.

    Attributes
    ----------
    program, engine
        What was run, and by what.
    seed
        Simulation i draws from the stream (seed, program, i).
    ranks
        By quantity: shape (simulations,), from 0 to 101.
    divergent
        Simulations with a divergent transition; they stay in.
    """

    program: str
    engine: str
    seed: int
    ranks: dict[str, NDArray[np.int64]] = field(repr=False)
    divergent: int

    @property
    def simulations(self) -> int:
        """How many data sets were drawn."""
        return len(next(iter(self.ranks.values())))

    @property
    def passed(self) -> bool:
        """Whether every quantity's ranks are even at :data:`SIGNIFICANCE`, corrected for their number."""
        return float(self.to_frame()["p"].min()) >= SIGNIFICANCE / len(self.ranks)  # type: ignore[arg-type]

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each quantity: quantity, histogram (17 counts), chi_square, p."""
        rows = []
        for name, ranks in self.ranks.items():
            counts = np.bincount(ranks * BINS // (KEPT + 1), minlength=BINS)
            expected = len(ranks) / BINS
            chi = float(((counts - expected) ** 2).sum() / expected)
            rows.append({"quantity": name, "histogram": counts.tolist(), "chi_square": chi, "p": chi_square_tail(chi)})
        return pl.DataFrame(rows)


def calibrate(name: str, simulations: int = SIMULATIONS, *, seed: int = 1, engine: str = "auto") -> Calibration:
    """Rank what was drawn from the priors among draws given the data it makes.

    Parameters
    ----------
    name
        The program: a key of :data:`WORLDS`.
    simulations
        How many.
    seed
        Of everything drawn.
    engine
        One of :data:`avowal.stan.engines.ENGINES`.

    Returns
    -------
    Calibration
    """
    ranks: dict[str, list[int]] = {}
    divergent, used = 0, ""
    for i in range(simulations):
        rng = np.random.default_rng((seed, list(WORLDS).index(name), i))
        data, truth = WORLDS[name](rng)
        how = Sampling(engine=engine, chains=2, warmup=500, draws=606, seed=1 + int(rng.integers(2**31 - 1)), delta=0.9)
        draws = sample(program(name), data, how)
        divergent += bool(draws.sampler["divergent__"].any())
        used = draws.engine
        for quantity, rank in _ranks(draws, truth, rng).items():
            ranks.setdefault(quantity, []).append(rank)
    return Calibration(name, used, seed, {q: np.array(r) for q, r in ranks.items()}, divergent)


def chi_square_tail(value: float, df: int = BINS - 1) -> float:
    """Return the chance that chi-square with an even number of degrees of freedom exceeds `value`.

    Parameters
    ----------
    value
        0 or more.
    df
        Even.

    Returns
    -------
    float

    Examples
    --------
    >>> round(chi_square_tail(26.296), 4)
    0.05
    """
    term = total = 1.0
    for j in range(1, df // 2):
        term *= value / 2 / j
        total += term
    return exp(-value / 2) * total


def _ranks(draws: Draws, truth: dict[str, float], rng: np.random.Generator) -> dict[str, int]:
    found = {}
    for name, value in truth.items():
        thinned = draws[name][:: (draws.values.shape[0] * draws.values.shape[1]) // KEPT][:KEPT]
        below, equal = int((thinned < value).sum()), int((thinned == value).sum())
        found[name] = below + int(rng.integers(equal + 1))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the calibration of every program and print it; ``python -m avowal.stan.calibration --help`` tells the rest.

    Parameters
    ----------
    arguments
        Of the command line; by default the process's.

    Returns
    -------
    int
        0 where every program passed, else 1.
    """
    parser = argparse.ArgumentParser(description="Simulation-based calibration of the Stan programs.")
    parser.add_argument("programs", nargs="*", default=list(WORLDS), choices=[*WORLDS, []], metavar="PROGRAM")
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="auto")
    asked = parser.parse_args(arguments)
    passed = True
    for name in asked.programs:
        found = calibrate(name, asked.simulations, seed=asked.seed, engine=asked.engine)
        passed &= found.passed
        verdict = "even" if found.passed else "uneven"
        head = (
            f"{name}: {verdict}; {found.simulations} simulations by {found.engine}, {found.divergent} with divergences"
        )
        lines = [
            f"  {row['quantity']:<22} p {row['p']:.3f}  {' '.join(map(str, row['histogram']))}"
            for row in found.to_frame().iter_rows(named=True)
        ]
        sys.stdout.write("\n".join([head, *lines, ""]) + "\n")
        sys.stdout.flush()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
