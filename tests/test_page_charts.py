"""Charts of the page are drawn from whatever rows there are, take names as text, and need no network."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
from hostile import NAMES, ODD, PLAIN

from avowal.page.charts import accuracies, config, multiverse, scatter
from avowal.page.power_charts import on_page
from avowal.page.scripts import bundle, embed_calls, safe_json
from avowal.sweep.chart import power_spec, price_spec
from avowal.sweep.looks import COLOURS, Spec
from avowal.sweep.power import power

SVG = "{http://www.w3.org/2000/svg}"

MODELS, SETS = ("small", "large"), ("before", "after")


def points(models: tuple[str, ...] = MODELS, context: str = "tea", each: int = 4) -> list[dict[str, Any]]:
    return [
        {"model": model, "set": name, "set_label": f"{name} training", "context": context, "agent": "Ada",
         "attribute": f"attribute {place}", "learned": scattered(place), "reported": scattered(place + len(name))}
        for model in models for name in SETS for place in range(each)
    ]  # fmt: skip


def scattered(place: int) -> float:
    """Return one of many weights, with more digits than are shown."""
    return place * 1234.5678 % 200 - 100


def estimates(models: tuple[str, ...] = MODELS, label: str = "training") -> list[dict[str, Any]]:
    return [
        {"model": model, "set": name, "set_label": f"{name} {label}", "r": r, "low": r - 0.1, "high": r + 0.1,
         "baseline": name == "before"}
        for model in models for name, r in zip(SETS, (0.1, 0.7), strict=True)
    ]  # fmt: skip


def variants(models: tuple[str, ...] = MODELS, name: str = "slope") -> list[dict[str, Any]]:
    return [
        {"model": model, "set_label": label, "variant": variant, "estimate": r, "low": r - 0.1, "high": r + 0.1}
        for model in models for label in SETS for variant, r in (("r", 0.5), (name, 0.4), ("Stan", 0.6))
    ]  # fmt: skip


def empty(rows: list[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    return [row | dict.fromkeys(fields) for row in rows]


@pytest.fixture
def draw(capfd: pytest.CaptureFixture[str]) -> Callable[..., ET.Element]:
    """Draw a chart, and hold the renderer to saying nothing of it."""
    import vl_convert

    def drawn(spec: dict[str, Any], *, dark: bool = False) -> ET.Element:
        text = vl_convert.vegalite_to_svg(
            json.dumps(spec, allow_nan=False), config=config(dark), show_warnings=True, allowed_base_urls=[]
        )
        assert "".join(capfd.readouterr()) == ""
        return ET.fromstring(text)

    return drawn


def marks(root: ET.Element, kind: str) -> list[ET.Element]:
    groups = [g for g in root.iter(f"{SVG}g") if f"mark-{kind} role-mark" in g.get("class", "")]
    return [mark for group in groups for mark in group]


def texts(root: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def strings(value: object) -> list[str]:
    """Return every string of a specification but those of data and of domains."""
    if isinstance(value, dict):
        return [each for key, held in value.items() if key not in ("values", "domain") for each in strings(held)]
    if isinstance(value, list):
        return [each for held in value for each in strings(held)]
    return [value] if isinstance(value, str) else []


def test_a_scatter_has_one_point_for_each_row_and_one_panel_for_each_model_and_set(draw: Callable[..., Any]) -> None:
    root = draw(scatter(points(), MODELS, SETS))
    assert len(marks(root, "symbol")) == 16
    assert len(marks(root, "rule")) == 4 * 3
    held = [text for text in texts(root) if text in {f"{name} training{model}" for name in SETS for model in MODELS}]
    assert held == ["before trainingsmall", "after trainingsmall", "before traininglarge", "after traininglarge"]


def test_points_say_what_they_are_and_hold_each_name_once(draw: Callable[..., Any]) -> None:
    rows = points(each=2)
    spec = scatter(rows, MODELS, SETS)
    assert json.dumps(spec).count("attribute 1") == 1
    fields = {each["field"]: each["title"] for each in spec["spec"]["layer"][-1]["encoding"]["tooltip"]}
    assert list(fields.values()) == ["context", "agent", "attribute", "learned", "reported"]
    (names,) = (each["from"]["data"]["values"] for each in spec["transform"][1:2])
    found = [(names[each["e"]]["attribute"], each["x"], each["y"]) for each in spec["data"]["values"]]
    assert found == [(row["attribute"], round(row["learned"], 2), round(row["reported"], 2)) for row in rows]


def test_reports_beyond_the_scale_are_triangles_at_its_edge_and_keep_their_number(draw: Callable[..., Any]) -> None:
    rows = points(MODELS[:1], each=3)
    rows[0]["reported"], rows[1]["reported"] = 2388.0, -130.0
    spec = scatter(rows, MODELS, SETS)
    above, below, inside = spec["data"]["values"][:3]
    assert (above["told"], below["told"], "told" in inside) == (2388.0, -130.0, False)
    assert 100 < above["y"] < 110
    assert -110 < below["y"] < -100
    shapes = [mark.get("d", "") for mark in marks(draw(spec), "symbol")]
    assert sum("A" in shape for shape in shapes) == 4  # Circles have arcs.
    assert len(set(shapes)) == 3


def test_panels_are_laid_out_by_models_or_by_sets() -> None:
    fit = scatter(points(), MODELS, SETS)["usermeta"]["fit"]
    assert fit["layouts"] == [{"columns": 2, "sort": "p"}, {"columns": 1, "sort": "turned"}]
    places = scatter(points(), MODELS, SETS)["transform"][0]["from"]["data"]["values"]
    assert [each["turned"] for each in places] == [0, 2, 1, 3]


def test_accuracies_have_a_mark_a_bar_and_a_number_each(draw: Callable[..., Any]) -> None:
    root = draw(accuracies(estimates()))
    assert len(marks(root, "symbol")) == 4
    assert len(marks(root, "rule")) == 4 + 1
    assert {"before training", "after training", *MODELS, ".10", ".70"} <= set(texts(root))
    hollow = ["stroke" in mark.attrib and "fill" not in mark.attrib for mark in marks(root, "symbol")]
    assert sorted(hollow) == [False, False, True, True]


def test_what_has_no_number_keeps_its_place_and_says_so(draw: Callable[..., Any]) -> None:
    rows = [*estimates()[:3], *empty(estimates()[3:], "r", "low", "high")]
    root = draw(accuracies(rows))
    assert len(marks(root, "symbol")) == 3
    assert texts(root).count("no number") == 1
    root = draw(accuracies(empty(estimates(), "low", "high")))
    assert (len(marks(root, "symbol")), len(marks(root, "rule"))) == (4, 1)


def test_two_sets_of_one_name_stay_two(draw: Callable[..., Any]) -> None:
    rows = [row | {"set_label": "reports"} for row in estimates(MODELS[:1])]
    assert {"reports (before)", "reports (after)"} <= set(texts(draw(accuracies(rows))))


def test_a_multiverse_has_a_strip_for_each_set_and_a_line_for_each_variant(draw: Callable[..., Any]) -> None:
    root = draw(multiverse(variants()))
    assert len(marks(root, "symbol")) == 12
    assert len(marks(root, "rule")) == 12 + 2 + 4  # Intervals, zeros, and where each first variant lies.
    assert {"before", "after", "r", "slope", "Stan", *MODELS} <= set(texts(root))


CHARTS: dict[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    "scatter": lambda rows: scatter(rows, MODELS, SETS),
    "accuracies": accuracies,
    "multiverse": multiverse,
}

ROWS = {"scatter": points, "accuracies": estimates, "multiverse": variants}

NUMBERS = {
    "scatter": ("learned", "reported"),
    "accuracies": ("r", "low", "high"),
    "multiverse": ("estimate", "low", "high"),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", CHARTS)
def test_charts_are_drawn_from_no_row_one_row_and_rows_without_numbers(
    kind: str, dark: bool, draw: Callable[..., Any]
) -> None:
    rows = ROWS[kind]()
    assert marks(draw(CHARTS[kind]([]), dark=dark), "symbol") == []
    assert len(marks(draw(CHARTS[kind](rows[:1]), dark=dark), "symbol")) == 1
    assert marks(draw(CHARTS[kind](empty(rows, *NUMBERS[kind])), dark=dark), "symbol") == []


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_wherever_they_come(name: str, draw: Callable[..., Any]) -> None:
    """Models, contexts, labels and variants: none is read as a path, an expression, a shorthand or markup."""
    models = (name, "other")
    made = {
        "scatter": scatter([row | {"agent": name, "attribute": name} for row in points(models, name)], models, SETS),
        "accuracies": accuracies([row | {"set_label": f"{name}!{row['set']}"} for row in estimates(models)]),
        "multiverse": multiverse(variants(models, f"{name}!")),
    }
    plain = {kind: CHARTS[kind](ROWS[kind]()) for kind in CHARTS}
    for kind, spec in made.items():
        assert strings(spec) == strings(plain[kind])
        root = draw(spec)
        assert len(marks(root, "symbol")) == len(ROWS[kind]())
        assert not [each for each in root.iter() if each.tag.endswith(("script", "image", "foreignObject"))]
        held = "".join(texts(root)).replace(" ", "")
        assert name.replace(" ", "") in held


def test_what_an_eye_can_not_see_is_made_visible(draw: Callable[..., Any]) -> None:
    for spec in (scatter(points((ODD, "b"), ODD), (), ()), accuracies(estimates((ODD, "b"))),
                 multiverse(variants((ODD, "b")))):  # fmt: skip
        assert PLAIN in "".join(texts(draw(spec)))
    names = scatter(points(context=ODD), MODELS, SETS)["transform"][1]["from"]["data"]["values"]
    assert {each["context"] for each in names} == {PLAIN}


def test_no_chart_holds_a_colour_and_each_scheme_has_its_own() -> None:
    for kind, chart in CHARTS.items():
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b|white|black|gr[ae]y", json.dumps(chart(ROWS[kind]())))
    light, dark = config(False), config(True)
    assert light["range"]["category"] == list(COLOURS)
    assert len(set(dark["range"]["category"])) == len(COLOURS)
    assert "#000000" not in dark["range"]["category"]
    assert light["axis"]["labelColor"] != dark["axis"]["labelColor"]


def test_models_are_told_apart_without_colour() -> None:
    for spec in (accuracies(estimates()), multiverse(variants())["spec"]):
        shapes = [each["encoding"]["shape"]["scale"]["range"] for each in spec["layer"] if "shape" in each["encoding"]]
        assert shapes
        assert all(len(set(each)) == len(MODELS) for each in shapes)


def test_the_bundle_is_small_and_safe_to_stand_in_a_page() -> None:
    script = bundle()
    assert script is bundle()
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert 500_000 < len(script.encode()) < 1_000_000
    assert "window.vegaEmbed=" in script
    assert "function avowalCharts(" in script


@pytest.mark.parametrize("name", [*NAMES, "<!--", "]]>", "\u2028\u2029"])
def test_calls_are_safe_to_stand_in_a_page_and_lose_nothing(name: str) -> None:
    call = embed_calls({"figure": scatter(points(context=name), MODELS, SETS)})
    assert not set(call) & set("<>&\u2028\u2029")
    assert json.loads(safe_json({name: [name]})) == {name: [name]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        safe_json(float("nan"))


def test_charts_of_a_sweep_suit_both_schemes(draw: Callable[..., Any]) -> None:
    name = "weight_trained.fidelity"
    found = power({"trained_agents": [4, 6], name: [0.2, 0.8]}, tests=("accuracy>0.3", "gain"), replicates=5)
    for spec in (power_spec(found), price_spec(found)):
        assert spec is not None
        before = json.dumps(spec)
        chart = on_page(spec)
        assert json.dumps(spec) == before
        assert "config" not in chart
        assert "title" not in chart
        assert chart["description"].startswith("Power: share of 5 simulated studies")
        for colour in (COLOURS[0], "#e6e6e6", "#b0b0b0"):
            assert f'"{colour}"' in before
            assert f'"{colour}"' not in json.dumps(chart)
        assert chart["data"] == spec["data"]
        for dark in (False, True):
            assert len(marks(draw(chart, dark=dark), "symbol")) == 8


def test_the_names_of_a_sweep_are_left_alone_even_if_they_name_a_colour() -> None:
    spec: Spec = {"title": {"text": ["a", "b"]}, "columns": 1, "spec": {"width": 200, "title": COLOURS[0],
                  "color": {"domain": [COLOURS[0]], "range": [COLOURS[0]]}},
                  "data": {"values": [{"x": COLOURS[0]}]}}  # fmt: skip
    chart = on_page(spec)
    assert chart["description"] == "a b"
    assert json.dumps(chart).count(COLOURS[0]) == 3
    assert chart["spec"]["color"]["range"] != [COLOURS[0]]


def test_the_points_of_the_papers_study_are_small(draw: Callable[..., Any]) -> None:
    """Two models, five sets, 100 contexts of 5 attributes; the page may have 3 MB for everything."""
    rows = [
        {"model": model, "set": str(part), "set_label": str(part), "context": f"context_{place}", "agent": "Ada Lace",
         "attribute": f"attribute_{number}", "learned": scattered(place), "reported": scattered(place * part + number)}
        for model in MODELS for part in range(5) for place in range(100) for number in range(5)
    ]  # fmt: skip
    assert len(safe_json(scatter(rows, MODELS, list("01234")))) < 300_000
