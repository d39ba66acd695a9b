"""Laws: entries of weights and reports that follow one, and the intervals that many such studies get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import atanh, inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from avowal import _core
from avowal.rng import Purpose, normals, unit_id

__all__ = ["LEVEL", "Entries", "Intervals", "accuracy_intervals", "fisher_power", "gain_intervals"]

Floats = NDArray[np.float64]

LEVEL = 0.95
"""The nominal level of all intervals here."""

_REACH = NormalDist().inv_cdf(0.5 + LEVEL / 2)
_BLOCK = 400
# Studies in one call of the engine's jackknife: more would spend the time on the dependence between them.
_TOGETHER = 20
_NONE = (np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of many studies.

    Attributes
    ----------
    low, high
        Ends, shape (studies,); NaN where a study has no interval.
    df
        Degrees of freedom of each; infinite for a normal's.
    """

    low: Floats
    high: Floats
    df: Floats = field(default_factory=lambda: np.array([np.inf]))

    def rates(self, truth: float = 0.0) -> tuple[float, float]:
        """Return the shares of the intervals that lie below and above a number.

        Parameters
        ----------
        truth
            The number.

        Returns
        -------
        tuple of float
            Shares of the studies that have an interval.
        """
        known = np.isfinite(self.low)
        return float(np.mean(self.high[known] < truth)), float(np.mean(self.low[known] > truth))


@dataclass(frozen=True, slots=True)
class Entries:
    """A law that entries of weights and reports follow, each normal with variance one.

    Attributes
    ----------
    contexts, attributes
        The size of a study; its entries are their product.
    rho
        Correlation of weights with reports, and of each deviation with its own kind.
    weights_icc, reports_icc
        Share of the variance that belongs to the context, of weights and of the reports' errors, before training and
        after it. -1: errors sum to zero within each context.
    scale_sd
        Standard deviation of the log of a context's scale, which multiplies weights and reports alike.
    kept
        Correlation of the reports' errors before and after training.
    rho_after
        Correlation of weights with reports after training; None without any.
    """

    contexts: int
    attributes: int = 1
    rho: float = 0.0
    weights_icc: float = 0.0
    reports_icc: float = 0.0
    scale_sd: float = 0.0
    kept: float = 0.0
    rho_after: float | None = None

    def draw(self, replicates: int, seed: int) -> Iterator[tuple[Floats, ...]]:
        """Draw studies in blocks: weights, reports and, with training, reports after it.

        Parameters
        ----------
        replicates
            Studies in all.
        seed
            From 0 to 2**64 - 1; a law has streams of its own.

        Yields
        ------
        tuple of ndarray, each of shape (studies, entries)
        """
        n, k, unit = self.contexts, self.attributes, unit_id(repr(self))
        for block, start in enumerate(range(0, replicates, _BLOCK)):
            count = min(_BLOCK, replicates - start)
            own = 3 * n * k
            flat = normals(seed, Purpose.USER, unit, block, count * (own + 4 * n))
            each = flat[: count * own].reshape(3, count, n, k)
            u, v, g, x = flat[count * own :].reshape(4, count, n, 1)
            w = _with_component(each[0], u, self.weights_icc)
            e = _with_component(each[1], v, self.reports_icc)
            scale = np.exp(self.scale_sd * g)
            made = [scale * w, scale * (self.rho * w + sqrt(1 - self.rho**2) * e)]
            if self.rho_after is not None:
                fresh = _with_component(each[2], x, self.reports_icc)
                after = self.kept * e + sqrt(1 - self.kept**2) * fresh
                made.append(self.rho_after * w + sqrt(1 - self.rho_after**2) * after)
            yield tuple(np.ascontiguousarray(part.reshape(count, -1)) for part in made)


def _with_component(each: Floats, own: Floats, icc: float) -> Floats:
    if icc == -1.0:
        k = each.shape[-1]
        deviations: Floats = sqrt(k / (k - 1)) * (each - each.mean(axis=-1, keepdims=True))
        return deviations
    both: Floats = sqrt(icc) * own + sqrt(1 - icc) * each
    return both


