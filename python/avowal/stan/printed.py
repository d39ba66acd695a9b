"""The final check as the terminal shows it: every number with what spoils it beside it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from avowal.analysis.material import HEADERS, LABELS, NOT_ASKED, named
from avowal.stan.checked import Check
from avowal.stan.compared import MAP, SETTLED, comparable
from avowal.text import NONE, Table, estimate, number, table


def printed(found: Check) -> list[Table | str]:
    """Lay out a check.

    Parameters
    ----------
    found
        The check.

    Returns
    -------
    list of Table or str
        In reading order, for :func:`avowal.text.show`.
    """
    head = f"Stan by {found.engine}; intervals at .95, Stan's of highest density\n"
    parts: list[Table | str] = [head, _weights(found), _predictive(found)]
    compared = found.accuracies, found.gains
    for title, rows in zip(("Accuracy", "Gain by training"), compared, strict=True):
        if len(rows):
            parts.append(_compared(title, rows))
    if len(found.sensitivity):
        parts.append(_sensitivity(found.sensitivity))
    if found.joint is not None and len(found.joint):
        parts.append(_joint(found.joint))
    parts += [f"Warning: {line}" for line in found.warnings]
    parts += [f"Problem: {line}" for line in found.problems]
    for model, reasons in found.missing.items():
        # What a study never asks for is missed by nobody.
        told = {name: why for name, why in reasons.items() if why != NOT_ASKED}
        parts += [f"Not computed for {model}: {LABELS.get(name, name)}: {why}" for name, why in told.items()]
    if not found.warnings and comparable(row for rows in compared for row in rows.iter_rows(named=True)):
        parts.append(SETTLED)
    return parts


def _weights(found: Check) -> Table:
    rows = [
        [
            row["model"],
            HEADERS.get(row["group"], row["group"]),
            str(row["agents"]),
            ", ".join(row["statuses"]) or "all ok",
            number(row["r"], 4),
            _points(row["mean_difference"]),
            _points(row["largest_difference"]),
            _spoiled(row["problems"]),
        ]
        for row in found.weights.iter_rows(named=True)
    ]
    columns = ["model", "contexts", "agents", "statuses", "r", "mean |diff.|", "largest", "problems"]
    return table("Weights: posterior means (Stan) against modes (MAP), points on the ±100 scale", columns, rows)


def _predictive(found: Check) -> Table:
    rows = [
        [
            row["model"],
            HEADERS.get(row["group"], row["group"]),
            row["statistic"],
            number(row["observed"], 3),
            estimate(row["mean"], _ends(row["low"], row["high"])),
            number(row["p"], 3),
        ]
        for row in found.predictive.iter_rows(named=True)
    ]
    columns = ["model", "contexts", "statistic", "observed", "posterior's", "p"]
    return table("Choices against choices that the weights would make", columns, rows)


def _compared(title: str, compared: pl.DataFrame) -> Table:
    rows = [
        [
            row["model"] or "all models",
            named(row["quantity"]),
            row["method"],
            estimate(row["estimate"], _ends(row["low"], row["high"])),
            NONE if row["method"] == MAP else number(row["difference"], 3),
            _spoiled([*([row["status"]] if row["status"] != "ok" else []), *row["problems"]]),
        ]
        for row in compared.iter_rows(named=True)
    ]
    return table(title, ["model", "set", "method", "estimate", "less MAP", "problems"], rows)


def _sensitivity(varied: pl.DataFrame) -> Table:
    rows = [
        [
            row["model"],
            named(row["set"]),
            number(row["slope_sd"], 1),
            number(row["accuracy"], 3),
            number(row["mean_abs_slope"]),
            number(row["agreement"], 4),
            _spoiled(row["problems"]),
        ]
        for row in varied.iter_rows(named=True)
    ]
    columns = ["model", "set", "sd of slopes", "accuracy", "mean |slope|", "r with first", "problems"]
    return table("Accuracy under other priors on the slopes (MAP's and the paper's is 1)", columns, rows)


def _joint(joint: pl.DataFrame) -> Table:
    rows = [
        [
            row["model"],
            " → ".join(map(named, row["set"].split(" → "))),
            f"{row['quantity']} ({row['scale']})",
            estimate(row["mean"], _ends(row["hdi_low"], row["hdi_high"])),
            *(NONE if row[name] is None else str(row[name]) for name in ("contexts", "replies", "out_of_range")),
            _spoiled(row["problems"]),
        ]
        for row in joint.iter_rows(named=True)
    ]
    columns = ["model", "set", "quantity", "mean", "contexts", "replies", "beyond ±100, left out", "problems"]
    return table("Joint model of choices and reports", columns, rows)


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _points(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _spoiled(problems: Sequence[str]) -> str:
    return "; ".join(problems) or "none"
