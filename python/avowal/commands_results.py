"""The commands on what studies have found: how far they are, what it says, and how to take it elsewhere."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from avowal.text import say, show, show_json

__all__ = ["analyze", "export", "status"]

_STUDY = click.argument("study", type=click.Path(path_type=Path), metavar="STUDY")
_PROVIDER = click.option("--provider", metavar="URL",
                         help="The provider of the run, if not the file's: an address, or simulated.")  # fmt: skip
_PRICES = click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                       help="TOML file with prices that are laid over the built-in ones.")  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")


@click.command()
@_STUDY
@_PROVIDER
@_PRICES
@_JSON
def status(study: Path, *, provider: str | None, prices: Path | None, as_json: bool) -> None:
    """Say how far a study is, also while it runs.

    Example: avowal status mine
    """
    from avowal import prices as price_tables
    from avowal.study.place import place
    from avowal.study.status import status as look
    from avowal.study.status_printed import printed

    found = look(place(study, provider), price_tables.over(prices))
    if as_json:
        show_json(found.to_dict())
    else:
        show(printed(found))


@click.command()
@_STUDY
@_PROVIDER
@_PRICES
@_JSON
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="Level of the intervals.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(2), default=10_000, show_default=True,
              help="Replicates of the context bootstrap.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True, help="Seed of what is drawn.")
@click.option("--strict", is_flag=True,
              help="Exit with 1 where an accuracy lost more than 10% of its replies or contexts.")  # fmt: skip
def analyze(
    study: Path,
    *,
    provider: str | None,
    prices: Path | None,
    as_json: bool,
    level: float,
    resamples: int,
    seed: int,
    strict: bool,
) -> int:
    """Print the paper's tables for a study, finished or not, and write them into STUDY/tables.

    Ends with 1 where there is no accuracy to tell yet.

    Example: avowal analyze mine --json > mine.json
    """
    from avowal import prices as price_tables
    from avowal.analysis import Settings, document, printed
    from avowal.progress import bar
    from avowal.study.collect import collect
    from avowal.study.place import place
    from avowal.study.results import tabulate
    from avowal.study.status import stage_document, status_of
    from avowal.study.status_printed import accounts
    from avowal.study.store import Store

    found = place(study, provider)
    table = price_tables.over(prices)
    settings = Settings(replies=found.study.design.reports, seed=seed, level=level, resamples=resamples)
    with Store.reading(found.folder) as store, nullcontext() if store is None else store.snapshot():
        collected = collect(store, found.study, prices=table)
        known = status_of(store, found, collected, table)
    with bar("analysing") as advance:
        _, result = tabulate(found, table, settings, collected=collected, progress=advance)
    if as_json:
        held = document(result) | {"stages": [stage_document(each) for each in known.stages]}
        show_json(held)
    else:
        show([*printed(result), *accounts(known)])
    if not any(its.accuracy.r is not None for model in result.models for its in model.sets.values()):
        return 1
    return 1 if strict and result.warnings else 0


@click.command()
@_STUDY
@_PROVIDER
@click.option("--format", "form", type=click.Choice(["parquet", "csv", "jsonl"]), default="parquet", show_default=True,
              help="All tables; the authors' files; or requests and replies as they came.")  # fmt: skip
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder of the files; STUDY/export-FORMAT if not given.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a path in each line.")
def export(study: Path, *, provider: str | None, form: str, folder: Path | None, as_json: bool) -> None:
    """Write a study's results for others: tables, the authors' files, or raw replies.

    Example: avowal export mine --format csv --to shared
    """
    from avowal.study.export import export as write
    from avowal.study.place import place

    found = place(study, provider)
    paths = [str(path) for path in write(found, form, folder or found.folder / f"export-{form}")]
    if as_json:
        show_json({"format": form, "files": paths})
    else:
        for path in paths:
            say(path)
    if form == "csv":
        replies = found.study.design.reports
        say(f"avowal replicate DIR --replies {replies}, DIR a folder of these, prints their figures.", err=True)
