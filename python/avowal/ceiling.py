"""The noise ceiling: how well even perfect reports could correlate with weights that are themselves estimated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from avowal.bootstrap import agent_units, laplace_draws, scaled_draws
from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.estimators import Estimator
from avowal.fit import ArrayFit, Fit, fit_ragged
from avowal.trials import Trials

Floats = NDArray[np.float64]


def ceiling(
    result: Fit, contexts: Sequence[str], *, draws: int = 1000, seed: int = 0, threads: int = 0
) -> float | None:
    """Average the correlation of drawn scaled weights with the point estimates.

    Parameters
    ----------
    result
        Fits of one model.
    contexts
        Contexts to correlate over: those of the accuracy that is to be corrected.
    draws
        Draws from each agent's Laplace approximation; at least 1.
    seed
        From 0 to 2**64 - 1.
    threads
        0 for one per core; the result doesn't depend on it.

    Returns
    -------
    float or None
        The mean over draws; an accuracy divided by it is corrected for the error of estimated weights. None without
        an estimate.

    Raises
    ------
    InputError
        Where a number is out of range.
    """
    if draws < 1:
        raise InputError.at("at least 1", draws, field="draws")
    wanted, points, drawn = set(contexts), [], []
    for trials, fit in result.parts:
        slopes = laplace_draws(fit, draws, seed=seed, units=agent_units(trials), threads=threads)
        for agent, (_, name) in enumerate(trials.keys):
            if name in wanted and np.isfinite(fit.scaled[agent]).all() and np.isfinite(slopes[agent]).all():
                points.append(fit.scaled[agent])
                drawn.append(scaled_draws(slopes[agent]))
    if not points:
        return None
    point = np.concatenate(points)
    if len(point) < 3 or np.ptp(point) == 0:
        return None
    matrix = np.concatenate(drawn, axis=1)
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    away = point - point.mean()
    return float((centred @ away / np.sqrt((centred**2).sum(axis=1) * (away @ away))).mean())


def split_half(result: Fit, *, estimator: Estimator | str = "map", intercept: bool = True) -> float | None:
    """Estimate the reliability of estimated weights from odd and even trials.

    Parameters
    ----------
    result
        Fits of one model, for their trials.
    estimator, intercept
        As the fits were made.

    Returns
    -------
    float or None
        Spearman-Brown corrected correlation of the scaled weights of both halves; None where they have none.
    """
    halves: tuple[list[Floats], list[Floats]] = ([], [])
    for trials, _ in result.parts:
        odd = trials.position() % 2 == 1
        fits = [_refit(trials.select(which), estimator, intercept) for which in (odd, ~odd)]
        usable = np.isfinite(fits[0].scaled).all(axis=1) & np.isfinite(fits[1].scaled).all(axis=1)
        for half, fit in zip(halves, fits, strict=True):
            half.append(fit.scaled[usable].ravel())
    if not halves[0]:
        return None
    r = pearson(np.concatenate(halves[0]), np.concatenate(halves[1])).r
    return None if r is None or r <= -1 else 2 * r / (1 + r)


def corrected(r: float | None, top: float | None) -> float | None:
    """Divide a correlation by its ceiling.

    Parameters
    ----------
    r, top
        The correlation and its ceiling.

    Returns
    -------
    float or None
        None unless both exist and the ceiling is positive.
    """
    return r / top if r is not None and top is not None and top > 0 else None


def _refit(trials: Trials, estimator: Estimator | str, intercept: bool) -> ArrayFit:
    return fit_ragged(trials.differences, trials.choices, trials.offsets, estimator=estimator, intercept=intercept)
