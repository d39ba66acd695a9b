"""Chains: the models of a study's results, each a base model with what it went through and how it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from avowal.lines import Queries
from avowal.study.stages import Stage

__all__ = ["Chain", "belongs", "chains", "columns"]

PLAIN = "paper"
"""The wording of reports that needs no name."""

TAUGHT = {None: "", "targets": "", "learned": "learned weights as reports", "shuffled": "shuffled reports"}
"""What introspection training taught, as results call it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One model of the results.

    Attributes
    ----------
    base, seed, dose, condition, wording, label
        As those of its stages (:class:`avowal.study.stages.Stage`); a stage without seed or label belongs to every
        chain of its base model that has one.
    several
        Whether the study has several seeds, so that names need them.
    """

    base: str
    seed: int | None
    dose: str | None
    condition: str | None
    wording: str
    label: str | None
    several: bool = False

    @property
    def name(self) -> str:
        """The base model's, and what sets the chain apart from the base model's others."""
        return _joined([self._start, self.variant])

    @property
    def decider(self) -> str:
        """The name of whose choices they are: without what it learned of reports, and how it was asked for them."""
        return _joined([self._start, self.setting])

    @property
    def setting(self) -> str:
        """The dose and the condition, empty for the usual ones: only deciders of one setting are compared."""
        return _joined([self.dose or "", f"under {self.condition}" if self.condition else ""])

    @property
    def variant(self) -> str:
        """All that sets it apart from the usual chain of its base model and seed; empty for that."""
        wording = "" if self.wording == PLAIN else self.wording
        return _joined([self.setting, wording, TAUGHT[self.label]])

    @property
    def traits(self) -> tuple[object, ...]:
        """What may set it apart from chains of its setting; chains that differ in one thing of it are compared."""
        return self.base, self.seed, self.wording, self.label

    @property
    def _start(self) -> str:
        return f"{self.base}, seed {self.seed}" if self.several else self.base


def columns(stage: Stage) -> dict[str, Any]:
    """Return the columns of :data:`avowal.tables.STAGE` for a stage."""
    return {
        "stage": stage.name,
        "role": stage.role,
        "base": stage.base,
        "seed": stage.seed,
        "label": stage.label,
        "dose": stage.dose,
        "condition": stage.condition,
        "wording": stage.wording,
        "about": stage.about,
    }


def chains(listed: Sequence[Stage]) -> tuple[Chain, ...]:
    """List the chains of a study, those of one base model after those of another.

    Parameters
    ----------
    listed
        All stages.

    Returns
    -------
    tuple of Chain
        With names that differ; the usual chain of a training comes before those of other conditions and wordings.
    """
    asked = [stage for stage in listed if isinstance(stage.sends, Queries)]
    # Of a study that trains nothing the base models themselves are the models.
    asked = [stage for stage in asked if stage.seed is not None] or asked
    several = len({stage.seed for stage in asked}) > 1
    made = []
    for training in dict.fromkeys((stage.base, stage.seed, stage.dose) for stage in asked):
        own = [stage for stage in asked if (stage.base, stage.seed, stage.dose) == training]
        labels = _of(stage.label for stage in own) or [None]
        # No stage asks in other words under a condition.
        ways = [(None, PLAIN), *((each, PLAIN) for each in _of(stage.condition for stage in own))]
        ways += [(None, each) for each in _of(stage.wording for stage in own) if each != PLAIN]
        made += [Chain(*training, *way, label, several) for way in ways for label in labels]
    return tuple(made)


def belongs(stage: Stage, chain: Chain) -> bool:
    """Tell whether a stage is part of a chain."""
    return (
        stage.base == chain.base
        and stage.seed in (None, chain.seed)
        and stage.label in (None, chain.label)
        and (stage.dose, stage.condition) == (chain.dose, chain.condition)
        and (stage.sends.kind == "decisions" or stage.wording == chain.wording)
    )


def _of(values: Iterable[str | None]) -> list[Any]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(part for part in parts if part)
