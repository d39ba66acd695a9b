"""A solution as the terminal shows it."""

from __future__ import annotations

from typing import Any

from avowal.sweep.money import Bill
from avowal.sweep.solve import Solution
from avowal.text import NONE, Table, estimate, number, table

__all__ = ["printed", "sentence"]


def printed(found: Solution) -> list[Table | str]:
    """Lay a solution out for the terminal.

    Parameters
    ----------
    found
        The result of :func:`avowal.sweep.solve.solve`.

    Returns
    -------
    list of Table or str
        The answer in a sentence, the powers at and beside it, and all evaluations.
    """
    parts: list[Table | str] = [sentence(found)]
    if found.n is not None:
        parts.append(_table(found, "At the answer, and beside it", found.neighbours.to_dicts()))
    parts.append(_table(found, "All that was simulated", found.evaluations.to_dicts()))
    parts.append(
        "Power: the share of replicates that support the claim, with its 95% interval for the error of simulating."
    )
    if found.evaluations["undefined"].sum():
        parts.append("Replicates without an interval count as not supporting the claim.")
    return parts


def sentence(found: Solution) -> str:
    """Say the answer in a sentence, or why there is none.

    Parameters
    ----------
    found
        The result of :func:`avowal.sweep.solve.solve`.

    Returns
    -------
    str
        Of one or two sentences.
    """
    what = f"a power of {number(found.target, _places(found.target))} for {found.claim}"
    rows = {row[found.parameter]: row for row in found.evaluations.iter_rows(named=True)}
    if found.n is not None:
        if found.status == "smallest":
            told = f"The smallest number of {found.parameter}, {found.n}, already gives {what}"
            return f"{told}: {_power(rows[found.n])}{_price(found.bill)}."
        told = f"Smallest {found.parameter} with {what}: {found.n:,} [{found.low:,}, {found.high:,}]"
        ends = found.bill_low, found.bill_high
        spread = f" [{_dollars(ends[0])}, {_dollars(ends[1])}]" if all(end and end.price for end in ends) else ""
        more = f" The budget of {found.budget:,} replicates is spent; a larger one narrows the interval."
        return f"{told}{_price(found.bill)}{spread}." + (more if found.status == "budget" else "")
    top = max(rows)
    if found.status == "unresolved":
        told = (
            f"the power there, {_power(rows[top])}, can't be told from it with a budget of {found.budget:,} replicates"
        )
        return f"Whether {found.parameter} up to the limit, {top:,}, give {what} is open: {told}."
    none = f"No number of {found.parameter} up to {top:,} gives {what}"
    if found.status == "never":
        many = found.evaluations["replicates"].sum()
        mean = number(rows[top]["mean"])
        return f"{none}: none of {many:,} replicates supports the claim. At {top:,}, the mean estimate is {mean}."
    before = max((n for n in rows if n < top), key=lambda n: rows[n]["power"] if found.status == "falling" else n)
    how = {"levels_off": "not measurably higher than", "rising": "higher than", "falling": "lower than"}[found.status]
    told = f"power at {top:,}, {_power(rows[top])}, is {how} at {before:,}, {_power(rows[before])}"
    more = " A higher limit may reach it." if found.status == "rising" else ""
    return f"{none}: {told}.{more}"


def _table(found: Solution, title: str, rows: list[dict[str, Any]]) -> Table:
    head = [found.parameter, "replicates", "power", "mean", "width"]
    cells = [
        [f"{row[found.parameter]:,}", f"{row['replicates']:,}", _power(row), number(row["mean"]), number(row["width"])]
        for row in rows
    ]
    return table(title, head, cells)


def _power(row: dict[str, Any]) -> str:
    return estimate(row["power"], (row["power_low"], row["power_high"]))


def _price(bill: Bill | None) -> str:
    return "" if bill is None or bill.price is None else f", {_dollars(bill)}"


def _dollars(bill: Bill | None) -> str:
    if bill is None or bill.price is None:
        return NONE
    return f"{'~' if bill.status == 'extrapolated' else ''}${bill.price:,.2f}"


def _places(target: float) -> int:
    """Return as many decimal places as the target was written with."""
    return len(f"{target:g}".partition(".")[2])
