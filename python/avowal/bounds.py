"""Bounds: how far the lost replies could have moved an accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.companions import LIMIT

Floats = NDArray[np.float64]


def bounds(
    weights: pl.DataFrame, reports: pl.DataFrame, contexts: Sequence[str], replies: int
) -> tuple[float, float] | None:
    """Find the smallest and largest correlation that the lost replies could have led to.

    Parameters
    ----------
    weights
        Columns context, position, weight, as for :func:`avowal.accuracy.entries`.
    reports
        One set of reports (or its folds), a table of :data:`avowal.tables.REPORTS`.
    contexts
        Contexts on which reports were planned.
    replies
        Replies planned for each of them.

    Returns
    -------
    tuple of float, or None
        The ends; None where even the completed reports have no correlation.

    Notes
    -----
    Each lost reply could have been any report from -100 to 100, so an averaged report lies in a box around what was
    given (Manski 1990). Within a reporting model the correlation over that box is quasi-concave where it is positive:
    a stationary point ``report = clip(a + b weight)`` is the maximum. The minimum is the maximum for reversed weights;
    where an end can't reach the other side of zero, it lies at a corner of the box, found by single exchanges.
    A context without any reply belongs to the reporting model of its neighbours in the set; with several folds, to the
    fold in which fewest contexts answered.
    """
    boxes = _boxes(weights, reports, contexts, replies)
    ends = []
    for sign in (-1.0, 1.0):
        total = squares = 0.0
        for w, low, high in boxes:
            s = _highest(sign * w, low, high)
            centred = s - s.mean()
            length = float(np.sqrt(centred @ centred))
            if length == 0 or len(w) < 3:
                return None
            total += np.sqrt(len(w) - 1) * float(centred @ (w - w.mean())) / length
            squares += len(w) - 1
        every = np.concatenate([w for w, _, _ in boxes]) if boxes else np.empty(0)
        spread = float(((every - every.mean()) ** 2).sum()) if len(every) else 0.0
        if spread == 0:
            return None
        ends.append(float(total / np.sqrt(spread * squares)))
    return min(ends), max(ends)


def _boxes(
    weights: pl.DataFrame, reports: pl.DataFrame, contexts: Sequence[str], replies: int
) -> list[tuple[Floats, Floats, Floats]]:
    """For each reporting model: weights, and lower and upper ends of the averaged reports had every reply come."""
    valid = reports.filter(pl.col("report").is_not_null())
    known = weights.filter(pl.col("weight").is_not_null() & pl.col("context").is_in(list(contexts)))
    vectors = {str(name): rows.sort("position")["weight"].to_numpy() for (name,), rows in known.group_by("context")}
    sums: dict[str, Floats] = {}
    counts: dict[str, int] = {}
    model_of: dict[str, str] = {}
    for (model, name), rows in valid.group_by("model", "context"):
        stacked = rows["report"].explode().to_numpy().astype(np.float64).reshape(len(rows), -1)
        sums[str(name)], counts[str(name)], model_of[str(name)] = stacked.sum(axis=0), len(rows), str(model)
    models = sorted(set(model_of.values())) or [""]
    parts: dict[str, list[tuple[Floats, Floats, Floats]]] = {model: [] for model in models}
    for name in contexts:
        if name not in vectors:
            continue
        w = vectors[name]
        lost = max(0, replies - counts.get(name, 0))
        given = sums.get(name, np.zeros(len(w)))
        size = counts.get(name, 0) + lost
        if size == 0:
            continue
        model = model_of.get(name) or min(models, key=lambda m: len(parts[m]))
        parts[model].append((w, (given - LIMIT * lost) / size, (given + LIMIT * lost) / size))
    return [
        (
            np.concatenate([p[0] for p in part]),
            np.concatenate([p[1] for p in part]),
            np.concatenate([p[2] for p in part]),
        )
        for part in parts.values()
        if part
    ]


def _highest(w: Floats, low: Floats, high: Floats) -> Floats:
    """Find the reports between `low` and `high` that correlate most with `w`."""
    away = w - w.mean()
    s: Floats = np.where(away >= 0, high, low)
    if (s - s.mean()) @ away <= 0:
        return _corner(away, low, high)
    for _ in range(10_000):
        centred = s - s.mean()
        moved: Floats = np.clip(s.mean() + (centred @ centred) / (centred @ away) * away, low, high)
        if np.abs(moved - s).max() < 1e-9:
            return moved
        s = 0.5 * (s + moved)
    return s


def _corner(away: Floats, low: Floats, high: Floats) -> Floats:
    """Find a corner of the box whose (negative) correlation no single exchange brings closer to zero."""
    s = np.where(away >= 0, high, low)
    free = np.flatnonzero(high > low)
    while len(free):
        flipped = np.where(s[free] == high[free], low[free], high[free])
        step = flipped - s[free]
        dot = s @ away + step * away[free]
        total, square = s.sum() + step, s @ s + flipped**2 - s[free] ** 2
        spread = np.sqrt(square - total**2 / len(s))
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(spread > 0, dot / spread, -np.inf)
        centred = s - s.mean()
        now = (s @ away) / np.sqrt(centred @ centred) if centred @ centred > 0 else -np.inf
        best = int(np.argmax(values))
        if values[best] <= now + 1e-12:
            break
        s[free[best]] = flipped[best]
    return s
