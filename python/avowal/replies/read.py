"""Reading: one reply becomes a choice or a report, or a failure with its type; no text ever raises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, TypeAlias

from avowal.contexts import Context
from avowal.provider.reply import Completion, Fault
from avowal.replies.keys import KeyFault, KeyRepair, assign
from avowal.replies.repair import TextRepair, mend, number_in, unwrap

ChoiceFailure: TypeAlias = Fault | Literal["other text"]
ReportFailure: TypeAlias = (
    Fault
    | KeyFault
    | Literal["invalid JSON", "not an object", "duplicate keys", "missing keys", "extra keys", "not a number"]
)
Repair: TypeAlias = TextRepair | KeyRepair | Literal["number as text"]
Flag: TypeAlias = Literal["out of range", "all zero"]

SCALE = 100
"""The largest absolute weight that the question allows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reply chose, or why it chose nothing.

    Attributes
    ----------
    choice
        ``A``, ``B``, or None.
    failure
        None beside a choice; beside None ``other text``, or what :class:`avowal.provider.Completion` found:
        ``unreadable``, ``empty``, ``refused``, ``filtered`` or ``truncated``.
    """

    choice: Literal["A", "B"] | None
    failure: ChoiceFailure | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The weights that a reply reported, or why it reported none.

    Attributes
    ----------
    weights
        One number for each attribute, in the context's order, as the model gave it; or None.
    failure
        None beside weights; beside None the type, see :data:`ReportFailure`.
    repairs
        What lenient reading mended, in the order text, keys, numbers; empty where nothing was, and for failures.
    renamed
        Keys that are not their attribute's name, each with that name.
    flags
        ``out of range`` where a number lies beyond ±100, ``all zero`` where all are 0. Such reports are valid, as they
        were for the authors.
    """

    weights: tuple[float, ...] | None
    failure: ReportFailure | None = None
    repairs: tuple[Repair, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    flags: tuple[Flag, ...] = ()


class _Pairs(list[tuple[str, Any]]):
    """The entries of a JSON object with those that come twice."""


def choice(reply: str | Completion) -> Choice:
    """Read a decision: exactly A or B between white space, and nothing else.

    Parameters
    ----------
    reply
        The text, or a completion as :func:`avowal.provider.completion` reads it. One that the provider calls
        truncated, refused or filtered is no choice, whatever its text.

    Returns
    -------
    Choice
        The choice or its failure.

    Examples
    --------
    >>> choice(" B ")
    Choice(choice='B', failure=None)
    >>> choice("Option A").failure, choice("").failure, choice(Completion("A", "truncated")).failure
    ('other text', 'empty', 'truncated')
    """
    whole = _whole(reply)
    if whole.fault is not None:
        return Choice(None, whole.fault)
    match whole.text.strip():
        case "A" | "B" as letter:
            return Choice(letter)
    return Choice(None, "other text")


def report(reply: str | Completion, context: Context, *, lenient: bool = False) -> Report:
    """Read a report: a JSON object with each attribute's name once and a number beside it.

    Parameters
    ----------
    reply
        The text, or a completion as :func:`avowal.provider.completion` reads it. One that the provider calls
        truncated, refused or filtered is no report, whatever its text.
    context
        The context asked about.
    lenient
        Whether to mend what strict reading would refuse: see :mod:`avowal.replies`.

    Returns
    -------
    Report
        The weights or the failure.

    Examples
    --------
    >>> from avowal.contexts import Attribute
    >>> tea = Context("tea", "Which?", (Attribute("price", "", 1, 9), Attribute("steeping_time", "", 1, 6)))
    >>> report('{"steeping_time": 80, "price": -35}', tea).weights
    (-35.0, 80.0)
    >>> report('{"steeping": 80, "price": "-35"}', tea).failure
    'wrong keys'
    >>> found = report('{"steeping": 80, "price": "-35"}', tea, lenient=True)
    >>> found.weights, found.repairs, found.renamed
    ((-35.0, 80.0), ('key words', 'number as text'), (('steeping', 'steeping_time'),))
    """
    whole = _whole(reply)
    if whole.fault is not None:
        return Report(None, whole.fault)
    entries, repairs = _entries(whole.text, lenient)
    if isinstance(entries, str):
        return Report(None, entries)
    keys = [key for key, _ in entries]
    if len(set(keys)) < len(keys):
        return Report(None, "duplicate keys")
    found = _keys(keys, context, lenient)
    if isinstance(found, str):
        return Report(None, found)
    renamed = tuple((key, found[key][0]) for key in keys if found[key][1] is not None)
    changes = {change for _, change in found.values() if change is not None}
    named = {found[key][0]: value for key, value in entries}
    numbers = [_number(named[attribute.name], lenient) for attribute in context.attributes]
    weights = tuple(value for value in numbers if value is not None)
    if len(weights) < len(numbers):
        return Report(None, "not a number")
    texts: tuple[Repair, ...] = ("number as text",) if any(isinstance(value, str) for value in named.values()) else ()
    return Report(weights, None, (*repairs, *sorted(changes), *texts), renamed, _flags(weights))


def _whole(reply: str | Completion) -> Completion:
    whole = Completion(reply) if isinstance(reply, str) else reply
    return Completion("", "empty") if whole.fault is None and not whole.text.strip() else whole


def _entries(text: str, lenient: bool) -> tuple[_Pairs | ReportFailure, tuple[Repair, ...]]:
    """Return the entries of the object in a text and what was mended to get at them."""
    found = _parsed(text)
    if found != "invalid JSON" or not lenient:
        return found, ()
    unwrapped = unwrap(text)
    if unwrapped is None:
        return found, ()
    inner, repairs = unwrapped
    found = _parsed(inner)
    if found == "invalid JSON":
        mended, more = mend(inner)
        found, repairs = _parsed(mended), (*repairs, *more)
    return found, repairs


def _parsed(text: str) -> _Pairs | ReportFailure:
    try:
        # Whole numbers as floats: Python refuses integers of thousands of digits, and a float of them is infinite.
        document = json.loads(text, object_pairs_hook=_Pairs, parse_int=float)
    except (ValueError, RecursionError):
        return "invalid JSON"
    return document if isinstance(document, _Pairs) else "not an object"


def _keys(
    keys: list[str], context: Context, lenient: bool
) -> dict[str, tuple[str, KeyRepair | None]] | Literal["missing keys", "extra keys"] | KeyFault:
    names = {attribute.name for attribute in context.attributes}
    given = set(keys)
    if given == names:
        return {key: (key, None) for key in keys}
    if given < names:
        return "missing keys"
    if given > names:
        return "extra keys"
    return assign(keys, context) if lenient and len(keys) == len(names) else "wrong keys"


def _number(value: Any, lenient: bool) -> float | None:
    """Return a finite number, or None: JSON's true and false are none, nor are Python's NaN and Infinity."""
    if lenient and isinstance(value, str):
        value = number_in(value)
    # No weight is negative zero.
    return value + 0.0 if type(value) is float and isfinite(value) else None


def _flags(weights: tuple[float, ...]) -> tuple[Flag, ...]:
    if not any(weights):
        return ("all zero",)
    return ("out of range",) if max(map(abs, weights)) > SCALE else ()
