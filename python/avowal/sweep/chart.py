"""Charts: power along an axis with its Monte-Carlo bands, and power against price with the efficient frontier.

A chart is built as data, a Vega-Lite specification whose fields have names of our own: names of axes, models and tests
stand in it as titles and values only, which are never read as expressions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from avowal.errors import InputError
from avowal.sweep.store import replace_whole

if TYPE_CHECKING:
    from avowal.sweep.power import Power, Sweep

__all__ = ["check_charts", "power_spec", "price_spec", "write"]

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours (2008), told apart by people of any colour vision; without the yellow, faint on white."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1])

MOST_PANELS = 60
"""Panels of one chart: more than these are no figure."""

MOST_ROWS = 5000
"""Marks of one chart, and the most that Altair takes."""

SCALE = 2.0
"""Pixels of the PNG for each one of the layout: 144 to the inch."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

_INK, _GREY, _FAINT = "#222222", "#666666", "#e6e6e6"

# Liberation Sans comes with the renderer and is as wide as Arial and Helvetica, which stand in where a viewer lacks it.
_CONFIG: Spec = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "background": "white",
    "padding": 10,
    "view": {"stroke": None},
    "axis": {"labelColor": _INK, "titleColor": _INK, "domainColor": _GREY, "tickColor": _GREY, "gridColor": _FAINT,
             "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8, "tickSize": 4},
    "axisX": {"grid": False, "labelFlush": False},
    "legend": {"labelColor": _INK, "titleColor": _INK, "labelFontSize": 11, "titleFontSize": 12,
               "titleFontWeight": "normal", "symbolSize": 70, "symbolStrokeWidth": 0, "rowPadding": 4},
    "header": {"labelColor": _INK, "labelFontSize": 12, "labelLineHeight": 15, "labelLimit": 400},
    "title": {"color": _GREY, "fontSize": 11, "fontWeight": "normal", "lineHeight": 15},
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

_ENDS: Spec = {"y": {**_POWER, "field": "low"}, "y2": {"field": "high"}}

_CENTRE: Spec = {"y": {**_POWER, "field": "power"}}


def power_spec(found: Power, x: str | None = None) -> Spec:
    """Draw power along one axis of a sweep, with a panel for each test and a line for each value of a second axis.

    Parameters
    ----------
    found
        The result of a sweep. Cells without replicates are left out.
    x
        The axis across; by default the first one of numbers, else the first one.

    Returns
    -------
    dict
        A Vega-Lite specification. Bands, or bars where the axis across holds names, are the Monte-Carlo intervals.
        Lines differ in colour, dash and mark. Further axes make rows of panels, or columns where there is one test.

    Raises
    ------
    InputError
        For an unknown axis, more than 60 panels, or more than 5,000 marks.
    """
    layout = _Layout(found.sweep, x)
    rows = [layout.row(row) for row in found.table.iter_rows(named=True) if row["power"] is not None]
    across = {"x": layout.across()}
    if layout.numeric:
        layers = [
            _layer({"type": "area", "opacity": 0.18}, across, _ENDS, layout.series("color")),
            _layer({"type": "line", "strokeWidth": 1.8}, across, _CENTRE, layout.series("color", "strokeDash")),
            _layer({"type": "point", "filled": True, "opacity": 1, "size": 40}, across, _CENTRE,
                   layout.series("color", "shape")),
        ]  # fmt: skip
    else:
        across |= {"xOffset": {"field": "series", "sort": None}} if layout.series_axis else {}
        layers = [
            _layer({"type": "rule", "strokeWidth": 1.4}, across, _ENDS, layout.series("color")),
            _layer({"type": "point", "filled": True, "opacity": 1, "size": 50}, across, _CENTRE,
                   layout.series("color", "shape")),
        ]  # fmt: skip
    told = [_share(found), f"{'Bands' if layout.numeric else 'Bars'}: its 95% Monte-Carlo interval."]
    return _panels(layers, rows, layout.panels, layout.beside, told, layout.width)


def price_spec(found: Power) -> Spec | None:
    """Draw power against price, with the designs that no cheaper one reaches.

    Parameters
    ----------
    found
        The result of a sweep. Cells without replicates or without a price are left out.

    Returns
    -------
    dict or None
        A Vega-Lite specification: a panel for each test, cells by their numbers, and the efficient frontier as steps
        (the power to be had for a price). None where fewer than two cells have a price.
    """
    rows = [
        {"price": row["price"], "power": row["power"], "low": row["power_low"], "high": row["power_high"],
         "cell": str(row["cell"]), "panel": row["test"], "status": row["price_status"]}
        for row in found.table.iter_rows(named=True)
        if row["power"] is not None and row["price"] is not None
    ]  # fmt: skip
    if len({row["cell"] for row in rows}) < 2:
        return None
    reached: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: (row["price"], -row["power"])):
        row["best"] = row["power"] > reached.get(row["panel"], -1)
        reached[row["panel"]] = max(row["power"], reached.get(row["panel"], -1))
    panels = [str(each) for each in found.sweep.claims]
    largest = max(row["price"] for row in rows) * 1.05
    _label(rows, largest, _size(len(panels)))
    scale, axis = {"domain": [0, largest], "nice": False}, {"format": "$,.2~f", "tickCount": 5}
    title = "price (US dollars)"
    across = {"x": {"field": "price", "type": "quantitative", "title": title, "scale": scale, "axis": axis}}
    best = {"filter": {"field": "best", "equal": True}}
    labelled, number = {"filter": {"field": "labelled", "equal": True}}, {"text": {"field": "cell", "type": "nominal"}}
    colour = {"color": {"condition": {"test": {"field": "best", "equal": True}, "value": COLOURS[0]}, "value": _GREY}}
    layers = [
        _layer({"type": "rule", "strokeWidth": 1, "opacity": 0.6}, across, _ENDS, colour),
        _layer({"type": "line", "interpolate": "step-after", "strokeWidth": 1.8, "color": COLOURS[0]}, across, _CENTRE)
        | {"transform": [best]},
        _layer({"type": "point", "filled": True, "opacity": 1, "size": 40}, across, _CENTRE, colour,
               {"shape": {"condition": {"test": {"field": "best", "equal": True}, "value": "circle"},
                          "value": "diamond"}}),
        # To the left of the frontier's steps is room, and right below everything else.
        _layer({"type": "text", "dx": -6, "align": "right", "fontSize": 10}, across, _CENTRE, colour, number)
        | {"transform": [best, labelled]},
        _layer({"type": "text", "dx": 5, "dy": 7, "align": "left", "fontSize": 10}, across, _CENTRE, colour, number)
        | {"transform": [{"filter": {"not": best["filter"]}}, labelled]},
    ]  # fmt: skip
    told = [
        _share(found),
        "Bars: its 95% Monte-Carlo interval. Numbers: cells. Line: most power for the price.",
    ]
    if any(row["status"] == "extrapolated" for row in rows):
        told.append("Some prices take agents beyond the contexts at hand at the mean price of those.")
    return _panels(layers, rows, panels, _beside(len(panels)), told)


