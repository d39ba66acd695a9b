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
        Columns context, position, weight, as for :func:`avowal.entries.entries`.
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
    given (Manski 1990). The sum over reporting models is highest where each is. Where the correlation can be positive,
    it is quasi-concave, and the stationary point ``report = clip(a + b weight)`` is its maximum. Where it is negative
    over the whole box, its maximum lies at one of a great many corners; what is returned there is never inside of that
    corner, and outside by what at most two entries can do: nothing to speak of for a study, visible for a handful of
    entries. The minimum is the maximum for reversed weights.
    A context without any reply belongs to the reporting model of the nearest context, in the order of `contexts`, that
    has one; the earlier of two.
    """
    boxes = _boxes(weights, reports, contexts, replies)
    every = np.concatenate([w for w, _, _ in boxes]) if boxes else np.empty(0)
    spread = float(((every - every.mean()) ** 2).sum()) if len(every) else 0.0
    fixed = any(len(w) < 3 or np.ptp(np.concatenate([low, high])) == 0 for w, low, high in boxes)
    if spread == 0 or fixed:
        return None
    squares = sum(len(w) - 1 for w, _, _ in boxes)
    low, high = (
        sign * sum(np.sqrt(len(w) - 1) * _highest(sign * w, *box) for w, *box in boxes) / np.sqrt(spread * squares)
        for sign in (-1.0, 1.0)
    )
    # Without any loss both ends are one number up to rounding.
    return float(min(low, high)), float(max(low, high))


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
    answered = [(place, model_of[name]) for place, name in enumerate(contexts) if name in model_of]
    parts: dict[str, list[tuple[Floats, Floats, Floats]]] = {model: [] for model in models}
    for place, name in enumerate(contexts):
        if name not in vectors:
            continue
        w = vectors[name]
        lost = max(0, replies - counts.get(name, 0))
        given = sums.get(name, np.zeros(len(w)))
        size = counts.get(name, 0) + lost
        if size == 0:
            continue
        nearest = min(answered, key=lambda each: abs(each[0] - place), default=(0, models[0]))
        parts[nearest[1]].append((w, (given - LIMIT * lost) / size, (given + LIMIT * lost) / size))
    return [
        (
            np.concatenate([p[0] for p in part]),
            np.concatenate([p[1] for p in part]),
            np.concatenate([p[2] for p in part]),
        )
        for part in parts.values()
        if part
    ]


def _highest(w: Floats, low: Floats, high: Floats) -> float:
    """Return the highest (s - mean s) . w / |s - mean s| over reports s between `low` and `high`."""
    away = w - w.mean()
    s: Floats = np.where(away >= 0, high, low)
    if s @ away <= 0:
        return -_nearest(-away, low, high)
    for _ in range(10_000):
        centred = s - s.mean()
        moved: Floats = np.clip(s.mean() + (centred @ centred) / (centred @ away) * away, low, high)
        if np.abs(moved - s).max() < 1e-9:
            break
        s = 0.5 * (s + moved)
    centred = s - s.mean()
    return float(centred @ away / np.sqrt(centred @ centred))


def _nearest(away: Floats, low: Floats, high: Floats) -> float:
    """Return at most the lowest s . away / |s - mean s| over the box, where no s . away is negative.

    With each entry at `high` with some probability, else at `low`, the mean of (s - m)^2 exceeds |s - mean s|^2 for
    any m, so that any m gives a lower bound, linear over root of linear in the probabilities; the best m makes it
    tight but for the two entries that need not be at either end. The bound is unimodal in m.
    """
    left, right = float(low.min()), float(high.max())
    ratio = (np.sqrt(5) - 1) / 2
    one, two = right - ratio * (right - left), left + ratio * (right - left)
    at_one, at_two = (_lowest_about(m, away, low, high) for m in (one, two))
    best = max(at_one, at_two)
    while right - left > 1e-9 * (1 + abs(left) + abs(right)):
        if at_one < at_two:
            left, one, at_one = one, two, at_two
            two = left + ratio * (right - left)
            at_two = _lowest_about(two, away, low, high)
        else:
            right, two, at_two = two, one, at_one
            one = right - ratio * (right - left)
            at_one = _lowest_about(one, away, low, high)
        best = max(best, at_one, at_two)
    return best


def _lowest_about(m: float, away: Floats, low: Floats, high: Floats) -> float:
    """Return the lowest p / sqrt(q) over p = s . away and q = sum (s - m)^2, entries mixing `low` and `high`.

    The pairs (p, q) fill a zonogon, over which p / sqrt(q) is quasi-convex; its lower chain turns by ascending dp / dq.
    """
    dp, dq = (high - low) * away, (high - m) ** 2 - (low - m) ** 2
    # Start where q is smallest; each step then adds to q, the steepest fall of p first.
    start = np.where(dq < 0, high, low)
    dp, dq = np.where(dq < 0, -dp, dp), np.abs(dq)
    moves = np.flatnonzero((dp != 0) | (dq != 0))
    order = moves[np.argsort(np.arctan2(dp[moves], dq[moves]))]
    p = np.maximum(start @ away + np.concatenate([[0.0], np.cumsum(dp[order])]), 0.0)
    q = ((start - m) ** 2).sum() + np.concatenate([[0.0], np.cumsum(dq[order])])
    step_p, step_q = np.diff(p), np.diff(q)
    with np.errstate(divide="ignore", invalid="ignore"):
        # On an edge, d log p = d log q / 2 at this share of the way.
        share = np.clip((p[:-1] * step_q - 2 * step_p * q[:-1]) / (step_p * step_q), 0.0, 1.0)
        share = np.where(np.isfinite(share), share, 0.0)
        tops = np.concatenate([p, p[:-1] + share * step_p])
        roots = np.sqrt(np.concatenate([q, q[:-1] + share * step_q]))
        return float(np.where(roots > 0, tops / roots, 0.0).min())
