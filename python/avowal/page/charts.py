"""Charts of the page: reported against learned weights, the accuracies, and every way to compute them.

A chart is a Vega-Lite specification whose fields have names of our own: names of models, contexts, agents and
attributes stand in it as values only, which are never read as expressions. Colours are left to :func:`config`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from avowal.page.shown import shown
from avowal.sweep.looks import COLOURS, LIGHT, SCHEMA, SHAPES, Inks, Spec, layer
from avowal.sweep.looks import config as looks
from avowal.text import number

__all__ = ["Row", "Spec", "accuracies", "config", "multiverse", "scatter"]

Row = Mapping[str, Any]

LIMIT = 100.0
"""Weights lie between minus this and this."""

EDGE = 107.0
"""Where reports beyond the limit are drawn."""

DARK = Inks("#e6e6e6", "#a0a0a0", "#3d4043", "#16181c")

_LIGHTER = ("#56B4E9", "#F2884B", "#35C79B", "#E7A6CB", "#F2BC4A", "#A9DBF7", "#FFFFFF")
"""The colours of a light scheme, in their order, bright enough for a dark ground."""

_LINES = "split(datum.label, '\\n')"
"""An expression over what a label says: the label itself is none."""


def config(dark: bool) -> Spec:
    """Return what the charts leave to the page.

    Parameters
    ----------
    dark
        For a dark scheme; else for a light one.

    Returns
    -------
    dict
        A configuration of Vega-Lite. The ground is left to the page.
    """
    inks = DARK if dark else LIGHT
    colours = list(_LIGHTER if dark else COLOURS)
    found = looks(inks)
    return found | {
        "background": "transparent",
        "padding": 5,
        "range": {"category": colours},
        "mark": {"color": colours[0]},
        "rule": {"color": inks.grey},
        "text": {"color": inks.ink, "fontSize": 11, "font": found["font"]},
        "style": {"faint": {"color": inks.grey, "opacity": 0.5, "strokeWidth": 1}},
    }  # fmt: skip


def scatter(rows: Sequence[Row], models: Sequence[str], sets: Sequence[str]) -> Spec:
    """Draw reported against learned weights, a panel for each model and set of reports.

    Parameters
    ----------
    rows
        One for each attribute of a context: ``model``, ``set``, ``set_label``, ``context``, ``agent``, ``attribute``,
        and the weights ``learned`` and ``reported``. A report beyond ±100 is drawn at the edge, as a triangle that
        points to where it is; a pointer that rests on it shows its number.
    models, sets
        Their order; those without rows have no panel.

    Returns
    -------
    dict
        A Vega-Lite specification. Each name stands in it once, beside the marks that it belongs to.
    """
    held = {(row["model"], row["set"]): row["set_label"] for row in rows}
    panels = [(model, name) for model in models for name in sets if (model, name) in held]
    panels += [each for each in held if each not in panels]
    entries = list(dict.fromkeys((row["context"], row["agent"], row["attribute"]) for row in rows))
    places, numbers = _places(panels), _places(entries)
    drawn = [
        _point(row["learned"], row["reported"])
        | {"p": places[row["model"], row["set"]], "e": numbers[row["context"], row["agent"], row["attribute"]]}
        for row in rows
    ]
    known = {
        "p": [
            {"key": place, "panel": _panel(model, held[model, name], places), "model": shown(model), "turned": turned}
            for place, ((model, name), turned) in enumerate(zip(panels, _turned(panels), strict=True))
        ],
        "e": [
            {"key": place, **dict(zip(("context", "agent", "attribute"), map(shown, entry), strict=True))}
            for place, entry in enumerate(entries)
        ],
    }
    across = len({name for _, name in panels}), len({model for model, _ in panels})
    return _faceted(
        "Scatter plots of reported against learned weights: one point for each attribute of a context, one panel for "
        "each model and set of reports.",
        drawn,
        _scatter_layers([shown(model) for model in dict.fromkeys(model for model, _ in panels)]),
        transform=[
            {"lookup": "p", "from": {"data": {"values": known["p"]}, "key": "key",
                                     "fields": ["panel", "model", "turned"]}},
            {"lookup": "e", "from": {"data": {"values": known["e"]}, "key": "key",
                                     "fields": ["context", "agent", "attribute"]}},
            {"calculate": "isValid(datum.told) ? datum.told : datum.y", "as": "reported"},
        ],
        sort="p",
        size={"width": 170, "height": 170},
        fit={"least": 150, "most": 250, "left": 76, "square": True, "layouts": _layouts(*across)},
    )  # fmt: skip


def accuracies(rows: Sequence[Row]) -> Spec:
    """Draw the accuracies with their intervals, the models beside each other in each set.

    Parameters
    ----------
    rows
        One for each accuracy: ``model``, ``set``, ``set_label``, ``r``, the interval's ends ``low`` and ``high``, and
        ``baseline``, which makes the mark hollow. Without a number the place stays, and says so.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its place.
    """
    labels = _distinct({row["set"]: row["set_label"] for row in rows})
    models = list(dict.fromkeys(shown(row["model"]) for row in rows))
    drawn = [
        {
            "model": shown(row["model"]),
            "label": _broken(labels[row["set"]], 20),
            "r": row["r"],
            **_ends(row["low"], row["high"]),
            "end": row["r"] if row["high"] is None else row["high"],
            "told": number(row["r"]),
            "baseline": bool(row["baseline"]),
        }
        for row in rows
    ]
    domain = _domain(drawn, "r")
    place = {"y": _names([_broken(label, 20) for label in labels.values()], "label"), "yOffset": _offset(models)}
    across = {"x": _numbers("r", "correlation of reported with estimated weights", domain)}
    tooltip = _tooltip(("model", "model"), ("label", "set"), ("r", "r"), ("low", "from"), ("high", "to"))
    coloured = {"color": _by_model("color", models)}
    point = {"type": "point", "opacity": 1, "size": 64, "strokeWidth": 1.6}
    marks = [coloured | {"shape": _by_model("shape", models)}, place, across, tooltip]
    return _single(
        "Correlations of reported with estimated weights, with their intervals.",
        drawn,
        [
            _line({"x": {"datum": 0}}),
            _interval(1.8, coloured, place, across, tooltip),
            _where("!datum.baseline", layer(point | {"filled": True}, *marks)),
            _where("datum.baseline", layer(point | {"filled": False}, *marks)),
            layer({"type": "text", "align": "left", "dx": 7, "baseline": "middle", "aria": False}, place,
                  {"x": across["x"] | {"field": "end"}, "text": {"field": "told"}}),
            _where("!isValid(datum.r)", layer({"type": "text", "align": "left", "dx": 4, "baseline": "middle"}, place,
                   {"x": {"datum": 0}, "text": {"value": "no number"}})),
        ],
        _height(labels.values(), 20, len(models)),
    )  # fmt: skip


def multiverse(rows: Sequence[Row]) -> Spec:
    """Draw each accuracy in all ways in which it was computed: a strip for each set, a line for each way.

    Parameters
    ----------
    rows
        One for each number: ``model``, ``set_label``, ``variant`` (how it was computed), ``estimate``, and the
        interval's ends ``low`` and ``high``. The first variant of a model and set is its reference: a broken line
        through the strip.

    Returns
    -------
    dict
        A Vega-Lite specification; all strips have one scale.
    """
    models = list(dict.fromkeys(shown(row["model"]) for row in rows))
    strips = list(dict.fromkeys(row["set_label"] for row in rows))
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        first.setdefault((row["model"], row["set_label"]), row["variant"])
    variants = list(dict.fromkeys(_broken(row["variant"], 24) for row in rows))
    places = _places(strips)
    drawn = [
        {
            "model": shown(row["model"]),
            "panel": _broken(row["set_label"], 24),
            "p": places[row["set_label"]],
            "variant": _broken(row["variant"], 24),
            "estimate": row["estimate"],
            **_ends(row["low"], row["high"]),
            "first": row["variant"] == first[row["model"], row["set_label"]],
        }
        for row in rows
    ]
    across = {"x": _numbers("estimate", None, _domain(drawn, "estimate"))}
    across["x"]["axis"] |= {"grid": True, "tickCount": 4}
    place = {"y": _names(variants, "variant"), "yOffset": _offset(models)}
    tooltip = _tooltip(("model", "model"), ("panel", "set"), ("variant", "computed"), ("estimate", "estimate"),
                       ("low", "from"), ("high", "to"))  # fmt: skip
    coloured = {"color": _by_model("color", models)}
    broken = {"type": "rule", "strokeDash": [3, 3], "opacity": 0.55, "aria": False}
    return _faceted(
        "Strips of dots with intervals: each accuracy in all ways in which it was computed.",
        drawn,
        [
            _line({"x": {"datum": 0}}),
            _where("datum.first", layer(broken, coloured, across)),
            _interval(1.5, coloured, place, across, tooltip),
            layer({"type": "point", "filled": True, "opacity": 1, "size": 44}, coloured,
                  {"shape": _by_model("shape", models)}, place, across, tooltip),
        ],
        transform=[],
        sort="p",
        size={"width": 170, "height": _height((row["variant"] for row in rows), 24, len(models))},
        fit={"least": 150, "most": 260, "left": 150, "square": False,
             "layouts": [{"columns": each, "sort": "p"} for each in range(len(strips), 0, -1)]},
    ) | {"resolve": {"axis": {"x": "independent"}}}  # fmt: skip


def _scatter_layers(models: list[str]) -> list[Spec]:
    low, high = {"datum": -LIMIT}, {"x2": {"datum": LIMIT}, "y2": {"datum": LIMIT}}
    weights = {
        name: {"field": name, "type": "quantitative", "title": title,
               "scale": {"domain": [-EDGE - 3, EDGE + 3], "nice": False, "zero": False},
               "axis": {"values": [-100, 0, 100], "grid": False}}
        for name, title in (("x", "learned weight"), ("y", "reported weight"))
    }  # fmt: skip
    point = {"type": "point", "filled": True, "opacity": 0.6, "size": 16, "aria": False}
    shape = _by_model("shape", models, legend=False)
    shape["condition"] = [
        {"test": f"datum.y > {LIMIT}", "value": "triangle-up"},
        {"test": f"datum.y < -{LIMIT}", "value": "triangle-down"},
    ]
    told = _tooltip(("context", "context"), ("agent", "agent"), ("attribute", "attribute"), ("x", "learned"),
                    ("reported", "reported"), form=".1f")  # fmt: skip
    return [
        _line({"x": _at(weights["x"], low), "y": _at(weights["y"], low), **high}, strokeDash=[4, 3]),
        _line({"x": _at(weights["x"], {"datum": 0})}),
        _line({"y": _at(weights["y"], {"datum": 0})}),
        layer(point, weights, {"color": _by_model("color", models, legend=False), "shape": shape}, told),
    ]


def _line(encoding: Spec, **look: Any) -> Spec:
    """Return one faint line. Without a row of its own it would be drawn once for each row of the chart."""
    return {"data": {"values": [{}]}, **layer({"type": "rule", "style": "faint", "aria": False, **look}, encoding)}


def _interval(width: float, *encodings: Spec) -> Spec:
    """Return bars from ``low`` to ``high``, where there are such ends; what they are is said by the marks on them."""
    mark = {"type": "rule", "strokeWidth": width, "aria": False}
    found = layer(mark, *encodings)
    found["encoding"] |= {"x": found["encoding"]["x"] | {"field": "low"}, "x2": {"field": "high"}}
    return _where("isValid(datum.low) && isValid(datum.high)", found)


def _at(channel: Spec, place: Spec) -> Spec:
    return {name: value for name, value in channel.items() if name != "field"} | place


def _point(learned: float | None, reported: float | None) -> dict[str, float | None]:
    """Place a point; to a hundredth, which no eye can tell apart and which halves the page."""
    found = {"x": learned if learned is None else round(learned, 2)}
    if reported is None or abs(reported) <= LIMIT:
        return found | {"y": reported if reported is None else round(reported, 2)}
    return found | {"y": EDGE if reported > 0 else -EDGE, "told": round(reported, 2)}


def _faceted(
    told: str,
    rows: list[dict[str, Any]],
    layers: list[Spec],
    *,
    transform: list[Spec],
    sort: str,
    size: Spec,
    fit: Spec,
) -> Spec:
    """Return a chart of panels. `fit` tells the page's script how it may be laid out in the width that there is."""
    return {
        "$schema": SCHEMA,
        "description": told,
        "usermeta": {"fit": fit},
        "data": {"values": rows},
        "transform": transform,
        "facet": {"field": "panel", "type": "nominal", "sort": {"field": sort, "op": "min"},
                  "header": {"title": None, "labelExpr": _LINES, "labelPadding": 6, "labelFontSize": 11,
                             "labelLineHeight": 14}},
        "columns": fit["layouts"][0]["columns"] if fit["layouts"] else 1,
        "bounds": "flush",
        "spacing": {"row": 48, "column": 26},
        "spec": size | {"layer": layers},
    }  # fmt: skip


