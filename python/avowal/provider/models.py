"""The models: what an endpoint says of those that it offers."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an endpoint offers.

    Attributes
    ----------
    name
        As requests call it.
    shutdown
        The day from which it no longer answers; None where the endpoint doesn't say.
    """

    name: str
    shutdown: datetime.date | None = None


def read(body: str) -> tuple[Model, ...] | None:
    """Read the answer to ``GET /v1/models``.

    Parameters
    ----------
    body
        As it came.

    Returns
    -------
    tuple of Model, or None
        In the endpoint's order; None where that is no list of models.

    Examples
    --------
    >>> read('{"data": [{"id": "gpt-4o", "shutdown_date": "2027-01-14"}]}')
    (Model(name='gpt-4o', shutdown=datetime.date(2027, 1, 14)),)
    """
    try:
        return tuple(Model(str(each["id"]), _day(each.get("shutdown_date"))) for each in json.loads(body)["data"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _day(told: Any) -> datetime.date | None:
    """Read a day from a date, a time that begins with one, or seconds since 1970."""
    try:
        if isinstance(told, int | float):
            return datetime.datetime.fromtimestamp(told, datetime.UTC).date()
        return datetime.date.fromisoformat(str(told)[:10])
    except (ValueError, OverflowError, OSError):
        return None