def check_charts(sweep: Sweep, x: str | None = None) -> None:
    """Check that the charts of a sweep can be drawn, before it is carried out.

    Parameters
    ----------
    sweep
        What is to be simulated.
    x
        As for :func:`power_spec`.

    Raises
    ------
    InputError
        As :func:`power_spec`.
    """
    _Layout(sweep, x)


def write(found: Power, folder: str | Path, x: str | None = None) -> list[Path]:
    """Write the charts of a sweep.

    Parameters
    ----------
    found
        The result of a sweep.
    folder
        Must exist.
    x
        As for :func:`power_spec`.

    Returns
    -------
    list of Path
        ``power.svg``, ``power.png`` and ``power.vl.json``, the Vega-Lite specification; where two cells or more have
        prices, the same three of ``price``.

    Raises
    ------
    InputError
        As :func:`power_spec`.
    """
    import vl_convert

    written = []
    for name, spec in (("power", power_spec(found, x)), ("price", price_spec(found))):
        if spec is None:
            continue
        text = json.dumps(spec, indent=1, allow_nan=False)
        # No address is allowed: nothing in a specification can make the renderer fetch anything.
        files = {
            "svg": vl_convert.vegalite_to_svg(text, allowed_base_urls=[]).encode(),
            "png": vl_convert.vegalite_to_png(text, scale=SCALE, allowed_base_urls=[]),
            "vl.json": text.encode() + b"\n",
        }
        for ending, content in files.items():
            path = Path(folder) / f"{name}.{ending}"
            replace_whole(path, content)
            written.append(path)
    return written


