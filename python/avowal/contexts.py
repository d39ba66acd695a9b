"""Contexts: the kinds of decision that a study asks about, read from JSON and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avowal.errors import InputError

MAX_ATTRIBUTES = 12

_CONTEXT_KEYS = {"name", "field", "agent", "question", "attributes"}
_ATTRIBUTE_KEYS = {"name", "units", "min", "max"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One quantity on which options differ.

    Attributes
    ----------
    name
        Unique within its context; the key that a model uses in its report.
    units
        Printed after each value; empty where they are unknown.
    min, max
        The range that values are drawn from, in `units`; finite, ``min < max``.

    Raises
    ------
    InputError
        Where a name is blank or the range is not a finite, increasing one.
    """

    name: str
    units: str
    min: float
    max: float

    def __post_init__(self) -> None:
        _check_text(self.name, "name")
        _check_text(self.units, "units", blank=True)
        low, high = _number(self.min, "min"), _number(self.max, "max")
        object.__setattr__(self, "min", low)
        object.__setattr__(self, "max", high)
        if low >= high:
            raise InputError.at(f"a number greater than min ({low!r})", repr(high), field="max")
        if not math.isfinite(high - low):
            raise InputError.at("a range whose width is finite", f"{low!r} to {high!r}", field="max")


@dataclass(frozen=True, slots=True)
class Context:
    """A kind of decision: an agent, a question, and the attributes of the options.

    Attributes
    ----------
    name
        Unique within a set of contexts.
    question
        What is asked, such as ``Which novel would you read next?``.
    attributes
        1 to 12 attributes with distinct names.
    agent
        The character on whose behalf the model decides, if any.
    field
        The field of life that the decision belongs to, if known.

    Raises
    ------
    InputError
        Where a text is blank, or the attributes are too few, too many or share a name.

    Examples
    --------
    >>> context = Context("tea", "Which tea would you prefer?", (Attribute("price", "euros", 1, 9),), "Ahab")
    >>> context.prompt
    'Imagine you are Ahab. Which tea would you prefer?'
    """

    name: str
    question: str
    attributes: tuple[Attribute, ...]
    agent: str | None = None
    field: str | None = None

    def __post_init__(self) -> None:
        _check_text(self.name, "name")
        _check_text(self.question, "question")
        for field in ("agent", "field"):
            if getattr(self, field) is not None:
                _check_text(getattr(self, field), field)
        attributes = tuple(self.attributes)
        object.__setattr__(self, "attributes", attributes)
        if not 1 <= len(attributes) <= MAX_ATTRIBUTES:
            raise InputError.at(f"1 to {MAX_ATTRIBUTES} attributes", len(attributes), field="attributes")
        seen: set[str] = set()
        for position, attribute in enumerate(attributes):
            if attribute.name in seen:
                raise InputError.at(
                    "an attribute name used once in the context",
                    f"{attribute.name!r} again",
                    field=f"attributes[{position}].name",
                )
            seen.add(attribute.name)

    @property
    def prompt(self) -> str:
        """The question as the model reads it, with the agent in front where there is one."""
        return self.question if self.agent is None else f"Imagine you are {self.agent}. {self.question}"


def load(path: str | Path) -> tuple[Context, ...]:
    """Read contexts from JSON: avowal's own format (``contexts/schema.json``) or the authors' candidate scenarios.

    Parameters
    ----------
    path
        A UTF-8 file. An object with the key ``contexts`` is avowal's format; a list of objects with ``short_name``,
        ``question`` and ``attributes`` (each with a ``range`` of two numbers) is the authors', which has no agents.

    Returns
    -------
    tuple of Context
        In the file's order; at least one.

    Raises
    ------
    InputError
        Names the file, the entry and its field; the line and column where the JSON itself is malformed.
    """
    path = Path(path)
    return parse(read_text(path), path)


@cache
def builtin() -> tuple[Context, ...]:
    """Return the built-in contexts: two for each of twelve fields of life, five attributes each.

    Returns
    -------
    tuple of Context
        The contexts of ``contexts/builtin.json``.
    """
    # The build puts it there from contexts/ (rust/bindings/build.rs), in editable installs too.
    text = (files("avowal") / "data" / "builtin.json").read_text(encoding="utf-8")
    return parse(text, "avowal/data/builtin.json")


def parse(text: str, file: str | Path) -> tuple[Context, ...]:
    """Read contexts from JSON text, in either of the formats of :func:`load`.

    Parameters
    ----------
    text
        The JSON.
    file
        Named in errors; not opened.

    Returns
    -------
    tuple of Context
        In the text's order; at least one.

    Raises
    ------
    InputError
        As for :func:`load`.
    """
    document = _document(text, file)
    authors = isinstance(document, list)
    if authors:
        entries, where = document, ""
    elif isinstance(document, dict) and isinstance(document.get("contexts"), list):
        _check_keys(document, {"contexts", "$schema"}, str(file))
        entries, where = document["contexts"], "contexts"
    else:
        raise InputError.at(
            'an object with a list of "contexts", or a list of scenarios', _describe(document), file=file
        )
    if not entries:
        raise InputError.at("at least one context", "an empty list", file=file)
    built = []
    for index, entry in enumerate(entries):
        try:
            built.append(_authors_context(entry) if authors else _own_context(entry))
        except InputError as error:
            label = entry.get("short_name" if authors else "name") if isinstance(entry, dict) else None
            name = f" ({label})" if isinstance(label, str) and label.strip() else ""
            raise InputError(f"{file}, {where}[{index}]{name}, {error}") from None
    check_names(built, file)
    return tuple(built)


