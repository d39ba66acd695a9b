"""Option pairs: values drawn uniformly within each attribute's range, at the authors' precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.checks import as_floats, as_u64, as_units, check_columns, room
from avowal.contexts import Context, arrays, check_names
from avowal.errors import InputError
from avowal.rng import unit_id

__all__ = [
    "Block",
    "blocks",
    "by_attributes",
    "differences",
    "pairs",
    "pairs_arrays",
    "ranges",
]


def pairs_arrays(
    mins: ArrayLike,
    maxs: ArrayLike,
    trials: int,
    *,
    seed: int,
    units: ArrayLike | None = None,
    threads: int = 0,
) -> NDArray[np.float64]:
    """Draw pairs of options, option A before option B.

    Each value is uniform between its attribute's bounds and then rounded as in the authors' design: to no decimals
    where the range is 5 or more, to 1 where it is 1 or more, else to ``abs(floor(log10(range))) + 1``, as Python's
    ``round`` does it. A rounded value can leave its range: 0.4 in a range from 0.1 to 10 becomes 0.

    Parameters
    ----------
    mins, maxs
        Bounds in the attributes' own units, shape (contexts, attributes).
    trials
        Pairs per context. More trials under the same seed extend the same sequence.
    seed
        From 0 to 2**64 - 1.
    units
        One id per context, shape (contexts,), which alone decides its numbers under a seed; 0, 1, 2, ... if None.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    ndarray, shape (contexts, trials, 2, attributes)

    Raises
    ------
    InputError
        For bounds that are not finite, a minimum that is not below its maximum, shapes that do not fit, or a number
        out of range.
    """
    low, high = ranges(mins, maxs)
    contexts, k = low.shape
    count = as_u64("trials", trials)
    shape = (contexts, count, 2, k)
    flat = room("trials", shape)
    _core.draw_pairs(
        low.ravel(),
        high.ravel(),
        k,
        as_units(units, contexts),
        count,
        as_u64("seed", seed),
        as_u64("threads", threads),
        flat,
    )
    return flat.reshape(shape)


def differences(pairs: ArrayLike, mins: ArrayLike, maxs: ArrayLike) -> NDArray[np.float64]:
    """Compute the normalised differences (a - b) / (max - min) of pairs.

    Parameters
    ----------
    pairs
        Options in the attributes' own units, shape (contexts, trials, 2, attributes).
    mins, maxs
        Bounds in the same units, shape (contexts, attributes).

    Returns
    -------
    ndarray, shape (contexts, trials, attributes)
        In shares of the attributes' ranges.

    Raises
    ------
    InputError
        For numbers that are not finite, a minimum that is not below its maximum, or shapes that do not fit.
    """
    low, high = ranges(mins, maxs)
    contexts, k = low.shape
    values = as_floats("pairs", pairs, 4)
    trials = values.shape[1]
    if values.shape != (contexts, trials, 2, k):
        raise InputError.at(f"shape ({contexts}, trials, 2, {k})", f"shape {values.shape}", field="pairs")
    flat = _core.differences(low.ravel(), high.ravel(), k, values.ravel())
    return flat.reshape(contexts, trials, k)


def pairs(contexts: Iterable[Context], trials: int, *, seed: int, threads: int = 0) -> pl.DataFrame:
    """Draw pairs of options for contexts, which may differ in their numbers of attributes.

    The numbers of a context depend on the seed and on its name and bounds alone: not on its place or on the others.

    Parameters
    ----------
    contexts
        With names that differ.
    trials
        Pairs per context. More trials under the same seed extend the same sequence.
    seed
        From 0 to 2**64 - 1.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    DataFrame
        ``context`` (String), ``trial`` (Int64, from 0), ``a`` and ``b`` (List(Float64), in the order of the context's
        attributes); contexts in the order given.

    Raises
    ------
    InputError
        For two contexts of one name, a minimum that is not below its maximum, or a number out of range.
    """
    known = list(contexts)
    count = as_u64("trials", trials)
    frames = []
    for places in by_attributes(known).values():
        group = [known[place] for place in places]
        low, high = arrays(group)
        units = np.array([unit_id(context.name) for context in group], dtype=np.uint64)
        values = pairs_arrays(low, high, count, seed=seed, units=units, threads=threads)
        frames.append(pairs_frame(places, group, values))
    empty = pairs_frame([], [], np.empty((0, 0, 2, 1)))
    return pl.concat([empty, *frames]).sort("place", "trial").drop("place")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The pairs of contexts that have the same number of attributes and the same number of trials.

    Attributes
    ----------
    places
        Where the contexts stand in the list of contexts.
    rows
        Where the pairs stand in the table, shape (contexts, trials).
    trials
        Their trial numbers, shape (contexts, trials).
    pairs
        Their values in the attributes' own units, shape (contexts, trials, 2, attributes).
    """

    places: list[int]
    rows: NDArray[np.int64]
    trials: NDArray[np.uint64]
    pairs: NDArray[np.float64]


