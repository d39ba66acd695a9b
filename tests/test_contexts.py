"""Contexts: both formats read, every malformed entry named by file, place and expectation."""

import json
import math
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal import contexts
from avowal.contexts import Attribute, Context
from avowal.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
RANGES = st.tuples(NUMBER, NUMBER).filter(lambda pair: pair[0] != pair[1]).map(sorted)


USES = st.sampled_from([None, "training", "native"])


@st.composite
def context(draw, names=TEXT):
    labels = draw(st.lists(TEXT, min_size=1, max_size=12, unique=True))
    attributes = tuple(Attribute(label, draw(st.text(max_size=5)), *draw(RANGES)) for label in labels)
    return Context(draw(names), draw(TEXT), attributes, draw(st.none() | TEXT), draw(st.none() | TEXT), draw(USES))


CONTEXTS = st.lists(context(), min_size=1, max_size=4, unique_by=lambda each: each.name)


def own(cases):
    return {
        "contexts": [
            {
                "name": each.name,
                "field": each.field,
                "agent": each.agent,
                "use": each.use,
                "question": each.question,
                "attributes": [{"name": a.name, "units": a.units, "min": a.min, "max": a.max} for a in each.attributes],
            }
            for each in cases
        ]
    }


def authors(cases):
    return [
        {
            "short_name": each.name,
            "question": each.question,
            "attributes": [{"name": a.name, "units": a.units, "range": [a.min, a.max]} for a in each.attributes],
        }
        for each in cases
    ]


@given(CONTEXTS)
def test_own_format_round_trips_and_fits_the_schema(cases):
    schema = json.loads((files("avowal") / "data" / "contexts" / "schema.json").read_text(encoding="utf-8"))
    document = own(cases)
    jsonschema.validate(document, schema)
    assert contexts.parse(json.dumps(document), "file") == tuple(cases)


@given(CONTEXTS)
def test_authors_format_round_trips_without_agents_and_fields(cases):
    bare = tuple(Context(each.name, each.question, each.attributes) for each in cases)
    assert contexts.parse(json.dumps(authors(cases)), "file") == bare


def test_the_packed_contexts_are_the_checkouts(root):
    ours = {file.name: file.read_text(encoding="utf-8") for file in (root / "contexts").glob("*.json")}
    packed = files("avowal") / "data" / "contexts"
    assert {each.name: each.read_text(encoding="utf-8") for each in packed.iterdir()} == ours
    fields = sorted(root / "contexts" / name for name in ours if name != "schema.json")
    assert contexts.builtin() == contexts.load(*fields)


