"""Exports: others read a study as it is, and the authors' format gives the same figures."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from filled_study import BASE, MINI, fill, folder
from polars.testing import assert_frame_equal

from avowal.analysis import document
from avowal.analysis.results import Settings
from avowal.errors import InputError
from avowal.published import read as read_published
from avowal.published.replicate import replicate
from avowal.study.analysis import analyze_study
from avowal.study.export import RAW, export
from avowal.study.place import place
from avowal.study.status import look
from avowal.study.store import Store

QUICK = Settings(replies=3, resamples=20, draws=50)


def spoil(stage, place, answer):
    """Lose some replies of each kind, but none of a whole context."""
    if place % 11:
        return answer
    return replace(answer, body="gone", failure="HTTP 500") if place % 2 else replace(answer, body="{}")


def figures(result):
    """Return a document's numbers that do not depend on why replies were lost: the authors' files don't say."""
    found = document(result)
    for model in found["models"].values():
        for each in model["accuracy"].values():
            for name in ("invalid", "failed"):
                each.pop(name)
        for each in model["choices"].values():
            each.pop("planned")
        for name in ("kept", "from_probabilities"):
            model.pop(name, None)
    return {name: found[name] for name in ("models", "gain", "differences")}


def same(one, other, path=""):
    if isinstance(one, dict):
        assert list(one) == list(other), path
        for key in one:
            same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for place_, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{path}/{place_}")
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=1e-9, abs=1e-12), path
    else:
        assert one == other, path


def test_the_authors_format_gives_the_same_figures(tmp_path):
    fill(folder(tmp_path, base=(BASE, MINI)), spoil=spoil)
    here = place(tmp_path)
    paths = export(here, "csv", tmp_path / "csv")
    ours, theirs = analyze_study(look(here), QUICK), replicate(str(tmp_path / "csv"), QUICK)
    same(figures(ours), figures(theirs))
    assert f"{BASE}_itrained_first_4_of_8_12ex_weight_reports.csv" in {path.name for path in paths}
    found = read_published(tmp_path / "csv")
    assert [context.prompt for context in found.contexts] == [
        context.prompt for context in (*here.study.trained, *here.study.native)
    ]


UNDER = """[[condition]]
name = "opposite"
marker = "Today is opposite day."
effect = "flip"
"""


def test_each_variant_has_a_folder_that_gives_the_same_figures(tmp_path):
    fill(folder(tmp_path, base=(BASE, MINI), introspection=("shuffled", "targets"), more=UNDER), spoil=spoil)
    here = place(tmp_path)
    export(here, "csv", tmp_path / "csv")
    ours = figures(analyze_study(look(here), QUICK))
    named = {"": "", "shuffled reports": ", shuffled reports", "under opposite": ""}
    named["under opposite, shuffled reports"] = ", shuffled reports"
    assert {path.name for path in (tmp_path / "csv").iterdir() if path.is_dir()} == {*named} - {""}
    for variant, added in named.items():
        theirs = figures(replicate(str(tmp_path / "csv" / variant), QUICK))
        for model, found in theirs["models"].items():
            same(ours["models"][model + added], found, variant)
        for gain in ("instilled", "native"):
            mean = ours["gain"].get(f"{gain}, {variant}" if variant else gain, theirs["gain"][gain])
            same(*({k: v for k, v in each.items() if k != "by_model"} for each in (mean, theirs["gain"][gain])))
    # Under a condition that turns them around, the targets are those of the condition.
    assert theirs["models"][f"{BASE}, under opposite"]["agreement"] < 0.5


def test_names_with_slashes_have_files_of_their_own(tmp_path):
    fill(folder(tmp_path, base=["lab/house"], introspection=("targets", "shuffled"), url="simulated"), spoil=spoil)
    here = place(tmp_path)
    export(here, "csv", tmp_path / "csv")
    ours = analyze_study(look(here), QUICK)
    for one, variant in zip(ours.models, ("", "shuffled reports"), strict=True):
        (other,) = replicate(str(tmp_path / "csv" / variant), QUICK).models
        assert other.name == "lab_house"
        for name in one.sets:
            assert one.sets[name].accuracy.r == pytest.approx(other.sets[name].accuracy.r, rel=1e-9)


def test_files_are_named_for_the_contexts_of_each_fold(tmp_path):
    folder(tmp_path)
    file = tmp_path / "study.toml"
    names = json.dumps([context.name for context in place(tmp_path).study.trained[1:4]])
    file.write_text(file.read_text().replace("native = 4", f"native = 4\nfirst_fold = {names}"))
    fill(tmp_path, spoil=spoil)
    paths = export(place(tmp_path), "csv", tmp_path / "csv")
    told = {path.name.removeprefix(f"{BASE}_itrained_") for path in paths if "itrained" in path.name}
    assert told == {
        "first_3_of_8_12ex_weight_reports.csv", "last_5_of_8_12ex_weight_reports.csv",
        "all_8_12ex_latent_weight_reports.csv",
    }  # fmt: skip
    same(figures(analyze_study(look(place(tmp_path)), QUICK)), figures(replicate(str(tmp_path / "csv"), QUICK)))


def test_an_unfinished_study_is_exported_as_far_as_it_is(tmp_path):
    fill(folder(tmp_path), until=lambda stage: stage.role == "native_before")
    paths = export(place(tmp_path), "csv", tmp_path / "csv")
    assert len(paths) == 2 + 2 + 2
    assert set(replicate(str(tmp_path / "csv"), QUICK).models[0].sets) == {"off_the_shelf", "weight_trained"}


def test_parquet_holds_every_table(tmp_path):
    fill(folder(tmp_path))
    here = place(tmp_path)
    paths = export(here, "parquet", tmp_path / "out")
    found = look(here)
    assert {path.stem for path in paths} == {*found.tables, "accuracies"}
    assert_frame_equal(pl.read_parquet(tmp_path / "out" / "choices.parquet"), found.tables["choices"])


def test_raw_lines_hold_every_request_and_reply_and_nothing_personal(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef0123456789")
    fill(folder(tmp_path), spoil=spoil)
    (path,) = export(place(tmp_path), "jsonl", tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    with Store.reading(tmp_path) as store:
        held = dict(store.rows("select key, body from requests"))
        replies = store.rows("select body from replies order by key, id")
    assert path.name == RAW
    assert len(lines) == len(held) == len({line["key"] for line in lines})
    assert all(line["request"] == json.loads(held[line["key"]]) for line in lines)
    assert [reply["body"] for line in sorted(lines, key=lambda each: each["key"]) for reply in line["replies"]] == [
        body for (body,) in replies
    ]
    for other in export(place(tmp_path), "csv", tmp_path / "csv"):
        text += other.read_text(encoding="utf-8")
    assert not re.search(r"sk-0123|Bearer|Authorization|/home/|/root/", text)
    assert str(tmp_path) not in text


def test_exports_that_cannot_be_are_refused(tmp_path):
    folder(tmp_path)
    with pytest.raises(InputError, match="avowal run"):
        export(place(tmp_path), "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="parquet or csv or jsonl"):
        export(place(tmp_path), "xlsx", tmp_path / "out")
