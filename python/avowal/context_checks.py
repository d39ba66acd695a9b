"""Context checks: everything that is wrong with a set of contexts, found in one go rather than one error at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Literal, TypeAlias

from avowal.contexts import (
    ATTRIBUTE_KEYS,
    CONTEXT_KEYS,
    MAX_ATTRIBUTES,
    Attribute,
    Context,
    check_use,
    read_entries,
)
from avowal.errors import InputError
from avowal.json_values import check_text, describe, listed, number, value

LEVELS = 8
"""How many values an attribute must be able to take: with fewer, many pairs tie on it."""

OVERLAP = 0.6
"""The share of common words (those in both, of those in either) from which two texts are near-duplicates.

Among the authors' 1,365 contexts, .6 finds spade and shovel, kettle and electric kettle, storage capacity and door
storage capacity; at .5 come pairs such as tablet and tablet case, which are different decisions. Nothing built in
exceeds a third.
"""

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and at buy by choose for from have in like number of on per pick prefer select share take the to use "
        "want what which with would you your",
    )
)
"""Words that say nothing of what a decision or an attribute is about."""

Kind: TypeAlias = Literal["format", "range", "levels", "name", "agent", "near-duplicate"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    kind
        ``format`` (what the schema forbids), ``range`` (a minimum that is not below the maximum), ``levels`` (fewer
        than 8 values after rounding), ``name`` or ``agent`` (used twice), ``near-duplicate`` (contexts, or attributes
        of one context).
    file
        The name of the document it stands in.
    text
        The place in the document, what was expected and what was found.
    """

    kind: Kind
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}, {self.text}"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a document in avowal's own form, with its context where it is one."""

    file: str
    place: str
    raw: dict[str, Any]
    context: Context | None

    def __str__(self) -> str:
        return f"{self.file}, {self.place}"


def problems(documents: Mapping[str, str]) -> tuple[Problem, ...]:
    """Find everything that is wrong with contexts, which may stand in several documents.

    Parameters
    ----------
    documents
        JSON text by file name, in either of the formats of :func:`avowal.contexts.load`. They are one set: names,
        agents and near-duplicates are compared across them.

    Returns
    -------
    tuple of Problem
        First those of single entries in the order of the documents, then those between entries.

    Examples
    --------
    >>> text = '''{"contexts": [{"name": "tea", "question": "Which tea?", "attributes": [
    ...     {"name": "price", "units": "euros", "min": 9, "max": 1}, {"name": "cups", "min": 1, "max": 7}]}]}'''
    >>> for problem in problems({"tea.json": text}):
    ...     print(problem)
    tea.json, contexts[0] (tea), attributes[0].max: expected a number greater than min (9.0), found 1.0
    tea.json, contexts[0] (tea), attributes[1].units: expected a value, found nothing
    tea.json, contexts[0] (tea), attributes[1]: expected a range of 8 values or more after rounding, found 7
    """
    found: list[Problem] = []
    entries: list[_Entry] = []
    for file, text in documents.items():
        try:
            raws, authors = read_entries(text, file)
        except InputError as error:
            found.append(Problem("format", file, str(error).removeprefix(file).lstrip(", :")))
            continue
        for index, raw in enumerate(raws):
            own = _own_form(raw) if authors else raw
            place = _place(own, f"[{index}]" if authors else f"contexts[{index}]")
            faults = [Problem(kind, file, f"{place}, {fault}") for kind, fault in _faults(own)]
            found += faults
            if isinstance(own, dict):
                valid = all(fault.kind in {"levels", "near-duplicate"} for fault in faults)
                entries.append(_Entry(file, place, own, _build(own) if valid else None))
    return (*found, *_used_twice(entries, "name"), *_used_twice(entries, "agent"), *_near_contexts(entries))


def levels(low: float, high: float) -> int:
    """Count the values that the rounding of the design leaves in a range of width 1 or more.

    Parameters
    ----------
    low, high
        The range, ``low < high``.

    Returns
    -------
    int
        With no decimals where the range is 5 or more wide, with one where it is less. Below a width of 1 the rounding
        goes by the width and leaves 10 values or more; then 10 is returned.

    Examples
    --------
    >>> levels(0, 6), levels(0.4, 10), levels(1, 2), levels(0, 0.03)
    (7, 11, 11, 10)
    """
    if high - low < 1:
        return 10
    if high - low < 5:
        return round((round(high, 1) - round(low, 1)) * 10) + 1
    return round(high) - round(low) + 1


def _own_form(raw: Any) -> Any:
    """Rewrite an entry of the authors' in avowal's form; what can't be rewritten shows up as a fault there."""
    if not isinstance(raw, dict):
        return raw
    renamed = {"short_name": "name", "question": "question", "attributes": "attributes"}
    own = {new: raw[old] for old, new in renamed.items() if old in raw}
    if isinstance(own.get("attributes"), list):
        own["attributes"] = [_own_attribute(each) for each in own["attributes"]]
    return own