def _single(told: str, rows: list[dict[str, Any]], layers: list[Spec], height: float) -> Spec:
    return {
        "$schema": SCHEMA,
        "description": told,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": rows},
        "layer": layers,
    }


def _layouts(sets: int, models: int) -> list[Spec]:
    """List the ways to lay out panels, from the widest: a line for each model, or else the models beside each other."""
    narrower = [each for each in range(models, 0, -1) if each < sets]
    return [{"columns": max(sets, 1), "sort": "p"}, *({"columns": each, "sort": "turned"} for each in narrower)]


def _turned(panels: Sequence[tuple[str, str]]) -> list[int]:
    """Return each panel's place if the sets came before the models."""
    sets, models = (_places(dict.fromkeys(each)) for each in ((s for _, s in panels), (m for m, _ in panels)))
    order = sorted(panels, key=lambda panel: (sets[panel[1]], models[panel[0]]))
    places = _places(order)
    return [places[panel] for panel in panels]


def _panel(model: str, label: str, panels: Iterable[tuple[str, str]]) -> str:
    return f"{shown(label)}\n{shown(model)}" if len({model for model, _ in panels}) > 1 else shown(label)


def _by_model(channel: str, models: list[str], *, legend: bool = True) -> Spec:
    """Tell models apart; those of a legend by mark and colour."""
    found: Spec = {"field": "model", "type": "nominal", "sort": None, "scale": {"domain": models}, "legend": None}
    if channel == "shape":
        found["scale"]["range"] = [SHAPES[place % len(SHAPES)] for place in range(len(models))]
    if legend and len(models) > 1:
        found["legend"] = {"orient": "top", "title": None, "columns": 2, "labelLimit": 400, "symbolOpacity": 1}
    return found


