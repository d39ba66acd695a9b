"""The command that writes the page of results: one file that answers what a colleague asks."""

from __future__ import annotations

from pathlib import Path

import click

from avowal.text import say, show_json

__all__ = ["report"]


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY|DIR|SWEEP")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The page.  [default: STUDY/report.html, or report.html here for other folders]")  # fmt: skip
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Print the page too; needs Chromium or Chrome.")  # fmt: skip
@click.option("--open", "look", is_flag=True, help="Show the page in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print everything on the page as JSON; write no page.")
@click.option("--provider", metavar="URL",
              help="The provider of a study's run, if not the file's: an address, or simulated.")  # fmt: skip
@click.option("--check", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="What avowal check --json printed.  [default: a study's own last check]")  # fmt: skip
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="TOML file with prices that are laid over the built-in ones.")  # fmt: skip
@click.option("--weights", type=click.Choice(["fitted", "published"]), default="fitted", show_default=True,
              help="For a folder: our fits of the choices, or the authors' weights.")  # fmt: skip
@click.option("--replies", type=click.IntRange(1), default=10, show_default=True,
              help="For a folder: replies planned for each context and set.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="Level of the intervals.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(2), default=10_000, show_default=True,
              help="Replicates of the context bootstrap.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True, help="Seed of what is drawn.")
def report(
    source: Path,
    *,
    html: Path | None,
    pdf: Path | None,
    look: bool,
    as_json: bool,
    provider: str | None,
    check: Path | None,
    prices: Path | None,
    weights: str,
    replies: int,
    level: float,
    resamples: int,
    seed: int,
) -> None:
    """Write one page with all results of a study, of a folder of the paper's files, or of a sweep.

    The page is one file that asks nothing of a network. A study may be half way, or never run: the page shows what
    there is, and says what is missing.

    Example: avowal report mine --open
    """
    from avowal import prices as price_tables
    from avowal.analysis import Settings
    from avowal.page.data import page
    from avowal.page.sources import read
    from avowal.progress import bar

    settings = Settings(weights=weights, replies=replies, seed=seed, level=level, resamples=resamples)
    table = None if prices is None else price_tables.load(prices)
    with bar("analysing") as advance:
        found = read(source, settings, provider=provider, check=check, prices=table, progress=advance)
    built = page(found)
    if as_json:
        show_json(built.to_dict())
        return
    from avowal.page.render import PAGE, write

    default = Path(PAGE) if found.home is None else found.home / PAGE
    written = default if html is None else html
    if html is None:
        # A trial run that has not begun has no folder yet.
        written.parent.mkdir(parents=True, exist_ok=True)
    write(built, written)
    say(written)
    if pdf is not None:
        from avowal.page.pdf import print_page

        print_page(written, pdf)
        say(pdf)
    if look:
        import webbrowser

        webbrowser.open(written.resolve().as_uri())
