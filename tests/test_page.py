"""The page of results: its numbers are those of the analysis, and everything on it is text, whoever wrote it."""

import csv
import io
import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from urllib.parse import unquote

import numpy as np
import pytest
from filled_study import BASE, MINI, body, fill, folder
from hostile_study import IMAGE, NAMES, REPLY, SCRIPT, hostile
from page_reader import QUICK, Reader, built

from avowal.analysis.material import LABELS
from avowal.bootstrap import laplace_intervals, scaled_draws
from avowal.contexts import builtin
from avowal.page.data import page
from avowal.page.doubts import ROWS
from avowal.page.render import render
from avowal.page.shown import shown
from avowal.page.sources import read
from avowal.page.tables import Cell, Table, told
from avowal.text import NONE


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    fill(folder(path, base=(BASE, MINI)))
    return path


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    path = hostile(tmp_path_factory.mktemp("hostile"))
    return render(built(path))


def plain(cell):
    """Return the value of a cell of the JSON document, and its interval."""
    if not isinstance(cell, dict):
        return cell, None
    return cell["value"], None if cell.get("low") is None else [cell["low"], cell["high"]]


def hold_equal(document, analysis):
    """Hold every figure of the tables to the JSON document of the analysis."""
    seen = 0
    tables = document["tables"]
    by_label = {label: name for name, label in LABELS.items()}
    for place, (name, model) in enumerate(analysis["models"].items(), 1):
        table = tables[f"beside-{place}"]
        assert table["caption"].startswith(name)
        for row in table["rows"]:
            key, _, interval, _ = ROWS[row[0]]
            for label, cell in zip(table["columns"][1:], row[1:], strict=True):
                its = model["accuracy"][by_label[label]]
                value, ends = plain(cell)
                if interval not in ("bounds", "bootstrap_percentile"):
                    assert value == its[key]
                    seen += 1
                if interval is not None:
                    assert ends == its[interval]
    for name, label, r, slope, contexts, replies in tables["accuracies"]["rows"]:
        its = analysis["models"][name]["accuracy"][by_label[label]]
        assert (*plain(r), *plain(slope)) == (its["r"], its["cluster_interval"], its["slope"], its["interval"])
        if its["contexts"] is not None:
            assert contexts == {"value": its["contexts"], "of": its["contexts"] + its["contexts_lost"]}
            assert replies == {"value": its["replies"], "of": its["replies_planned"]}
    for bar in document["figures"]["accuracies"]:
        its = analysis["models"][bar["model"]]["accuracy"][bar["set"]]
        assert (bar["r"], [bar["low"], bar["high"]]) == (its["r"], its["cluster_interval"] or [None, None])
    for weights, model, r, slope, common in tables["gains"]["rows"]:
        its = analysis["gain"][weights.replace("trained", "instilled")]
        its = its["by_model"].get(model, its)
        assert (*plain(r), *plain(slope)) == (its["r"], its["cluster_interval"], its["estimate"], its["interval"])
        assert common == its["common_contexts"]
    for model, group, valid, _, odds, biased, *_ in tables["choices"]["rows"]:
        its = analysis["models"][model]["choices"][group.replace("trained", "learned")]
        assert valid == {"value": its["valid"], "of": its["planned"]}
        assert odds == its["mean_intercept"]
        assert biased == {"value": its["biased_contexts"], "of": its["contexts"]}
    return seen


