"""Fit: weights from choices, by one logistic regression per agent (the paper, Appendix C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.account import Account, total
from avowal.checks import as_u64
from avowal.contexts import Context
from avowal.display import Shown
from avowal.estimators import Estimator, resolve
from avowal.tables import AGENT_FITS, FITTED_WEIGHTS
from avowal.text import Table
from avowal.trials import Trials, as_arrays, by_name, from_arrays, from_choices

STATUSES = ("ok", "not converged", "too few trials", "no variation", "rank deficient", "separated")
"""What an agent's data are like, in the engine's order; where several hold, the first of: not converged, too few
trials (fewer than parameters), no variation (every choice the same), rank deficient, separated."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ArrayFit:
    """Fits of many agents with the same number of attributes; NaN stands for null, and `status` says why.

    Attributes
    ----------
    status
        One of :data:`STATUSES` for each agent.
    slopes
        Shape (agents, attributes): log odds of A per full range of the attribute. NaN where the optimum isn't finite
        or unique (maximum likelihood of separated choices, say) or wasn't found.
    scaled
        Shape (agents, attributes): slopes scaled per agent so that the largest absolute one is 100. NaN also for no
        variation, rank deficiency and too few trials, whatever the estimator; and where all slopes lie within 1e-9 of
        their standard errors of zero, which is rounding.
    standard_errors
        Shape (agents, attributes), from the curvature at the optimum (Firth: from Fisher's information).
    intercepts, intercept_errors
        Shape (agents,): log odds of A between equal options, and standard error; 0 and NaN in a model without.
    centred_intercepts, centred_intercept_errors
        Shape (agents,): log odds of A at the average trial (brms's Intercept), and standard error.
    covariance
        Shape (agents, parameters, parameters): slopes, then the intercept if there is one.
    log_likelihood, log_posterior
        Shape (agents,): at the optimum; the second is what was maximised, with the priors' full densities.
    iterations
        Shape (agents,): Newton steps with safeguards; few or none where plain steps had already found the optimum.
    gradient_norm
        Shape (agents,): below 1e-8 wherever there is an estimate.
    accuracy, accuracy_slopes_only
        Shape (agents,): share of choices predicted in sample, with and without the intercept; ties count as B. Without
        it, NaN where `scaled` is: the slopes of constant choices are zero but for rounding.
    """

    status: tuple[str, ...]
    slopes: Floats = field(repr=False)
    scaled: Floats = field(repr=False)
    standard_errors: Floats = field(repr=False)
    intercepts: Floats = field(repr=False)
    intercept_errors: Floats = field(repr=False)
    centred_intercepts: Floats = field(repr=False)
    centred_intercept_errors: Floats = field(repr=False)
    covariance: Floats = field(repr=False)
    log_likelihood: Floats = field(repr=False)
    log_posterior: Floats = field(repr=False)
    iterations: NDArray[np.uint64] = field(repr=False)
    gradient_norm: Floats = field(repr=False)
    accuracy: Floats = field(repr=False)
    accuracy_slopes_only: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fit(Shown):
    """Fits of every agent of a table of choices.

    Attributes
    ----------
    agents
        A table of :data:`avowal.tables.AGENT_FITS`: one row for each model and context.
    weights
        A table of :data:`avowal.tables.FITTED_WEIGHTS`: one row for each attribute.
    parts
        Trials and array-level fits behind the tables, by number of attributes.
    """

    agents: pl.DataFrame
    weights: pl.DataFrame
    parts: tuple[tuple[Trials, ArrayFit], ...] = field(repr=False)

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.fit(self)

    @property
    def account(self) -> Account:
        """Choices planned, valid, and failed by type, over all agents."""
        return total(account for trials, _ in self.parts for account in trials.accounts)

    def to_frame(self) -> pl.DataFrame:
        """Return the weights, one row for each attribute, with the status of their agent."""
        return self.weights.join(
            self.agents.select("model", "context", "status"), on=["model", "context"], how="left", maintain_order="left"
        )


