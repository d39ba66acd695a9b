"""Companions: the numbers that stand beside an accuracy and show what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.contexts import Context
from avowal.correlation import pearson
from avowal.entries import Entries, entries
from avowal.errors import InputError
from avowal.rng import Purpose, uniforms, unit_id
from avowal.trials import by_name

Floats = NDArray[np.float64]

LIMIT = 100.0
"""Reports are asked for on a scale from -100 to 100."""


@dataclass(frozen=True, slots=True)
class Companions:
    """Figures on the same entries as an accuracy; None where there is nothing to compute them from.

    Attributes
    ----------
    r_target
        Correlation of the reports with the target weights instead of the estimated ones.
    r_rescaled
        Correlation with the reports rescaled so that each context's largest absolute one is 100.
    r_without_extremes
        Correlation without the entries whose estimated weight rounds to ±100 (one per context, by the scaling).
    r_in_range
        Correlation without the replies that hold a number beyond ±100 or nothing but zeros.
    out_of_range, all_zero
        How many valid replies those are.
    r_within
        Mean over contexts of the correlation within the context; contexts without variation, or with fewer than three
        attributes, have none.
    sign_agreement
        Share of entries in which weight and report have the same sign; entries with a zero are left out.
    top_agreement
        Share of contexts in which the largest absolute weight and report are the same attribute's; ties: the first.
    crossed_r
        Correlation of the same reports with the *other* model's estimated weights (averaged over several other
        models): privileged access shows in how far an accuracy exceeds it.
    follows_pair
        Correlation of a report's absolute value with the absolute difference displayed, both centred within each
        context's attribute: how much reports follow the pair shown.
    reliability
        Of the averaged reports: mean Spearman-Brown corrected correlation of random halves of the replies.
    """

    r_target: float | None
    r_rescaled: float | None
    r_without_extremes: float | None
    r_in_range: float | None
    out_of_range: int
    all_zero: int
    r_within: float | None
    sign_agreement: float | None
    top_agreement: float | None
    crossed_r: float | None
    follows_pair: float | None
    reliability: float | None


def companions(
    found: Entries,
    weights: pl.DataFrame,
    reports: pl.DataFrame,
    contexts: Iterable[Context],
    *,
    targets: pl.DataFrame | None = None,
    others: Sequence[pl.DataFrame] = (),
    seed: int = 0,
) -> Companions:
    """Compute everything that needs no fit.

    Parameters
    ----------
    found
        The entries of the accuracy.
    weights, reports
        What the accuracy was computed from.
    contexts
        The contexts, for the ranges of the pairs shown.
    targets
        Target weights (a table of :data:`avowal.tables.TARGETS`), in trained contexts.
    others
        The other models' weights, each in the same form as `weights`.
    seed
        Of the random halves.

    Returns
    -------
    Companions
        None for each figure whose material is missing.
    """
    valid = reports.filter(pl.col("report").is_not_null() & pl.col("context").is_in(found.names))
    far, zero = _flags(valid)
    return Companions(
        r_target=None if targets is None else _r(_with_weights(found, targets)),
        r_rescaled=_r(_rescaled(found)),
        r_without_extremes=_r(found.where(np.abs(np.round(found.weights)) < LIMIT)),
        r_in_range=_r(entries(weights, valid.filter(~(far | zero)))) if len(valid) else None,
        out_of_range=int(far.sum()),
        all_zero=int(zero.sum()),
        r_within=_mean(within(found)),
        sign_agreement=sign_agreement(found),
        top_agreement=top_agreement(found),
        crossed_r=_mean_or_none([_r(entries(other, valid)) for other in others]) if len(valid) else None,
        follows_pair=follows_pair(valid, contexts),
        reliability=report_reliability(valid, seed=seed),
    )


def within(found: Entries) -> list[float]:
    """Correlate weights with reports within each context.

    Parameters
    ----------
    found
        Entries of any number of contexts.

    Returns
    -------
    list of float
        One correlation for each context of three attributes or more that has variation in both.
    """
    correlations = (pearson(found.weights[rows], found.reports[rows]).r for rows in _by_context(found))
    return [r for r in correlations if r is not None]


def sign_agreement(found: Entries) -> float | None:
    """Compare the signs of weights and reports.

    Parameters
    ----------
    found
        Entries of any number of contexts.

    Returns
    -------
    float or None
        The share with equal signs among the entries without a zero; None without any.
    """
    decided = (found.weights != 0) & (found.reports != 0)
    return _mean(np.sign(found.weights[decided]) == np.sign(found.reports[decided]))


def top_agreement(found: Entries) -> float | None:
    """Compare the attributes of largest absolute weight and report.

    Parameters
    ----------
    found
        Entries of any number of contexts.

    Returns
    -------
    float or None
        The share of contexts in which they are the same, the first where several tie; None without contexts.
    """
    return _mean(
        [np.abs(found.weights[rows]).argmax() == np.abs(found.reports[rows]).argmax() for rows in _by_context(found)]
    )


def follows_pair(valid: pl.DataFrame, contexts: Iterable[Context]) -> float | None:
    """Correlate absolute reports with absolute displayed differences, centred within each context's attribute.

    Parameters
    ----------
    valid
        Valid reports with their pairs; rows without a pair are left out.
    contexts
        For the attributes' ranges.

    Returns
    -------
    float or None
        None where no context has two replies with pairs that differ.

    Raises
    ------
    InputError
        Where a context is unknown, or a report or an option doesn't have one number for each attribute.
    """
    shown = valid.filter(pl.col("a").is_not_null() & pl.col("b").is_not_null())
    named = by_name(contexts)
    sizes, displayed = [], []
    for (_, name), rows in shown.group_by("model", "context", maintain_order=True):
        if name not in named:
            raise InputError.at("a known context", repr(name), file="reports", field="context")
        ranges = np.array([attribute.max - attribute.min for attribute in named[str(name)].attributes])
        a, b, size = (_matrix(rows, field, len(ranges)) for field in ("a", "b", "report"))
        gap, size = np.abs(a - b) / ranges, np.abs(size)
        displayed.append((gap - gap.mean(axis=0)).ravel())
        sizes.append((size - size.mean(axis=0)).ravel())
    return pearson(np.concatenate(sizes), np.concatenate(displayed)).r if sizes else None


def report_reliability(valid: pl.DataFrame, *, splits: int = 100, seed: int = 0) -> float | None:
    """Estimate the reliability of averaged reports from random halves of each context's replies.

    Parameters
    ----------
    valid
        Valid reports; contexts with one reply are left out.
    splits
        Random splits to average over.
    seed
        From 0 to 2**64 - 1; each context splits by a stream of its own.

    Returns
    -------
    float or None
        Mean over splits of 2 r / (1 + r), r correlating the averages of both halves over all entries.
    """
    first, second = [], []
    for (model, name), rows in valid.group_by("model", "context", maintain_order=True):
        replies = _matrix(rows, "report", rows["report"].list.len()[0])
        count = len(replies)
        if count < 2:
            continue
        draws = uniforms(seed, Purpose.HALVES, unit_id(f"{model}\n{name}"), 0, splits * count).reshape(splits, count)
        order = np.argsort(draws, axis=1)
        half = count // 2
        first.append(replies[order[:, :half]].mean(axis=1))
        second.append(replies[order[:, half : 2 * half]].mean(axis=1))
    if not first:
        return None
    one, two = np.concatenate(first, axis=1), np.concatenate(second, axis=1)
    correlations = [pearson(a, b).r for a, b in zip(one, two, strict=True)]
    return _mean([2 * r / (1 + r) for r in correlations if r is not None and r > -1])


def _flags(valid: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Mark replies with a number beyond the scale, and replies of nothing but zeros."""
    sizes = valid.select(pl.col("report").list.eval(pl.element().abs()).list.max().alias("largest"))["largest"]
    return sizes > LIMIT, sizes == 0


