"""Pairs that are not uniform: designs that the agents of a simulated study go through in turn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avowal.quantities import Settings

__all__ = ["DESIGNS", "designs"]

Floats = NDArray[np.float64]

DESIGNS = 50
"""How many designs are made for each group; its agents take them in turn."""


def designs(settings: Settings, pairs: str, seed: int) -> Mapping[str, Floats] | None:
    """Make the designs of a cell.

    Parameters
    ----------
    settings
        Of the cell: attributes, decisions, and the inverse temperatures for which the pairs are to be best.
    pairs
        ``uniform`` or ``d-optimal``.
    seed
        The cell's.

    Returns
    -------
    mapping of str to ndarray, or None
        By group, differences of shape (designs, trials, attributes); None for uniform pairs, which each agent draws.
    """
    if pairs == "uniform":
        return None
    groups = {
        "trained": (settings.trained_decisions, settings.trained.inverse_temperature),
        "native": (settings.native_decisions, settings.native.inverse_temperature),
    }
    return {
        name: _made(int(settings.attributes), int(trials), float(temperature), seed)
        for name, (trials, temperature) in groups.items()
    }


@lru_cache(maxsize=16)
def _made(attributes: int, trials: int, inverse_temperature: float, seed: int) -> Floats:
    from avowal.optimal import optimal_differences

    return optimal_differences(attributes, trials, DESIGNS, seed=seed, inverse_temperature=inverse_temperature)
