"""Estimands: what a study estimates, and the claims that its intervals are to support."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from avowal.errors import InputError
from avowal.quantities import SETS

__all__ = ["COLUMNS", "DEFAULT_CLAIMS", "ESTIMANDS", "Claim", "Interval", "claim"]

Interval = Literal["contexts", "regression"]
"""Which estimate and interval: r with the jackknife over contexts, or the paper's slope with that of its regression."""

ESTIMANDS: Mapping[str, str] = {
    **{f"accuracy.{name}": name for name in SETS},
    "gain.instilled": "gain_instilled",
    "gain.native": "gain_native",
    "learned_target": "learned_target",
    "over_baseline": "over_baseline",
}
"""By name, the part of the simulation's figures: accuracies of the five sets of reports; what introspection training
adds in trained and in native contexts; learned against target weights; weight-trained less off-the-shelf accuracy."""

_SHORT = {"accuracy": "accuracy.weight_trained", "gain": "gain.instilled"}

_FIGURES: Mapping[Interval, tuple[str, str, str]] = {
    "contexts": ("r", "cluster_low", "cluster_high"),
    "regression": ("slope", "slope_low", "slope_high"),
}

_CLAIM = re.compile(r"\s*([a-z_.]+)\s*([<>])\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True, slots=True)
class Claim:
    """That an estimand lies above or below a number.

    A replicate supports it where the whole interval does.

    Attributes
    ----------
    estimand
        One of :data:`ESTIMANDS`.
    above
        Whether the estimand is to lie above the threshold, or below it.
    threshold
        Between -2 and 2.
    """

    estimand: str
    above: bool
    threshold: float

    def __str__(self) -> str:
        return f"{self.estimand} {'>' if self.above else '<'} {self.threshold!r}".removesuffix(".0")

    def figures(self, interval: Interval) -> tuple[str, str, str, str]:
        """Return the columns of the estimate, of the ends of its interval, and of the correlation behind it."""
        part = ESTIMANDS[self.estimand]
        estimate, low, high = (f"{part}.{name}" for name in _FIGURES[interval])
        return estimate, low, high, f"{part}.true_r"


COLUMNS: tuple[str, ...] = tuple(
    f"{part}.{name}"
    for part in ESTIMANDS.values()
    for name in (*_FIGURES["contexts"], *_FIGURES["regression"], "true_r")
) + tuple(f"{name}.contexts_lost" for name in SETS)
"""The figures of a replicate that a sweep keeps."""


def claim(text: str) -> Claim:
    """Read a claim.

    Parameters
    ----------
    text
        Such as ``accuracy>0.5`` or ``gain.native > 0``. ``accuracy`` alone is that of the weight-trained model,
        ``gain`` alone that in trained contexts; an estimand alone is claimed to lie above 0.

    Returns
    -------
    Claim

    Raises
    ------
    InputError
        For another form, an unknown estimand, or a threshold that no correlation or difference of two can pass.

    Examples
    --------
    >>> str(claim("gain > .1")), str(claim("over_baseline"))
    ('gain.instilled > 0.1', 'over_baseline > 0')
    """
    found = _CLAIM.fullmatch(text if re.search("[<>]", text) else f"{text}>0")
    name = _SHORT.get(found[1], found[1]) if found else ""
    if found is None or name not in ESTIMANDS:
        names = ", ".join([*_SHORT, *ESTIMANDS])
        raise InputError.at(f"ESTIMAND>NUMBER or ESTIMAND<NUMBER, with one of {names}", repr(text), field="test")
    try:
        threshold = float(found[3])
    except ValueError:
        threshold = math.nan
    reach = 2.0 if name.startswith(("gain", "over")) else 1.0
    if not -reach < threshold < reach:
        raise InputError.at(f"a threshold between {-reach:g} and {reach:g}", found[3], field=f"test {text!r}")
    return Claim(name, found[2] == ">", threshold)


DEFAULT_CLAIMS = tuple(claim(name) for name in ("accuracy", "gain.instilled", "gain.native", "over_baseline"))
"""What is tested where nothing is asked for."""
