"""Context checks: nothing wrong with what is built in, and everything that is wrong elsewhere is named, all at once."""

import copy
import json
import math
import os
import subprocess
import sys
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal import contexts
from avowal.context_checks import LEVELS, OVERLAP, Problem, _overlap, _words, levels, problems
from avowal.errors import InputError


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", "from avowal.cli import main; main()", "contexts", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def entry(name, question, attributes, **more):
    built = [{"name": each, "units": "cm", "min": 0, "max": 10} for each in attributes]
    return {"name": name, "question": question, "attributes": built, **more}


def document(*entries):
    return json.dumps({"contexts": list(entries)})


SAILING = entry("sailing_boat", "Which boat would you sail?", ["mast_height", "keel_depth"], agent="Ahab", use="native")
BAKING = entry("rye_loaf", "Which loaf would you bake?", ["crust_color", "oven_time"], agent="Hansel", field="food")


def kinds(*entries):
    return [problem.kind for problem in problems({"file": document(*entries)})]


def test_nothing_is_wrong_with_the_builtin_contexts():
    assert problems(contexts.builtin_documents()) == ()


def test_builtin_contexts_stay_far_from_the_threshold():
    """OVERLAP's description says that no two share more than a third of their words."""
    texts = [
        (_words(f"{each.name} {each.question}"), frozenset().union(*(_words(a.name) for a in each.attributes)))
        for each in contexts.builtin()
    ]
    highest = max(max(_overlap(a, c), _overlap(b, d)) for (a, b), (c, d) in combinations(texts, 2))
    within = max(
        _overlap(_words(a.name), _words(b.name))
        for each in contexts.builtin()
        for a, b in combinations(each.attributes, 2)
    )
    assert max(highest, within) <= 1 / 3 < OVERLAP


def test_near_duplicates_of_the_authors_are_those_that_the_threshold_is_described_by(published):
    file = published / "candidate_scenarios.json"
    found = problems({"theirs": file.read_text(encoding="utf-8")})
    assert {problem.kind for problem in found} == {"levels", "near-duplicate"}
    near = [str(problem) for problem in found if problem.kind == "near-duplicate"]
    for one, other in [("spade", "shovel"), ("kettle", "electric_kettle"), ("'storage_capacity'", "'door_storage")]:
        assert any(one in text and other in text for text in near)
    assert not any("(tablet)" in text and "(tablet_case)" in text for text in near)


def test_two_good_contexts_have_no_problems():
    assert kinds(SAILING, BAKING) == []


def test_every_problem_of_a_document_is_named():
    bad = copy.deepcopy(SAILING)
    bad["attributes"] = [
        {"name": "mast_height", "units": "m", "min": 9, "max": 1},
        {"name": "mast_height", "units": 3, "min": 0, "max": 6},
        {"name": "heights_of_the_mast", "units": "m", "min": math.nan, "max": 1, "step": 1},
        7,
        {"units": "m", "min": 0, "max": 1},
    ]
    bad |= {"question": " ", "use": "testing", "colour": "blue"}
    found = problems({"boats": document(bad, SAILING)})
    place = "contexts[0] (sailing_boat), "
    assert found == (
        *(
            Problem(kind, "boats", place + text)
            for kind, text in [
                ("format", "key: expected only the keys agent, attributes, field, name, question, use, found 'colour'"),
                ("format", 'question: expected a text that is not blank, found " "'),
                ("format", 'use: expected training or native, found "testing"'),
                ("range", "attributes[0].max: expected a number greater than min (9.0), found 1.0"),
                ("format", "attributes[1].units: expected a text, found 3"),
                ("levels", "attributes[1]: expected a range of 8 values or more after rounding, found 7"),
                ("format", "attributes[2].key: expected only the keys max, min, name, units, found 'step'"),
                ("format", "attributes[2].min: expected a finite number, found NaN"),
                ("format", "attributes[3].entry: expected an object, found 7"),
                ("format", "attributes[4].name: expected a value, found nothing"),
                (
                    "name",
                    "attributes[1].name: expected an attribute name used once in the context, found "
                    "'mast_height' again",
                ),
                (
                    "near-duplicate",
                    "attributes[0] and [2]: expected names with less than 0.6 of their words in common, found "
                    "'mast_height' and 'heights_of_the_mast' (1.00)",
                ),
                (
                    "near-duplicate",
                    "attributes[1] and [2]: expected names with less than 0.6 of their words in common, found "
                    "'mast_height' and 'heights_of_the_mast' (1.00)",
                ),
            ]
        ),
        Problem(
            "name",
            "boats",
            "contexts[1] (sailing_boat), name: expected names of contexts used once, found 'sailing_boat', also in "
            "boats, contexts[0] (sailing_boat)",
        ),
        Problem(
            "agent",
            "boats",
            "contexts[1] (sailing_boat), agent: expected agents of contexts used once, found 'Ahab', also in boats, "
            "contexts[0] (sailing_boat)",
        ),
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"agent": "  aHAB "}, ["agent"]),
        ({"agent": None}, []),
        ({"name": "sailing_boat"}, ["name"]),
        ({"name": "boat_for_sailing", "question": "Which boat would you prefer to sail?"}, ["near-duplicate"]),
        ({"attributes": SAILING["attributes"]}, ["near-duplicate"]),
        ({"attributes": []}, ["format"]),
        ({"attributes": None}, ["format"]),
    ],
)
def test_contexts_are_compared_with_each_other(change, expected):
    assert kinds(SAILING, BAKING | change) == expected


