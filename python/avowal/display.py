"""The display of results in notebooks: the tables and lines of the terminal, as HTML in which every text is text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from avowal.text import Table, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["ROWS", "Shown", "html", "rest"]

ROWS = 20
"""Rows of a long table that are shown."""

_NO_MATHS = "tex2jax_ignore mathjax_ignore"
"""Classes by which notebooks leave two prices in dollars alone, which they would else take for a formula."""


class Shown(ABC):
    """A result that notebooks, and consoles of rich, show as its tables."""

    __slots__ = ()

    @abstractmethod
    def _shown(self) -> Iterable[Table | str]:
        """Lay the result out, in reading order."""

    def _repr_html_(self) -> str:
        """Return the result for a notebook."""
        return html(self._shown())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Return the result for a console of rich, such as that of ``rich.print``."""
        from rich.text import Text

        for part in self._shown():
            yield Text(plain(part, lines=True)) if isinstance(part, str) else part


def html(parts: Iterable[Table | str]) -> str:
    """Return tables and lines as HTML.

    Parameters
    ----------
    parts
        In reading order; what they hold is never read as markup.

    Returns
    -------
    str
        One element.
    """
    return f'<div class="avowal {_NO_MATHS}">{"".join(map(_part, parts))}</div>'


def rest(rows: int, where: str) -> list[str]:
    """Return the line that tells of rows beyond those shown.

    Parameters
    ----------
    rows
        How many there are in all.
    where
        What has them.

    Returns
    -------
    list of str
        Empty where all are shown.
    """
    return [f"{rows - ROWS:,} more rows: {where}"] if rows > ROWS else []


def _part(part: Table | str) -> str:
    if isinstance(part, str):
        return f"<p>{_text(plain(part, lines=True).strip())}</p>"
    sides = ["left" if part.words(place) else "right" for place in range(len(part.columns))]
    head = _row("th", [name.replace("\n", "") for name in part.columns], sides)
    body = "".join(_row("td", row, sides) for row in part.rows)
    caption = f'<caption style="caption-side: top; text-align: left">{_text(part.title)}</caption>'
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, cells: Iterable[str], sides: Iterable[str]) -> str:
    told = "".join(
        f'<{tag} style="text-align: {side}">{_text(cell)}</{tag}>' for cell, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{told}</tr>"


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")
