"""Entries: estimated weights and averaged reports, joined attribute by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.checks import check_columns
from avowal.errors import InputError
from avowal.jackknife import Cell
from avowal.tables import REPORTS, conform

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Weights and averaged reports of the attributes of all contexts that have both.

    Attributes
    ----------
    contexts
        Shape (entries,): the context's name.
    positions
        Shape (entries,): the attribute's place in its context.
    weights
        Shape (entries,): estimated weights on the ±100 scale.
    weights_z
        Shape (entries,): `weights` standardised over *all* contexts of the deciding model, whether reported on or not.
    reports
        Shape (entries,): raw reports averaged over the context's valid replies, never rescaled.
    reports_z
        Shape (entries,): `reports` standardised within each reporting model.
    groups
        Shape (entries,): the reporting model.
    """

    contexts: NDArray[np.str_]
    positions: NDArray[np.int64]
    weights: Floats
    weights_z: Floats
    reports: Floats
    reports_z: Floats
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def names(self) -> list[str]:
        """The distinct contexts, in order of first appearance."""
        return list(dict.fromkeys(self.contexts.tolist()))

    def cell(self) -> Cell:
        """Return the entries as a correlation for :mod:`avowal.jackknife`."""
        return Cell(self.weights, self.reports, self.contexts, self.groups)

    def only(self, contexts: Sequence[str]) -> Entries:
        """Return the entries of some contexts, as they were standardised."""
        return self.where(np.isin(self.contexts, list(contexts)))

    def where(self, kept: NDArray[np.bool_]) -> Entries:
        """Return the entries for which `kept`, shape (entries,), is true, as they were standardised."""
        return Entries(
            self.contexts[kept],
            self.positions[kept],
            self.weights[kept],
            self.weights_z[kept],
            self.reports[kept],
            self.reports_z[kept],
            self.groups[kept],
        )


def average_reports(reports: pl.DataFrame) -> pl.DataFrame:
    """Average the valid reports of each reporting model and context, as given.

    Parameters
    ----------
    reports
        A table of :data:`avowal.tables.REPORTS`.

    Returns
    -------
    polars.DataFrame
        Columns model, context, position, report, replies: one row for each attribute that was reported on.

    Raises
    ------
    InputError
        Where a valid reply lacks a number, or replies for one context report on different numbers of attributes.
    """
    valid = conform(reports, REPORTS, "reports").filter(pl.col("report").is_not_null())
    finite = pl.col("report").list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
    broken = valid.filter((pl.col("report").list.len() == 0) | ~finite)
    if len(broken):
        found = f"{broken['report'][0].to_list()} for {broken['context'][0]!r}"
        raise InputError.at("one finite number for each attribute", found, file="reports", field="report")
    widths = valid.group_by("context").agg(pl.col("report").list.len().n_unique().alias("widths"))
    mixed = widths.filter(pl.col("widths") > 1)
    if len(mixed):
        raise InputError.at(
            "reports on the same attributes", f"several lengths for {mixed['context'][0]!r}", file="reports"
        )
    # About the first reply, so that equal replies average to themselves and can't vary by rounding.
    first = pl.col("report").first()
    return (
        valid.select("model", "context", "report", pl.int_ranges(pl.col("report").list.len()).alias("position"))
        .explode("report", "position")
        .group_by("model", "context", "position", maintain_order=True)
        .agg(first + (pl.col("report") - first).mean(), pl.len().alias("replies"))
    )


def entries(weights: pl.DataFrame, reports: pl.DataFrame) -> Entries:
    """Join estimated weights with averaged reports.

    Parameters
    ----------
    weights
        Columns context, position, weight: one row for each attribute of each context of the deciding model; null
        where the weight couldn't be estimated.
    reports
        A table of :data:`avowal.tables.REPORTS`: one set of the reporting model, or of several (folds).

    Returns
    -------
    Entries
        One for each attribute with a weight and a report.

    Raises
    ------
    InputError
        Where a column is missing, an attribute has two weights, a report has another number of attributes than its
        context has weights, or several reporting models report on one context.
    """
    check_columns("weights", weights, ("context", "position", "weight"))
    twice = weights.filter(pl.struct("context", "position").is_duplicated())
    if len(twice):
        place = f"several for attribute {twice['position'][0]} of {twice['context'][0]!r}"
        raise InputError.at("one weight for each attribute", place, file="weights", field="position")
    known = weights.filter(pl.col("weight").is_not_null()).select(
        "context", pl.col("position").cast(pl.Int64), pl.col("weight").cast(pl.Float64)
    )
    average = average_reports(reports).with_columns(pl.col("position").cast(pl.Int64))
    _check_widths(known, average)
    joined = known.join(average, on=["context", "position"], how="inner", maintain_order="left")
    if joined.select("context", "position").is_duplicated().any():
        raise InputError.at("one reporting model for each context", "several", file="reports", field="model")
    w, s = joined["weight"].to_numpy(), joined["report"].to_numpy()
    groups = joined["model"].to_numpy().astype(np.str_)
    every = known["weight"].to_numpy()
    return Entries(
        contexts=joined["context"].to_numpy().astype(np.str_),
        positions=joined["position"].to_numpy(),
        weights=w,
        weights_z=(w - every.mean()) / _spread(every) if len(every) else w,
        reports=s,
        reports_z=standardise(s, groups),
        groups=groups,
    )


def standardise(values: Floats, groups: NDArray[np.str_]) -> Floats:
    """Centre and scale within each group, with n - 1 in the standard deviation.

    Parameters
    ----------
    values, groups
        Shape (entries,) each.

    Returns
    -------
    ndarray of float
        Shape (entries,); NaN for a group without variation.
    """
    out = np.empty_like(values)
    for group in np.unique(groups):
        member = groups == group
        out[member] = (values[member] - values[member].mean()) / _spread(values[member])
    return out


def _check_widths(weights: pl.DataFrame, average: pl.DataFrame) -> None:
    counts = weights.group_by("context").len("attributes")
    reported = average.group_by("context").agg(pl.col("position").n_unique().alias("reported"))
    wrong = counts.join(reported, on="context").filter(pl.col("attributes") != pl.col("reported"))
    if len(wrong):
        row = wrong.row(0, named=True)
        raise InputError.at(
            f"{row['attributes']} weights for {row['context']!r}", f"{row['reported']}", file="reports", field="report"
        )


def _spread(values: Floats) -> float:
    # Equal values can have a standard deviation of 1e-17, which is no variation.
    varied = len(values) > 1 and bool((values != values[0]).any())
    return float(values.std(ddof=1)) if varied else float("nan")
