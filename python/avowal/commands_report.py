"""The command that writes the page of results: one file that answers what a colleague asks."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from avowal.text import say, show_json

__all__ = ["report"]


_OF_FOLDERS = ("weights", "replies")
"""Options that change what is made of a folder of the authors' files alone."""

_OF_ANALYSES = (*_OF_FOLDERS, "level", "resamples", "seed")
"""Options that change nothing of a sweep's page."""

_OF_PAGES = ("html", "pdf", "look")
"""Options that say what becomes of a page, and of no JSON."""


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
    from avowal.analysis import Settings
    from avowal.page.data import page
    from avowal.page.sources import Given, kind_of, read
    from avowal.progress import bar

    kind = kind_of(source)
    _refuse({"study": _OF_FOLDERS, "folder": (), "sweep": _OF_ANALYSES}[kind], f"no option on the page of a {kind}")
    if as_json:
        _refuse(_OF_PAGES, "no option beside --json, which writes no page")
    written = _target(kind, source, provider) if html is None else html
    if not as_json:
        _refuse_targets(written, pdf)
    settings = Settings(weights=weights, replies=replies, seed=seed, level=level, resamples=resamples)
    with bar("analysing") as advance:
        found = read(source, settings, Given(provider, prices, check), progress=advance)
    built = page(found)
    if as_json:
        show_json(built.to_dict())
        return
    from avowal.page.render import write

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


def _target(kind: str, source: Path, provider: str | None) -> Path:
    """Return where a page goes that nobody gave a place: beside a study's run, and else here."""
    from avowal.page.render import PAGE

    if kind != "study":
        return Path(PAGE)
    from avowal.study.place import place

    return place(source, provider).folder / PAGE


def _refuse(names: tuple[str, ...], why: str) -> None:
    """Refuse options that would change nothing: whoever gives one expects it to."""
    from avowal.errors import InputError

    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(each.opts[0] for each in context.command.params if each.name == name)
            raise InputError.at(why, "one", field=option)


def _refuse_targets(html: Path, pdf: Path | None) -> None:
    """Refuse to write over anything but an earlier page or print: a study's own files, or somebody's thesis."""
    from avowal.errors import InputError
    from avowal.page.render import is_page

    try:
        places = [path.resolve() for path in (html, pdf) if path is not None]
    except (OSError, RuntimeError) as error:
        raise InputError.at("a file that can be written", error, field="--html") from None
    if len(set(places)) < len(places):
        raise InputError.at("another file than that of the page", pdf, field="--pdf")
    for option, path, fits, what in (
        ("--html", html, is_page, "an earlier page"),
        ("--pdf", pdf, _is_print, "an earlier PDF"),
    ):
        if path is None or not path.exists() or (path.is_file() and path.stat().st_size == 0):
            continue
        if not path.is_file() or not fits(path):
            raise InputError.at(f"a new file, or {what} to write over", "another file", file=path, field=option)


def _is_print(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(5) == b"%PDF-"
