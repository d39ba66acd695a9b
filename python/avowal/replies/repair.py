"""Repair: what lenient reading mends in a text or a number before it is read, each mend with its name."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

TextRepair: TypeAlias = Literal["code fence", "text around", "trailing comma", "plus sign"]

_FENCED = re.compile(r"(.*?)```[A-Za-z0-9]*\s*", re.DOTALL)
# Strings come first, so that nothing inside one is taken for a comma or a sign.
_MENDED = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<comma>,)(?=\s*\})|(?P<colon>:\s*)\+(?=[0-9])', re.DOTALL)
_NUMBER = re.compile(r"([+\-\N{MINUS SIGN}]?)([0-9]+(?:\.[0-9]+)?)", re.ASCII)


def unwrap(text: str) -> tuple[str, tuple[TextRepair, ...]] | None:
    """Take the only JSON object out of the text around it.

    Parameters
    ----------
    text
        A reply that is no JSON.

    Returns
    -------
    tuple of str and tuple of str, or None
        From the first brace to the last, with ``code fence`` or ``text around`` or both, or neither where nothing
        stood around it. None where there are no braces, or brackets outside them: then more than one thing was said.

    Examples
    --------
    >>> unwrap('Here it is: {"price": -35}')
    ('{"price": -35}', ('text around',))
    """
    start, end = text.find("{"), text.rfind("}") + 1
    if start < 0 or end <= start:
        return None
    before, after = text[:start], text[end:]
    if set("[]{}") & set(before + after):
        return None
    repairs: list[TextRepair] = []
    fence = _FENCED.fullmatch(before)
    if fence and after.lstrip().startswith("```"):
        repairs.append("code fence")
        before, after = fence[1], after.lstrip().removeprefix("```")
    if before.strip() or after.strip():
        repairs.append("text around")
    return text[start:end], tuple(repairs)


def mend(text: str) -> tuple[str, tuple[TextRepair, ...]]:
    """Take out commas before a closing brace and plus signs before a number, which JSON doesn't have.

    Parameters
    ----------
    text
        What is no JSON.

    Returns
    -------
    tuple of str and tuple of str
        The text without them, and ``trailing comma`` or ``plus sign`` where there were any.

    Examples
    --------
    >>> mend('{"price": +35,}')
    ('{"price": 35}', ('plus sign', 'trailing comma'))
    """
    repairs: set[TextRepair] = set()

    def replaced(match: re.Match[str]) -> str:
        if match["string"] is not None:
            return match["string"]
        repairs.add("trailing comma" if match["comma"] else "plus sign")
        return match["colon"] or ""

    mended = _MENDED.sub(replaced, text)
    return mended, tuple(sorted(repairs))


def number_in(text: str) -> float | None:
    """Read a decimal number written as text.

    Parameters
    ----------
    text
        Any text. Percentages, ranges, words and thousands' separators are no numbers here.

    Returns
    -------
    float or None
        The number; None where the text is not one and nothing else.

    Examples
    --------
    >>> number_in("-35"), number_in("+40"), number_in("40%")
    (-35.0, 40.0, None)
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    size = float(found[2])
    return size if found[1] in ("", "+") else -size
