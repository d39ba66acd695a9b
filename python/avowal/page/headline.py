"""The headline: in a sentence, two figures and a table, how true reports are before and after training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from avowal.accuracy import Gain, ends
from avowal.analysis.material import GAINS, HEADERS, LABELS, NOT_ASKED
from avowal.analysis.printed import FOLDS
from avowal.analysis.results import ModelResult
from avowal.page.figures import Figures
from avowal.page.tables import Cell, Table, count, told
from avowal.text import estimate as written
from avowal.text import number

__all__ = ["Headline", "bars", "contexts_of", "headline", "scatter"]

Row = dict[str, Any]

WHERE = {"instilled": ("trained contexts", " (on contexts held out of it)"), "native": ("native contexts", "")}
"""Where the two gains of the paper are measured, and what is to be said of reports after introspection training."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What comes first.

    Attributes
    ----------
    sentences
        One for each model that is drawn, and one for the gains.
    warnings
        As the analysis gives them.
    accuracies
        The accuracies of all models; None where there is none.
    missing
        What could not be computed, and why; None where nothing is missing.
    undrawn
        Models that tables hold and figures leave out.
    """

    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    accuracies: Table | None
    missing: Table | None
    undrawn: tuple[str, ...]


def headline(figures: Figures) -> Headline:
    """Say what was found.

    Parameters
    ----------
    figures
        Of the analysis.

    Returns
    -------
    Headline
    """
    result, drawn = figures.result, figures.drawn
    sentences = [line for model in drawn if (line := _sentence(model))]
    if (line := _gains(figures)) is not None:
        sentences.append(line)
    return Headline(
        sentences=tuple(sentences or ["No accuracy can be told yet."]),
        warnings=tuple(result.warnings),
        accuracies=_accuracies(figures),
        missing=_missing(figures),
        undrawn=tuple(model.name for model in result.models if model not in drawn),
    )


def scatter(figures: Figures) -> list[Row]:
    """Return one row for each attribute of each context: reported against learned weights.

    Parameters
    ----------
    figures
        Of the analysis.

    Returns
    -------
    list of dict
        Keys ``model``, ``set``, ``set_label``, ``context``, ``agent``, ``attribute``, ``learned``, ``reported``.
    """
    rows: list[Row] = []
    for model in figures.drawn:
        for name, found in model.sets.items():
            entries = found.accuracy.entries
            for context, position, learned, reported in zip(
                entries.contexts.tolist(),
                entries.positions.tolist(),
                entries.weights.tolist(),
                entries.reports.tolist(),
                strict=True,
            ):
                its = figures.contexts[context]
                rows.append(
                    {
                        "model": model.name,
                        "set": name,
                        "set_label": LABELS[name],
                        "context": context,
                        "agent": its.agent or "",
                        "attribute": its.attributes[position].name,
                        "learned": learned,
                        "reported": reported,
                    }
                )
    return rows


def bars(figures: Figures) -> list[Row]:
    """Return one row for each accuracy of each model that is drawn.

    Parameters
    ----------
    figures
        Of the analysis.

    Returns
    -------
    list of dict
        Keys ``model``, ``set``, ``set_label``, ``r``, ``low``, ``high``, ``baseline``.
    """
    rows = []
    for model in figures.drawn:
        for name in figures.sets_of(model):
            low, high = figures.value("models", model.name, "accuracy", name, "cluster_interval") or (None, None)
            rows.append(
                {
                    "model": model.name,
                    "set": name,
                    "set_label": LABELS[name],
                    "r": figures.value("models", model.name, "accuracy", name, "r"),
                    "low": low,
                    "high": high,
                    "baseline": name == "off_the_shelf",
                }
            )
    return rows


def _sentence(model: ModelResult) -> str | None:
    parts = [part for name, told in WHERE.items() for part in _sides(model, *GAINS[name], *told)]
    if not parts:
        return None
    return f"{model.name}: reports correlate with the weights behind the choices, {'; '.join(parts)}."


def _sides(model: ModelResult, before: str, after: str, where: str, held_out: str) -> Iterator[str]:
    told_before, told_after = (_r(model, name) for name in (before, after))
    if told_before and told_after:
        yield f"in {where} {told_before} before introspection training and {told_after} after it{held_out}"
    elif told_before:
        yield f"in {where} {told_before}, before any introspection training"
    elif told_after:
        yield f"in {where} {told_after}, after introspection training{held_out}"


def _r(model: ModelResult, name: str) -> str | None:
    found = model.sets.get(name)
    if found is None or found.accuracy.r is None:
        return None
    return _written(found.accuracy.r, found.accuracy.cluster_interval)


def _written(value: float | None, interval: tuple[float, float] | None) -> str:
    return written(value, interval) if interval is not None else f"{number(value)} (without an interval)"


def _gains(figures: Figures) -> str | None:
    gains = figures.result.gains
    there = {
        where: gains[name]
        for name, where in (("instilled", "in trained contexts"), ("native", "in native contexts"))
        if name in gains and gains[name][0].cluster.estimate is not None
    }
    if not there:
        return None
    raised = all((ends(gain.cluster) or (0.0,))[0] > 0 for gain, _ in there.values())
    amounts = [f"by {_amount(gain)} {where}" for where, (gain, _) in there.items()]
    whose = [_whose(figures, list(by_model)) for _, by_model in there.values()]
    # Said once where it is the same of all.
    parts = amounts if len(set(whose)) == 1 else [amount + over for amount, over in zip(amounts, whose, strict=True)]
    over = whose[0] if len(set(whose)) == 1 else ""
    common = ", over the contexts that have reports before and after" if _partly(figures) else ""
    return f"Introspection training {'raises' if raised else 'changes'} r {' and '.join(parts)}{over}{common}."


def _partly(figures: Figures) -> bool:
    """Tell whether a gain rests on fewer contexts than an accuracy that it compares, and so isn't their difference."""
    return any(
        figures.value("models", model, "accuracy", side, "contexts") != gain.common_contexts
        for name in WHERE
        if name in figures.result.gains
        for model, gain in figures.result.gains[name][1].items()
        for side in GAINS[name]
    )


