"""Comparisons: one quantity by several methods, and whether what they conclude is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from avowal.analysis.material import named

MAP, BOOTSTRAP, JACKKNIFE, STAN = "MAP", "bootstrap", "jackknife", "Stan"
"""The methods: regression on posterior modes; for accuracies contexts drawn anew; contexts left out in turn (r with its
interval by context, paired for gains); and regression on posterior means, itself drawn by Stan."""

Numbers = tuple[float | None, tuple[float, float] | None, str, Sequence[str]]
"""An estimate, its interval, its status, and the problems beside it."""

COMPARED = {
    "model": pl.String(),
    "quantity": pl.String(),
    "method": pl.String(),
    "estimate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "difference": pl.Float64(),
    "status": pl.String(),
    "problems": pl.List(pl.String),
}
"""Columns of comparisons: `model` is null for a gain over models; `difference` is from MAP."""


SETTLED = "No conclusion depends on the method."
"""What is said where there are intervals to compare, and none of them concludes something else."""


def comparable(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether any quantity has two intervals, in rows of :data:`COMPARED`."""
    both = Counter(
        (row.get("model"), row.get("quantity"))
        for row in rows
        if row.get("low") is not None and row.get("high") is not None
    )
    return any(many > 1 for many in both.values())


def compared(
    model: str | None,
    quantity: str,
    rows: Iterable[tuple[str, float | None, tuple[float, float] | None, str, Sequence[str]]],
) -> list[dict[str, object]]:
    """Put the methods' numbers for one quantity below each other.

    Parameters
    ----------
    model
        Whose quantity it is; None for one over models.
    quantity
        Its name.
    rows
        For each method its name, estimate, interval, status and problems; :data:`MAP` before those compared with it.

    Returns
    -------
    list of dict
        Rows of :data:`COMPARED`.
    """
    found: list[dict[str, object]] = []
    first: float | None = None
    for method, estimate, interval, status, problems in rows:
        first = estimate if method == MAP else first
        low, high = interval or (None, None)
        found.append(
            {
                "model": model, "quantity": quantity, "method": method, "estimate": estimate, "low": low, "high": high,
                "difference": None if estimate is None or first is None or method == MAP else estimate - first,
                "status": status, "problems": list(problems),
            }
        )  # fmt: skip
    return found


def disagreements(table: pl.DataFrame) -> list[str]:
    """Tell which conclusions depend on the method: whether a quantity is positive, negative, or not told from zero.

    Parameters
    ----------
    table
        A table of :data:`COMPARED`.

    Returns
    -------
    list of str
        One line for each such quantity.
    """
    lines = []
    for (model, quantity), rows in table.group_by("model", "quantity", maintain_order=True):
        said: dict[str, list[str]] = {}
        for method, low, high in rows.select("method", "low", "high").drop_nulls().iter_rows():
            verdict = "positive" if low > 0 else "negative" if high < 0 else "not told from zero"
            said.setdefault(verdict, []).append(method)
        if len(said) > 1:
            place = named(str(quantity)) if model is None else f"{model}, {named(str(quantity))}"
            verdicts = "; ".join(f"{verdict} by {', '.join(methods)}" for verdict, methods in said.items())
            lines.append(f"{place}: the conclusion depends on the method ({verdicts})")
    return lines