def accuracy_intervals(law: Entries, replicates: int, seed: int) -> dict[str, Intervals]:
    """Draw studies of one accuracy and give each its intervals.

    Parameters
    ----------
    law
        What entries follow.
    replicates, seed
        Number of studies and the seed of their streams.

    Returns
    -------
    dict
        ``cluster`` (the engine's jackknife of contexts), ``slope`` (the engine's regression of standardised weights on
        standardised reports) and ``fisher`` (tanh(atanh r ± 1.96 / sqrt(n - 3)), n entries).
    """
    n = law.contexts * law.attributes
    ends: dict[str, list[tuple[float, float, float]]] = {"cluster": [], "slope": [], "fisher": []}
    for weights, reports in law.draw(replicates, seed):
        for start in range(0, len(weights), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            count = len(weights[some])
            ids = np.tile(np.repeat(np.arange(law.contexts), law.attributes), count)
            flat = weights[some].ravel(), reports[some].ravel()
            for _, _, _, found, _ in _core.jackknife(*flat, ids, np.zeros_like(ids), [n] * count, LEVEL)[0]:
                ends["cluster"].append((*found[3:], found[2]) if found else _NONE)
        z = [(a - a.mean(axis=1, keepdims=True)) / a.std(axis=1, ddof=1, keepdims=True) for a in (weights, reports)]
        for w, s in zip(*z, strict=True):
            line, _ = _core.standardised_slope(w, s, LEVEL)
            ends["slope"].append((*line[3:], line[2]) if line else _NONE)
        centre = np.arctanh((z[0] * z[1]).sum(axis=1) / (n - 1))
        half = _REACH / sqrt(n - 3)
        ends["fisher"] += [(low, high, np.inf) for low, high in np.tanh(centre[:, None] + [-half, half])]
    return {name: Intervals(*np.array(each).T) for name, each in ends.items()}


def gain_intervals(law: Entries, replicates: int, seed: int) -> Intervals:
    """Draw studies before and after training and give each the paired interval of its gain.

    Parameters
    ----------
    law
        What entries follow, with `rho_after`.
    replicates, seed
        Number of studies and the seed of their streams.

    Returns
    -------
    Intervals
        The engine's, for r after less r before.
    """
    n = law.contexts * law.attributes
    ids = np.tile(np.repeat(np.arange(law.contexts), law.attributes), 2)
    groups, ends = np.zeros_like(ids), []
    for weights, before, after in law.draw(replicates, seed):
        for w, b, a in zip(weights, before, after, strict=True):
            cells = np.concatenate([w, w]), np.concatenate([b, a])
            found = _core.combination(*cells, ids, groups, [n, n], [-1.0, 1.0], LEVEL)[1]
            ends.append(found[:2] if found else _NONE[:2])
    return Intervals(*np.array(ends).T)


def fisher_power(rho: float, entries: float, *, corrected: bool = False, df: float = inf) -> float:
    """Return the chance that a Fisher interval at .95 excludes 0, in the normal approximation.

    Parameters
    ----------
    rho
        The true correlation.
    entries
        Independent entries, more than 3; may be a fraction.
    corrected
        Whether the estimate's z has its bias, rho / (2 (n - 1)).
    df
        Degrees of freedom of Student's t, whose quantile takes the place of 1.96.

    Returns
    -------
    float
        P(Z > c - m) + P(Z < -c - m) with m = (atanh rho + bias) sqrt(n - 3) and c the quantile.

    Examples
    --------
    >>> round(fisher_power(0.3, 85), 2)
    0.8
    """
    middle = (atanh(rho) + corrected * rho / (2 * (entries - 1))) * sqrt(entries - 3)
    normal, upper = NormalDist(), 0.5 + LEVEL / 2
    reach = normal.inv_cdf(upper) if df == inf else _core.t_quantile(upper, df)
    return normal.cdf(middle - reach) + normal.cdf(-middle - reach)
