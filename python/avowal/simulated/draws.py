"""Draws: the simulated provider's random numbers, each found again by the words that say what it is for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avowal.rng import Purpose, normals, uniforms, unit_id

Floats = NDArray[np.float64]


def uniform(seed: int, *words: str, size: int = 1, nth: int = 0) -> Floats:
    """Draw uniforms on [0, 1) that these words, the seed and `nth` alone decide, shape (size,)."""
    return uniforms(seed, Purpose.SIMULATED_PROVIDER, unit_id("\x1e".join(words)), nth, size)


def normal(seed: int, *words: str, size: int = 1, nth: int = 0) -> Floats:
    """Draw standard normals that these words, the seed and `nth` alone decide, shape (size,)."""
    return normals(seed, Purpose.SIMULATED_PROVIDER, unit_id("\x1e".join(words)), nth, size)


def by_attribute(seed: int, names: tuple[str, ...], *words: str) -> Floats:
    """Draw a standard normal for each attribute, which the others don't touch, shape (attributes,)."""
    return np.array([normal(seed, *words, name)[0] for name in names])


def shared(seed: int, names: tuple[str, ...], share: float, common: tuple[str, ...], own: tuple[str, ...]) -> Floats:
    """Draw standard normals that correlate `share` between those who have `common` alone in common."""
    drawn = np.sqrt(1 - share) * by_attribute(seed, names, *own) if share < 1 else np.zeros(len(names))
    return drawn + np.sqrt(share) * by_attribute(seed, names, *common) if share > 0 else drawn
