"""What a check in Stan finds: tables of every number by every method, warnings and problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from avowal.display import Shown
from avowal.stan.joint import ESTIMATES
from avowal.text import Table

WEIGHTS = {
    "model": pl.String(),
    "group": pl.String(),
    "agents": pl.Int64(),
    "statuses": pl.List(pl.String),
    "r": pl.Float64(),
    "mean_difference": pl.Float64(),
    "largest_difference": pl.Float64(),
    "engine": pl.String(),
    "problems": pl.List(pl.String),
}
"""Columns on weights: how far posterior means lie from modes on the ±100 scale; statuses other than "ok", counted."""

PREDICTIVE = {
    "model": pl.String(),
    "group": pl.String(),
    "statistic": pl.String(),
    "observed": pl.Float64(),
    "mean": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
}
"""Columns of predictive checks of the choices: those of :func:`avowal.stan.predictive.check_choices`."""

SENSITIVITY = {
    "model": pl.String(),
    "group": pl.String(),
    "slope_sd": pl.Float64(),
    "set": pl.String(),
    "accuracy": pl.Float64(),
    "r": pl.Float64(),
    "mean_abs_slope": pl.Float64(),
    "agreement": pl.Float64(),
    "engine": pl.String(),
    "problems": pl.List(pl.String),
}
"""Columns of accuracies under other priors: those of :func:`avowal.stan.predictive.prior_sensitivity`."""

JOINT = {
    "model": pl.String(),
    **ESTIMATES,
    "contexts": pl.Int64(),
    "replies": pl.Int64(),
    "out_of_range": pl.Int64(),
}
"""Columns of the joint model's estimates: contexts with replies, replies used, and replies left out for a number beyond
±100; null for gains."""


@dataclass(frozen=True, slots=True)
class Check(Shown):
    """The final check of a study.

    Attributes
    ----------
    engine
        Which Stan engine drew.
    weights
        One row for each model and group: columns of :data:`WEIGHTS`.
    predictive
        Whether the choices look like those that the weights would make: columns of :data:`PREDICTIVE`.
    sensitivity
        Accuracies under other priors on the slopes: columns of :data:`SENSITIVITY`; empty where not asked for.
    accuracies, gains
        One row for each quantity and method: columns of :data:`avowal.stan.compared.COMPARED`.
    joint
        The joint model's estimates: columns of :data:`JOINT`; None where not asked for.
    warnings
        Where a conclusion depends on the method.
    problems
        Statuses and diagnostics that failed, each with where; a strict command fails on any.
    missing
        By model, why an accuracy that is looked for is not there, or the joint model of a gain.
    settings
        How it was made: draws of each chain, seed, resamples, version of this package.
    """

    engine: str
    weights: pl.DataFrame
    predictive: pl.DataFrame
    sensitivity: pl.DataFrame
    accuracies: pl.DataFrame
    gains: pl.DataFrame
    joint: pl.DataFrame | None
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    missing: Mapping[str, Mapping[str, str]]
    settings: Mapping[str, object]

    def _shown(self) -> Iterable[Table | str]:
        from avowal.stan.printed import printed

        return printed(self)

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON holds it."""
        names = ("weights", "predictive", "sensitivity", "accuracies", "gains")
        return {
            "engine": self.engine,
            "settings": dict(self.settings),
            **{name: getattr(self, name).to_dicts() for name in names},
            "joint": None if self.joint is None else self.joint.to_dicts(),
            "warnings": list(self.warnings),
            "problems": list(self.problems),
            "missing": {model: dict(reasons) for model, reasons in self.missing.items()},
        }
