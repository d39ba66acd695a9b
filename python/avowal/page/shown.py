"""Shown text: names and replies as they are, with what an eye can't see, or a file can't hold, made visible."""

from __future__ import annotations

from avowal.text import harmless

__all__ = ["shown"]

_FORBIDDEN = "\ufffe\uffff"
"""Codes that XML forbids."""


def shown(text: str) -> str:
    r"""Make visible what :func:`avowal.text.plain` writes out on a terminal; everything else stays as it is.

    Parameters
    ----------
    text
        From whoever wrote it. Line breaks and tabs are control characters too.

    Returns
    -------
    str
        Text that every encoding and XML can hold. It is not escaped.

    Examples
    --------
    >>> shown("tea\x00\u202e<b>")
    'tea␀⟨U+202E⟩<b>'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if harmless(letter) and letter not in _FORBIDDEN else _picture(ord(letter)) for letter in text
    )


def _picture(code: int) -> str:
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code)
    # Halves of a character can stand in no file.
    return "\ufffd" if 0xD800 <= code < 0xE000 or chr(code) in _FORBIDDEN else f"⟨U+{code:04X}⟩"
