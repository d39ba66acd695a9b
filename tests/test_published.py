"""The authors' files: read whole, and refused by file, line and column where malformed."""

import csv
import io
import random
import shutil

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal import published as authors
from avowal import tables
from avowal.contexts import Attribute, Context
from avowal.errors import InputError
from avowal.published import Recipe
from avowal.published.sheet import read_sheet

GPT, MINI = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"


@pytest.fixture(scope="session")
def folder(published):
    return authors.read(published)


def test_the_whole_folder_is_read(folder):
    assert len(folder.contexts) == 1100
    assert folder.contexts[0].agent == "Djedefre"
    assert folder.contexts[0].question == "Which loose leaf tea would you prefer?"
    assert folder.targets.height == 1100 * 5
    assert [model.name for model in folder.models] == [GPT, MINI]
    sets = [
        "off_the_shelf",
        "weight_trained",
        "introspection_first",
        "introspection_last",
        "native_before",
        "native_after",
    ]
    for model, replies in zip(
        folder.models, ([1000, 1000, 500, 500, 966, 1000], [877, 574, 500, 494, 590, 999]), strict=True
    ):
        assert {group: frame.height for group, frame in model.choices.items()} == {"learned": 5000, "native": 10000}
        assert {group: frame.height for group, frame in model.weights.items()} == {"learned": 500, "native": 500}
        assert list(model.reports) == sets
        assert [frame.height for frame in model.reports.values()] == replies
        for frame in model.choices.values():
            assert frame.schema == pl.Schema(tables.CHOICES)
            assert frame["model"].unique().to_list() == [model.name]
            assert frame["failure"].null_count() == frame.height
        for name, frame in model.reports.items():
            assert frame.schema == pl.Schema(tables.REPORTS)
            assert frame["set"].unique().to_list() == [name]
            assert frame["model"].n_unique() == 1
        for frame in model.weights.values():
            assert frame.schema == pl.Schema(tables.WEIGHTS)


