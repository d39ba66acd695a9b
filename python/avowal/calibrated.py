"""Calibrated models: settings that were estimated from a real model's choices and reports, shipped or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from avowal.errors import InputError
from avowal.json_values import parse_document, read_text
from avowal.quantities import Settings

__all__ = ["PROFILES", "Calibrated", "calibrated", "profile"]

PROFILES = ("gpt-4o", "gpt-4o-mini")
"""The models whose calibrated settings the package ships."""


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
        One of :data:`PROFILES`, a file that ``python -m avowal.calibrate`` wrote, or settings, taken as they are.

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
    if model in PROFILES:
        text, place = files("avowal").joinpath("profiles", f"{model}.json").read_text(encoding="utf-8"), str(model)
    elif Path(model).is_file():
        text, place = read_text(Path(model)), str(model)
    else:
        raise InputError.at(f"{', '.join(PROFILES)}, or a file of settings", repr(str(model)), field="model")
    return _read(parse_document(text, place), place)


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
