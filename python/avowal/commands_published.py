"""The command that prints the paper's tables from its files, or from files of the same form."""

from __future__ import annotations

from pathlib import Path

import click

from avowal.text import show, show_json

__all__ = ["replicate"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option("--weights", type=click.Choice(["fitted", "published"]), default="fitted", show_default=True,
              help="Our fits of the choices, or the authors' weights.")  # fmt: skip
@click.option("--replies", type=click.IntRange(1), default=10, show_default=True,
              help="Replies planned for each context and set.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="Level of the intervals.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(2), default=10_000, show_default=True,
              help="Replicates of the context bootstrap.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True,
              help="Seed of everything drawn.")  # fmt: skip
@click.option("--strict", is_flag=True,
              help="Exit with 1 where an accuracy lost more than 10% of its replies or contexts.")  # fmt: skip
def replicate(
    folder: Path, *, as_json: bool, weights: str, replies: int, level: float, resamples: int, seed: int, strict: bool
) -> int:
    """Print the paper's tables from its files or a rerun's.

    Example: avowal replicate published --json > tables.json
    """
    from avowal.analysis.document import document
    from avowal.analysis.printed import printed
    from avowal.progress import bar
    from avowal.published.replicate import Settings
    from avowal.published.replicate import replicate as run

    settings = Settings(weights=weights, replies=replies, seed=seed, level=level, resamples=resamples)
    with bar("replicating") as advance:
        result = run(str(folder), settings, progress=advance)
    if as_json:
        show_json(document(result))
    else:
        show(printed(result))
    return 1 if strict and result.warnings else 0
