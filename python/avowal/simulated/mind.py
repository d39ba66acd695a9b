"""The mind: what drives a simulated model's choices, and what it believes of that, as its training files taught it.

Everything that docs/serve.md states in formulas is computed here; the words of a draw say whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random

import numpy as np

from avowal.quantities import Deciding, Reported, Settings
from avowal.simulated.draws import Floats, normal, shared, uniform
from avowal.simulated.learning import Lesson, Recovered, dose
from avowal.simulated.reading import Key
from avowal.simulated.world import World

RECOVERED = 0.97
"""Correlation of recovered with true weights, 50 decisions by 5 attributes: the profile's `instilling` contains it."""

AGREED = 0.9
"""Share of `instilling` from which uploaded reports count as fully true: instilled weights aren't quite the targets."""

MARGIN = 2.0
"""Standard errors of a correlation that uploaded reports must exceed to count as true at all."""

TRUTH = frozenset({"fidelity", "common_sense", "shared_error"})
"""Parameters of reports that truth moves; the noise relative to the scale is one as well. The others are format."""


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """What drives choices in one context; arrays by the attributes' names in alphabetical order.

    Attributes
    ----------
    weights
        In force; the largest absolute one is 100.
    common_sense
        Standard normal.
    inverse_temperature, position_bias
        Log odds of A per full range of an attribute of weight 100, and between equal options.
    deciding
        What the profile says of such agents.
    widths
        How much each attribute varies, in its units; None where nobody said.
    """

    weights: Floats
    common_sense: Floats
    inverse_temperature: float
    position_bias: float
    deciding: Deciding
    widths: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """How reports about one context come about, before introspection training and after it.

    Attributes
    ----------
    belief
        Shape (attributes,), before scale and shift.
    styles
        How replies are written, before and after.
    learned
        Share of replies written as after training.
    gains, shifts
        Factor and addition to the belief of either style.
    invalid
        Share of replies that can't be read.
    """

    belief: Floats
    styles: tuple[Reported, Reported]
    learned: float
    gains: tuple[float, float]
    shifts: tuple[float, float]
    invalid: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A context's weights as recovered, and the mind that was trained on them."""

    recovered: Recovered
    by: str


