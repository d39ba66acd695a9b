"""The budget: what a run may spend, held back before a request is sent and settled when its reply is there."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from decimal import Decimal

from avowal.prices import Mode, Prices, priced_as
from avowal.sends import Training
from avowal.study.ending import StageError
from avowal.study.stages import Stage

__all__ = ["LIMIT", "Budget"]

LIMIT = "the spending limit"
"""How the reason of a stage that the limit has stopped begins."""


class Budget:
    """US dollars spent, held back for what is under way, and allowed; from any thread.

    Parameters
    ----------
    prices
        Of the base models.
    limit
        US dollars for the whole study; None for no limit.
    spent
        US dollars that earlier runs have spent.
    """

    def __init__(self, prices: Prices, limit: Decimal | None, spent: Decimal) -> None:
        self._prices = prices
        self.limit = limit
        self._spent, self._held = spent, Decimal(0)
        self._guard = threading.Lock()

    @property
    def spent(self) -> Decimal:
        """US dollars spent by now."""
        return self._spent

    def check(self, listed: Iterable[Stage], mode: Mode) -> None:
        """Refuse prices that lack a rate which stages need, before anything is paid.

        Parameters
        ----------
        listed
            The stages.
        mode
            In which requests are sent.

        Raises
        ------
        InputError
            Names the model and the rate.
        """
        for stage in listed:
            if isinstance(stage.sends, Training):
                self.training(stage.base, 0)
            else:
                self.price(stage.base, stage.base if stage.model is None else "", 0, 0, mode)

    def price(self, base: str, model: str, prompt: int, reply: int, mode: Mode) -> Decimal:
        """Return the price of a request to a base model or to one tuned from it."""
        return self._prices.price(priced_as(base, tuned=model != base), prompt, reply, mode=mode)

    def encoding(self, base: str) -> str:
        """Return the encoding of a base model's tokens."""
        return self._prices.encoding(base)

    def training(self, base: str, tokens: int) -> Decimal:
        """Return the price of training on so many tokens."""
        return self._prices.training(base, tokens)

    def hold(self, price: Decimal, *, begun: bool = False) -> None:
        """Hold a price back before it is spent.

        Parameters
        ----------
        price
            US dollars.
        begun
            Whether what it pays for is under way already, so that no limit can stop it.

        Raises
        ------
        StageError
            Where that would pass the limit.
        """
        with self._guard:
            if not begun and self.limit is not None and self._spent + self._held + price > self.limit:
                raise StageError(
                    f"{LIMIT} of ${self.limit:,.2f}: ${self._spent:,.2f} are spent and ${self._held:,.2f} "
                    f"under way, and the next ${price:,.4f} would pass it"
                )
            self._held += price

    def settle(self, held: Decimal, spent: Decimal) -> None:
        """Let go of a price that was held back, and count what was spent instead."""
        with self._guard:
            self._held -= held
            self._spent += spent
