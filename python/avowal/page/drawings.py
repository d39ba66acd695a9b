"""Drawings of the page, by hand: a diagram of the study and a panel for each context, with their stylesheet."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from avowal.page.diagram import diagram
from avowal.page.panel_drawing import panel

__all__ = ["diagram", "panel", "style"]


@cache
def style() -> str:
    """Return the stylesheet of all drawings.

    Returns
    -------
    str
        For a style element. Colours come from the custom properties ``--box`` and ``--series-1`` to ``--series-7``,
        where the page sets them, and else from the colour of its text.
    """
    return files("avowal.page").joinpath("drawings.css").read_text(encoding="utf-8")
