"""The material of an analysis: contexts, targets, and what each model chose and reported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from avowal.contexts import Context

__all__ = [
    "GAINS",
    "GROUPS",
    "HEADERS",
    "LABELS",
    "NOT_ASKED",
    "SETS",
    "Material",
    "ModelMaterial",
    "after",
    "native",
    "reasons",
]

GROUPS = ("learned", "native", "learned_after", "native_after", "learned_by_others")
"""Choices by who made them about what: the weight-trained model about trained and native contexts; the models that went
through introspection training too, about the contexts that it left out and about native ones; and other weight-trained
models, about contexts that they alone were trained in."""

NOT_ASKED = "the study asks for none"
"""Why something is missing that was never meant to be there."""

HEADERS = {
    "learned": "trained",
    "native": "native",
    "learned_after": "trained, decided again",
    "native_after": "native, decided again",
    "learned_by_others": "others' contexts",
}
"""Short names of the groups."""

SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "off_the_shelf": ("learned", ("off_the_shelf",)),
    "weight_trained": ("learned", ("weight_trained",)),
    "introspection_trained": ("learned", ("introspection_first", "introspection_last")),
    "native_before": ("native", ("native_before",)),
    "native_after": ("native", ("native_after",)),
    "introspection_trained_own": ("learned_after", ("introspection_first", "introspection_last")),
    "native_after_own": ("native_after", ("native_after",)),
    "cross_before": ("learned_by_others", ("cross_before",)),
    "cross_after": ("learned_by_others", ("cross_after",)),
}
"""The accuracies: the group of choices whose weights count, and the sets of reports (two folds are crossed).

The paper's are the first five; they compare the reports of a model that went through introspection training with its
predecessor's weights. The next two compare them with its own. The last two compare what a model says of contexts that
others were trained in with the weights of those.
"""

LABELS = {
    "off_the_shelf": "off the shelf",
    "weight_trained": "weight-trained",
    "introspection_trained": "introspection-trained",
    "native_before": "native before",
    "native_after": "native after",
    "introspection_trained_own": "introspection-trained, own weights",
    "native_after_own": "native after, own weights",
    "cross_before": "others' contexts before",
    "cross_after": "others' contexts after",
}
"""Short names of the accuracies; introspection-trained models are asked about held-out contexts."""

GAINS = {
    "instilled": ("weight_trained", "introspection_trained"),
    "native": ("native_before", "native_after"),
    "instilled_own": ("weight_trained", "introspection_trained_own"),
    "native_own": ("native_before", "native_after_own"),
    "cross": ("cross_before", "cross_after"),
}
"""The effects of introspection training: accuracy after less accuracy before."""


def gain_name(name: str) -> str:
    """Name a gain for people."""
    return name.replace("instilled", "trained").replace("_own", ", own weights")


def named(quantity: str) -> str:
    """Name an accuracy or a gain for people."""
    gain = quantity.partition(",")[0] in GAINS
    return f"gain, {gain_name(quantity)}" if gain else LABELS.get(quantity, quantity)


@dataclass(frozen=True, slots=True)
class ModelMaterial:
    """What is known of one model; a kind that is not there is no key.

    Attributes
    ----------
    name
        As the results call it.
    choices
        Tables of :data:`avowal.tables.CHOICES` by group (:data:`GROUPS`). With a further column ``p_a``, the
        probability of A, weights are estimated from it too.
    reports
        Tables of :data:`avowal.tables.REPORTS` by set, as :data:`SETS` names them.
    weights
        Weights estimated by others, tables of :data:`avowal.tables.WEIGHTS` by group.
    missing
        Why a group, a set of reports or an accuracy is not there.
    asked
        The contexts that a set of reports was asked about; where it is silent, it is told from the reports.
    decider
        Models with the same choices have the same one; None for a model by itself.
    base
        Models of one base are no other minds to each other; None for a model by itself.
    traits
        What may set it apart from others of its setting, in an order that all models of a material have in common;
        those that differ in one trait at most are compared.
    setting
        Models of other settings are no other minds, but minds under other weights; empty for the usual one.
    variant
        What sets the model apart from those whose gains are averaged; empty for the usual ones.
    targets
        Where they are not those of the material.
    """

    name: str
    choices: Mapping[str, pl.DataFrame]
    reports: Mapping[str, pl.DataFrame]
    weights: Mapping[str, pl.DataFrame]
    missing: Mapping[str, str]
    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decider: str | None = None
    base: str | None = None
    traits: tuple[object, ...] = ()
    setting: str = ""
    variant: str = ""
    targets: pl.DataFrame | None = None

    @property
    def mind(self) -> str:
        """The base model, or the model's own name where that is unknown."""
        return self.name if self.base is None else self.base

    def decided_by(self, group: str) -> str:
        """Return the name under which a group of choices is known: that of the model after training is its own."""
        return self.name if self.decider is None or after(group) else self.decider


@dataclass(frozen=True, slots=True)
class Material:
    """What is analysed.

    Attributes
    ----------
    kind
        ``folder`` or ``study``.
    source
        Its path, or its name.
    contexts
        All of them, in order.
    targets
        A table of :data:`avowal.tables.TARGETS`, or None.
    models
        In the order of the results.
    groups, sets
        Those of :data:`GROUPS` and :data:`SETS` that are looked for.
    unanswered
        Kinds of failures of requests that got no reply; others are of replies that can't be used.
    """

    kind: str
    source: str
    contexts: tuple[Context, ...]
    targets: pl.DataFrame | None
    models: tuple[ModelMaterial, ...]
    groups: tuple[str, ...] = GROUPS[:2]
    sets: tuple[str, ...] = tuple(SETS)[:5]
    unanswered: Collection[str] = ()

    @property
    def gains(self) -> tuple[str, ...]:
        """Those of :data:`GAINS` whose both sides are looked for."""
        return tuple(name for name, sides in GAINS.items() if set(sides) <= set(self.sets))


def native(group: str) -> bool:
    """Tell whether a group's contexts are native ones."""
    return group.startswith("native")


def after(group: str) -> str | None:
    """Return the group before introspection training that a group is measured again for, or None."""
    return group.removesuffix("_after") if group.endswith("_after") else None


def reasons(
    groups: Mapping[str, str], reports: Mapping[str, str], sets: Sequence[str] = tuple(SETS)[:5]
) -> dict[str, str]:
    """Say why accuracies can't be computed.

    Parameters
    ----------
    groups, reports
        Why a group of choices or a set of reports is not there.
    sets
        The accuracies that are looked for.

    Returns
    -------
    dict of str to str
        By group, set of reports and accuracy.
    """
    found = dict(groups)
    for name in sets:
        needed = SETS[name][1]
        absent = [each for each in needed if each in reports]
        found |= {each: reports[each] for each in absent}
        if absent == list(needed):
            found[name] = reports[needed[0]]
    return found
