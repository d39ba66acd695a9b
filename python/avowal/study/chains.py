"""Chains: the models of a study's results, each a base model with what it went through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from avowal.study.stages import Stage

__all__ = ["FIELDS", "Chain", "belongs", "chains", "columns"]

FIELDS = ("base", "seed", "label")
"""The fields of a stage that tell chains apart; a stage for which one is None belongs to all that differ in it."""

VARIANTS = {"targets": "", "learned": "learned weights as reports", "shuffled": "shuffled reports"}
"""What introspection training taught, as results call it."""

_values = attrgetter(*FIELDS)


@dataclass(frozen=True, slots=True)
class Chain:
    """One model of the results.

    Attributes
    ----------
    values
        Of :data:`FIELDS`.
    name
        The base model's, and what sets the chain apart from the base model's others.
    decider
        The name without what introspection training taught: chains of one decider have the same choices.
    variant
        What introspection training taught, empty for the targets.
    """

    values: tuple[Any, ...]
    name: str
    decider: str
    variant: str


def columns(stage: Stage) -> dict[str, Any]:
    """Return the columns of :data:`avowal.tables.STAGE` for a stage."""
    return {"stage": stage.name, "role": stage.role, **dict(zip(FIELDS, _values(stage), strict=True))}


def chains(listed: Sequence[Stage]) -> tuple[Chain, ...]:
    """List the chains of a study, those of one base model after those of another.

    Parameters
    ----------
    listed
        All stages.

    Returns
    -------
    tuple of Chain
        Named apart.
    """
    # Of a study that trains nothing the base models themselves are the models.
    trained = [stage for stage in listed if stage.seed is not None] or listed
    told = any(stage.label is not None for stage in trained)
    found = dict.fromkeys(_values(stage) for stage in trained if not told or stage.label is not None)
    several = len({stage.seed for stage in trained}) > 1
    made = []
    for values in found:
        base, seed, label = values
        variant = VARIANTS[label] if label is not None else ""
        decider = f"{base}, seed {seed}" if several else base
        made.append(Chain(values, f"{decider}, {variant}" if variant else decider, decider, variant))
    return tuple(made)


def belongs(stage: Stage, chain: Chain) -> bool:
    """Tell whether a stage is part of a chain."""
    return all(own is None or own == its for own, its in zip(_values(stage), chain.values, strict=True))
