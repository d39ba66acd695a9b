"""Checks of arguments that every array-level and table-level call shares."""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal.errors import InputError

__all__ = ["as_floats", "as_u64", "as_u64s", "as_units", "check_columns", "room"]

_LARGEST_U64 = 2**64 - 1


def as_u64(field: str, value: SupportsIndex) -> int:
    """Check that `value` is an integer from 0 to 2**64 - 1.

    Parameters
    ----------
    field
        The argument that an error names.
    value
        Anything that is an integer, NumPy's included.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If it is none, or out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError.at("an integer", repr(value), field=field) from None
    if not 0 <= number <= _LARGEST_U64:
        raise InputError.at("an integer from 0 to 2**64 - 1", number, field=field)
    return number


def as_u64s(field: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Check that `values` are integers from 0 to 2**64 - 1, of that shape.

    Parameters
    ----------
    field
        The argument that an error names.
    values
        Anything that NumPy takes for an array of integers.
    shape
        The shape it must have.

    Returns
    -------
    ndarray
        Contiguous.

    Raises
    ------
    InputError
        For another shape, or anything but such integers.
    """
    # As objects, since NumPy makes floats of a list that mixes integers below and above 2**63.
    array = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
    if array.shape != shape:
        raise InputError.at(f"shape {shape}", f"shape {array.shape}", field=field)
    if array.dtype.kind == "u":
        return np.asarray(array, dtype=np.uint64, order="C")
    return np.array([as_u64(field, value) for value in array.ravel().tolist()], dtype=np.uint64).reshape(shape)


def as_units(units: ArrayLike | None, count: int) -> NDArray[np.uint64]:
    """Check `count` unit ids; without any, they are 0, 1, 2, ...

    Parameters
    ----------
    units
        Integers from 0 to 2**64 - 1, shape (count,), or None.
    count
        How many there must be.

    Returns
    -------
    ndarray, shape (count,)

    Raises
    ------
    InputError
        For another shape, or anything but such integers.
    """
    return np.arange(count, dtype=np.uint64) if units is None else as_u64s("units", units, (count,))


def as_floats(field: str, values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    """Take numbers as a contiguous float64 array; copies where they are not one already.

    Parameters
    ----------
    field
        The argument that an error names.
    values
        Anything that NumPy takes for an array of real numbers.
    dimensions
        How many dimensions it must have.

    Returns
    -------
    ndarray

    Raises
    ------
    InputError
        If the values are no real numbers, or have other dimensions.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise InputError.at("a plain array (NaN where y has no choice)", "a masked array", field=field)
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "biuf":
            raise InputError.at("an array of real numbers", f"dtype {raw.dtype}", field=field)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError.at("an array of real numbers", error, field=field) from None
    if raw.ndim != dimensions:
        raise InputError.at(f"{dimensions} dimensions", f"shape {raw.shape}", field=field)
    return np.asarray(raw, dtype=np.float64, order="C")


def check_columns(name: str, frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Check that a table has the columns that are needed.

    Parameters
    ----------
    name
        The table, as an error names it.
    frame
        The table.
    columns
        The names of the columns.

    Raises
    ------
    InputError
        For the first that is missing.
    """
    for column in columns:
        if column not in frame.columns:
            raise InputError.at(f"a column {column!r}", f"columns {frame.columns}", field=name)


def room(field: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Find memory for numbers that are yet to be written.

    Parameters
    ----------
    field
        The argument that decides their number, which an error names.
    shape
        The shape that they will have.

    Returns
    -------
    ndarray
        Flat, with arbitrary numbers.

    Raises
    ------
    InputError
        If they do not fit into memory.
    """
    try:
        return np.empty(shape).reshape(-1)
    except (MemoryError, OverflowError, ValueError):
        raise InputError.at("as many as fit into memory", shape, field=field) from None
