"""Other ways to fit agents again to resamples: as those of `peers`, with counts (agents, resamples, trials) besides.

All start at the agent's own fit and return (agents, resamples, attributes + 1). All resamples of an agent share its
design, so that the parts of each Newton step are matrix products: log odds, gradients, and the entries of the
curvature, which are weights times the products of the design's columns.
"""

from collections.abc import Callable

import numpy as np

from peers import YARDSTICK, Floats, installed, numpy_blocked, penalty, scikit_model, solved, yardstick

Refit = Callable[[Floats, Floats, Floats], Floats]

STEPS = 5
"""Newton steps from the agent's own fit that leave a gradient below 1e-8 for all of 100,000 resamples."""


def lower(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lower triangle's entries."""
    return np.tril_indices(width)


def numpy_products() -> Refit:
    start = numpy_blocked()

    def refit(x: Floats, y: Floats, counts: Floats) -> Floats:
        """All resamples of an agent at once, which was found fastest; those that have arrived leave."""
        width = x.shape[2] + 1
        ridge, (above, beside) = penalty(width - 1), lower(width)
        out = np.empty((*counts.shape[:2], width))
        out[:] = start(x, y)[:, None]
        for agent in range(len(x)):
            design = np.column_stack([x[agent], np.ones(x.shape[1])])
            transposed, products = np.ascontiguousarray(design.T), design[:, above] * design[:, beside]
            often, live = counts[agent], np.arange(counts.shape[1])
            while len(live):
                now = out[agent, live]
                p = 1 / (1 + np.exp(-(now @ transposed)))
                gradient = (often * (y[agent] - p)) @ design - ridge * now
                entries = (often * (p * (1 - p))) @ products
                curvature = np.empty((len(live), width, width))
                curvature[:, above, beside] = curvature[:, beside, above] = entries
                step = np.linalg.solve(curvature + np.diag(ridge), gradient[:, :, None])[:, :, 0]
                out[agent, live] = now + step
                # Newton's error squares: a last step below 1e-5 leaves a gradient below 1e-8.
                moving = np.abs(step).max(axis=1) > 1e-5
                if not moving.all():
                    live, often = live[moving], often[moving]
        return out

    return refit


def jax_products() -> Refit:
    import jax

    jax.config.update("jax_enable_x64", True)

    def newton(design: jax.Array, y: jax.Array, counts: jax.Array, theta: jax.Array, steps: int) -> jax.Array:
        """Resamples along the last axis; XLA's solvers would take the small systems one by one."""
        width = design.shape[1]
        above, beside = lower(width)
        products = (design[:, above] * design[:, beside]).T
        ridge = penalty(width - 1)
        for _ in range(steps):
            p = jax.nn.sigmoid(design @ theta)
            gradient = design.T @ (counts * (y[:, None] - p)) - ridge[:, None] * theta
            entries = products @ (counts * p * (1 - p))
            matrix = [
                [entries[i * (i + 1) // 2 + j] + (ridge[i] if i == j else 0.0) for j in range(i + 1)]
                for i in range(width)
            ]
            theta = theta + jax.numpy.stack(solved(matrix, list(gradient)))
        return theta

    @jax.jit
    def refit_one(x: jax.Array, y: jax.Array, counts: jax.Array) -> jax.Array:
        design = jax.numpy.column_stack([x, jax.numpy.ones(len(x))])
        width = design.shape[1]
        own = newton(design, y, jax.numpy.ones((len(x), 1)), jax.numpy.zeros((width, 1)), 7)
        start = jax.numpy.broadcast_to(own, (width, len(counts)))
        return newton(design, y, counts.T, start, STEPS).T

    def refit(x: Floats, y: Floats, counts: Floats) -> Floats:
        """One agent a call: its resamples' arrays fit into the processor's cache."""
        return np.stack([refit_one(*agent) for agent in zip(x, y, counts, strict=True)])

    return refit


def scikit_learn() -> Refit:
    import sklearn

    def refit(x: Floats, y: Floats, counts: Floats) -> Floats:
        out = np.empty((*counts.shape[:2], x.shape[2] + 1))
        model = scikit_model("newton-cholesky")
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            for agent, resample in np.ndindex(*counts.shape[:2]):
                model.fit(x[agent], y[agent], sample_weight=counts[agent, resample])
                out[agent, resample, :-1], out[agent, resample, -1] = model.coef_[0], model.intercept_[0]
        return out

    return refit


def resamplers() -> dict[str, tuple[Refit, bool]]:
    """Return those that are here, and whether each takes one resample at a time."""
    found: dict[str, tuple[Refit, bool]] = {}
    if YARDSTICK.exists():
        found["C reference, AVX-512"] = yardstick().bootstrap, False
    if installed("jax"):
        found["JAX, matrix products"] = jax_products(), False
    found["NumPy, matrix products"] = numpy_products(), False
    found["scikit-learn, newton-cholesky"] = scikit_learn(), True
    return found
