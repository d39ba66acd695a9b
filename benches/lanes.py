"""What contenders in Numba are made of: a generator, an exponential and Newton's method on agents side by side.

Loops over the last axis become vector instructions, which calls of np.random and np.exp would prevent.
"""

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
States = NDArray[np.uint64]

LANES = 64
"""Agents side by side: of 8 to 256 the fastest, since setting up the inner loops then costs little."""

fast = numba.njit(fastmath=True, error_model="numpy")


def states(seed: int, lanes: int) -> States:
    """Return as many states of xoshiro256+, (4, lanes), none of which is zero in practice."""
    return np.random.SeedSequence(seed).generate_state(4 * lanes, np.uint64).reshape(4, lanes)


@fast
def uniform(a: States, b: States, c: States, d: States, lane: int) -> float:
    """Draw from 0 to 1, 1 excluded, 53 bits, by xoshiro256+; the four words of each lane's state are in four arrays."""
    drawn = a[lane] + d[lane]
    shifted = b[lane] << np.uint64(17)
    third, fourth = c[lane] ^ a[lane], d[lane] ^ b[lane]
    b[lane] ^= third
    a[lane] ^= fourth
    c[lane] = third ^ shifted
    d[lane] = (fourth << np.uint64(45)) | (fourth >> np.uint64(19))
    # Signed numbers have a vector instruction that makes them floats wherever unsigned ones do.
    return np.float64(np.int64(drawn >> np.uint64(11))) * 2.0**-53


@fast
def exp(x: float) -> float:
    """Compute the exponential to about 1e-15, for numbers that neither overflow nor vanish."""
    power = np.rint(x * 1.4426950408889634)
    r = x - power * 0.6931471805599453
    e = 1 / 39916800 + r / 479001600
    e = 1 / 362880 + r * (1 / 3628800 + r * e)
    e = 1 / 5040 + r * (1 / 40320 + r * e)
    e = 1 / 120 + r * (1 / 720 + r * e)
    e = 1 / 6 + r * (1 / 24 + r * e)
    e = 1 + r * (1 + r * (1 / 2 + r * e))
    return np.int64((np.int64(power) + 1023) << 52).view(np.float64) * e


def newton(exponential: Callable[[float], float], lanes: int) -> Callable[[Floats, Floats, Floats], None]:

    @fast
    def climb(x: Floats, y: Floats, theta: Floats) -> None:
        """Newton on agents in the last axis, until the last of them has arrived; the intercept's column is 1."""
        trials, width, _ = x.shape
        curvature, rest = np.empty((width, width, lanes)), np.empty((width, lanes))
        odds, weight = np.empty(lanes), np.empty(lanes)
        for _ in range(30):
            curvature[:], rest[:] = 0.0, 0.0
            for t in range(trials):
                odds[:] = 0.0
                for i in range(width):
                    for a in range(lanes):
                        odds[a] += x[t, i, a] * theta[i, a]
                for a in range(lanes):
                    p = 1.0 / (1.0 + exponential(-odds[a]))
                    weight[a], odds[a] = p * (1.0 - p), y[t, a] - p
                for i in range(width):
                    for a in range(lanes):
                        rest[i, a] += odds[a] * x[t, i, a]
                    for j in range(i + 1):
                        for a in range(lanes):
                            curvature[i, j, a] += weight[a] * x[t, i, a] * x[t, j, a]
            for i in range(width - 1):
                for a in range(lanes):
                    rest[i, a] -= theta[i, a]
                    curvature[i, i, a] += 1.0
            for j in range(width):
                for k in range(j):
                    for a in range(lanes):
                        curvature[j, j, a] -= curvature[j, k, a] ** 2 * curvature[k, k, a]
                for i in range(j + 1, width):
                    for k in range(j):
                        for a in range(lanes):
                            curvature[i, j, a] -= curvature[i, k, a] * curvature[j, k, a] * curvature[k, k, a]
                    for a in range(lanes):
                        curvature[i, j, a] /= curvature[j, j, a]
            for i in range(width):
                for k in range(i):
                    for a in range(lanes):
                        rest[i, a] -= curvature[i, k, a] * rest[k, a]
            for i in range(width - 1, -1, -1):
                for a in range(lanes):
                    rest[i, a] /= curvature[i, i, a]
                for k in range(i + 1, width):
                    for a in range(lanes):
                        rest[i, a] -= curvature[k, i, a] * rest[k, a]
            largest = 0.0
            for i in range(width):
                for a in range(lanes):
                    theta[i, a] += rest[i, a]
                    largest = max(largest, abs(rest[i, a]))
            if largest < 1e-5:
                return

    return climb


climb = newton(exp, LANES)
