"""Shutdowns: the days on which models stop answering, as their provider or a list that comes with avowal has them."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from avowal.errors import InputError

__all__ = ["Shutdown", "refuse_closed", "shutdown"]


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


def refuse_closed(
    models: Iterable[str], today: datetime.date, *, told: Mapping[str, datetime.date] | None = None
) -> None:
    """Refuse models that no longer answer.

    Parameters
    ----------
    models
        Those that a study asks or trains.
    today
        The day of asking.
    told
        Days that the provider itself names, which count before those of the list.

    Raises
    ------
    InputError
        For the first model whose day has come.
    """
    for model in models:
        found = shutdown(model)
        if told and model in told:
            found = Shutdown(model, told[model], "the provider's list of models")
        if found is not None and found.day <= today:
            expected = f"a model that still answers on {today}"
            shown = f"{model!r}, which shut down on {found.day} ({found.source})"
            raise InputError.at(expected, shown, field="models.base")


@cache
def _listed() -> dict[str, dict[str, datetime.date]]:
    return tomllib.loads(files("avowal").joinpath("shutdowns.toml").read_text(encoding="utf-8"))
