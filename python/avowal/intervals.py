"""Intervals from draws: highest density, equal-tailed, bias-corrected and accelerated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from avowal import _core
from avowal.checks import as_floats

__all__ = [
    "Interval",
    "bca",
    "hdi",
    "percentile",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends at a level; both are None where `status` is not "ok".

    Attributes
    ----------
    low, high
        The ends.
    level
        The level.
    status
        "ok"; for BCa also "beyond the draws" (all draws lie on one side of the estimate, or the correction leaves their
        range), "no variation" (nothing was left out) or "undefined with one left out".
    """

    low: float | None
    high: float | None
    level: float
    status: str


def hdi(draws: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Find the shortest interval that holds floor(level * n) + 1 of n draws, as ArviZ 0.x and R's HDInterval do.

    Parameters
    ----------
    draws
        Shape (n,), at least one, finite.
    level
        Level of the interval.

    Returns
    -------
    Interval
        Of equally short intervals the lowest.

    Raises
    ------
    InputError
        If there are no draws, a draw is not finite, or `level` is not between 0 and 1.

    Examples
    --------
    >>> found = hdi([9, 0, 5, 5.1, 5.2, 5.3], level=0.5)
    >>> found.low, found.high
    (5.0, 5.3)
    """
    low, high = _core.hdi(as_floats("draws", draws, 1), level)
    return Interval(low, high, level, "ok")


def percentile(draws: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Give the equal-tailed interval of draws, by linear interpolation (type 7, the default of NumPy and R).

    Parameters
    ----------
    draws
        Shape (n,), at least one, finite.
    level
        Level of the interval.

    Returns
    -------
    Interval
        The quantiles at (1 - level) / 2 and (1 + level) / 2.

    Raises
    ------
    InputError
        As `hdi`.
    """
    low, high = _core.percentile_interval(as_floats("draws", draws, 1), level)
    return Interval(low, high, level, "ok")


def bca(draws: npt.ArrayLike, estimate: float, left_out: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Give the bias-corrected and accelerated interval of draws (Efron 1987).

    Parameters
    ----------
    draws
        Shape (n,), at least one, finite.
    estimate
        The estimate from all units.
    left_out
        Estimates without one unit each, which give the acceleration; shape (units,).
    level
        Level of the interval.

    Returns
    -------
    Interval
        With its status.

    Raises
    ------
    InputError
        As `hdi`; or if `estimate` or `left_out` is not finite.
    """
    ends, status = _core.bca_interval(as_floats("draws", draws, 1), estimate, as_floats("left_out", left_out, 1), level)
    return interval_of(ends, status, level)


def interval_of(ends: tuple[float, float] | None, status: str, level: float) -> Interval:
    """Return the interval of ends that may be missing."""
    low, high = ends or (None, None)
    return Interval(low, high, level, status)
