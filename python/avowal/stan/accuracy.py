"""Accuracy in Stan: standardised weights on standardised reports, with interactions of training and model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.entries import Entries
from avowal.errors import InputError
from avowal.stan.choices import check_positive
from avowal.stan.diagnostics import Diagnosis
from avowal.stan.draws import Draws
from avowal.stan.engines import Sampling, sample
from avowal.stan.program import program

Floats = NDArray[np.float64]

ESTIMATES = {
    "quantity": pl.String(),
    "model": pl.String(),
    "trained": pl.Boolean(),
    "mean": pl.Float64(),
    "median": pl.Float64(),
    "sd": pl.Float64(),
    "hdi_low": pl.Float64(),
    "hdi_high": pl.Float64(),
    "problems": pl.List(pl.String),
}
"""Columns of estimates; `model` is null for the mean over models, `trained` null for a gain."""

FEWEST = 3
"""Entries that every model needs in every condition: fewer leave no residual."""


@dataclass(frozen=True, slots=True)
class AccuracyPriors:
    """Priors of the regression; the defaults are brms's.

    Attributes
    ----------
    coefficient_sd
        Standard deviation of the normal prior on every coefficient but the intercept; None for flat ones.
    df
        Degrees of freedom of the two Student-t priors.
    intercept_location
        Centre of the prior on the intercept of the centred design; None for the median of the weights.
    intercept_scale, sigma_scale
        Scales of the priors on that intercept and on the residual standard deviation. brms takes 2.5, or the median
        absolute deviation of the weights where that is larger.
    """

    coefficient_sd: float | None = None
    df: float = 3.0
    intercept_location: float | None = None
    intercept_scale: float = 2.5
    sigma_scale: float = 2.5

    def __post_init__(self) -> None:
        check_positive(self, ("df", "intercept_scale", "sigma_scale"))
        if self.coefficient_sd is not None:
            check_positive(self, ("coefficient_sd",))


@dataclass(frozen=True, slots=True)
class AccuracyPosterior:
    """Posterior of accuracies and of what training does to them.

    Attributes
    ----------
    status
        "ok", "too few entries", "no variation" or "not finite"; else the run's: "divergent", "not converged".
    message
        Which entries the status speaks of; empty for "ok".
    estimates
        Rows for each accuracy, for the mean over models in each condition, and with training for each model's gain and
        their mean: columns of :data:`ESTIMATES`. Without rows where nothing was drawn.
    models
        In the order of the program's columns.
    priors
        What was assumed.
    diagnosis, draws
        Of the run; None without one.
    """

    status: str
    message: str
    estimates: pl.DataFrame
    models: tuple[str, ...]
    priors: AccuracyPriors
    diagnosis: Diagnosis | None = field(repr=False)
    draws: Draws | None = field(repr=False)

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed; empty where nothing did."""
        if self.diagnosis is None:
            return (f"{self.status}: {self.message}",)
        return self.diagnosis.problems

    def to_frame(self) -> pl.DataFrame:
        """Return the estimates."""
        return self.estimates


