"""Tables: figures with what stands beside them, as the page shows them and as CSV files hold them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from avowal.page.shown import shown
from avowal.text import NONE, number, percent

__all__ = ["Cell", "Form", "Table", "count", "estimate", "figure", "listed", "share", "told"]

Form = Literal["text", "r", "fine", "share", "count", "points", "fine points", "dollars", "plain"]
"""How a value is written: a text; a correlation, slope or p; such a number to four digits; a share in percent; a count;
points on the ±100 scale, whole or to hundredths; US dollars; any other number."""

DIGITS = 10
"""Significant digits of the files: beyond what any figure means, and half of what a float has."""

Ends = Sequence[float] | None

_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or text.

    Attributes
    ----------
    value
        None where there is none.
    form
        How it is written.
    low, high
        Ends of its interval.
    of
        The whole that a count is a part of.
    reason
        Why there is no value.
    unsure
        Why a value that should have an interval has none.
    """

    value: str | float | None = None
    form: Form = "text"
    low: float | None = None
    high: float | None = None
    of: int | None = None
    reason: str = ""
    unsure: str = ""

    @property
    def why(self) -> str:
        """Why something is missing; empty where nothing is."""
        return self.reason if self.value is None and self.low is None else self.unsure

    @property
    def text(self) -> str:
        """The figure as papers write it."""
        if self.value is None and self.low is None:
            return NONE
        written = "" if self.value is None else self._written(self.value)
        if self.of is not None:
            written += f" of {self.of:,}"
        if self.low is not None and self.high is not None:
            written += f" [{self._written(self.low)}, {self._written(self.high)}]"
        elif self.unsure:
            written += f" {NONE}"
        return written.strip()

    def _written(self, value: str | float) -> str:
        if isinstance(value, str):
            return f"${float(value):,.2f}" if self.form == "dollars" else value
        if self.form == "r":
            return number(value)
        if self.form == "fine":
            return number(value, 4)
        if self.form == "fine points":
            return f"{value:.2f}"
        if self.form == "share":
            return percent(value)
        if self.form == "dollars":
            return f"${value:,.2f}"
        if self.form == "count":
            return f"{value:,.0f}"
        if self.form == "points":
            rounded = f"{value:.0f}"
            return "0" if rounded == "-0" else rounded
        return f"{value:,.6g}"

    def to_json(self) -> Any:
        """Return the value alone, or an object with all that stands beside it."""
        beside = {name: getattr(self, name) for name in ("low", "high", "of")}
        more = {name: held for name, held in beside.items() if held is not None}
        if self.reason and self.value is None:
            more["reason"] = self.reason
        if self.unsure:
            more["no_interval"] = self.unsure
        return {"value": self.value, **more} if more else self.value


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    name
        Unique on the page; also the name of its file.
    caption
        What it shows.
    columns
        Headers.
    rows
        A cell for each column; the first one heads its row.
    note
        What a reader must know besides.
    sortable
        Whether it is long enough to be sorted and filtered.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    sortable: bool = False

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column whether it holds no texts."""
        return tuple(
            all(row[place].form != "text" or row[place].value is None for row in self.rows)
            for place in range(len(self.columns))
        )

    def csv(self) -> str:
        """Return the table as comma-separated values, with ten significant digits.

        A column with intervals, or with parts of a whole, becomes several. Texts are as the page shows them, without
        line breaks; those that a spreadsheet would read as a formula have an apostrophe before them.
        """
        out = io.StringIO(newline="")
        write = csv.writer(out, lineterminator="\n")
        parts = [self._parts(place) for place in range(len(self.columns))]
        write.writerow(
            [f"{name} {part}".strip() for name, its in zip(self.columns, parts, strict=True) for part in its]
        )
        for row in self.rows:
            write.writerow([_plain(cell, part) for cell, its in zip(row, parts, strict=True) for part in its])
        return out.getvalue()

    def _parts(self, place: int) -> list[str]:
        cells = [row[place] for row in self.rows]
        more = [part for part in ("low", "high", "of") if any(getattr(cell, part) is not None for cell in cells)]
        return ["", *more]

    def to_dict(self) -> dict[str, Any]:
        """Return the table for a JSON document."""
        return {
            "caption": self.caption,
            "columns": list(self.columns),
            "rows": [[cell.to_json() for cell in row] for row in self.rows],
            **({"note": self.note} if self.note else {}),
        }


def told(text: object) -> Cell:
    """Return a text."""
    return Cell(str(text))


def figure(value: float | None, form: Form = "r", *, reason: str = "") -> Cell:
    """Return a number."""
    return Cell(value, form, reason=reason if value is None else "")


def estimate(value: float | None, ends: Ends, form: Form = "r", *, reason: str = "", unsure: str = "") -> Cell:
    """Return a number with its interval, or why it has none."""
    low, high = (None, None) if ends is None else ends
    missing = unsure if value is not None and ends is None else ""
    return Cell(value, form, low, high, reason=reason if value is None else "", unsure=missing)


def count(value: int | None, of: int | None = None, *, reason: str = "") -> Cell:
    """Return a count, of a whole if one is given."""
    return Cell(value, "count", of=of if value is not None else None, reason=reason if value is None else "")


def share(value: float | None, *, reason: str = "") -> Cell:
    """Return a share, in percent."""
    return figure(value, "share", reason=reason)


def listed(counts: Mapping[str, int]) -> str:
    """Write counts by kind, such as ``3 wrong keys, 1 unreadable``."""
    return ", ".join(f"{many:,} {kind}" for kind, many in counts.items() if many)


def _plain(cell: Cell, part: str) -> str:
    value = getattr(cell, part) if part else cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        text = shown(value)
        return f"'{text}" if cell.form == "text" and text.startswith(_FORMULA) else text
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
