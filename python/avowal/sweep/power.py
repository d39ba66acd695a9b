"""Power: how often a study of each design would support what it claims, how precisely, and at what price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from avowal import __version__
from avowal.checks import as_u64
from avowal.display import Shown
from avowal.errors import AvowalError, InputError
from avowal.quantities import PARAMETERS, Settings
from avowal.sweep.estimands import DEFAULT_CLAIMS, Claim, Interval, claim
from avowal.sweep.grid import Cell, Design, Value, cells
from avowal.sweep.money import Bill, Pricing
from avowal.sweep.run import Executor, here, missing, run
from avowal.sweep.store import Folder, Store
from avowal.sweep.summary import SUMMARY, summarise
from avowal.text import Table

if TYPE_CHECKING:
    import altair as alt

__all__ = ["COLUMNS", "Power", "Sweep", "carry_out", "power", "prepare"]


MOST_REPLICATES = 10_000_000
"""Replicates of a design: a million more would halve no error that matters."""

COLUMNS: dict[str, pl.DataType] = {
    **SUMMARY,
    "price": pl.Float64(),
    "price_status": pl.String(),
    "power_per_dollar": pl.Float64(),
}
"""The columns of a sweep's table behind the cell's number and its values on the axes."""

CHOSEN = {"agents", "decisions", "reports", "pairs", *PARAMETERS[: PARAMETERS.index("instilling")]}
"""Axes that are chosen when a study is designed. All others, models included, are what it may turn out to meet."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is simulated and tested: a grid of designs, with everything that its numbers depend on.

    Attributes
    ----------
    cells
        The designs.
    claims
        What is tested in each.
    replicates
        Studies simulated of each design.
    seed
        From which each cell's own seed comes.
    level, interval
        Of the studies' intervals.
    pricing
        How cells are priced.
    """

    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    replicates: int
    seed: int
    level: float
    interval: Interval
    pricing: Pricing

    def plan(self) -> dict[str, Any]:
        """Return what the sweep is, for a JSON file."""
        return {
            "avowal": __version__,
            "seed": self.seed,
            "replicates": self.replicates,
            "level": self.level,
            "interval": self.interval,
            "tests": [str(each) for each in self.claims],
            "cells": [
                {
                    "cell": each.number,
                    "key": each.key(self.seed, self.level),
                    "seed": each.seed(self.seed),
                    "values": dict(each.values),
                    "model": each.model,
                    "pairs": each.pairs,
                    "settings": {name: float(value) for name, value in each.settings.to_dict().items()},
                }
                for each in self.cells
            ],
        }


@dataclass(frozen=True, slots=True)
class Power(Shown):
    """The result of a sweep.

    Attributes
    ----------
    sweep
        What was simulated.
    table
        One row for each cell and test: ``cell``, a column for each axis, the columns of
        :data:`~avowal.sweep.summary.SUMMARY`, ``price`` (US dollars, null where it can't be known), ``price_status``
        and ``power_per_dollar``.
    """

    sweep: Sweep = field(repr=False)
    table: pl.DataFrame

    def _shown(self) -> Iterable[Table | str]:
        from avowal.sweep.printed import printed

        return printed(self)

    @property
    def axes(self) -> list[str]:
        """Names of the columns that tell the cells apart."""
        return list(self.sweep.cells[0].values)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan of the sweep and the rows of its table, for a JSON document."""
        return self.sweep.plan() | {"table": self.table.to_dicts()}

    def chart(self, x: str | None = None) -> alt.TopLevelMixin:
        """Draw power along an axis, by default the first one of numbers; :mod:`avowal.sweep.chart` writes files.

        Parameters
        ----------
        x
            The axis across.

        Returns
        -------
        altair.TopLevelMixin
            An Altair chart, to look at, change or save.
        """
        from altair import Chart

        from avowal.sweep.chart import power_spec

        return Chart.from_dict(power_spec(self, x))

    def cheapest(self, power: float) -> int | None:
        """Return the cheapest design in which every test has a power, whatever the study meets.

        Axes of :data:`CHOSEN` make a design; over the others (fidelity, invalid replies, models, ...) the least power
        and the highest price count.

        Parameters
        ----------
        power
            Above 0, 1 at most.

        Returns
        -------
        int or None
            The number of the design's cell with the least power; None where no design has it, or none has a price.

        Raises
        ------
        InputError
            For a power out of its range.
        """
        if not 0 < power <= 1:
            raise InputError.at("a number above 0, 1 at most", power, field="power")
        design = [name for name in self.axes if name in CHOSEN]
        cells = self.table.group_by("cell", *design, maintain_order=True).agg(
            pl.col("power").min(), pl.col("price").first()
        )
        enough = (
            cells.sort("power", "cell")
            .group_by(design or pl.lit(0), maintain_order=True)
            .agg(
                pl.col("cell").first(),
                pl.col("power").first(),
                pl.col("price").max(),
                pl.col("price").is_null().any().alias("unpriced"),
            )
            .filter(pl.col("power") >= power, ~pl.col("unpriced"), pl.col("price").is_not_null())
            .sort("price", "cell")
        )
        return enough["cell"].item(0) if len(enough) else None


def prepare(
    design: Design | None = None,
    *,
    base: Settings | str | Path = "gpt-4o",
    tests: str | Claim | Sequence[str | Claim] = DEFAULT_CLAIMS,
    replicates: int = 1000,
    seed: int = 1,
    level: float = 0.95,
    interval: Interval = "contexts",
    pricing: Pricing | None = None,
) -> Sweep:
    """Check everything that a sweep is made of, and simulate nothing.

    Parameters
    ----------
    design, base, tests, replicates, seed, level, interval, pricing
        As for :func:`power`.

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        As :func:`power`.
    """
    asked = [tests] if isinstance(tests, str | Claim) else list(tests)
    claims = tuple(each if isinstance(each, Claim) else claim(each) for each in asked)
    if not claims or len(set(claims)) < len(claims):
        raise InputError.at("one test or several that differ", [str(each) for each in claims], field="tests")
    if not 1 <= as_u64("replicates", replicates) <= MOST_REPLICATES:
        raise InputError.at(f"1 to {MOST_REPLICATES:,}", replicates, field="replicates")
    if not isinstance(level, float | int) or not 0 < level < 1:
        raise InputError.at("a number between 0 and 1", level, field="level")
    if interval not in ("contexts", "regression"):
        raise InputError.at("contexts or regression", repr(interval), field="interval")
    number = as_u64("seed", seed)
    return Sweep(
        cells=tuple(cells(design or {}, base)),
        claims=claims,
        replicates=int(replicates),
        seed=number,
        level=float(level),
        interval=interval,
        pricing=pricing or Pricing(seed=number),
    )


def power(
    design: Design | None = None,
    *,
    base: Settings | str | Path = "gpt-4o",
    tests: str | Claim | Sequence[str | Claim] = DEFAULT_CLAIMS,
    replicates: int = 1000,
    seed: int = 1,
    level: float = 0.95,
    interval: Interval = "contexts",
    pricing: Pricing | None = None,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Power:
    """Simulate the whole study over a grid of designs.

    Parameters
    ----------
    design
        Values by parameter, such as ``{"agents": [50, 100], "reports": 5}``; see :func:`avowal.sweep.grid.cells`.
        Without any, the one cell is the base as it is.
    base
        The model whose behaviour is simulated: a calibrated one by name or file, or settings.
    tests
        One claim such as ``accuracy>0.5``, or several; see :func:`avowal.sweep.estimands.claim`.
    replicates
        Studies simulated of each design.
    seed
        From 0 to 2**64 - 1.
    level
        Of the studies' intervals.
    interval
        ``contexts`` for r with the jackknife over contexts, ``regression`` for the paper's slope and interval.
    pricing
        How cells are priced; by default, as the paper's study on the built-in contexts.
    out
        A folder that keeps every replicate: what stands there is not simulated again. None keeps nothing.
    executor
        Where chunks are simulated; by default in this process, on all cores.
    progress
        Called with how many replicates are there, and of how many.

    Returns
    -------
    Power
        Its numbers depend on the settings, seed, level and replicates of a cell alone.

    Raises
    ------
    InputError
        For bad arguments, a model without a price, or a folder with other files.

    Examples
    --------
    >>> found = power({"agents": [20, 40]}, tests=["accuracy"], replicates=50)
    >>> found.table["power"].len()
    2
    """
    sweep = prepare(
        design,
        base=base,
        tests=tests,
        replicates=replicates,
        seed=seed,
        level=level,
        interval=interval,
        pricing=pricing,
    )
    return carry_out(sweep, out=out, executor=executor, progress=progress)


def carry_out(
    sweep: Sweep,
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Power:
    """Simulate what a prepared sweep lacks, and summarise it.

    Parameters
    ----------
    sweep
        As :func:`prepare` checked it.
    out, executor, progress
        As for :func:`power`.

    Returns
    -------
    Power
    """
    # Before the first replicate: a model without a price is no news for the end of an hour.
    bills = [sweep.pricing.bill(cell) for cell in sweep.cells]
    if out is None:
        return _carried_out(sweep, bills, Store(), executor, progress)
    store = Folder(Path(out))
    store.write_plan(sweep.plan())
    try:
        found = _carried_out(sweep, bills, store, executor, progress)
        store.write_table(found.table)
    finally:
        store.release()
    return found


def _carried_out(
    sweep: Sweep,
    bills: Sequence[Bill],
    store: Store,
    executor: Executor | None,
    progress: Callable[[int, int], None] | None,
) -> Power:
    every = {cell.key(sweep.seed, sweep.level): cell for cell in sweep.cells}
    lacking = [
        chunk for cell in every.values() for chunk in missing(cell, sweep.replicates, sweep.seed, sweep.level, store)
    ]
    total = len(every) * sweep.replicates
    done = total - sum(chunk.count for chunk in lacking)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    advance(0)
    run(lacking, store, executor or here(), advance)
    return Power(sweep, _table(sweep, bills, store))


def _table(sweep: Sweep, bills: Sequence[Bill], store: Store) -> pl.DataFrame:
    rows = []
    for cell, bill in zip(sweep.cells, bills, strict=True):
        held = store.load(cell.key(sweep.seed, sweep.level))
        there = int((held[0] < sweep.replicates).sum())
        if there != sweep.replicates:
            raise AvowalError(f"{there} of {sweep.replicates} replicates of cell {cell.number} are there")
        price = None if bill.price is None else float(bill.price)
        for summary in summarise(held, sweep.claims, sweep.interval, sweep.replicates):
            share = summary["power"]
            worth = share / price if isinstance(share, float) and price else None
            money = {"price": price, "price_status": bill.status, "power_per_dollar": worth}
            rows.append({"cell": cell.number, **cell.values, **summary, **money})
    axes = {name: _type([cell.values[name] for cell in sweep.cells]) for name in sweep.cells[0].values}
    return pl.DataFrame(rows, schema={"cell": pl.Int64(), **axes, **COLUMNS})


def _type(values: Sequence[Value]) -> pl.DataType:
    if any(isinstance(value, str) for value in values):
        return pl.String()
    return pl.Int64() if all(isinstance(value, int) for value in values) else pl.Float64()