def _names(labels: list[str], field: str) -> Spec:
    labels = list(dict.fromkeys(labels))
    return {"field": field, "type": "nominal", "sort": None, "title": None,
            "scale": {"domain": labels, "paddingInner": 0.3, "paddingOuter": 0.2},
            "axis": {"labelExpr": _LINES, "labelLimit": 240, "labelPadding": 6, "ticks": False, "domain": False,
                     "grid": False}}  # fmt: skip


def _offset(models: list[str]) -> Spec:
    return {"field": "model", "type": "nominal", "sort": None, "scale": {"domain": models}}


def _numbers(field: str, title: str | None, domain: list[float]) -> Spec:
    return {"field": field, "type": "quantitative", "title": title,
            "scale": {"domain": domain, "nice": False, "zero": False},
            "axis": {"grid": True, "format": ".1f", "tickCount": 6}}  # fmt: skip


def _domain(rows: list[dict[str, Any]], field: str) -> list[float]:
    """Return a scale from 0 to 1 with room for what lies beyond."""
    found = [row[each] for row in rows for each in (field, "low", "high") if row[each] is not None]
    return [min([-0.05, *(each - 0.05 for each in found)]), max([1.0, *(each + 0.05 for each in found)])]


def _ends(low: float | None, high: float | None) -> dict[str, float | None]:
    return {"low": low, "high": high}