def accuracy_posterior(
    before: Mapping[str, Entries],
    after: Mapping[str, Entries] | None = None,
    *,
    priors: AccuracyPriors | None = None,
    how: Sampling | None = None,
) -> AccuracyPosterior:
    """Regress standardised weights on standardised reports.

    Parameters
    ----------
    before
        Weights and reports by model, as from :func:`avowal.entries.entries`.
    after
        The same after training, for the same models; None for accuracies alone.
    priors
        By default brms's.
    how
        Engine, chains, iterations, seed.

    Returns
    -------
    AccuracyPosterior
        The accuracy is the slope; gains are differences of slopes, averaged over models with equal weight.

    Raises
    ------
    InputError
        Where no model is named, or other models before than after.
    EngineError
        Where no Stan engine works.
    """
    priors, models = priors or AccuracyPriors(), tuple(before)
    if not models or (after is not None and set(after) != set(before)):
        found = f"{sorted(before)} and {sorted(after or [])}"
        raise InputError.at("the same models before and after, at least one", found, field="models")
    sides = (before,) if after is None else (before, after)
    cells = [(t, m, side[name]) for t, side in enumerate(sides, 1) for m, name in enumerate(models, 1)]
    obstacle = _obstacle(cells, models)
    if obstacle is not None:
        return AccuracyPosterior(*obstacle, pl.DataFrame(schema=ESTIMATES), models, priors, None, None)
    weights = np.concatenate([each.weights_z for _, _, each in cells])
    data = {
        "N": len(weights),
        "M": len(models),
        "T": len(sides),
        "weight": weights,
        "report": np.concatenate([each.reports_z for _, _, each in cells]),
        "whose": np.concatenate([np.full(len(each), m) for _, m, each in cells]),
        "trained": np.concatenate([np.full(len(each), t) for t, _, each in cells]),
        **prior_data(priors, weights),
    }
    draws = sample(program("accuracy"), data, how)
    if len(sides) == 1:
        # Without training the gains are zeros that nobody asked for.
        draws = draws.without({"gain", *(f"model_gain[{m}]" for m in range(1, len(models) + 1))})
    diagnosis = draws.diagnosis()
    return AccuracyPosterior(
        diagnosis.status,
        "; ".join(diagnosis.problems),
        _estimates(draws.summary(diagnosis), models, len(sides)),
        models,
        priors,
        diagnosis,
        draws,
    )


def prior_data(priors: AccuracyPriors, weights: Floats) -> dict[str, Any]:
    """Write priors as the program reads them; `weights` are the standardised ones, for brms's median."""
    location = priors.intercept_location
    return {
        "flat": int(priors.coefficient_sd is None),
        "coefficient_sd": priors.coefficient_sd or 0.0,
        "df": priors.df,
        "intercept_location": float(np.median(weights)) if location is None else location,
        "intercept_scale": priors.intercept_scale,
        "sigma_scale": priors.sigma_scale,
    }


def _obstacle(cells: list[tuple[int, int, Entries]], models: tuple[str, ...]) -> tuple[str, str] | None:
    for t, m, each in cells:
        place = f"{models[m - 1]}, condition {t}"
        raw = np.concatenate([each.weights, each.reports])
        if not np.isfinite(raw).all():
            return "not finite", f"{place}: {int((~np.isfinite(raw)).sum())} weights or reports are not finite"
        if len(each) < FEWEST:
            return "too few entries", f"{place}: {len(each)} entries, at least {FEWEST} are needed"
        standardised = np.isfinite(each.weights_z).all() and np.isfinite(each.reports_z).all()
        if not standardised or np.ptp(each.weights_z) == 0 or np.ptp(each.reports_z) == 0:
            return "no variation", f"{place}: all weights, or all reports of a model, are equal"
    return None


def _estimates(summary: pl.DataFrame, models: tuple[str, ...], conditions: int) -> pl.DataFrame:
    found = {row["quantity"]: row for row in summary.iter_rows(named=True)}
    asked: list[tuple[str, str, str | None, bool | None]] = []
    for t in range(1, conditions + 1):
        after = t == 2
        asked += [(f"accuracy[{t},{m}]", "accuracy", name, after) for m, name in enumerate(models, 1)]
        asked.append((f"mean_accuracy[{t}]", "mean accuracy", None, after))
    if conditions == 2:
        asked += [(f"model_gain[{m}]", "gain", name, None) for m, name in enumerate(models, 1)]
        asked.append(("gain", "mean gain", None, None))
    rows = [
        {**{c: found[name][c] for c in list(ESTIMATES)[3:]}, "quantity": kind, "model": model, "trained": after}
        for name, kind, model, after in asked
    ]
    return pl.DataFrame(rows, schema=ESTIMATES)
