"""Weights from choices in Stan: every context at once, with brms's priors (the paper, Appendix C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.contexts import Context
from avowal.errors import InputError
from avowal.fit import Fit, fit
from avowal.stan.diagnostics import Diagnosis
from avowal.stan.draws import Draws
from avowal.stan.engines import Sampling, sample
from avowal.stan.program import program
from avowal.trials import Trials, by_name

Floats = NDArray[np.float64]

UNSCALED = ("no variation", "rank deficient", "too few trials")
"""Statuses under which slopes are the prior's as much as the data's, so that no scaled weight is given."""


@dataclass(frozen=True, slots=True)
class ChoicePriors:
    """Priors of the weights; the defaults are brms's as the paper sets them.

    Attributes
    ----------
    slope_sd
        Standard deviation of the normal prior on slopes, in log odds per full range; positive.
    intercept_df, intercept_scale
        Degrees of freedom and scale of the Student-t prior on the intercept of the centred design; positive.
    """

    slope_sd: float = 1.0
    intercept_df: float = 3.0
    intercept_scale: float = 2.5

    def __post_init__(self) -> None:
        check_positive(self, ("slope_sd", "intercept_df", "intercept_scale"))


@dataclass(frozen=True, slots=True)
class ChoicePosterior:
    """Posterior of the weights behind a table of choices.

    Attributes
    ----------
    agents
        One row for each model and context: model, context, status, valid (choices), intercept (posterior mean of the
        log odds of A between equal options), intercept_sd.
    weights
        One row for each attribute: model, context, attribute, position, slope (posterior mean, log odds per full
        range), sd, mcse, median, hdi_low, hdi_high, weight (posterior means scaled so that the largest is ±100, null
        where the status rules that out), map (the posterior mode, scaled the same way), rhat, ess_bulk, ess_tail,
        problems.
    diagnosis
        Every diagnostic of the run.
    priors
        What was assumed.
    draws
        The draws: ``slope[agent,attribute]``, ``centred_intercept[agent]``, ``intercept[agent]``, agents in the order
        of `agents`.
    fitted
        The posterior modes with their statuses.
    """

    agents: pl.DataFrame
    weights: pl.DataFrame
    diagnosis: Diagnosis
    priors: ChoicePriors
    draws: Draws = field(repr=False)
    fitted: Fit = field(repr=False)

    @property
    def engine(self) -> str:
        """Which engine drew."""
        return self.draws.engine

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed in the run; empty where nothing did."""
        return self.diagnosis.problems

    def to_frame(self) -> pl.DataFrame:
        """Return the weights."""
        return self.weights


def choice_posterior(
    choices: pl.DataFrame,
    contexts: Iterable[Context],
    *,
    priors: ChoicePriors | None = None,
    how: Sampling | None = None,
) -> ChoicePosterior:
    """Draw the weights of every model and context from their posterior, in one run.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`. Rows without a choice are left out.
    contexts
        The contexts that the table names.
    priors
        By default the paper's.
    how
        Engine, chains, iterations, seed.

    Returns
    -------
    ChoicePosterior

    Raises
    ------
    InputError
        As for :func:`avowal.fit.fit`; or for a table without a valid choice.
    EngineError
        Where no Stan engine works.
    """
    priors, named = priors or ChoicePriors(), by_name(contexts)
    fitted = fit(choices, named.values())
    parts = [trials for trials, _ in fitted.parts]
    data = trial_data(parts)
    draws = sample(
        program("choices"),
        {
            **data,
            "slope_sd": priors.slope_sd,
            "intercept_df": priors.intercept_df,
            "intercept_scale": priors.intercept_scale,
        },
        how,
    )
    widths = [trials.differences.shape[1] for trials in parts for _ in trials.keys]
    draws = draws.without(padding("slope", widths, data["K"]))
    diagnosis = draws.diagnosis()
    summary = draws.summary(diagnosis)
    return ChoicePosterior(
        _agents(fitted, summary), _weights(fitted, summary, widths), diagnosis, priors, draws, fitted
    )


def trial_data(parts: Sequence[Trials]) -> dict[str, Any]:
    """Lay out choices as the programs read them.

    Parameters
    ----------
    parts
        As from :func:`avowal.trials.from_choices`; contexts with fewer attributes are filled up with zeros.

    Returns
    -------
    dict of str to object
        C, K, trials, x, y.

    Raises
    ------
    InputError
        Where there is no valid choice.
    """
    if not sum(len(trials.choices) for trials in parts):
        raise InputError.at("at least one valid choice", "none", field="choices")
    width = max(trials.differences.shape[1] for trials in parts)
    counts = np.concatenate([np.diff(trials.offsets).astype(np.int64) for trials in parts])
    padded = [np.pad(t.differences, ((0, 0), (0, width - t.differences.shape[1]))) for t in parts]
    return {
        "C": len(counts),
        "K": width,
        "trials": counts,
        "x": np.concatenate(padded),
        "y": np.concatenate([trials.choices for trials in parts]).astype(np.int64),
    }


def padding(variable: str, widths: Sequence[int], width: int) -> set[str]:
    """Name the entries of a contexts x attributes matrix that stand for no attribute."""
    return {f"{variable}[{c},{k}]" for c, own in enumerate(widths, 1) for k in range(own + 1, width + 1)}


def check_positive(priors: object, names: Iterable[str]) -> None:
    """Raise :class:`avowal.InputError` for the first named field that is no positive number."""
    for name in names:
        value = getattr(priors, name)
        if not (value > 0 and np.isfinite(value)):
            raise InputError.at("a positive number", value, field=name)


def _agents(fitted: Fit, summary: pl.DataFrame) -> pl.DataFrame:
    found = summary.filter(pl.col("quantity").str.starts_with("intercept["))
    # The parts stand one after another in both tables.
    return fitted.agents.select("model", "context", "status", "valid").with_columns(
        found["mean"].alias("intercept"), found["sd"].alias("intercept_sd")
    )


def _weights(fitted: Fit, summary: pl.DataFrame, widths: Sequence[int]) -> pl.DataFrame:
    names = [f"slope[{c},{k}]" for c, own in enumerate(widths, 1) for k in range(1, own + 1)]
    rows = pl.DataFrame({"quantity": names}).join(summary, on="quantity", how="left", maintain_order="left")
    table = pl.concat(
        [
            fitted.to_frame().select(
                "model", "context", "attribute", "position", "status", pl.col("weight").alias("map")
            ),
            rows.drop("quantity").rename({"mean": "slope"}),
        ],
        how="horizontal",
    )
    largest = pl.col("slope").abs().max().over("model", "context")
    scaled = pl.when(~pl.col("status").is_in(UNSCALED)).then(100 * pl.col("slope") / largest)
    return table.with_columns(scaled.alias("weight")).select(
        "model", "context", "attribute", "position", "slope", "sd", "mcse", "median", "hdi_low", "hdi_high", "weight",
        "map", "rhat", "ess_bulk", "ess_tail", "problems",
    )  # fmt: skip