def fit_arrays(
    x: ArrayLike,
    y: ArrayLike,
    *,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> ArrayFit:
    """Fit many agents with the same number of trials and attributes.

    Parameters
    ----------
    x
        Shape (agents, trials, attributes): differences between the options, (a - b) / (max - min); copied once.
    y
        Shape (agents, trials): 1 for A, 0 for B, NaN for a trial without a choice, which is left out.
    estimator
        "map" (the default), "ml", "firth", "ridge", or an estimator with its own priors or penalty.
    intercept
        Whether the log odds have an intercept: a bias for the option shown first.
    threads
        0 for one per core; the result doesn't depend on it.

    Returns
    -------
    ArrayFit
        One row for each agent; an agent's row never depends on the other agents.

    Raises
    ------
    InputError
        Where shapes disagree, x isn't finite where there is a choice, or y is anything else.

    Examples
    --------
    >>> result = fit_arrays([[[0.5], [-0.2], [0.1], [-0.6]]], [[1, 1, 0, 0]])
    >>> result.status, result.scaled.tolist()
    (('ok',), [[100.0]])
    """
    differences, choices, offsets = from_arrays(x, y)
    return fit_ragged(differences, choices, offsets, estimator=estimator, intercept=intercept, threads=threads)


def fit_ragged(
    differences: ArrayLike,
    choices: ArrayLike,
    offsets: ArrayLike,
    *,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> ArrayFit:
    """Fit agents with any numbers of trials; arrays of the types given are borrowed, others copied.

    Parameters
    ----------
    differences
        Shape (trials, attributes), float64, C-contiguous: agent after agent.
    choices
        Shape (trials,), uint8: 1 for A, 0 for B.
    offsets
        Shape (agents + 1,), uint64: agent i owns the trials ``offsets[i]:offsets[i + 1]``.
    estimator, intercept, threads
        As for :func:`fit_arrays`.

    Returns
    -------
    ArrayFit
        One row for each agent.

    Raises
    ------
    InputError
        Where lengths or values are not as described.
    """
    name, numbers = resolve(estimator)
    arrays = as_arrays(differences, choices, offsets)
    raw = _core.fit_agents(*arrays, name, numbers, intercept, as_u64("threads", threads))
    agents, attributes = len(arrays[2]) - 1, arrays[0].shape[1]
    parameters = attributes + intercept
    errors = raw["standard_errors"].reshape(agents, parameters)
    return ArrayFit(
        status=tuple(STATUSES[code] for code in raw["status"]),
        slopes=raw["slopes"].reshape(agents, attributes),
        scaled=raw["scaled"].reshape(agents, attributes),
        standard_errors=errors[:, :attributes],
        intercepts=raw["intercepts"],
        intercept_errors=errors[:, attributes] if intercept else np.full(agents, np.nan),
        centred_intercepts=raw["centred_intercepts"],
        centred_intercept_errors=raw["centred_intercept_errors"],
        covariance=raw["covariance"].reshape(agents, parameters, parameters),
        log_likelihood=raw["log_likelihood"],
        log_posterior=raw["log_posterior"],
        iterations=raw["iterations"],
        gradient_norm=raw["gradient_norm"],
        accuracy=raw["accuracy"],
        accuracy_slopes_only=raw["accuracy_slopes_only"],
    )


def coefficients_arrays(
    x: ArrayLike,
    y: ArrayLike,
    *,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> Floats:
    """Fit many agents and return nothing but their coefficients: some twenty times as fast as :func:`fit_arrays`.

    Parameters
    ----------
    x
        Shape (agents, trials, attributes), as for :func:`fit_arrays`; borrowed where it is a contiguous float64 array.
    y
        Shape (agents, trials), as for :func:`fit_arrays`; borrowed where it is a contiguous array of bool or uint8.
    estimator, intercept, threads
        As for :func:`fit_arrays`. Posterior modes and ridge are fast; "ml" and "firth" take their time.

    Returns
    -------
    ndarray
        Shape (agents, attributes + 1): slopes, then the intercept; shape (agents, attributes) without an intercept. NaN
        where the optimum isn't finite or unique or wasn't found. Slopes of choices that are all alike are zero up to
        rounding: scaled, they would be noise. The same bits on every processor, whatever the other agents and the
        number of threads.

    Raises
    ------
    InputError
        Where shapes disagree, x isn't finite where there is a choice, or y is anything else.

    Examples
    --------
    >>> coefficients_arrays([[[0.5], [-0.2], [0.1], [-0.6]]], [[1, 1, 0, 0]]).round(3).tolist()
    [[0.344, 0.017]]
    """
    differences, choices, offsets = from_arrays(x, y)
    name, numbers = resolve(estimator)
    flat = _core.fit_coefficients(differences, choices, offsets, name, numbers, intercept, as_u64("threads", threads))
    return flat.reshape(len(offsets) - 1, differences.shape[1] + intercept)


def fit(
    choices: pl.DataFrame,
    contexts: Iterable[Context],
    *,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> Fit:
    """Fit every agent of a table of choices; agents may differ in trials and attributes.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`. Rows without a choice are left out and counted in the account.
    contexts
        The contexts that the table names.
    estimator, intercept, threads
        As for :func:`fit_arrays`.

    Returns
    -------
    Fit
        Tables by agent and by attribute.

    Raises
    ------
    InputError
        Where the table names an unknown context or holds something else than choices.
    """
    named = by_name(contexts)
    parts = tuple(
        (
            trials,
            fit_ragged(
                trials.differences,
                trials.choices,
                trials.offsets,
                estimator=estimator,
                intercept=intercept,
                threads=threads,
            ),
        )
        for trials in from_choices(choices, named.values())
    )
    return Fit(
        pl.concat([_agents(trials, result) for trials, result in parts] or [pl.DataFrame(schema=dict(AGENT_FITS))]),
        pl.concat(
            [_weights(trials, result, [named[name] for _, name in trials.keys]) for trials, result in parts]
            or [pl.DataFrame(schema=dict(FITTED_WEIGHTS))]
        ),
        parts,
    )


def cross_validate(
    trials: Trials,
    *,
    folds: int = 10,
    estimator: Estimator | str = "map",
    intercept: bool = True,
    threads: int = 0,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Predict each agent's held-out choices; trial t of an agent is held out in fold ``t mod folds``.

    Parameters
    ----------
    trials
        Valid choices, as from :func:`avowal.trials.from_choices`.
    folds
        At least 2.
    estimator, intercept, threads
        As for :func:`fit_arrays`.

    Returns
    -------
    predicted, correct
        Shape (agents,) each: held-out choices for which the other folds gave an estimate, and those predicted
        correctly.

    Raises
    ------
    InputError
        Where folds are fewer than 2.
    """
    name, numbers = resolve(estimator)
    return _core.cross_validate(
        *as_arrays(trials.differences, trials.choices, trials.offsets),
        name,
        numbers,
        intercept,
        as_u64("folds", folds),
        as_u64("threads", threads),
    )


def _agents(trials: Trials, result: ArrayFit) -> pl.DataFrame:
    columns = {
        "model": [model for model, _ in trials.keys],
        "context": [context for _, context in trials.keys],
        "status": result.status,
        "intercept": result.intercepts,
        "intercept_error": result.intercept_errors,
        "centred_intercept": result.centred_intercepts,
        "centred_intercept_error": result.centred_intercept_errors,
        "log_likelihood": result.log_likelihood,
        "log_posterior": result.log_posterior,
        "iterations": result.iterations.astype(np.int64),
        "gradient_norm": result.gradient_norm,
        "accuracy": result.accuracy,
        "accuracy_slopes_only": result.accuracy_slopes_only,
        "planned": [account.planned for account in trials.accounts],
        "valid": [account.valid for account in trials.accounts],
        "failed": [account.lost for account in trials.accounts],
    }
    return pl.DataFrame(columns, schema=dict(AGENT_FITS), strict=False).with_columns(pl.col(pl.Float64).fill_nan(None))


def _weights(trials: Trials, result: ArrayFit, contexts: Sequence[Context]) -> pl.DataFrame:
    attributes = trials.differences.shape[1]
    columns = {
        "model": np.repeat([model for model, _ in trials.keys], attributes),
        "context": np.repeat([context for _, context in trials.keys], attributes),
        "attribute": [attribute.name for context in contexts for attribute in context.attributes],
        "position": np.tile(np.arange(attributes), len(trials.keys)),
        "slope": result.slopes.ravel(),
        "standard_error": result.standard_errors.ravel(),
        "weight": result.scaled.ravel(),
    }
    return pl.DataFrame(columns, schema=dict(FITTED_WEIGHTS)).with_columns(pl.col(pl.Float64).fill_nan(None))