def _own_attribute(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    own = {key: raw[key] for key in ("name", "units") if key in raw}
    limits = raw.get("range")
    if isinstance(limits, list) and len(limits) == 2:
        own["min"], own["max"] = limits
    return own


def _place(entry: Any, place: str) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{place} ({name})" if isinstance(name, str) and name.strip() else place


def _faults(entry: Any) -> Iterator[tuple[Kind, str]]:
    """Find what is wrong with one entry by itself."""
    if not isinstance(entry, dict):
        yield "format", f"entry: expected an object, found {describe(entry)}"
        return
    yield from _unknown_keys(entry, CONTEXT_KEYS, "")
    for key in ("name", "question"):
        yield from _caught("format", "", partial(_text_at, entry, key))
    for key in ("agent", "field"):
        if entry.get(key) is not None:
            yield from _caught("format", "", partial(_text_at, entry, key))
    if entry.get("use") is not None:
        yield from _caught("format", "", partial(check_use, entry["use"]))
    try:
        attributes = listed(entry, "attributes")
    except InputError as error:
        yield "format", str(error)
        return
    if not 1 <= len(attributes) <= MAX_ATTRIBUTES:
        yield "format", f"attributes: expected 1 to {MAX_ATTRIBUTES} attributes, found {len(attributes)}"
    for position, attribute in enumerate(attributes):
        yield from _attribute_faults(attribute, f"attributes[{position}]")
    yield from _attribute_names(attributes)


def _attribute_faults(attribute: Any, place: str) -> Iterator[tuple[Kind, str]]:
    if not isinstance(attribute, dict):
        yield "format", f"{place}.entry: expected an object, found {describe(attribute)}"
        return
    inside = f"{place}."
    yield from _unknown_keys(attribute, ATTRIBUTE_KEYS, inside)
    yield from _caught("format", inside, partial(_text_at, attribute, "name"))
    yield from _caught("format", inside, partial(_text_at, attribute, "units", blank=True))
    limits: list[float] = []
    for key in ("min", "max"):
        try:
            limits.append(number(value(attribute, key), key))
        except InputError as error:
            yield "format", f"{inside}{error}"
    if len(limits) == 2:
        wrong = list(_caught("range", inside, partial(Attribute, "any", "", *limits)))
        yield from wrong
        count = LEVELS if wrong else levels(*limits)
        if count < LEVELS:
            yield "levels", f"{place}: expected a range of {LEVELS} values or more after rounding, found {count}"


def _attribute_names(attributes: list[Any]) -> Iterator[tuple[Kind, str]]:
    raw = [each.get("name") if isinstance(each, dict) else None for each in attributes]
    names = [(position, name) for position, name in enumerate(raw) if isinstance(name, str) and name.strip()]
    for (first, one), (second, other) in combinations(names, 2):
        if one == other:
            place = f"attributes[{second}].name"
            yield "name", f"{place}: expected an attribute name used once in the context, found {other!r} again"
        elif (share := _overlap(_words(one), _words(other))) >= OVERLAP:
            place = f"attributes[{first}] and [{second}]"
            yield (
                "near-duplicate",
                f"{place}: expected names with less than {OVERLAP} of their words in common, "
                f"found {one!r} and {other!r} ({share:.2f})",
            )


def _text_at(entry: dict[str, Any], key: str, *, blank: bool = False) -> None:
    check_text(value(entry, key), key, blank=blank)


def _unknown_keys(entry: dict[str, Any], known: set[str], inside: str) -> Iterator[tuple[Kind, str]]:
    for key in sorted(set(entry) - known):
        yield "format", f"{inside}key: expected only the keys {', '.join(sorted(known))}, found {key!r}"


def _caught(kind: Kind, inside: str, check: Callable[[], object]) -> Iterator[tuple[Kind, str]]:
    try:
        check()
    except InputError as error:
        yield kind, f"{inside}{error}"


def _build(entry: dict[str, Any]) -> Context:
    attributes = tuple(Attribute(**each) for each in entry["attributes"])
    optional = (entry.get(key) for key in ("agent", "field", "use"))
    return Context(entry["name"], entry["question"], attributes, *optional)


def _used_twice(entries: Iterable[_Entry], key: Literal["name", "agent"]) -> Iterator[Problem]:
    first: dict[str, _Entry] = {}
    for entry in entries:
        text = entry.raw.get(key)
        if not isinstance(text, str) or not text.strip():
            continue
        # People write one character in several ways; names of contexts are keys and mean what they are.
        same = " ".join(text.casefold().split()) if key == "agent" else text
        if same in first:
            fault = f"{key}: expected {key}s of contexts used once, found {text!r}, also in {first[same]}"
            yield Problem(key, entry.file, f"{entry.place}, {fault}")
        else:
            first[same] = entry


def _near_contexts(entries: Iterable[_Entry]) -> Iterator[Problem]:
    texts = []
    for entry in entries:
        if entry.context is not None:
            about = _words(f"{entry.context.name} {entry.context.question}")
            names = frozenset().union(*(_words(each.name) for each in entry.context.attributes))
            texts.append((entry, about, names))
    for (one, about, names), (other, about_other, names_other) in combinations(texts, 2):
        for what, share in (
            ("name and question", _overlap(about, about_other)),
            ("attribute names", _overlap(names, names_other)),
        ):
            if share >= OVERLAP:
                fault = f"{other.place}: expected less than {OVERLAP} of the words of its {what} in common with another"
                yield Problem("near-duplicate", other.file, f"{fault} context, found {share:.2f} with {one}")


def _words(text: str) -> frozenset[str]:
    """Return the words that say what a text is about, without the s of plurals."""
    words = (word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in STOP_WORDS)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word for word in words)


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the words in common as a share of all words of both; two texts without words have nothing in common."""
    return len(one & other) / len(one | other) if one or other else 0.0
