"""Accuracy: how closely reported weights follow the weights that drive the choices (the paper, Appendix C)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.account import Account
from avowal.checks import check_columns
from avowal.correlation import Slope, SlopeContrast, pearson, slope, slope_contrast
from avowal.display import Shown
from avowal.entries import Entries, entries
from avowal.errors import InputError
from avowal.jackknife import CellInterval, Combination, combination, jackknife
from avowal.tables import REPORTS, conform
from avowal.text import Table

Floats = NDArray[np.float64]
Ends = tuple[float, float]

UNRECORDED = "not recorded"
"""Type of a reply that was planned and of which nothing was kept; the authors' files hold only replies that parsed."""


@dataclass(frozen=True, slots=True)
class Accuracy(Shown):
    """The paper's accuracy with its intervals; numbers are None where the statuses say why.

    Attributes
    ----------
    slope
        Slope of standardised weights on standardised reports, with the interval of that regression.
    r
        Pearson's correlation of the same entries.
    status
        "ok", or why there is no `r`: "too few entries", "no variation".
    cluster_interval
        Interval for `r` that keeps each context's attributes together: delete-one-context jackknife on Fisher's z.
    cluster_status
        "ok", or why there is no `cluster_interval`.
    contexts
        Contexts that entered; those planned and lost are in `context_account`.
    context_account
        Contexts planned, used, and lost by reason.
    replies
        Replies planned, valid, invalid by type, failed by type.
    entries
        What was correlated.
    """

    slope: Slope
    r: float | None
    status: str
    cluster_interval: Ends | None
    cluster_status: str
    contexts: int
    context_account: Account
    replies: Account
    entries: Entries = field(repr=False)

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.accuracy(self)

    @property
    def interval(self) -> Ends | None:
        """The interval of the regression slope."""
        return ends(self.slope)

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each attribute: context, position, weight, report, both standardised, reporting model."""
        e = self.entries
        return pl.DataFrame(
            {
                "context": e.contexts,
                "position": e.positions,
                "weight": e.weights,
                "report": e.reports,
                "weight_z": e.weights_z,
                "report_z": e.reports_z,
                "model": e.groups,
            }
        )


@dataclass(frozen=True, slots=True)
class Gain(Shown):
    """The effect of training on accuracy; numbers are None where the statuses say why.

    Attributes
    ----------
    contrast
        Mean over models of the difference of slopes, with the interval of the pooled regression, and by model.
    cluster
        Mean over models of the difference of correlations over common contexts, with the paired jackknife interval.
    common_contexts
        Contexts with reports before and after, in any of the models.
    """

    contrast: SlopeContrast
    cluster: Combination
    common_contexts: int

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.gain(self)


def ends(interval: Slope | SlopeContrast | CellInterval | Combination) -> Ends | None:
    """Return both ends of an interval, or None where it has none.

    Parameters
    ----------
    interval
        Anything with the fields `low` and `high`.

    Returns
    -------
    tuple of float, or None
        Low and high end.
    """
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def accuracy(
    weights: pl.DataFrame,
    reports: pl.DataFrame,
    *,
    contexts: Sequence[str] | None = None,
    replies: int | None = None,
    level: float = 0.95,
    unanswered: Collection[str] = (),
) -> Accuracy:
    """Compare reported with estimated weights.

    Parameters
    ----------
    weights
        As for :func:`entries`: one deciding model.
    reports
        One set of reports (or the folds of one), a table of :data:`avowal.tables.REPORTS`.
    contexts
        Contexts on which reports were planned, others are left out; by default those of `weights`, and a report on
        another context is an error.
    replies
        Replies planned for each context; by default as many as the table has rows for it. Planned replies without a
        row count as invalid, "not recorded".
    level
        Level of the intervals.
    unanswered
        Kinds of failures of requests that got no reply; replies of all other kinds came, and are invalid.

    Returns
    -------
    Accuracy
        With the accounts of contexts and replies.

    Raises
    ------
    InputError
        As for :func:`entries`.

    Notes
    -----
    The slope and its interval are the paper's. Attributes of one context belong together, which that interval ignores;
    `cluster_interval` does not. Reports are averaged raw: rescaling them per context changes the result.
    """
    check_columns("weights", weights, ("context", "position", "weight"))
    if isinstance(contexts, str):
        raise InputError.at("a sequence of names", repr(contexts), field="contexts")
    planned = list(dict.fromkeys(weights["context"].to_list() if contexts is None else contexts))
    table = conform(reports, REPORTS, "reports")
    if contexts is None:
        _check_known(table, planned)
    asked = table.filter(pl.col("context").is_in(planned))
    found = entries(weights, asked)
    line = slope(found.weights_z, found.reports_z, level=level) if _finite(found) else _no_slope(found, level)
    correlation = pearson(found.weights, found.reports, groups=found.groups)
    interval = jackknife([found.cell()], level=level).cells[0] if len(found) else None
    return Accuracy(
        slope=line,
        r=correlation.r,
        status=correlation.status,
        cluster_interval=None if interval is None else ends(interval),
        cluster_status="too few entries" if interval is None else interval.status,
        contexts=len(found.names),
        context_account=_context_account(weights, planned, found),
        replies=reply_account(asked, planned, replies, unanswered),
        entries=found,
    )


def gain(before: Sequence[Accuracy], after: Sequence[Accuracy], models: Sequence[str], *, level: float = 0.95) -> Gain:
    """Compare accuracies before and after training, averaged over models with equal weight.

    Parameters
    ----------
    before, after
        One accuracy for each model, in the same order.
    models
        Their names.
    level
        Level of the intervals.

    Returns
    -------
    Gain
        The paper's contrast over all contexts, and the paired difference of correlations over common contexts.

    Raises
    ------
    InputError
        Where the three differ in length or are empty, or a model is named twice.
    """
    if not len(before) == len(after) == len(models) > 0:
        raise InputError.at(
            "one accuracy before and after for each model", f"{len(before)}, {len(after)}, {len(models)}"
        )
    if len(set(models)) < len(models):
        raise InputError.at("each model once", list(models), field="models")
    cells = [
        (name, it, a.entries) for it, side in enumerate((before, after)) for name, a in zip(models, side, strict=True)
    ]
    count = sum(len(e) for _, _, e in cells)
    absent = [each.slope.status for each in (*before, *after) if each.slope.status != "ok"]
    if absent:
        contrast = SlopeContrast(None, None, None, None, None, level, (), count, absent[0])
    else:
        contrast = slope_contrast(
            np.concatenate([e.weights_z for _, _, e in cells]),
            np.concatenate([e.reports_z for _, _, e in cells]),
            np.concatenate([np.full(len(e), name) for name, _, e in cells]),
            np.concatenate([np.full(len(e), it, dtype=bool) for _, it, e in cells]),
            level=level,
        )
    common = [sorted(set(b.entries.names) & set(a.entries.names)) for b, a in zip(before, after, strict=True)]
    paired = [side[i].entries.only(common[i]).cell() for side in (before, after) for i in range(len(models))]
    share = 1.0 / len(models)
    cluster = combination(paired, [-share] * len(models) + [share] * len(models), level=level)
    return Gain(contrast, cluster, len(set().union(*common)))


def difference(one: Accuracy, other: Accuracy, *, level: float = 0.95) -> tuple[Combination, int]:
    """Subtract another model's accuracy from one's, paired over their common contexts.

    Parameters
    ----------
    one, other
        Accuracies of two models.
    level
        Level of the interval.

    Returns
    -------
    Combination
        The difference of correlations over the common contexts, with its jackknife interval.
    int
        The number of common contexts.
    """
    common = sorted(set(one.entries.names) & set(other.entries.names))
    cells = [accuracy.entries.only(common).cell() for accuracy in (one, other)]
    return combination(cells, [1.0, -1.0], level=level), len(common)


def reply_account(
    reports: pl.DataFrame, contexts: Sequence[str], replies: int | None, unanswered: Collection[str] = ()
) -> Account:
    """Count the replies about `contexts`: planned, valid, invalid by type, and failed by type.

    Parameters
    ----------
    reports
        A table of :data:`avowal.tables.REPORTS`.
    contexts
        Contexts on which reports were planned.
    replies
        Planned for each context; None for as many as there are rows.
    unanswered
        Kinds of failures of requests that got no reply.

    Returns
    -------
    Account
        A context with more rows than planned counts with its rows.
    """
    rows = reports.filter(pl.col("context").is_in(list(contexts)))
    valid = int(rows["report"].is_not_null().sum())
    kinds = rows.filter(pl.col("report").is_null())["failure"].fill_null(UNRECORDED).value_counts()
    lost = {kind: int(count) for kind, count in kinds.sort("failure").iter_rows()}
    failed = {kind: count for kind, count in lost.items() if kind in unanswered}
    invalid = {kind: count for kind, count in lost.items() if kind not in failed}
    per_context = dict(rows.group_by("context").len().iter_rows())
    missing = sum(max(0, (replies or 0) - per_context.get(name, 0)) for name in contexts)
    if missing:
        invalid[UNRECORDED] = invalid.get(UNRECORDED, 0) + missing
    return Account(len(rows) + missing, valid, invalid, failed)


def _check_known(reports: pl.DataFrame, contexts: Sequence[str]) -> None:
    unknown = reports.filter(~pl.col("context").is_in(list(contexts)))
    if len(unknown):
        expected = "a context that has weights (or name those to compare in `contexts`)"
        raise InputError.at(expected, repr(unknown["context"][0]), file="reports", field="context")


def _context_account(weights: pl.DataFrame, planned: Sequence[str], found: Entries) -> Account:
    used = set(found.names)
    estimated = set(weights.filter(pl.col("weight").is_not_null())["context"].to_list())
    lost = [name for name in planned if name not in used]
    without_weights = sum(name not in estimated for name in lost)
    reasons = {"no valid report": len(lost) - without_weights, "no estimated weights": without_weights}
    return Account(len(planned), len(planned) - len(lost), {kind: count for kind, count in reasons.items() if count})


def _finite(found: Entries) -> bool:
    return bool(np.isfinite(found.weights_z).all() and np.isfinite(found.reports_z).all())


def _no_slope(found: Entries, level: float) -> Slope:
    status = "no variation" if len(found) > 2 else "too few entries"
    return Slope(None, None, None, None, None, level, len(found), status)
