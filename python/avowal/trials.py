"""Choices as the engine takes them: differences in units of each attribute's range, agent after agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal.account import Account
from avowal.checks import as_floats, as_u64s
from avowal.contexts import Context
from avowal.errors import InputError
from avowal.tables import CHOICES, conform

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trials:
    """The valid choices of agents whose contexts have the same number of attributes.

    Attributes
    ----------
    keys
        Model and context of each agent, in order of first appearance.
    differences
        Shape (trials, attributes): (a - b) / (max - min), agent after agent.
    choices
        Shape (trials,), uint8: 1 for A, 0 for B.
    offsets
        Shape (agents + 1,), uint64: agent i owns the trials ``offsets[i]:offsets[i + 1]``.
    accounts
        One for each agent: choices planned, valid, failed by type.
    """

    keys: tuple[tuple[str, str], ...]
    differences: NDArray[np.float64] = field(repr=False)
    choices: NDArray[np.uint8] = field(repr=False)
    offsets: NDArray[np.uint64] = field(repr=False)
    accounts: tuple[Account, ...] = field(repr=False)

    def select(self, which: NDArray[np.bool_]) -> Trials:
        """Return the same agents with only the trials where `which` (shape (trials,)) is true."""
        kept = np.concatenate([[0], np.cumsum(which)])[self.offsets.astype(np.int64)]
        return Trials(self.keys, self.differences[which], self.choices[which], kept.astype(np.uint64), self.accounts)

    def position(self) -> NDArray[np.int64]:
        """Return for each trial its place within its agent, counted from 0; shape (trials,)."""
        starts = np.repeat(self.offsets[:-1], np.diff(self.offsets).astype(np.int64))
        return np.arange(len(self.choices)) - starts.astype(np.int64)


def by_name(contexts: Iterable[Context]) -> dict[str, Context]:
    """Index contexts by name.

    Parameters
    ----------
    contexts
        With distinct names.

    Returns
    -------
    dict of str to Context
        In the order given.

    Raises
    ------
    InputError
        Where two contexts share a name.
    """
    named: dict[str, Context] = {}
    for context in contexts:
        if context.name in named:
            raise InputError.at("distinct names", f"{context.name!r} twice", field="contexts")
        named[context.name] = context
    return named


def from_choices(choices: pl.DataFrame, contexts: Iterable[Context]) -> list[Trials]:
    """Turn a table of choices into arrays.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`; rows without a choice are counted and left out.
    contexts
        The contexts that the table names, for the ranges of their attributes.

    Returns
    -------
    list of Trials
        One for each number of attributes, in order of first appearance.

    Raises
    ------
    InputError
        Where a model, context or trial is null, a trial stands there twice, a context is unknown, a choice is neither
        A nor B nor null with a reason, or an option doesn't have one finite value for each attribute.
    """
    named = by_name(contexts)
    table = conform(choices, CHOICES, "choices")
    _check(table, named)
    agents = table.group_by("model", "context", maintain_order=True).agg(
        pl.len().alias("planned"),
        pl.col("choice").is_not_null().sum().alias("valid"),
        pl.col("failure").filter(pl.col("choice").is_null()).alias("failures"),
    )
    widths = agents["context"].replace_strict(
        {name: len(c.attributes) for name, c in named.items()}, return_dtype=pl.Int64
    )
    agents = agents.with_columns(widths.alias("width"))
    valid = table.filter(pl.col("choice").is_not_null())
    return [
        _arrays(valid, agents.filter(pl.col("width") == width), named, width)
        for width in agents["width"].unique(maintain_order=True)
    ]


def from_arrays(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint64]]:
    """Put the trials of agents with as many trials each behind one another, those without a choice left out.

    Parameters
    ----------
    x
        Shape (agents, trials, attributes): differences in units of each attribute's range.
    y
        Shape (agents, trials): 1 for A, 0 for B, NaN where there is no choice.

    Returns
    -------
    tuple of ndarray
        Differences, choices and offsets as in :class:`Trials`; nothing is copied where nothing has to be.

    Raises
    ------
    InputError
        Where shapes disagree or y is anything else.
    """
    differences = as_floats("x", x, 3)
    if type(y) is np.ndarray and y.dtype in (np.uint8, np.bool_):
        choices = np.ascontiguousarray(y).view(np.uint8)
        kept = None
    else:
        answers = as_floats("y", y, 2)
        kept = ~np.isnan(answers)
        wrong = answers[kept & (answers != 0.0) & (answers != 1.0)]
        if len(wrong):
            raise InputError.at("1 (A), 0 (B) or NaN", wrong[0], field="y")
        choices = np.equal(answers, 1.0).view(np.uint8)
    if differences.shape[:2] != choices.shape:
        raise InputError.at(f"shape {differences.shape[:2]} as in x", f"shape {choices.shape}", field="y")
    agents, trials, attributes = differences.shape
    if kept is None or kept.all():
        offsets = np.arange(agents + 1, dtype=np.uint64) * np.uint64(trials)
        return differences.reshape(agents * trials, attributes), choices.ravel(), offsets
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.uint64)
    return differences[kept], choices[kept], offsets


def as_arrays(
    differences: ArrayLike, choices: ArrayLike, offsets: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint64]]:
    """Check the types of ragged arrays; what they hold is checked where it is used.

    Parameters
    ----------
    differences, choices, offsets
        As in :class:`Trials`; borrowed where they are contiguous and of the types given there, else copied.

    Returns
    -------
    tuple of ndarray
        Contiguous, in those types.

    Raises
    ------
    InputError
        For other dimensions, or values that the types can't hold.
    """
    answers = np.asarray(choices)
    if answers.dtype != np.uint8 or answers.ndim != 1:
        numbers = as_floats("choices", answers, 1)
        wrong = numbers[~np.isin(numbers, (0.0, 1.0))]
        if len(wrong):
            raise InputError.at("1 (A) or 0 (B)", wrong[0], field="choices")
        answers = numbers.astype(np.uint8)
    return (
        as_floats("differences", differences, 2),
        np.ascontiguousarray(answers),
        as_u64s("offsets", offsets, (np.size(offsets),)),
    )


def _check(table: pl.DataFrame, named: Mapping[str, Context]) -> None:
    for column in ("model", "context", "trial"):
        if table[column].null_count():
            raise InputError.at("a value in every row", "null", file="choices", field=column)
    doubled = table.filter(table.select("model", "context", "trial").is_duplicated())
    if len(doubled):
        row = doubled.row(0, named=True)
        found = f"trial {row['trial']} of {row['model']}, {row['context']} more than once"
        raise InputError.at("each trial of a model and context once", found, file="choices", field="trial")
    unknown = table.filter(~pl.col("context").is_in(list(named)))
    if len(unknown):
        known = ", ".join(list(named)[:5]) + (", ..." if len(named) > 5 else "")
        raise InputError.at(f"a known context ({known})", repr(unknown["context"][0]), file="choices", field="context")
    bad = table.filter(~pl.col("choice").is_in(["A", "B"]))
    if len(bad):
        row = bad.row(0, named=True)
        found = f"{row['choice']!r} at {row['model']}, {row['context']}, trial {row['trial']}"
        raise InputError.at("A, B or null", found, file="choices", field="choice")
    both = table.filter(pl.col("choice").is_not_null() & pl.col("failure").is_not_null())
    if len(both):
        row = both.row(0, named=True)
        found = f"{row['failure']!r} beside {row['choice']} at {row['model']}, {row['context']}, trial {row['trial']}"
        raise InputError.at("null where there is a choice", found, file="choices", field="failure")
    silent = table.filter(pl.col("choice").is_null() & pl.col("failure").is_null())
    if len(silent):
        row = silent.row(0, named=True)
        place = f"{row['model']}, {row['context']}, trial {row['trial']}"
        raise InputError.at("a reason where the choice is null", f"none at {place}", file="choices", field="failure")


def _arrays(valid: pl.DataFrame, agents: pl.DataFrame, named: Mapping[str, Context], width: int) -> Trials:
    keys = tuple(zip(agents["model"].to_list(), agents["context"].to_list(), strict=True))
    index = agents.select("model", "context").with_row_index("agent")
    rows = valid.join(index, on=["model", "context"], how="inner", maintain_order="left").sort("agent", "trial")
    low = np.array([[attribute.min for attribute in named[name].attributes] for _, name in keys])
    high = np.array([[attribute.max for attribute in named[name].attributes] for _, name in keys])
    agent = rows["agent"].to_numpy().astype(np.int64)
    a, b = (_values(rows, side, width) for side in ("a", "b"))
    for side, values in (("a", a), ("b", b)):
        _check_range(rows, side, values, low[agent], high[agent])
    counts = np.bincount(agent, minlength=len(keys))
    return Trials(
        keys,
        np.ascontiguousarray((a - b) / (high - low)[agent]) if len(agent) else np.empty((0, width)),
        (rows["choice"] == "A").to_numpy().astype(np.uint8),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64),
        tuple(
            Account(planned, ok, failed=_tally(failures))
            for planned, ok, failures in agents.select("planned", "valid", "failures").iter_rows()
        ),
    )


def _check_range(rows: pl.DataFrame, side: str, values: Floats, low: Floats, high: Floats) -> None:
    """Refuse values that no rounding explains: further outside their attribute's range than half its width."""
    slack = 0.5 * (high - low)
    outside = (values < low - slack) | (values > high + slack)
    if outside.any():
        place, attribute = (int(i) for i in np.argwhere(outside)[0])
        row = rows.row(place, named=True)
        expected = f"a value from {low[place, attribute]:g} to {high[place, attribute]:g}, in the attribute's own units"
        found = f"{values[place, attribute]:g} for attribute {attribute + 1} at {row['context']}, trial {row['trial']}"
        raise InputError.at(expected, found, file="choices", field=side)


def _values(rows: pl.DataFrame, side: str, width: int) -> NDArray[np.float64]:
    lengths = rows[side].list.len()
    wrong = rows.filter(lengths.ne_missing(width))
    if len(wrong):
        row = wrong.row(0, named=True)
        place = f"{row['context']}, trial {row['trial']}"
        raise InputError.at(f"{width} values", f"{row[side]} at {place}", file="choices", field=side)
    values = rows[side].explode().to_numpy().astype(np.float64).reshape(-1, width)
    if not np.isfinite(values).all():
        row = rows.row(int(np.argmin(np.isfinite(values).all(axis=1))), named=True)
        place = f"{row['context']}, trial {row['trial']}"
        raise InputError.at("finite values", f"{row[side]} at {place}", file="choices", field=side)
    return values


def _tally(kinds: Sequence[str]) -> dict[str, int]:
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
