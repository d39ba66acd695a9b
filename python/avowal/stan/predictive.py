"""Posterior predictive checks and prior sensitivity: tables that say where a model misfits, and what its prior does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.accuracy import accuracy
from avowal.contexts import Context
from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.intervals import hdi
from avowal.stan.accuracy import AccuracyPosterior
from avowal.stan.choices import ChoicePosterior, ChoicePriors, choice_posterior
from avowal.stan.draws import LEVEL
from avowal.stan.engines import Sampling

Floats = NDArray[np.float64]

SLOPE_SDS = (0.5, 1.0, 2.0)
"""Standard deviations of the slopes' prior that are compared; the paper's is 1."""

REPLICATIONS = 500
"""Data sets drawn from the posterior for each check."""


def check_choices(posterior: ChoicePosterior, *, seed: int = 1) -> pl.DataFrame:
    """Compare choices with choices that the posterior would make at the same pairs.

    Parameters
    ----------
    posterior
        Posterior of the weights.
    seed
        Of the replications.

    Returns
    -------
    polars.DataFrame
        Columns statistic, observed, mean, low, high (highest-density interval of the replications), p (share of
        replications at or above the observed value): the share of A; its standard deviation over contexts; the share
        of choices on the side that the posterior means predict, which lies far above its replications where the prior
        holds weights smaller than the choices say; contexts whose choices are all the same.
    """
    slopes, intercepts, rng = posterior.draws["slope"], posterior.draws["intercept"], np.random.default_rng((seed, 4))
    picked = _picked(len(slopes), rng)
    observed, replicated, start = [], [], 0
    for trials, _ in posterior.fitted.parts:
        who = start + np.repeat(np.arange(len(trials.keys)), np.diff(trials.offsets).astype(np.int64))
        k = trials.differences.shape[1]
        log_odds = np.einsum("tk,dtk->dt", trials.differences, slopes[picked][:, who, :k]) + intercepts[picked][:, who]
        again = rng.uniform(size=log_odds.shape) < 1 / (1 + np.exp(-log_odds))
        side = (trials.differences * slopes.mean(axis=0)[who, :k]).sum(axis=1) > -intercepts.mean(axis=0)[who]
        observed.append((trials.choices[None] == 1, who, side))
        replicated.append((again, who, side))
        start += len(trials.keys)
    return _table(_choice_statistics(observed), _choice_statistics(replicated))


def check_accuracy(
    posterior: AccuracyPosterior, weights: Floats, reports: Floats, cells: NDArray[np.int64], *, seed: int = 1
) -> pl.DataFrame:
    """Compare standardised weights with weights that the regression would give at the same reports.

    Parameters
    ----------
    posterior
        Posterior of one accuracy or of several, without training (one condition).
    weights, reports
        Shape (entries,): standardised.
    cells
        Shape (entries,): place of the entry's model in `posterior.models`.
    seed
        Of the replications.

    Returns
    -------
    polars.DataFrame
        As for :func:`check_choices`: standard deviation, largest absolute value and kurtosis of the weights, and their
        correlation with the reports.

    Raises
    ------
    InputError
        Where nothing was drawn, or with training.
    """
    if posterior.draws is None or posterior.draws["mean_accuracy"].shape[1] > 1:
        raise InputError.at("a posterior of accuracies without training", posterior.status, field="posterior")
    rng = np.random.default_rng((seed, 5))
    picked = _picked(len(posterior.draws["a"]), rng)
    a, b, sigma = (posterior.draws[name][picked] for name in ("a", "b", "sigma"))
    models = len(posterior.models)
    coded = np.stack([np.ones(len(cells)), *(cells == m for m in range(1, models))], axis=1)
    design = np.concatenate([coded, reports[:, None] * coded], axis=1)[:, 1:]
    mean = a[:, None] + b @ (design - design.mean(axis=0)).T
    again = mean + sigma[:, None] * rng.normal(size=mean.shape)

    def statistics(w: Floats) -> dict[str, Floats]:
        away = w - w.mean(axis=1, keepdims=True)
        spread = np.sqrt((away**2).mean(axis=1))
        side = reports - reports.mean()
        return {
            "standard deviation of weights": spread,
            "largest absolute weight": np.abs(w).max(axis=1),
            "kurtosis of weights": (away**4).mean(axis=1) / spread**4,
            "correlation with reports": away @ side / np.sqrt((away**2).sum(axis=1) * (side**2).sum()),
        }

    return _table(statistics(weights[None]), statistics(again))


def prior_sensitivity(
    choices: pl.DataFrame,
    contexts: Iterable[Context],
    reports: Mapping[str, pl.DataFrame],
    *,
    sds: Sequence[float] = SLOPE_SDS,
    compared: Sequence[str] | None = None,
    how: Sampling | None = None,
) -> pl.DataFrame:
    """Estimate weights and accuracies under several priors on the slopes.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`, all of one model.
    contexts
        The contexts that it names.
    reports
        Tables of :data:`avowal.tables.REPORTS` by set.
    sds
        Standard deviations of the slopes' prior.
    compared
        Contexts to compare, as for :func:`avowal.accuracy.accuracy`; by default those with weights.
    how
        Engine, chains, iterations, seed.

    Returns
    -------
    polars.DataFrame
        One row for each prior and set: slope_sd, set, accuracy (slope), r, mean_abs_slope, agreement (correlation of
        the scaled weights with those under the first prior), engine, problems.
    """
    contexts, rows, first = tuple(contexts), [], None
    for sd in sds:
        posterior = choice_posterior(choices, contexts, priors=replace(ChoicePriors(), slope_sd=sd), how=how)
        table = posterior.weights
        first = table["weight"] if first is None else first
        both = pl.DataFrame({"one": first, "other": table["weight"]}).drop_nulls()
        for name, reported in reports.items():
            found = accuracy(table, reported, contexts=compared)
            rows.append(
                {
                    "slope_sd": sd, "set": name, "accuracy": found.slope.estimate, "r": found.r,
                    "mean_abs_slope": table["slope"].abs().mean(),
                    "agreement": pearson(both["one"].to_numpy(), both["other"].to_numpy()).r,
                    "engine": posterior.engine, "problems": list(posterior.problems),
                }
            )  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"problems": pl.List(pl.String)})


def _picked(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(count)[:REPLICATIONS]


def _choice_statistics(
    parts: Sequence[tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]],
) -> dict[str, Floats]:
    """Statistics of choices, shape (replications, trials) in each part, with the agent and the predicted side."""
    y = np.concatenate([part[0] for part in parts], axis=1).astype(float)
    who = np.concatenate([part[1] for part in parts])
    predicted = np.concatenate([part[2] for part in parts])
    agents, place = np.unique(who, return_inverse=True)
    member = (place[:, None] == np.arange(len(agents))).astype(float)
    shares = y @ member / member.sum(axis=0)
    return {
        "share of A": y.mean(axis=1),
        "spread of the share of A": shares.std(axis=1),
        "share predicted": (y == predicted).mean(axis=1),
        "contexts without variation": ((shares == 0) | (shares == 1)).sum(axis=1).astype(float),
    }


def _table(observed: Mapping[str, Floats], replicated: Mapping[str, Floats]) -> pl.DataFrame:
    rows = []
    for name, again in replicated.items():
        ends, value = hdi(again, level=LEVEL), float(observed[name][0])
        p = float((again >= value).mean())
        rows.append((name, value, float(again.mean()), ends.low, ends.high, p))
    return pl.DataFrame(rows, schema=["statistic", "observed", "mean", "low", "high", "p"], orient="row")
