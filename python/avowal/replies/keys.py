"""Keys: which attribute a misspelt key of a report names, or that nothing says which.

A key is settled by what stands in it, never by what is left over: the last key is not given the last attribute.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from avowal.contexts import Context

KeyRepair: TypeAlias = Literal["key format", "key spelling", "key words"]
KeyFault: TypeAlias = Literal["wrong keys", "ambiguous keys"]

_RATED = ("degree", "factor", "index", "level", "rating", "score", "value")
_COUNTED = ("a", "amount", "an", "in", "number", "of", "per", "the", "total")
FILLERS = frozenset((*_RATED, *_COUNTED))
"""Words that a key may have and its attribute's name lack. They settle nothing by themselves.

Other added words may change what is meant ("low_price"), so a key that has one is not repaired.
"""

SHORTEST = 6
"""Letters from which one edit leaves a word recognisable; among shorter ones it often makes another word."""

NEAR = 3
"""Edits within which two names are too alike for a misspelling to be settled between them: up to three typing errors
in a key never move it to another attribute."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class _Name:
    """A key or an attribute's name without case and separators."""

    words: tuple[str, ...]
    letters: str


def assign(keys: Sequence[str], context: Context) -> dict[str, tuple[str, KeyRepair | None]] | KeyFault:
    """Assign the keys of a report to the attributes of its context, each to one.

    Parameters
    ----------
    keys
        Distinct, as many as the context has attributes.
    context
        The context reported on.

    Returns
    -------
    dict of str to tuple, or str
        For each key its attribute's name and how it differs from it: None, ``key format`` (case and separators),
        ``key spelling`` (one edit in a name of six letters or more) or ``key words`` (words left out, or fillers
        added). ``ambiguous keys`` where another attribute or another key stands too near, ``wrong keys`` where nothing
        does.

    Examples
    --------
    >>> from avowal.contexts import Attribute
    >>> names = ("scrunchie_thickness", "durability_rating")
    >>> scrunchie = Context("scrunchie", "Which?", tuple(Attribute(name, "", 0, 1) for name in names))
    >>> assign(["thickness", "Durability Rating"], scrunchie)["thickness"]
    ('scrunchie_thickness', 'key words')
    >>> assign(["thickness", "price"], scrunchie)
    'wrong keys'
    """
    names = [attribute.name for attribute in context.attributes]
    forms = {text: _normal(text) for text in (*names, *keys)}
    found = _same_letters(keys, names, forms)
    if isinstance(found, str):
        return found
    taken = {name for name, _ in found.values()}
    free = [key for key in keys if key not in found]
    unlike = False
    for key in free:
        fits = [name for name in names if name not in taken and _fits(forms[key], forms[name], context)]
        # A name that is taken still competes: a word that fits two attributes settles nothing.
        clear = [
            name
            for name in fits
            if not any(_rivals(forms[key], forms[name], forms[other]) for other in names if other != name)
            and not any(_rivals(forms[name], forms[key], forms[other]) for other in free if other != key)
        ]
        if fits and not clear:
            return "ambiguous keys"
        if clear:
            alike = _alike(forms[key].letters, forms[clear[0]].letters)
            found[key] = (clear[0], "key spelling" if alike else "key words")
        else:
            unlike = True
    return "wrong keys" if unlike else found


def _same_letters(
    keys: Sequence[str], names: Sequence[str], forms: Mapping[str, _Name]
) -> dict[str, tuple[str, KeyRepair | None]] | Literal["ambiguous keys"]:
    """Assign the keys that are a name, or differ from one in case and separators alone."""
    found: dict[str, tuple[str, KeyRepair | None]] = {key: (key, None) for key in keys if key in names}
    for key in keys:
        same = [name for name in names if forms[key].letters and forms[name].letters == forms[key].letters]
        if key in found or not same:
            continue
        if len(same) > 1 or sum(forms[other].letters == forms[key].letters for other in keys) > 1:
            return "ambiguous keys"
        found[key] = (same[0], "key format")
    return found


def _normal(text: str) -> _Name:
    words = tuple(_WORD.findall(unicodedata.normalize("NFKC", _CAMEL.sub("_", text)).casefold()))
    return _Name(words, "".join(words))


def _fits(key: _Name, name: _Name, context: Context) -> bool:
    """Tell whether a key says nothing beyond a name, and more than the name of the context does."""
    if _alike(key.letters, name.letters):
        return True
    known = FILLERS.union(_normal(context.name).words)
    units = next(_normal(each.units).words for each in context.attributes if _normal(each.name) == name)
    shared = {word for word in key.words if _has(name, word)}
    return set(key.words) - shared <= known.union(units) and not shared <= known


def _rivals(one: _Name, match: _Name, other: _Name) -> bool:
    """Tell whether `one` could go with `other` as well as `match`: both are near, or share what `match` lacks."""
    return _edits(one.letters, other.letters, NEAR) <= NEAR or not _shared(one, other) < _shared(one, match)


def _shared(one: _Name, other: _Name) -> frozenset[str]:
    """Return the words of `one` that `other` has too: all of them where the letters are alike.

    Fillers count only where `other` is made of nothing else.
    """
    if _alike(one.letters, other.letters):
        return frozenset(one.words)
    fillers = FILLERS if not FILLERS.issuperset(other.words) else frozenset[str]()
    return frozenset(word for word in one.words if word not in fillers and _has(other, word))


def _has(name: _Name, word: str) -> bool:
    return any(_alike(word, another) for another in name.words)


def _alike(one: str, other: str) -> bool:
    """Tell whether two words are the same but for one edit, neither in the first letter nor in a digit."""
    if one == other:
        return True
    if max(len(one), len(other)) < SHORTEST or one[:1] != other[:1] or _digits(one) != _digits(other):
        return False
    return _edits(one, other, 1) <= 1


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())


def _edits(one: str, other: str, most: int) -> int:
    """Return the letters to insert, delete, replace or swap with their neighbour; `most` + 1 for any number above."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