def _whose(figures: Figures, models: Sequence[str]) -> str:
    """Say over which models a gain is taken; nothing where there is but one."""
    if len(models) == 1:
        return f" ({models[0]} alone)" if len(figures.result.models) > 1 else ""
    minds = {its.mind for its in figures.material.models if its.name in models}
    if len(minds) == len(models):
        return f" (mean of {len(models)} models)"
    of = "one base model" if len(minds) == 1 else f"{len(minds)} base models"
    return f" (mean of {len(models)} trained models of {of})"


def _amount(gain: Gain) -> str:
    interval = ends(gain.cluster)
    unsure = interval is not None and interval[0] <= 0 <= interval[1]
    return _written(gain.cluster.estimate, interval) + (" (not told from zero)" if unsure else "")


def _accuracies(figures: Figures) -> Table | None:
    if not any(model.sets for model in figures.result.models):
        return None
    rows = []
    for model in figures.result.models:
        for name in figures.sets_of(model):
            at = ("models", model.name, "accuracy", name)
            rows.append(
                (
                    told(model.name),
                    told(LABELS[name]),
                    figures.cell(*at, "r", ends="cluster_interval"),
                    figures.cell(*at, "slope", ends="interval"),
                    contexts_of(figures, at),
                    figures.cell(*at, "replies", of="replies_planned"),
                )
            )
    return Table(
        "accuracies",
        "Accuracy of reports",
        ("model", "reports", "r [by context]", "slope [the paper's]", "contexts", "valid replies"),
        tuple(rows),
        "The interval by context keeps each context's attributes together: it is the one to quote. The slope of "
        "standardised weights on standardised reports is what the paper prints.",
    )


def contexts_of(figures: Figures, at: tuple[str, ...]) -> Cell:
    """Return the contexts that entered an accuracy, of those planned."""
    used, lost = figures.value(*at, "contexts"), figures.value(*at, "contexts_lost")
    return count(used, None if used is None else used + lost, reason=figures.reason(*at, "contexts"))


def _missing(figures: Figures) -> Table | None:
    rows = [
        (told(model.name), told(LABELS.get(what, FOLDS.get(what, f"choices, {HEADERS.get(what, what)}"))), told(why))
        for model in figures.result.models
        for what, why in model.missing.items()
        if why != NOT_ASKED
    ]
    if not rows:
        return None
    return Table("missing", "What there is not yet", ("model", "what", "why"), tuple(rows))
