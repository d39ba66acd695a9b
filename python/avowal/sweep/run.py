"""Runs: every missing replicate of every cell is simulated, here or elsewhere, and kept as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avowal.quantities import Settings
from avowal.simulate import FIGURES, simulate
from avowal.sweep.estimands import COLUMNS
from avowal.sweep.grid import Cell
from avowal.sweep.pairs import designs
from avowal.sweep.store import Store

__all__ = ["CHUNK", "Chunk", "Executor", "here", "missing", "run", "simulate_chunk"]

Floats = NDArray[np.float64]

CHUNK = 100
"""Replicates that are simulated in one go: what Ctrl-C can lose of a cell."""

WRITE_EVERY = 30.0
"""Seconds after which the replicates of an unfinished cell are written."""

_PLACES = [FIGURES.index(name) for name in COLUMNS]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Replicates of one cell that follow each other.

    Attributes
    ----------
    key
        The cell's.
    settings, pairs, seed
        What is simulated: the cell's settings, how it draws pairs, its own seed.
    first, count
        The replicates.
    level
        Of the intervals.
    """

    key: str
    settings: Settings
    pairs: str
    seed: int
    first: int
    count: int
    level: float


Executor = Callable[[Iterable[Chunk]], Iterator[tuple[Chunk, Floats]]]
"""Simulates chunks and yields each with its figures, in any order."""


def simulate_chunk(chunk: Chunk, threads: int) -> Floats:
    """Simulate a chunk.

    Parameters
    ----------
    chunk
        Which replicates of what.
    threads
        0 for one per core; the figures don't depend on it.

    Returns
    -------
    ndarray, shape (count, columns)
        The figures of :data:`~avowal.sweep.estimands.COLUMNS`; NaN where a replicate gives no number.
    """
    found = simulate(
        chunk.settings,
        chunk.count,
        seed=chunk.seed,
        first=chunk.first,
        level=chunk.level,
        threads=threads,
        designs=designs(chunk.settings, chunk.pairs),
    )
    return found.figures[:, 0, _PLACES]


def here(threads: int = 0) -> Executor:
    """Return the executor that simulates one chunk after another in this process, on that many threads."""

    def execute(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Floats]]:
        for chunk in chunks:
            yield chunk, simulate_chunk(chunk, threads)

    return execute


def missing(cell: Cell, replicates: int, seed: int, level: float, store: Store) -> list[Chunk]:
    """List the chunks of a cell that a store lacks.

    Parameters
    ----------
    cell
        Of a sweep.
    replicates
        How many it is to have, from number 0.
    seed, level
        Of the sweep.
    store
        What is there.

    Returns
    -------
    list of Chunk
        Runs of at most :data:`CHUNK` replicates, ascending.
    """
    key = cell.key(seed, level)
    there, _ = store.load(key)
    lacking = np.setdiff1d(np.arange(replicates, dtype=np.uint64), there)
    runs = np.split(lacking, np.flatnonzero(np.diff(lacking) != 1) + 1)
    return [
        Chunk(key, cell.settings, cell.pairs, cell.seed(seed), int(part[0]), len(part), level)
        for one in runs
        for part in np.split(one, range(CHUNK, len(one), CHUNK))
        if len(part)
    ]


def run(chunks: Sequence[Chunk], store: Store, executor: Executor, progress: Callable[[int], None]) -> None:
    """Simulate chunks and store them: a cell when it is finished, after some time, and when the run ends in any way.

    Parameters
    ----------
    chunks
        What to simulate; the chunks of a cell follow each other.
    store
        Takes the figures.
    executor
        Simulates.
    progress
        Called with the number of replicates that have just been simulated.
    """
    left: dict[str, int] = {}
    for chunk in chunks:
        left[chunk.key] = left.get(chunk.key, 0) + 1
    held: dict[str, list[tuple[Chunk, Floats]]] = {}
    written = time.monotonic()
    try:
        for chunk, figures in executor(chunks):
            held.setdefault(chunk.key, []).append((chunk, figures))
            left[chunk.key] -= 1
            late = time.monotonic() - written > WRITE_EVERY
            for key in [*held] if late else [chunk.key] if left[chunk.key] == 0 else []:
                # Forgotten after it is written: what interrupts the writing leaves it for the last one.
                _keep(store, key, held[key])
                del held[key]
                written = time.monotonic()
            progress(chunk.count)
    finally:
        for key, found in held.items():
            _keep(store, key, found)


def _keep(store: Store, key: str, found: list[tuple[Chunk, Floats]]) -> None:
    numbers = [np.arange(chunk.first, chunk.first + chunk.count, dtype=np.uint64) for chunk, _ in found]
    store.add(key, np.concatenate(numbers), np.concatenate([figures for _, figures in found]))
