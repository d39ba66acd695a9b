"""Layouts: the results of single steps as the tables and lines that notebooks and commands show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from avowal.display import ROWS, rest
from avowal.text import NONE, Table, estimate, number, table

if TYPE_CHECKING:
    from avowal.account import Account
    from avowal.accuracy import Accuracy, Gain
    from avowal.bootstrap import Bootstrap
    from avowal.contexts import Context
    from avowal.cost import Quote
    from avowal.fit import Fit

__all__ = ["account", "accuracy", "bootstrap", "context", "fit", "gain", "quote"]

Parts = list[Table | str]

OK = "ok"


def account(found: Account, what: str = "") -> str:
    """Say what became of all that was planned, in one line.

    Parameters
    ----------
    found
        The account.
    what
        Of what, to begin with.

    Returns
    -------
    str
    """
    told = f"{found.planned:,} planned = {found.valid:,} valid + {_lost('invalid', found.invalid)}"
    return f"{what}{told} + {_lost('failed', found.failed)}"


def context(found: Context) -> Parts:
    """Lay out what is asked, and the attributes with their ranges.

    Parameters
    ----------
    found
        The context.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    rows = [[each.name, each.units or NONE, f"{each.min:g}", f"{each.max:g}"] for each in found.attributes]
    title = f"{found.name} (field: {found.field or NONE}, use: {found.use or NONE})"
    return [found.prompt, table(title, ["attribute", "units", "min", "max"], rows)]


def fit(found: Fit) -> Parts:
    """Lay out the first weights with their standard errors, the statuses of all agents, and the account.

    Parameters
    ----------
    found
        The fits.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    shown = found.to_frame().head(ROWS)
    rows = [
        [
            row["context"],
            row["attribute"],
            NONE if row["weight"] is None else f"{row['weight']:.1f}",
            _slope(row["slope"]),
            _slope(row["standard_error"]),
            row["status"],
        ]
        for row in shown.iter_rows(named=True)
    ]
    agents = len(found.agents)
    columns = ["context", "attribute", "weight", "slope", "standard error", "status"]
    statuses = ", ".join(f"{count:,} {status}" for status, count in Counter(found.agents["status"]).most_common())
    return [
        table(f"Weights of {agents:,} agents", columns, rows),
        *rest(len(found.weights), "to_frame()"),
        f"Agents: {statuses or 'none'}",
        account(found.account, "Choices: "),
    ]


def bootstrap(found: Bootstrap) -> Parts:
    """Lay out the first weights with their intervals, and the account of resamples.

    Parameters
    ----------
    found
        The bootstrap.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    rows = [
        [
            row["context"],
            row["attribute"],
            NONE if row["weight"] is None else f"{row['weight']:.1f}",
            NONE if row["low"] is None or row["high"] is None else f"[{row['low']:.1f}, {row['high']:.1f}]",
            row["status"],
        ]
        for row in found.intervals.head(ROWS).iter_rows(named=True)
    ]
    return [
        table("Weights with intervals", ["context", "attribute", "weight", "interval", "status"], rows),
        *rest(len(found.intervals), "to_frame()"),
        account(found.account, "Resamples: "),
    ]


def accuracy(found: Accuracy) -> Parts:
    """Lay out the paper's slope, the correlation by contexts, and what they rest on.

    Parameters
    ----------
    found
        The accuracy.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    contexts = found.context_account
    rows = [
        ["slope (the paper's)", estimate(found.slope.estimate, found.interval), found.slope.status],
        ["r [by context]", estimate(found.r, found.cluster_interval), _worst(found.status, found.cluster_status)],
        ["contexts", f"{contexts.valid:,} of {contexts.planned:,}", _why(contexts)],
        ["replies", f"{found.replies.valid:,} of {found.replies.planned:,}", _why(found.replies)],
    ]
    return [table("Accuracy of reports", ["", "estimate", "status"], rows)]


def gain(found: Gain) -> Parts:
    """Lay out what training did to the slope, by model too, and to the correlation.

    Parameters
    ----------
    found
        The gain.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    slope, r = found.contrast, found.cluster
    ends = None if slope.low is None or slope.high is None else (slope.low, slope.high)
    around = None if r.low is None or r.high is None else (r.low, r.high)
    rows = [
        ["slope gain (the paper's)", estimate(slope.estimate, ends), slope.status],
        ["r gain [by context]", estimate(r.estimate, around), r.status],
        ["common contexts", f"{found.common_contexts:,}", ""],
    ]
    if len(slope.by_model) > 1:
        rows[1:1] = [[f"  {model}", number(difference), ""] for model, difference in slope.by_model]
    return [table("Effect of training", ["", "estimate", "status"], rows)]


def quote(found: Quote) -> Parts:
    """Lay out what each stage sends and costs.

    Parameters
    ----------
    found
        The quote.

    Returns
    -------
    list of Table or str
        In reading order.
    """
    rows = [
        [each.model, each.stage, each.billing, f"{each.requests:,}", f"{each.input_tokens:,}",
         f"{each.output_tokens:,}", f"${each.price:,.2f}"]
        for each in found.items
    ]  # fmt: skip
    columns = ["base model", "stage", "billed as", "requests", "tokens in", "tokens out", "price"]
    return [table("Price", columns, rows), f"All: ${found.total:,.2f}"]


def _lost(name: str, counts: Mapping[str, int]) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    return f"{sum(counts.values()):,} {name}" + (f" ({kinds})" if kinds else "")


def _why(found: Account) -> str:
    lost = {**found.invalid, **found.failed}
    return ", ".join(f"{count:,} {kind}" for kind, count in lost.items() if count) or OK


def _worst(*statuses: str) -> str:
    return next((each for each in statuses if each != OK), OK)


def _slope(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
