"""Recovery of weights: how well choices tell the weights that they were made by, before anybody is asked anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.agents import Rule, rule_parameters
from avowal.checks import as_u64
from avowal.design import ranges
from avowal.estimators import Estimator, resolve

__all__ = ["Recovery", "recovery_arrays"]


class Recovery(NamedTuple):
    """How well learned weights follow target weights, replicate by replicate: arrays of shape (replicates,)."""

    r: NDArray[np.float64]
    """Pearson's correlation over the attributes of all agents; NaN where nothing varies."""
    r_within: NDArray[np.float64]
    """The mean of the agents' own correlations, where three attributes or more define one."""
    agents: NDArray[np.int64]
    """Agents with learned weights: those whose choices are not all alike."""


def recovery_arrays(
    mins: ArrayLike,
    maxs: ArrayLike,
    *,
    agents: int,
    trials: int,
    replicates: int,
    rule: Rule,
    seed: int,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    first: int = 0,
    threads: int = 0,
) -> Recovery:
    """Draw agents, let them decide, fit their choices, and hold learned weights against target weights.

    Agent i of replicate r is the unit ``r * agents + i`` of :func:`avowal.agents.targets_arrays` and of
    :func:`avowal.agents.decisions_arrays`, with context ``unit % contexts``; the fit is that of
    :func:`avowal.fit.coefficients_arrays`, its slopes scaled so that the largest absolute one is 100, where the agent's
    choices are not all alike. The same numbers as of these calls one by one, but nothing is stored between them.

    Parameters
    ----------
    mins, maxs
        Bounds of attributes in their own units, shape (contexts, attributes): 1 to 12 attributes. From contexts:
        ``*avowal.contexts.arrays(contexts)``.
    agents
        Per replicate.
    trials
        Decisions per agent, more than attributes.
    replicates
        How often the study is done.
    rule
        How differences become choices, the same for all agents: its parameters are numbers.
    seed
        From 0 to 2**64 - 1.
    estimator, intercept
        As for :func:`avowal.fit.coefficients_arrays`: "map", "ridge", Map(...) or Ridge(...).
    first
        The number of the first replicate: replicates 5 to 9 are the same alone and as part of 0 to 99.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    Recovery

    Raises
    ------
    InputError
        For bounds that are none, numbers out of range, or another estimator.

    Examples
    --------
    >>> from avowal.agents import Logistic
    >>> found = recovery_arrays(
    ...     [[0, 0, 1]], [[100, 1, 9]], agents=50, trials=30, replicates=3, rule=Logistic(5.0), seed=1
    ... )
    >>> found.r.round(2).tolist(), found.agents.tolist()
    ([0.94, 0.95, 0.96], [50, 50, 50])
    """
    low, high = ranges(mins, maxs)
    name, numbers = resolve(estimator)
    flat = _core.recovery(
        low.ravel(),
        high.ravel(),
        low.shape[1],
        rule_parameters(rule, 1).ravel(),
        as_u64("agents", agents),
        as_u64("trials", trials),
        name,
        numbers,
        intercept,
        as_u64("seed", seed),
        as_u64("first", first),
        as_u64("replicates", replicates),
        as_u64("threads", threads),
    )
    r, r_within, fitted = flat.reshape(-1, 3).T
    return Recovery(r, r_within, fitted.astype(np.int64))
