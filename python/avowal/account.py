"""The account of a result: of what was planned, how much was valid, and what became of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from avowal.display import Shown
from avowal.text import Table


@dataclass(frozen=True, slots=True)
class Account(Shown):
    """Planned units and what became of them; the parts always add up to the whole.

    Attributes
    ----------
    planned
        How many units (choices, replies, agents) the design asked for.
    valid
        How many of them entered the computation.
    invalid
        Units that were answered but can't be used, counted by type.
    failed
        Units without an answer, counted by type.

    Raises
    ------
    ValueError
        Where a part is negative, or the parts don't add up to `planned`.

    Examples
    --------
    >>> Account(planned=10, valid=8, invalid={"wrong keys": 2}).lost
    2
    """

    planned: int
    valid: int
    invalid: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return [layouts.account(self)]

    def __post_init__(self) -> None:
        if min(self.valid, *self.invalid.values(), *self.failed.values(), 0) < 0:
            raise ValueError(f"an account counts a part below zero: {self.valid}, {self.invalid}, {self.failed}")
        if self.planned != self.valid + self.lost:
            raise ValueError(f"an account of {self.planned} planned units has {self.valid} valid and {self.lost} lost")

    @property
    def lost(self) -> int:
        """Units that were planned but not valid."""
        return sum(self.invalid.values()) + sum(self.failed.values())

    @property
    def share_lost(self) -> float:
        """Lost units as a share of the planned ones; 0 where nothing was planned."""
        return self.lost / self.planned if self.planned else 0.0

    def __add__(self, other: Account) -> Account:
        return Account(
            self.planned + other.planned,
            self.valid + other.valid,
            _add(self.invalid, other.invalid),
            _add(self.failed, other.failed),
        )


def total(accounts: Iterable[Account]) -> Account:
    """Add accounts up.

    Parameters
    ----------
    accounts
        Any number of accounts of the same kind of unit.

    Returns
    -------
    Account
        Their sum; an empty account for none.
    """
    return sum(accounts, Account(0, 0))


def _add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in sorted({*one, *other})}
