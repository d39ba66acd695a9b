"""Quantities: everything that a simulated study depends on, as one object with a number for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avowal import _core
from avowal.errors import InputError

Floats = NDArray[np.float64]

SETS = ("off_the_shelf", "weight_trained", "introspection_trained", "native_before", "native_after")
"""The five sets of reports, in the order of every table."""

PARAMETERS: tuple[str, ...] = tuple(_core.study_names()[0])
"""Names of all parameters of :class:`Settings`, in order; those of a part stand behind its name and a full stop."""


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
        Share of replies scaled so that their largest absolute number is ``100 stretch``, from 0 to 1.
    stretch
        How far beyond the scale that reaches; past 1 more than one number of a reply is ±100. Positive.
    step
        Replies are rounded to multiples of this; positive.
    coarse, coarse_step
        Share of replies that are rounded to multiples of `coarse_step` instead; scaled replies come first.
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
    stretch: float = 1.0
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
        _core.simulate_study(self.flat(), 1, 0, 0, 0, 0.95, 1, None, None)

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
                # Counts written as 100.0 are counts.
                counted = isinstance(getattr(self, name), int) and isinstance(value, float) and value.is_integer()
                whole[name] = int(value) if counted else value
        whole.update({part: replace(getattr(self, part), **values) for part, values in parts.items()})
        return replace(self, **whole)


def _number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise InputError.at("a number", repr(value), field=name)
    try:
        return float(value)
    except OverflowError:
        raise InputError.at("a number", "one beyond all floats", field=name) from None