def test_documents_are_one_set():
    found = problems(
        {"one": document(SAILING), "two": document(BAKING | {"agent": "Ahab"}), "three": "[", "four": "{}"}
    )
    assert [(problem.kind, problem.file) for problem in found] == [
        ("format", "three"),
        ("format", "four"),
        ("agent", "two"),
    ]
    assert str(found[0]).startswith("three, line 1, column 2: expected JSON")
    assert (
        str(found[1]) == 'four, expected an object with a list of "contexts", or a list of scenarios, found an object'
    )


ODD = st.sampled_from([..., None, "", "x", 3, 3.5, True, [], {}, math.inf, -math.inf, math.nan, "training", "min"])
PATHS = st.sampled_from(
    [
        (index, *rest)
        for index in (0, 1)
        for rest in [
            *((key,) for key in ("name", "question", "agent", "field", "use", "attributes", "other")),
            *(("attributes", 1, key) for key in ("name", "units", "min", "max", "other")),
            ("attributes", 1),
        ]
    ]
)


def change(entries, path, value):
    """Put a value at a path of keys and indices, or remove what is there for `...`, unless the path is gone."""
    *head, last = path
    place = entries
    try:
        for step in head:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    except (KeyError, IndexError, TypeError):
        return


@given(st.lists(st.tuples(PATHS, ODD), max_size=3), st.booleans())
def test_a_check_without_format_problems_is_a_file_that_loads(changes, theirs):
    entries = [copy.deepcopy(SAILING), copy.deepcopy(BAKING)]
    for path, value in changes:
        change(entries, path, value)
    text = json.dumps(authors(entries) if theirs else {"contexts": entries})
    blocking = [each for each in problems({"file": text}) if each.kind in {"format", "range", "name"}]
    try:
        contexts.parse(text, "file")
    except InputError:
        assert blocking
    else:
        assert not blocking


def authors(entries):
    """Rewrite entries as the authors': the same values under their keys, where there are objects to rewrite."""
    rewritten = []
    for each in entries:
        each = {("short_name" if key == "name" else key): value for key, value in each.items()}
        if isinstance(each.get("attributes"), list):
            each["attributes"] = [
                {**{key: a[key] for key in a if key not in {"min", "max"}}, "range": [a.get("min"), a.get("max")]}
                if isinstance(a, dict)
                else a
                for a in each["attributes"]
            ]
        rewritten.append(each)
    return rewritten


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 30))
def test_levels_count_what_the_rounding_rule_leaves(low, width):
    high = low + width
    decimals = 0 if high - low >= 5 else 1 if high - low >= 1 else abs(math.floor(math.log10(high - low))) + 1
    grid = np.linspace(low, high, 20 * math.ceil((high - low) * 10.0**decimals))
    points = {round(value, decimals) for value in grid.tolist()}
    if high - low < 1:
        assert len(points) >= levels(low, high) >= LEVELS
    else:
        assert len(points) == levels(low, high)


def test_list_show_stats_and_check_of_what_is_built_in():
    checked = run("check")
    assert (checked.returncode, checked.stdout) == (0, "240 contexts in 24 files, no problems\n")
    counted = run("stats").stdout
    rows = {line.split()[0]: line.split()[1:] for line in counted.splitlines() if line.split()}
    per_field = Counter(each.field for each in contexts.builtin())
    assert len(per_field) == 24
    for field, count in per_field.items():
        assert rows[field][:4] == [str(count), "5", "5", str(count)]
    assert rows["all"][:5] == ["240", "120", "120", "240", "1200"]
    shown = run("show", "honey_jar").stdout
    assert shown.startswith("Imagine you are Winnie-the-Pooh. Which honey would you put in your cupboard?\n")
    assert "jar_volume" in shown
    listed = run("list", "--field", "food", "--use", "native").stdout
    names = [each.name for each in contexts.builtin("native") if each.field == "food"]
    assert listed.startswith("5 contexts")
    assert all(name in listed for name in names)
    assert "honey_jar" not in listed


def test_check_exits_with_2_and_names_every_problem(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(document(SAILING, BAKING | {"agent": "Ahab", "use": "x"}), encoding="utf-8")
    checked = run("check", file)
    assert checked.returncode == 2
    assert [line.partition(":")[0].removeprefix(str(file)) for line in checked.stdout.splitlines()] == [
        ", contexts[1] (rye_loaf), use",
        ", contexts[1] (rye_loaf), agent",
    ]
    assert checked.stderr == "avowal: 2 problems (1 agent, 1 format)\n"


def test_files_of_ones_own_are_read_instead(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(document(SAILING), encoding="utf-8")
    two.write_text(document(BAKING), encoding="utf-8")
    assert run("check", one, two).stdout == "2 contexts in 2 files, no problems\n"
    assert run("check", one, one).stdout == "1 contexts in 1 files, no problems\n"
    assert "rye_loaf" in run("list", one, two, "--field", "food").stdout
    assert run("show", "rye_loaf", two).stdout.startswith("Imagine you are Hansel.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "honey_jarr"), "NAME: expected the name of a context, such as honey_jar"),
        (("list", "--field", "alchemy"), "--field, --use: expected at least one context"),
        (("stats", "missing.json"), "missing.json: expected a readable file"),
        (("check", "missing.json"), "missing.json: expected a readable file"),
    ],
)
def test_bad_arguments_end_with_2_and_one_line(arguments, message):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"avowal: {message}")
    assert ended.stderr.count("\n") == 1
