"""The commands on studies: make one, and see what it will do before it does anything."""

from __future__ import annotations

from pathlib import Path

import click

from avowal.text import say, show, show_json

__all__ = ["init", "plan"]

_STUDY = click.argument("study", type=click.Path(path_type=Path), metavar="STUDY")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--template", type=click.Choice(["paper", "small", "conditions"]), default="paper", show_default=True,
              help="Sizes: the paper's, or 20 contexts of each kind; these also with a condition.")  # fmt: skip
def init(folder: Path, *, template: str) -> None:
    """Write a commented study.toml into a folder.

    Example: avowal init mine --template small
    """
    from avowal.study import init as write

    say(f"{write(folder, template)}: look it through, then avowal plan {folder}")


@click.command()
@_STUDY
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="TOML file with prices that are laid over the built-in ones.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
def plan(study: Path, *, prices: Path | None, as_json: bool) -> None:
    """Say what a study will send and cost, what is left of it, and what it is likely to show; spends nothing.

    Example: avowal plan mine --json
    """
    from datetime import UTC, datetime

    from avowal import prices as price_tables
    from avowal.study import plan as make
    from avowal.study.config import read
    from avowal.study.printed import printed
    from avowal.study.shutdowns import offers

    asked = read(study)
    # The simulated provider runs only while a study does, and its models stay.
    said = (
        None
        if asked.provider.base_url == "simulated"
        else offers(asked.provider.base_url, asked.provider.key_env, study)
    )
    found = make(study, prices=price_tables.over(prices), offers=said)
    today = datetime.now(UTC).date()
    if as_json:
        show_json(found.to_dict() | {"warnings": found.warnings(today)})
    else:
        show(printed(found, today))
