"""Shown text: names and replies as they are, with what an eye can't see, or a file can't hold, made visible."""

from __future__ import annotations

__all__ = ["shown"]

_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that turn the direction of the text around them."""

_VISIBLE: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **{code: f"⟨U+{code:04X}⟩" for code in (*range(0x80, 0xA0), *_DIRECTIONS)},
    # Halves of a character, and the two codes that XML forbids.
    **dict.fromkeys([*range(0xD800, 0xE000), 0xFFFE, 0xFFFF], 0xFFFD),
}


def shown(text: str) -> str:
    r"""Make control characters and marks of direction visible; everything else stays as it is.

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
    return text.translate(_VISIBLE)
