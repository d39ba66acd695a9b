"""Tables of a study: every request counted once, whatever came back, in whatever order."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from filled_study import BASE, MINI, Pretender, body, fill, folder
from polars.testing import assert_frame_equal

from avowal.errors import InputError
from avowal.study import read
from avowal.study.analysis import accuracies, analyze_study, write
from avowal.study.collect import RUN, collect
from avowal.study.gather import UNANSWERED
from avowal.study.store import Answer, Store

STABLE = ("choices", "reports", "weights", "targets")


def collected(path, **options):
    with Store.reading(path) as store:
        return collect(store, read(path), **options)


def account(found, role):
    return next(each for each in found.stages if each.stage.role == role)


def test_tables_do_not_depend_on_the_order_in_which_replies_came(tmp_path):
    found = []
    for name, order in (("one", None), ("other", 7)):
        fill(folder(tmp_path / name, again=True), order=order, suffix=name)
        found.append(collected(tmp_path / name))
    for name in STABLE:
        one, other = (each.tables[name].drop(RUN, strict=False) for each in found)
        assert len(one) > 0
        assert_frame_equal(one, other)
    one, other = (accuracies(analyze_study(each)) for each in found)
    assert_frame_equal(one, other)
    assert found[0].tables["choices"]["tuned"].to_list() != found[1].tables["choices"]["tuned"].to_list()


def test_a_finished_study_has_a_row_for_every_request(tmp_path):
    study = fill(folder(tmp_path, base=(BASE, MINI)))
    found = collected(tmp_path)
    asked = {each.stage.name: len(each.stage.sends.contexts) * each.stage.sends.trials
             for each in found.stages if each.requests is not None}  # fmt: skip
    assert dict(Counter(found.tables["requests"]["stage"].to_list())) == asked
    rows = pl.concat([found.tables[name].select("stage", "context", "trial") for name in ("choices", "reports")])
    assert_frame_equal(rows.sort(pl.all()), found.tables["requests"].select("stage", "context", "trial").sort(pl.all()))
    assert all(each.requests.valid == each.requests.planned for each in found.stages if each.requests is not None)
    assert found.unanswered == frozenset()
    assert found.tables["targets"]["context"].n_unique() == len(study.trained)
    assert found.tables["weights"].filter(role="learned", base=BASE)["context"].n_unique() == 8
    assert set(found.tables["jobs"]["state"]) == {"succeeded"}


def test_what_went_wrong_is_typed_and_never_data(tmp_path):
    spoilt = {
        0: lambda each: replace(each, body="no", failure="HTTP 500", status=500, retries=("timeout",)),
        1: lambda each: replace(each, body=body("Both have merits")),
        2: lambda each: replace(each, body='{"choices": [{"message": {"content": null, "refusal": "no"}}]}'),
        3: lambda each: replace(each, body='{"choices": ['),
        4: lambda each: replace(each, retries=("HTTP 429", "HTTP 429")),
    }

    def spoil(stage, place, answer):
        return spoilt.get(place, lambda same: same)(answer) if stage.role == "learned" else answer

    fill(folder(tmp_path), spoil=spoil)
    found = collected(tmp_path)
    its = account(found, "learned")
    assert its.requests.planned == 8 * 24
    assert its.requests.valid == 8 * 24 - 4
    assert dict(its.requests.invalid) == {"other text": 1, "refused": 1, "unreadable": 1}
    assert dict(its.requests.failed) == {"HTTP 500": 1}
    assert its.retries == 4
    assert found.unanswered == {"HTTP 500"}
    rows = found.tables["choices"].filter(role="learned")
    assert rows["choice"].null_count() == 4
    assert rows["failure"][:4].to_list() == ["HTTP 500", "other text", "refused", "unreadable"]
    requests = found.tables["requests"].filter(stage=its.stage.name)
    assert requests["failures"][0].to_list() == ["timeout", "HTTP 500"]
    assert requests["state"][0] == "failed"
    assert requests["failures"][4].to_list() == ["HTTP 429", "HTTP 429"]


def test_the_first_reply_counts_and_later_ones_are_surplus(tmp_path):
    study = fill(folder(tmp_path))
    before = collected(tmp_path)
    rows = before.tables["requests"].filter(stage=account(before, "learned").stage.name)
    contrary = {"A": "B", "B": "A"}[before.tables["choices"].filter(role="learned")["choice"][0]]
    again = Answer(rows["key"][0], body(contrary), status=200, prompt_tokens=100, completion_tokens=1)
    late = Answer(rows["key"][1], "gone", failure="timeout")
    with Store.writing(tmp_path) as store:
        store.step([again, late], [])
    after = collected(tmp_path)
    for name in STABLE:
        assert_frame_equal(after.tables[name], before.tables[name])
    its = account(after, "learned")
    assert (its.surplus, its.retries, its.requests.valid) == (1, 1, 8 * 24)
    assert its.spent > account(before, "learned").spent
    assert study.name == "small"


def test_what_has_no_reply_yet_is_planned_and_unanswered(tmp_path):
    study = fill(folder(tmp_path), until=lambda stage: stage.role == "native")
    with Store.writing(tmp_path) as store:
        asked = store.rows("select key from asks where stage like '%decide, trained%' order by context, trial")
        keys = [key for (key,) in asked[:5]]
        with store.transaction() as db:
            db.executemany("delete from replies where key = ?", [(key,) for key in keys])
            db.executemany("update requests set state = 'sent' where key = ?", [(key,) for key in keys])
    with Store.writing(tmp_path):
        pass
    found = collected(tmp_path)
    its = account(found, "learned")
    assert dict(its.requests.failed) == {UNANSWERED: 5}
    assert (its.requests.valid, its.unsure) == (8 * 24 - 5, 5)
    assert account(found, "native").requests is None
    assert account(found, "native").state == "not begun"
    assert found.tables["choices"]["failure"].value_counts().filter(failure=UNANSWERED)["count"].to_list() == [5]
    assert study.native


def test_strict_and_lenient_accounts_stand_side_by_side(tmp_path):
    def spoil(stage, place, answer):
        if stage.role != "off_the_shelf" or place > 1:
            return answer
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
        return replace(answer, body=body(f"```json\n{text}\n```" if place == 0 else "none"))

    for name, lenient in (("strict", False), ("lenient", True)):
        fill(folder(tmp_path / name, more=f"lenient = {json.dumps(lenient)}\n"), spoil=spoil)
        found = collected(tmp_path / name)
        its = account(found, "off_the_shelf")
        assert (its.requests.valid, its.strict.valid, its.lenient.valid) == (23 if lenient else 22, 22, 23)
        rows = found.tables["reports"].filter(role="off_the_shelf")
        assert rows["repairs"][0].to_list() == ["code fence"]
        assert rows["strict_failure"][:2].to_list() == ["invalid JSON", "invalid JSON"]
        assert (rows["report"][0] is not None) == lenient


def test_jobs_stand_in_the_order_of_the_stages_whichever_was_created_first(tmp_path):
    fill(folder(tmp_path))
    with Store.writing(tmp_path) as store, store.transaction() as db:
        db.execute("create table other as select * from jobs order by rowid desc")
        db.execute("delete from jobs")
        db.execute("insert into jobs select * from other")
        db.execute("drop table other")
    found = collected(tmp_path)
    order = [each.stage.name for each in found.stages]
    places = [order.index(name) for name in found.tables["jobs"]["stage"]]
    assert places == sorted(places)
    assert len(places) == 4


def test_what_the_file_asks_in_addition_is_planned_and_unanswered(tmp_path):
    fill(folder(tmp_path))
    file = tmp_path / "study.toml"
    file.write_text(file.read_text().replace("reports = 3", "reports = 5").replace("decisions = 24", "decisions = 30"))
    found = collected(tmp_path)
    for each in found.stages:
        if each.requests is not None:
            sends = each.stage.sends
            assert each.requests.planned == len(sends.contexts) * sends.trials
    assert account(found, "off_the_shelf").requests.failed == {UNANSWERED: 2 * 8}
    planned = found.tables["stages"].filter(role="learned").select("planned", "valid", "failed").row(0)
    assert planned == (30 * 8, 24 * 8, 6 * 8)


def test_probabilities_are_recorded_and_weights_estimated_from_them(tmp_path):
    fill(folder(tmp_path, logprobs=True))
    found = collected(tmp_path)
    told = found.tables["choices"]
    assert told["p_a"].is_between(0, 1).all()
    # The pretender's odds are linear in its weights, which they give back whole.
    weights = found.tables["weights"]
    true = Pretender(found.study, BASE).weights
    for (name,), rows in weights.group_by("context"):
        np.testing.assert_allclose(rows["probability_weight"], 100 * true[name] / np.abs(true[name]).max(), atol=1e-6)
    fill(folder(tmp_path / "without"))
    assert collected(tmp_path / "without").tables["weights"]["probability_weight"].null_count() > 0


def test_another_file_than_the_one_that_was_run_is_refused(tmp_path):
    fill(folder(tmp_path))
    text = (tmp_path / "study.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace("decisions = 24", "decisions = 20", 1))
    with pytest.raises(InputError, match=r"study\.db.*decide.*put it back"):
        collected(tmp_path)


def test_nothing_run_is_no_error(tmp_path):
    folder(tmp_path)
    found = collected(tmp_path)
    assert all(each.state == "not begun" for each in found.stages)
    assert {name: len(table) for name, table in found.tables.items() if name not in ("targets", "stages")} == {
        "choices": 0, "reports": 0, "weights": 0, "requests": 0, "jobs": 0,
    }  # fmt: skip


def test_tables_are_read_while_a_run_writes_and_appear_whole(tmp_path):
    fill(folder(tmp_path))
    with Store.writing(tmp_path) as store, store.transaction() as db:
        db.execute("delete from replies")
        found = collected(tmp_path)
        db.execute("rollback")
        db.execute("begin")
    assert account(found, "learned").requests.valid == 8 * 24
    paths = write(tmp_path / "tables", found, analyze_study(found))
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        if path.stem != "accuracies":
            assert_frame_equal(pl.read_parquet(path), found.tables[path.stem])
