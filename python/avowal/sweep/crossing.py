"""Crossings: where a power curve that is known from simulated studies alone reaches a target, and how surely."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from avowal import _core

__all__ = ["LEVELLING", "ROOT", "Count", "Crossing", "Scale", "crossing"]

Floats = NDArray[np.float64]

_Z = 1.959963984540054
"""The normal quantile of .975: Monte-Carlo intervals are of level .95, whatever the level of the study's intervals."""

_FAR = 8.0
"""Probits beyond which a share is taken for 0 or 1."""


class Count(NamedTuple):
    """How many of how many simulated studies support a claim."""

    supporting: int
    replicates: int


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale on which the probit of power is locally linear in a number of things.

    Attributes
    ----------
    of, back
        From numbers to the scale, increasing, and back.
    """

    of: Callable[[float], float]
    back: Callable[[float], float]


ROOT = (Scale(math.sqrt, lambda x: x * x),)
"""For agents: a test of size alpha with standard error s / sqrt(n) has power Phi(sqrt(n) d / s - z)."""

LEVELLING = (
    Scale(lambda n: -1 / n, lambda x: -1 / x),
    Scale(lambda n: -1 / math.sqrt(n), lambda x: x**-2),
    Scale(math.log, math.exp),
)
"""For decisions and reports: a correlation weakened by noise of variance c / n is r / sqrt(1 + c / n). By the logarithm
of n its curvature is 1.5 c / (n + c) - 1 times its slope; on these scales a line's is -1, -1/2 and 0. The first is
right where power has all but levelled off, the last where n is half of c."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a fitted power curve reaches its target.

    Attributes
    ----------
    estimate
        The number, not rounded.
    low, high
        Ends of its 95% interval; infinite ones (or 0 below) where the counts don't bound it.
    slope
        Rise of the probit of power per unit of the number, at the estimate.
    """

    estimate: float
    low: float
    high: float
    slope: float


def crossing(
    counts: Mapping[int, Count], target: float, scales: Sequence[Scale], least: int, limit: int
) -> Crossing | None:
    """Fit a probit line to counts, and find where it reaches a target.

    Each number also gets one imagined study that supports the claim with the target as its probability. It moves
    nothing at the crossing, and keeps the line finite where all studies below fail and all above succeed.

    Parameters
    ----------
    counts
        By number of agents, decisions or reports: 1 or more.
    target
        The power to reach, between 0 and 1.
    scales
        On one of which the line is straight.
    least, limit
        The interval isn't followed beyond these.

    Returns
    -------
    Crossing or None
        That of the scale with the most likely line. The interval is that of the profile likelihood, over the lines on
        all scales; where the counts scatter around the best line more than by chance (Pearson's chi-squared beyond its
        95% point), it is widened by the heterogeneity factor (Finney 1971, Probit Analysis, 3rd ed., 4.6). None for
        fewer than two numbers, or where no line rises.
    """
    if len(counts) < 2:
        return None
    lines = [line for line in (_Line(counts, target, scale) for scale in scales) if line.fitted[1] > 0]
    if not lines:
        return None
    best = max(lines, key=lambda line: line.likelihood)
    required = best.likelihood - best.critical() / 2
    ends = [line.ends(least, limit, required) for line in lines if line.likelihood >= required]
    number = best.number(best.at)
    step = 1e-4 * number
    slope = best.fitted[1] * (best.u(number + step) - best.u(number - step)) / (2 * step)
    return Crossing(number, min(low for low, _ in ends), max(high for _, high in ends), float(slope))


class _Line:
    """The counts as a regression sees them, on a centred scale of unit spread, and the line through them."""

    def __init__(self, counts: Mapping[int, Count], target: float, scale: Scale) -> None:
        numbers = sorted(counts)
        self.scale = scale
        self.goal = _core.normal_quantile(target)
        self.of = np.array([counts[n].replicates + 1.0 for n in numbers])
        self.supporting = np.array([counts[n].supporting + target for n in numbers])
        raw = np.array([scale.of(n) for n in numbers])
        self.centre = float(np.average(raw, weights=self.of))
        self.spread = float(np.sqrt(np.average((raw - self.centre) ** 2, weights=self.of)))
        self.x = (raw - self.centre) / self.spread
        columns = np.column_stack([np.ones_like(self.x), self.x])
        self.fitted, self.likelihood = _probit(columns, self, 0.0, np.zeros(2))
        self.at = float((self.goal - self.fitted[0]) / self.fitted[1]) if self.fitted[1] > 0 else math.nan

    def u(self, number: float) -> float:
        return (self.scale.of(number) - self.centre) / self.spread

    def number(self, u: float) -> float:
        # A root below zero means no number at all, but squaring would make it one; and others have no end.
        raw = self.centre + self.spread * u
        return self.scale.back(min(max(raw, self.scale.of(1e-6)), self.scale.of(1e9)))

    def critical(self) -> float:
        """Return by how much twice the log likelihood may fall inside the interval."""
        p = _share(self.fitted[0] + self.fitted[1] * self.x)
        chi_squared = float(np.sum((self.supporting - self.of * p) ** 2 / (self.of * p * (1 - p))))
        df = len(self.x) - 2
        # Wilson and Hilferty's approximation (1931) to the 95% point of chi-squared.
        if df == 0 or chi_squared <= df * (1 - 2 / (9 * df) + 1.6448536 * math.sqrt(2 / (9 * df))) ** 3:
            return _Z**2
        return float(_core.t_quantile(0.975, df) ** 2 * chi_squared / df)

    def profile(self, at: float) -> float:
        """Return the highest log likelihood of a line that doesn't fall and reaches the target there."""
        slope, likelihood = _probit((self.x - at)[:, None], self, self.goal, self.fitted[1:])
        return likelihood if slope[0] >= 0 else _likelihood(np.full_like(self.x, self.goal), self)

    def ends(self, least: int, limit: int, required: float) -> tuple[float, float]:
        """Return the numbers between which the profile is as likely as required: 0 or infinity for no end."""
        low, high = self.end(self.u(least), required), self.end(self.u(limit), required)
        return 0.0 if low is None else self.number(low), math.inf if high is None else self.number(high)

    def end(self, bound: float, least: float) -> float | None:
        """Return where the profile falls below a likelihood on the way to a bound, or None if it doesn't."""
        inside, outside = self.at, bound
        if self.profile(outside) >= least:
            return None
        # The answer is a whole number: a hundredth of one is as fine as anybody can see.
        while abs(self.number(inside) - self.number(outside)) > 0.01 * max(1.0, 0.001 * self.number(inside)):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.profile(middle) >= least else (inside, middle)
        return inside


