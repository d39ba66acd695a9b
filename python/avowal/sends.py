"""Sends: the jobs and the sets of requests that a study sends, and the prompts of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from avowal.checks import as_u64
from avowal.contexts import Context, arrays
from avowal.design import by_attributes, pairs_arrays
from avowal.errors import InputError
from avowal.prompts import WORDINGS, Wording, decision_messages, report_messages
from avowal.rng import Purpose, uniforms, unit_id

__all__ = ["ORDERS", "Kind", "Order", "Prompt", "Queries", "Stage", "Training", "prompts"]

Kind = Literal["decisions", "reports"]

Order = Literal["drawn", "counterbalanced", "shuffled"]
"""Which option of a pair is shown first: the first one drawn; either in turn, each pair in two successive trials; or
that which a coin says."""

ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Training:
    """One fine-tuning job.

    Attributes
    ----------
    name
        The stage's name.
    kind
        What its file teaches: decisions, or reports.
    contexts
        At least one, with names that differ.
    trials
        Lines for each context; each shows one pair.
    first
        The number of the first pair in the context's sequence.
    epochs
        How often the file is read; every reading is billed.
    markers
        The lines that stand before a context, None for nothing; the file shows every pair with each of them.
    """

    name: str
    kind: Kind
    contexts: tuple[Context, ...]
    trials: int
    first: int = 0
    epochs: int = 3
    markers: tuple[str | None, ...] = (None,)

    def __post_init__(self) -> None:
        _check_stage(self)
        if not self.markers or len(set(self.markers)) < len(self.markers):
            raise InputError.at("markers that differ", self.markers, field=f"stage {self.name!r}, markers")
        if as_u64("epochs", self.epochs) == 0:
            raise InputError.at("1 or more", 0, field=f"stage {self.name!r}, epochs")


@dataclass(frozen=True, slots=True)
class Queries:
    """Requests for decisions or for reports, one for each pair.

    Attributes
    ----------
    name
        The stage's name.
    kind
        What is asked for.
    contexts
        At least one, with names that differ.
    trials
        Requests for each context.
    first
        The number of the first pair in the context's sequence.
    tuned
        Whether a model tuned from the base is asked, or the base itself.
    marker
        The line that stands before each context; None for nothing.
    wording
        In which words reports are asked for; of :data:`avowal.prompts.WORDINGS`.
    order
        Which option is shown first; of :data:`ORDERS`.
    """

    name: str
    kind: Kind
    contexts: tuple[Context, ...]
    trials: int
    first: int = 0
    tuned: bool = True
    marker: str | None = None
    wording: Wording = "paper"
    order: Order = "drawn"

    def __post_init__(self) -> None:
        _check_stage(self)
        for field, known in (("wording", WORDINGS), ("order", ORDERS)):
            value = getattr(self, field)
            if value not in known:
                raise InputError.at(" or ".join(known), repr(value), field=f"stage {self.name!r}, {field}")


Stage = Training | Queries


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one request or training line shows a model.

    Attributes
    ----------
    context
        What it is about.
    trial
        Its number in the context's sequence; that of its pair too, unless pairs are shown twice.
    a, b
        The options in the order shown, in the attributes' units; empty where no pair is shown.
    messages
        Each with ``role`` and ``content``.
    swapped
        Whether `a` is the option that was drawn second.
    marker
        The line before the context; None for nothing.
    """

    context: Context
    trial: int
    a: tuple[float, ...]
    b: tuple[float, ...]
    messages: list[dict[str, str]]
    swapped: bool = False
    marker: str | None = None


def prompts(stage: Stage, *, seed: int) -> Iterator[Prompt]:
    """Write the prompts of a stage.

    Parameters
    ----------
    stage
        The stage.
    seed
        Of the pairs, as for :func:`avowal.design.pairs`, and of their order.

    Yields
    ------
    Prompt
        Context after context, marker after marker, each one's trials in order.

    Raises
    ------
    InputError
        For a seed out of range.
    """
    wording = wording_of(stage)
    shown: dict[int, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}
    for places in by_attributes(stage.contexts).values():
        group = [stage.contexts[place] for place in places]
        shown.update(zip(places, zip(*options_shown(stage, group, seed), strict=True), strict=True))
    for place, context in enumerate(stage.contexts):
        values, swapped = (each.tolist() for each in shown[place])
        for marker in markers_of(stage):
            ask = asks(stage.kind, wording, marker)
            for trial, (pair, turned) in enumerate(zip(values, swapped, strict=True), stage.first):
                a, b = ((), ()) if wording == "no pair" else map(tuple, pair)
                yield Prompt(context, trial, a, b, ask(context, a, b), bool(turned and a), marker)


def asks(
    kind: Kind, wording: Wording, marker: str | None
) -> Callable[[Context, Sequence[float], Sequence[float]], list[dict[str, str]]]:
    """Return what writes the messages of a prompt."""
    if kind == "decisions":
        return partial(decision_messages, marker=marker)
    return partial(report_messages, marker=marker, wording=wording)


def markers_of(stage: Stage) -> tuple[str | None, ...]:
    return stage.markers if isinstance(stage, Training) else (stage.marker,)


def wording_of(stage: Stage) -> Wording:
    # Training shows the paper's words: what other words bring out is then not what was trained.
    return "paper" if isinstance(stage, Training) or stage.kind == "decisions" else stage.wording


def options_shown(
    stage: Stage, contexts: Sequence[Context], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return options as a stage shows them, shape (contexts, trials, 2, attributes), and which pairs are swapped.

    Training lines show what was drawn: which option is better has no order there.
    """
    pairs = options_drawn(contexts, stage.first + stage.trials, stage.first, seed)
    swapped = np.zeros(pairs.shape[:2], dtype=np.bool_)
    order = "drawn" if isinstance(stage, Training) else stage.order
    if order == "counterbalanced":
        pairs = pairs[:, np.arange(stage.trials) // 2]
        swapped[:, 1::2] = True
    elif order == "shuffled":
        for row, context in zip(swapped, contexts, strict=True):
            unit = unit_id(context.name)
            row[:] = uniforms(seed, Purpose.OPTION_ORDER, unit, 0, stage.trials, offset=stage.first) < 0.5
    return np.where(swapped[:, :, None, None], pairs[:, :, ::-1], pairs), swapped


def options_drawn(contexts: Sequence[Context], trials: int, first: int, seed: int) -> NDArray[np.float64]:
    units = np.array([unit_id(context.name) for context in contexts], dtype=np.uint64)
    pairs: NDArray[np.float64] = pairs_arrays(*arrays(contexts), trials, seed=seed, units=units)[:, first:]
    return pairs


def _check_stage(stage: Stage) -> None:
    place = f"stage {stage.name!r}"
    check_kind(stage.kind)
    if not stage.contexts:
        raise InputError.at("at least one context", "none", field=place)
    by_attributes(stage.contexts)
    if as_u64("trials", stage.trials) == 0:
        raise InputError.at("1 or more", 0, field=f"{place}, trials")
    as_u64("first", stage.first)


def check_kind(kind: str) -> None:
    if kind not in get_args(Kind):
        raise InputError.at(" or ".join(get_args(Kind)), repr(kind), field="kind")
