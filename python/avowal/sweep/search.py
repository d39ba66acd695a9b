"""Search: the smallest number that gives a power, bracketed by doubling and then pinned down where it pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from avowal.sweep.crossing import Count, Crossing, Scale, crossing

__all__ = ["Evaluate", "Found", "Status", "bounds", "first_replicates", "search"]

Evaluate = Callable[[Mapping[int, int]], Mapping[int, int]]
"""Takes how many replicates of which numbers; returns how many of the first so many support the claim."""

Status = Literal["found", "budget", "smallest", "levels_off", "rising", "falling", "never", "unresolved"]

SURE = 3.0
"""Standard normal deviation at which a power is taken to lie on one side of the target, while bracketing. It bounds the
interval for good, and is looked at with every number that is tried: 2, and one number in 20 would be taken wrongly."""

APART = math.sqrt(2)
"""The same for two powers that differ by two standard errors of a difference."""

_ROUND = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search.

    Attributes
    ----------
    status
        See :class:`avowal.sweep.solve.Solution`.
    n, low, high
        The smallest number that reaches the target and its 95% interval, whole numbers; None without one.
    counts
        All evaluations by number, ascending.
    """

    status: Status
    n: int | None
    low: int | None
    high: int | None
    counts: Mapping[int, Count]


def bounds(count: Count, z: float) -> tuple[float, float]:
    """Return Wilson's bounds on a share that lie z standard errors away."""
    share, spread = count.supporting / count.replicates, z * z / count.replicates
    half = z * math.sqrt(share * (1 - share) / count.replicates + spread / (4 * count.replicates))
    return (share + spread / 2 - half) / (1 + spread), (share + spread / 2 + half) / (1 + spread)


def first_replicates(target: float) -> int:
    """Return the replicates of a first look: so many that a power of 1 or 0 is surely beyond the target."""
    return max(2 * _ROUND, _up(SURE**2 / min(target, 1 - target) * 1.1))


def search(
    evaluate: Evaluate,
    *,
    start: int,
    target: float,
    scales: Sequence[Scale],
    least: int,
    limit: int,
    tolerance: float,
    budget: int,
) -> Found:
    """Find the smallest number whose power reaches a target, where power rises with the number.

    Parameters
    ----------
    evaluate
        Simulates.
    start
        Where to begin, from `least` to `limit`.
    target
        Between 0 and 1.
    scales
        On one of which the probit of power is locally linear.
    least, limit
        Smallest and largest number to consider.
    tolerance
        The search ends when both ends of the interval lie within this share of the number (or within 1).
    budget
        Replicates to spend after the answer is bracketed.

    Returns
    -------
    Found
        It depends on what `evaluate` returns for these arguments alone.
    """
    state = _Search(evaluate, target, scales, least, limit, tolerance, budget)
    return state.bracket(start) or state.refine()


