"""Contexts: the kinds of decision that a study asks about, read from JSON and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from avowal.display import Shown
from avowal.errors import InputError
from avowal.json_values import (
    Inside,
    check_keys,
    check_text,
    describe,
    listed,
    number,
    parse_document,
    read_text,
    value,
)
from avowal.text import Table

MAX_ATTRIBUTES = 12

Use: TypeAlias = Literal["training", "native"]
"""Whether a study trains a context's weights or measures those that the model has by itself."""

CONTEXT_KEYS = {"name", "field", "use", "agent", "question", "attributes"}
ATTRIBUTE_KEYS = {"name", "units", "min", "max"}
"""The keys of avowal's format; ``contexts/schema.json`` says which may be absent."""


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
        check_text(self.name, "name")
        check_text(self.units, "units", blank=True)
        low, high = number(self.min, "min"), number(self.max, "max")
        object.__setattr__(self, "min", low)
        object.__setattr__(self, "max", high)
        if low >= high:
            raise InputError.at(f"a number greater than min ({low!r})", repr(high), field="max")
        if not math.isfinite(high - low):
            raise InputError.at("a range whose width is finite", f"{low!r} to {high!r}", field="max")


@dataclass(frozen=True, slots=True)
class Context(Shown):
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
    use
        ``training`` or ``native``, if the set is divided.

    Raises
    ------
    InputError
        Where a text is blank, the use is neither of the two, or the attributes are too few, too many or share a name.

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
    use: Use | None = None

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.context(self)

    def __post_init__(self) -> None:
        check_text(self.name, "name")
        check_text(self.question, "question")
        for field in ("agent", "field"):
            if getattr(self, field) is not None:
                check_text(getattr(self, field), field)
        if self.use is not None:
            check_use(self.use)
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


def load(path: str | Path, *more: str | Path) -> tuple[Context, ...]:
    """Read contexts from JSON: avowal's own format (``contexts/schema.json``) or the authors' candidate scenarios.

    Parameters
    ----------
    path
        A UTF-8 file. An object with the key ``contexts`` is avowal's format; a list of objects with ``short_name``,
        ``question`` and ``attributes`` (each with a ``range`` of two numbers) is the authors', which has no agents.
    *more
        Further files of the same set.

    Returns
    -------
    tuple of Context
        In the order of the files and of their entries; at least one.

    Raises
    ------
    InputError
        Names the file, the entry and its field; the line and column where the JSON itself is malformed; the two files
        that hold contexts of one name.
    """
    return _join((str(each), read_text(Path(each))) for each in (path, *more))


def builtin(use: Use | None = None) -> tuple[Context, ...]:
    """Return the built-in contexts: ten for each of 24 fields of life, five attributes each.

    Parameters
    ----------
    use
        ``training`` or ``native`` for one half of them, five for each field.

    Returns
    -------
    tuple of Context
        Field by field in alphabetical order; within a field, those for training come first.

    Raises
    ------
    InputError
        Where `use` is neither of the two.
    """
    if use is not None:
        check_use(use)
    return tuple(each for each in _shipped() if use in (None, each.use))


def builtin_documents() -> dict[str, str]:
    """Return the files that the built-in contexts are read from.

    Returns
    -------
    dict of str
        JSON text by file name, one file for each field of life, in alphabetical order.
    """
    # The build puts them there from contexts/ (rust/bindings/build.rs), in editable installs too.
    folder = files("avowal") / "data" / "contexts"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".json") and each.name != "schema.json")
    return {f"avowal/data/contexts/{name}": (folder / name).read_text(encoding="utf-8") for name in names}


@cache
def _shipped() -> tuple[Context, ...]:
    return _join(builtin_documents().items())


def _join(texts: Iterable[tuple[str, str]]) -> tuple[Context, ...]:
    joined: list[Context] = []
    first: dict[str, str] = {}
    for file, text in texts:
        for context in parse(text, file):
            if context.name in first:
                raise InputError.at(
                    "context names used once",
                    f"{context.name!r}, also in {first[context.name]}",
                    file=file,
                    field="name",
                )
            first[context.name] = file
            joined.append(context)
    return tuple(joined)


def check_use(use: object) -> None:
    """Refuse what is no use of a context.

    Parameters
    ----------
    use
        The value to check.

    Raises
    ------
    InputError
        Where it is neither ``training`` nor ``native``.
    """
    if use not in get_args(Use):
        raise InputError.at(" or ".join(get_args(Use)), describe(use), field="use")


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
    entries, authors = read_entries(text, file)
    where = "" if authors else "contexts"
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


def read_entries(text: str, file: str | Path) -> tuple[list[Any], bool]:
    """Read what stands for contexts in JSON text, entry by entry and unchecked.

    Parameters
    ----------
    text
        The JSON.
    file
        Named in errors; not opened.

    Returns
    -------
    entries
        At least one value of any kind.
    authors
        Whether they are in the authors' format.

    Raises
    ------
    InputError
        Where the text is no JSON or holds no entries.
    """
    document = parse_document(text, file)
    authors = isinstance(document, list)
    if authors:
        entries = document
    elif isinstance(document, dict) and isinstance(document.get("contexts"), list):
        check_keys(document, {"contexts", "$schema"}, str(file))
        entries = document["contexts"]
    else:
        raise InputError.at(
            'an object with a list of "contexts", or a list of scenarios', describe(document), file=file
        )
    if not entries:
        raise InputError.at("at least one context", "an empty list", file=file)
    return entries, authors


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


def _own_context(entry: Any) -> Context:
    check_keys(entry, CONTEXT_KEYS)
    attributes = []
    for position, raw in enumerate(listed(entry, "attributes")):
        with Inside(f"attributes[{position}]"):
            check_keys(raw, ATTRIBUTE_KEYS)
            attributes.append(Attribute(*(value(raw, key) for key in ("name", "units", "min", "max"))))
    optional = (entry.get(key) for key in ("agent", "field", "use"))
    return Context(value(entry, "name"), value(entry, "question"), tuple(attributes), *optional)


def _authors_context(entry: Any) -> Context:
    check_keys(entry, None)
    attributes = []
    for position, raw in enumerate(listed(entry, "attributes")):
        with Inside(f"attributes[{position}]"):
            check_keys(raw, None)
            limits = listed(raw, "range")
            if len(limits) != 2:
                raise InputError.at("two numbers, [min, max]", f"{len(limits)} entries", field="range")
            low, high = number(limits[0], "range[0]"), number(limits[1], "range[1]")
            if low >= high:
                raise InputError.at("a range that increases", repr(limits), field="range")
            attributes.append(Attribute(value(raw, "name"), value(raw, "units"), low, high))
    name = value(entry, "short_name")
    check_text(name, "short_name")
    return Context(name, value(entry, "question"), tuple(attributes))
