"""The plan of a study as the terminal shows it."""

from __future__ import annotations

import datetime

from avowal.cost import Item
from avowal.prices import total
from avowal.study.plan import Plan
from avowal.text import NONE, estimate, table

__all__ = ["printed"]


def printed(found: Plan, today: datetime.date) -> list[object]:
    """Lay a plan out for the terminal.

    Parameters
    ----------
    found
        The plan.
    today
        The day of asking.

    Returns
    -------
    list
        Tables and lines, in order; what rich can print.
    """
    parts: list[object] = [_stages(found, base) for base in found.study.models.base]
    if len(found.study.models.base) > 1:
        parts.append(f"All base models: ${found.price:,.2f}.")
    power = [
        [base, profile, row["test"], estimate(row["power"], (row["power_low"], row["power_high"]))]
        for base, (profile, simulated) in found.power.items()
        for row in simulated.table.iter_rows(named=True)
    ]
    if power:
        parts.append(table("What it would show, by simulation", ["base model", "simulated as", "test", "power"], power))
    return parts + [f"Warning: {each}" for each in found.warnings(today)]


def _stages(found: Plan, base: str) -> object:
    own = [each for each in found.stages if each.stage.base == base]
    places = {each.stage.name: str(number) for number, each in enumerate(own, start=1)}
    rows = [
        [
            places[each.stage.name],
            each.stage.name.removeprefix(f"{base}: "),
            ", ".join(places[name] for name in each.stage.needs) or NONE,
            each.item.billing,
            f"{each.item.requests:,}" + (" lines" if each.item.billing == "training" else ""),
            *_sums([each.item]),
        ]
        for each in own
    ]
    head = ["", "stage", "after", "billed as", "requests", "tokens in", "tokens out", "price"]
    items = [each.item for each in own]
    sent = sum(item.requests for item in items if item.billing != "training")
    return table(f"{found.study.name}, {base}", head, [*rows, ["", "all", "", "", f"{sent:,}", *_sums(items)]])


def _sums(items: list[Item]) -> list[str]:
    tokens = [sum(item.input_tokens for item in items), sum(item.output_tokens for item in items)]
    return [*(f"{count:,}" for count in tokens), f"${total(item.price for item in items):,.2f}"]
