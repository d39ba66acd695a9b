"""Other ways to fit the same posterior modes: each takes (agents, trials, attributes) and choices of 0.0 and 1.0.

All maximise the log likelihood less half the squared slopes; the intercept is free. A peer that isn't installed is left
out. Those written here are as fast as their language was found to allow: agents along the axis that vectorises.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Fit = Callable[[Floats, Floats], Floats]

YARDSTICK = Path(__file__).parents[2] / "shared" / "yardstick"
"""A C reference that is no part of this project, beside the repository where its authors have it."""


def penalty(attributes: int) -> Floats:
    """On slopes and, last, the intercept."""
    return np.append(np.ones(attributes), 0.0)


def scikit_model(solver: str) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, solver=solver, tol=1e-6, max_iter=1_000)


def scikit_learn(solver: str) -> Fit:
    import sklearn

    def fit(x: Floats, y: Floats) -> Floats:
        out = np.empty((len(x), x.shape[2] + 1))
        model = scikit_model(solver)
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            for i in range(len(x)):
                model.fit(x[i], y[i])
                out[i, :-1], out[i, -1] = model.coef_[0], model.intercept_[0]
        return out

    return fit


def statsmodels() -> Fit:
    from statsmodels.base._penalized import PenalizedMixin
    from statsmodels.base._penalties import L2
    from statsmodels.discrete.discrete_model import Logit

    class PenalizedLogit(PenalizedMixin, Logit):
        """statsmodels's own mixin on its own model; with Newton the fastest of its penalised fits on these data."""

    def fit(x: Floats, y: Floats) -> Floats:
        out = np.empty((len(x), x.shape[2] + 1))
        ones, weights = np.ones((x.shape[1], 1)), penalty(x.shape[2]) / 2
        for i in range(len(x)):
            model = PenalizedLogit(y[i], np.hstack([x[i], ones]), penal=L2(weights=weights), pen_weight=1.0)
            out[i] = model.fit(method="newton", tol=1e-8, disp=False).params
        return out

    return fit


def numpy_blocked() -> Fit:
    def fit(x: Floats, y: Floats) -> Floats:
        """Newton on blocks of agents that fit into the processor's cache; agents that have arrived leave the block."""
        ridge = penalty(x.shape[2])
        out = np.zeros((len(x), len(ridge)))
        for start in range(0, len(x), 256):
            block = slice(start, start + 256)
            design = np.concatenate([x[block], np.ones((*x[block].shape[:2], 1))], axis=2)
            transposed, choices = np.ascontiguousarray(design.transpose(0, 2, 1)), y[block]
            live = start + np.arange(len(design))
            while len(live):
                now = out[live]
                p = 1 / (1 + np.exp(-np.matmul(design, now[:, :, None])[:, :, 0]))
                gradient = np.matmul(transposed, (choices - p)[:, :, None])[:, :, 0] - ridge * now
                curvature = np.matmul(transposed * (p * (1 - p))[:, None, :], design) + np.diag(ridge)
                step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
                out[live] = now + step
                # Newton's error squares: a last step below 1e-5 leaves a gradient below 1e-9.
                moving = np.abs(step).max(axis=1) > 1e-5
                if not moving.all():
                    live, choices = live[moving], choices[moving]
                    design, transposed = design[moving], transposed[moving]
        return out

    return fit


def solved(matrix: list[list[Any]], rest: list[Any]) -> list[Any]:
    """Solve many small symmetric systems, given by arrays of the lower triangle's entries, entry by entry."""
    width = len(matrix)
    lower: list[list[Any]] = []
    pivots: list[Any] = []
    for i in range(width):
        row: list[Any] = []
        for j in range(i + 1):
            above = lower[j] if j < i else row
            entry = matrix[i][j] - sum(row[k] * above[k] * pivots[k] for k in range(j))
            if j < i:
                row.append(entry / pivots[j])
            else:
                pivots.append(entry)
        lower.append(row)
    out = list(rest)
    for i in range(width):
        out[i] = out[i] - sum(lower[i][k] * out[k] for k in range(i))
    out = [r / d for r, d in zip(out, pivots, strict=True)]
    for i in reversed(range(width)):
        out[i] = out[i] - sum(lower[k][i] * out[k] for k in range(i + 1, width))
    return out


def jax_modes() -> Any:
    import jax

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def modes(x: jax.Array, y: jax.Array) -> jax.Array:
        """Six Newton steps, written out entry by entry: XLA's batched solvers take one small matrix at a time."""
        columns = [*x.transpose(2, 1, 0), jax.numpy.ones_like(y.T)]
        width, choices = len(columns), y.T
        theta = [jax.numpy.zeros(len(x))] * width
        for _ in range(6):
            p = jax.nn.sigmoid(sum(c * t for c, t in zip(columns, theta, strict=True)))
            weight, residual = p * (1 - p), choices - p
            rest = [
                (residual * c).sum(0) - (t if i < width - 1 else 0)
                for i, (c, t) in enumerate(zip(columns, theta, strict=True))
            ]
            curvature = [
                [(weight * columns[i] * columns[j]).sum(0) + (1.0 if i == j < width - 1 else 0.0) for j in range(i + 1)]
                for i in range(width)
            ]
            rest = solved(curvature, rest)
            theta = [t + s for t, s in zip(theta, rest, strict=True)]
        return jax.numpy.stack(theta, axis=1)

    return modes


def jax_batched() -> Fit:
    modes = jax_modes()
    return lambda x, y: np.asarray(modes(x, y))


def numba_lanes(*, own_exponential: bool) -> Fit:
    import numba

    from lanes import LANES, climb, newton

    # np.exp is a call for each agent, and fewer agents side by side are then the fastest.
    lanes = LANES if own_exponential else 16
    step = climb if own_exponential else newton(np.exp, lanes)

    @numba.njit
    def fit(x: Floats, y: Floats) -> Floats:
        agents, trials, attributes = x.shape
        out = np.empty((agents, attributes + 1))
        design, choices = np.ones((trials, attributes + 1, lanes)), np.empty((trials, lanes))
        theta = np.empty((attributes + 1, lanes))
        for start in range(0, agents, lanes):
            for a in range(lanes):
                agent = min(start + a, agents - 1)
                for t in range(trials):
                    choices[t, a] = y[agent, t]
                    for i in range(attributes):
                        design[t, i, a] = x[agent, t, i]
            theta[:] = 0.0
            step(design, choices, theta)
            for a in range(min(lanes, agents - start)):
                out[start + a] = theta[:, a]
        return out

    return fit


def yardstick() -> Any:
    sys.path.insert(0, str(YARDSTICK))
    return importlib.import_module("yardstick").load()


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def peers() -> dict[str, tuple[Fit, bool]]:
    """Return the peers that are here, and whether each takes one agent at a time."""
    found: dict[str, tuple[Fit, bool]] = {}
    if YARDSTICK.exists():
        found["C reference, AVX-512"] = yardstick().fit, False
    if installed("jax"):
        found["JAX, batched Newton"] = jax_batched(), False
    if installed("numba"):
        found["Numba, agents in lanes"] = numba_lanes(own_exponential=False), False
        found["Numba, agents in lanes, own exponential"] = numba_lanes(own_exponential=True), False
    found["NumPy, batched Newton"] = numpy_blocked(), False
    found["scikit-learn, lbfgs"] = scikit_learn("lbfgs"), True
    found["scikit-learn, newton-cholesky"] = scikit_learn("newton-cholesky"), True
    found["statsmodels, penalised Logit"] = statsmodels(), True
    return found
