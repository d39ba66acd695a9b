"""The table of a sweep as the terminal shows it."""

from __future__ import annotations

from typing import Any

from avowal.sweep.power import Power
from avowal.text import NONE, estimate, number, table

__all__ = ["ENOUGH", "printed"]

ENOUGH = (0.8, 0.9)
"""Powers for which the cheapest cell is named."""


def printed(found: Power) -> list[object]:
    """Lay a sweep out for the terminal.

    Parameters
    ----------
    found
        The result of a sweep.

    Returns
    -------
    list
        One table for each test, and a line on the cheapest designs; what rich can print.
    """
    sweep, axes = found.sweep, found.axes
    # A dot is where a long name may break.
    names = [name.replace(".", ".\n") for name in axes]
    head = ["cell", *names, "power", "mean", "width", "bias", "price", "power/$"]
    kind = "r by contexts" if sweep.interval == "contexts" else "slope by regression"
    parts: list[object] = [
        f"{sweep.replicates:,} simulated studies of each design; intervals of level {number(sweep.level)} ({kind})\n"
    ]
    for each in sweep.claims:
        rows = found.table.filter(test=str(each)).to_dicts()
        cells = [[str(row["cell"]), *(_value(row[name]) for name in axes), *_cells(row)] for row in rows]
        parts.append(table(str(each), head, cells))
    if any(row["undefined"] for row in found.table.iter_rows(named=True)):
        parts.append("Replicates without an interval count as not supporting the claim; the column undefined has them.")
    if not found.table["price"].is_null().all() and len(sweep.cells) > 1:
        parts += [_cheapest(found, power) for power in ENOUGH]
    if (found.table["price_status"] == "extrapolated").any():
        parts.append(
            "A price with ~ takes agents beyond the contexts at hand at the mean price of those, "
            "and optimal pairs at that of uniform ones."
        )
    return parts


def _cells(row: dict[str, Any]) -> list[str]:
    price, worth = row["price"], row["power_per_dollar"]
    about = "~" if row["price_status"] == "extrapolated" else ""
    return [
        estimate(row["power"], (row["power_low"], row["power_high"])),
        number(row["mean"]),
        number(row["width"]),
        number(row["bias"]),
        NONE if price is None else f"{about}${price:,.2f}",
        number(worth, 4),
    ]


def _cheapest(found: Power, power: float) -> str:
    cell = found.cheapest(power)
    if cell is None:
        return f"No design has a power of {number(power)} in every test."
    values = ", ".join(f"{name}={_value(value)}" for name, value in found.sweep.cells[cell].values.items())
    price = found.table.filter(cell=cell)["price"].item(0)
    return f"Cheapest with a power of {number(power)} in every test: cell {cell} ({values}), ${price:,.2f}."


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
