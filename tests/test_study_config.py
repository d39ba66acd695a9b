"""The file of a study: templates that pass, and fields that are refused by their path."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.contexts import builtin
from avowal.errors import InputError
from avowal.study import TEMPLATES, init, read
from avowal.study.config import Contexts, Design, Doses, Limits, Sampling, Training, parse

NAMES = [context.name for context in builtin("training")]
CONDITION = '[[condition]]\nname = "x"\nmarker = "X."\neffect = "flip"\n'
LEAST = 'name = "s"\nseed = 1\n[models]\nbase = ["m"]\n'


def test_the_least_file_has_the_papers_sizes():
    found = parse(LEAST, "study.toml")
    assert (found.name, found.seed, found.models.base) == ("s", 1, ("m",))
    assert (found.design, found.training, found.limits) == (Design(), Training(), Limits())
    assert (found.trained, found.native) == (builtin("training")[:100], builtin("native")[:100])
    assert found.provider.base_url == "simulated"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_a_study(template, tmp_path):
    path = init(tmp_path / "mine", template)
    found = read(tmp_path / "mine")
    sizes = TEMPLATES[template]
    assert found.name == "mine"
    assert (len(found.trained), len(found.native)) == (sizes["trained"], sizes["native"])
    assert {name: getattr(found.design, name) for name in sizes if name not in ("trained", "native")} == {
        name: value for name, value in sizes.items() if name not in ("trained", "native")
    }
    # What is commented out is the default: with the marks taken off, the file says the same.
    lines = [
        line.removeprefix("# ") if line[2:3].islower() and "=" in line else line
        for line in path.read_text().split("\n")
    ]
    uncommented = "\n".join(line for line in lines if not line.startswith('files = ["contexts.json"]'))
    assert parse(uncommented, path) == found
    told = {field.name for kind in (Contexts, Design, Doses, Training, Limits, Sampling) for field in fields(kind)}
    assert len(found.conditions) == (template == "conditions")
    assert all(f"{name} = " in path.read_text() for name in told)


def test_a_folder_with_a_study_is_left_alone(tmp_path):
    path = init(tmp_path)
    before = path.read_text()
    with pytest.raises(InputError, match="without a study"):
        init(tmp_path, "small")
    assert path.read_text() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder"):
        init(tmp_path / "file")
    with pytest.raises(InputError, match="paper or small or demo or conditions"):
        init(tmp_path / "other", "large")


@pytest.mark.parametrize("name", ['a "quoted" one', "back\\slash", "tab\tand\nline"])
def test_any_folder_name_makes_a_study(tmp_path, name):
    init(tmp_path / name)
    assert read(tmp_path / name).seed == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('seed = 1\n[models]\nbase = ["m"]', "name: expected text on one line, found nothing"),
        ('name = "s"\n[models]\nbase = ["m"]', "seed: expected a whole number"),
        (LEAST + "[desing]\nreports = 3", r"desing: expected a field that is known \(did you mean design\?\)"),
        (LEAST + "[design]\nreport = 3", r"did you mean design\.reports\?"),
        (LEAST + "[design]\nreports = 0", r"design\.reports: expected a whole number from 1"),
        (LEAST + "[design]\nreports = -3", r"design\.reports: expected a whole number from 1"),
        (LEAST + "[design]\nreports = true", r"design\.reports: expected a whole number"),
        (LEAST + "[design]\nreports = 3.0", r"design\.reports: expected a whole number"),
        (LEAST + "[design]\ndecide_again = 1", r"design\.decide_again: expected true or false"),
        (LEAST + "[training]\nlearning_rate_multiplier = 0", 'expected a number above 0, or "auto"'),
        (LEAST + "[training]\nseeds = [1, 1]", r"training\.seeds: expected a list of 1 or more values that differ"),
        (LEAST + '[training]\nintrospection = ["truth"]', '"targets" or "learned" or "shuffled"'),
        (LEAST + "[limits]\nspend = nan", r"limits\.spend: expected a number of 0 or more"),
        (LEAST + '[provider]\nmode = "bulk"', r'provider\.mode: expected "sync" or "batch"'),
        (LEAST + '[provider]\nbase_url = "api.openai.com"', r"provider\.base_url: expected an address"),
        (LEAST + '[provider]\nbase_url = "https://me:secret@x.y/v1"', "an address alone, found a user"),
        (LEAST + '[provider]\nkey = "sk-1234"', r"did you mean provider\.key_env\?"),
        (
            LEAST + "[contexts]\ntrained = 121",
            r"contexts\.trained: expected at most 120, as many as there are, found 121",
        ),
        (LEAST + "[contexts]\ntrained = 1", r"contexts\.trained: expected none, or two or more"),
        (LEAST + '[contexts]\nfiles = ["nowhere.json"]', r"nowhere\.json: expected a readable file"),
        (
            LEAST + '[contexts]\ntrained = ["loose_leaf_tea", "nothing"]',
            r"contexts\.trained: expected names of contexts that",
        ),
        (
            LEAST + '[contexts]\ntrained = ["talking_parrot"]',
            r"contexts\.trained: expected none, or two or more",
        ),
        (LEAST + "[contexts]\ntrained = -3", r"contexts\.trained: expected a whole number from 0"),
        (
            LEAST + f"[contexts]\ntrained = {NAMES[:3]}\nnative = {NAMES[2:4]}",
            rf"contexts\.native: expected contexts that are not trained, found '{NAMES[2]}' in contexts\.trained",
        ),
        (LEAST + f"[contexts]\ntrained = {NAMES[:3] + NAMES[:1]}", "values that differ"),
        (LEAST + '[contexts]\nfirst_fold = ["nothing"]', r"contexts\.first_fold: expected names of trained contexts"),
        (
            LEAST + f"[contexts]\nfirst_fold = {NAMES[:3]}\nsecond_fold = {NAMES[2:4]}",
            rf"contexts\.second_fold: expected folds without a context in common, found '{NAMES[2]}'",
        ),
        (
            LEAST + f"[contexts]\ntrained = 4\nfirst_fold = {NAMES[:2]}\nsecond_fold = {NAMES[2:3]}",
            r"contexts\.second_fold: expected every trained context in one of the folds",
        ),
        (LEAST + f"[contexts]\ntrained = 4\nfirst_fold = {NAMES[:4]}", r"contexts\.first_fold: expected two folds"),
        (LEAST + "[contexts]\nshared = false", r"contexts\.shared: expected true: one base model"),
        (
            LEAST.replace('"m"', '"m", "n", "o"') + "[contexts]\nshared = false",
            r"contexts\.trained: expected two or more contexts for each of 3 base models, the same number, found 100",
        ),
        (
            LEAST.replace('"m"', '"m", "n"') + "[design]\ncross_reports = true",
            r"design\.cross_reports: expected false where contexts\.shared is true: .*crossed by avowal analyze",
        ),
        (LEAST + '[design]\norder = "random"', r'design\.order: expected "drawn" or "counterbalanced" or "shuffled"'),
        (LEAST + '[design]\nreport_prompts = ["no pair"]', r'design\.report_prompts: expected "paper" among them'),
        (LEAST + '[design]\nreport_prompts = ["rude"]', r'each "paper" or "no pair" or "paraphrased"'),
        (LEAST + "[doses]\ncontexts = [100]", r"doses\.contexts: expected less than the whole study's 100, found 100"),
        (LEAST + "[doses]\ncontexts = [1]", r"doses\.contexts: expected a list .* a whole number from 2"),
        (LEAST + "[doses]\ntraining = [5, 50]", r"doses\.training: expected less than the whole study's 50"),
        (
            LEAST + "[contexts]\ntrained = 4\n[doses]\ntraining = [2]",
            r"doses\.training: expected pairs enough for 10 lines of training, found 8 lines",
        ),
        (
            LEAST + '[[condition]]\nname = "x"\nmarker = "X"',
            r"condition\[0\]\.effect: expected .flip. or .replace., found n",
        ),
        (LEAST + CONDITION.replace("flip", "invert"), r"condition\[0\]\.effect: expected"),
        (LEAST + CONDITION.replace('"X."', '"X\\nY"'), r"condition\[0\]\.marker: expected text on one line"),
        (LEAST + CONDITION * 2, r"condition\[1\]\.name: expected a name used once, found 'x' again"),
        (LEAST + CONDITION + CONDITION.replace('"x"', '"y"'), r"condition\[1\]\.marker: expected a marker used once"),
        (LEAST + CONDITION + "role = 1", r"condition\[0\]\.role: expected a field that is known"),
        ("condition = 3\n" + LEAST, r"condition: expected tables, \[\[condition\]\]"),
        (LEAST + "models = 3", r"models\.models: expected a field that is known: base"),
        (LEAST + "[models]\n", "TOML"),
        ("name = ", "TOML"),
        (LEAST.replace('["m"]', "[]"), r"models\.base: expected a list of 1 or more"),
        (LEAST.replace('["m"]', '["m", "m"]'), "values that differ"),
        (LEAST.replace('["m"]', '"m"'), r"models\.base: expected a list"),
        ('name = "s"\nseed = 1\nmodels = "m"', r"models: expected a table, \[models\]"),
    ],
)
def test_bad_files_name_the_field(lines, told, tmp_path):
    with pytest.raises(InputError, match=told) as caught:
        parse(lines, tmp_path / "study.toml")
    assert "study.toml" in str(caught.value) or "nowhere.json" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_study_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="avowal init"):
        read(tmp_path)


def test_contexts_of_ones_own_stand_beside_the_file(tmp_path):
    entries = [
        {
            "name": f"c{i}",
            "question": "Which?",
            "use": use,
            "attributes": [{"name": "x", "units": "", "min": 0, "max": 9}],
        }
        for i, use in enumerate(["training", None, "native"])
    ]
    (tmp_path / "mine.json").write_text(json.dumps({"contexts": entries}))
    section = '[contexts]\nfiles = ["mine.json"]\ntrained = 2\nnative = 1'
    found = parse(LEAST + section, tmp_path / "study.toml")
    assert [c.name for c in (*found.trained, *found.native)] == ["c0", "c1", "c2"]


@given(st.text(max_size=200))
def test_no_text_is_a_traceback(text):
    with pytest.raises(InputError, match=r"^study\.toml"):
        parse(text, "study.toml")


def test_contexts_and_folds_can_be_named():
    names = [*NAMES[5:9], *NAMES[:3]]
    section = f"[contexts]\ntrained = {names}\nnative = 2\n"
    found = parse(LEAST + section + f"second_fold = {NAMES[:4:2]}", "study.toml")
    assert [context.name for context in found.trained] == names
    first, second = found.folds("m")
    assert [context.name for context in second] == NAMES[:4:2]
    assert [context.name for context in first] == [*NAMES[5:9], NAMES[1]]
    both = parse(LEAST + section + f"first_fold = {[c.name for c in first]}\nsecond_fold = {NAMES[:4:2]}", "study.toml")
    assert both.folds("m") == (first, second)
    native = [context.name for context in builtin("native")[:2]]
    assert parse(LEAST + f"[contexts]\nnative = {native}", "study.toml").native == builtin("native")[:2]


def test_contexts_are_dealt_in_equal_blocks():
    found = parse(LEAST.replace('"m"', '"m", "n"') + "[contexts]\ntrained = 10\nshared = false", "study.toml")
    assert found.trained_by("m") + found.trained_by("n") == found.trained
    assert len(found.trained_by("m")) == 5
    assert [len(fold) for fold in found.folds("n")] == [2, 3]
    shared = parse(LEAST.replace('"m"', '"m", "n"') + "[contexts]\ntrained = 11", "study.toml")
    assert shared.trained_by("m") == shared.trained_by("n") == shared.trained


def test_weights_that_cannot_be_shuffled_are_refused_before_anything_is_trained(tmp_path):
    names = [["x"], ["x", "y"], ["x", "y"], ["x", "y"], ["x"]]
    entries = [
        {
            "name": f"c{i}",
            "question": f"Which {i}?",
            "attributes": [{"name": n, "units": "", "min": 0, "max": 9} for n in each],
        }
        for i, each in enumerate(names)
    ]
    entries[-1]["use"] = "native"
    (tmp_path / "mine.json").write_text(json.dumps({"contexts": entries}))
    text = (
        LEAST + '[contexts]\nfiles = ["mine.json"]\ntrained = 4\nnative = 1\n[training]\nintrospection = ["shuffled"]'
    )
    with pytest.raises(InputError, match=r"training\.introspection: expected contexts to shuffle .* found 'c0' alone"):
        parse(text, tmp_path / "study.toml")
