"""Numbers and tables as the terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NONE = "–"
"""What stands where there is no number."""


def number(value: float | None, places: int = 2) -> str:
    """Write a number between -1 and 1 as papers do, without the zero before the point.

    Examples
    --------
    >>> number(0.5428), number(-0.008), number(None)
    ('.54', '-.01', '–')
    """
    if value is None:
        return NONE
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def interval(ends: tuple[float, float] | None) -> str:
    """Write an interval in brackets.

    Examples
    --------
    >>> interval((0.4689, 0.6168))
    '[.47, .62]'
    """
    return NONE if ends is None else f"[{number(ends[0])}, {number(ends[1])}]"


def estimate(value: float | None, ends: tuple[float, float] | None) -> str:
    """Write an estimate with its interval.

    Examples
    --------
    >>> estimate(0.5428, (0.4689, 0.6168))
    '.54 [.47, .62]'
    """
    return NONE if value is None else f"{number(value)} {interval(ends)}"


def percent(share: float | None, places: int = 1) -> str:
    """Write a share in percent.

    Examples
    --------
    >>> percent(0.8256)
    '82.6%'
    """
    return NONE if share is None else f"{100 * share:.{places}f}%"


def table(title: str, columns: list[str], rows: list[list[str]]) -> Table:
    """Build a table: cells that hold no numbers to the left, the others to the right.

    Parameters
    ----------
    title
        Above the table, never read as markup.
    columns
        Headers.
    rows
        One list of cells for each row; cells are shown as they are, never read as markup.

    Returns
    -------
    rich.table.Table
        For a console to print.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    built = Table(title=Text(title), box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for place, name in enumerate(columns):
        words = any(row[place][:1].isalpha() for row in rows)
        built.add_column(Text(name), justify="left" if words or place == 0 else "right", overflow="fold")
    for row in rows:
        built.add_row(*(Text(cell) for cell in row))
    return built


def show(parts: Iterable[object]) -> None:
    """Print tables and texts to standard output: as wide as the terminal, or 120 columns where there is none.

    Parameters
    ----------
    parts
        What rich can print, in order; texts are shown as they are, never read as markup.
    """
    console = _console()
    for part in parts:
        console.print(part, markup=False)


def width() -> int:
    """Return the width that :func:`show` prints to."""
    return _console().width


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=120)