def test_rows_are_the_csv_modules_rows(published, folder):
    """Every number against a plain reading of the file, row by row."""
    learned = folder.models[0].choices["learned"]
    with (published / f"{GPT}_instilled_selections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seen = {}
    for row, found in zip(rows, learned.iter_rows(named=True), strict=True):
        trial = seen[row["scenario"]] = seen.get(row["scenario"], -1) + 1
        assert (found["context"], found["choice"], found["trial"]) == (row["scenario"], row["selection"], trial)
        assert found["a"] == [float(row[f"A_attribute_{i}"]) for i in range(1, 6)]
        assert found["b"] == [float(row[f"B_attribute_{i}"]) for i in range(1, 6)]
    reports = folder.models[1].reports["weight_trained"]
    with (published / f"{MINI}_instilled_weight_reports.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, found in zip(rows, reports.iter_rows(named=True), strict=True):
        assert (found["model"], found["context"]) == (row["explaining_model"], row["scenario"])
        assert found["report"] == [float(row[f"report_attr{i}"]) for i in range(1, 6)]
    names = {context.name: [a.name for a in context.attributes] for context in folder.contexts}
    with (published / f"{GPT}_latent_regression_results.csv").open(encoding="utf-8", newline="") as file:
        expected = [
            (GPT, row["scenario"], names[row["scenario"]][i], i, float(row[f"b_attr{i + 1}"]))
            for row in csv.DictReader(file)
            for i in range(5)
        ]
    assert folder.models[0].weights["native"].rows() == expected


def write_folder(folder, contexts, count, trials=3, seed=5):
    """Write a small rerun of another group: any number of attributes, one model, every kind of file."""
    built = authors.build(
        contexts, [f'"Dr. {i}"' for i in range(len(contexts))], Recipe(contexts=len(contexts), instilled=2, fold=1)
    )
    folder.mkdir(exist_ok=True)
    for name in ("scenarios.csv", "instilled_weights.csv"):
        (folder / name).write_text(built[name], encoding="utf-8")
    generator = random.Random(seed)  # noqa: S311
    numbers = range(1, count + 1)
    pair = [f"{option}_attribute_{i}" for option in "AB" for i in numbers]

    def sheet(name, header, fixed, width):
        rows = [[*fixed(c), *(generator.randint(-9, 9) for _ in range(width))] for c in contexts for _ in range(trials)]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        (folder / name).write_text(text.getvalue(), encoding="utf-8")

    for name in ("instilled_selections", "instilled_latent_selections"):
        sheet(f"llama_{name}.csv", ["model", "scenario", "selection", *pair], lambda c: ["ft", c.name, "A"], 2 * count)
    header = ["explaining_model", "version", "scenario", *(f"report_attr{i}" for i in numbers), *pair]
    for name in ("weight_reports", "itrained_first_1_of_2_9ex_weight_reports"):
        sheet(f"llama_{name}.csv", header, lambda c: ["ft", "v", c.name], 3 * count)
    weights = (folder / "instilled_weights.csv").read_text(encoding="utf-8").replace("attr", "b_attr")
    (folder / "llama_regression_results.csv").write_text(weights, encoding="utf-8")
    return folder


def small(count, number=3):
    attributes = tuple(Attribute(f"x{i}", "", 0, 2.5) for i in range(count))
    return [Context(f"c{i}", "Which would you prefer?", attributes) for i in range(number)]


@pytest.mark.parametrize("count", [1, 2, 7, 12])
def test_reruns_may_have_other_models_and_numbers_of_attributes(tmp_path, count):
    contexts = small(count)
    read = authors.read(write_folder(tmp_path, contexts, count))
    (model,) = read.models
    assert model.name == "llama"
    assert list(model.reports) == ["off_the_shelf", "introspection_first"]
    assert [len(context.attributes) for context in read.contexts] == [count] * 3
    assert model.choices["learned"]["a"].list.len().unique().to_list() == [count]
    assert model.choices["learned"]["trial"].to_list() == [0, 1, 2] * 3
    assert model.weights["learned"].select("context", "attribute", "position", "weight").equals(read.targets)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1), st.floats(-1e6, 1e6)
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda pair: pair[0],
    ).filter(lambda rows: all(name.strip() for name, _ in rows))
)
def test_scenarios_round_trip(tmp_path_factory, rows):
    """What the rebuild writes, the reader reads: quotes, commas and every script included."""
    candidates = [
        Context(
            name, "Which would you prefer?", (Attribute("x", "", low, low + 1.5), Attribute("y", "", -1, low + 1e7))
        )
        for name, low in rows
    ]
    candidates += small(2, 2)
    recipe = Recipe(contexts=len(candidates), instilled=2, fold=1, training=1, validation=1)
    agents = [f"{name} of X. Y" for name, _ in rows] + ["a, b", 'c "d" e']
    file = tmp_path_factory.mktemp("round") / "scenarios.csv"
    if len({context.name for context in candidates}) == len(candidates):
        file.write_bytes(authors.build(candidates, agents, recipe)["scenarios.csv"].encode())
        read = authors.read_scenarios(file)
        assert [(c.name, c.attributes) for c in read] == [(c.name, c.attributes) for c in candidates]
        assert sorted(c.agent for c in read) == sorted(agents)


def test_line_ends_marks_and_blank_lines_at_the_end_do_not_matter(tmp_path):
    contexts = small(2)
    write_folder(tmp_path, contexts, 2)
    file = tmp_path / "llama_instilled_selections.csv"
    plain = authors.read_choices(file, contexts, "llama")
    data = file.read_bytes()
    for other in (data.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + data, data + b"\n\n", data.removesuffix(b"\n")):
        file.write_bytes(other)
        assert authors.read_choices(file, contexts, "llama").equals(plain)


