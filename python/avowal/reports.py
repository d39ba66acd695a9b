"""Reports: simulated replies to the question about weights, as true as asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.checks import check_columns
from avowal.contexts import Context
from avowal.errors import InputError
from avowal.rng import Purpose, normals, uniforms, unit_id
from avowal.tables import REPORTS
from avowal.trials import by_name

Floats = NDArray[np.float64]

SPREAD = 200 / np.sqrt(12)
"""Standard deviation of target weights before scaling: uniform from -100 to 100."""

INVALID = "wrong keys"
"""What makes a simulated reply invalid: the commonest fault of real ones (the paper, footnote 4)."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """How simulated agents report.

    Attributes
    ----------
    fidelity
        Correlation of what an agent believes with its weights; from -1 to 1. The belief is
        ``fidelity * weight + sqrt(1 - fidelity^2) * noise``, the noise normal with the spread of target weights, and
        drawn once for each agent.
    noise
        Standard deviation of a reply around the belief, on the ±100 scale; 0 or more.
    step
        Replies are rounded to multiples of this, as models and people do; positive.
    invalid
        Chance that a reply can't be read; from 0 to 1.
    """

    fidelity: float
    noise: float = 15.0
    step: float = 5.0
    invalid: float = 0.0

    def __post_init__(self) -> None:
        if not -1 <= self.fidelity <= 1:
            raise InputError.at("a number from -1 to 1", self.fidelity, field="fidelity")
        if not (self.noise >= 0 and np.isfinite(self.noise)):
            raise InputError.at("a number of 0 or more", self.noise, field="noise")
        if not (self.step > 0 and np.isfinite(self.step)):
            raise InputError.at("a positive number", self.step, field="step")
        if not 0 <= self.invalid <= 1:
            raise InputError.at("a number from 0 to 1", self.invalid, field="invalid")


def report(
    weights: pl.DataFrame,
    contexts: Iterable[Context],
    replies: int,
    *,
    how: Reporting,
    seed: int,
    model: str = "simulated",
    name: str = "simulated",
) -> pl.DataFrame:
    """Simulate the replies of agents asked for their weights.

    Parameters
    ----------
    weights
        Columns context, position, weight: what the agents' choices follow, on the ±100 scale.
    contexts
        The contexts to report on; each must have weights.
    replies
        Replies for each context; more under the same seed extend the same sequence.
    how
        Fidelity, noise, rounding and invalid replies.
    seed
        From 0 to 2**64 - 1. A context's replies depend on the seed, the set's name and its own name alone.
    model, name
        The reporting model and the set, as the table names them.

    Returns
    -------
    polars.DataFrame
        A table of :data:`avowal.tables.REPORTS`; replies that can't be read are null with their failure.

    Raises
    ------
    InputError
        Where a context has no weights, or not one finite number for each attribute; or `replies` is negative.
    """
    if replies < 0:
        raise InputError.at("at least 0", replies, field="replies")
    check_columns("weights", weights, ("context", "position", "weight"))
    named = by_name(contexts)
    known = weights.sort("position").group_by("context", maintain_order=True).agg("weight")
    table: dict[str, list[float]] = dict(known.iter_rows())
    rows = [row for context in named.values() for row in _replies(context, table, replies, how, seed, model, name)]
    return pl.DataFrame(rows, schema=dict(REPORTS), orient="row")


def _replies(
    context: Context,
    table: dict[str, list[float]],
    replies: int,
    how: Reporting,
    seed: int,
    model: str,
    name: str,
) -> list[tuple[object, ...]]:
    held = table.get(context.name)
    if held is None or len(held) != len(context.attributes) or not all(w is not None and isfinite(w) for w in held):
        found = "none" if held is None else str(held)
        raise InputError.at(f"{len(context.attributes)} weights for {context.name!r}", found, field="weights")
    w = np.array(held)
    unit = unit_id(f"{name}\n{context.name}")
    # Replicate 0 holds the belief and the faults, replicate r + 1 the noise of reply r.
    belief = how.fidelity * w + np.sqrt(1 - how.fidelity**2) * SPREAD * normals(seed, Purpose.REPORTS, unit, 0, len(w))
    faults = uniforms(seed, Purpose.REPORTS, unit, 0, replies, offset=len(w))
    rows: list[tuple[object, ...]] = []
    for reply in range(replies):
        noisy: Floats = belief + how.noise * normals(seed, Purpose.REPORTS, unit, reply + 1, len(w))
        rounded = np.clip(np.round(noisy / how.step) * how.step, -100, 100)
        invalid = faults[reply] < how.invalid
        value, failure = (None, INVALID) if invalid else (rounded.tolist(), None)
        rows.append((model, name, context.name, reply, value, failure, None, None))
    return rows
