"""SVG by hand: elements as text, with names escaped, and lines broken by how wide they are drawn."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape

from avowal.page.shown import shown

__all__ = ["drawing", "fitted", "measure", "place", "text"]


def drawing(kind: str, width: float, height: float, title: str, parts: Iterable[str], told: str = "") -> str:
    """Return a whole drawing.

    Parameters
    ----------
    kind
        Its class.
    width, height
        In pixels, unless the page scales it.
    title
        What it is, for those who can't see it, and for a pointer that rests on it.
    parts
        Its elements.
    told
        What it shows, in words.

    Returns
    -------
    str
        An ``svg`` element without ids, so that one page may hold several.
    """
    words = f"<title>{escape(shown(title))}</title>" + (f"<desc>{escape(shown(told))}</desc>" if told else "")
    size = f'viewBox="0 0 {place(width)} {place(height)}" width="{place(width)}" height="{place(height)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" role="img" {size}>{words}{"".join(parts)}</svg>'


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return one line of text, from whoever wrote it, with its baseline at `y`."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{place(x)}" y="{place(y)}"{named}>{escape(shown(words))}</text>'


def place(value: float) -> str:
    """Write a length to a tenth of a pixel.

    Examples
    --------
    >>> place(12.0), place(3.14159), place(-0.01)
    ('12', '3.1', '0')
    """
    found = f"{value:.1f}".removesuffix(".0")
    return "0" if found == "-0" else found


def measure(words: str) -> int:
    """Return how many letters wide a line is; characters of East Asian scripts are two wide.

    Examples
    --------
    >>> measure("tea"), measure("お茶")
    (3, 4)
    """
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "FW") for each in words)


def fitted(words: str, width: int, most: int) -> list[str]:
    """Break a text into lines.

    Parameters
    ----------
    words
        Made visible as :func:`avowal.page.shown.shown` does.
    width
        Letters to a line.
    most
        Lines at most; the last one of more ends in an ellipsis.

    Returns
    -------
    list of str
        Empty for an empty text.

    Examples
    --------
    >>> fitted("report, held-out contexts, after the first fold", 16, 2)
    ['report, held-out', 'contexts, after…']
    """
    lines: list[str] = []
    line = ""
    for word in (part for each in shown(words).split() for part in _parts(each, width)):
        if line and measure(line) + 1 + measure(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines += [line] if line else []
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while measure(last) > width - 1:
        last = last[:-1]
    return [*lines[: most - 1], f"{last}…"]


def _parts(word: str, width: int) -> list[str]:
    """Cut a word that no line holds: behind its hyphens and underscores, or where the line ends."""
    if measure(word) <= width:
        return [word]
    found = [""]
    for part in re.findall(r"[^-_/.]*[-_/.]?", word):
        for letter in part if measure(part) > width else [part]:
            if measure(found[-1]) + measure(letter) > width:
                found.append("")
            found[-1] += letter
    return [each for each in found if each]
