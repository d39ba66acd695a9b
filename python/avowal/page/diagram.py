"""Diagrams: a study as it was run, lane by lane, each stage a box with what was shown, asked and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from avowal.page.shown import shown
from avowal.page.svg import drawing, fitted, place, text

__all__ = ["diagram"]

Row = Mapping[str, Any]

FOLD_FROM = 60
"""Stages from which neighbours that do the same share a box."""

BOX, GAP, DOWN, PAD, LINE = 180, 26, 20, 10, 15
"""Least width of a box, the room between boxes beside and below each other and between a box and its text, and the
height of a line; pixels."""

LETTER, SMALL = 6.6, 5.7
"""Width of a letter of a label, which is bold, and of a detail; pixels."""

STEPS = ("train", "decide", "report")

DASHES = {"half way": "9 3", "not begun": "2 3", "stopped": "9 3 2 3"}
"""What a state looks like without colour; a box says it in words too."""


def diagram(stages: Sequence[Row], width: float = 1100) -> str:
    """Draw a study as it was run: a lane for each base model, its stages in order.

    Parameters
    ----------
    stages
        In order: ``model`` (the base model), ``step`` (``train``, ``decide`` or ``report``), ``label``, ``shown`` and
        ``asked`` (may be empty), ``planned`` and ``valid`` (None where nothing is counted), and ``state`` (``done``,
        ``half way``, ``not begun``, ``stopped``). From 60 stages on, neighbours of one step share a box.
    width
        In pixels. Boxes that have no room in a line go on in the next one.

    Returns
    -------
    str
        An ``svg`` element, coloured by classes.
    """
    fold = len(stages) >= FOLD_FROM
    across = max(1, int((width - 2 + GAP) // (BOX + GAP)))
    grid = _Grid(across, (width - 2 - GAP * (across - 1)) / across, lines=not fold)
    lanes: dict[str, list[list[Row]]] = {}
    for stage in stages:
        boxes = lanes.setdefault(stage["model"], [])
        if fold and boxes and boxes[-1][0]["step"] == stage["step"]:
            boxes[-1].append(stage)
        else:
            boxes.append([stage])
    parts: list[str] = []
    told: list[str] = []
    top = 0.0
    for model, held in lanes.items():
        name = next(iter(fitted(model, int(width // 8), 1)), "–")
        drawn = [_box(each, grid.box - 2 * PAD) for each in held]
        lane, low = _lane(drawn, top + 28, grid)
        parts += [text(1, top + 16, name, "lane"), *lane]
        told.append(f"{model}: {', then '.join(box.told for box in drawn)}")
        top = low + 24
    models = f"{len(lanes)} base model{'' if len(lanes) == 1 else 's'}"
    title = f"The study as it was run: {len(stages)} stage{'' if len(stages) == 1 else 's'}, {models}"
    return drawing("diagram", width, max(top - 20, 1), title, parts, "; ".join(told))


@dataclass(frozen=True, slots=True)
class _Grid:
    """How many boxes stand in a line, how wide each is, and whether a training begins a line."""

    across: int
    box: float
    lines: bool

    def left(self, number: int) -> float:
        return 1 + number * (self.box + GAP)

    def split(self, boxes: list[_Box]) -> list[list[_Box]]:
        """Split a lane into lines: what is measured of a model stands behind the training that made it."""
        found: list[list[_Box]] = []
        for number, box in enumerate(boxes):
            begins = self.lines and box.step == "train" and number > 0 and boxes[number - 1].step != "train"
            if not found or begins or len(found[-1]) == self.across:
                found.append([])
            found[-1].append(box)
        return found


@dataclass(frozen=True, slots=True)
class _Box:
    """One box: what was done, how far it is, its lines with their classes, and all of it in words."""

    step: str
    state: str
    lines: tuple[tuple[str, str], ...]
    told: str
    shared: bool

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 2 * PAD - 4


def _box(stages: Sequence[Row], width: float) -> _Box:
    letters, small = int(width / LETTER), int(width / SMALL)
    first, last, shared = stages[0], stages[-1], len(stages) > 1
    states = {stage["state"] for stage in stages}
    state = str(first["state"]) if len(states) == 1 else "half way"
    counts = _counts(stages)
    lines = [("kind", first["step"] if state == "done" else f"{first['step']}, {state}")]
    if shared:
        lines += [("label", f"{len(stages)} stages, from")]
        details = [first["label"], f"to {last['label']}"]
    else:
        lines += [("label", line) for line in fitted(first["label"], letters, 3)]
        details = [f"{key}: {first[key]}" for key in ("shown", "asked") if first[key]]
    lines += [("detail", line) for detail in details for line in fitted(detail, small, 2)]
    lines += [("count", counts)] if counts else []
    words = [", ".join(str(stage[key]) for key in ("label", "shown", "asked") if stage[key]) for stage in stages]
    told = ", ".join(part for part in ("; ".join(words), counts, state) if part)
    return _Box(first["step"], state, tuple(lines), told, shared)


def _counts(stages: Sequence[Row]) -> str:
    planned, valid = (
        sum(stage[key] for stage in stages) if all(stage[key] is not None for stage in stages) else None
        for key in ("planned", "valid")
    )
    if planned is None:
        return ""
    return f"{planned:,} planned" if valid is None else f"{valid:,} of {planned:,} valid"


def _lane(boxes: list[_Box], top: float, grid: _Grid) -> tuple[list[str], float]:
    """Draw a lane from `top` down, and return where it ends; a line of boxes is as high as its highest."""
    parts = []
    lines = grid.split(boxes)
    for row, line in enumerate(lines):
        height = max(box.height for box in line)
        for number, box in enumerate(line):
            parts.append(_drawn(box, grid.left(number), top, grid.box, height))
            if number + 1 < len(line):
                tip, middle = grid.left(number + 1), top + height / 2
                parts.append(_arrow(f"M{place(tip - GAP)} {place(middle)}H{place(tip - 4)}", tip, middle, "-6-4v8z"))
        top += height
        if row + 1 < len(lines):
            middle = grid.box / 2
            way = f"M{place(grid.left(len(line) - 1) + middle)} {place(top)}v{DOWN / 2:g}H{place(1 + middle)}"
            parts.append(_arrow(f"{way}v{DOWN / 2 - 4:g}", 1 + middle, top + DOWN, "-4-6h8z"))
            top += DOWN
    return parts, top


def _drawn(box: _Box, left: float, top: float, width: float, height: float) -> str:
    # Trainings, which change a model, are round; what only measures one is not.
    corner = 14 if box.step == "train" else 2
    size = f'x="{place(left)}" y="{place(top)}" width="{place(width)}" height="{place(height)}" rx="{corner}"'
    dashes = DASHES.get(box.state)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    words = "".join(
        text(left + PAD, top + PAD + 10 + LINE * number, line, kind) for number, (kind, line) in enumerate(box.lines)
    )
    name = f"<title>{escape(shown(box.told))}</title>" if box.shared else ""
    kind = f"step {box.step}" if box.step in STEPS else "step"
    return f'<g class="{kind}">{name}<rect {size}{dashed}/>{words}</g>'


def _arrow(way: str, x: float, y: float, head: str) -> str:
    """Draw a way and its head, whose tip is given. A marker would need an id, which a page has once."""
    return f'<path class="arrow" d="{way}"/><path class="head" d="M{place(x)} {place(y)}l{head}"/>'
