"""Every request of a stage gets its reply by batches, once, whatever becomes of the batches."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from study_parts import Limits, asked, killed, log, rows

from avowal.provider import completion
from avowal.simulated import running
from avowal.study.batch_lines import answers, whole
from avowal.study.ending import Interrupted, StageError


def created(state: Path) -> int:
    """Count the batches that the provider has made."""
    wanted = ("POST", "/v1/batches", 200)
    return sum((row["method"], row["path"], row["status"]) == wanted for row in log(state))


def all_answered(folder: Path, count: int) -> bool:
    replies = rows(folder, "select key, body from replies where failure is null")
    assert len({key for key, _ in replies}) == len(replies) == count
    assert {completion(body).text for _, body in replies} <= {"A", "B"}
    states = rows(folder, "select distinct state, batch from requests")
    return states == [("answered", None)]


def test_requests_are_split_sent_and_read(tmp_path: Path) -> None:
    told: list[int] = []
    with running(batch_seconds=0.2, state=tmp_path / "p") as url:
        options = {"limits": Limits(requests=10), "told": lambda part: told.append(len(part))}
        assert asked(tmp_path, url, 25, **options)
        assert asked(tmp_path, url, 25)
    assert all_answered(tmp_path, 25)
    assert sorted(told) == [5, 10, 10]
    assert created(tmp_path / "p") == 3
    assert rows(tmp_path, "select sum(prompt_tokens) > 25 * 50, min(completion_tokens) from replies") == [(1, 1)]
    assert rows(tmp_path, "select distinct read, state from batches") == [(1, "completed")]


def test_no_batch_is_larger_than_its_limits_and_no_more_tokens_wait(tmp_path: Path) -> None:
    with running(batch_seconds=0.05, state=tmp_path / "p") as url:
        assert asked(tmp_path, url, 12, limits=Limits(size=5000, tokens=1300))
    assert all_answered(tmp_path, 12)
    counts = [count for (count,) in rows(tmp_path, "select requests from batches")]
    assert sum(counts) == 12
    assert max(counts) <= 4


def test_detached_runs_submit_and_later_ones_pick_up(tmp_path: Path) -> None:
    with running(batch_seconds=1.5, state=tmp_path / "p") as url:
        assert not asked(tmp_path, url, 8, detach=True)
        assert not asked(tmp_path, url, 8, detach=True)
        assert rows(tmp_path, "select count(*) from replies") == [(0,)]
        assert asked(tmp_path, url, 8)
    assert all_answered(tmp_path, 8)
    assert created(tmp_path / "p") == 1


def test_what_expired_or_partial_batches_lack_is_asked_again_and_nothing_else(tmp_path: Path) -> None:
    with running(batch_seconds=0.05, state=tmp_path / "p", faults=["batch-expires=#1", "batch-partial=0.1"]) as url:
        assert asked(tmp_path, url, 20)
    assert all_answered(tmp_path, 20)
    failures = dict(rows(tmp_path, "select failure, count(*) from replies group by failure having failure is not null"))
    assert failures["batch_expired"] == 10
    answered = [row["custom_id"] for row in log(tmp_path / "p") if row.get("custom_id") and row["status"] == 200]
    assert sorted(answered) == sorted(set(answered))


def test_resubmitting_ends_and_names_what_is_left(tmp_path: Path) -> None:
    with running(batch_seconds=0.02, state=tmp_path / "p", faults=["batch-partial=1"]) as url:
        with pytest.raises(StageError, match=r"2 requests got no reply in 3 batches: key00000, key00001"):
            asked(tmp_path, url, 2)
        assert created(tmp_path / "p") == 3
    assert rows(tmp_path, "select failure, count(*) from replies") == [("HTTP 500", 6)]


def test_a_batch_that_fails_stops_the_stage_and_the_next_run_sends_another(tmp_path: Path) -> None:
    with running(batch_seconds=0.05, faults=["batch-fails=#1"]) as url:
        with pytest.raises(StageError, match=r"batch \S+ failed: The batch failed"):
            asked(tmp_path, url, 5)
        assert rows(tmp_path, "select distinct state, batch from requests") == [("planned", None)]
        assert asked(tmp_path, url, 5)
    assert all_answered(tmp_path, 5)


@pytest.mark.parametrize(
    "fault", ["create-timeout=#1", "reset@/batches=#2", "500@/batches=#2", "truncate@/content=#1", "reset@/content=#1"]
)
def test_what_breaks_on_the_way_is_done_once(tmp_path: Path, fault: str) -> None:
    import study_parts

    with running(batch_seconds=0.05, state=tmp_path / "p", faults=[fault]) as url:
        quick = study_parts.client
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(study_parts, "client", lambda address: quick(address, timeout=0.5))
            assert asked(tmp_path, url, 6)
    assert fault.startswith(tuple(str(row["fault"]) for row in log(tmp_path / "p") if row["fault"]))
    assert all_answered(tmp_path, 6)
    assert created(tmp_path / "p") == 1


def test_an_interrupted_wait_leaves_its_batches_to_the_next_run(tmp_path: Path) -> None:
    stop = threading.Event()
    with running(batch_seconds=0.2, state=tmp_path / "p") as url:
        with pytest.raises(Interrupted):
            asked(tmp_path, url, 4, stop=stop, tell=lambda _: stop.set())
        assert asked(tmp_path, url, 4)
    assert all_answered(tmp_path, 4)
    assert created(tmp_path / "p") == 1


DYING = """
import os, signal
from pathlib import Path
from avowal.provider import batches, files
from study_parts import asked
modules = {"upload": files, "create": batches, "content": files}
real = getattr(modules[sys.argv[3]], sys.argv[3])
def dying(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(modules[sys.argv[3]], sys.argv[3], dying)
asked(Path(sys.argv[1]), sys.argv[2], 7)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
@pytest.mark.parametrize("point", ["upload", "create", "content"])
def test_a_process_that_is_killed_asks_nothing_twice(tmp_path: Path, point: str) -> None:
    with running(batch_seconds=0.1, state=tmp_path / "p") as url:
        killed(DYING, tmp_path, url, point)
        # More may be planned by then: what was in a batch stays in it, and what was not yet goes with the rest.
        assert asked(tmp_path, url, 9)
    assert all_answered(tmp_path, 9)
    assert created(tmp_path / "p") == (1 if point == "upload" else 2)
    answered = [row["custom_id"] for row in log(tmp_path / "p") if row.get("custom_id")]
    assert len(answered) == len(set(answered)) == 9


def test_lines_of_unknown_requests_are_kept_apart() -> None:
    said = {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]}
    lines = [
        {"custom_id": "mine", "response": {"status_code": 200, "body": said}, "error": None},
        {"custom_id": "whose", "response": {"status_code": 200, "body": said}, "error": None},
        {"custom_id": "late", "response": None, "error": {"code": "batch_expired", "message": "no"}},
        {"custom_id": "bad", "response": {"status_code": 429, "body": {"error": {}}}, "error": None},
    ]
    found = answers(["\n".join(map(json.dumps, lines))], ["mine", "late", "bad"], "b")
    assert [(each.key, each.failure, each.status) for each in found] == [
        ("mine", None, 200), ("unknown:whose", "unknown id", 200), ("late", "batch_expired", None),
        ("bad", "HTTP 429", 429),
    ]  # fmt: skip
    assert json.loads(found[0].body) == said


def test_a_file_is_whole_when_every_line_is_and_all_are_there() -> None:
    assert whole('{"a": "\u2028"}\n{}\n', 2)
    assert not whole('{"a": 1}\n{"b', 0)
    assert not whole("{}\n", 2)
    assert not whole("<html>", 0)
