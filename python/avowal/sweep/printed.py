"""The table of a sweep as the terminal shows it."""

from __future__ import annotations

from typing import Any

import polars as pl

from avowal.sweep.power import CHOSEN, Power
from avowal.text import NONE, Table, estimate, number, table

__all__ = ["ENOUGH", "notes", "printed"]

ENOUGH = (0.8, 0.9)
"""Powers for which the cheapest cell is named."""


def printed(found: Power, width: int | None = None) -> list[Table | str]:
    """Lay a sweep out for the terminal.

    Parameters
    ----------
    found
        The result of a sweep.
    width
        Of the terminal, where there is one. Columns that don't fit are left out and named, the least needed first.

    Returns
    -------
    list of Table or str
        One table for each test, and lines on what the tables leave open.
    """
    sweep = found.sweep
    kind = "r by contexts" if sweep.interval == "contexts" else "slope by regression"
    parts: list[Table | str] = [
        f"{sweep.replicates:,} simulated studies of each design; intervals of level {number(sweep.level)} ({kind})\n"
    ]
    left_out: list[str] = []
    for each in sweep.claims:
        title, whole = str(each), _columns(found, str(each))
        columns, without = dict(whole), list[str]()
        for name in _LEAST_NEEDED:
            if (
                width is not None
                and sum(max(map(_width, [head, *cells])) + 3 for head, cells in columns.items()) > width
            ):
                del columns[name]
                without.append(name)
        laid = _laid(title, columns)
        # Where even few columns have no room, rows become blocks of lines, which have room for all.
        if without and width is not None and not laid.fits(width):
            laid, without = _laid(title, whole), []
        parts.append(laid)
        left_out += [name for name in without if name not in left_out]
    if left_out:
        parts.append(f"Left out for want of room: {', '.join(left_out)}.")
    return parts + notes(found)


def _laid(title: str, columns: dict[str, list[str]]) -> Table:
    return table(title, list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


_LEAST_NEEDED = ("power/$", "bias", "width", "mean")


def _width(text: str) -> int:
    return max(map(len, text.split("\n")))


def _columns(found: Power, test: str) -> dict[str, list[str]]:
    rows = found.table.filter(test=test).to_dicts()
    # A dot is where a long name may break.
    axes = {name.replace(".", ".\n"): [_value(row[name]) for row in rows] for name in found.axes}
    cells = [_cells(row) for row in rows]
    return {
        "cell": [str(row["cell"]) for row in rows],
        **axes,
        **{name: [each[name] for each in cells] for name in cells[0]},
    }


def notes(found: Power) -> list[Table | str]:
    """Say what the tables of a sweep leave open: studies without an interval, prices, and the cheapest design.

    Parameters
    ----------
    found
        The result of a sweep.

    Returns
    -------
    list
        Lines of text.
    """
    parts: list[Table | str] = []
    without = found.table.filter(pl.col("undefined") > 0)
    parts += [
        f"Cell {row['cell']}, {row['test']}: {row['undefined']:,} of {row['replicates']:,} studies have no interval "
        "and show nothing (too few contexts with both weights and reports)."
        for row in without.iter_rows(named=True)
    ]
    prices = found.table.unique("cell", maintain_order=True).group_by("price_status", maintain_order=True).agg("cell")
    for status, cells in prices.iter_rows():
        if status == "extrapolated":
            parts.append(
                "A price with ~ takes agents beyond the contexts at hand at the mean price of those, "
                "and optimal pairs at that of uniform ones."
            )
        elif status != "exact":
            parts.append(f"No price for cells {', '.join(map(str, cells))}: {status}.")
    if not found.table["price"].is_null().all() and len(found.sweep.cells) > 1:
        parts += [_cheapest(found, power) for power in ENOUGH]
    return parts


def _cells(row: dict[str, Any]) -> dict[str, str]:
    price, worth = row["price"], row["power_per_dollar"]
    about = "~" if row["price_status"] == "extrapolated" else ""
    return {
        "power": estimate(row["power"], (row["power_low"], row["power_high"])),
        "mean": number(row["mean"]),
        "width": number(row["width"]),
        "bias": number(row["bias"]),
        "price": NONE if price is None else f"{about}${price:,.2f}",
        "power/$": number(worth, 4),
    }


def _cheapest(found: Power, power: float) -> str:
    cell = found.cheapest(power)
    met = [name for name in found.axes if name not in CHOSEN]
    whatever = f", whatever {' and '.join(met)}" if met else ""
    if cell is None:
        return f"No design has a power of {number(power)} in every test{whatever}."
    chosen = {name: value for name, value in found.sweep.cells[cell].values.items() if name in CHOSEN}
    values = ", ".join(f"{name}={_value(value)}" for name, value in chosen.items()) or "this one"
    price = found.table.filter(cell=cell)["price"].item(0)
    return f"Cheapest with a power of {number(power)} in every test{whatever}: cell {cell} ({values}), ${price:,.2f}."


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
