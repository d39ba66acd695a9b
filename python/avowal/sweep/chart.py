"""Charts: power along an axis with its Monte-Carlo bands, and power against price with the efficient frontier.

A chart is built as data, a Vega-Lite specification whose fields have names of our own: names of axes, models and tests
stand in it as titles and values only, which are never read as expressions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avowal.errors import InputError
from avowal.sweep.frontier import price_spec
from avowal.sweep.looks import CENTRE, COLOURS, DASHES, ENDS, SHAPES, Spec, beside, caption, layer, panels_of
from avowal.sweep.store import replace_whole

if TYPE_CHECKING:
    from avowal.sweep.power import Power, Sweep

__all__ = ["check_charts", "power_spec", "price_spec", "write"]

MOST_PANELS = 60
"""Panels of one chart: more than these are no figure."""

MOST_ROWS = 5000
"""Marks of one chart, and the most that Altair takes."""

SCALE = 2.0
"""Pixels of the PNG for each one of the layout: 144 to the inch."""


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
            layer({"type": "area", "opacity": 0.18}, across, ENDS, layout.series("color")),
            layer({"type": "line", "strokeWidth": 1.8}, across, CENTRE, layout.series("color", "strokeDash")),
            layer({"type": "point", "filled": True, "opacity": 1, "size": 40}, across, CENTRE,
                   layout.series("color", "shape")),
        ]  # fmt: skip
    else:
        across |= {"xOffset": {"field": "series", "sort": None}} if layout.series_axis else {}
        layers = [
            layer({"type": "rule", "strokeWidth": 1.4}, across, ENDS, layout.series("color")),
            layer({"type": "point", "filled": True, "opacity": 1, "size": 50}, across, CENTRE,
                   layout.series("color", "shape")),
        ]  # fmt: skip
    told = [caption(found), f"{'Bands' if layout.numeric else 'Bars'}: its 95% Monte-Carlo interval."]
    return panels_of(layers, rows, layout.panels, layout.beside, told, layout.width)


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
        self.beside = len(columns) if len(lines) > 1 else beside(len(columns))

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
            "strokeDash": {"field": "series", "legend": legend, "scale": {"range": _again(DASHES, len(values))}},
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


def _again(values: Sequence[Any], count: int) -> list[Any]:
    return [values[place % len(values)] for place in range(count)]


def _text(value: object) -> str:
    short = f"{value:g}" if isinstance(value, float) else str(value)
    # Values that six digits don't tell apart are no one series.
    return short if not isinstance(value, float) or float(short) == value else repr(value)
