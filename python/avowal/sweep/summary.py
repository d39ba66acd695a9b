"""Summaries: what the replicates of a cell say of each claim, with the error that is left of simulating so many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.sweep.estimands import COLUMNS, Claim, Interval
from avowal.sweep.store import Rows

__all__ = ["share_interval", "summarise"]

Floats = NDArray[np.float64]

_Z = 1.959963984540054
"""The normal quantile of .975: Monte-Carlo intervals are of level .95, whatever the level of the study's intervals."""


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share.

    Parameters
    ----------
    count, of
        How many of how many; `of` is positive.

    Returns
    -------
    tuple of float
        Its ends, from 0 to 1 (Wilson 1927, JASA 22, 209-212).

    Examples
    --------
    >>> [round(end, 4) for end in share_interval(90, 100)]
    [0.8256, 0.9448]
    """
    share, spread = count / of, _Z * _Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * np.sqrt(share * (1 - share) / of + spread / (4 * of))
    return float(max(centre - half, 0.0)), float(min(centre + half, 1.0))


def summarise(rows: Rows, claims: Sequence[Claim], interval: Interval, replicates: int) -> list[dict[str, object]]:
    """Summarise a cell.

    Parameters
    ----------
    rows
        Its replicates.
    claims
        What is tested.
    interval
        Which estimate and interval.
    replicates
        Those with higher numbers are left out.

    Returns
    -------
    list of dict
        One for each claim, with the columns that :data:`SUMMARY` describes; without replicates, numbers are None.
    """
    numbers, figures = rows
    figures = figures[numbers < replicates]
    lost = {name: figures[:, place] for place, name in enumerate(COLUMNS) if name.endswith("contexts_lost")}
    mean_lost = max((float(values.mean()) for values in lost.values()), default=0.0) if len(figures) else None
    found = []
    for each in claims:
        estimate, low, high, truth = (figures[:, COLUMNS.index(name)] for name in each.figures(interval))
        found.append(
            {"test": str(each), "estimand": each.estimand, "threshold": each.threshold, "replicates": len(figures)}
            | _power(each, low, high)
            | _precision(estimate, low, high, truth)
            | {"contexts_lost": mean_lost}
        )
    return found


SUMMARY: dict[str, pl.DataType] = {
    "test": pl.String(),
    "estimand": pl.String(),
    "threshold": pl.Float64(),
    "replicates": pl.Int64(),
    "power": pl.Float64(),
    "power_low": pl.Float64(),
    "power_high": pl.Float64(),
    "excluded": pl.Float64(),
    "undefined": pl.Int64(),
    "mean": pl.Float64(),
    "sd": pl.Float64(),
    "width": pl.Float64(),
    "truth": pl.Float64(),
    "bias": pl.Float64(),
    "bias_error": pl.Float64(),
    "coverage": pl.Float64(),
    "contexts_lost": pl.Float64(),
}
"""The columns of a summary: the claim; replicates; the share of them whose interval supports the claim, with Wilson's
95% Monte-Carlo interval; the share whose interval excludes the threshold on either side; how many have no interval
(they support nothing); mean and standard deviation of the estimates; mean width of the intervals; mean correlation
without choices and replies in between (beliefs, or targets, with the weights in force), and how far the mean estimate
lies from it, with the standard error of simulating; the share of intervals that hold the mean estimate; and the mean
number of contexts without an entry (no valid report, or no weights) in the set of reports that has most of them."""


def _power(each: Claim, low: Floats, high: Floats) -> dict[str, object]:
    of = len(low)
    if of == 0:
        return dict.fromkeys(("power", "power_low", "power_high", "excluded")) | {"undefined": 0}
    # NaN compares as false: a replicate without an interval supports nothing and excludes nothing.
    above, below = low > each.threshold, high < each.threshold
    count = int((above if each.above else below).sum())
    ends = share_interval(count, of)
    return {
        "power": count / of,
        "power_low": ends[0],
        "power_high": ends[1],
        "excluded": float((above | below).mean()),
        "undefined": int((np.isnan(low) | np.isnan(high)).sum()),
    }


def _precision(estimate: Floats, low: Floats, high: Floats, truth: Floats) -> dict[str, object]:
    known = ~np.isnan(estimate) & ~np.isnan(truth)
    whole = ~np.isnan(low) & ~np.isnan(high)
    if not known.any():
        return dict.fromkeys(("mean", "sd", "width", "truth", "bias", "bias_error", "coverage"))
    mean, off, many = float(estimate[known].mean()), (estimate - truth)[known], int(known.sum()) > 1
    inside = (low[whole] <= mean) & (mean <= high[whole])
    return {
        "mean": mean,
        "sd": float(estimate[known].std(ddof=1)) if many else None,
        "width": float((high - low)[whole].mean()) if whole.any() else None,
        "truth": float(truth[known].mean()),
        "bias": float(off.mean()),
        "bias_error": float(off.std(ddof=1) / np.sqrt(len(off))) if many else None,
        "coverage": float(inside.mean()) if whole.any() else None,
    }
