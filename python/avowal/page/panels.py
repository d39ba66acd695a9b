"""Panels: each context with its targets, its learned weights and every report on it, model by model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from avowal.analysis.groups import GroupResult
from avowal.analysis.material import LABELS, SETS, Material, ModelMaterial, native
from avowal.analysis.results import ModelResult
from avowal.bootstrap import laplace_intervals
from avowal.contexts import Context
from avowal.page.examples import Example
from avowal.page.figures import Figures
from avowal.page.tables import Cell, Table, count, estimate, figure, told

__all__ = ["Panel", "Part", "panels", "weights"]

Ends = tuple[float, float] | None

PAPERS = tuple(SETS)[:5]
"""The accuracies whose reports are drawn: others compare the same reports with other weights, or other contexts."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a context, as one model weighs it.

    Attributes
    ----------
    name
        The attribute's.
    target, learned, ends
        Weights on the ±100 scale, the second with its interval.
    reports
        By set, one number for each valid report.
    """

    name: str
    target: float | None
    learned: float | None
    ends: Ends
    reports: dict[str, list[float]]

    def mean(self, name: str) -> float | None:
        """Return the averaged report of a set."""
        held = self.reports.get(name)
        return float(np.mean(held)) if held else None


@dataclass(frozen=True, slots=True)
class Part:
    """A context as one model weighs it: the model, its sets of reports, and the attributes."""

    model: str
    sets: tuple[str, ...]
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One context.

    Attributes
    ----------
    context
        The context.
    use
        ``trained`` or ``native``.
    parts
        One for each model that is drawn.
    examples
        Prompts with replies.
    """

    context: Context
    use: str
    parts: tuple[Part, ...]
    examples: tuple[Example, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the panel for a JSON document."""
        return {
            "context": self.context.name,
            "agent": self.context.agent,
            "use": self.use,
            "models": [
                {
                    "model": part.model,
                    "attributes": [
                        {
                            "attribute": each.name,
                            "target": each.target,
                            "learned": each.learned,
                            "interval": None if each.ends is None else list(each.ends),
                            "reports": each.reports,
                        }
                        for each in part.attributes
                    ],
                }
                for part in self.parts
            ],
            "examples": [
                {
                    "messages": [{"role": role, "content": content} for role, content in each.messages],
                    "replies": [
                        {"stage": reply.stage, "text": reply.text, "became": reply.became} for reply in each.replies
                    ],
                    "note": each.note,
                }
                for each in self.examples
            ],
        }


def panels(figures: Figures, examples: dict[str, tuple[Example, ...]]) -> tuple[Panel, ...]:
    """Build the panel of every context that a model chose in or reported on, or will be asked about.

    Parameters
    ----------
    figures
        Of the analysis.
    examples
        Prompts with replies, by context.

    Returns
    -------
    tuple of Panel
        In the material's order.
    """
    material, drawn = figures.material, figures.drawn
    its = {model.name: model for model in material.models}
    known = [_Known(model, its[model.name], material, figures) for model in drawn]
    found = []
    for context in material.contexts:
        parts = tuple(part for each in known if (part := each.part(context)) is not None)
        if parts or context.name in examples:
            use = "native" if any(context.name in each.natives for each in known) else "trained"
            found.append(Panel(context, use, parts, examples.get(context.name, ())))
    return tuple(found)


def weights(found: Sequence[Panel]) -> Table:
    """Return every weight and averaged report of the panels as one table.

    Parameters
    ----------
    found
        The panels.

    Returns
    -------
    Table
        One row for each attribute as each model weighs it.
    """
    names = list(dict.fromkeys(name for panel in found for part in panel.parts for name in part.sets))
    rows = [
        (
            told(panel.context.name),
            told(panel.context.agent or ""),
            told(part.model),
            told(each.name),
            figure(each.target, "points"),
            estimate(each.learned, each.ends, "points"),
            *(cell for name in names for cell in (figure(each.mean(name), "points"), _many(each, name))),
        )
        for panel in found
        for part in panel.parts
        for each in part.attributes
    ]
    sets = [column for name in names for column in (LABELS[name], f"{LABELS[name]}, reports")]
    columns = ("context", "agent", "model", "attribute", "target", "learned", *sets)
    return Table("weights", "Weights and averaged reports of every context", columns, tuple(rows))


def table(part: Part, place: str) -> Table:
    """Return the numbers of one panel's part.

    Parameters
    ----------
    part
        A context as one model weighs it.
    place
        Unique on the page.

    Returns
    -------
    Table
        One row for each attribute.
    """
    aimed = any(each.target is not None for each in part.attributes)
    rows = [
        (
            told(each.name),
            *([figure(each.target, "points")] if aimed else []),
            estimate(each.learned, each.ends, "points"),
            *(figure(each.mean(name), "points") for name in part.sets),
        )
        for each in part.attributes
    ]
    columns = ("attribute", *(["target"] if aimed else []), "learned", *(LABELS[name] for name in part.sets))
    return Table(place, part.model, columns, tuple(rows))


def _many(each: Attribute, name: str) -> Cell:
    return count(len(each.reports.get(name, ())))


class _Known:
    """What one model chose and reported, by context."""

    def __init__(self, model: ModelResult, its: ModelMaterial, material: Material, figures: Figures) -> None:
        self.name = model.name
        targets = material.targets if its.targets is None else its.targets
        self._targets = {} if targets is None else _by_entry(targets)
        self._sets = [name for name in PAPERS if name in model.sets]
        self._reports = {name: _reports(its, name) for name in self._sets}
        self._learned: dict[tuple[str, int], float | None] = {}
        self._ends: dict[tuple[str, int], Ends] = {}
        self.natives: set[str] = set()
        self._trained: set[str] = set()
        for group in ("learned", "native"):
            if group in model.groups:
                held = model.groups[group]
                self._learned |= _by_entry(held.weights)
                self._ends |= _intervals(held, figures)
                (self.natives if native(group) else self._trained).update(held.contexts)
        for name in self._sets:
            (self.natives if native(SETS[name][0]) else self._trained).update(self._reports[name])

    def part(self, context: Context) -> Part | None:
        """Return a context as the model weighs it; None where nothing is known."""
        name = context.name
        sets = tuple(each for each in self._sets if name in self._reports[each])
        if name not in self._trained and name not in self.natives:
            return None
        attributes = []
        for position, attribute in enumerate(context.attributes):
            entry = (name, position)
            attributes.append(
                Attribute(
                    attribute.name,
                    None if name in self.natives else self._targets.get(entry),
                    self._learned.get(entry),
                    self._ends.get(entry),
                    {each: [report[position] for report in self._reports[each][name]] for each in sets},
                )
            )
        return Part(self.name, sets, tuple(attributes))


def _by_entry(table: pl.DataFrame) -> dict[tuple[str, int], float | None]:
    return {(name, place): weight for name, place, weight in table.select("context", "position", "weight").iter_rows()}


def _intervals(held: GroupResult, figures: Figures) -> dict[tuple[str, int], Ends]:
    settings = figures.result.settings
    if held.fit is None or settings.weights != "fitted":
        return {}
    found = laplace_intervals(held.fit, draws=settings.draws, seed=settings.seed, level=settings.level)
    return {
        (name, place): None if low is None else (low, high)
        for name, place, low, high in found.select("context", "position", "low", "high").iter_rows()
    }


def _reports(its: ModelMaterial, name: str) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {}
    for file in SETS[name][1]:
        if file in its.reports:
            valid = its.reports[file].filter(pl.col("report").is_not_null())
            for context, report in valid.select("context", "report").iter_rows():
                found.setdefault(context, []).append(report)
    return found
