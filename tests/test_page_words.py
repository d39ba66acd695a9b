"""The words of the page: whose a gain is, what was done, what was lost, and that all of it is of one moment."""

import re
from dataclasses import replace

from filled_study import BASE, MINI, body, fill, folder
from page_reader import QUICK, Reader, built

from avowal.page import sources
from avowal.page.data import page
from avowal.page.render import render
from avowal.page.sources import read
from avowal.study import init
from avowal.study.store import Answer, Store


def test_a_gain_of_one_model_is_not_called_a_mean_of_two(tmp_path):
    fill(
        folder(tmp_path, base=(BASE, MINI)),
        until=lambda stage: stage.base == MINI and stage.role == "native_after",
    )
    (said,) = [line for line in built(tmp_path).results.headline.sentences if line.startswith("Introspection training")]
    assert "in trained contexts (mean of 2 models) and" in said
    assert said.endswith(f"in native contexts ({BASE} alone).")


def test_models_of_two_seeds_are_not_called_two_base_models(tmp_path):
    fill(folder(tmp_path, seeds=(0, 1)))
    (said,) = [line for line in built(tmp_path).results.headline.sentences if line.startswith("Introspection training")]
    assert "(mean of 2 trained models of one base model)" in said


def edited(path, **changes):
    """Change lines of a study's file that begin so."""
    file = path / "study.toml"
    text = file.read_text()
    for name, line in changes.items():
        text = re.sub(rf"(?m)^{name} = .*$", line, text)
    file.write_text(text)
    return path


def test_the_methods_name_every_setting_that_is_not_the_papers(tmp_path):
    bare = edited(
        folder(tmp_path / "bare", seeds=(0, 1), again=True),
        trained="trained = 0",
        reports='reports = 3\norder = "counterbalanced"',
    )
    told = built(bare).results.methods
    assert "Nothing was trained." in told
    assert "in both orders" in told
    assert "training seeds" not in told
    assert "decided all pairs again" not in told
    rich = edited(
        folder(
            tmp_path / "rich", base=(BASE, MINI), seeds=(0, 1), again=True, more="lenient = true\nstructured = true\n"
        ),
        trained="trained = 8\nshared = false",
        reports='reports = 3\norder = "shuffled"\nreport_prompts = ["paper", "no pair"]\ncross_reports = true',
    )
    told = built(rich).results.methods
    for part in (
        "4 characters each, 8 in all",
        "trained 2 times",
        "drawn for each request",
        "no pair",
        "decided all pairs again",
        "contexts that the others were trained in",
        "structured output",
        "repaired where that has one meaning",
    ):
        assert part in told, part
    init(tmp_path / "study", "conditions")
    made = built(tmp_path / "study")
    (row,) = [each for each in made.results.course if each["label"] == "weight training"]
    lines = row["shown"].split()[0]
    assert f"after fine-tuning on {lines} choices" in made.results.methods
    assert "with a marker in the prompt" in made.results.methods


def test_replies_without_a_count_of_tokens_are_told(tmp_path):
    def silent(stage, place, answer):
        return replace(answer, prompt_tokens=None, completion_tokens=None) if place % 2 else answer

    fill(folder(tmp_path), spoil=silent)
    source = read(tmp_path, QUICK)
    untold = sum(each.account.untold for each in source.ran.status.stages)
    assert untold > 0
    table = page(source).to_dict()["tables"]["cost"]
    assert f"{untold:,} replies came without a count" in table["note"]
    for row, each in zip(table["rows"], source.ran.status.stages, strict=False):
        if not each.trains:
            assert row[2:4] == [
                sum(b.input_tokens for b in each.account.billed),
                sum(b.output_tokens for b in each.account.billed),
            ]


def test_what_a_run_writes_meanwhile_is_on_no_part_of_a_page(tmp_path, monkeypatch):
    """A page is of one moment: what comes while it is read, or while the analysis goes on, is not on it in part."""
    fill(folder(tmp_path))
    before = built(tmp_path).to_dict()
    real = sources._answered

    def meanwhile(store):
        with Store.writing(tmp_path) as run:
            run.leave("gpt-4o-2024-08-06: report, off the shelf", "no more")
            keys = [key for key, _ in run.bodies("gpt-4o-2024-08-06: report, off the shelf")]
            run.step([Answer(key, body("{}"), prompt_tokens=7, completion_tokens=7) for key in keys], [])
        return real(store)

    monkeypatch.setattr(sources, "_answered", meanwhile)
    during = built(tmp_path).to_dict()
    for each in (before, during):
        del each["tables"]["files"]
    assert during == before
    monkeypatch.undo()
    after = built(tmp_path).to_dict()
    assert "no more" in " ".join(after["notes"])
    assert after["tables"]["cost"] != before["tables"]["cost"]


def test_losses_and_what_is_still_to_be_asked_for_are_told_apart(tmp_path):
    def spoil(stage, place, answer):
        return replace(answer, body=body("no")) if stage.role == "off_the_shelf" and place % 2 else answer

    fill(folder(tmp_path), until=lambda stage: stage.role == "native_before", spoil=spoil)
    found = Reader(render(built(tmp_path)))
    assert "Replies are missing." in found.texts["strong"]
    assert any("some are still to be asked for" in each for each in found.texts["p"])
    fill(folder(tmp_path / "whole"), spoil=spoil)
    found = Reader(render(built(tmp_path / "whole")))
    assert "Replies are missing." in found.texts["strong"]
    assert not any("still to be asked for" in each for each in found.texts["p"])
