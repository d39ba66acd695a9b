"""Labels of contexts, models and groups, numbered as the engine takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from avowal.errors import InputError

__all__ = ["codes_of", "factor"]

Labels = npt.NDArray[np.int64]


def factor(labels: npt.ArrayLike, name: str) -> tuple[npt.NDArray[Any], Labels]:
    """Return the distinct labels in ascending order, and the place of each label among them."""
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InputError.at("one dimension", f"shape {array.shape}", field=name)
    try:
        names, codes = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise InputError.at("labels of one kind", error, field=name) from error
    return names, np.ascontiguousarray(codes, dtype=np.int64)


def codes_of(labels: npt.ArrayLike | None, entries: int, name: str) -> Labels:
    """Return the place of each label among the distinct ones; all zeros where there are no labels."""
    return np.zeros(entries, dtype=np.int64) if labels is None else factor(labels, name)[1]
