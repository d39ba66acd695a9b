"""Random streams: one independent, seekable sequence of numbers per (seed, purpose, unit, replicate)."""

from __future__ import annotations

import hashlib
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from avowal import _core
from avowal.checks import as_u64

__all__ = ["Purpose", "normals", "uniforms", "unit_id"]


class Purpose(IntEnum):
    """What a stream is for; the numbers are part of every key and are never given to another purpose."""

    TARGETS = 1
    PAIRS = 2
    CHOICES = 3
    REPORTS = 4
    TRIAL_BOOTSTRAP = 5
    CONTEXT_BOOTSTRAP = 6
    LAPLACE = 7
    HALVES = 8
    STUDY_AGENTS = 9
    STUDY_DECISIONS = 10
    STUDY_REPORTS = 11
    OPTIMAL_PAIRS = 12
    SIMULATED_PROVIDER = 13
    OPTION_ORDER = 14
    SHUFFLED_TARGETS = 15
    USER = 255


def uniforms(
    seed: int, purpose: Purpose, unit: int, replicate: int, size: int, *, offset: int = 0
) -> NDArray[np.float64]:
    """Draw uniforms on [0, 1), multiples of 2**-53, from one stream.

    The stream is the ChaCha8 generator whose key is the four numbers, so that streams are independent by construction.

    Parameters
    ----------
    seed, unit, replicate
        From 0 to 2**64 - 1.
    purpose
        What the numbers are for; :attr:`Purpose.USER` for anything of your own.
    size
        How many numbers.
    offset
        How many numbers of the stream to skip.

    Returns
    -------
    ndarray, shape (size,)

    Raises
    ------
    InputError
        For a number out of range.

    Examples
    --------
    >>> bool(uniforms(1, Purpose.USER, 0, 0, 5)[3] == uniforms(1, Purpose.USER, 0, 0, 1, offset=3)[0])
    True
    """
    return _core.uniforms(*_key(seed, purpose, unit, replicate), as_u64("size", size), as_u64("offset", offset))


def normals(
    seed: int, purpose: Purpose, unit: int, replicate: int, size: int, *, offset: int = 0
) -> NDArray[np.float64]:
    """Draw standard normals from one stream: the quantile function of one uniform each.

    Parameters
    ----------
    seed, purpose, unit, replicate, size, offset
        As for :func:`uniforms`.

    Returns
    -------
    ndarray, shape (size,)
        All finite.

    Raises
    ------
    InputError
        For a number out of range.
    """
    return _core.normals(*_key(seed, purpose, unit, replicate), as_u64("size", size), as_u64("offset", offset))


def unit_id(name: str) -> int:
    """Turn a context's name into the unit of its streams: the first 8 bytes of its BLAKE2b digest, little endian.

    Parameters
    ----------
    name
        The name, hashed as UTF-8.

    Returns
    -------
    int
        From 0 to 2**64 - 1, the same on every machine.

    Examples
    --------
    >>> unit_id("loose_leaf_tea")
    2578344550710043658
    """
    return int.from_bytes(hashlib.blake2b(name.encode()).digest()[:8], "little")


def _key(seed: int, purpose: Purpose, unit: int, replicate: int) -> tuple[int, int, int, int]:
    words = {"seed": seed, "purpose": purpose, "unit": unit, "replicate": replicate}
    checked = [as_u64(field, word) for field, word in words.items()]
    return checked[0], checked[1], checked[2], checked[3]
