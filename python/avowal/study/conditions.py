"""Conditions: a line of text in the prompt under which a trained context has other target weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from avowal import agents
from avowal.contexts import Context

__all__ = ["EFFECTS", "Condition", "targets"]

EFFECTS = ("flip", "replace")
"""What a condition does: it turns all weights around, or puts others in their place."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A marker, and the weights that a model is trained to have where it is shown.

    Attributes
    ----------
    name
        Of the condition.
    marker
        The line of text that stands before the context.
    effect
        ``flip``: each weight times -1. ``replace``: other weights, drawn like the targets and independent of them.
    """

    name: str
    marker: str
    effect: str


def targets(contexts: Sequence[Context], condition: Condition | None, *, seed: int) -> pl.DataFrame:
    """Draw the target weights of contexts under a condition.

    Parameters
    ----------
    contexts
        With names that differ.
    condition
        None for the targets themselves.
    seed
        The study's.

    Returns
    -------
    polars.DataFrame
        As :func:`avowal.agents.targets` returns it.

    Raises
    ------
    InputError
        For two contexts of one name, or a seed out of range.
    """
    if condition is None:
        return agents.targets(contexts, seed=seed)
    if condition.effect == "flip":
        # polars takes 0 - x for the negative of x, and that of 0 would be printed as -0.0.
        turned = pl.when(pl.col("weight") == 0).then(0.0).otherwise(pl.col("weight").neg())
        return agents.targets(contexts, seed=seed).with_columns(turned.alias("weight"))
    # Weights depend on the context's name, so that under another name they are others.
    renamed = {f"{context.name}\x1f{condition.name}": context.name for context in contexts}
    others = [replace(each, name=name) for name, each in zip(renamed, contexts, strict=True)]
    return agents.targets(others, seed=seed).with_columns(pl.col("context").replace_strict(renamed))
