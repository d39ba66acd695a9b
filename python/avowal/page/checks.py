"""Checks in Stan, read again: a document that somebody may have edited, cut off, or taken from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avowal.errors import InputError
from avowal.json_values import describe, number, parse_document, read_text

__all__ = ["read_check"]

_TABLES = {
    "weights": ("r", "mean_difference", "largest_difference", "agents"),
    "accuracies": ("estimate", "low", "high", "difference"),
    "gains": ("estimate", "low", "high", "difference"),
    "joint": ("mean", "hdi_low", "hdi_high", "contexts", "replies", "out_of_range"),
}
"""The tables of a check that the page shows, and their columns of numbers, each of which may be null."""

_TEXTS = ("model", "quantity", "method", "status", "group", "set", "scale")


def read_check(path: Path | None) -> Mapping[str, Any] | None:
    """Read the document of ``avowal check --json``.

    Parameters
    ----------
    path
        The file; None for none.

    Returns
    -------
    dict or None
        The document; what the page shows of it is there, and of the kind that it must be.

    Raises
    ------
    InputError
        Names the file and the field.
    """
    if path is None:
        return None
    held = parse_document(read_text(path), path)
    for key in (*_TABLES, "warnings", "problems"):
        # A check that left the joint model out says so by a null.
        left_out = key == "joint" and isinstance(held, dict) and key in held and held[key] is None
        if not left_out and (not isinstance(held, dict) or not isinstance(held.get(key), list)):
            raise InputError.at("the document of avowal check --json, with this list", "none", file=path, field=key)
    if not isinstance(held.get("engine"), str):
        raise InputError.at("the name of a Stan engine", describe(held.get("engine")), file=path, field="engine")
    for key in ("warnings", "problems"):
        _texts(held[key], path, key)
    for key, numbers in _TABLES.items():
        for row, each in enumerate(held[key] or (), 1):
            _row(each, numbers, path, f"{key}, row {row}")
    document: dict[str, Any] = held
    return document


def _row(row: Any, numbers: tuple[str, ...], path: Path, place: str) -> None:
    if not isinstance(row, dict):
        raise InputError.at("an object", describe(row), file=path, field=place)
    try:
        for key in numbers:
            if row.get(key) is not None:
                number(row[key], f"{place}, {key}")
    except InputError as error:
        raise InputError(f"{path}, {error}") from None
    for key in _TEXTS:
        if not isinstance(row.get(key), str | None):
            raise InputError.at("a text", describe(row[key]), file=path, field=f"{place}, {key}")
    if row.get("problems") is not None:
        _texts(row["problems"], path, f"{place}, problems")


def _texts(held: Any, path: Path, place: str) -> None:
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        raise InputError.at("a list of texts", describe(held), file=path, field=place)
