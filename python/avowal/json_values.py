"""JSON that people write: parsed and checked value by value, with errors that say where and what was expected."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from avowal.errors import InputError


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        Its text, with the line ends as they are.

    Raises
    ------
    InputError
        Where the file can't be read, or the line of the first byte that is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError.at("a readable file", error.strerror or error, file=path) from None
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError.at("UTF-8 text", f"byte 0x{data[error.start]:02x}", file=path, line=line) from None


def parse_document(text: str, file: str | Path) -> Any:
    """Parse JSON in which no object has a key twice; `file` is named in errors."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError.at("JSON", error.msg, file=file, line=error.lineno, field=f"column {error.colno}") from None
    except InputError as error:
        raise InputError(f"{file}, {error}") from None
    except RecursionError:
        raise InputError.at("JSON", "lists nested too deeply", file=file) from None
    except ValueError as error:
        # Python refuses integers of more than some thousand digits.
        raise InputError.at("JSON with finite numbers", error, file=file) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError.at("each key once in an object", f"{twice!r} twice")
    return result


class Inside:
    """Puts the place of a nested entry in front of an InputError's own place."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            raise InputError(f"{self.place}.{error}") from None


def check_keys(entry: Any, known: set[str] | None, file: str | None = None) -> None:
    """Refuse what is no object, and keys that are not among the known ones (None knows all)."""
    if not isinstance(entry, dict):
        raise InputError.at("an object", describe(entry), file=file, field="entry")
    unknown = sorted(set(entry) - known) if known is not None else []
    if unknown:
        raise InputError.at(f"only the keys {', '.join(sorted(known or ()))}", repr(unknown[0]), file=file, field="key")


def value(entry: dict[str, Any], key: str) -> Any:
    """Return the value of a key that has to be there."""
    if key not in entry:
        raise InputError.at("a value", "nothing", field=key)
    return entry[key]


def listed(entry: dict[str, Any], key: str) -> list[Any]:
    """Return the list that a key has to hold."""
    found = value(entry, key)
    if not isinstance(found, list):
        raise InputError.at("a list", describe(found), field=key)
    return found


def check_text(value: Any, field: str, *, blank: bool = False) -> None:
    """Refuse what is no text, and a blank one unless `blank` allows it."""
    if not isinstance(value, str) or not (blank or value.strip()):
        raise InputError.at("a text" if blank else "a text that is not blank", describe(value), field=field)


def number(value: Any, field: str) -> float:
    """Return a finite number as a float; refuse booleans and all else."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InputError.at("a finite number", describe(value), field=field)


def describe(value: Any) -> str:
    """Return a value as JSON shows it, and no more than the kind of a list or an object."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return json.dumps(value, ensure_ascii=False, default=repr)
