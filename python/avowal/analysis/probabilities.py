"""Weights from probabilities: what the log odds of A say where a model tells them beside its choice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.contexts import Context
from avowal.tables import WEIGHTS, conform
from avowal.trials import by_name

__all__ = ["probability_weights"]

SCALE = 100.0
"""What the largest absolute weight of a context is scaled to, as for weights from choices."""


def probability_weights(choices: pl.DataFrame, contexts: Iterable[Context]) -> pl.DataFrame:
    """Estimate weights by least squares from the log odds of A.

    Parameters
    ----------
    choices
        Columns model, context, a, b as in :data:`avowal.tables.CHOICES`, and ``p_a``: the probability of A among A and
        B. Rows without it, and those that are certain (0 or 1), are left out.
    contexts
        The contexts that the table names.

    Returns
    -------
    polars.DataFrame
        A table of :data:`avowal.tables.WEIGHTS`, agents in the order of the table. Null for an agent whose rows don't
        determine its weights, or whose log odds follow no attribute.

    Notes
    -----
    The log odds of A are regressed on an intercept and the differences between the options, (a - b) / (max - min); the
    slopes are scaled per context so that the largest absolute one is ±100. No prior: one probability says as much as
    many choices.
    """
    named = by_name(contexts)
    rows = choices.select("model", "context", "a", "b", "p_a").with_columns(
        told=pl.col("p_a").is_between(0, 1, closed="none").fill_null(value=False)
    )
    found = []
    for (model, name), agent in rows.group_by("model", "context", maintain_order=True):
        context = named[str(name)]
        weights = _weights(agent.filter("told"), context)
        found.append(
            pl.DataFrame(
                {
                    "model": [model] * len(weights),
                    "context": [name] * len(weights),
                    "attribute": [attribute.name for attribute in context.attributes],
                    "position": np.arange(len(weights)),
                    "weight": weights,
                }
            )
        )
    empty = pl.DataFrame(schema=dict(WEIGHTS))
    return conform(pl.concat([empty, *found], how="vertical_relaxed"), WEIGHTS, "weights").with_columns(
        pl.col("weight").fill_nan(None)
    )


def _weights(agent: pl.DataFrame, context: Context) -> NDArray[np.float64]:
    width = len(context.attributes)
    none = np.full(width, np.nan)
    if len(agent) <= width:
        return none
    shown = [agent[side].explode().to_numpy().reshape(-1, width) for side in ("a", "b")]
    span = np.array([attribute.max - attribute.min for attribute in context.attributes])
    x = np.column_stack([(shown[0] - shown[1]) / span, np.ones(len(agent))])
    p = agent["p_a"].to_numpy()
    solved, _, rank, _ = np.linalg.lstsq(x, np.log(p) - np.log1p(-p), rcond=None)
    largest = np.abs(solved[:width]).max()
    # Probabilities that don't depend on the options leave slopes of rounding errors alone.
    if rank <= width or largest < np.finfo(float).eps * max(1.0, float(np.abs(solved).max())) * len(agent):
        return none
    weights: NDArray[np.float64] = SCALE * solved[:width] / largest
    return weights
