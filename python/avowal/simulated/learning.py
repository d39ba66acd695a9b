"""Learning: what an uploaded training file teaches: weights that its decisions reveal, reports that it spells out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from avowal.fit import fit_ragged
from avowal.simulated.draws import Floats
from avowal.simulated.reading import Key, read, text_of
from avowal.simulated.world import World

ENOUGH = 50
"""Examples (decisions of an agent, or agents reported on) that teach in full: the paper's numbers."""

HALF = 10
"""Examples after which half of what endless examples would teach is learned."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the decisions about one context reveal.

    Attributes
    ----------
    weights
        Shape (attributes,), by name in alphabetical order; the largest absolute one is 100.
    widths
        Shape (attributes,): how much each attribute varies, in its units.
    examples
        How many decisions they stand on.
    """

    weights: Floats
    widths: Floats
    examples: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a training file holds.

    Attributes
    ----------
    recovered
        By context with decisions; those that reveal nothing (all options equal) are left out.
    reports
        By context: numbers by name in alphabetical order, shape (attributes,); the file's last one counts.
    """

    recovered: Mapping[Key, Recovered]
    reports: Mapping[Key, Floats]


def learn(text: str, world: World) -> Lesson:
    """Learn from a training file.

    Parameters
    ----------
    text
        JSON lines with ``messages``; what is neither a decision nor a report teaches nothing.
    world
        How much attributes vary.

    Returns
    -------
    Lesson
    """
    decisions: dict[Key, list[tuple[tuple[float, ...], tuple[float, ...], bool]]] = {}
    reports: dict[Key, Floats] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        *messages, last = json.loads(line)["messages"]
        asked, answer = read(messages), text_of(last).strip()
        if asked.task == "decision" and answer in ("A", "B"):
            decisions.setdefault(asked.key, []).append((asked.a, asked.b, answer == "A"))
        elif asked.task == "report" and (said := _numbers(answer, asked.key.names)) is not None:
            reports[asked.key] = said
    return Lesson(_recover(decisions, world), reports)


def dose(examples: int) -> float:
    """Return the share of a full lesson that so many examples teach: ``n / (n + 10)``, in units of 50 examples'."""
    return min(1.0, examples / (examples + HALF) * (ENOUGH + HALF) / ENOUGH)


def _recover(
    decisions: Mapping[Key, list[tuple[tuple[float, ...], tuple[float, ...], bool]]], world: World
) -> dict[Key, Recovered]:
    found: dict[Key, Recovered] = {}
    for count in sorted({len(key.names) for key in decisions}):
        keys = [key for key in decisions if len(key.names) == count]
        widths = {key: world.widths(key, np.array([row[:2] for row in decisions[key]])) for key in keys}
        rows = [(np.array(a) - np.array(b)) / widths[key] for key in keys for a, b, _ in decisions[key]]
        chosen = np.array([chose for key in keys for _, _, chose in decisions[key]], dtype=np.uint8)
        offsets = np.cumsum([0, *(len(decisions[key]) for key in keys)]).astype(np.uint64)
        slopes = fit_ragged(np.array(rows), chosen, offsets, threads=1).slopes
        for key, slope in zip(keys, slopes, strict=True):
            largest = np.abs(slope).max()
            if np.isfinite(largest) and largest > 1e-9:
                found[key] = Recovered(100 * slope / largest, widths[key], len(decisions[key]))
    return found


def _numbers(answer: str, names: Iterable[str]) -> Floats | None:
    """Return a report's numbers by name; None for anything but an object with a number for each name."""
    try:
        held: Any = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(held, dict):
        return None
    values = [held.get(name) for name in names]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return None
    return np.array(values, dtype=np.float64)
