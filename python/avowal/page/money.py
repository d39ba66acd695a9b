"""Money: what a study was planned to cost, stage by stage, and what its replies and jobs were billed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from avowal.page.accounts import short
from avowal.page.sources import Ran
from avowal.page.tables import Cell, Table, count, told

__all__ = ["Money", "money"]

NO_PRICE = "the model has no price"


@dataclass(frozen=True, slots=True)
class Money:
    """Planned against spent.

    Attributes
    ----------
    sentence
        Both in words.
    stages
        Both by stage; None where nothing is known.
    """

    sentence: str
    stages: Table | None


def money(ran: Ran | None) -> Money:
    """Compare what a study was to cost with what it did.

    Parameters
    ----------
    ran
        Of a study; None for a folder of the authors' files, which holds no bills.

    Returns
    -------
    Money
    """
    if ran is None:
        return Money("The folder holds no bills.", None)
    status = ran.status
    rows = [*_rows(ran), ("all", "", None, None, status.price, status.spent)]
    columns = ("model", "stage", "tokens in", "tokens out", "planned", "spent")
    untold = sum(each.account.untold for each in status.stages)
    guess = f" {untold:,} replies came without a count: they stand in it with those expected." if untold else ""
    note = f"Tokens are those that replies say they were billed for; for training, tokens trained.{guess}"
    table = Table("cost", "Cost by stage, in US dollars", columns, tuple(map(_cells, rows)), note)
    if ran.simulated:
        return Money("The simulated provider costs nothing.", table)
    if status.price is None or status.spent is None:
        return Money("A model without a price: what the study costs is known in part.", table)
    how = ", partly estimated" if untold else ""
    return Money(f"Planned: ${status.price:,.2f}. Spent so far: ${status.spent:,.2f}{how}.", table)


_Row = tuple[str, str, int | None, int | None, Decimal | None, Decimal | None]


def _rows(ran: Ran) -> Iterator[_Row]:
    for each in ran.status.stages:
        stage, billed = each.account.stage, each.account.billed
        read = sum(bill.input_tokens for bill in billed) if billed else None
        written = sum(bill.output_tokens for bill in billed) if billed and not each.trains else None
        yield stage.base, short(stage), read, written, each.price, each.account.spent


def _cells(row: _Row) -> tuple[Cell, ...]:
    model, stage, read, written, price, spent = row
    return told(model), told(stage), count(read), count(written), _dollars(price), _dollars(spent)


def _dollars(price: Decimal | None) -> Cell:
    return Cell(None, "dollars", reason=NO_PRICE) if price is None else Cell(str(price), "dollars")
