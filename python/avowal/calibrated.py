"""Calibrated models: settings that were estimated from a real model's choices and reports, shipped or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from avowal.errors import InputError
from avowal.json_values import parse_document, read_text
from avowal.quantities import Settings

__all__ = ["PROFILES", "STAND_IN", "Calibrated", "calibrated", "likeness", "profile"]

PROFILES = ("gpt-4o", "gpt-4o-mini")
"""The models whose calibrated settings the package ships."""


STAND_IN = "gpt-4o"
"""The profile of models that have none of their own."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Settings of a model.

    Attributes
    ----------
    name
        The model that they were calibrated on; None for settings of no model.
    settings
        As estimated, or as given.
    """

    name: str | None
    settings: Settings


def calibrated(model: Settings | str | Path) -> Calibrated:
    """Look up a model's settings.

    Parameters
    ----------
    model
        One of :data:`PROFILES` or the full name of its model, a file that ``python -m avowal.calibrate`` wrote, or
        settings, which are taken as they are.

    Returns
    -------
    Calibrated

    Raises
    ------
    InputError
        For a name that is neither a profile nor a file, or a file that holds no settings.
    """
    if isinstance(model, Settings):
        return Calibrated(None, model)
    if not isinstance(model, str | Path):
        raise InputError.at("settings, a model's name or a file", repr(model), field="model")
    shipped = {name: _shipped(name) for name in PROFILES}
    for name, found in shipped.items():
        if model in (name, found.name):
            return found
    try:
        there = Path(model).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputError.at(f"{', '.join(PROFILES)}, or a file of settings", repr(str(model)), field="model")
    return _read(parse_document(read_text(Path(model)), str(model)), str(model))


def likeness(model: str) -> Calibrated:
    """Return the settings of a model, or those that stand in for a model without.

    Parameters
    ----------
    model
        Any base model's name.

    Returns
    -------
    Calibrated
        With the name of the model that they were calibrated on.
    """
    shipped = {name: _shipped(name) for name in PROFILES}
    own = [found for name, found in shipped.items() if model in (name, found.name)]
    return own[0] if own else shipped[STAND_IN]


@cache
def _shipped(name: str) -> Calibrated:
    text = files("avowal").joinpath("profiles", f"{name}.json").read_text(encoding="utf-8")
    return _read(parse_document(text, name), name)


def _read(held: Any, file: str) -> Calibrated:
    if not isinstance(held, dict) or not isinstance(held.get("settings"), dict):
        raise InputError.at('an object with "model" and "settings"', held, file=file)
    name = held.get("model")
    if name is not None and not isinstance(name, str):
        raise InputError.at("text", repr(name), file=file, field="model")
    try:
        settings = Settings().but(held["settings"])
        settings.flat()
    except InputError as error:
        raise InputError(f"{file}, settings, {error}") from None
    return Calibrated(name, settings)


def profile(model: str | Path) -> Settings:
    """Return the settings calibrated on a model.

    Parameters
    ----------
    model
        One of :data:`PROFILES`, or a file that ``python -m avowal.calibrate`` wrote.

    Returns
    -------
    Settings
        Of a profile: as :mod:`avowal.calibrate` estimated them from the authors' published files.

    Raises
    ------
    InputError
        As :func:`calibrated`.
    """
    return calibrated(model).settings
