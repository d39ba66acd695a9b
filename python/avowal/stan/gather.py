"""Raw reports as the joint model reads them: means by context and attribute, and the variation around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.entries import average_reports
from avowal.errors import InputError
from avowal.tables import CHOICES, REPORTS, conform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Sufficient statistics of the reports.

    Attributes
    ----------
    context, attribute
        Shape (entries,): place of the context and of the attribute, from 0.
    replies, out_of_range
        Shape (sets, contexts): replies used, and left out for a number beyond the limit.
    report
        Shape (entries, sets): mean report; 0 without replies.
    group
        Shape (sets, contexts): which model reported on the context, numbered from 0 within the set; 0 without replies.
    within_df
        Shape (sets,): (replies - 1) times attributes, over contexts.
    within_ss
        Shape (sets,): sum of squared differences of replies from their means.
    """

    context: Integers
    attribute: Integers
    replies: Integers
    out_of_range: Integers
    report: Floats
    group: Integers
    within_df: Integers
    within_ss: Floats

    def entry_replies(self, s: int) -> Integers:
        """Return the replies behind each entry of set `s`; shape (entries,)."""
        counts: Integers = self.replies[s][self.context]
        return counts

    def data(self) -> dict[str, Any]:
        """Return what the program calls it."""
        groups = int(self.group.max()) + 1
        member = (self.group[:, self.context][..., None] == np.arange(groups)).astype(np.float64)
        return {
            "G": groups,
            "member": member,
            "S": self.report.shape[1],
            "E": len(self.context),
            "context": self.context + 1,
            "attribute": self.attribute + 1,
            "replies": self.replies,
            "report": self.report,
            "within_df": self.within_df,
            "within_ss": self.within_ss,
        }


def gather(
    reports: Mapping[str, pl.DataFrame], contexts: Sequence[str], widths: Sequence[int], limit: float | None
) -> Gathered:
    """Summarise sets of reports.

    Parameters
    ----------
    reports
        Tables of :data:`avowal.tables.REPORTS` by set.
    contexts, widths
        The contexts in the model's order, and how many attributes each has.
    limit
        Replies with a number beyond it are left out; None keeps them.

    Returns
    -------
    Gathered

    Raises
    ------
    InputError
        As for :func:`avowal.entries.average_reports`; or for a report on another context, or of another length.
    """
    context = np.repeat(np.arange(len(contexts)), widths)
    attribute = np.concatenate([np.arange(width) for width in widths])
    place = {name: c for c, name in enumerate(contexts)}
    entry = {(contexts[int(c)], int(k)): i for i, (c, k) in enumerate(zip(context, attribute, strict=True))}
    shape = (len(reports), len(contexts))
    replies, beyond = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    report, group = np.zeros((len(context), len(reports))), np.zeros(shape, dtype=np.int64)
    df, ss = np.zeros(len(reports), dtype=np.int64), np.zeros(len(reports))
    for s, table in enumerate(reports.values()):
        valid = conform(table, REPORTS, "reports").filter(pl.col("report").is_not_null())
        _check(valid, place, widths)
        outside = pl.col("report").list.eval(pl.element().abs() > (np.inf if limit is None else limit)).list.any()
        for name, count in valid.filter(outside).group_by("context").len().iter_rows():
            beyond[s, place[name]] = count
        kept = valid.filter(~outside)
        means = (
            average_reports(kept)
            .group_by("context", "position")
            .agg(
                ((pl.col("report") * pl.col("replies")).sum() / pl.col("replies").sum()).alias("mean"),
                pl.col("replies").sum(),
            )
        )
        for name, position, mean, count in means.iter_rows():
            report[entry[name, position], s] = mean
            replies[s, place[name]] = count
        own = kept.group_by("context", maintain_order=True).agg(pl.col("model").unique().sort().str.join(", "))
        numbers = own.with_columns(pl.col("model").rank("dense").cast(pl.Int64) - 1)
        for name, number in numbers.iter_rows():
            group[s, place[name]] = number
        ss[s] = _within(kept)
        df[s] = int((np.maximum(replies[s] - 1, 0) * np.asarray(widths)).sum())
    return Gathered(context, attribute, replies, beyond, report, group, df, ss)


def _within(kept: pl.DataFrame) -> float:
    """Sum the squared differences of replies from their means; exactly 0 where each context's replies are the same."""
    long = kept.select("context", "report", pl.int_ranges(pl.col("report").list.len()).alias("position")).explode(
        "report", "position"
    )
    cell = ["context", "position"]
    # About the first reply, so that equal ones differ by nothing, whatever their decimals.
    away = long.select(*cell, away=pl.col("report") - pl.col("report").first().over(cell))
    around = away.select((pl.col("away") - pl.col("away").mean().over(cell)) ** 2)
    return float(around.to_series().sum())


def not_finite(choices: pl.DataFrame, reports: Mapping[str, pl.DataFrame]) -> str | None:
    """Tell where an option or a report holds a number that is not finite; None where all are."""
    tables: list[tuple[str, pl.DataFrame, tuple[str, ...]]] = [
        ("choices", conform(choices, CHOICES, "choices").filter(pl.col("choice").is_not_null()), ("a", "b"))
    ]
    for name, table in reports.items():
        tables.append((f"reports, {name}", conform(table, REPORTS, "reports"), ("report",)))
    for name, table, columns in tables:
        for column in columns:
            bad = table.filter(pl.col(column).list.eval(~pl.element().is_finite()).list.any())
            if len(bad):
                return f"{name}: {bad[column][0].to_list()} for {bad['context'][0]!r}"
    return None


def _check(valid: pl.DataFrame, place: Mapping[str, int], widths: Sequence[int]) -> None:
    for name, length in valid.select("context", pl.col("report").list.len()).unique().iter_rows():
        if name not in place:
            raise InputError.at("a context that has choices", repr(name), file="reports", field="context")
        if length != widths[place[name]]:
            expected = f"{widths[place[name]]} numbers for {name!r}"
            raise InputError.at(expected, length, file="reports", field="report")
