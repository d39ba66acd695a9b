"""Frontiers: power against price, and the designs that no cheaper one reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avowal.sweep.looks import CENTRE, COLOURS, ENDS, GREY, Spec, beside, caption, layer, panel_size, panels_of

if TYPE_CHECKING:
    from avowal.sweep.power import Power

__all__ = ["price_spec"]


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
    _label(rows, largest, panel_size(len(panels)))
    scale, axis = {"domain": [0, largest], "nice": False}, {"format": "$,.2~f", "tickCount": 5}
    title = "price (US dollars)"
    across = {"x": {"field": "price", "type": "quantitative", "title": title, "scale": scale, "axis": axis}}
    best = {"filter": {"field": "best", "equal": True}}
    labelled, number = {"filter": {"field": "labelled", "equal": True}}, {"text": {"field": "cell", "type": "nominal"}}
    colour = {"color": {"condition": {"test": {"field": "best", "equal": True}, "value": COLOURS[0]}, "value": GREY}}
    layers = [
        layer({"type": "rule", "strokeWidth": 1, "opacity": 0.6}, across, ENDS, colour),
        layer({"type": "line", "interpolate": "step-after", "strokeWidth": 1.8, "color": COLOURS[0]}, across, CENTRE)
        | {"transform": [best]},
        layer({"type": "point", "filled": True, "opacity": 1, "size": 40}, across, CENTRE, colour,
               {"shape": {"condition": {"test": {"field": "best", "equal": True}, "value": "circle"},
                          "value": "diamond"}}),
        # To the left of the frontier's steps is room, and right below everything else.
        layer({"type": "text", "dx": -6, "align": "right", "fontSize": 10}, across, CENTRE, colour, number)
        | {"transform": [best, labelled]},
        layer({"type": "text", "dx": 5, "dy": 7, "align": "left", "fontSize": 10}, across, CENTRE, colour, number)
        | {"transform": [{"filter": {"not": best["filter"]}}, labelled]},
    ]  # fmt: skip
    told = [
        caption(found),
        "Bars: its 95% Monte-Carlo interval. Numbers: cells. Line: most power for the price.",
    ]
    if any(row["status"] == "extrapolated" for row in rows):
        told.append("Some prices take agents beyond the contexts at hand at the mean price of those.")
    return panels_of(layers, rows, panels, beside(len(panels)), told)


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
