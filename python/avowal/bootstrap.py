"""Bootstrap: trials drawn with replacement within agents, and Laplace draws, for intervals of weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.account import Account
from avowal.checks import as_floats, as_u64, as_units
from avowal.contexts import Context
from avowal.display import Shown
from avowal.errors import InputError
from avowal.estimators import Estimator, resolve
from avowal.fit import ArrayFit, Fit
from avowal.rng import unit_id
from avowal.tables import WEIGHT_INTERVALS
from avowal.text import Table
from avowal.trials import Trials, as_arrays, by_name, from_arrays, from_choices

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ArrayBootstrap:
    """Bootstrap of many agents; entries are slopes (and, unscaled, the intercept last).

    Attributes
    ----------
    estimates
        Shape (agents, entries): the statistic on the data; NaN where there is none.
    lower, upper
        Shape (agents, entries): ends of the interval; NaN where `status` isn't "ok".
    standard_errors
        Shape (agents, entries): standard deviations of the draws.
    status
        Shape (agents, entries), strings: "ok", "no estimate", "no variation", "beyond the draws" (too few draws, or
        none on one side of the estimate), "undefined with one left out" (BCa: without one trial no estimate).
    undefined
        Shape (agents,): resamples without an estimate; intervals are conditional on the others.
    resamples, level, method, seed
        As asked for.
    draws
        For each agent its defined draws, shape (resamples - undefined, entries); empty unless asked for.
    """

    estimates: Floats
    lower: Floats
    upper: Floats
    standard_errors: Floats
    status: NDArray[np.str_]
    undefined: NDArray[np.uint64]
    resamples: int
    level: float
    method: str
    seed: int
    draws: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Bootstrap(Shown):
    """Intervals for the scaled weights of every agent of a table of choices.

    Attributes
    ----------
    intervals
        A table of :data:`avowal.tables.WEIGHT_INTERVALS`.
    account
        Resamples planned and valid; those without an estimate are failed.
    """

    intervals: pl.DataFrame
    account: Account

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.bootstrap(self)

    def to_frame(self) -> pl.DataFrame:
        """Return the intervals, one row for each attribute."""
        return self.intervals


def bootstrap_ragged(
    trials: Trials,
    *,
    resamples: int = 1000,
    seed: int,
    level: float = 0.95,
    method: str = "bca",
    scaled: bool = True,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    units: ArrayLike | None = None,
    keep_draws: bool = False,
    threads: int = 0,
) -> ArrayBootstrap:
    """Bootstrap the trials of each agent.

    Parameters
    ----------
    trials
        Valid choices, as from :func:`avowal.trials.from_choices`.
    resamples
        At least 2 per agent.
    seed
        From 0 to 2**64 - 1. Agent and resample have their own streams: threads and company change nothing.
    level
        Level of the intervals.
    method
        "bca" (bias-corrected and accelerated; one more fit for each trial) or "percentile".
    scaled
        Whether the statistic is the slopes scaled to a largest absolute one of 100, or slopes and intercept.
    estimator, intercept, threads
        As for :func:`avowal.fit.fit_arrays`.
    units
        One id per agent, shape (agents,), for the streams; by default its place.
    keep_draws
        Whether to return the draws.

    Returns
    -------
    ArrayBootstrap
        Intervals, with counts of the resamples that had no estimate.

    Raises
    ------
    InputError
        Where a setting is out of range.
    KeyboardInterrupt
        On Ctrl-C, within half a second.
    """
    name, numbers = resolve(estimator)
    agents, attributes = len(trials.offsets) - 1, trials.differences.shape[1]
    raw = _core.trial_bootstrap(
        *as_arrays(trials.differences, trials.choices, trials.offsets),
        name,
        numbers,
        intercept,
        as_units(units, agents),
        as_u64("resamples", resamples),
        level,
        method,
        scaled,
        as_u64("seed", seed),
        keep_draws,
        as_u64("threads", threads),
    )
    entries = attributes if scaled else attributes + intercept
    shape = (agents, entries)
    return ArrayBootstrap(
        estimates=raw["estimates"].reshape(shape),
        lower=raw["lower"].reshape(shape),
        upper=raw["upper"].reshape(shape),
        standard_errors=raw["standard_errors"].reshape(shape),
        status=np.array(raw["status"], dtype=np.str_).reshape(shape),
        undefined=raw["undefined"],
        resamples=resamples,
        level=level,
        method=method,
        seed=seed,
        draws=tuple(draws.reshape(-1, entries) for draws in raw["draws"]),
    )


def bootstrap(
    choices: pl.DataFrame,
    contexts: Iterable[Context],
    *,
    resamples: int = 1000,
    seed: int,
    level: float = 0.95,
    method: str = "bca",
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> Bootstrap:
    """Bootstrap the scaled weights of every agent of a table of choices.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`.
    contexts
        The contexts that the table names.
    resamples, seed, level, method, estimator, intercept, threads
        As for :func:`bootstrap_ragged`; an agent's streams are keyed by model and context, not by order.

    Returns
    -------
    Bootstrap
        One interval for each attribute, and the account of the resamples.

    Raises
    ------
    InputError
        Where the table or a setting isn't as described.
    """
    named = by_name(contexts)
    frames, undefined, planned = [pl.DataFrame(schema=dict(WEIGHT_INTERVALS))], 0, 0
    for trials in from_choices(choices, named.values()):
        result = bootstrap_ragged(
            trials,
            resamples=resamples,
            seed=seed,
            level=level,
            method=method,
            estimator=estimator,
            intercept=intercept,
            units=agent_units(trials),
            threads=threads,
        )
        frames.append(_frame(trials, result, named))
        undefined += int(result.undefined.sum())
        planned += resamples * len(trials.keys)
    failed = {"no estimate": undefined} if undefined else {}
    return Bootstrap(pl.concat(frames), Account(planned, planned - undefined, failed=failed))


def refits_arrays(
    x: ArrayLike,
    y: ArrayLike,
    counts: ArrayLike,
    *,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> Floats:
    """Fit every agent again and again, its trials counting as often as told each time: coefficients alone.

    Counts are the weights of cases in the log likelihood, so any resampling can be had: bootstraps of trials or of
    blocks of them, the Bayesian bootstrap, trials left out.

    Parameters
    ----------
    x
        Shape (agents, trials, attributes), as for :func:`avowal.fit.fit_arrays`; borrowed where it is a contiguous
        float64 array.
    y
        Shape (agents, trials), as for :func:`avowal.fit.fit_arrays`; borrowed where it is a contiguous array of bool or
        uint8. Trials without a choice are left out, whatever their counts.
    counts
        Shape (agents, resamples, trials), real numbers from 0 on; borrowed where it is a contiguous float64 array and
        every trial has a choice. Where they sum to more than some millions, rounding leaves no optimum to be found.
    estimator, intercept, threads
        As for :func:`avowal.fit.fit_arrays`. Posterior modes and ridge are fast; "ml" and "firth" take their time.

    Returns
    -------
    ndarray
        Shape (agents, resamples, attributes + 1): slopes, then the intercept; without an intercept (agents, resamples,
        attributes). NaN where the optimum isn't finite or unique or wasn't found; where no trial counts, the priors
        decide whether there is one. The same bits on every processor, whatever the other agents and resamples and the
        number of threads.

    Raises
    ------
    InputError
        Where shapes disagree, x isn't finite where there is a choice, y is anything else, or a count is negative,
        infinite or NaN.
    KeyboardInterrupt
        On Ctrl-C, within half a second.

    Examples
    --------
    >>> x, y = [[[0.5], [-0.2], [0.1], [-0.6]]], [[1, 1, 0, 0]]
    >>> refits_arrays(x, y, [[[1, 1, 1, 1], [0, 2, 1, 1]]]).round(3).tolist()
    [[[0.344, 0.017], [0.047, 0.011]]]
    """
    differences, choices, offsets = from_arrays(x, y)
    often, planned = as_floats("counts", counts, 3), np.shape(y)
    agents, resamples = len(offsets) - 1, often.shape[1]
    if (often.shape[0], often.shape[2]) != planned:
        expected = f"shape ({planned[0]}, resamples, {planned[1]}) as in y"
        raise InputError.at(expected, f"shape {often.shape}", field="counts")
    if len(choices) < agents * planned[1]:
        chosen = ~np.isnan(as_floats("y", y, 2))
        often = np.concatenate([own[:, which].ravel() for own, which in zip(often, chosen, strict=True)])
    name, numbers = resolve(estimator)
    flat = _core.refits(
        differences, choices, offsets, name, numbers, intercept, often.ravel(), resamples, as_u64("threads", threads)
    )
    return flat.reshape(agents, resamples, differences.shape[1] + intercept)


def laplace_draws(
    result: ArrayFit, draws: int, *, seed: int, units: ArrayLike | None = None, threads: int = 0
) -> Floats:
    """Draw slopes from the normal approximation of each agent's posterior: optimum and inverse curvature.

    Parameters
    ----------
    result
        Fits of agents.
    draws
        Draws per agent.
    seed
        From 0 to 2**64 - 1.
    units
        One id per agent, shape (agents,), for the streams; by default its place.
    threads
        0 for one per core; the result doesn't depend on it.

    Returns
    -------
    ndarray
        Shape (agents, draws, attributes); NaN for agents without an estimate.

    Raises
    ------
    InputError
        Where `draws` is negative.
    """
    agents, attributes = result.slopes.shape
    flat = _core.laplace_draws(
        np.ascontiguousarray(result.slopes).ravel(),
        np.ascontiguousarray(result.covariance).ravel(),
        attributes,
        as_u64("draws", draws),
        as_units(units, agents),
        as_u64("seed", seed),
        as_u64("threads", threads),
    )
    return flat.reshape(agents, draws, attributes)


def scaled_draws(slopes: Floats) -> Floats:
    """Scale each draw to a largest absolute slope of 100.

    Parameters
    ----------
    slopes
        Shape (..., attributes).

    Returns
    -------
    ndarray
        Of the same shape.
    """
    scaled: Floats = slopes / np.abs(slopes).max(axis=-1, keepdims=True) * 100.0
    return scaled


def laplace_intervals(result: Fit, *, draws: int = 1000, seed: int = 0, level: float = 0.95) -> pl.DataFrame:
    """Give each scaled weight the equal-tailed interval of its Laplace draws.

    Parameters
    ----------
    result
        Fits of one model or several.
    draws
        Draws per agent; at least 1.
    seed
        From 0 to 2**64 - 1; the draws are those behind the noise ceiling of the same seed.
    level
        Level of the intervals.

    Returns
    -------
    polars.DataFrame
        Columns model, context, position, low, high; null where there is no scaled weight, or no curvature to draw from.

    Raises
    ------
    InputError
        Where a number is out of range.

    Notes
    -----
    The largest weight of a context is ±100 in most draws, so its interval ends there or is that point.
    """
    if draws < 1:
        raise InputError.at("at least 1", draws, field="draws")
    if not 0 < level < 1:
        raise InputError.at("a number between 0 and 1", level, field="level")
    rows: list[tuple[str, str, int, float | None, float | None]] = []
    for trials, fitted in result.parts:
        drawn = laplace_draws(fitted, draws, seed=seed, units=agent_units(trials))
        scaled, finite = np.isfinite(fitted.scaled), np.isfinite(drawn)
        known = np.logical_and(scaled.all(axis=1), finite.all(axis=(1, 2))).tolist()
        for agent, (model, context) in enumerate(trials.keys):
            if known[agent]:
                tails = ((1 - level) / 2, (1 + level) / 2)
                low, high = np.quantile(scaled_draws(drawn[agent]), tails, axis=0).tolist()
            else:
                low = high = [None] * drawn.shape[2]
            rows += [(model, context, place, *ends) for place, ends in enumerate(zip(low, high, strict=True))]
    schema = {"model": pl.String(), "context": pl.String(), "position": pl.Int64()}
    return pl.DataFrame(rows, schema={**schema, "low": pl.Float64(), "high": pl.Float64()}, orient="row")


def agent_units(trials: Trials) -> NDArray[np.uint64]:
    """Return the streams' ids of agents: a hash of model and context, so that neither order nor company matters.

    Parameters
    ----------
    trials
        Valid choices, as from :func:`avowal.trials.from_choices`.

    Returns
    -------
    ndarray of uint64
        Shape (agents,).
    """
    return np.array([unit_id(f"{model}\n{context}") for model, context in trials.keys], dtype=np.uint64)


def _frame(trials: Trials, result: ArrayBootstrap, named: dict[str, Context]) -> pl.DataFrame:
    attributes = trials.differences.shape[1]
    columns = {
        "model": np.repeat([model for model, _ in trials.keys], attributes),
        "context": np.repeat([context for _, context in trials.keys], attributes),
        "attribute": [attribute.name for _, name in trials.keys for attribute in named[name].attributes],
        "position": np.tile(np.arange(attributes), len(trials.keys)),
        "weight": result.estimates.ravel(),
        "low": result.lower.ravel(),
        "high": result.upper.ravel(),
        "standard_error": result.standard_errors.ravel(),
        "undefined": np.repeat(result.undefined.astype(np.int64), attributes),
        "status": result.status.ravel().tolist(),
    }
    return pl.DataFrame(columns, schema=dict(WEIGHT_INTERVALS)).with_columns(pl.col(pl.Float64).fill_nan(None))