class _Layout:
    """Which axis goes where: across, into the series, and the others into panels."""

    def __init__(self, sweep: Sweep, x: str | None) -> None:
        axes = list(sweep.cells[0].values)
        if x is not None and x not in axes:
            raise InputError.at(f"an axis of the sweep ({', '.join(axes) or 'it has none'})", repr(x), field="x")
        self._values = {name: list(dict.fromkeys(cell.values[name] for cell in sweep.cells)) for name in axes}
        numbers = [name for name in axes if not any(isinstance(value, str) for value in self._values[name])]
        self.x = x or next(iter([*numbers, *axes]), None)
        rest = [name for name in axes if name != self.x]
        self.series_axis = rest.pop(0) if rest else None
        self._tests = [str(each) for each in sweep.claims]
        # A single cell has its tests across; a single test leaves the columns of panels to an axis.
        by_test = len(self._tests) > 1 or not rest
        self._columns_axis = None if by_test else rest.pop(0)
        self._lines_axes = rest
        self.numeric = self.x in numbers
        rows = [{**cell.values, "test": test} for cell in sweep.cells for test in self._tests]
        columns, lines = (list(dict.fromkeys(map(each, rows))) for each in (self._column, self._line))
        self.panels = [_panel(column, line) for line in lines for column in columns]
        if len(rows) > MOST_ROWS:
            raise InputError.at(
                f"at most {MOST_ROWS:,} cells and tests, or no charts", f"{len(rows):,}", field="charts"
            )
        if len(self.panels) > MOST_PANELS:
            found = f"{len(self.panels)}, for {len(columns)} by {len(lines)} tests and values of axes"
            raise InputError.at(f"at most {MOST_PANELS} panels, or no charts", found, field="charts")
        self.beside = len(columns) if len(lines) > 1 else _beside(len(columns))

    @property
    def width(self) -> int:
        """How wide a panel is at least, so that names and the marks of all series have room."""
        if self.numeric:
            return 0
        names = len(self._tests) if self.x is None else len(self._held(self.x))
        return 14 * names * max(len(self._held(self.series_axis)) if self.series_axis else 0, 2)

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        x = row["test"] if self.x is None else row[self.x] if self.numeric else _text(row[self.x])
        found = {"x": x, "power": row["power"], "low": row["power_low"], "high": row["power_high"]}
        found["panel"] = _panel(self._column(row), self._line(row))
        series = _text(row[self.series_axis]) if self.series_axis else None
        return found | ({} if series is None else {"series": series})

    def across(self) -> Spec:
        if not self.numeric:
            values = self._tests if self.x is None else self._held(self.x)
            angle = -30 if max(map(len, values)) > 12 else 0
            return {"field": "x", "type": "nominal", "sort": None, "title": self.x, "scale": {"domain": values},
                    "axis": {"labelAngle": angle, "labelLimit": 260}}  # fmt: skip
        ticks = sorted(float(value) for value in self._values[str(self.x)])
        # As many values as have room are the ticks; of more, round numbers.
        axis = {"values": ticks, "format": ",.6~f", "labelOverlap": "greedy"} if len(ticks) <= 8 else {"tickCount": 6}
        margin = (ticks[-1] - ticks[0]) * 0.04
        domain = [ticks[0] - margin, ticks[-1] + margin]
        return {"field": "x", "type": "quantitative", "title": self.x, "axis": axis,
                "scale": {"domain": domain, "nice": False, "zero": False}}  # fmt: skip

    def series(self, *channels: str) -> Spec:
        """Encode the second axis in each channel; without one, colour alone is set."""
        if self.series_axis is None:
            return {"color": {"value": COLOURS[0]}}
        values = self._held(self.series_axis)
        legend = {"title": self.series_axis, "symbolOpacity": 1}
        found: Spec = {
            "color": {"field": "series", "legend": legend, "scale": {"range": _again(COLOURS, len(values))}},
            "shape": {"field": "series", "legend": legend, "scale": {"range": _again(SHAPES, len(values))}},
            "strokeDash": {"field": "series", "legend": None, "scale": {"range": _again(DASHES, len(values))}},
        }
        for channel in found.values():
            channel["scale"]["domain"] = values
        return {name: {**found[name], "type": "nominal", "sort": None} for name in channels}

    def _held(self, axis: str) -> list[str]:
        return [_text(value) for value in self._values[axis]]

    def _column(self, row: dict[str, Any]) -> str:
        if self.x is None:
            return ""
        axis = self._columns_axis
        return str(row["test"]) if axis is None else f"{axis} {_text(row[axis])}"

    def _line(self, row: dict[str, Any]) -> str:
        return ", ".join(f"{axis} {_text(row[axis])}" for axis in self._lines_axes)


