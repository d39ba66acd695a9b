"""Doubts: what an accuracy rests on, and how far it depends on the way in which it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from avowal.accuracy import ends
from avowal.analysis.material import LABELS, gain_name
from avowal.analysis.printed import FOLDS, PAPERS_CHANGE
from avowal.analysis.results import ModelResult
from avowal.page.figures import Figures
from avowal.page.headline import contexts_of
from avowal.page.stan import LEVEL, compared, number_of, words
from avowal.page.tables import Cell, Form, Table, count, estimate, told
from avowal.stan.compared import STAN
from avowal.text import number

__all__ = ["ROWS", "Doubts", "doubts", "multiverse"]

Row = tuple[Cell, ...]

ROWS: dict[str, tuple[str, Form, str | None, str]] = {
    "r [by context]": ("r", "r", "cluster_interval", "Contexts left out in turn: the interval to quote."),
    "slope [the paper's]": ("slope", "r", "interval", "Takes the attributes of one context for independent."),
    "context bootstrap": (
        "r", "r", "bootstrap_percentile",
        "Contexts drawn anew: a little too narrow, 95% intervals hold the truth in 93 of 100 simulated studies.",
    ),
    "other model's weights": (
        "crossed_r", "r", None,
        "The same reports against the weights of another model. An accuracy well above it speaks for privileged "
        "access; one near it needs none.",
    ),
    "target weights": ("r_target", "r", None, "Against what training was to instil, rather than against what it did."),
    "without ±100": (
        "r_without_extremes", "r", None,
        "Without the entries whose weight rounds to ±100: one per context is ±100 by the scaling alone.",
    ),
    "without odd replies": ("r_in_range", "r", None, "Without replies beyond ±100 or of nothing but zeros."),
    "replies beyond ±100": ("out_of_range", "count", None, "They stay in r."),
    "replies all zero": ("all_zero", "count", None, "They stay in r."),
    "rescaled per context": ("r_rescaled", "r", None, "Each context's largest report made ±100, as its weight is."),
    "within contexts": ("r_within", "r", None, "The mean of the correlations within single contexts."),
    "same sign": ("sign_agreement", "share", None, "Entries in which both point the same way; half by chance."),
    "same top attribute": ("top_agreement", "share", None, "Contexts in which both have the same largest attribute."),
    "noise ceiling": ("ceiling", "r", None, "What true reports would reach, as weights are estimated with error."),
    "r / ceiling": ("corrected", "r", None, "The accuracy, corrected for that error."),
    "reports' reliability": ("reliability", "r", None, "How well halves of the replies agree: the reports' own noise."),
    "follows the pair": (
        "follows_pair", "r", None,
        "How far a report's size goes with the difference shown beside the question. Well above zero, some of each "
        "report describes the pair rather than the weights.",
    ),
    "bounds with lost replies": ("r", "r", "bounds", "Where r could lie, had every lost reply come and said anything."),
}  # fmt: skip
"""By label: key in the JSON document, how it is written, its interval's key, and what it says."""

VARIANTS = {
    "r, by context": ("r", "cluster_interval"),
    "slope, by regression": ("slope", "interval"),
    "context bootstrap": ("r", "bootstrap_percentile"),
    "without ±100 entries": ("r_without_extremes", None),
    "without odd replies": ("r_in_range", None),
    "rescaled per context": ("r_rescaled", None),
    "within contexts": ("r_within", None),
    "corrected for noise": ("corrected", None),
    "against targets": ("r_target", None),
    "against another model": ("crossed_r", None),
}
"""How an accuracy may be computed, by the keys of its number and interval."""

COMMON = (
    "A gain in r is taken over the contexts with reports before and after training alone, so it can differ from the "
    "difference of the two accuracies, which rest on all contexts that each has. In the mean of the models, a context "
    "counts that any of them has."
)


@dataclass(frozen=True, slots=True)
class Doubts:
    """What the question "Is it real?" is answered with.

    Attributes
    ----------
    beside
        For each model the accuracies with everything that stands beside them.
    gains, folds, differences
        Effects of training, each fold by itself, and models against each other; None where there are none.
    methods
        MAP, bootstrap, contexts left out and Stan side by side; weights and the joint model; empty without a check.
    notes
        What the check says in words, or which command makes it.
    remarks
        What is to be said of the figures.
    """

    beside: tuple[Table, ...]
    gains: Table | None
    folds: Table | None
    differences: Table | None
    methods: tuple[Table, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]


def doubts(figures: Figures, check: Mapping[str, Any] | None, command: str) -> Doubts:
    """Gather what an accuracy rests on.

    Parameters
    ----------
    figures
        Of the analysis.
    check
        The document of a check in Stan, if there is one.
    command
        The command that makes it.

    Returns
    -------
    Doubts
    """
    return Doubts(
        beside=tuple(
            _beside(figures, model, place) for place, model in enumerate(figures.result.models, 1) if model.sets
        ),
        gains=_gains(figures),
        folds=_folds(figures),
        differences=_differences(figures),
        methods=() if check is None else compared(check),
        notes=tuple(words(figures, check, command)),
        remarks=tuple(_remarks(figures)),
    )