@pytest.mark.parametrize("keep", [0, 1])
def test_an_empty_report_file_means_no_valid_replies(tmp_path, keep):
    write_folder(tmp_path, small(2), 2)
    file = tmp_path / "llama_weight_reports.csv"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:keep]))
    frame = authors.read(tmp_path).models[0].reports["off_the_shelf"]
    assert frame.height == 0
    assert frame.schema == pl.Schema(tables.REPORTS)


def test_files_of_choices_without_rows_hold_no_choices(tmp_path):
    write_folder(tmp_path, small(2), 2)
    file = tmp_path / "llama_instilled_selections.csv"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    frame = authors.read(tmp_path).models[0].choices["learned"]
    assert frame.schema == pl.Schema(tables.CHOICES)
    assert frame.height == 0


def replace_field(line, column, value):
    def mutate(text):
        lines = text.split("\n")
        fields = lines[line - 1].split(",")
        fields[lines[0].split(",").index(column)] = value
        lines[line - 1] = ",".join(fields)
        return "\n".join(lines)

    return mutate


def rename(old, new):
    return lambda text: text.replace(old, new, 1)


def cut(line, fields):
    """Cut a line after some fields, and drop everything below it."""

    def mutate(text):
        lines = text.split("\n")[:line]
        return "\n".join([*lines[:-1], ",".join(lines[-1].split(",")[:fields])])

    return mutate


def repeat(line):
    return lambda text: text + text.split("\n")[line - 1] + "\n"


