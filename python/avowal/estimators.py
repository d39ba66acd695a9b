"""Estimators of weights: what is maximised, with its priors or penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from avowal.errors import InputError


@dataclass(frozen=True, slots=True)
class Map:
    """Posterior mode: normal slopes, Student-t on the intercept of the centred design (brms's parametrisation).

    The defaults are the paper's (Appendix C): N(0, 1) slopes, and brms's Student-t(3, 0, 2.5) intercept. Where a
    posterior has two modes, the higher is the estimate.

    Attributes
    ----------
    slope_sd
        Standard deviation of the prior on every slope; positive.
    intercept_df, intercept_location, intercept_scale
        Prior on the centred intercept; infinite degrees of freedom make it normal, an infinite scale flat.
    """

    slope_sd: float = 1.0
    intercept_df: float = 3.0
    intercept_location: float = 0.0
    intercept_scale: float = 2.5


@dataclass(frozen=True, slots=True)
class MaximumLikelihood:
    """Maximum likelihood; without an estimate for separated choices."""


@dataclass(frozen=True, slots=True)
class Firth:
    """Firth's penalised likelihood (1993): Jeffreys's prior, finite for every design of full rank."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """Likelihood less ``penalty / 2`` times the squared slopes; the intercept is free.

    Attributes
    ----------
    penalty
        Positive and finite; a penalty of 1 is a N(0, 1) prior on the slopes.
    """

    penalty: float = 1.0


Estimator = Map | MaximumLikelihood | Firth | Ridge

NAMES: dict[str, Estimator] = {"map": Map(), "ml": MaximumLikelihood(), "firth": Firth(), "ridge": Ridge()}


def resolve(estimator: Estimator | str) -> tuple[str, list[float]]:
    """Return an estimator's name and numbers, as the engine takes them.

    Parameters
    ----------
    estimator
        An estimator, or "map", "ml", "firth" or "ridge" for its defaults.

    Returns
    -------
    tuple of str and list of float
        The name, and the numbers in the order of the class's attributes.

    Raises
    ------
    InputError
        For anything else.
    """
    chosen = NAMES.get(estimator) if isinstance(estimator, str) else estimator
    match chosen:
        case Map(slope_sd, df, location, scale):
            return "map", [float(v) for v in (slope_sd, df, location, scale)]
        case MaximumLikelihood():
            return "ml", []
        case Firth():
            return "firth", []
        case Ridge(penalty):
            return "ridge", [float(penalty)]
        case _:
            raise InputError.at("map, ml, firth, ridge, or an estimator", repr(estimator), field="estimator")


def label(estimator: Estimator | str) -> str:
    """Describe an estimator in one line, with its priors.

    Parameters
    ----------
    estimator
        As for :func:`resolve`.

    Returns
    -------
    str
        For tables and provenance.

    Examples
    --------
    >>> label("map")
    'posterior mode, N(0, 1) slopes, Student-t(3, 0, 2.5) intercept'
    """
    name, numbers = resolve(estimator)
    if name == "map":
        sd, df, location, scale = numbers
        slopes = f"N(0, {sd:g}) slopes" if sd == 1 else f"N(0, {sd:g}^2) slopes"
        if math.isinf(scale):
            return f"posterior mode, {slopes}, flat intercept"
        return f"posterior mode, {slopes}, Student-t({df:g}, {location:g}, {scale:g}) intercept"
    return {
        "ml": "maximum likelihood",
        "firth": "Firth's penalised likelihood",
        "ridge": f"ridge, penalty {numbers[0]:g}" if numbers else "",
    }[name]
