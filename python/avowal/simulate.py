"""Simulate: whole studies from contexts to accuracies, thousands of times, before one is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.calibrated import PROFILES, profile
from avowal.checks import as_floats, as_u64
from avowal.errors import InputError
from avowal.quantities import PARAMETERS, SETS, Deciding, Reported, Settings

__all__ = [
    "FIGURES",
    "PARAMETERS",
    "PROFILES",
    "SETS",
    "STATUSES",
    "Deciding",
    "Reported",
    "Settings",
    "Simulation",
    "Study",
    "dump",
    "profile",
    "simulate",
]

Floats = NDArray[np.float64]

_, FIGURES, STATUSES = (tuple(names) for names in _core.study_names())
"""Names, in order: of all figures of a replicate; of statuses.

Figures of estimated weights stand behind ``learned.`` and ``native.``, those of reports behind the set's name, and
differences behind ``gain_instilled.``, ``gain_native.`` and ``over_baseline.`` (weight-trained less off-the-shelf).
``r`` is Pearson's correlation, ``slope`` the paper's accuracy; each has its interval.
"""


@dataclass(frozen=True, slots=True)
class Simulation:
    """Simulated studies.

    Attributes
    ----------
    settings
        Of each model, one or two.
    seed, first
        Replicate r of the table is replicate ``first + r`` of the seed.
    level
        Level of the intervals.
    figures
        Shape (replicates, models, figures), columns as :data:`FIGURES`; NaN where a replicate gives no number.
    """

    settings: tuple[Settings, ...]
    seed: int
    first: int
    level: float
    figures: Floats

    def __getitem__(self, name: str) -> Floats:
        """Return one figure of the first model, shape (replicates,)."""
        return self.of(name)

    def of(self, name: str, model: int = 0) -> Floats:
        """Return one figure of one model.

        Parameters
        ----------
        name
            One of :data:`FIGURES`.
        model
            0 or 1.

        Returns
        -------
        ndarray, shape (replicates,)
            NaN where a replicate gives no number.

        Raises
        ------
        InputError
            For an unknown figure or model.
        """
        if name not in FIGURES or not 0 <= model < len(self.settings):
            raise InputError.at("a figure of one of the models", f"{name!r} of model {model}", field="name")
        return self.figures[:, model, FIGURES.index(name)]

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each replicate and model.

        Returns
        -------
        polars.DataFrame
            ``replicate``, ``model`` (0 or 1), then :data:`FIGURES`: null where a replicate gives no number, and in the
            columns of statuses "ok" or the reason.
        """
        count, models, _ = self.figures.shape
        columns: dict[str, Any] = {
            "replicate": np.repeat(np.arange(count, dtype=np.uint64) + np.uint64(self.first), models),
            "model": np.tile(np.arange(models), count),
        }
        flat = self.figures.reshape(count * models, -1)
        columns.update({name: flat[:, place] for place, name in enumerate(FIGURES)})
        frame = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
        codes = {float(code): text for code, text in enumerate(STATUSES)}
        statuses = [name for name in FIGURES if name.endswith("status")]
        return frame.with_columns(pl.col(statuses).replace_strict(codes, return_dtype=pl.String))


def simulate(
    settings: Settings | Sequence[Settings],
    replicates: int,
    *,
    seed: int,
    first: int = 0,
    level: float = 0.95,
    threads: int = 0,
    designs: Mapping[str, ArrayLike] | None = None,
) -> Simulation:
    """Simulate whole studies: agents, decisions, fits, reports, accuracies and their intervals.

    Parameters
    ----------
    settings
        Of one base model, or of two whose studies share targets, common sense and weights as their settings say; two
        need the same agents and attributes.
    replicates
        How many.
    seed
        From 0 to 2**64 - 1.
    first
        The first replicate: replicate r alone (``first=r, replicates=1``) gives the numbers that it gives among others.
    level
        Level of all intervals.
    threads
        0 for one per core; the result doesn't depend on it.
    designs
        Differences that agents decide about in place of uniform pairs: by ``trained`` and ``native``, either of which
        may be missing, shape (designs, decisions, attributes), in shares of the attributes' ranges. Agent i of
        replicate r gets design ``(r * agents + i) mod designs``, under each of two models. What is drawn besides,
        choices included, comes from the same places of the same streams as without. Agents
        whose design is rank deficient (:func:`avowal.fit.fit`) have no weights.

    Returns
    -------
    Simulation
        One row of figures for each replicate and model.

    Raises
    ------
    InputError
        For settings or numbers out of their domains, or designs that aren't of the group's decisions and attributes.

    Examples
    --------
    >>> simulate(Settings(trained_agents=20, native_agents=20), 3, seed=1)["weight_trained.r"].shape
    (3,)
    """
    models = (settings,) if isinstance(settings, Settings) else tuple(settings)
    flat = np.concatenate([each.flat() for each in models]) if models else np.empty(0)
    count = as_u64("replicates", replicates)
    numbers = as_u64("seed", seed), as_u64("first", first), count
    found = _core.simulate_study(
        flat, len(models), *numbers, level, as_u64("threads", threads), *_designs(designs, models)
    )
    return Simulation(models, numbers[0], numbers[1], level, found.reshape(count, len(models), -1))


