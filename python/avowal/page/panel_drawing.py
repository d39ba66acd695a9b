"""Panels: one context's attributes, each with its target, its learned weight and every report on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from avowal.page.svg import drawing, fitted, place, text

__all__ = ["panel"]

Row = Mapping[str, Any]

LIMIT = 100.0
"""Weights lie between minus this and this."""

LEFT, RIGHT, LINE = 18, 12, 15
"""Room beside the scale, and the height of a line of the key; pixels."""

NUMBERS = "123456789abcdefghijklmnopqrstuvwxyz"
"""What sets are called in the drawing: one letter each."""

COLOURS = 7


def panel(attributes: Sequence[Row], width: float = 420, order: Sequence[str] = ()) -> str:
    """Draw one context: for each attribute the target, the learned weight with its interval, and the reports.

    Parameters
    ----------
    attributes
        ``name``; ``target``, ``learned``, ``low`` and ``high`` (each may be None); and ``reports``, the numbers by the
        name of their set. All are on the scale from -100 to 100; what lies beyond is drawn as an arrow at the edge, and
        told by the drawing's title.
    width
        In pixels.
    order
        All sets that drawings of one page may have: each has the same number and colour in all of them.

    Returns
    -------
    str
        An ``svg`` element, coloured by classes. Each set has a number, a line of dots below the weights, and a stroke
        at their mean. Dots less than half a pixel apart are one: 200 panels have to fit on a page.
    """
    there = {name for each in attributes for name in each["reports"]}
    known = dict.fromkeys([*order, *(name for each in attributes for name in each["reports"])])
    sets = {name: number for number, name in enumerate(known) if name in there}
    sheet = _Sheet(width)
    key, top = _key(sets, any(each["target"] is not None for each in attributes))
    first = top
    for each in attributes:
        sheet.text(top + 13, next(iter(fitted(each["name"], int((width - 20) / 7), 1)), "–"))
        sheet.weights(each, round(top + 26))
        top += 39
        for name, number in sets.items():
            sheet.reports(each["reports"].get(name) or (), number, round(top))
            top += 10
        top += 6
    return drawing("panel", width, top + 18, _title(attributes), [key, *_grid(sheet, first, top), *sheet.parts()])


class _Sheet:
    """Collects what a panel is made of: marks of one class are one path, so that a page of panels stays small."""

    def __init__(self, width: float) -> None:
        self._left, self._right = LEFT, width - RIGHT
        self._paths: dict[str, list[str]] = {}
        self._texts: list[str] = []
        self._numbers: list[tuple[str, int]] = []

    def at(self, value: float) -> int:
        held = min(max(value, -LIMIT), LIMIT)
        return round(self._left + (held + LIMIT) / (2 * LIMIT) * (self._right - self._left))

    def text(self, y: float, words: str) -> None:
        self._texts.append(text(2, y, words, "attribute"))

    def weights(self, row: Row, y: int) -> None:
        if row["low"] is not None and row["high"] is not None:
            self._add("interval", f"M{self.at(row['low'])} {y}H{self.at(row['high'])}")
        for kind, shape in (("learned", "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"), ("target", "m0-6l6 6l-6 6l-6-6z")):
            value = row[kind]
            if value is None:
                continue
            if abs(value) > LIMIT:
                self._beyond(kind, value, y)
            else:
                self._add(kind, f"M{self.at(value)} {y}{shape}")

    def reports(self, values: Sequence[float], number: int, y: int) -> None:
        """Add a line of dots: strokes without length, which have round ends."""
        if not values:
            return
        kind = f"s{number % COLOURS + 1}"
        self._numbers.append((NUMBERS[number % len(NUMBERS)], y + 3))
        inside = sorted({self.at(value) for value in values if abs(value) <= LIMIT})
        if inside:
            self._add(f"reports {kind}", f"M{inside[0]} {y}h0" + "".join(f"m{b - a} 0h0" for a, b in pairwise(inside)))
        for side in (-1, 1):
            if any(side * value > LIMIT for value in values):
                self._beyond(kind, side, y)
        self._add(f"mean {kind}", f"M{self.at(sum(values) / len(values))} {y - 5}v10")

    def parts(self) -> Iterable[str]:
        # Weights and means lie above the dots.
        order = sorted(self._paths, key=lambda kind: not kind.startswith("reports"))
        yield from (f'<path class="{kind}" d="{"".join(self._paths[kind])}"/>' for kind in order)
        yield from self._texts
        if self._numbers:
            # A text may have a place for each of its letters.
            x, y = " ".join("2" for _ in self._numbers), " ".join(str(place) for _, place in self._numbers)
            yield f'<text class="number" x="{x}" y="{y}">{"".join(letter for letter, _ in self._numbers)}</text>'

    def _add(self, kind: str, path: str) -> None:
        self._paths.setdefault(kind, []).append(path)

    def _beyond(self, kind: str, side: float, y: int) -> None:
        out = 1 if side > 0 else -1
        self._add(f"beyond {kind}", f"M{self.at(out * LIMIT) + 3 * out} {y - 4}l{7 * out} 4l{-7 * out} 4z")


def _key(sets: Mapping[str, int], targets: bool) -> tuple[str, int]:
    """Return the key, and where it ends."""
    marks = "● learned, with its interval" + (" ◇ target" if targets else "") + (" | mean report" if sets else "")
    parts = [text(2, 12, marks, "key")]
    top = LINE
    for name, number in sets.items():
        dots = f'<path class="reports s{number % COLOURS + 1}" d="M18 {top + 9}h0m6 0h0m6 0h0"/>'
        words = next(iter(fitted(name, 50, 1)), "–")
        parts += [text(2, top + 12, NUMBERS[number % len(NUMBERS)], "number"), dots, text(38, top + 12, words, "key")]
        top += LINE
    return "".join(parts), top + 6


def _grid(sheet: _Sheet, top: float, low: float) -> Iterable[str]:
    ends = "".join(f"M{sheet.at(value)} {place(top)}V{place(low)}" for value in (-LIMIT, LIMIT))
    yield f'<path class="grid" d="{ends}"/><path class="zero" d="M{sheet.at(0)} {place(top)}V{place(low)}"/>'
    for value, words in ((-LIMIT, "−100"), (0.0, "0"), (LIMIT, "100")):
        yield text(sheet.at(value), low + 13, words, "tick")


def _title(attributes: Sequence[Row]) -> str:
    """Say what the drawing is, and which numbers lie beyond its scale."""
    found = []
    for row in attributes:
        values = [row["target"], row["learned"], *(value for each in row["reports"].values() for value in each)]
        far = [f"{value:g}" for value in values if value is not None and abs(value) > LIMIT]
        if far:
            more = f" and {len(far) - 5} more" if len(far) > 5 else ""
            found.append(f"{row['name']} {', '.join(far[:5])}{more}")
    beyond = f"; beyond the scale: {'; '.join(found)}" if found else ""
    return f"Target, learned and reported weights{beyond}"