class Mind:
    """One model: a family's profile, and the files that it was trained on.

    Parameters
    ----------
    seed
        Of the whole provider.
    family
        Name of the base model: native weights are its own.
    settings
        Its profile.
    world
        What it knows before training.
    """

    def __init__(self, seed: int, family: str, settings: Settings, world: World) -> None:
        self.seed, self.family, self.settings, self.world = seed, family, settings, world
        self.key = self.before = family
        self.trained: Mapping[Key, Trained] = {}
        self.lessons: Mapping[Key, Floats] = {}
        self._agents: dict[Key, Agent] = {}
        self._speakers: dict[Key, Speaker] = {}
        self._truth: tuple[float, float] | None = None

    def taught(self, lesson: Lesson, name: str) -> Mind:
        """Return the model that a training file makes of this one.

        Parameters
        ----------
        lesson
            What the file holds.
        name
            Of the training, such as the file's digest and the job's seed; equal trainings make equal models.

        Returns
        -------
        Mind
        """
        mind = Mind(self.seed, self.family, self.settings, self.world)
        mind.key = f"{self.key}>{name}"
        mind.trained = {
            **self.trained,
            **{key: Trained(recovered, mind.key) for key, recovered in lesson.recovered.items()},
        }
        mind.lessons = {**self.lessons, **lesson.reports}
        mind.before = mind.key if lesson.recovered else self.before
        return mind

    def agent(self, key: Key) -> Agent:
        """Return what drives choices in a context."""
        if key not in self._agents:
            self._agents[key] = self._agent(key)
        return self._agents[key]

    def speaker(self, key: Key) -> Speaker:
        """Return how reports about a context come about."""
        if key not in self._speakers:
            self._speakers[key] = self._speaker(key)
        return self._speakers[key]

    def truth(self) -> tuple[float, float]:
        """Return what introspection training taught, each from 0 to 1: the truth about the weights, and the format.

        Returns
        -------
        truth, format
            The first is 0 unless the uploaded reports agree with the weights in force, pooled over all attributes.
        """
        if self._truth is None:
            self._truth = self._learned_truth()
        return self._truth

    def _learned_truth(self) -> tuple[float, float]:
        if not self.lessons:
            return 0.0, 0.0
        said = np.concatenate(list(self.lessons.values()))
        held = np.concatenate([self.agent(key).weights for key in self.lessons])
        learned, margin = dose(len(self.lessons)), MARGIN / np.sqrt(said.size)
        full = AGREED * abs(self.settings.instilling)
        if said.std() == 0 or margin >= full:
            return 0.0, learned
        agreement = float(np.corrcoef(said, held)[0, 1])
        return learned * float(np.clip((agreement - margin) / (full - margin), 0, 1)), learned

    def _agent(self, key: Key) -> Agent:
        settings, seed, names = self.settings, self.seed, key.names
        trained = self.trained.get(key)
        sense = shared(
            seed,
            names,
            settings.shared_common_sense,
            ("common sense", key.text),
            ("common sense", self.family, key.text),
        )
        rest = self._rest(key, "native", self.family, settings.shared_native)
        native = _scaled(_mixed(settings.native_common_sense, sense, rest))
        deciding = settings.native if trained is None else settings.trained
        weights, by, widths = native, self.family, self.world.known(key)
        if trained is not None:
            by, widths = trained.by, trained.recovered.widths
            rest = self._rest(key, "residual", by, settings.shared_residual)
            full = _instilled(settings, trained.recovered.weights, _mixed(settings.residual_common_sense, sense, rest))
            share = dose(trained.recovered.examples)
            weights = _scaled(share * full + (1 - share) * native)
        drawn = normal(seed, "deciding", by, key.text, size=2)
        return Agent(
            weights,
            sense,
            deciding.inverse_temperature * float(np.exp(deciding.inverse_temperature_sd * drawn[0])),
            deciding.position_bias + deciding.position_bias_sd * float(drawn[1]),
            deciding,
            widths,
        )

    def _rest(self, key: Key, part: str, by: str, share: float) -> Floats:
        return shared(self.seed, key.names, share, (part, key.text), (part, by, key.text))

    def _speaker(self, key: Key) -> Speaker:
        agent, settings = self.agent(key), self.settings
        sets = self._sets(key)
        before, after = (getattr(settings, name) for name in sets)
        truth, learned = self.truth()
        after = _between(before, after, truth)
        size = float(np.sqrt(np.mean(agent.weights**2)))
        held = agent.weights
        if sets[0] == "off_the_shelf":
            held = (1 - truth) * size * agent.common_sense + truth * agent.weights
        styles, whose = (before, after), (self.before, self.key)
        parts = list(zip(sets, styles, whose, strict=True))
        errors = [
            shared(self.seed, key.names, style.shared_error, ("error", name, key.text), ("error", name, who, key.text))
            for name, style, who in parts
        ]
        error = _mixed(
            after.common_sense, agent.common_sense, np.sqrt(1 - truth) * errors[0] + np.sqrt(truth) * errors[1]
        )
        placed = [self._placed(key, *part) for part in parts]
        shares = [chance(self.seed, style, name, who, key.text) for name, style, who in parts]
        return Speaker(
            after.fidelity * held + np.sqrt(1 - after.fidelity**2) * size * error,
            styles,
            learned,
            (placed[0][0], placed[1][0]),
            (placed[0][1], placed[1][1]),
            (1 - learned) * shares[0] + learned * shares[1],
        )

    def _sets(self, key: Key) -> tuple[str, str]:
        if key in self.trained:
            return "weight_trained", "introspection_trained"
        return "native_before" if self.trained else "off_the_shelf", "native_after"

    def _placed(self, key: Key, name: str, style: Reported, who: str) -> tuple[float, float]:
        drawn = normal(self.seed, "placed", name, who, key.text, size=2)
        own = normal(self.seed, "model scale", name, who)[0]
        gain = style.scale * float(np.exp(style.scale_sd * drawn[0] + style.model_scale_sd * own))
        return gain, style.shift + style.shift_sd * float(drawn[1])


def chance(seed: int, style: Reported, *words: str) -> float:
    """Draw an agent's share of unreadable replies: beta distributed, with the profile's mean and clustering."""
    mean, clustering = style.invalid, style.invalid_clustering
    if mean in (0.0, 1.0) or clustering == 0:
        return mean
    size, where = 1 / clustering - 1, float(uniform(seed, "invalid", *words)[0])
    if size < 1e-6:
        return float(where < mean)
    # A beta variate takes any number of draws; this generator begins at one of ours.
    return Random(where).betavariate(mean * size, (1 - mean) * size)  # noqa: S311


def _between(before: Reported, after: Reported, truth: float) -> Reported:
    """Return reports in the format of after, as true as `truth` says between before (0) and after (1)."""
    changes = {
        field.name: (1 - truth) * getattr(before, field.name) + truth * getattr(after, field.name)
        for field in fields(Reported)
        if field.name in TRUTH
    }
    noise = after.scale * ((1 - truth) * before.noise / before.scale + truth * after.noise / after.scale)
    held = {field.name: getattr(after, field.name) for field in fields(Reported)}
    return Reported(**{**held, **changes, "noise": noise})


def _instilled(settings: Settings, weights: Floats, rest: Floats) -> Floats:
    kept = float(np.clip(settings.instilling / RECOVERED, -1, 1))
    return _scaled(kept * weights + np.sqrt(1 - kept**2) * np.sqrt(np.mean(weights**2)) * rest)


def _mixed(share: float, one: Floats, other: Floats) -> Floats:
    mixed: Floats = share * one + np.sqrt(1 - share**2) * other
    return mixed


def _scaled(weights: Floats) -> Floats:
    largest = float(np.abs(weights).max())
    scaled: Floats = weights * (100 / largest) if largest > 0 else weights
    return scaled