SELECTIONS, REPORTS = f"{GPT}_instilled_selections.csv", f"{MINI}_weight_reports.csv"
LATENT, RESULTS = f"{GPT}_instilled_latent_selections.csv", f"{MINI}_regression_results.csv"
SCENARIOS, TARGETS = "scenarios.csv", "instilled_weights.csv"
BAD = [
    (SELECTIONS, rename("selection", "choice"), "line 1, selection: expected this column in the header"),
    (SELECTIONS, rename("B_attribute_5", "B5"), "line 1, B_attribute_5: expected this column in the header"),
    (SELECTIONS, rename("A_attribute_1,", "A_attribute_6,"), "line 1, A_attribute_6: expected 5 attributes"),
    (SELECTIONS, rename("A_attribute_2", "A_attribute_1"), "line 1, A_attribute_1: expected each column once"),
    (
        SELECTIONS,
        replace_field(7, "scenario", "tea_pot"),
        "line 7, scenario: expected one of the 1100 .* found 'tea_pot'",
    ),
    (SELECTIONS, replace_field(9, "selection", "a"), "line 9, selection: expected A or B, found 'a'"),
    (SELECTIONS, replace_field(9, "selection", ""), "line 9, selection: expected A or B, found an empty field"),
    (SELECTIONS, replace_field(9, "model", "other"), "line 9, model: expected one model in the file"),
    (
        SELECTIONS,
        replace_field(9, "model", ""),
        "line 9, model: expected a text that is not blank, found an empty field",
    ),
    (
        SELECTIONS,
        replace_field(5001, "B_attribute_5", "NaN"),
        "line 5001, B_attribute_5: expected a finite number, found 'NaN'",
    ),
    (
        SELECTIONS,
        replace_field(2, "A_attribute_1", "inf"),
        "line 2, A_attribute_1: expected a finite number, found 'inf'",
    ),
    (SELECTIONS, replace_field(4, "A_attribute_3", "x"), "line 4, A_attribute_3: expected a finite number, found 'x'"),
    (
        SELECTIONS,
        replace_field(4, "A_attribute_3", ""),
        "line 4, A_attribute_3: expected a finite number, found an empty",
    ),
    (SELECTIONS, replace_field(4, "A_attribute_3", "1,2"), "line 4: expected 13 fields, as in the header, found 14"),
    (SELECTIONS, cut(30, 6), "line 30: expected 13 fields, as in the header, found 6"),
    (SELECTIONS, cut(30, 1), "line 30: expected 13 fields, as in the header, found 1"),
    (SELECTIONS, lambda text: text.replace("\n", "\n\n", 3), "line 2: expected 13 fields, as in the header, found 0"),
    (SELECTIONS, replace_field(6, "scenario", '"tea'), "line 6: expected CSV"),
    (SELECTIONS, lambda text: "", "expected a header, found an empty file"),
    (SELECTIONS, lambda text: text.replace("loose_leaf_tea", "th\xe9", 1).encode("latin-1"), "line 2: expected UTF-8"),
    (SELECTIONS, lambda text: text.encode("utf-16"), "line 1: expected UTF-8 text, found byte 0xff"),
    (LATENT, replace_field(10001, "selection", "AB"), "line 10001, selection: expected A or B, found 'AB'"),
    (REPORTS, rename("report_attr3", "r3"), "line 1, report_attr3: expected this column in the header"),
    (REPORTS, rename("explaining_model", "model"), "line 1, explaining_model: expected this column"),
    (REPORTS, replace_field(3, "report_attr4", "high"), "line 3, report_attr4: expected a finite number, found 'high'"),
    (REPORTS, replace_field(3, "scenario", "?"), "line 3, scenario: expected one of the 1100"),
    (REPORTS, cut(60, 17), "line 60: expected 18 fields, as in the header, found 17"),
    (RESULTS, repeat(5), "line 102, scenario: expected each scenario in one row"),
    (RESULTS, replace_field(8, "b_attr2", "-"), "line 8, b_attr2: expected a finite number, found '-'"),
    (RESULTS, replace_field(8, "scenario", "tea_pot"), "line 8, scenario: expected one of the 1100"),
    (TARGETS, repeat(1101), "line 1102, scenario: expected each scenario in one row"),
    (TARGETS, rename("attr2", "weight2"), "line 1, attr2: expected this column in the header"),
    (SCENARIOS, repeat(2), "line 1102, scenario: expected each scenario in one row, found 'loose_leaf_tea'"),
    (
        SCENARIOS,
        replace_field(3, "attr1_max", "1.0"),
        "line 3, attr1_max: expected a number greater than attr1_min, found '1.0'",
    ),
    (SCENARIOS, replace_field(3, "attr4_min", "nan"), "line 3, attr4_min: expected a finite number, found 'nan'"),
    (SCENARIOS, replace_field(3, "attr4", "surface_area"), "line 3, attr4: expected an attribute name used once"),
    (SCENARIOS, replace_field(3, "attr4", " "), "line 3, attr4: expected a text that is not blank, found ' '"),
    (SCENARIOS, rename("attr5_max", "top"), "line 1, attr5_max: expected this column in the header"),
    (SCENARIOS, cut(1, 17), "expected at least one scenario, found a header alone"),
    (
        SCENARIOS,
        lambda text: text.replace("Which cutting board", "Which\ncutting board", 1),
        "line 3: expected 17 fields",
    ),
]


@pytest.mark.parametrize(("name", "mutate", "message"), BAD)
def test_malformed_rows_are_named_by_file_line_and_column(published, tmp_path, name, mutate, message):
    for source in (SCENARIOS, name):
        shutil.copyfile(published / source, tmp_path / source)
    if not name.startswith("gpt"):
        shutil.copyfile(published / RESULTS, tmp_path / RESULTS)
    file = tmp_path / name
    before = file.read_bytes()
    after = mutate(before.decode("utf-8"))
    data = after if isinstance(after, bytes) else after.encode("utf-8")
    assert data != before
    file.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        authors.read(tmp_path)
    assert str(caught.value).startswith(f"{file}")


