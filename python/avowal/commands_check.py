"""The command that gives the Bayesian answer: everything by MAP, bootstrap and Stan, and the joint model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avowal.text import show, show_json

if TYPE_CHECKING:
    from avowal.analysis import Material

__all__ = ["check"]


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY|DIR")
@click.option("--provider", metavar="URL",
              help="The provider of a study's run, if not the file's: an address, or simulated.")  # fmt: skip
@click.option("--engine", type=click.Choice(["auto", "cmdstan", "stanli"]), default="auto", show_default=True,
              help="CmdStan where it works, else stanli.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a diagnostic fails or an accuracy has a status.")
@click.option("--joint/--no-joint", default=True, show_default=True,
              help="Draw the joint model, which takes most of the time.")  # fmt: skip
@click.option("--sensitivity", is_flag=True,
              help="Draw the weights again under a narrower and a wider prior on slopes.")  # fmt: skip
@click.option("--draws", type=click.IntRange(100), default=1000, show_default=True,
              help="Draws of each of four chains, after as many to adapt.")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(1, 2**31 - 1), default=1, show_default=True, help="Seed of everything drawn."
)
def check(
    source: Path,
    *,
    provider: str | None,
    engine: str,
    as_json: bool,
    strict: bool,
    joint: bool,
    sensitivity: bool,
    draws: int,
    seed: int,
) -> int:
    """Check a study, or a folder of the paper's files, in Stan.

    A study may be half way: what it has is checked. The document goes into STUDY/tables/check.json too, where one with
    the joint model is not replaced by one without.

    Example: avowal check mine --strict
    """
    from avowal.progress import bar
    from avowal.stan.check import check as run
    from avowal.stan.engines import Sampling, choose
    from avowal.stan.printed import printed

    how = Sampling(engine=choose(engine), warmup=draws, draws=draws, seed=seed)
    material, kept = _material(source, provider)
    if kept is not None:
        # Now, so that what takes minutes is not lost to a folder that can't be written.
        kept.parent.mkdir(parents=True, exist_ok=True)
    with bar("checking") as advance:
        found = run(material, how=how, joint=joint, sensitivity=sensitivity, seed=seed, progress=advance)
    document = json.dumps(found.to_dict(), indent=2, allow_nan=False)
    if as_json:
        show_json(found.to_dict())
    else:
        show(printed(found))
    if kept is not None:
        _keep(document, kept)
    return 1 if strict and found.problems else 0


def _keep(document: str, path: Path) -> None:
    """Write a check's document, unless it lacks the joint model that the one in its place has."""
    from avowal.study.whole import whole
    from avowal.text import say

    if path.exists() and json.loads(document)["joint"] is None and _has_joint(path):
        say(f"{path} stays as it is: it has the joint model, which this check left out.", err=True)
        return
    with whole(path) as part:
        part.write_text(f"{document}\n", encoding="utf-8")


def _has_joint(path: Path) -> bool:
    """Tell whether a kept document has the joint model; a damaged one has nothing that must stay."""
    from avowal.errors import InputError
    from avowal.page.checks import read_check

    try:
        held = read_check(path)
    except InputError:
        return False
    return held is not None and bool(held["joint"])


def _material(source: Path, provider: str | None) -> tuple[Material, Path | None]:
    """Read a study, or a folder of the paper's files; with the path of the document that a study keeps."""
    from avowal.errors import InputError
    from avowal.study.config import FILE as STUDY_FILE

    if (source / STUDY_FILE).exists():
        from avowal.study.analysis import material as of_study
        from avowal.study.place import place
        from avowal.study.results import CHECK, TABLES
        from avowal.study.status import look

        here = place(source, provider)
        return of_study(look(here)), here.folder / TABLES / CHECK
    if provider is not None:
        raise InputError.at(f"a study, with a file {STUDY_FILE}", "none", file=source, field="--provider")
    from avowal.published.read import read
    from avowal.published.replicate import Settings
    from avowal.published.replicate import material as of_folder

    return of_folder(read(source), Settings()), None