def _tooltip(*fields: tuple[str, str], form: str = ".3f") -> Spec:
    words = {"model", "label", "panel", "variant", "context", "agent", "attribute"}
    return {"tooltip": [
        {"field": field, "title": title} | ({"type": "nominal"} if field in words
                                            else {"type": "quantitative", "format": form})
        for field, title in fields
    ]}  # fmt: skip


def _where(test: str, found: Spec) -> Spec:
    return {"transform": [{"filter": test}], **found}


def _height(labels: Iterable[str], width: int, models: int) -> float:
    """Return how high a chart with a line for each label is, so that neither marks nor labels touch."""
    broken = {_broken(label, width) for label in labels}
    lines = 1 + max((label.count("\n") for label in broken), default=0)
    return max(len(broken), 1) * max(12 * models + 8, 14 * lines + 4)


def _broken(label: str, width: int) -> str:
    """Break a label into lines; line breaks of its own are made visible first."""
    return "\n".join(wrap(shown(label), width)) or " "


def _distinct(labels: dict[str, str]) -> dict[str, str]:
    """Return labels by set of which no two are alike: a label that another set has is followed by its set."""
    held = list(labels.values())
    return {name: label if held.count(label) == 1 else f"{label} ({name})" for name, label in labels.items()}


def _places(values: Iterable[Any]) -> dict[Any, int]:
    return {value: place for place, value in enumerate(values)}
