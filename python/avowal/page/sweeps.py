"""Sweeps: how often a study of each design would show what it claims, in charts and a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avowal.errors import InputError
from avowal.page.power_charts import on_page
from avowal.page.tables import Cell, Table, count, estimate, figure, told
from avowal.sweep.chart import power_spec, price_spec
from avowal.sweep.power import Power
from avowal.sweep.printed import notes

__all__ = ["Powered", "powered"]


@dataclass(frozen=True, slots=True)
class Powered:
    """A sweep over designs.

    Attributes
    ----------
    sentence
        What was simulated, or why there is nothing.
    table
        One row for each cell and test.
    charts
        Vega-Lite specifications by name, as the page wants them: power along an axis, and against price.
    notes
        What the table leaves open.
    """

    sentence: str
    table: Table | None
    charts: dict[str, Any]
    notes: tuple[str, ...]


def powered(found: Power | str) -> Powered:
    """Show a sweep.

    Parameters
    ----------
    found
        The sweep, or why there is none.

    Returns
    -------
    Powered
    """
    if isinstance(found, str):
        return Powered(f"No sweep over designs: {found}.", None, {}, ())
    sweep = found.sweep
    kind = "r by contexts" if sweep.interval == "contexts" else "slope by regression"
    sentence = (
        f"{sweep.replicates:,} simulated studies of each of {len(sweep.cells):,} designs; intervals of level "
        f"{sweep.level:g} ({kind}). The power is the share of them whose whole interval supports the claim."
    )
    rows = []
    for row in found.table.iter_rows(named=True):
        axes = [_axis(row[name]) for name in found.axes]
        price = Cell(row["price"], "dollars", reason="" if row["price"] is not None else row["price_status"])
        ends = None if row["power_low"] is None else (row["power_low"], row["power_high"])
        rows.append(
            (
                count(row["cell"]),
                told(row["test"]),
                *axes,
                estimate(row["power"], ends),
                *(figure(row[name]) for name in ("mean", "width", "bias")),
                price,
            )
        )
    columns = ("cell", "test", *found.axes, "power", "mean", "width", "bias", "price")
    table = Table("power", "Power of each design", columns, tuple(rows), sortable=len(rows) > 12)
    return Powered(sentence, table, _charts(found), tuple(map(str, notes(found))))


def _charts(found: Power) -> dict[str, Any]:
    try:
        charts = {"power": power_spec(found), "price": price_spec(found)}
    except InputError:
        # More panels or marks than make a figure: the table holds them all.
        return {}
    return {name: on_page(spec) for name, spec in charts.items() if spec is not None}


def _axis(value: float | str) -> Cell:
    return told(value) if isinstance(value, str) else figure(value, "plain")
