"""Drawings are well-formed, show every stage and every number once, take names as text, and stay small."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hostile import NAMES, ODD, PLAIN

from avowal.page.drawings import diagram, panel, style
from avowal.page.svg import fitted, measure

SVG = "{http://www.w3.org/2000/svg}"


def stage(step: str = "report", label: str = "off the shelf", **held: Any) -> dict[str, Any]:
    found = {"model": "gpt", "step": step, "label": label, "shown": "100 contexts", "asked": "its weights",
             "planned": 1000, "valid": 998, "state": "done"}  # fmt: skip
    return found | held


def study(model: str = "gpt", seeds: int = 1) -> list[dict[str, Any]]:
    steps = ("train", "decide", "decide", "report", "report", "train", "train", "train", "report", "report", "report")
    return [
        stage(step, f"stage {place} of seed {seed}", model=model, asked="" if step == "train" else "its weights",
              **({"planned": None, "valid": None} if step == "train" else {}))
        for seed in range(seeds) for place, step in enumerate(steps)
    ]  # fmt: skip


def attribute(name: str = "price", **held: Any) -> dict[str, Any]:
    found = {"name": name, "target": 50, "learned": 40.0, "low": 20.0, "high": 60.0, "reports": {"before": [10, 30]}}
    return found | held


def read(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert not [each.tag for each in root.iter() if each.get("id")]
    return root


def texts(root: ET.Element, kind: str | None = None) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text") if kind in (None, text.get("class"))]


def paths(root: ET.Element, kind: str) -> str:
    return "".join(path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("class") == kind)


def test_each_stage_is_a_box_with_its_counts() -> None:
    root = read(diagram([*study(), *study("other")]))
    assert len(list(root.iter(f"{SVG}rect"))) == 22
    assert texts(root, "lane") == ["gpt", "other"]
    assert texts(root, "count") == ["998 of 1,000 valid"] * 14
    assert len(texts(root, "label")) == 22
    assert len([path for path in root.iter(f"{SVG}path") if path.get("class") == "arrow"]) == 20
    assert "22 stages, 2 base models" in (root[0].text or "")
    assert (root[1].text or "").count("stage 3 of seed 0") == 2


def test_boxes_stay_within_the_drawing_and_off_each_other() -> None:
    for width in (360, 700, 1100):
        root = read(diagram([*study(), *study("other")], width))
        assert float(root.get("width", "")) == width
        places = [
            tuple(float(rect.get(side, "")) for side in ("x", "y", "width", "height"))
            for rect in root.iter(f"{SVG}rect")
        ]
        for x, y, w, h in places:
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= float(root.get("height", ""))
        for place, (x, y, w, h) in enumerate(places):
            assert all(x + w < a or a + c < x or y + h < b or b + d < y for a, b, c, d in places[:place])


def test_a_state_shows_without_colour() -> None:
    states = ("done", "half way", "not begun", "stopped")
    root = read(diagram([stage(state=state) for state in states]))
    assert len({rect.get("stroke-dasharray") for rect in root.iter(f"{SVG}rect")}) == 4
    assert texts(root, "kind") == ["report", "report, half way", "report, not begun", "report, stopped"]


def test_many_stages_share_boxes_and_lose_no_count() -> None:
    stages = [each for model in ("gpt", "other") for each in study(model, seeds=8)]
    assert len(stages) == 176
    svg = diagram(stages)
    root = read(svg)
    assert len(list(root.iter(f"{SVG}rect"))) == 2 * 8 * 5
    counted = [int(text.split(" of ")[1].split()[0].replace(",", "")) for text in texts(root, "count")]
    assert sum(counted) == sum(each["planned"] or 0 for each in stages)
    assert all(each["label"] in svg for each in stages)
    assert len(svg) < 90_000


def test_neighbours_in_two_states_are_half_way() -> None:
    stages = [stage(label=str(place), state="done" if place < 30 else "not begun") for place in range(60)]
    assert texts(read(diagram(stages)), "kind") == ["report, half way"]


def test_what_is_not_counted_has_no_count() -> None:
    assert texts(read(diagram([stage(planned=None, valid=None)])), "count") == []
    assert texts(read(diagram([stage(valid=None)])), "count") == ["1,000 planned"]
    assert list(read(diagram([])).iter(f"{SVG}rect")) == []


def test_a_panel_places_weights_on_its_scale() -> None:
    root = read(
        panel([attribute(target=-100, learned=0.0, low=-100.0, high=100.0, reports={"before": [-100, 0, 100]})])
    )
    left, right = map(int, re.match(r"M(\d+) \d+H(\d+)$", paths(root, "interval")).groups())
    middle = (left + right) // 2
    assert paths(root, "target").startswith(f"M{left} ")
    assert paths(root, "learned").startswith(f"M{middle} ")
    assert paths(root, "reports s1").endswith(f"h0m{middle - left} 0h0m{right - middle} 0h0")
    assert paths(root, "mean s1").startswith(f"M{middle} ")


def test_a_panel_shows_what_there_is() -> None:
    root = read(panel([attribute(target=None, learned=None, low=None, high=None, reports={})]))
    assert paths(root, "target") == paths(root, "learned") == paths(root, "interval") == ""
    assert texts(root, "attribute") == ["price"]
    assert not any("target" in text for text in texts(root, "key"))
    root = read(panel([attribute(reports={"before": [], "after": [5]}), attribute("size", reports={"before": [7]})]))
    assert texts(root, "number") == ["1", "2", "21"]
    assert texts(root, "key")[1:] == ["before", "after"]
    assert texts(read(panel([])), "attribute") == []


def test_numbers_beyond_the_scale_are_arrows_and_are_told() -> None:
    root = read(panel([attribute("clay", reports={"before": [10, 2388, -130]}), attribute("size")]))
    assert paths(root, "beyond s1").count("M") == 2
    assert "clay 2388, -130" in (root[0].text or "")
    assert "size" not in (root[0].text or "")
    many = read(panel([attribute(target=400, reports={"before": [200 + place for place in range(10)]})]))
    assert "price 400, 200, 201, 202, 203 and 6 more" in (many[0].text or "")
    assert paths(many, "target") == ""
    assert paths(many, "beyond target").count("M") == 1


@pytest.mark.parametrize("name", [*NAMES, ODD])
def test_names_are_text_in_drawings(name: str) -> None:
    told = PLAIN if name == ODD else name
    svg = diagram([stage(model=name, step=name, label=name, shown=name, asked=name, state=name) for _ in range(3)])
    root = read(svg)
    words = panel([attribute(name, target=300, reports={name: [1, 2]})])
    for drawn in (root, read(words)):
        assert {each.tag.removeprefix(SVG) for each in drawn.iter()} <= {
            "svg",
            "title",
            "desc",
            "g",
            "rect",
            "text",
            "path",
        }
        assert all(set(each.attrib) <= ALLOWED for each in drawn.iter())
        held = "".join("".join(each.itertext()) for each in drawn.iter(f"{SVG}text"))
        assert "".join(told.split()) in "".join(held.split())


ALLOWED = {"class", "role", "viewBox", "width", "height", "x", "y", "rx", "d", "stroke-dasharray"}


def test_panels_are_small_whatever_the_reports() -> None:
    def drawn(reports: int, sets: int) -> int:
        held = {
            f"introspection-trained {number}": [(number + place) * 37.7 % 200 - 100 for place in range(reports)]
            for number in range(sets)
        }
        rows = [attribute(f"attribute_{place}", reports=held) for place in range(5)]
        return len(panel(rows).encode())

    assert drawn(10, 3) < 3600
    assert drawn(50, 1) < 4000
    assert drawn(10, 5) < 5200


def test_lines_are_as_wide_as_asked_and_lose_nothing_but_to_an_ellipsis() -> None:
    for words in ("one two three four", "a_name_that_no_line_holds_at_all", "おちゃのこのみについて", "x" * 50, ""):
        for width in (6, 9, 20):
            lines = fitted(words, width, 99)
            assert all(measure(line) <= width for line in lines)
            assert "".join(lines).replace(" ", "") == words.replace(" ", "")
            short = fitted(words, width, 2)
            assert len(short) <= 2
            assert short == lines[:2] or short[-1].endswith("…")


def test_each_class_of_a_drawing_has_a_style() -> None:
    far = attribute(target=300, learned=-300, reports={str(place): [1, 200] for place in range(7)})
    drawn = diagram(study()) + panel([attribute(), far])
    classes = {name for held in re.findall(r'class="([^"]*)"', drawn) for name in held.split()}
    bare = {name for name in classes if f".{name}" not in style()}
    assert bare <= {"step", "key"}  # A group's and a text's look as all others do.
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", style())