def blocks(frame: pl.DataFrame, contexts: Sequence[Context]) -> list[Block]:
    """Turn a table of pairs into arrays, as few as the numbers of attributes and of trials allow.

    Parameters
    ----------
    frame
        ``context``, ``trial``, ``a``, ``b``, as :func:`pairs` gives them, in any order; contexts may have any
        numbers of trials.
    contexts
        Those of the table at least, with names that differ.

    Returns
    -------
    list of Block
        Every row of the table is in exactly one.

    Raises
    ------
    InputError
        For a missing column, an unknown context, a trial that is no integer from 0 up or stands there twice, or an
        option that has not one number per attribute.
    """
    by_attributes(contexts)
    check_columns("pairs", frame, ("context", "trial", "a", "b"))
    trials = _trials(frame)
    options = [_Options.of(frame, column) for column in "ab"]
    places = {context.name: place for place, context in enumerate(contexts)}
    grouped: dict[tuple[int, int], tuple[list[int], list[list[int]]]] = {}
    for name, rows in (
        frame.select("context").with_row_index("row").group_by("context", maintain_order=True).agg("row").iter_rows()
    ):
        if name not in places:
            raise InputError.at("a known context", repr(name), field=f"pairs, row {min(rows)}, context")
        shape = (len(contexts[places[name]].attributes), len(rows))
        stack = grouped.setdefault(shape, ([], []))
        stack[0].append(places[name])
        stack[1].append(rows)
    result = []
    for (k, _), (here, stacked) in sorted(grouped.items()):
        rows = np.array(stacked, dtype=np.int64)
        values = np.stack([option.at(rows, k) for option in options], axis=2)
        result.append(Block(here, rows, trials[rows], values))
    return result


def by_attributes(contexts: Sequence[Context]) -> dict[int, list[int]]:
    """Group the places of contexts by their numbers of attributes: arrays hold contexts of one number only.

    Parameters
    ----------
    contexts
        With names that differ.

    Returns
    -------
    dict
        For each number of attributes, indices into `contexts` in ascending order.

    Raises
    ------
    InputError
        For two contexts of one name, whose numbers would be the same.
    """
    check_names(contexts)
    groups: dict[int, list[int]] = {}
    for place, context in enumerate(contexts):
        groups.setdefault(len(context.attributes), []).append(place)
    return groups


def ranges(mins: ArrayLike, maxs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check that bounds are arrays of one shape.

    Parameters
    ----------
    mins, maxs
        Shape (contexts, attributes), with at least one attribute.

    Returns
    -------
    mins, maxs : ndarray, shape (contexts, attributes)
        Contiguous; their values are checked where they are used.

    Raises
    ------
    InputError
        For any other shape.
    """
    low, high = as_floats("mins", mins, 2), as_floats("maxs", maxs, 2)
    if low.shape[1] == 0:
        raise InputError.at("at least one attribute", f"shape {low.shape}", field="mins")
    if low.shape != high.shape:
        raise InputError.at(f"the shape of mins, {low.shape}", f"shape {high.shape}", field="maxs")
    return low, high


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """The values of one option column, flat, with where each row's begin and how many they are."""

    column: str
    values: NDArray[np.float64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pl.DataFrame, column: str) -> _Options:
        try:
            lists = frame[column].cast(pl.List(pl.Float64))
        except pl.exceptions.PolarsError:
            raise InputError.at("lists of numbers", frame[column].dtype, field=f"pairs, {column}") from None
        lengths = lists.list.len().fill_null(0).cast(pl.Int64).to_numpy()
        # An empty list would explode to a null; a length of 0 fits no context and is reported by `at`.
        values = lists.filter(lists.list.len() > 0).explode().fill_null(float("nan")).to_numpy()
        return cls(column, values, np.cumsum(lengths) - lengths, lengths)

    def at(self, rows: NDArray[np.int64], k: int) -> NDArray[np.float64]:
        wrong = rows[self.lengths[rows] != k]
        if wrong.size:
            row = int(wrong.min())
            where = f"pairs, row {row}, {self.column}"
            raise InputError.at(f"{k} values, one per attribute", f"{self.lengths[row]} values", field=where)
        values: NDArray[np.float64] = self.values[self.starts[rows][..., None] + np.arange(k)]
        return values


def _trials(frame: pl.DataFrame) -> NDArray[np.uint64]:
    column = frame["trial"]
    if not column.dtype.is_integer() or column.null_count() or (column < 0).any():
        found = f"{column.dtype}, {column.null_count()} nulls, from {column.min()!r}"
        raise InputError.at("integers from 0 up", found, field="pairs, trial")
    doubled = frame.filter(frame.select("context", "trial").is_duplicated())
    if doubled.height:
        found = f"trial {doubled['trial'][0]} of {doubled['context'][0]!r} twice"
        raise InputError.at("each trial of a context once", found, field="pairs")
    return column.cast(pl.UInt64).to_numpy()


def pairs_frame(places: list[int], contexts: Sequence[Context], values: NDArray[np.float64]) -> pl.DataFrame:
    _, trials, _, k = values.shape
    columns: dict[str, pl.Series] = {
        "place": pl.Series(np.repeat(np.array(places, dtype=np.int64), trials)),
        "context": pl.Series([context.name for context in contexts], dtype=pl.String).gather(
            np.repeat(np.arange(len(contexts)), trials)
        ),
        "trial": pl.Series(np.tile(np.arange(trials, dtype=np.int64), len(contexts))),
    }
    for option, name in enumerate("ab"):
        rows = np.ascontiguousarray(values[:, :, option]).reshape(-1, k)
        columns[name] = pl.Series(rows, dtype=pl.Array(pl.Float64, k)).cast(pl.List(pl.Float64))
    return pl.DataFrame(columns)
