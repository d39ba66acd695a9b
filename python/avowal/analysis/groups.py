"""Groups: the choices of one model in trained or in native contexts, and the weights that they follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from avowal.analysis.probabilities import probability_weights
from avowal.ceiling import split_half
from avowal.contexts import Context
from avowal.correlation import pearson
from avowal.fit import Fit, cross_validate, fit

Z_LIMIT = 1.96
"""Size of z past which an intercept counts as a position bias."""


@dataclass(frozen=True, slots=True)
class FitAccuracy:
    """Share of choices that fitted weights predict; None where there is no such figure."""

    with_intercept: float | None
    slopes_only: float | None
    cross_validated: float | None


@dataclass(frozen=True, slots=True)
class GroupResult:
    """Choices of one model in trained or native contexts.

    Attributes
    ----------
    contexts
        Contexts with choices (or, without a file of choices, with published weights), in the folder's order.
    weights
        Columns context, position, weight: what reports are compared with.
    fit
        Our fits; None without choices.
    fit_accuracy
        How well the weights predict the choices they came from.
    biased
        Agents whose centred intercept is more than 1.96 standard errors from zero; None without choices.
    mean_intercept
        Mean log odds of A between equal options; None without choices.
    reliability
        Split-half reliability of our weights.
    from_probabilities
        Correlation of our weights with those from the probabilities of A; None where none were recorded.
    """

    contexts: tuple[str, ...]
    weights: pl.DataFrame
    fit: Fit | None
    fit_accuracy: FitAccuracy
    biased: int | None
    mean_intercept: float | None
    reliability: float | None
    from_probabilities: float | None = None

    @property
    def estimated(self) -> bool:
        """Whether any weight could be estimated."""
        return self.weights["weight"].count() > 0


def group_result(
    choices: pl.DataFrame | None, published: pl.DataFrame | None, contexts: Sequence[Context], *, ours: bool
) -> GroupResult | None:
    """Take or fit the weights of one group of contexts, and see how well they predict its choices.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`, with a further column ``p_a`` where it was recorded; or None.
    published
        The authors' weights, a table of :data:`avowal.tables.WEIGHTS`, or None.
    contexts
        The contexts of the folder.
    ours
        Whether our fits of the choices count, rather than the authors' weights.

    Returns
    -------
    GroupResult or None
        None without the weights that count.
    """
    has_choices = choices is not None and len(choices) > 0
    fitted = fit(choices, contexts) if choices is not None and has_choices else None
    weights = published if not ours else None if fitted is None else fitted.weights
    if weights is None or not len(weights):
        return None
    weights = weights.select("context", "position", "weight")
    source = choices if choices is not None and has_choices else weights
    asked = set(source["context"].to_list())
    return GroupResult(
        contexts=tuple(context.name for context in contexts if context.name in asked),
        weights=weights,
        fit=fitted,
        fit_accuracy=_fit_accuracy(fitted, weights, ours),
        biased=None if fitted is None else _biased(fitted),
        mean_intercept=None if fitted is None else _float(fitted.agents["intercept"].mean()),
        reliability=None if fitted is None else split_half(fitted),
        from_probabilities=None if fitted is None or choices is None else _told(fitted, choices, contexts),
    )


def _told(fitted: Fit, choices: pl.DataFrame, contexts: Sequence[Context]) -> float | None:
    if "p_a" not in choices.columns or not choices["p_a"].count():
        return None
    other = probability_weights(choices, contexts).rename({"weight": "other"})
    joined = fitted.weights.join(other, on=["model", "context", "position"], how="inner").drop_nulls(
        ["weight", "other"]
    )
    return pearson(joined["weight"].to_numpy(), joined["other"].to_numpy()).r


def _fit_accuracy(fitted: Fit | None, weights: pl.DataFrame, ours: bool) -> FitAccuracy:
    if fitted is None:
        return FitAccuracy(None, None, None)
    slopes_only = predicted_share(fitted, weights)
    if not ours:
        return FitAccuracy(None, slopes_only, None)
    counts = [cross_validate(trials) for trials, _ in fitted.parts]
    predicted, correct = (sum(int(pair[i].sum()) for pair in counts) for i in (0, 1))
    right = fitted.agents.select((pl.col("accuracy") * pl.col("valid")).sum() / pl.col("valid").sum()).item()
    return FitAccuracy(_float(right), slopes_only, correct / predicted if predicted else None)


def predicted_share(fitted: Fit, weights: pl.DataFrame) -> float | None:
    """Return the share of choices that weights predict without an intercept; None where no context has weights.

    Parameters
    ----------
    fitted
        Fits, for their trials.
    weights
        Columns context, position, weight. Contexts without weights are left out; ties count as B.
    """
    vectors = _vectors(weights)
    right = seen = 0
    for trials, _ in fitted.parts:
        for agent, (_, name) in enumerate(trials.keys):
            vector = vectors.get(name)
            rows = slice(int(trials.offsets[agent]), int(trials.offsets[agent + 1]))
            if vector is not None:
                right += int(((trials.differences[rows] @ vector > 0) == (trials.choices[rows] == 1)).sum())
                seen += rows.stop - rows.start
    return right / seen if seen else None


def _vectors(weights: pl.DataFrame) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    complete = weights.filter(pl.col("weight").is_not_null()).sort("position")
    return {str(name): rows["weight"].to_numpy() for (name,), rows in complete.group_by("context", maintain_order=True)}


def _biased(fitted: Fit) -> int:
    z = fitted.agents["centred_intercept"] / fitted.agents["centred_intercept_error"]
    return int((z.abs() > Z_LIMIT).sum())


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
