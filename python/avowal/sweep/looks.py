"""Looks: colours, marks, axes and panels that the charts of a sweep have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avowal.sweep.power import Power

__all__ = [
    "CENTRE",
    "COLOURS",
    "DASHES",
    "ENDS",
    "GREY",
    "LIGHT",
    "SCHEMA",
    "SHAPES",
    "Inks",
    "Spec",
    "beside",
    "caption",
    "config",
    "layer",
    "panel_size",
    "panels_of",
]

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours (2008), told apart by people of any colour vision; without the yellow, faint on white."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1])

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

GREY, _FAINT = "#666666", "#e6e6e6"


@dataclass(frozen=True, slots=True)
class Inks:
    """Colours of a scheme: what is written, what frames it, lines behind marks, and what lies behind everything."""

    ink: str
    grey: str
    faint: str
    paper: str


LIGHT = Inks("#222222", GREY, _FAINT, "white")


def config(inks: Inks) -> Spec:
    """Return the configuration of all charts in one scheme of colours."""
    words = {"labelColor": inks.ink, "titleColor": inks.ink, "labelFontSize": 11, "titleFontSize": 12,
             "titleFontWeight": "normal"}  # fmt: skip
    return {
        # Liberation Sans comes with the renderer and is as wide as Arial and Helvetica, which stand in elsewhere.
        "font": "Liberation Sans, Arial, Helvetica, sans-serif",
        "background": inks.paper,
        "padding": 10,
        "view": {"stroke": None},
        "axis": {**words, "domainColor": inks.grey, "tickColor": inks.grey, "gridColor": inks.faint,
                 "titlePadding": 8, "tickSize": 4},
        "axisX": {"grid": False, "labelFlush": False},
        "legend": {**words, "symbolSize": 70, "symbolStrokeWidth": 0, "rowPadding": 4},
        "header": {"labelColor": inks.ink, "labelFontSize": 12, "labelLineHeight": 15, "labelLimit": 400},
        "title": {"color": inks.grey, "fontSize": 11, "fontWeight": "normal", "lineHeight": 15},
    }  # fmt: skip


_POWER: Spec = {
    "title": "power",
    "type": "quantitative",
    # With room for the marks at 0 and 1: panels whose marks reach beyond their frames are put out of line.
    "scale": {"domain": [-0.035, 1.035], "nice": False, "zero": False},
    # Studies are planned for a power of .8 or .9: their lines stand out.
    "axis": {
        "values": [0, 0.2, 0.4, 0.6, 0.8, 0.9, 1],
        "format": ".1f",
        "gridColor": {"condition": {"test": "datum.value === 0.8 || datum.value === 0.9", "value": "#b0b0b0"},
                      "value": _FAINT},
        "gridDash": {"condition": {"test": "datum.value === 0.8 || datum.value === 0.9", "value": [4, 3]},
                     "value": []},
    },
}  # fmt: skip

ENDS: Spec = {"y": {**_POWER, "field": "low"}, "y2": {"field": "high"}}

CENTRE: Spec = {"y": {**_POWER, "field": "power"}}


def layer(mark: Spec, *encodings: Spec) -> Spec:
    """Return marks with all encodings; of two for one channel, the later one."""
    return {"mark": mark, "encoding": {name: channel for part in encodings for name, channel in part.items()}}


def panels_of(
    layers: list[Spec], rows: list[dict[str, Any]], panels: list[str], beside: int, told: list[str], least: int = 0
) -> Spec:
    """Return the whole specification.

    Parameters
    ----------
    layers
        Of every panel.
    rows
        The data; ``panel`` names a row's panel.
    panels
        Names of the panels, in order; a line break in a name breaks the line.
    beside
        How many stand beside each other.
    told
        Sentences of the caption.
    least
        How wide a panel is at least.

    Returns
    -------
    dict
        Vega-Lite, of version 6.
    """
    for row in rows:
        row["place"] = panels.index(row["panel"])
    width, height = panel_size(len(panels))
    width = max(width, least)
    # An expression over what the label says: the label itself is none.
    header = {"title": None, "labelExpr": "split(datum.label, '\\n')", "labelPadding": 8}
    found: Spec = {
        "$schema": SCHEMA,
        "config": config(LIGHT),
        "data": {"values": rows},
        "facet": {"field": "panel", "type": "nominal", "sort": {"field": "place", "op": "min"}, "header": header},
        "columns": beside,
        # Panels are aligned by their frames, and between them is room for their headers.
        "bounds": "flush",
        "spacing": {"row": 36 + 15 * max(panel.count("\n") for panel in panels), "column": 26},
        "spec": {"width": width, "height": height, "layer": layers},
    }
    lines_told = [line for sentence in told for line in wrap(sentence, int(beside * (width + 25) / 5.2))]
    found["title"] = {"text": lines_told, "orient": "bottom", "anchor": "start", "offset": 14}
    return found


def panel_size(panels: int) -> tuple[int, int]:
    """Return width and height of each of so many panels."""
    return (380, 260) if panels == 1 else (230, 190)


def beside(panels: int) -> int:
    """Return how many panels stand beside each other where nothing else decides."""
    return panels if panels < 4 else math.ceil(math.sqrt(panels))


def caption(found: Power) -> str:
    """Say what power is a share of."""
    claims = found.sweep.claims
    claim = f"“{claims[0]}”" if len(claims) == 1 else "the claim"
    studies = f"{found.sweep.replicates:,} simulated studies"
    return f"Power: share of {studies} whose {100 * found.sweep.level:g}% interval supports {claim}."