def _panel(column: str, line: str) -> str:
    return f"{column}\n{line}" if line else column


def _layer(mark: Spec, *encodings: Spec) -> Spec:
    return {"mark": mark, "encoding": {name: channel for part in encodings for name, channel in part.items()}}


def _panels(
    layers: list[Spec], rows: list[dict[str, Any]], panels: list[str], beside: int, told: list[str], least: int = 0
) -> Spec:
    for row in rows:
        row["place"] = panels.index(row["panel"])
    width, height = _size(len(panels))
    width = max(width, least)
    # An expression over what the label says: the label itself is none.
    header = {"title": None, "labelExpr": "split(datum.label, '\\n')", "labelPadding": 8}
    found: Spec = {
        "$schema": _SCHEMA,
        "config": _CONFIG,
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


def _size(panels: int) -> tuple[int, int]:
    return (380, 260) if panels == 1 else (230, 190)


def _beside(panels: int) -> int:
    return panels if panels < 4 else math.ceil(math.sqrt(panels))


def _label(rows: list[dict[str, Any]], largest: float, size: tuple[int, int]) -> None:
    """Mark the cells whose numbers have room, those of the frontier first."""
    taken: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        x = row["price"] / largest * size[0]
        taken.setdefault(row["panel"], []).append((x - 3, x + 3, row["power"] * size[1]))
    for row in sorted(rows, key=lambda row: (not row["best"], -row["power"], row["price"])):
        there, width = taken[row["panel"]], 6.0 * len(row["cell"])
        x, y = row["price"] / largest * size[0], row["power"] * size[1]
        # The room reaches up to the cell's own mark: a number behind another mark would seem to be that one's.
        left, right, middle = (x - 6 - width, x - 3.5, y) if row["best"] else (x + 3.5, x + 5 + width, y - 7)
        row["labelled"] = all(right < start or end < left or abs(middle - height) > 8 for start, end, height in there)
        if row["labelled"]:
            there.append((left, right, middle))


def _share(found: Power) -> str:
    level, many = f"{found.sweep.level:.4%}".rstrip("0%").rstrip("."), f"{found.sweep.replicates:,}"
    claims = found.sweep.claims
    claim = f"“{claims[0]}”" if len(claims) == 1 else "the claim"
    return f"Power: share of {many} simulated studies whose {level}% interval supports {claim}."


def _again(values: Sequence[Any], count: int) -> list[Any]:
    return [values[place % len(values)] for place in range(count)]


def _text(value: object) -> str:
    short = f"{value:g}" if isinstance(value, float) else str(value)
    # Values that six digits don't tell apart are no one series.
    return short if not isinstance(value, float) or float(short) == value else repr(value)
