"""Recovery: whether the joint model finds a latent correlation that is known, where the plain one is attenuated."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from avowal.fit import fit_ragged
from avowal.intervals import hdi
from avowal.stan.draws import LEVEL
from avowal.stan.engines import Sampling, sample
from avowal.stan.joint import JointPriors
from avowal.stan.program import program
from avowal.stan.worlds import study

PAIRS = ((0.0, 0.6), (0.3, 0.9))
"""True latent correlations before and after training; every study has both sets of reports."""

DESIGN = {"contexts": 40, "width": 5, "trials": 30}
"""40 contexts of 5 attributes with 30 choices each."""

REPLIES = 5
"""Replies for each context and set."""

WORLD = {
    "kappa": 0.3,
    "mu": 0.0,
    "tau": 3.0,
    "alpha": 0.0,
    "omega": 0.4,
    "shift_mean": np.array([5.0, 5.0]),
    "shift_sd": np.array([10.0, 10.0]),
    "log_scale": np.log([45.0, 45.0]),
    "log_scale_sd": np.array([0.25, 0.25]),
    "noise": np.array([20.0, 20.0]),
}
"""The other parameters: weights, shifts and scales of the size of the paper's models, noisier replies."""

STUDIES = 100
"""Studies for each pair by ``make recovery``."""


def recover(pair: int, number: int, *, seed: int = 1, engine: str = "auto") -> list[dict[str, Any]]:
    """Simulate one study and fit the joint model to it.

    Parameters
    ----------
    pair
        Place in :data:`PAIRS`.
    number
        Which study; it draws from the stream (seed, 3, pair, number).
    seed
        Of everything drawn.
    engine
        One of :data:`avowal.stan.engines.ENGINES`.

    Returns
    -------
    list of dict
        One for each set: seed, engine, rho (the truth), study, plain (the correlation of estimated scaled weights with
        mean reports), mean, low, high (of the latent correlation), realised (the true accuracy of these contexts),
        accuracy_mean, accuracy_low, accuracy_high, problems.
    """
    rng = np.random.default_rng((seed, 3, pair, number))
    replies = np.full((2, DESIGN["contexts"]), REPLIES)
    rho = np.array(PAIRS[pair])
    data, truth = study(rng, replies=replies, rho=rho, **DESIGN, **WORLD)  # type: ignore[arg-type]
    how = Sampling(engine=engine, chains=2, warmup=500, draws=600, seed=1 + number)
    draws = sample(program("joint"), {**data, **asdict(JointPriors())}, how)
    offsets = np.concatenate([[0], np.cumsum(data["trials"])]).astype(np.uint64)
    scaled = fit_ragged(data["x"], data["y"], offsets).scaled
    known = np.repeat(np.isfinite(scaled).all(axis=1), DESIGN["width"])
    problems = list(draws.only(("rho[1]", "rho[2]", "accuracy[1]", "accuracy[2]")).diagnosis().problems)
    rows = []
    for s in (1, 2):
        found, here = draws[f"rho[{s}]"], draws[f"accuracy[{s}]"]
        ends, own = hdi(found, level=LEVEL), hdi(here, level=LEVEL)
        plain = np.corrcoef(scaled.ravel()[known], data["report"][known, s - 1])[0, 1]
        rows.append(
            {
                "seed": seed, "engine": draws.engine, "rho": PAIRS[pair][s - 1], "study": number, "plain": plain,
                "mean": found.mean(), "low": ends.low, "high": ends.high,
                "realised": truth[f"accuracy[{s}]"], "accuracy_mean": here.mean(),
                "accuracy_low": own.low, "accuracy_high": own.high, "problems": problems,
            }
        )  # fmt: skip
    return [{k: round(float(v), 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def summarise(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Average over studies.

    Parameters
    ----------
    rows
        As from :func:`recover`.

    Returns
    -------
    polars.DataFrame
        By rho: studies, plain (mean), mean (of the latent correlation), coverage of its interval, realised (mean),
        accuracy_mean, accuracy_coverage, problems (studies with any).
    """
    return (
        pl.DataFrame(list(rows))
        .group_by("rho")
        .agg(
            pl.len().alias("studies"),
            pl.col("plain").mean(),
            pl.col("mean").mean(),
            ((pl.col("low") <= pl.col("rho")) & (pl.col("rho") <= pl.col("high"))).mean().alias("coverage"),
            pl.col("realised").mean(),
            pl.col("accuracy_mean").mean(),
            ((pl.col("accuracy_low") <= pl.col("realised")) & (pl.col("realised") <= pl.col("accuracy_high")))
            .mean()
            .alias("accuracy_coverage"),
            (pl.col("problems").list.len() > 0).sum().alias("problems"),
        )
        .sort("rho")
    )


def kept(file: Path) -> list[dict[str, Any]]:
    """Read the studies of a file; what a sudden end left of a line is cut off.

    Parameters
    ----------
    file
        JSON lines; it need not exist.

    Returns
    -------
    list of dict
        As from :func:`recover`.
    """
    if not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the studies that a file lacks, and print their summary; ``--help`` tells the rest.

    Parameters
    ----------
    arguments
        Of the command line; by default the process's.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(description="Recovery of a known latent correlation by the joint model.")
    parser.add_argument("out", type=Path, help="JSON lines, one for each study and set; what it holds is kept")
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="auto")
    asked = parser.parse_args(arguments)
    rows = kept(asked.out)
    done = {(row["rho"], row["study"]) for row in rows if row["seed"] == asked.seed}
    with asked.out.open("a", encoding="utf-8") as file:
        for number in range(asked.studies):
            for pair, (before, _) in enumerate(PAIRS):
                if (before, number) not in done:
                    found = recover(pair, number, seed=asked.seed, engine=asked.engine)
                    rows += found
                    file.write("".join(json.dumps(row) + "\n" for row in found))
                    file.flush()
    sys.stdout.write(f"{summarise([row for row in rows if row['seed'] == asked.seed])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