@dataclass(frozen=True, slots=True)
class Study:
    """One simulated replicate, kept whole.

    Attributes
    ----------
    targets
        Shape (trained agents, attributes).
    weights, estimated
        By ``trained`` and ``native``, shape (agents, attributes): in force, and estimated from the choices (NaN where
        they can't be), both scaled so that the largest absolute one is 100.
    differences, choices
        By group, shapes (agents, decisions, attributes) and (agents, decisions): 1 for A.
    replies
        By set, shape (agents, replies, attributes); NaN where invalid.
    """

    targets: Floats
    weights: Mapping[str, Floats]
    estimated: Mapping[str, Floats]
    differences: Mapping[str, Floats]
    choices: Mapping[str, Floats]
    replies: Mapping[str, Floats]


def dump(
    settings: Settings,
    *,
    seed: int,
    replicate: int,
    model: int = 0,
    designs: Mapping[str, ArrayLike] | None = None,
) -> Study:
    """Simulate one replicate under one model and keep its choices and replies.

    Parameters
    ----------
    settings
        Of the model.
    seed, replicate
        As for :func:`simulate`.
    model
        0 or 1: the model's place among the settings there.
    designs
        As for :func:`simulate`.

    Returns
    -------
    Study
        What stands behind that replicate's row of figures.

    Raises
    ------
    InputError
        For numbers out of their domains, or designs that don't fit.
    """
    numbers = as_u64("model", model), as_u64("seed", seed), as_u64("replicate", replicate)
    raw = _core.dump_study(settings.flat(), *numbers, *_designs(designs, (settings,)))
    k = settings.attributes
    agents = {"trained": settings.trained_agents, "native": settings.native_agents}
    return Study(
        targets=raw["targets"].reshape(-1, k),
        weights={group: raw[f"{group}.weights"].reshape(-1, k) for group in agents},
        estimated={group: raw[f"{group}.estimated"].reshape(-1, k) for group in agents},
        differences={group: raw[f"{group}.differences"].reshape(n, -1, k) for group, n in agents.items()},
        choices={group: raw[f"{group}.choices"].reshape(n, -1) for group, n in agents.items()},
        replies={name: raw[f"{name}.replies"].reshape(-1, settings.replies, k) for name in SETS},
    )


def _designs(
    designs: Mapping[str, ArrayLike] | None, models: Sequence[Settings]
) -> tuple[Floats | None, Floats | None]:
    """Return the designs of trained and of native agents, flat, as the engine reads them."""
    given = dict(designs or {})
    flat: list[Floats | None] = []
    for group in ("trained", "native"):
        if group not in given:
            flat.append(None)
            continue
        field = f"designs, {group}"
        differences = as_floats(field, given.pop(group), 3)
        for settings in models:
            shape = settings.to_dict()[f"{group}_decisions"], settings.attributes
            if differences.shape[1:] != shape or not len(differences):
                expected = f"shape (designs, {shape[0]}, {shape[1]}), with one design or more"
                raise InputError.at(expected, f"shape {differences.shape}", field=field)
        flat.append(differences.ravel())
    if given:
        raise InputError.at("trained or native", ", ".join(map(repr, given)), field="designs")
    return flat[0], flat[1]