def multiverse(figures: Figures, check: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return one row for each way of computing each accuracy of the models that are drawn.

    Parameters
    ----------
    figures
        Of the analysis.
    check
        The document of a check in Stan, if there is one.

    Returns
    -------
    list of dict
        Keys ``model``, ``set``, ``set_label``, ``variant``, ``estimate``, ``low``, ``high``; ways without a number are
        left out.
    """
    rows: list[dict[str, Any]] = []
    for model in figures.drawn:
        for name in model.sets:
            for variant, value, interval in _variants(figures, model, name, check):
                if value is not None:
                    low, high = interval or (None, None)
                    held: dict[str, Any] = {"model": model.name, "set": name, "set_label": LABELS[name]}
                    rows.append(held | {"variant": variant, "estimate": value, "low": low, "high": high})
    return rows


def _variants(
    figures: Figures, model: ModelResult, name: str, check: Mapping[str, Any] | None
) -> Iterator[tuple[str, float | None, Sequence[float] | None]]:
    at = ("models", model.name, "accuracy", name)
    for variant, (key, interval) in VARIANTS.items():
        yield variant, figures.value(*at, key), None if interval is None else figures.value(*at, interval)
    for row in [] if check is None else check["accuracies"]:
        if (row.get("model"), row.get("quantity"), row.get("method")) == (model.name, name, STAN):
            low, high = number_of(row, "low"), number_of(row, "high")
            # The check's intervals are at .95, whatever those of the page are at.
            at_level = "" if figures.result.settings.level == LEVEL else f" (at {number(LEVEL)})"
            ends_of = None if low is None or high is None else (low, high)
            yield f"slope, by Stan{at_level}", number_of(row, "estimate"), ends_of
    for fold in model.sets[name].folds:
        yield FOLDS[fold], *(figures.value(*at, "folds", fold, key) for key in ("r", "cluster_interval"))


def _beside(figures: Figures, model: ModelResult, place: int) -> Table:
    names = figures.sets_of(model)
    rows = []
    for label, (key, form, interval, _) in ROWS.items():
        cells = [figures.cell("models", model.name, "accuracy", name, key, form=form, ends=interval) for name in names]
        if interval in ("bounds", "bootstrap_percentile"):
            # The estimate stands in the first row already.
            cells = [Cell(None, form, cell.low, cell.high, reason=cell.reason or cell.unsure) for cell in cells]
        rows.append((told(label), *cells))
    headers = (f"reports of {model.name}", *(LABELS[name] for name in names))
    return Table(f"beside-{place}", f"{model.name}: accuracy, and what it rests on", headers, tuple(rows))


def _gains(figures: Figures) -> Table | None:
    rows = []
    for name in figures.result.gains:
        by_model = figures.value("gain", name, "by_model")
        rows += [_gain(figures, gain_name(name), model, "gain", name, "by_model", model) for model in by_model]
        if len(by_model) > 1:
            rows.append(_gain(figures, gain_name(name), "mean of the models", "gain", name))
    columns = ("weights", "model", "gain in r [by context]", "gain in slope [the paper's]", "common contexts")
    return Table("gains", "Effect of introspection training", columns, tuple(rows), COMMON) if rows else None


def _gain(figures: Figures, name: str, model: str, *at: str) -> Row:
    return (
        told(name),
        told(model),
        figures.cell(*at, "r", ends="cluster_interval"),
        figures.cell(*at, "estimate", ends="interval"),
        figures.cell(*at, "common_contexts", form="count"),
    )


def _folds(figures: Figures) -> Table | None:
    rows = []
    for model in figures.result.models:
        for name, found in model.sets.items():
            for fold in found.folds:
                at = ("models", model.name, "accuracy", name, "folds", fold)
                rows.append(
                    (
                        told(FOLDS[fold] + (", own weights" if name.endswith("_own") else "")),
                        told(model.name),
                        figures.cell(*at, "r", ends="cluster_interval"),
                        figures.cell(*at, "slope", ends="interval"),
                        contexts_of(figures, at),
                    )
                )
    columns = ("fold", "model", "r [by context]", "slope [the paper's]", "contexts")
    return Table("folds", "Each fold by itself", columns, tuple(rows)) if rows else None


def _differences(figures: Figures) -> Table | None:
    rows = [
        (told(LABELS[name]), told(one), told(other), estimate(found.estimate, ends(found)), count(common))
        for name, pairs in figures.result.differences.items()
        for one, other, found, common in pairs
    ]
    columns = ("reports", "model", "less model", "difference of r [by context]", "common contexts")
    return Table("differences", "Models against each other", columns, tuple(rows)) if rows else None


def _remarks(figures: Figures) -> Iterator[str]:
    pairs = [
        (found.accuracy.r, found.beside.r_without_extremes)
        for model in figures.result.models
        for found in model.sets.values()
    ]
    changes = [abs(r - without) for r, without in pairs if r is not None and without is not None]
    if changes:
        beyond = sum(change > PAPERS_CHANGE for change in changes)
        yield (
            f"Without the entries whose weight rounds to ±100, {beyond} of {len(changes)} correlations change by more "
            f"than {number(PAPERS_CHANGE)}; the paper says that none of its own did."
        )
    yield from _access(figures)
    if changes and not any(
        found.beside.crossed_r is not None for m in figures.result.models for found in m.sets.values()
    ):
        yield "There is no second base model with weights of its own: nothing can be said of privileged access."


def _access(figures: Figures) -> Iterator[str]:
    """Say how an accuracy compares with that of the same reports on another model's weights."""
    for model in figures.drawn:
        for name, whose in (("native_after", "native"), ("native_before", "native"), ("weight_trained", "learned")):
            found = model.sets.get(name)
            if found is not None and found.accuracy.r is not None and found.beside.crossed_r is not None:
                yield (
                    f"Privileged access: {model.name}'s reports ({LABELS[name]}) correlate {number(found.accuracy.r)} "
                    f"with its own {whose} weights, and {number(found.beside.crossed_r)} with those of other models."
                )
                break
