"""Money: what the study of a cell would be billed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from avowal import contexts as context_sets
from avowal.contexts import Context
from avowal.cost import paper, quote
from avowal.prices import Mode, Prices, total
from avowal.sweep.grid import Cell

__all__ = ["Bill", "Pricing"]


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
        Contexts, of which a cell takes the first ones; the built-in ones if empty.
    training, epochs
        Lines of weight training for each trained context, and epochs of each training job.
    mode
        How queries are sent, ``sync`` or ``batch``.
    prices
        The built-in prices if None.
    """

    seed: int
    model: str | None = None
    trained: Sequence[Context] = ()
    native: Sequence[Context] = ()
    training: int = 50
    epochs: int = 3
    mode: Mode = "sync"
    prices: Prices | None = None
    _known: dict[tuple[object, ...], Bill] = field(default_factory=dict, repr=False, compare=False)

    def bill(self, cell: Cell) -> Bill:
        """Price a cell: each size of a study once.

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
        if key not in self._known:
            self._known[key] = self._bill(cell, model)
        return self._known[key]

    def _bill(self, cell: Cell, model: str) -> Bill:
        settings, k = cell.settings, cell.settings.attributes
        many, others = int(settings.trained_agents), int(settings.native_agents)
        trained = _with(self.trained or context_sets.builtin("training"), k)[:many]
        native = _with(self.native or context_sets.builtin("native"), k)[:others]
        if many < 2:
            return Bill(None, "fewer than two trained agents")
        if len(trained) < 2 or not native:
            return Bill(None, f"too few contexts with {k} attributes")
        stages = paper(
            trained,
            native,
            training=self.training,
            decisions=int(settings.trained_decisions),
            native_decisions=int(settings.native_decisions),
            reports=int(settings.replies),
            epochs=self.epochs,
        )
        items = quote(stages, [model], seed=self.seed, prices=self.prices, mode=self.mode).items
        # A stage is about trained or about native contexts; its price is the sum over them.
        known = {context.name for context in trained}
        beyond = {True: Decimal(many) / len(trained), False: Decimal(others) / len(native)}
        factors = [beyond[stage.contexts[0].name in known] for stage in stages]
        whole = all(factor == 1 for factor in factors) and cell.pairs == "uniform"
        price = sum((item.price * factor for item, factor in zip(items, factors, strict=True)), Decimal(0))
        return Bill(total(item.price for item in items) if whole else price, "exact" if whole else "extrapolated")


def _with(held: Sequence[Context], attributes: int) -> tuple[Context, ...]:
    """Return contexts of that many attributes: those that have as many or more, cut."""
    return tuple(
        replace(context, attributes=context.attributes[:attributes])
        for context in held
        if len(context.attributes) >= attributes
    )
