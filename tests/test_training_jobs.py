"""One job per stage and attempt, whatever goes wrong between the study and its provider."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from study_parts import TEXT, killed, log, rows, trained

from avowal.errors import InputError
from avowal.simulated import running
from avowal.study.ending import Interrupted, StageError

CREATION = ("POST", "/v1/fine_tuning/jobs")


def created(state: Path) -> int:
    """Count the jobs that the provider has made."""
    return sum((row["method"], row["path"]) == CREATION and row["status"] == 200 for row in log(state))


def test_a_job_is_waited_for_and_all_it_told_is_kept(tmp_path: Path) -> None:
    said: list[str] = []
    with running(job_seconds=0.3, state=tmp_path / "p") as url:
        tuned = trained(tmp_path, url, tell=said.append)
        assert trained(tmp_path, url) == tuned
    ((state, model, tokens, body, attempt),) = rows(tmp_path, "select state, tuned, tokens, body, attempt from jobs")
    assert (state, model, attempt) == ("succeeded", tuned, 1)
    job = json.loads(body)
    assert tokens == job["trained_tokens"] > 0
    assert job["method"]["supervised"]["hyperparameters"]["n_epochs"] == 3
    assert dict(rows(tmp_path, "select kind, count(*) from job_events group by kind")) == {"checkpoint": 3, "event": 9}
    assert created(tmp_path / "p") == 1
    assert any("succeeded" in line for line in said)


@pytest.mark.parametrize(
    "fault", ["create-timeout=#1", "reset@fine_tuning=#2", "500@fine_tuning=#2", "truncate@/jobs=#2"]
)
def test_a_creation_without_an_answer_makes_one_job(tmp_path: Path, fault: str) -> None:
    with running(job_seconds=0.1, state=tmp_path / "p", faults=[fault]) as url:
        trained(tmp_path, url, client={"timeout": 0.5})
    assert fault.startswith(tuple(str(row["fault"]) for row in log(tmp_path / "p") if row["fault"]))
    assert created(tmp_path / "p") == 1
    assert len(rows(tmp_path, "select * from jobs")) == 1


@pytest.mark.parametrize("fault", ["reset@/files=#2", "truncate@/files=#2"])
def test_an_upload_without_an_answer_is_found(tmp_path: Path, fault: str) -> None:
    with running(job_seconds=0.1, state=tmp_path / "p", faults=[fault]) as url:
        trained(tmp_path, url)
    assert sum((row["method"], row["path"]) == ("POST", "/v1/files") for row in log(tmp_path / "p")) == 1


def test_a_failed_job_stops_the_stage_and_the_next_run_tries_again(tmp_path: Path) -> None:
    with running(job_seconds=0.1, state=tmp_path / "p", faults=["job-fails=#1"]) as url:
        with pytest.raises(StageError, match=r"job ftjob-\S+ is failed: The job failed due to an internal error"):
            trained(tmp_path, url)
        trained(tmp_path, url)
    assert rows(tmp_path, "select attempt, state from jobs order by attempt") == [(1, "failed"), (2, "succeeded")]
    assert created(tmp_path / "p") == 2


def test_what_the_provider_refuses_stops_the_stage(tmp_path: Path) -> None:
    with running(faults=["401@fine_tuning=#2"]) as url, pytest.raises(StageError, match="HTTP 401"):
        trained(tmp_path, url)


def test_a_stage_that_trains_something_else_now_is_refused(tmp_path: Path) -> None:
    with running(job_seconds=0.1, state=tmp_path / "p") as url:
        trained(tmp_path, url)
        with pytest.raises(InputError, match="what stage 'a stage' trains"):
            trained(tmp_path, url, text=TEXT + TEXT.splitlines()[0])
        # The same lines in another stage are another training.
        trained(tmp_path, url, stage="another")
    assert created(tmp_path / "p") == 2


def test_an_interrupted_wait_leaves_the_job_to_the_next_run(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with running(job_seconds=0.3, state=tmp_path / "p") as url:
        with pytest.raises(Interrupted):
            trained(tmp_path, url, stop=stop)
        trained(tmp_path, url)
    assert created(tmp_path / "p") == 1


DYING = """
import os, signal
from pathlib import Path
from avowal.provider import files, jobs
from study_parts import trained
module, name = {"upload": (files, "upload"), "create": (jobs, "create"), "events": (jobs, "events")}[sys.argv[3]]
real = getattr(module, name)
def dying(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, dying)
trained(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
@pytest.mark.parametrize("point", ["upload", "create", "events"])
def test_a_process_that_is_killed_creates_no_second_job(tmp_path: Path, point: str) -> None:
    with running(job_seconds=0.2, state=tmp_path / "p") as url:
        killed(DYING, tmp_path, url, point)
        trained(tmp_path, url)
    assert created(tmp_path / "p") == 1
    assert rows(tmp_path, "select state, attempt from jobs") == [("succeeded", 1)]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
def test_a_job_that_a_killed_process_created_is_not_forgotten_when_the_file_changes(tmp_path: Path) -> None:
    with running(job_seconds=0.2, state=tmp_path / "p") as url:
        killed(DYING, tmp_path, url, "create")
        with pytest.raises(InputError, match="what stage 'a stage' trains"):
            trained(tmp_path, url, text=TEXT + TEXT.splitlines()[0])
        trained(tmp_path, url)
    assert created(tmp_path / "p") == 1