def _share(probit: Floats) -> Floats:
    """Return the normal distribution function, away from 0 and 1."""
    cut = np.clip(probit, -_FAR, _FAR)
    return np.clip([0.5 * math.erfc(-each / math.sqrt(2)) for each in cut], 1e-15, 1 - 1e-15)


def _likelihood(probit: Floats, line: _Line) -> float:
    p = _share(probit)
    return float(np.sum(line.supporting * np.log(p) + (line.of - line.supporting) * np.log1p(-p)))


def _probit(columns: Floats, line: _Line, offset: float, start: Floats) -> tuple[Floats, float]:
    """Maximise the likelihood by Fisher's scoring with halved steps; it is concave, so that this is the maximum."""
    beta = start
    best = _likelihood(columns @ beta + offset, line)
    for _ in range(100):
        probit = np.clip(columns @ beta + offset, -_FAR, _FAR)
        p = _share(probit)
        ratio = np.exp(-0.5 * probit**2) / math.sqrt(2 * math.pi) / (p * (1 - p))
        score = columns.T @ ((line.supporting - line.of * p) * ratio)
        information = (columns * (line.of * ratio**2 * p * (1 - p))[:, None]).T @ columns
        step = np.linalg.lstsq(information, score, rcond=None)[0]
        while (new := _likelihood(columns @ (beta + step) + offset, line)) < best and np.abs(step).max() > 1e-12:
            step /= 2
        if new <= best:
            break
        beta, gained, best = beta + step, new - best, new
        if gained < 1e-9 * (1 + abs(best)):
            break
    return beta, best
