"""The command that shows all of it at once: a small study of two simulated models, run and analysed."""

from __future__ import annotations

from pathlib import Path

import click

from avowal.text import say, show, show_json

__all__ = ["demo"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR]", default=Path("avowal-demo"))
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Seed of the study.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
def demo(folder: Path, *, seed: int, as_json: bool) -> int:
    """Run a small study of two simulated models over HTTP and analyse it: no key, no network.

    DIR is avowal-demo if it isn't given; the study is left there with its tables and its page, report.html. Replies are
    lost on purpose, as many as the paper's models lost.

    Example: avowal demo avowal-demo --seed 7
    """
    from avowal.analysis import document, printed
    from avowal.demo import demo as run
    from avowal.progress import Volume, volume
    from avowal.study.watch import watching

    with watching(quiet=volume() is Volume.QUIET) as watch:
        found = run(folder, seed=seed, watch=watch)
    if as_json:
        show_json(document(found.analysis))
    else:
        show([*printed(found.analysis), f"The study is in {folder}, its tables in {folder / 'tables'}."])
        say(f"The page of all results: {found.page}")
    return 1 if found.outcome.stopped else 0