def check_names(contexts: Iterable[Context], file: str | Path | None = None) -> None:
    """Refuse two contexts of one name.

    Parameters
    ----------
    contexts
        The set to check.
    file
        Named in the error, if given.

    Raises
    ------
    InputError
        Names the second context of a name and the first one's place.
    """
    first: dict[str, int] = {}
    for index, context in enumerate(contexts):
        if context.name in first:
            raise InputError.at(
                "context names used once",
                f"{context.name!r} in entries [{first[context.name]}] and [{index}]",
                file=file,
                field="name",
            )
        first[context.name] = index


def arrays(contexts: Sequence[Context]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ranges of contexts that all have the same number of attributes.

    Parameters
    ----------
    contexts
        At least one.

    Returns
    -------
    mins, maxs
        Two arrays of shape (contexts, attributes), in each attribute's own units.

    Raises
    ------
    InputError
        Where there is no context, or their numbers of attributes differ.
    """
    if not contexts:
        raise InputError.at("at least one context", "none", field="contexts")
    attributes = len(contexts[0].attributes)
    for context in contexts:
        if len(context.attributes) != attributes:
            raise InputError.at(
                f"{attributes} attributes, as in {contexts[0].name!r}",
                f"{len(context.attributes)} in {context.name!r}",
                field="contexts",
            )
    ranges = np.array([[(a.min, a.max) for a in context.attributes] for context in contexts], dtype=np.float64)
    return np.ascontiguousarray(ranges[:, :, 0]), np.ascontiguousarray(ranges[:, :, 1])


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


def _document(text: str, file: str | Path) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError.at("JSON", error.msg, file=file, line=error.lineno, field=f"column {error.colno}") from None
    except InputError as error:
        raise InputError(f"{file}, {error}") from None
    except RecursionError:
        raise InputError.at("JSON of contexts", "lists nested too deeply", file=file) from None
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


def _own_context(entry: Any) -> Context:
    _check_keys(entry, _CONTEXT_KEYS)
    attributes = []
    for position, raw in enumerate(_list(entry, "attributes")):
        with _Inside(f"attributes[{position}]"):
            _check_keys(raw, _ATTRIBUTE_KEYS)
            attributes.append(Attribute(*(_value(raw, key) for key in ("name", "units", "min", "max"))))
    return Context(
        _value(entry, "name"), _value(entry, "question"), tuple(attributes), entry.get("agent"), entry.get("field")
    )


def _authors_context(entry: Any) -> Context:
    _check_keys(entry, None)
    attributes = []
    for position, raw in enumerate(_list(entry, "attributes")):
        with _Inside(f"attributes[{position}]"):
            _check_keys(raw, None)
            limits = _list(raw, "range")
            if len(limits) != 2:
                raise InputError.at("two numbers, [min, max]", f"{len(limits)} entries", field="range")
            low, high = _number(limits[0], "range[0]"), _number(limits[1], "range[1]")
            if low >= high:
                raise InputError.at("a range that increases", repr(limits), field="range")
            attributes.append(Attribute(_value(raw, "name"), _value(raw, "units"), low, high))
    name = _value(entry, "short_name")
    _check_text(name, "short_name")
    return Context(name, _value(entry, "question"), tuple(attributes))


class _Inside:
    """Puts the place of a nested entry in front of an InputError's own place."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            raise InputError(f"{self.place}.{error}") from None


def _check_keys(entry: Any, known: set[str] | None, file: str | None = None) -> None:
    if not isinstance(entry, dict):
        raise InputError.at("an object", _describe(entry), file=file, field="entry")
    unknown = sorted(set(entry) - known) if known is not None else []
    if unknown:
        raise InputError.at(f"only the keys {', '.join(sorted(known or ()))}", repr(unknown[0]), file=file, field="key")


def _value(entry: dict[str, Any], key: str) -> Any:
    if key not in entry:
        raise InputError.at("a value", "nothing", field=key)
    return entry[key]


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    value = _value(entry, key)
    if not isinstance(value, list):
        raise InputError.at("a list", _describe(value), field=key)
    return value


def _check_text(value: Any, field: str, *, blank: bool = False) -> None:
    if not isinstance(value, str) or not (blank or value.strip()):
        raise InputError.at("a text" if blank else "a text that is not blank", _describe(value), field=field)


def _number(value: Any, field: str) -> float:
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InputError.at("a finite number", _describe(value), field=field)


def _describe(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return json.dumps(value, ensure_ascii=False, default=repr)
