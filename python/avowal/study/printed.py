"""The plan of a study as the terminal shows it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from avowal.cost import Item
from avowal.prices import total
from avowal.study.left import Left
from avowal.study.plan import Plan, Planned
from avowal.text import NONE, Table, estimate, table

__all__ = ["printed"]


def printed(found: Plan, today: datetime.date) -> list[Table | str]:
    """Lay a plan out for the terminal.

    Parameters
    ----------
    found
        The plan.
    today
        The day of asking.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    parts: list[Table | str] = [_stages(found, base) for base in found.study.models.base]
    if len(found.study.models.base) > 1:
        parts.append(f"All base models: ${found.price:,.2f}.")
    if found.left is not None:
        parts.append(f"Left after the runs so far: {found.requests_left:,} requests, ${found.price_left:,.2f} in all.")
    power = [
        [base, profile, row["test"], estimate(row["power"], (row["power_low"], row["power_high"]))]
        for base, (profile, simulated) in found.power.items()
        for row in simulated.table.iter_rows(named=True)
    ]
    if power:
        parts.append(table("What it would show, by simulation", ["base model", "simulated as", "test", "power"], power))
    return parts + [f"Warning: {each}" for each in found.warnings(today)]


def _stages(found: Plan, base: str) -> Table:
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
            *_left([each], found.left),
        ]
        for each in own
    ]
    head = ["", "stage", "after", "billed as", "requests", "tokens in", "tokens out", "price"]
    head += [] if found.left is None else ["left", "left to pay"]
    items = [each.item for each in own]
    sent = sum(item.requests for item in items if item.billing != "training")
    rows.append(["", "all", "", "", f"{sent:,}", *_sums(items), *_left(own, found.left)])
    return table(f"{found.study.name}, {base}", head, rows)


def _left(own: Sequence[Planned], known: Mapping[str, Left] | None) -> list[str]:
    """Return the requests left, and what they will cost; lines of training files count by themselves alone."""
    if known is None:
        return []
    counted = [each for each in own if len(own) == 1 or each.item.billing != "training"]
    asked = sum(known[each.stage.name].requests for each in counted)
    return [f"{asked:,}", f"${total(known[each.stage.name].price for each in own):,.2f}"]


def _sums(items: list[Item]) -> list[str]:
    tokens = [sum(item.input_tokens for item in items), sum(item.output_tokens for item in items)]
    return [*(f"{count:,}" for count in tokens), f"${total(item.price for item in items):,.2f}"]
