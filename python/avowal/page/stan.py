"""Stan on the page: what a check in Stan found, beside what every other command uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avowal.analysis.material import HEADERS, named
from avowal.page.figures import Figures
from avowal.page.tables import Cell, Form, Table, estimate, figure, told
from avowal.stan.compared import BOOTSTRAP, JACKKNIFE, MAP, SETTLED, STAN, comparable

__all__ = ["LEVEL", "compared", "number_of", "words"]

LEVEL = 0.95
"""Of a check's intervals."""

AWAY = 1e-6
"""Difference of two slopes from which on they come from other data or other settings."""

_Check = Mapping[str, Any]


def compared(check: _Check) -> tuple[Table, ...]:
    """Lay out MAP, jackknife, bootstrap and Stan side by side, weights, and the joint model.

    Parameters
    ----------
    check
        As :func:`avowal.page.checks.read_check` returns it.

    Returns
    -------
    tuple of Table
        Those that have rows.
    """
    made = (
        _methods("accuracies", "Accuracy by method", check),
        _methods("gains", "Gain by method", check),
        _weights(check),
        _joint(check),
    )
    return tuple(table for table in made if table.rows)


def words(figures: Figures, check: _Check | None, command: str) -> Iterator[str]:
    """Say what the check concludes.

    Parameters
    ----------
    figures
        Of the analysis.
    check
        The document; None where there is none.
    command
        The command that makes it.

    Yields
    ------
    str
        Its engine, warnings and problems; or how to make one.
    """
    if check is None:
        again = " with --check check.json" if ">" in command else ""
        yield f"Stan has not been asked yet: run {command}, and make the page again{again}."
        return
    yield f"Stan by {check['engine']}; intervals at .95, Stan's of highest density."
    yield from (f"Warning: {line}" for line in check["warnings"])
    yield from (f"Problem: {line}" for line in check["problems"])
    if _outdated(figures, check):
        yield f"Warning: the check was made of other data than this page, or otherwise: {command} makes it anew."
    elif not check["warnings"] and comparable([*check["accuracies"], *check["gains"]]):
        yield SETTLED


def number_of(row: Mapping[str, Any], key: str) -> float | None:
    """Return a number of a row, None where it is null."""
    value = row.get(key)
    return None if value is None else float(value)


def _methods(key: str, caption: str, check: _Check) -> Table:
    rows = []
    for row in check[key]:
        away = figure(None if row.get("method") == MAP else number_of(row, "difference"), "fine")
        cells = (row.get("model") or "all models", named(str(row.get("quantity"))), row.get("method"))
        spoiled = row.get("problems") or [] if row.get("estimate") is not None else [row.get("status")]
        rows.append((*map(told, cells), _estimate(row, "estimate", "low", "high"), away, told(_joined(spoiled))))
    columns = ("model", "of", "method", "estimate", "less MAP", "problems")
    return Table(f"methods-{key}", f"{caption}: {MAP}, {JACKKNIFE}, {BOOTSTRAP}, {STAN}", columns, tuple(rows))


def _weights(check: _Check) -> Table:
    forms: dict[str, Form] = {
        "agents": "count",
        "r": "fine",
        "mean_difference": "fine points",
        "largest_difference": "fine points",
    }
    rows = [
        (
            told(row.get("model")),
            told(HEADERS.get(str(row.get("group")), row.get("group"))),
            *(figure(number_of(row, name), form) for name, form in forms.items()),
            told(_joined(row.get("problems") or [])),
        )
        for row in check["weights"]
    ]
    columns = ("model", "contexts", "agents", "r", "mean difference", "largest", "problems")
    caption = "Weights: posterior means (Stan) against modes (MAP), in points on the ±100 scale"
    return Table("methods-weights", caption, columns, tuple(rows))


def _joint(check: _Check) -> Table:
    rows = [
        (
            told(row.get("model")),
            told(" → ".join(map(named, str(row.get("set")).split(" → ")))),
            told(f"{row.get('quantity')} ({row.get('scale')})"),
            _estimate(row, "mean", "hdi_low", "hdi_high"),
            *(figure(number_of(row, name), "count") for name in ("contexts", "replies", "out_of_range")),
            told(_joined(row.get("problems") or [])),
        )
        for row in check["joint"] or ()
    ]
    columns = ("model", "reports", "quantity", "mean [highest density]", "contexts", "replies", "left out", "problems")
    return Table("methods-joint", "The joint model of choices and reports", columns, tuple(rows))


def _outdated(figures: Figures, check: Mapping[str, Any]) -> bool:
    """Tell whether a check's own MAP estimates are not those of the analysis."""
    for row in check["accuracies"]:
        if row.get("method") != MAP:
            continue
        slope = figures.value("models", str(row.get("model")), "accuracy", str(row.get("quantity")), "slope")
        theirs = number_of(row, "estimate")
        if (slope is None) != (theirs is None) or (
            slope is not None and theirs is not None and abs(slope - theirs) > AWAY
        ):
            return True
    known = {(row.get("model"), row.get("quantity")) for row in check["accuracies"]}
    return any((model.name, name) not in known for model in figures.result.models for name in model.sets)


def _estimate(row: Mapping[str, Any], value: str, low: str, high: str) -> Cell:
    interval = number_of(row, low), number_of(row, high)
    whole = None if interval[0] is None or interval[1] is None else (interval[0], interval[1])
    return estimate(number_of(row, value), whole, reason=str(row.get("status", "")))


def _joined(problems: Sequence[object]) -> str:
    return "; ".join(map(str, problems)) or "none"
