"""The command that gives the Bayesian answer: everything by MAP, bootstrap and Stan, and the joint model."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["check"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--engine", type=click.Choice(["auto", "cmdstan", "stanli"]), default="auto", show_default=True,
              help="CmdStan where it works, else stanli.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a diagnostic fails or an estimate has a status.")
@click.option("--joint/--no-joint", default=True, show_default=True,
              help="Draw the joint model, which takes most of the time.")  # fmt: skip
@click.option("--draws", type=click.IntRange(100), default=1000, show_default=True,
              help="Draws of each of four chains, after as many to adapt.")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(1, 2**31 - 1), default=1, show_default=True, help="Seed of everything drawn."
)
def check(folder: Path, *, engine: str, as_json: bool, strict: bool, joint: bool, draws: int, seed: int) -> int:
    """Check a folder of the paper's files, or of a rerun's, in Stan.

    Example: avowal check published --strict
    """
    from avowal.analysis.material import GAINS, LABELS
    from avowal.progress import bar
    from avowal.published.read import read
    from avowal.stan.check import check as run
    from avowal.stan.engines import Sampling, choose
    from avowal.stan.printed import printed
    from avowal.stan.published import subjects
    from avowal.text import show

    how = Sampling(engine=choose(engine), warmup=draws, draws=draws, seed=seed)
    data = read(folder)
    held = subjects(data)
    known = {name for subject in held for name in subject.reports}
    gains = {name: sides for name, sides in GAINS.items() if known.issuperset(sides)}
    with bar("checking") as advance:
        found = run(held, data.contexts, gains, how=how, joint=joint, seed=seed, progress=advance)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False))
    else:
        show(printed(found, LABELS))
    return 1 if strict and found.problems else 0
