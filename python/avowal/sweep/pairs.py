"""Pairs that are not uniform: designs that the agents of a simulated study go through in turn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avowal.optimal import optimal_differences
from avowal.quantities import Settings

__all__ = ["DESIGNS", "designs"]

Floats = NDArray[np.float64]

DESIGNS = 50
"""How many designs are made for each number of attributes and decisions; agents take them in turn.

They are the same in every cell and sweep, and made at the defaults of :func:`avowal.optimal.optimal_differences`: who
plans a study doesn't know yet how sharply its agents will choose."""


def designs(settings: Settings, pairs: str) -> Mapping[str, Floats] | None:
    """Make the designs of a cell.

    Parameters
    ----------
    settings
        Of the cell: attributes and decisions.
    pairs
        ``uniform`` or ``d-optimal``.

    Returns
    -------
    mapping of str to ndarray, or None
        By group, differences of shape (designs, trials, attributes); None for uniform pairs, which each agent draws.
    """
    if pairs == "uniform":
        return None
    trials = {"trained": settings.trained_decisions, "native": settings.native_decisions}
    return {group: _made(int(settings.attributes), int(count)) for group, count in trials.items()}


@lru_cache(maxsize=16)
def _made(attributes: int, trials: int) -> Floats:
    return optimal_differences(attributes, trials, DESIGNS, seed=0)