def _with_weights(found: Entries, targets: pl.DataFrame) -> Entries:
    table = {(c, p): w for c, p, w in targets.select("context", "position", "weight").iter_rows()}
    keys = list(zip(found.contexts.tolist(), found.positions.tolist(), strict=True))
    known = found.where(np.array([key in table for key in keys], dtype=bool))
    replaced = np.array([table[key] for key in keys if key in table], dtype=np.float64)
    return Entries(known.contexts, known.positions, replaced, replaced, known.reports, known.reports_z, known.groups)


def _rescaled(found: Entries) -> Entries:
    reports = found.reports.copy()
    kept = np.ones(len(found), dtype=bool)
    for rows in _by_context(found):
        largest = np.abs(reports[rows]).max()
        kept[rows] = largest > 0
        if largest > 0:
            reports[rows] *= LIMIT / largest
    rescaled = Entries(
        found.contexts, found.positions, found.weights, found.weights_z, reports, found.reports_z, found.groups
    )
    return rescaled.where(kept)


def _by_context(found: Entries) -> Iterator[NDArray[np.int64]]:
    _, codes = np.unique(found.contexts, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    if len(order):
        yield from np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _r(found: Entries) -> float | None:
    return pearson(found.weights, found.reports, groups=found.groups).r


def _mean(values: Iterable[float] | NDArray[np.bool_]) -> float | None:
    array = np.asarray(list(values), dtype=np.float64)
    return float(array.mean()) if len(array) else None


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if len(known) == len(values) else None


def _matrix(rows: pl.DataFrame, field: str, width: int) -> Floats:
    """Return the lists of one context as an array, shape (rows, attributes)."""
    wrong = rows.filter(pl.col(field).list.len() != width)
    if len(wrong):
        found = f"{wrong[field][0].to_list()} for {wrong['context'][0]!r}"
        raise InputError.at(f"{width} values", found, file="reports", field=field)
    return rows[field].explode().to_numpy().astype(np.float64).reshape(len(rows), width)
