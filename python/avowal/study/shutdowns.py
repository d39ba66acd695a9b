"""Shutdowns: the days on which models stop answering, as their provider or a list that comes with avowal has them."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Shutdown", "shutdown"]


@dataclass(frozen=True, slots=True)
class Shutdown:
    """When a model shuts down.

    Attributes
    ----------
    model
        The model.
    day
        From which it no longer answers.
    source
        Where that stands, and since when.
    """

    model: str
    day: datetime.date
    source: str


def shutdown(model: str) -> Shutdown | None:
    """Look a model's shutdown up in the list that comes with avowal.

    Parameters
    ----------
    model
        A base model or one tuned from it, ``ft:BASE:...``.

    Returns
    -------
    Shutdown or None
        None where the list doesn't have it, which doesn't say that it will stay.

    Examples
    --------
    >>> shutdown("ft:gpt-4o-mini-2024-07-18:lab::id").day
    datetime.date(2027, 1, 14)
    """
    base = model.removeprefix("ft:").split(":", 1)[0]
    held = _listed()
    known = [name for name in held["models"] if base == name or base.startswith(f"{name}-")]
    if not known:
        return None
    source = f"{held['source']}, as of {held['as_of']}"
    return Shutdown(model, held["models"][max(known, key=len)], source)


@cache
def _listed() -> dict[str, dict[str, datetime.date]]:
    return tomllib.loads(files("avowal").joinpath("shutdowns.toml").read_text(encoding="utf-8"))
