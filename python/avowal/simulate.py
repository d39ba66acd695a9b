"""Simulate: whole studies from contexts to accuracies, thousands of times, before one is paid for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal import _core
from avowal.checks import as_u64
from avowal.errors import InputError

Floats = NDArray[np.float64]

SETS = ("off_the_shelf", "weight_trained", "introspection_trained", "native_before", "native_after")
"""The five sets of reports, in the order of every table."""

PARAMETERS, FIGURES, STATUSES = (tuple(names) for names in _core.study_names())
"""Names, in order: of all parameters of :class:`Settings`; of all figures of a replicate; of statuses.

Figures of estimated weights stand behind ``learned.`` and ``native.``, those of reports behind the set's name, and
differences behind ``gain_instilled.``, ``gain_native.`` and ``over_baseline.`` (weight-trained less off-the-shelf).
``r`` is Pearson's correlation, ``slope`` the paper's accuracy; each has its interval.
"""

PROFILES = ("gpt-4o", "gpt-4o-mini")
"""The models whose calibrated settings the package ships."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """How the agents of one kind decide.

    P(A) = lapse / 2 + (1 - lapse) logistic(b sum_i (w_i / 100) d_i + a), with w the weights in force, scaled so that
    the largest absolute one is 100, and d the differences between the options in units of each attribute's range.

    Attributes
    ----------
    inverse_temperature
        Median of b over agents: log odds per full range of an attribute of weight 100; 0 or more.
    inverse_temperature_sd
        Standard deviation of ln b over agents; 0 or more.
    position_bias
        Mean of a over agents: log odds of A between equal options.
    position_bias_sd
        Standard deviation of a over agents; 0 or more.
    lapse
        Share of trials answered at random, from 0 to 1.
    """

    inverse_temperature: float = 6.0
    inverse_temperature_sd: float = 0.2
    position_bias: float = 0.0
    position_bias_sd: float = 0.4
    lapse: float = 0.0


@dataclass(frozen=True, slots=True)
class Reported:
    """How one set of reports comes about.

    With w the agent's weights in force (for off-the-shelf reports: common sense, of the same size), s their root mean
    square, c common sense and o standard normal, an agent believes ``b = fidelity w + sqrt(1 - fidelity^2) s e`` with
    the error ``e = common_sense c + sqrt(1 - common_sense^2) o``. A reply is ``g b + h + noise z``, scaled by habit,
    rounded, and cut at ±100. o, g and h are drawn once for each agent, z for each reply and attribute.

    Attributes
    ----------
    fidelity
        Weight of the truth in the belief, from -1 to 1; where `common_sense` is 0, their correlation.
    common_sense
        Correlation of the belief's error with common sense, from -1 to 1.
    shared_error
        Correlation of two models' o, from 0 to 1.
    scale
        Median of g over agents; positive.
    scale_sd
        Standard deviation of ln g over agents; 0 or more.
    shift, shift_sd
        Mean and standard deviation of h over agents, on the ±100 scale.
    noise
        Standard deviation of replies around the agent's centre, on the ±100 scale; 0 or more.
    habit
        Share of replies scaled so that their largest absolute number is 100, from 0 to 1.
    step
        Replies are rounded to multiples of this; positive.
    coarse, coarse_step
        Share of replies that are rounded to multiples of `coarse_step` instead.
    invalid
        Mean share of replies that can't be read, from 0 to 1.
    invalid_clustering
        Correlation of two replies of one agent in being unreadable, from 0 (the same share for all agents) to 1 (all or
        nothing); the agents' shares are beta distributed.
    model_scale_sd
        Standard deviation of a further ln g over reporting models: introspection training makes two, one for each half.
    """

    fidelity: float = 0.5
    common_sense: float = 0.0
    shared_error: float = 0.0
    scale: float = 1.0
    scale_sd: float = 0.2
    shift: float = 0.0
    shift_sd: float = 0.0
    noise: float = 30.0
    habit: float = 0.0
    step: float = 5.0
    coarse: float = 0.0
    coarse_step: float = 10.0
    invalid: float = 0.0
    invalid_clustering: float = 0.0
    model_scale_sd: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Every quantity of a simulated study of one base model; the defaults are a plain study of the paper's size.

    Attributes
    ----------
    trained_agents, native_agents
        Agents whose weights are instilled, and agents that never appear in training.
    attributes
        Attributes of every context, 2 to 12.
    trained_decisions, native_decisions
        Decisions of each agent from which weights are estimated.
    replies
        Replies for each context in each of the five sets.
    instilling
        Correlation of the weights in force with the targets, before scaling; from -1 to 1. It stands for everything
        about training on decisions: examples, epochs, learning rate.
    residual_common_sense
        Correlation with common sense of what training left of the model's own weights; from -1 to 1.
    native_common_sense
        Correlation of native weights with common sense, before scaling; from -1 to 1.
    shared_targets
        Share of trained agents whose targets two models have in common; from 0 to 1.
    shared_common_sense, shared_residual, shared_native
        Correlations between two models, from 0 to 1: of their common sense, and beyond it of their residual and their
        native weights.
    trained, native
        How agents decide.
    off_the_shelf, weight_trained, introspection_trained, native_before, native_after
        How the sets of reports come about: the untrained model on trained contexts; the weight-trained model there; two
        introspection-trained models, each on the half that it was not trained on; the weight-trained and the
        introspection-trained model on native contexts.
    """

    trained_agents: int = 100
    native_agents: int = 100
    attributes: int = 5
    trained_decisions: int = 50
    native_decisions: int = 100
    replies: int = 10
    instilling: float = 0.9
    residual_common_sense: float = 0.0
    native_common_sense: float = 0.7
    shared_targets: float = 1.0
    shared_common_sense: float = 1.0
    shared_residual: float = 0.0
    shared_native: float = 0.0
    trained: Deciding = field(default_factory=Deciding)
    native: Deciding = field(default_factory=Deciding)
    off_the_shelf: Reported = field(default_factory=lambda: Reported(fidelity=0.7, scale=0.3))
    weight_trained: Reported = field(default_factory=Reported)
    introspection_trained: Reported = field(default_factory=lambda: Reported(fidelity=0.8, habit=1.0))
    native_before: Reported = field(default_factory=lambda: Reported(fidelity=0.4))
    native_after: Reported = field(default_factory=lambda: Reported(fidelity=0.75, habit=1.0))

    def __post_init__(self) -> None:
        _core.simulate_study(self.flat(), 1, 0, 0, 0, 0.95, 1)

    def flat(self) -> Floats:
        """Return all parameters as the engine reads them, shape (parameters,); see :data:`PARAMETERS`.

        Raises
        ------
        InputError
            For anything that is no number.
        """
        return np.array([_number(name, value) for name, value in self.to_dict().items()])

    def to_dict(self) -> dict[str, float]:
        """Return all parameters by name; those of a part stand behind its name and a full stop."""
        held: dict[str, float] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Deciding | Reported):
                held.update({f"{one.name}.{part.name}": getattr(value, part.name) for part in fields(value)})
            else:
                held[one.name] = value
        return held

    def but(self, changes: Mapping[str, float]) -> Settings:
        """Return these settings with some parameters changed.

        Parameters
        ----------
        changes
            By name, such as ``{"trained_agents": 200, "weight_trained.fidelity": 0.6}``.

        Returns
        -------
        Settings
            A new object.

        Raises
        ------
        InputError
            For an unknown name or a number out of its domain.
        """
        whole: dict[str, Any] = {}
        parts: dict[str, dict[str, float]] = {}
        for name, value in changes.items():
            if name not in PARAMETERS:
                raise InputError.at("the name of a parameter", repr(name), field="changes")
            part, _, within = name.rpartition(".")
            if part:
                parts.setdefault(part, {})[within] = value
            else:
                whole[name] = value
        whole.update({part: replace(getattr(self, part), **values) for part, values in parts.items()})
        return replace(self, **whole)


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

    Returns
    -------
    Simulation
        One row of figures for each replicate and model.

    Raises
    ------
    InputError
        For settings or numbers out of their domains.

    Examples
    --------
    >>> simulate(Settings(trained_agents=20, native_agents=20), 3, seed=1)["weight_trained.r"].shape
    (3,)
    """
    models = (settings,) if isinstance(settings, Settings) else tuple(settings)
    flat = np.concatenate([each.flat() for each in models]) if models else np.empty(0)
    count = as_u64("replicates", replicates)
    numbers = as_u64("seed", seed), as_u64("first", first), count
    found = _core.simulate_study(flat, len(models), *numbers, level, as_u64("threads", threads))
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


def dump(settings: Settings, *, seed: int, replicate: int, model: int = 0) -> Study:
    """Simulate one replicate under one model and keep its choices and replies.

    Parameters
    ----------
    settings
        Of the model.
    seed, replicate
        As for :func:`simulate`.
    model
        0 or 1: the model's place among the settings there.

    Returns
    -------
    Study
        What stands behind that replicate's row of figures.

    Raises
    ------
    InputError
        For numbers out of their domains.
    """
    numbers = as_u64("model", model), as_u64("seed", seed), as_u64("replicate", replicate)
    raw = _core.dump_study(settings.flat(), *numbers)
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


def profile(model: str) -> Settings:
    """Return the settings calibrated on a model of the paper.

    Parameters
    ----------
    model
        One of :data:`PROFILES`.

    Returns
    -------
    Settings
        As :mod:`avowal.calibrate` estimated them from the authors' published files.

    Raises
    ------
    InputError
        For another name.
    """
    if model not in PROFILES:
        raise InputError.at(" or ".join(PROFILES), repr(model), field="model")
    text = files("avowal").joinpath("profiles", f"{model}.json").read_text(encoding="utf-8")
    held: dict[str, float] = json.loads(text)["settings"]
    return Settings().but(held)


def _number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise InputError.at("a number", repr(value), field=name)
    return float(value)
