"""Figures: the numbers of an analysis by their place in its JSON document, each with its reason where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from avowal.analysis import Analysis, Material, document
from avowal.analysis.document import escaped
from avowal.analysis.material import NOT_ASKED
from avowal.analysis.results import ModelResult
from avowal.page.tables import Cell, Form, count, estimate, figure

__all__ = ["MOST_MODELS", "Figures"]

MOST_MODELS = 4
"""Models that are drawn; tables hold all of them."""


class Figures:
    """An analysis as its JSON document, from which every figure of the page is taken.

    Parameters
    ----------
    material, result
        What was analysed, and what came out.
    """

    def __init__(self, material: Material, result: Analysis) -> None:
        self.material, self.result = material, result
        self.document = document(result)
        self.contexts = {each.name: each for each in material.contexts}

    @property
    def drawn(self) -> tuple[ModelResult, ...]:
        """The models that are drawn: the usual ones before variants, and no more than make a figure."""
        order = sorted(
            zip(self.result.models, self.material.models, strict=True), key=lambda pair: bool(pair[1].variant)
        )
        usual = [model for model, its in order if not its.variant]
        return tuple((usual or [model for model, _ in order])[:MOST_MODELS])

    def sets_of(self, model: ModelResult) -> list[str]:
        """Return the accuracies that a model has, or was asked for."""
        return [name for name in self.result.sets if model.missing.get(name) != NOT_ASKED]

    def value(self, *path: str) -> Any:
        """Return what stands at a place of the document, None where a part of the way is missing."""
        found: Any = self.document
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def reason(self, *path: str) -> str:
        """Return why there is no value at a place: its own reason, or that of what it stands in."""
        reasons = self.document["reasons"]
        for length in range(len(path), 0, -1):
            told = reasons.get("".join(f"/{escaped(part)}" for part in path[:length]))
            if told is not None:
                return str(told)
        return ""

    def cell(self, *path: str, form: Form = "r", ends: str | None = None, of: str | None = None) -> Cell:
        """Return a number with what stands beside it.

        Parameters
        ----------
        *path
            The keys that lead to it.
        form
            How it is written.
        ends, of
            The neighbouring keys of its interval, and of the whole that it is a part of.
        """
        value, beside = self.value(*path), path[:-1]
        why = self.reason(*path)
        if of is not None:
            return count(value, self.value(*beside, of), reason=why)
        if form == "count":
            return count(value, reason=why)
        if ends is None:
            return figure(value, form, reason=why)
        interval: Sequence[float] | None = self.value(*beside, ends)
        return estimate(value, interval, form, reason=why, unsure=self.reason(*beside, ends))
