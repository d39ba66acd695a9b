"""Power charts on the page: the charts of a sweep, made to suit a light and a dark scheme and a narrow window."""

from __future__ import annotations

from typing import Any

from avowal.sweep.looks import COLOURS, GREY, Spec

__all__ = ["on_page"]

_BOTH = {COLOURS[0]: "#1F86C9", COLOURS[-1]: "#808080", GREY: "#808080", "#b0b0b0": "#808080", "#e6e6e6": "#80808040"}
"""Colours that stand out from a light and from a dark ground, for those that stand out from one. The others do."""


def on_page(spec: Spec) -> Spec:
    """Make a chart of a sweep one of the page.

    Parameters
    ----------
    spec
        What :func:`avowal.sweep.chart.power_spec` or :func:`avowal.sweep.chart.price_spec` returned; stays as it is.

    Returns
    -------
    dict
        The chart; its caption is its ``description``, which the page can break into lines as the chart can't.
    """
    found: Spec = _readable({name: part for name, part in spec.items() if name not in ("config", "title", "data")})
    columns = found["columns"]
    fit = {"least": 200, "most": found["spec"]["width"], "left": 62, "square": False,
           "layouts": [{"columns": each, "sort": "place"} for each in range(columns, 0, -1)]}  # fmt: skip
    caption = " ".join(spec["title"]["text"])
    return found | {"data": spec["data"], "description": caption, "usermeta": {"fit": fit}}


def _readable(part: Any) -> Any:
    """Exchange colours, and put legends above what they belong to. Names of axes and values are left alone."""
    if isinstance(part, list):
        return [_readable(each) for each in part]
    if isinstance(part, str):
        return _BOTH.get(part, part)
    if not isinstance(part, dict):
        return part
    found = {name: held if name in ("domain", "title", "field") else _readable(held) for name, held in part.items()}
    if isinstance(found.get("legend"), dict):
        found["legend"] |= {"orient": "top", "columns": 4}
    return found
