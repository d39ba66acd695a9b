"""The status of a study, and its commands: true at any moment, and never in the way of a run."""

import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

import pytest
from filled_study import BASE, body, fill, folder

from avowal import prices
from avowal.study import plan, read
from avowal.study.place import place
from avowal.study.spending import spent
from avowal.study.status import status
from avowal.study.store import FILE, Store

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]


def avowal(*arguments, code=0):
    ended = subprocess.run([*AVOWAL, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout if code < 2 else ended.stderr


def of(document, part):
    return next(each for each in document["stages"] if part in each["stage"])


def test_nothing_run_yet(tmp_path):
    folder(tmp_path)
    found = json.loads(avowal("status", tmp_path, "--json"))
    assert (found["endpoint"], found["holder"], Decimal(found["spent"])) == (None, None, 0)
    assert {each["state"] for each in found["stages"]} == {"not begun"}
    assert of(found, "decide, trained")["planned"] == of(found, "decide, trained")["left"] == 8 * 24
    assert Decimal(found["price"]) == plan(read(tmp_path), replicates=0).price
    assert "not run yet; nobody runs it now" in avowal("status", tmp_path)
    assert not (tmp_path / FILE).exists()
    assert "has not begun" in avowal("analyze", tmp_path, "--resamples", 10, code=1)
    assert "run" in avowal("export", tmp_path, code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_study_half_way_and_under_way(tmp_path):
    fill(folder(tmp_path), until=lambda stage: stage.role == "native")
    with Store.writing(tmp_path) as store:
        name = next(name for (name,) in store.rows("select name from stages where name like '%trained contexts'"))
        asked = store.rows("select key, context, trial from asks where stage = ? order by 2, 3", (name,))
        keys = [(key,) for key, _, _ in asked[:3]]
        with store.transaction() as db:
            db.executemany("delete from replies where key = ?", keys)
            db.executemany("update requests set state = 'sent' where key = ?", keys)
            batch = ("batch_1", name, "digest", 1, 3, "in_progress", 0, "{}")
            db.execute("insert into batches values (?, ?, ?, ?, ?, ?, ?, ?)", batch)
        store.leave(name, "HTTP 401: no such key")
    with Store.writing(tmp_path) as store:
        found = json.loads(avowal("status", tmp_path, "--json"))
        text = avowal("status", tmp_path)
        assert Decimal(found["spent"]) == spent(store, prices.builtin())
    assert found["holder"].startswith("process ")
    its = of(found, "decide, trained")
    assert (its["state"], its["error"]) == ("stopped", "HTTP 401: no such key")
    assert (its["planned"], its["answered"], its["valid"], its["left"]) == (192, 189, 189, 3)
    expected = [{"context": context, "trial": trial, "key": key, "times": 1} for key, context, trial in asked[:3]]
    assert sorted(its["possibly_paid_twice"], key=str) == sorted(expected, key=str)
    assert its["batches"] == [{"id": "batch_1", "state": "in_progress", "attempt": 1, "requests": 3, "read": False}]
    assert of(found, "train weights")["jobs"][0]["state"] == "succeeded"
    for part in ("run by process", "3 possibly paid twice", "stopped: HTTP 401", "in_progress"):
        assert part in " ".join(text.split())
    assert status(place(tmp_path)).holder is None


def test_both_readings_are_told_whichever_counts(tmp_path):
    def spoil(stage, place, answer):
        if stage.role != "off_the_shelf" or place:
            return answer
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
        return replace(answer, body=body(f"```json\n{text}\n```"))

    for name, other in (("lenient", "strictly, 23"), ("strict", "leniently, 24")):
        fill(folder(tmp_path / name, more=f"lenient = {json.dumps(name == 'lenient')}\n"), spoil=spoil)
        its = of(json.loads(avowal("status", tmp_path / name, "--json")), "off the shelf")
        assert (its["strict"]["valid"], its["lenient"]["valid"]) == (23, 24)
        assert its["valid"] == its[name]["valid"]
        assert f"read {other} of 24" in " ".join(avowal("status", tmp_path / name).split())


def test_commands_leave_the_database_as_it_is(tmp_path):
    fill(folder(tmp_path))
    before = sha256((tmp_path / FILE).read_bytes()).hexdigest()
    found = json.loads(avowal("analyze", tmp_path, "--json", "--resamples", 10))
    avowal("status", tmp_path)
    avowal("export", tmp_path, "--format", "csv")
    assert sha256((tmp_path / FILE).read_bytes()).hexdigest() == before
    assert found["models"][BASE]["accuracy"]["weight_trained"]["replies"] == 24
    assert [each["valid"] for each in found["stages"] if each["kind"] != "train"] == [
        each["planned"] for each in found["stages"] if each["kind"] != "train"
    ]
    assert sorted(path.stem for path in (tmp_path / "tables").iterdir()) == [
        "accuracies", "choices", "jobs", "reports", "requests", "stages", "targets", "weights",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["status", "analyze", "export"])
def test_what_is_wrong_is_said_in_one_line(tmp_path, command):
    folder(tmp_path)
    (tmp_path / FILE).write_bytes(b"not a database at all" * 300)
    assert avowal(command, tmp_path, code=2).count("\n") == 1
    assert "study.toml" in avowal(command, tmp_path / "nowhere", code=2)


def test_models_without_a_price_can_be_looked_at(tmp_path):
    fill(folder(tmp_path, base=["house-7b"]))
    found = json.loads(avowal("status", tmp_path, "--json"))
    assert found["spent"] is None
    assert found["price"] is None
    assert json.loads(avowal("analyze", tmp_path, "--json", "--resamples", 10))["models"]["house-7b"]["agreement"]


def test_the_simulated_provider_is_free(tmp_path):
    fill(folder(tmp_path, base=["house-7b"], url="simulated"), endpoint="simulated")
    found = json.loads(avowal("status", tmp_path, "--json"))
    assert Decimal(found["spent"]) == Decimal(found["price"]) == 0
