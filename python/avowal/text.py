"""Numbers, tables and lines as the terminal shows them: whatever they hold appears as text and steers nothing."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

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


def plain(text: str, *, lines: bool = False) -> str:
    r"""Write out what would steer a terminal or turn the order of its letters: names and replies are anybody's words.

    Parameters
    ----------
    text
        Anything.
    lines
        Whether line breaks stay; otherwise they are written out too.

    Returns
    -------
    str
        The text with control characters, marks of direction, halves of characters and the like as Python's escapes.
        Letters of all scripts stay, and what joins them.

    Examples
    --------
    >>> plain("tea\x1b[2J \u202eexe.png")
    'tea\\x1b[2J \\u202eexe.png'
    """
    if text.isprintable():
        return text
    return "".join(letter if harmless(letter) or (lines and letter == "\n") else _escape(letter) for letter in text)


_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of Unicode: controls, formats, halves of characters, breaks of lines and paragraphs."""

_JOINERS = "\u200c\u200d"
"""Formats that Persian and Indian scripts and emoji are written with."""


def harmless(letter: str) -> bool:
    """Tell whether a letter is seen where it stands, and steers nothing."""
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) not in _STEERING


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts, for the terminal and for notebooks.

    Where the terminal is too narrow for its numbers in columns, each row becomes a block of lines: no number is cut,
    and none is left out.

    Attributes
    ----------
    title
        Above the table.
    columns
        Headers, which may be broken into lines.
    rows
        One tuple of cells for each row.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", plain(self.title))
        object.__setattr__(self, "columns", tuple(plain(each, lines=True) for each in self.columns))
        object.__setattr__(self, "rows", tuple(tuple(map(plain, row)) for row in self.rows))

    def words(self, place: int) -> bool:
        """Tell whether a column holds words, which stand to the left, or numbers, which stand to the right."""
        return place == 0 or any(row[place][:1].isalpha() for row in self.rows)

    def fits(self, width: int) -> bool:
        """Tell whether a terminal of that many columns has room for the numbers in columns."""
        return self._widths(width) is not None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Lay the table out for a console of rich."""
        widths = self._widths(options.max_width)
        yield from self._stacked() if widths is None else [self._side_by_side(widths)]

    def _widths(self, width: int) -> list[int] | None:
        """Return the width of every column; None where numbers would have to be broken."""
        from rich.cells import cell_len

        columns = [[head, *(row[place] for row in self.rows)] for place, head in enumerate(self.columns)]
        whole = [max(1, *(cell_len(line) for cell in column for line in cell.split("\n"))) for column in columns]
        least = [
            max(
                [
                    1,
                    *(
                        min(cell_len(word), _room(word, above=cell is column[0]))
                        for cell in column
                        for word in cell.split()
                    ),
                ]
            )
            for column in columns
        ]
        # Between columns stand a rule and a blank on either side, and a rule at either end.
        room = width - 3 * len(columns) + 1
        if sum(least) > room:
            return None
        given = least
        for cap in range(1, max(whole) + 1):
            wider = [max(few, min(cap, many)) for few, many in zip(least, whole, strict=True)]
            if sum(wider) > room:
                break
            given = wider
        return given

    def _side_by_side(self, widths: Sequence[int]) -> RenderableType:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        laid = RichTable(
            title=Text(self.title), box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False
        )
        for place, (name, width) in enumerate(zip(self.columns, widths, strict=True)):
            side: Literal["left", "right"] = "left" if self.words(place) else "right"
            laid.add_column(Text(name), justify=side, overflow="fold", width=width)
        for row in self.rows:
            laid.add_row(*(Text(cell) for cell in row))
        return laid

    def _stacked(self) -> Iterator[RenderableType]:
        from rich.padding import Padding
        from rich.text import Text

        heads = [name.replace("\n", "") for name in self.columns]
        yield Text(self.title, style="bold", overflow="fold")
        for row in self.rows:
            lines = [f"{head}: {cell}" if head else cell for head, cell in zip(heads, row, strict=True) if cell]
            yield Padding(Text(lines[0] if lines else "", style="bold", overflow="fold"), (0, 0, 0, 1), expand=False)
            for line in lines[1:]:
                yield Padding(Text(line, overflow="fold"), (0, 0, 0, 3), expand=False)
        yield Text("")


def _room(word: str, *, above: bool) -> int:
    """Return how many letters of a word have to stay in one line: few of a header, some of a name, all of a number."""
    if not word[:1].isalpha():
        return len(word) * 2
    return 4 if above else 8


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
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
    Table
        For :func:`show`, a console of rich, or a notebook.
    """
    return Table(title, tuple(columns), tuple(tuple(row) for row in rows))


def show(parts: Iterable[object]) -> None:
    """Print tables and texts to standard output: as wide as the terminal, or 120 columns where nothing says how wide.

    Parameters
    ----------
    parts
        What rich can print, in order; texts are shown as they are, never read as markup.
    """
    console = _console()
    for part in parts:
        console.print(plain(part, lines=True) if isinstance(part, str) else part, markup=False)


def say(line: object, *, err: bool = False) -> None:
    """Print one line that is neither folded nor markup.

    Parameters
    ----------
    line
        A text, or what has one.
    err
        Whether it goes to standard error.
    """
    import click

    click.echo(plain(str(line)), err=err)


def show_json(document: object) -> None:
    """Print one JSON document to standard output.

    Parameters
    ----------
    document
        Of dicts, lists, texts and finite numbers.
    """
    import click

    click.echo(json.dumps(document, indent=2, allow_nan=False))


def width() -> int:
    """Return the width that :func:`show` prints to."""
    return _console().width


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console
    return Console(highlight=False, emoji=False, width=120)
