"""Shutdowns: the days on which models stop answering, as their provider or a list that comes with avowal has them."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from avowal.errors import AvowalError, InputError
from avowal.provider import Client, Endpoint, Model, Policy

__all__ = ["Offers", "Shutdown", "offers", "refuse_closed", "shutdown"]

PATIENCE = 10.0
"""Seconds that an endpoint has to list its models: a plan does without."""


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


@dataclass(frozen=True, slots=True)
class Offers:
    """What an endpoint says of its models.

    Attributes
    ----------
    models
        Those that it lists; none where it wasn't asked or didn't answer.
    url
        Where.
    problem
        Why it didn't answer; empty where it did, or wasn't asked for want of a key.
    """

    models: tuple[Model, ...] = ()
    url: str = ""
    problem: str = ""


def offers(base_url: str | None, key_env: str, folder: Path) -> Offers:
    """Ask an endpoint for its models, once and not for long.

    Parameters
    ----------
    base_url
        Where; the SDK's default if None.
    key_env
        Names the variable with the key. Without one an endpoint elsewhere isn't asked.
    folder
        Whose file ``.env`` may have the key.

    Returns
    -------
    Offers
        Also where nobody answers.
    """
    endpoint = Endpoint(base_url, key_env)
    try:
        client = Client(endpoint, folder=folder, timeout=PATIENCE, policy=Policy(attempts=1, deadline=PATIENCE))
    except InputError:
        return Offers()
    try:
        return Offers(client.offers(), client.url)
    except AvowalError as error:
        return Offers(problem=str(error))
    finally:
        client.close()


def shutdown(model: str, told: Offers | None = None) -> Shutdown | None:
    """Look a model's shutdown up: where its endpoint tells it, else in the list that comes with avowal.

    Parameters
    ----------
    model
        A base model or one tuned from it, ``ft:BASE:...``.
    told
        What the endpoint says, if it was asked.

    Returns
    -------
    Shutdown or None
        None where neither has it, which doesn't say that it will stay.

    Examples
    --------
    >>> shutdown("ft:gpt-4o-mini-2024-07-18:lab::id").day
    datetime.date(2027, 1, 14)
    """
    base = model.removeprefix("ft:").split(":", 1)[0]
    for each in told.models if told else ():
        if each.name in (model, base) and each.shutdown is not None:
            return Shutdown(model, each.shutdown, f"as {told.url if told else ''} says")
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
