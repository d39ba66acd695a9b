"""Drawings of the page: the study as it was run, lane by lane, and one context with its weights and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from avowal.page.svg import drawing, fitted, place, text

__all__ = ["diagram", "panel", "style"]

Row = Mapping[str, Any]

FOLD_FROM = 60
"""Stages from which neighbours that do the same share a box."""

BOX, GAP, DOWN, PAD = 190, 26, 20, 9
"""Width of a box, the room between boxes beside and below each other, and between a box and its text; pixels."""

LETTERS = 29
"""Letters to a line of a box: 172 pixels at 12 pixels a letter's height, capitals and all."""

LINE = 15

LIMIT = 100.0


@cache
def style() -> str:
    """Return the stylesheet of all drawings; colours that the page sets as custom properties take precedence."""
    return files("avowal.page").joinpath("drawings.css").read_text(encoding="utf-8")


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
    lanes: dict[str, list[_Box]] = {}
    for stage in stages:
        lanes.setdefault(stage["model"], []).append(_box([stage]))
    if len(stages) >= FOLD_FROM:
        lanes = {model: _folded(boxes) for model, boxes in lanes.items()}
    across = max(1, int((width + GAP) // (BOX + GAP)))
    parts: list[str] = []
    top = 0.0
    for model, boxes in lanes.items():
        parts.append(text(1, top + 16, fitted(model, int(width // 8), 1)[0] if model.strip() else "–", "lane"))
        lane, top = _lane(boxes, top + 28, across)
        parts += lane
        top += 24
    models = f"{len(lanes)} base model{'' if len(lanes) == 1 else 's'}"
    title = f"The study as it was run: {len(stages)} stage{'' if len(stages) == 1 else 's'}, {models}"
    told = "; ".join(f"{model}: {', then '.join(box.told for box in boxes)}" for model, boxes in lanes.items())
    drawn = BOX if not lanes else min(across, max(map(len, lanes.values()))) * (BOX + GAP) - GAP
    return drawing("diagram", max(drawn + 2, width if lanes else 0), max(top - 20, 1), title, parts, told)


def panel(attributes: Sequence[Row], width: float = 420) -> str:
    """Draw one context: for each attribute the target, the learned weight with its interval, and the reports.

    Parameters
    ----------
    attributes
        ``name``; ``target``, ``learned``, ``low`` and ``high`` (each may be None); and ``reports``, the numbers by the
        name of their set. All are on the scale from -100 to 100; what lies beyond is drawn as an arrow at the edge, and
        told by the drawing's title.
    width
        In pixels.

    Returns
    -------
    str
        An ``svg`` element, coloured by classes. Sets are numbered; each has a line of dots below the weights, and a
        stroke at their mean.
    """
    sets = list(dict.fromkeys(name for each in attributes for name in each["reports"]))
    scale = _Scale(18, width - 12)
    parts: list[str] = []
    top = 0.0
    for number, name in enumerate(sets, 1):
        key = f'<path class="reports s{_colour(number)}" d="M22 {place(top + 11)}h0m6 0h0m6 0h0"/>'
        parts += [text(2, top + 15, str(number), "number"), key, text(42, top + 15, name, "key")]
        top += LINE
    top += 6
    begun = top
    rows = []
    for each in attributes:
        drawn, top = _attribute(each, sets, scale, top)
        rows += drawn
    ticks = [
        f'<path class="{kind}" d="M{place(scale.at(value))} {place(begun)}V{place(top)}"/>'
        for value, kind in ((-LIMIT, "grid"), (0, "zero"), (LIMIT, "grid"))
    ]
    labels = [text(scale.at(value), top + 13, f"{value:+g}".replace("-", "−"), "tick") for value in (-100, 0, 100)]
    labels[1] = text(scale.at(0), top + 13, "0", "tick")
    return drawing("panel", width, top + 18, _beyond(attributes), [*ticks, *parts, *rows, *labels])


@dataclass(frozen=True, slots=True)
class _Box:
    """One box: what was done, how many stages share it, its lines by class, and all of it in words."""

    step: str
    state: str
    lines: tuple[tuple[str, str], ...]
    told: str
    stages: tuple[Row, ...]

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 2 * PAD - 3


def _box(stages: Sequence[Row]) -> _Box:
    first, many = stages[0], len(stages) > 1
    states = {stage["state"] for stage in stages}
    state = str(first["state"]) if len(states) == 1 else "half way"
    label = f"{len(stages)} × {first['step']}: {first['label']} … {stages[-1]['label']}" if many else first["label"]
    counts = _counts(stages)
    lines = [("step", first["step"] if state == "done" else f"{first['step']}, {state}")]
    lines += [("label", line) for line in fitted(label, LETTERS, 4 if many else 3)]
    if not many:
        for key, words in (("shown", first["shown"]), ("asked", first["asked"])):
            begins = f"{key}: " if words else ""
            lines += [("detail", line) for line in fitted(f"{begins}{words or ''}", LETTERS + 2, 2)]
    lines += [("count", counts)] if counts else []
    told = ", ".join(str(part) for part in (label, first["shown"], first["asked"], counts, state) if part)
    return _Box(first["step"], state, tuple(lines), told, tuple(stages))


def _counts(stages: Sequence[Row]) -> str:
    planned, valid = (
        sum(stage[key] for stage in stages) if all(stage[key] is not None for stage in stages) else None
        for key in ("planned", "valid")
    )
    if planned is None:
        return ""
    return f"{planned:,} planned" if valid is None else f"{valid:,} of {planned:,} valid"


def _folded(boxes: list[_Box]) -> list[_Box]:
    runs = (list(run) for _, run in groupby(boxes, key=lambda box: box.step))
    return [_box([stage for box in run for stage in box.stages]) for run in runs]


def _lane(boxes: list[_Box], top: float, across: int) -> tuple[list[str], float]:
    """Draw a lane from `top` down; a line of boxes is as high as its highest."""
    parts = []
    for start in range(0, len(boxes), across):
        line = boxes[start : start + across]
        height = max(box.height for box in line)
        for number, box in enumerate(line):
            left = 1 + number * (BOX + GAP)
            parts.append(_drawn(box, left, top, height))
            if number + 1 < len(line):
                right, middle = left + BOX, top + height / 2
                way = f"M{place(right)} {place(middle)}h{GAP - 4}"
                parts.append(_arrow(way, right + GAP, middle, "-6-4v8z"))
        if start + across < len(boxes):
            middle, back, low = 1 + BOX / 2, (across - 1) * (BOX + GAP), top + height
            way = f"M{place(middle + back)} {place(low)}v{DOWN / 2:g}H{place(middle)}v{DOWN / 2 - 4:g}"
            parts.append(_arrow(way, middle, low + DOWN, "-4-6h8z"))
            top += DOWN
        top += height
    return parts, top


def _drawn(box: _Box, left: float, top: float, height: float) -> str:
    # Trainings, which change a model, are round; what only measures one is not.
    corner = 14 if box.step == "train" else 2
    size = f'x="{place(left)}" y="{place(top)}" width="{BOX}" height="{place(height)}" rx="{corner}"'
    dashes = {"half way": ' stroke-dasharray="9 3"', "not begun": ' stroke-dasharray="2 3"',
              "stopped": ' stroke-dasharray="9 3 2 3"'}  # fmt: skip
    words = "".join(
        text(left + PAD + 2, top + PAD + 10 + LINE * number, line, kind)
        for number, (kind, line) in enumerate(box.lines)
    )
    held = f"step {box.step}" if box.step in ("train", "decide", "report") else "step"
    return f'<g class="{held}"><rect {size}{dashes.get(box.state, "")}/>{words}</g>'


def _arrow(way: str, x: float, y: float, head: str) -> str:
    """Draw a way and its head, whose tip is given. A marker would need an id, which a page has once."""
    return f'<path class="arrow" d="{way}"/><path class="head" d="M{place(x)} {place(y)}l{head}"/>'


@dataclass(frozen=True, slots=True)
class _Scale:
    """Weights from -100 to 100 along a line from left to right."""

    left: float
    right: float

    def at(self, value: float) -> float:
        held = min(max(value, -LIMIT), LIMIT)
        return self.left + (held + LIMIT) / (2 * LIMIT) * (self.right - self.left)


def _colour(number: int) -> int:
    return (number - 1) % 7 + 1


def _attribute(row: Row, sets: list[str], scale: _Scale, top: float) -> tuple[list[str], float]:
    parts = [text(2, top + 13, _short(row["name"]), "attribute")]
    y = top + 26
    if row["low"] is not None and row["high"] is not None:
        parts.append(
            f'<path class="interval" d="M{place(scale.at(row["low"]))} {place(y)}H{place(scale.at(row["high"]))}"/>'
        )
    if row["learned"] is not None:
        parts.append(_mark(row["learned"], scale, y, "learned", "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"))
    if row["target"] is not None:
        parts.append(_mark(row["target"], scale, y, "target", "m0-6l6 6l-6 6l-6-6z"))
    y += 13
    for number, name in enumerate(sets, 1):
        parts += _reports(row["reports"].get(name) or (), number, scale, y)
        y += 10
    return parts, y + 6


def _reports(values: Sequence[float], number: int, scale: _Scale, y: float) -> list[str]:
    """Draw the reports of one set as one path: dots are strokes without length, and equal numbers are one dot."""
    if not values:
        return []
    kind = f"s{_colour(number)}"
    inside = sorted({round(scale.at(value)) for value in values if abs(value) <= LIMIT})
    parts = [text(2, y + 3, str(number), "number")]
    if inside:
        steps = "".join(f"m{b - a} 0h0" for a, b in zip(inside, inside[1:], strict=False))
        parts.append(f'<path class="reports {kind}" d="M{inside[0]} {place(y)}h0{steps}"/>')
    parts += [_arrow_out(side, scale, y, kind) for side in (-1, 1) if any(side * value > LIMIT for value in values)]
    mean = sum(values) / len(values)
    parts.append(f'<path class="mean {kind}" d="M{place(scale.at(mean))} {place(y - 5)}v10"/>')
    return parts


def _mark(value: float, scale: _Scale, y: float, kind: str, shape: str) -> str:
    if abs(value) > LIMIT:
        return _arrow_out(1 if value > 0 else -1, scale, y, kind)
    return f'<path class="{kind}" d="M{place(scale.at(value))} {place(y)}{shape}"/>'


def _arrow_out(side: int, scale: _Scale, y: float, kind: str) -> str:
    return f'<path class="beyond {kind}" d="M{place(scale.at(side * LIMIT) + side * 3)} {place(y - 4)}l{side * 7} 4l{-side * 7} 4z"/>'


def _short(name: str) -> str:
    return next(iter(fitted(name, 56, 1)), "–")


def _beyond(attributes: Sequence[Row]) -> str:
    """Say what the drawing is, and which numbers lie beyond its scale."""
    found = []
    for row in attributes:
        values = [row["target"], row["learned"], *(value for each in row["reports"].values() for value in each)]
        far = [f"{value:g}" for value in values if value is not None and abs(value) > LIMIT]
        if far:
            more = f" and {len(far) - 5} more" if len(far) > 5 else ""
            found.append(f"{row['name']} {', '.join(far[:5])}{more}")
    beyond = f"; beyond the scale: {'; '.join(found)}" if found else ""
    return f"Target, learned and reported weights of {len(attributes)} attributes{beyond}"