def test_the_first_of_several_bad_rows_is_named(tmp_path):
    contexts = small(2)
    write_folder(tmp_path, contexts, 2)
    file = tmp_path / "llama_instilled_selections.csv"
    lines = file.read_text(encoding="utf-8").split("\n")
    lines[4:8] = ["ft,c1,A,1,2,3,x", "ft,c1,A,x,2,3,4", "ft,c1,A,nan,2,3,4", "ft,c1,A,1,,3,4"]
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="line 5, B_attribute_2: expected a finite number, found 'x'"):
        authors.read_choices(file, contexts, "llama")


def test_lines_are_counted_past_quoted_line_ends(tmp_path):
    contexts = small(2)
    write_folder(tmp_path, contexts, 2)
    file = tmp_path / "llama_instilled_selections.csv"
    text = file.read_text(encoding="utf-8").replace("ft,", '"f\nt",')
    file.write_text(text.replace("c1,A", "c1,C", 1), encoding="utf-8")
    with pytest.raises(InputError, match="line 8, selection: expected A or B, found 'C'"):
        authors.read_choices(file, contexts, "llama")


PIECES = st.sampled_from(["a", "1", ",", ",", "\n", "\n", '"', '""', "\r", " ", "\0", "é", "#", "'"])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_sheets_are_the_csv_modules_or_refused(tmp_path_factory, text):
    """Two parsers of one file never disagree: what polars reads in columns is what the csv module reads in rows."""
    file = tmp_path_factory.mktemp("sheet") / "sheet.csv"
    file.write_bytes(b"p,q\n" + text.encode())
    refused, sheet = None, None
    try:
        sheet = read_sheet(file)
    except InputError as error:
        refused = str(error)
    if sheet is None:
        assert refused.startswith(f"{file}, line ")
        return
    lines = io.StringIO(f"p,q\n{text}".replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"), newline="")
    header, *rows = csv.reader(lines, strict=True)
    assert sheet.frame.columns == header
    assert [[field or "" for field in row] for row in sheet.frame.rows()] == rows


def test_folders_that_hold_nothing_are_named(published, tmp_path):
    with pytest.raises(InputError, match="expected the file of at least one model"):
        authors.read(tmp_path)
    with pytest.raises(InputError, match="expected a readable folder"):
        authors.read(tmp_path / "missing")
    shutil.copyfile(published / RESULTS, tmp_path / RESULTS)
    with pytest.raises(InputError, match=r"scenarios\.csv: expected a readable file"):
        authors.read(tmp_path)
    (tmp_path / SCENARIOS).mkdir()
    with pytest.raises(InputError, match=r"scenarios\.csv: expected a readable file"):
        authors.read(tmp_path)


def test_two_files_of_one_kind_are_refused(tmp_path):
    for name in (
        "m_itrained_first_5_of_9_50ex_weight_reports.csv",
        "m_itrained_first_50_of_100_50ex_weight_reports.csv",
    ):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="one file of introspection_first reports for m"):
        authors.find_models(tmp_path)


def test_any_one_file_makes_a_model(tmp_path):
    for name in (
        "a_regression_results.csv",
        "b_c_instilled_latent_weight_reports.csv",
        "notes.csv",
        "weight_reports.csv",
    ):
        (tmp_path / name).touch()
    first, second = authors.find_models(tmp_path)
    assert (first.model, list(first.weights), first.choices, first.reports) == ("a", ["learned"], {}, {})
    assert (second.model, list(second.reports)) == ("b_c", ["native_before"])


def test_tables_conform_or_are_refused():
    frame = pl.DataFrame({"context": ["p"], "attribute": ["x"], "position": [0], "weight": [3], "more": [1]})
    assert tables.conform(frame, tables.TARGETS, "targets").schema == pl.Schema(tables.TARGETS)
    with pytest.raises(InputError, match="targets, weight: expected a column of Float64"):
        tables.conform(frame.drop("weight"), tables.TARGETS, "targets")
    with pytest.raises(InputError, match=r"targets: expected .*weight of Float64"):
        tables.conform(frame.with_columns(weight=pl.lit("much")), tables.TARGETS, "targets")