@dataclass(slots=True)
class _Search:
    evaluate: Evaluate
    target: float
    scales: Sequence[Scale]
    least: int
    limit: int
    tolerance: float
    left: int
    refined: bool = False
    counts: dict[int, Count] = field(default_factory=dict)

    def bracket(self, start: int) -> Found | None:
        """Walk by doubling and halving until the target surely lies between two numbers; say so if it can't."""
        first = first_replicates(self.target)
        self.ask({start: first})
        up = down = start
        while self.side(up) <= 0 and up < self.limit:
            up = min(2 * up, self.limit)
            self.ask({up: first})
        if self.side(up) <= 0 and self.settle(up) <= 0:
            return self.short(up, first)
        while self.side(down) >= 0 and down > self.least:
            down = max(down // 2, self.least)
            self.ask({down: first})
        if self.side(down) > 0:
            return self.ended("smallest", down, down, down)
        return None

    def short(self, top: int, first: int) -> Found:
        """Say why the target isn't reached."""
        if self.side(top) == 0:
            return self.ended("unresolved")
        before = max((n for n in self.counts if n < top), default=max(top // 2, self.least))
        highest = max(self.counts, key=lambda n: self.counts[n].supporting / self.counts[n].replicates)
        self.ask(dict.fromkeys((highest, before, top), 4 * first))
        if not any(count.supporting for count in self.counts.values()):
            return self.ended("never")
        if bounds(self.counts[highest], SURE)[0] > bounds(self.counts[top], SURE)[1]:
            return self.ended("falling")
        rises = bounds(self.counts[before], APART)[1] < bounds(self.counts[top], APART)[0]
        return self.ended("rising" if rises else "levels_off")

    def refine(self) -> Found:
        """Spend replicates around the crossing until its interval is narrow or the budget is spent."""
        each, plan = 2 * first_replicates(self.target), dict[int, int]()
        while True:
            at = self.fit()
            n, low, high = self.whole(at)
            allowed = max(1.0, self.tolerance * n)
            beside = [m for m in (n - 1, n, n + 1) if self.least <= m <= self.limit]
            if max(n - low, high - n) <= allowed and all(m in self.counts for m in beside):
                return self.ended("found", n, low, high)
            # More replicates of each number only where the last ones stood around the crossing.
            if plan and min(plan) <= n <= max(plan):
                half = (min(at.high, high) - max(at.low, low - 1)) / 2
                each = _up(each * min(max(1.1 * (half / allowed) ** 2, 1.4), 4.0))
            around = {*beside, *self.apart(n, at.slope)}
            while all(m in self.counts and self.counts[m].replicates >= each for m in around):
                each = _up(1.4 * each)
            plan = self.affordable(dict.fromkeys(around, each), self.left)
            if not plan:
                # A line through numbers far apart may guess a crossing, but its interval proves nothing.
                return self.ended("budget", n, *((low, high) if self.refined else self.sure()))
            self.spend(plan)
            self.refined = True

    @property
    def span(self) -> float:
        """How far from the crossing to simulate, as a share: the error from a bent curve grows as its square."""
        return min(math.sqrt(self.tolerance), 0.15)

    def fit(self) -> Crossing:
        """Fit a line to all counts, then to those near the crossing alone, where it is straight; join the intervals."""
        found = crossing(self.counts, self.target, self.scales, self.least, self.limit)
        if found is not None:
            reach = math.exp(2 * self.span)
            middle = self.whole(found)[0]
            near = {
                n: count
                for n, count in self.counts.items()
                if abs(n - middle) <= 3 or middle / reach <= n <= middle * reach
            }
            closer = crossing(near, self.target, self.scales, self.least, self.limit) if len(near) > 2 else None
            if closer is not None:
                # Of many numbers that are tried, those that look steep by chance hold the search where they stand.
                return replace(closer, low=min(closer.low, found.low), high=max(closer.high, found.high))
            return found
        low, high = self.sure()
        return Crossing(math.sqrt(low * high), low, high, 0.0)

    def whole(self, at: Crossing) -> tuple[int, int, int]:
        """Return the crossing and its interval as the smallest whole numbers beyond, inside what is sure."""
        low, high = self.sure()
        n, below, above = (math.ceil(min(max(x, low), high)) for x in (at.estimate, at.low, at.high))
        return n, below, above

    def sure(self) -> tuple[int, int]:
        """Return the smallest and the largest number that may be the answer."""
        high = min((n for n in self.counts if self.side(n) > 0), default=self.limit)
        low = max((n + 1 for n in self.counts if n < high and self.side(n) < 0), default=self.least)
        return low, high

    def apart(self, n: int, slope: float) -> list[int]:
        """Return numbers on both sides, far enough for the slope and near enough for the line to be straight."""
        widest = max(self.span * n, 1.0)
        wanted = 0.2 / slope if slope > 0 else widest
        distance = round(min(max(wanted, self.tolerance * n, 1.0), widest))
        return [m for m in (n - distance, n + distance) if self.least <= m <= self.limit]

    def side(self, n: int) -> int:
        """Return 1 or -1 where the power is surely above or below the target, else 0."""
        low, high = bounds(self.counts[n], SURE)
        return int(low >= self.target) - int(high < self.target)

    def settle(self, n: int) -> int:
        """Evaluate a number until it is sure on which side it lies, or half the budget is spent."""
        kept = self.left // 2
        while self.side(n) == 0 and self.left > kept:
            plan = self.affordable({n: 2 * self.counts[n].replicates}, self.left - kept)
            if not plan:
                break
            self.spend(plan)
        return self.side(n)

    def affordable(self, plan: dict[int, int], room: int) -> dict[int, int]:
        """Return what there is room for of a plan: fewer replicates of all numbers, if need be."""
        have = {n: self.counts[n].replicates if n in self.counts else 0 for n in plan}
        for most in range(max(plan.values()), 0, -_ROUND):
            less = {n: min(count, most) for n, count in plan.items() if min(count, most) > have[n]}
            if sum(count - have[n] for n, count in less.items()) <= room:
                return less
        return {}

    def spend(self, plan: Mapping[int, int]) -> None:
        """Evaluate at the cost of the budget."""
        before = self.replicates()
        self.ask(plan)
        self.left -= self.replicates() - before

    def replicates(self) -> int:
        return sum(count.replicates for count in self.counts.values())

    def ask(self, plan: Mapping[int, int]) -> None:
        """Evaluate; what is known already stays as it is."""
        lacking = {n: r for n, r in sorted(plan.items()) if n not in self.counts or r > self.counts[n].replicates}
        if lacking:
            told = self.evaluate(lacking)
            self.counts |= {n: Count(told[n], replicates) for n, replicates in lacking.items()}

    def ended(self, status: Status, n: int | None = None, low: int | None = None, high: int | None = None) -> Found:
        return Found(status, n, low, high, dict(sorted(self.counts.items())))


def _up(replicates: float) -> int:
    return math.ceil(replicates / _ROUND) * _ROUND
