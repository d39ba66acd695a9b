"""Money: what the study of a cell would be billed for.

A price is a sum over contexts and trials, and more trials under a seed extend the same pairs. So prompts are counted
once and added up along both; a study's tokens are then differences of these sums, whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avowal import contexts as context_sets
from avowal import prices as price_tables
from avowal.checks import as_u64
from avowal.contexts import Context
from avowal.cost import Part, Sums, parts
from avowal.errors import InputError
from avowal.lines import Kind, drawn_tokens, frame_tokens, reply_tokens
from avowal.prices import Mode, Prices, total
from avowal.sweep.grid import Cell

__all__ = ["Bill", "Pricing"]

Counts = NDArray[np.int64]
Group = Literal["trained", "native"]


@dataclass(frozen=True, slots=True)
class Bill:
    """The price of a cell.

    Attributes
    ----------
    price
        US dollars; None where it can't be known.
    status
        "exact" for the sum over the prompts and training lines that would be sent; "extrapolated" where agents beyond
        the contexts at hand are taken to cost what those cost on average, or where the pairs are not uniform, whose
        texts are taken to be as long; else why there is no price.
    """

    price: Decimal | None
    status: str


@dataclass(frozen=True, slots=True)
class Pricing:
    """How the cells of a sweep are priced.

    Attributes
    ----------
    seed
        Of the pairs.
    model
        The base model's name where the cell has none of its own; None leaves such cells without a price.
    trained, native
        Contexts with names that differ, of which a cell takes the first ones; the built-in ones if both are empty.
    training, epochs
        Lines of weight training for each trained context, and epochs of each training job; 1 or more.
    mode
        How queries are sent, ``sync`` or ``batch``.
    prices
        The built-in prices if None.

    Raises
    ------
    InputError
        For trained contexts without native ones or the other way round, a name that occurs twice, or a number out of
        range.
    """

    seed: int
    model: str | None = None
    trained: Sequence[Context] = ()
    native: Sequence[Context] = ()
    training: int = 50
    epochs: int = 3
    mode: Mode = "sync"
    prices: Prices | None = None
    _bills: dict[tuple[object, ...], Bill] = field(default_factory=dict, init=False, repr=False, compare=False)
    _contexts: dict[tuple[Group, int], tuple[Context, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _counted: dict[tuple[object, ...], _Counted] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("training", "epochs"):
            if as_u64(name, getattr(self, name)) == 0:
                raise InputError.at("1 or more", 0, field=name)
        if self.trained and not self.native:
            raise InputError.at("at least one with use = native", "none", field="native contexts")
        if self.native and not self.trained:
            raise InputError.at("at least two without use = native", "none", field="trained contexts")
        groups: dict[str, str] = {}
        for group, held in (("trained", self.trained), ("native", self.native)):
            for context in held:
                if context.name in groups:
                    places = group if groups[context.name] == group else f"{groups[context.name]} and {group}"
                    found = f"{context.name!r} twice among {places} contexts"
                    raise InputError.at("context names used once", found, field="contexts")
                groups[context.name] = group

    def bill(self, cell: Cell) -> Bill:
        """Price a cell: each size of a study once.

        The first size of a number of attributes takes a moment, and so do sizes beyond all before them; any other takes
        microseconds.

        Raises
        ------
        InputError
            For a model that the prices don't have.
        """
        model = cell.model if self.model is None else self.model
        if model is None:
            return Bill(None, "no model named")
        s = cell.settings
        sizes = (s.trained_agents, s.native_agents, s.attributes, s.trained_decisions, s.native_decisions, s.replies)
        key = (model, cell.pairs, *sizes)
        if key not in self._bills:
            self._bills[key] = self._bill(cell, model)
        return self._bills[key]

    def _bill(self, cell: Cell, model: str) -> Bill:
        settings, k = cell.settings, int(cell.settings.attributes)
        asked: dict[Group, int] = {"trained": int(settings.trained_agents), "native": int(settings.native_agents)}
        if asked["trained"] < 2:
            return Bill(None, "fewer than two trained agents")
        held = {group: min(many, len(self._at_hand(group, k))) for group, many in asked.items()}
        if held["trained"] < 2 or not held["native"]:
            return Bill(None, f"too few contexts with {k} attributes")
        table = price_tables.builtin() if self.prices is None else self.prices
        encoding = table.encoding(model)
        listed = parts(
            held["trained"],
            held["native"],
            training=self.training,
            decisions=int(settings.trained_decisions),
            native_decisions=int(settings.native_decisions),
            reports=int(settings.replies),
            epochs=self.epochs,
        )
        prices: dict[Group, list[Decimal]] = {"trained": [], "native": []}
        for part in listed:
            sums = self._counts(part, k, encoding).sums(part)
            prices[part.group].append(sums.item(part, model, table, self.mode).price)
        if asked == held:
            price = total(price for group in prices.values() for price in group)
            return Bill(price, "exact" if cell.pairs == "uniform" else "extrapolated")
        shares = (total(prices[group]) * asked[group] / held[group] for group in asked)
        return Bill(sum(shares, Decimal(0)), "extrapolated")

    def _counts(self, part: Part, attributes: int, encoding: str) -> _Counted:
        key = (encoding, attributes, part.kind, part.group)
        counted = self._counted.get(key)
        contexts, trials = (0, 0) if counted is None else (counted.contexts, counted.trials)
        if counted is None or part.stop > contexts or part.first + part.trials > trials:
            held = self._at_hand(part.group, attributes)
            # At least double what has grown, so that sizes that rise one by one are not counted one by one.
            if part.stop > contexts:
                contexts = min(max(part.stop, 2 * contexts), len(held))
            if part.first + part.trials > trials:
                trials = max(part.first + part.trials, 2 * trials)
            counted = _Counted.of(held[:contexts], trials, part.kind, self.seed, encoding)
            self._counted[key] = counted
        return counted

    def _at_hand(self, group: Group, attributes: int) -> tuple[Context, ...]:
        """Return the contexts of that many attributes: those that have as many or more, cut."""
        key = (group, attributes)
        if key not in self._contexts:
            given = self.trained if group == "trained" else self.native
            self._contexts[key] = tuple(
                replace(context, attributes=context.attributes[:attributes])
                for context in given or context_sets.builtin("training" if group == "trained" else "native")
                if len(context.attributes) >= attributes
            )
        return self._contexts[key]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Tokens of prompts and replies, added up along contexts and trials.

    `prompts` has a zero row and column in front: entry (i, t) belongs to the first i contexts and t pairs. `replies` is
    one reply to each of the first i contexts.
    """

    prompts: Counts
    replies: Counts
    frame: int

    @classmethod
    def of(cls, contexts: Sequence[Context], trials: int, kind: Kind, seed: int, encoding: str) -> _Counted:
        prompts = np.zeros((len(contexts) + 1, trials + 1), dtype=np.int64)
        drawn = drawn_tokens(contexts, trials, kind=kind, seed=seed, encoding=encoding)
        prompts[1:, 1:] = drawn.cumsum(axis=0).cumsum(axis=1)
        replies = np.concatenate([[0], reply_tokens(contexts, kind=kind, encoding=encoding).cumsum()])
        return cls(prompts, replies, frame_tokens(encoding))

    @property
    def contexts(self) -> int:
        return len(self.prompts) - 1

    @property
    def trials(self) -> int:
        return int(self.prompts.shape[1]) - 1

    def sums(self, part: Part) -> Sums:
        """Return what a part of a study sends."""
        at, end = self.prompts, part.first + part.trials
        upper = at.item(part.stop, end) - at.item(part.stop, part.first)
        prompts = upper - at.item(part.start, end) + at.item(part.start, part.first)
        replies = (self.replies.item(part.stop) - self.replies.item(part.start)) * part.trials
        requests = (part.stop - part.start) * part.trials
        return Sums(requests, prompts, replies, prompts + replies + requests * self.frame)
