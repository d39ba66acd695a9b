"""Contenders against each other: one process, one core, rounds in orders of their own, ratios within rounds."""

import gc
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from avowal import InputError
from avowal.fit import coefficients_arrays
from peers import installed
from results import processor

Floats = NDArray[np.float64]


def on_one_thread() -> None:
    """Keep this process, and every pool that a peer may start, to one core; call before peers are made."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@contextmanager
def avx2() -> Iterator[None]:
    """Let the engine, which looks at every call, use AVX2 and no more."""
    before = os.environ.get("AVOWAL_SIMD")
    os.environ["AVOWAL_SIMD"] = "avx2"
    try:
        yield
    finally:
        del os.environ["AVOWAL_SIMD"]
        if before is not None:
            os.environ["AVOWAL_SIMD"] = before


def has_avx2() -> bool:
    try:
        with avx2():
            coefficients_arrays([[[0.5], [1.0]]], [[1, 0]])
    except InputError:
        return False
    return True


def choosers(seed: int, agents: int, trials: int, attributes: int) -> tuple[Floats, Floats]:
    """Differences between options and logistic choices, as of agents whose largest weight moves the log odds by 5."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(agents, trials, attributes)) - rng.uniform(size=(agents, trials, attributes))
    weights = rng.uniform(-1, 1, (agents, attributes))
    weights *= 5 / np.abs(weights).max(axis=1, keepdims=True)
    p = 1 / (1 + np.exp(-np.einsum("atk,ak->at", x, weights)))
    return x, (rng.uniform(size=p.shape) < p).astype(float)


def seconds(calls: Sequence[Callable[[], object]], rounds: int) -> Floats:
    """Return the time of every call, (rounds, calls); every round has an order of its own.

    Were it only turned, each would always find the cache as the same one left it.
    """
    orders = np.random.default_rng(rounds)
    times = np.empty((rounds, len(calls)))
    gc.disable()
    for r in range(rounds):
        for c in orders.permutation(len(calls)):
            start = time.perf_counter()
            calls[c]()
            times[r, c] = time.perf_counter() - start
        gc.collect()
    gc.enable()
    return times


def rows(names: Sequence[str], times: Floats, checks: Sequence[tuple[float, float] | None]) -> list[str]:
    """Return lines of a table: median time, median ratio to the first, largest gradient norm and difference."""
    ratios = np.median(times / times[:, :1], axis=0)
    lines = []
    for name, median, ratio, check in zip(names, np.median(times, axis=0), ratios, checks, strict=True):
        checked = " | ".join(f"{value:.0e}" for value in check) if check else " | "
        lines.append(f"| {name} | {median:,.2f} | {ratio:,.2f} | {checked} |")
    return lines


def where() -> str:
    """Return what was measured on and with."""
    packages = ("avowal", "numpy", "scikit-learn", "statsmodels", *filter(installed, ("jax", "numba")))
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{processor()}; Python {platform.python_version()}, {versions}."
