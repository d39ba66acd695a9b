"""How closely reports follow weights: Pearson's correlation, the standardised slope, and what training does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from avowal import _core
from avowal.checks import as_floats
from avowal.labels import codes_of, factor

__all__ = [
    "Correlation",
    "Slope",
    "SlopeContrast",
    "pearson",
    "slope",
    "slope_contrast",
]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's correlation.

    Attributes
    ----------
    r
        The correlation, or None where `status` is not "ok".
    entries
        Number of entries.
    status
        "ok", "too few entries" (fewer than 3) or "no variation" (equal weights, or equal reports within a group).
    """

    r: float | None
    entries: int
    status: str


@dataclass(frozen=True, slots=True)
class Slope:
    """A least-squares slope with its t interval; numbers are None where `status` is not "ok".

    Attributes
    ----------
    estimate, se
        The slope and its standard error, in standard deviations of the weights per standard deviation of the reports.
    df
        Residual degrees of freedom.
    low, high
        Ends of the interval.
    level
        Level of the interval.
    entries
        Number of entries.
    status
        "ok", "too few entries" or "no variation".
    """

    estimate: float | None
    se: float | None
    df: float | None
    low: float | None
    high: float | None
    level: float
    entries: int
    status: str


@dataclass(frozen=True, slots=True)
class SlopeContrast:
    """What training does to the slope, averaged over models; numbers are None where `status` is not "ok".

    Attributes
    ----------
    estimate, se
        Mean over models of slope after minus slope before, and its standard error.
    df
        Residual degrees of freedom: entries less two per model and condition.
    low, high
        Ends of the t interval.
    level
        Level of the interval.
    by_model
        (model, slope after minus slope before), models ascending; empty where `status` is not "ok".
    entries
        Number of entries.
    status
        "ok", "too few entries" (some model has fewer than 3 before or after) or "no variation".
    """

    estimate: float | None
    se: float | None
    df: float | None
    low: float | None
    high: float | None
    level: float
    by_model: tuple[tuple[Any, float], ...]
    entries: int
    status: str


def pearson(weights: npt.ArrayLike, reports: npt.ArrayLike, *, groups: npt.ArrayLike | None = None) -> Correlation:
    """Correlate weights with reports, standardised within each group where there are several.

    Parameters
    ----------
    weights, reports
        Shape (entries,).
    groups
        The reporting model of each entry; shape (entries,). Reports are standardised within it (n - 1 in the standard
        deviation) and correlated together.

    Returns
    -------
    Correlation
        The correlation and its status.

    Raises
    ------
    InputError
        If lengths differ or numbers are not finite.

    Examples
    --------
    >>> pearson([1, 2, 3, 4], [1, 3, 2, 4]).r
    0.8
    """
    w, s = as_floats("weights", weights, 1), as_floats("reports", reports, 1)
    r, status = _core.pearson(w, s, codes_of(groups, len(w), "groups"))
    return Correlation(r, len(w), status)


def slope(weights_z: npt.ArrayLike, reports_z: npt.ArrayLike, *, level: float = 0.95) -> Slope:
    """Regress standardised weights on standardised reports, with an intercept: the paper's accuracy.

    Parameters
    ----------
    weights_z, reports_z
        Standardised as the caller sees fit (the paper: weights over all contexts of the model, reports over all entries
        of the reporting model); shape (entries,).
    level
        Level of the t interval, which under flat priors is also the highest-density interval of the posterior.

    Returns
    -------
    Slope
        The slope, its standard error and interval. The interval ignores that attributes of one context belong together.

    Raises
    ------
    InputError
        If lengths differ, numbers are not finite, or `level` is not between 0 and 1.
    """
    w, s = as_floats("weights_z", weights_z, 1), as_floats("reports_z", reports_z, 1)
    fields, status = _core.standardised_slope(w, s, level)
    estimate, se, df, low, high = fields or (None,) * 5
    return Slope(estimate, se, df, low, high, level, len(w), status)


def slope_contrast(
    weights_z: npt.ArrayLike,
    reports_z: npt.ArrayLike,
    models: npt.ArrayLike,
    trained: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> SlopeContrast:
    """Estimate what training does to the slope: the paper's regression of weight on report x trained x model.

    Each model has its own intercept and slope before and after training; the residual variance is common.

    Parameters
    ----------
    weights_z, reports_z
        Standardised as for `slope`; shape (entries,).
    models
        The model of each entry, by number or name; shape (entries,).
    trained
        Whether the entry stems from after training; shape (entries,).
    level
        Level of the t interval.

    Returns
    -------
    SlopeContrast
        The equal-weight mean over models of slope after minus slope before.

    Raises
    ------
    InputError
        If lengths differ, numbers are not finite, or `level` is not between 0 and 1.
    """
    w, s = as_floats("weights_z", weights_z, 1), as_floats("reports_z", reports_z, 1)
    names, codes = factor(models, "models")
    after = np.ascontiguousarray(np.asarray(trained, dtype=bool).astype(np.uint8))
    fields, by_model, status = _core.slope_contrast(w, s, codes, after, level)
    estimate, se, df, low, high = fields or (None,) * 5
    gains = tuple(zip(names.tolist(), by_model, strict=True)) if by_model else ()
    return SlopeContrast(estimate, se, df, low, high, level, gains, len(w), status)