def test_builtin_contexts_are_what_the_documentation_says(root):
    built = contexts.builtin()
    schema = json.loads((root / "contexts" / "schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for text in contexts.builtin_documents().values():
        jsonschema.validate(json.loads(text), schema)
    counts = Counter((each.field, each.use) for each in built)
    assert len(counts) == 48
    assert set(counts.values()) == {5}
    for name, text in contexts.builtin_documents().items():
        assert {each.field for each in contexts.parse(text, name)} == {Path(name).stem}
    assert len({each.agent for each in built}) == 240
    for each in built:
        assert each.agent
        assert each.question.startswith("Which ")
        assert each.question.endswith("?")
        assert len(each.attributes) == 5
        for attribute in each.attributes:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", attribute.name)
            assert not {"rating", "quality", "score"} & set(attribute.name.split("_"))
            assert attribute.units


def test_the_page_lists_the_builtin_contexts(root):
    page = (root / "docs" / "contexts-builtin.md").read_text(encoding="utf-8")
    rows = dict.fromkeys(each.field for each in contexts.builtin())
    for field in rows:
        uses = ([each.name for each in contexts.builtin(use) if each.field == field] for use in ("training", "native"))
        rows[field] = f"| {field} | {' | '.join(', '.join(names) for names in uses)} |"
    assert "\n".join(["| field | training | native |", "|---|---|---|", *rows.values()]) in page


def test_builtin_contexts_divide_into_training_and_native():
    training, native = contexts.builtin("training"), contexts.builtin("native")
    assert len(training) == len(native) == 120
    assert {each.use for each in training} == {"training"}
    assert {each.use for each in native} == {"native"}
    assert set(training) | set(native) == set(contexts.builtin())
    with pytest.raises(InputError, match='use: expected training or native, found "both"'):
        contexts.builtin("both")


def test_builtin_contexts_are_not_the_authors(published):
    theirs = {each.name: each for each in contexts.load(published / "candidate_scenarios.json")}
    assert len(theirs) == 1365
    for each in contexts.builtin():
        if each.name in theirs:
            shared = {a.name for a in each.attributes} & {a.name for a in theirs[each.name].attributes}
            assert len(shared) < 3, each.name


def test_several_files_are_one_set(tmp_path):
    attributes = (Attribute("x", "cm", 0, 1),)
    cases = [(Context("p", "Which?", attributes, use="native"),), (Context("q", "Which?", attributes),)]
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path, case in zip(paths, cases, strict=True):
        path.write_text(json.dumps(own(case)), encoding="utf-8")
    assert contexts.load(*paths) == cases[0] + cases[1]
    paths[1].write_text(json.dumps(own(cases[0])), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"two\.json, name: expected context names used once, found 'p', also in .*one"
    ):
        contexts.load(*paths)


def test_prompt_puts_the_agent_in_front():
    attributes = (Attribute("price", "euros", 1, 9),)
    assert Context("tea", "Which tea?", attributes, "Ahab").prompt == "Imagine you are Ahab. Which tea?"
    assert Context("tea", "Which tea?", attributes).prompt == "Which tea?"


def test_arrays_hold_the_ranges():
    mins, maxs = contexts.arrays(contexts.builtin())
    assert mins.shape == maxs.shape == (240, 5)
    assert mins.dtype == maxs.dtype == np.float64
    assert mins.flags.c_contiguous
    assert maxs.flags.c_contiguous
    first = contexts.builtin()[0].attributes
    assert mins[0].tolist() == [a.min for a in first]
    assert maxs[0].tolist() == [a.max for a in first]


def test_arrays_refuse_what_is_not_rectangular():
    one, two = Attribute("x", "", 0, 1), Attribute("y", "", 0, 1)
    with pytest.raises(InputError, match="expected 1 attributes, as in 'p', found 2 in 'q'"):
        contexts.arrays([Context("p", "?", (one,)), Context("q", "?", (one, two))])
    with pytest.raises(InputError, match="at least one context"):
        contexts.arrays([])


def change(path, value):
    """Return a mutation of a document: the value at a path of keys and indices replaced, or removed by `...`."""

    def apply(document):
        *head, last = path
        for step in head:
            document = document[step]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return apply


ATTRIBUTE = ("contexts", 1, "attributes", 2)
OWN = [
    (
        (*ATTRIBUTE, "max"),
        0.0,
        r"contexts\[1\] \(q\), attributes\[2\]\.max: expected a number greater than min \(0.0\)",
    ),
    ((*ATTRIBUTE, "max"), math.nan, r"attributes\[2\]\.max: expected a finite number, found NaN"),
    ((*ATTRIBUTE, "min"), -math.inf, r"attributes\[2\]\.min: expected a finite number, found -Infinity"),
    ((*ATTRIBUTE, "min"), "low", r'attributes\[2\]\.min: expected a finite number, found "low"'),
    ((*ATTRIBUTE, "min"), True, r"attributes\[2\]\.min: expected a finite number, found true"),
    ((*ATTRIBUTE, "max"), 10**400, r"attributes\[2\]\.max: expected a finite number"),
    ((*ATTRIBUTE, "name"), "x0", r"contexts\[1\] \(q\), attributes\[2\]\.name: expected an attribute name used once"),
    ((*ATTRIBUTE, "name"), "  ", r"attributes\[2\]\.name: expected a text that is not blank"),
    ((*ATTRIBUTE, "units"), 3, r"attributes\[2\]\.units: expected a text, found 3"),
    ((*ATTRIBUTE, "unit"), "cm", r"attributes\[2\]\.key: expected only the keys max, min, name, units, found 'unit'"),
    ((*ATTRIBUTE, "max"), ..., r"attributes\[2\]\.max: expected a value, found nothing"),
    (ATTRIBUTE, 5, r"attributes\[2\]\.entry: expected an object, found 5"),
    (("contexts", 1, "attributes"), [], r"contexts\[1\] \(q\), attributes: expected 1 to 12 attributes, found 0"),
    (
        ("contexts", 1, "attributes"),
        [{"name": f"x{i}", "units": "", "min": 0, "max": 1} for i in range(13)],
        r"attributes: expected 1 to 12 attributes, found 13",
    ),
    (("contexts", 1, "attributes"), {}, r"attributes: expected a list, found an object"),
    (("contexts", 1, "name"), "p", r"name: expected context names used once, found 'p' in entries \[0\] and \[1\]"),
    (("contexts", 1, "name"), "", r"contexts\[1\], name: expected a text that is not blank"),
    (("contexts", 1, "question"), None, r"question: expected a text that is not blank, found null"),
    (("contexts", 1, "agent"), "", r"agent: expected a text that is not blank"),
    (("contexts", 1, "use"), "test", r'contexts\[1\] \(q\), use: expected training or native, found "test"'),
    (("contexts", 1, "use"), [], r"use: expected training or native, found a list"),
    (("contexts", 1, "field"), 1, r"field: expected a text that is not blank, found 1"),
    (("contexts", 1), "q", r"contexts\[1\], entry: expected an object"),
    (("contexts",), [], "expected at least one context, found an empty list"),
    (("contexts",), None, 'expected an object with a list of "contexts"'),
    (("note",), "x", r"key: expected only the keys \$schema, contexts, found 'note'"),
]
AUTHORS = [
    ((1, "attributes", 2, "range"), [0], r"\[1\] \(q\), attributes\[2\]\.range: expected two numbers, \[min, max\]"),
    ((1, "attributes", 2, "range"), [4, 4], r"attributes\[2\]\.range: expected a range that increases, found \[4, 4\]"),
    ((1, "attributes", 2, "range", 0), math.nan, r"attributes\[2\]\.range\[0\]: expected a finite number"),
    ((1, "attributes", 2, "name"), "x1", r"attributes\[2\]\.name: expected an attribute name used once"),
    ((1, "short_name"), "p", r"expected context names used once"),
    ((1, "short_name"), ..., r"\[1\], short_name: expected a value, found nothing"),
    ((1, "short_name"), "", r"\[1\], short_name: expected a text that is not blank"),
]


@pytest.mark.parametrize(
    ("shape", "path", "value", "message"), [(own, *c) for c in OWN] + [(authors, *c) for c in AUTHORS]
)
def test_malformed_entries_are_named(tmp_path, shape, path, value, message):
    attributes = tuple(Attribute(f"x{position}", "cm", 0, 1) for position in range(4))
    document = shape([Context("p", "Which?", attributes, "Ahab", "food"), Context("q", "Which?", attributes)])
    change(path, value)(document)
    file = tmp_path / "contexts.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        contexts.load(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"contexts": [\n  {"name": }\n]}', "line 2, column 12: expected JSON"),
        (b"", "line 1, column 1: expected JSON"),
        (b"3", 'expected an object with a list of "contexts", or a list of scenarios, found 3'),
        (b"[]", "expected at least one context"),
        (b'[\n\n"\xff"]', "line 3: expected UTF-8 text, found byte 0xff"),
        (b'[{"short_name": "a", "short_name": "b"}]', "each key once in an object, found 'short_name' twice"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "finite numbers"),
    ],
)
def test_malformed_files_are_named(tmp_path, data, message):
    file = tmp_path / "contexts.json"
    file.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        contexts.load(file)
    assert str(caught.value).startswith(str(file))


def test_unreadable_files_are_named(tmp_path):
    for file in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(InputError, match="expected a readable file") as caught:
            contexts.load(file)
        assert str(caught.value).startswith(str(file))


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    file = Path(tmp_path / "contexts.json")
    cases = (Context("p", "Which?", (Attribute("x", "cm", 0, 1),)),)
    file.write_text(json.dumps(own(cases)), encoding="utf-8-sig")
    assert contexts.load(file) == cases


def test_a_range_must_have_a_finite_width():
    with pytest.raises(InputError, match="width is finite"):
        Attribute("x", "", -1.7e308, 1.7e308)
