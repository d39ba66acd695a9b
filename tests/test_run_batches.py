"""Batches that go wrong at the provider: what can be read is kept, and nothing is asked again unasked."""

import json
from pathlib import Path

import pytest
from study_parts import asked, log, rows

from avowal.provider import completion
from avowal.simulated import running
from avowal.study.batch_lines import answers
from avowal.study.ending import StageError
from avowal.study.store import Store


def outputs(state: Path) -> list[Path]:
    """Return the output files that the provider keeps."""
    return [path for path in state.rglob("*") if path.is_file() and b'"custom_id"' in path.read_bytes()]


def answered(state: Path) -> int:
    return sum(bool(row.get("custom_id")) and row["status"] == 200 for row in log(state))


def test_an_output_file_that_is_gone_stops_the_stage_and_only_the_next_run_asks_again(tmp_path: Path) -> None:
    with running(batch_seconds=0.05, state=tmp_path / "p", faults=["404@/content=#1"]) as url:
        with pytest.raises(StageError, match="the next run asks again for what it held"):
            asked(tmp_path, url, 6)
        assert answered(tmp_path / "p") == 6
        assert rows(tmp_path, "select failure, count(*) from replies group by 1") == [("missing in batch", 6)]
        assert asked(tmp_path, url, 6)
    assert rows(tmp_path, "select distinct state from requests") == [("answered",)]


def test_a_file_that_never_comes_whole_gives_what_can_be_read(tmp_path: Path) -> None:
    faults = ["truncate@/content=1"]
    with (
        running(batch_seconds=0.05, state=tmp_path / "p", faults=faults) as url,
        pytest.raises(StageError, match="breaks off"),
    ):
        asked(tmp_path, url, 6)
    kept = dict(rows(tmp_path, "select state, count(*) from requests group by 1"))
    assert 0 < kept["answered"] < 6
    with running(batch_seconds=0.05, state=tmp_path / "p") as url:
        assert asked(tmp_path, url, 6)
    assert answered(tmp_path / "p") == 6 + kept["failed"]


def test_a_reply_with_half_a_character_is_kept(tmp_path: Path) -> None:
    said = {"choices": [{"message": {"content": "\ud800B"}, "finish_reason": "stop"}]}
    line = json.dumps({"custom_id": "mine", "response": {"status_code": 200, "body": said}, "error": None})
    other = json.dumps({"custom_id": "\udfff", "response": None, "error": {"code": "\ud801", "message": ""}})
    found = answers([f"{line}\n{other}"], ["mine"], "b")
    with Store.writing(tmp_path) as store:
        store.step(found, [])
    ((body,),) = rows(tmp_path, "select body from replies where key = 'mine'")
    assert completion(body).text == "\ufffdB"


def test_two_studies_that_ask_the_same_have_batches_of_their_own(tmp_path: Path) -> None:
    with running(batch_seconds=0.05, state=tmp_path / "p") as url:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            with Store.writing(tmp_path / name) as store:
                store.note({"number": name})
            assert asked(tmp_path / name, url, 3)
    assert answered(tmp_path / "p") == 6
