"""The way into ArviZ, whose two generations want different shapes of the same draws."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from avowal.errors import InputError

if TYPE_CHECKING:
    from avowal.stan.draws import Draws

_STATS = {
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}
"""What ArviZ's schema calls the sampler's columns."""


def converted(draws: Draws) -> Any:
    """Convert draws, as :meth:`avowal.stan.Draws.to_arviz` says.

    Parameters
    ----------
    draws
        The draws.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        By the ArviZ that is installed.

    Raises
    ------
    InputError
        Where none is installed.
    """
    try:
        with warnings.catch_warnings():
            # ArviZ 0.x announces its successor to whoever imports it.
            warnings.simplefilter("ignore", FutureWarning)
            import arviz
    except ImportError:
        raise InputError.at("ArviZ (pip install 'avowal[arviz]')", "no such package", field="to_arviz") from None
    chains, count, _ = draws.values.shape
    posterior = {}
    for name in draws.variables():
        values = draws[name]
        posterior[name] = values.reshape(chains, count, *values.shape[1:])
    stats = {_STATS[name]: values for name, values in draws.sampler.items()}
    stats["diverging"] = stats["diverging"].astype(bool)
    for name in ("tree_depth", "n_steps"):
        stats[name] = stats[name].astype(np.int64)
    attributes = {"inference_library": draws.engine, "program": draws.program, "seed": draws.seed}
    if int(arviz.__version__.partition(".")[0]) >= 1:
        tree = arviz.from_dict({"posterior": posterior, "sample_stats": stats})
        tree["posterior"].attrs.update(attributes)
        return tree
    return arviz.from_dict(posterior=posterior, sample_stats=stats, posterior_attrs=attributes)
