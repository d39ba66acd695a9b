"""Solve: the smallest design that reaches a power, with the uncertainty that is left of simulating."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import polars as pl

from avowal import __version__
from avowal.checks import as_u64
from avowal.display import Shown
from avowal.errors import AvowalError, InputError
from avowal.quantities import Settings
from avowal.sweep.crossing import LEVELLING, ROOT
from avowal.sweep.estimands import COLUMNS, Claim, Interval, claim
from avowal.sweep.grid import SHORT, Design, Value
from avowal.sweep.money import Bill, Pricing
from avowal.sweep.power import Sweep, prepare
from avowal.sweep.run import Executor, here, missing, run
from avowal.sweep.search import Found, Status, search
from avowal.sweep.store import PLAN, Folder, Store, write_whole
from avowal.sweep.summary import summarise
from avowal.text import Table

__all__ = ["COUNTS", "Solution", "solve"]

_AGENTS = ("agents", "trained_agents", "native_agents")

COUNTS = (*_AGENTS, "decisions", "trained_decisions", "native_decisions", "reports", "replies")
"""What can be solved for."""

_SHOWN = ("replicates", "supporting", "power", "power_low", "power_high", "undefined", "mean", "sd", "width")

_TARGET = re.compile(r"\s*([a-z_.]+)\s*>=\s*([0-9.eE+-]+)\s*")

_MOST = 1_000_000
"""The engine takes no more of anything."""

_LEAST, _GREATEST = 0.01, 0.99
"""Targets between which 1,000 replicates of a number tell it from 0 and 1: nearer to 1, it takes 10 / (1 - target)."""


@dataclass(frozen=True, slots=True)
class Solution(Shown):
    """The smallest number of something that gives a study a power.

    Attributes
    ----------
    parameter
        What was solved for, one of :data:`COUNTS`.
    claim, target
        What is to be shown, and the power to reach.
    status
        ``found`` where the interval is as narrow as asked for; ``budget`` where the budget was spent before;
        ``smallest`` where the smallest number already suffices. Without a number: ``levels_off`` where power at the
        limit is not measurably higher than at the number before; ``rising`` where it is, but the limit comes first;
        ``falling`` where power is higher at some smaller number; ``never`` where no replicate supports the claim;
        ``unresolved`` where the power at the limit can't be told from the target.
    n, low, high
        The number, and its 95% interval for the error of simulating; None without a number.
    evaluations
        One row for each number that was simulated, ascending: the parameter, ``replicates``, ``supporting`` (how many
        of them support the claim) and the columns ``power``, ``power_low``, ``power_high``, ``undefined``, ``mean``,
        ``sd``, ``width`` of :data:`~avowal.sweep.summary.SUMMARY`.
    bill, bill_low, bill_high
        Prices of the designs with n, low and high; None without a number.
    limit, tolerance, budget
        As given or chosen.
    plan
        The design at the start: settings, seed, level, interval.
    """

    parameter: str
    claim: Claim
    target: float
    status: Status
    n: int | None
    low: int | None
    high: int | None
    evaluations: pl.DataFrame
    bill: Bill | None
    bill_low: Bill | None
    bill_high: Bill | None
    limit: int
    tolerance: float
    budget: int
    plan: Mapping[str, Any]

    def _shown(self) -> Iterable[Table | str]:
        from avowal.sweep.solved import printed

        return printed(self)

    @property
    def neighbours(self) -> pl.DataFrame:
        """The evaluations at the answer, one below and one above."""
        n = self.n
        if n is None:
            return self.evaluations.clear()
        return self.evaluations.filter(pl.col(self.parameter).is_between(n - 1, n + 1))

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for a JSON document."""
        bills = {"price": self.bill, "price_low": self.bill_low, "price_high": self.bill_high}
        prices = {
            name: None if bill is None or bill.price is None else float(bill.price) for name, bill in bills.items()
        }
        return {
            "avowal": __version__,
            "solve": f"{self.claim.estimand}>={self.target:g}",
            "for": self.parameter,
            "test": str(self.claim),
            **{name: getattr(self, name) for name in ("target", "status", "n", "low", "high")},
            **prices,
            "price_status": None if self.bill is None else self.bill.status,
            **{name: getattr(self, name) for name in ("limit", "tolerance", "budget")},
            "neighbours": self.neighbours.to_dicts(),
            "evaluations": self.evaluations.to_dicts(),
            "design": dict(self.plan),
        }