def test_a_study_s_numbers_are_those_of_analyze_and_status(whole, command):
    analysis = json.loads(command("analyze", whole, "--json", "--resamples", 20))
    document = json.loads(command("report", whole, "--json", "--resamples", 20))
    assert hold_equal(document, analysis) > 100
    stages = {(each["base"], each["stage"].removeprefix(f"{each['base']}: ")): each for each in analysis["stages"]}
    rows = document["tables"]["replies-by-stage"]["rows"]
    assert len(rows) == len(stages)
    for base, name, state, planned, valid, _, invalid, failed, left, *_ in rows:
        its = stages[base, name]
        assert state == its["state"]
        if its["kind"] != "train":
            assert (planned, valid, left) == (its["planned"], its["valid"], its["left"])
            assert (invalid, failed) == (sum(its["invalid"].values()), sum(its["failed"].values()))
    cost = {(row[0], row[1]): row[4:] for row in document["tables"]["cost"]["rows"]}
    for key, its in stages.items():
        assert cost[key] == [its["price"], its["spent"]]
    # Contexts add up to their stages.
    by_context = document["tables"]["replies-by-context"]["rows"]
    for base, name, _, planned, valid, *_ in rows:
        own = [row for row in by_context if row[1:3] == [base, name]]
        assert (sum(row[3] for row in own), sum(row[4] for row in own)) == (planned or 0, valid or 0)


def test_published_numbers_are_those_of_replicate(published, command, tmp_path):
    analysis = json.loads(command("replicate", published, "--json", "--resamples", 20))
    document = json.loads(command("report", published, "--json", "--resamples", 20))
    assert hold_equal(document, analysis) > 150
    assert "raises r by .22 [.17, .28] in trained contexts" in document["headline"]["sentences"][-1]
    planned = sum(each["planned"] for each in analysis["account"].values())
    reports = [row for row in document["tables"]["replies-by-stage"]["rows"] if row[1].startswith("reports")]
    assert sum(row[2] for row in reports) == planned
    assert sum(row[3] for row in reports) == sum(each["valid"] for each in analysis["account"].values())
    assert len(document["contexts"]) == 200
    assert len(document["figures"]["scatter"]) == sum(
        5 * its["contexts"] for model in analysis["models"].values() for its in model["accuracy"].values()
    )
    before = sorted(each.name for each in published.iterdir())
    text = render(page(read(published, QUICK)))
    assert len(text.encode()) < 3_000_000
    assert sorted(each.name for each in published.iterdir()) == before


def test_a_page_is_whole_html(whole, attacked):
    for text in (render(built(whole)), attacked):
        found = Reader(text)
        assert found.open == []
        assert len(set(found.ids)) == len(found.ids)
        assert all(below - above <= 1 for above, below in zip(found.headings, found.headings[1:], strict=False))
        assert found.headings.count(1) == 1
        assert all(table["caption"].strip() and table["head"] for table in found.tables)
        assert {held.get("scope") for tag, held in found.elements if tag == "th"} == {"row", "col"}
        targets = [held["href"][1:] for tag, held in found.elements if tag == "a" and held["href"].startswith("#")]
        assert set(targets) <= set(found.ids)
        assert len(targets) >= 9