def solve(
    design: Design | None = None,
    target: str = "accuracy>=0.9",
    for_: str = "agents",
    *,
    base: Settings | str | Path = "gpt-4o",
    test: str | Claim | None = None,
    seed: int = 1,
    level: float = 0.95,
    interval: Interval = "contexts",
    limit: int | None = None,
    tolerance: float = 0.02,
    budget: int = 50_000,
    pricing: Pricing | None = None,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Find the smallest number of agents, decisions or reports that gives a study a power.

    The answer is bracketed by doubling and halving with few replicates; the others are spent around the crossing, where
    a probit line (on the square root of agents, its inverse for decisions and reports) tells where power reaches the
    target, with its profile-likelihood interval. Replicates are numbered from 0 for every number that is tried, so
    that the same arguments give the same answer, whatever the folder holds.

    Parameters
    ----------
    design
        One design, as for :func:`avowal.power`. The search begins at its value of the parameter.
    target
        Such as ``accuracy>=0.9`` or ``gain.native>=0.8``: an estimand and a power from .01 to .99.
    for_
        One of :data:`COUNTS`.
    base, seed, level, interval, pricing, executor
        As for :func:`avowal.power`.
    test
        The claim on the estimand, such as ``accuracy>0.3``; by default, that it lies above 0.
    limit
        The largest number to try; by default 16 times the design's, or 100 if that is more.
    tolerance
        The search ends when both ends of the interval lie within this share of the number (or within 1).
    budget
        Replicates to spend after bracketing.
    out
        A folder that keeps every replicate, and ``solution.json``; that of a sweep will do. None keeps nothing.
    progress
        Called with how many replicates are there, and of how many at most.

    Returns
    -------
    Solution
        The numbers of :func:`avowal.power` at every number that was tried.

    Raises
    ------
    InputError
        For bad arguments, more than one design, or as :func:`avowal.power`.

    Examples
    --------
    >>> solve({"agents": 20}, "accuracy>=0.5", test="accuracy>0.3", tolerance=0.2).status
    'found'
    """
    each, power = _claimed(target, test)
    _check_types(design, base, {"level": level, "tolerance": tolerance})
    first = _first(dict(design or {}), for_, base, each, seed, level, interval, pricing)
    start = _start(first, for_)
    most = _checked(limit, start, tolerance)
    spend = as_u64("budget", budget)
    # Before the first replicate: a model without a price is no news for the end of an hour.
    first.pricing.bill(first.cells[0])
    store = Store() if out is None else Folder(Path(out))
    if isinstance(store, Folder) and not (store.folder / PLAN).is_file():
        store.write_plan(first.plan())
    studies = _Studies(dict(design or {}), for_, base, first, store, executor or here(), progress, spend)
    found = search(
        studies.evaluate,
        start=min(start, most),
        target=power,
        scales=ROOT if for_ in _AGENTS else LEVELLING,
        least=1,
        limit=most,
        tolerance=float(tolerance),
        budget=spend,
    )
    solution = _solution(studies, found, each, power, most, float(tolerance))
    if isinstance(store, Folder):
        write_whole(store.folder / "solution.json", json.dumps(solution.to_dict(), indent=2, allow_nan=False) + "\n")
    return solution


@dataclass(slots=True)
class _Studies:
    """Simulates the design with any number of the parameter, into the store."""

    design: Mapping[str, Any]
    parameter: str
    base: Settings | str | Path
    first: Sweep
    store: Store
    executor: Executor
    progress: Callable[[int, int], None] | None
    budget: int
    done: int = 0

    def sweep(self, n: int) -> Sweep:
        first = self.first
        return prepare(
            {**self.design, self.parameter: n},
            base=self.base,
            tests=first.claims,
            seed=first.seed,
            level=first.level,
            interval=first.interval,
        )

    def evaluate(self, plan: Mapping[int, int]) -> dict[int, int]:
        cells = {n: self.sweep(n).cells[0] for n in plan}
        seed, level = self.first.seed, self.first.level
        chunks = [chunk for n, many in plan.items() for chunk in missing(cells[n], many, seed, level, self.store)]
        run(chunks, self.store, self.executor, self.advance)
        return {n: int(self.summary(n, many)["supporting"]) for n, many in plan.items()}

    def advance(self, count: int) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.budget))

    def summary(self, n: int, replicates: int) -> dict[str, Any]:
        first = self.first
        numbers, figures = self.store.load(self.sweep(n).cells[0].key(first.seed, first.level))
        found: dict[str, Any] = summarise((numbers, figures), first.claims, first.interval, replicates)[0]
        if found["replicates"] != replicates:
            # An executor or a store that drops some would turn lost work into a power.
            told = f"{found['replicates']} of {replicates} replicates of {self.parameter}={n} came back"
            raise AvowalError(f"{told}; the others were not simulated, or not kept")
        tested = first.claims[0]
        _, low, high, _ = (
            figures[numbers < replicates, COLUMNS.index(name)] for name in tested.figures(first.interval)
        )
        supports = low > tested.threshold if tested.above else high < tested.threshold
        return found | {"supporting": int(supports.sum())}


def _claimed(target: str, test: str | Claim | None) -> tuple[Claim, float]:
    parts = _TARGET.fullmatch(target) if isinstance(target, str) else None
    form = f"ESTIMAND>=POWER, with a power from {_LEAST:g} to {_GREATEST:g}, such as accuracy>=0.9"
    try:
        power = float(parts[2]) if parts else 0.0
    except ValueError:
        power = 0.0
    if parts is None or not _LEAST <= power <= _GREATEST:
        raise InputError.at(form, repr(target), field="solve")
    aimed = claim(parts[1])
    if test is not None and not isinstance(test, str | Claim):
        raise InputError.at("a claim, such as accuracy>0.3", repr(test), field="test")
    tested = aimed if test is None else test if isinstance(test, Claim) else claim(test)
    if tested.estimand != aimed.estimand:
        raise InputError.at(f"a claim on {aimed.estimand}, whose power is solved for", str(tested), field="test")
    return tested, power


def _first(
    design: dict[str, Value | Any],
    parameter: str,
    base: Settings | str | Path,
    tested: Claim,
    seed: int,
    level: float,
    interval: Interval,
    pricing: Pricing | None,
) -> Sweep:
    """Prepare the design where the search begins."""
    if parameter not in COUNTS:
        raise InputError.at(f"one of {', '.join(COUNTS)}", repr(parameter), field="for")
    held = prepare(design, base=base, tests=[tested], seed=seed, level=level, interval=interval, pricing=pricing)
    if len(held.cells) > 1:
        axes = ", ".join(held.cells[0].values)
        raise InputError.at("one design, to solve for one of its numbers", f"several values of {axes}", field="design")
    given = {parameter: _start(held, parameter)} | design
    # Where another name of the design sets the parameter too, this says so.
    return prepare(given, base=base, tests=[tested], seed=seed, level=level, interval=interval, pricing=pricing)


def _check_types(design: object, base: object, numbers: Mapping[str, object]) -> None:
    """Refuse what nobody who runs a type checker would give."""
    if design is not None and not isinstance(design, Mapping):
        raise InputError.at("a mapping from names to values", repr(design), field="design")
    if not isinstance(base, Settings | str | Path):
        raise InputError.at("settings, or the name or file of a profile", repr(base), field="base")
    for name, value in numbers.items():
        if not isinstance(value, Real):
            raise InputError.at("a number between 0 and 1", repr(value), field=name)


def _checked(limit: int | None, start: int, tolerance: float) -> int:
    """Return the limit."""
    most = max(16 * start, 100) if limit is None else as_u64("limit", limit)
    if not 2 <= most <= _MOST:
        raise InputError.at(f"a whole number from 2 to {_MOST:,}", most, field="limit")
    if not 0 < tolerance < 1:
        raise InputError.at("a number between 0 and 1", tolerance, field="tolerance")
    return most


def _solution(studies: _Studies, found: Found, tested: Claim, target: float, limit: int, tolerance: float) -> Solution:
    name, first = studies.parameter, studies.first
    rows = [
        {name: n, "supporting": count.supporting} | studies.summary(n, count.replicates)
        for n, count in found.counts.items()
    ]
    bill, bill_low, bill_high = (
        None if n is None else first.pricing.bill(studies.sweep(n).cells[0]) for n in (found.n, found.low, found.high)
    )
    return Solution(
        parameter=name,
        claim=tested,
        target=target,
        status=found.status,
        n=found.n,
        low=found.low,
        high=found.high,
        evaluations=pl.DataFrame(rows).select(name, *_SHOWN),
        bill=bill,
        bill_low=bill_low,
        bill_high=bill_high,
        limit=limit,
        tolerance=tolerance,
        budget=studies.budget,
        plan=first.plan(),
    )


def _start(sweep: Sweep, parameter: str) -> int:
    settings = sweep.cells[0].settings
    return min(int(getattr(settings, name)) for name in SHORT.get(parameter, (parameter,)))