def test_the_page_asks_nothing_of_a_network_and_runs_its_own_scripts_alone(attacked):
    found = Reader(attacked)
    policy = next(held["content"] for tag, held in found.elements if held.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy
    for script in [text for text in found.texts["script"] if '"use strict"' in text]:
        assert b64encode(sha256(script.encode()).digest()).decode() in policy
    assert not [held for _, held in found.elements if held.get("src")]
    assert not [key for _, held in found.elements for key in held if key.startswith("on")]
    links = [held["href"] for tag, held in found.elements if tag == "a"]
    assert all(link.startswith(("#", "data:text/csv")) for link in links)


def test_names_and_replies_of_others_are_text(attacked):
    found = Reader(attacked)
    assert not [tag for tag, _ in found.elements if tag == "img"]
    assert found.texts["bdi"][0] == IMAGE
    for name in NAMES:
        assert shown(name) in found.texts["bdi"]
        assert shown(name) in [row[0] for row in found.table("Replies by context")]
    replies = "".join(found.texts["pre"])
    assert shown(REPLY) in replies
    assert SCRIPT in replies
    for mark in ("\u202e", "\u2066", "\x00", "\x07", "\x1b"):
        assert mark not in attacked


def test_pages_of_one_source_are_one(whole):
    assert render(built(whole)) == render(built(whole))


def test_files_hold_what_tables_show(whole):
    made = built(whole)
    found = Reader(render(made))
    assert set(found.links) == {f"{table.name}.csv" for table in made.tables}
    for table in made.tables:
        kind, text = found.links[f"{table.name}.csv"].split(",", 1)
        assert kind == "data:text/csv;charset=utf-8"
        head, *rows = csv.reader(io.StringIO(unquote(text), newline=""))
        assert len(rows) == len(table.rows)
        assert head[0] == table.columns[0]
        for line, row in zip(rows, table.rows, strict=True):
            held = dict(zip(head, line, strict=True))
            for name, cell in zip(table.columns, row, strict=True):
                for part, value in (("", cell.value), (" low", cell.low), (" high", cell.high), (" of", cell.of)):
                    if value is None:
                        assert held.get(f"{name}{part}", "") == ""
                    elif isinstance(value, float):
                        assert float(held[f"{name}{part}"]) == pytest.approx(value, rel=1e-9)
                    else:
                        assert held[f"{name}{part}"] == str(value)
        if table.name != "weights":
            assert found.table(table.caption) == [[cell.text for cell in row] for row in table.rows]


def test_texts_that_a_spreadsheet_would_compute_are_told_as_texts():
    table = Table("t", "T", ("name", "r"), ((told("=1+1"), Cell(-0.5, "r")), (told("-"), Cell(None, "r", reason="no"))))
    assert table.csv() == "name,r\n'=1+1,-0.5\n'-,\n"
    assert table.rows[1][1].text == NONE
    broken = Table("t", "T", ("name",), ((told("tea\r=1+1"),), (told("tea\n=1+1"),), (told("\t=1\x1b\u202e\u200b"),)))
    assert broken.csv() == "name\ntea␍=1+1\ntea␊=1+1\n␉=1␛⟨U+202E⟩⟨U+200B⟩\n"


def test_a_study_half_way_shows_what_there_is_and_names_what_is_missing(tmp_path):
    fill(folder(tmp_path, base=(BASE, MINI)), until=lambda stage: stage.role == "native_before")
    made = built(tmp_path)
    text = made.to_dict()
    assert "half way: 5 of 24 stages" in made.state
    assert f"avowal run {tmp_path} goes on" in made.state
    assert len(text["headline"]["sentences"]) == 1
    assert "before any introspection training" in text["headline"]["sentences"][0]
    missing = {tuple(row[:2]): row[2] for row in text["tables"]["missing"]["rows"]}
    assert "has not begun" in missing[BASE, "introspection-trained"]
    assert "has not begun" in missing[MINI, "off the shelf"]
    states = {row["state"] for row in text["figures"]["diagram"]}
    assert states == {"done", "not begun"}
    found = Reader(render(made))
    assert "introspection-trained" in [row[1] for row in found.table("What there is not yet")]
    assert any("Not sent yet" in each for each in found.texts["p"])
    assert "The study is not finished: 5 of its 24 stages are." in text["methods"]
    asked = [row for row in text["figures"]["diagram"] if row["step"] == "report"]
    planned = sum(row["planned"] for row in asked)
    left = sum(row["planned"] for row in asked if row["state"] == "not begun")
    assert (
        f"Of {planned:,} reports planned, {planned - left:,} were valid and 0 (0.0%) lost; {left:,} have not"
        in text["methods"]
    )


def test_a_study_never_run_shows_what_it_will_ask(tmp_path, command):
    folder(tmp_path, base=[BASE])
    assert command("report", tmp_path).strip() == str(tmp_path / "report.html")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["report.html", "study.toml"]
    found = Reader((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No accuracy can be told yet." in found.texts["p"]
    assert any("[INTROSPECTION TASK]" in each for each in found.texts["pre"])
    made = built(tmp_path)
    assert [len(made.results.scatter), len(made.results.panels)] == [0, 12]
    assert float(made.to_dict()["tables"]["cost"]["rows"][-1][4]) > 0


def test_models_without_a_price_have_a_reason(tmp_path):
    fill(folder(tmp_path, base=["house-7b"]))
    cost = built(tmp_path).to_dict()["tables"]["cost"]["rows"]
    assert cost[0][4]["reason"] == "the model has no price"


def test_one_model_without_training_has_a_page(tmp_path):
    folder(tmp_path)
    file = tmp_path / "study.toml"
    file.write_text(file.read_text().replace("trained = 8", "trained = 0"))
    fill(tmp_path)
    made = built(tmp_path)
    assert list(dict.fromkeys(row["set"] for row in made.results.bars)) == ["native_before"]
    assert "Nothing was trained." in made.results.methods
    assert "nothing can be said of privileged access" in " ".join(made.results.doubts.remarks)
    assert Reader(render(made)).open == []


def test_repaired_and_lost_replies_are_counted_where_they_were(tmp_path):
    def spoil(stage, place, answer):
        if stage.role != "weight_trained" or place > 3:
            return answer
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
        if place == 3:
            return replace(answer, body="x", failure="HTTP 500")
        return replace(answer, body=body(f"```json\n{text}\n```" if place else "no"))

    fill(folder(tmp_path, more="lenient = true\n"), spoil=spoil)
    tables = built(tmp_path).to_dict()["tables"]
    (stage,) = [row for row in tables["replies-by-stage"]["rows"] if row[1] == "report, weight-trained"]
    assert stage[3:9] == [24, 22, 2, 1, 1, 0]
    assert [row[2:5] for row in tables["types"]["rows"]] == [["invalid", "invalid JSON", 1], ["failed", "HTTP 500", 1]]
    own = [row for row in tables["replies-by-context"]["rows"] if row[2] == "report, weight-trained"]
    assert [row[3:] for row in own[:2]] == [[3, 2, 2, 1, 0, 0, "1 invalid JSON"], [3, 2, 0, 0, 1, 0, "1 HTTP 500"]]


def test_intervals_of_weights_are_those_of_their_draws():
    from avowal.agents import Logistic, choose, targets
    from avowal.bootstrap import agent_units, laplace_draws
    from avowal.design import pairs
    from avowal.fit import fit

    contexts = builtin()[:6]
    chosen = choose(pairs(contexts, 60, seed=3), contexts, targets(contexts, seed=3), rule=Logistic(4.0), seed=3)
    fitted = fit(chosen, contexts)
    found = laplace_intervals(fitted, draws=400, seed=5, level=0.9)
    joined = found.join(fitted.weights, on=["model", "context", "position"])
    assert len(joined) == 30
    assert (joined["low"] <= joined["high"]).all()
    inside = (joined["low"] <= joined["weight"]) & (joined["weight"] <= joined["high"])
    assert inside.sum() >= 28
    assert joined["low"].min() >= -100
    assert joined["high"].max() <= 100
    (trials, part), *_ = fitted.parts
    drawn = scaled_draws(laplace_draws(part, 400, seed=5, units=agent_units(trials)))
    np.testing.assert_allclose(found["low"].to_numpy().reshape(6, 5), np.quantile(drawn, 0.05, axis=1))
    # Neither order nor company matters.
    alone = laplace_intervals(fit(chosen.filter(context=contexts[2].name), contexts), draws=400, seed=5, level=0.9)
    assert alone["high"].to_list() == found.filter(context=contexts[2].name)["high"].to_list()


def test_every_sentence_of_the_page_is_in_the_document(whole):
    made = built(whole)
    held, found = json.dumps(made.to_dict(), ensure_ascii=False), made.results
    lines = [*found.headline.sentences, *found.headline.warnings, *found.doubts.remarks, *found.doubts.notes]
    lines += [*found.accounts.notes, found.methods, *(its.note for its in made.tables)]
    assert len(lines) > 10
    for line in lines:
        assert json.dumps(line, ensure_ascii=False)[1:-1] in held
