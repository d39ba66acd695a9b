"""Whatever goes wrong at the provider, each request ends in one reply, one typed failure, or a stage that says why."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from runs import BASE, Provider, rows, write
from storm import FAULTS, decide, serving, weathered

from avowal.provider import Policy
from avowal.study.collect import collect
from avowal.study.config import read
from avowal.study.run import Options, Outcome, run
from avowal.study.store import Store

DECIDE = f"{BASE}: decide, native contexts"
TRAIN = f"{BASE}: train weights"
QUICK = Policy(first=0.01)


def small(folder: Path, url: str, *, trained: int = 0, mode: str = "sync") -> Path:
    """Write a study of 20 decisions and 4 reports of a model as it is, or of one that is trained."""
    return write(
        folder,
        f"[contexts]\ntrained = {trained}\nnative = 4",
        "[design]\ntraining = 10\nvalidation = 0\nnative_decisions = 5\nreports = 1",
        "[limits]\nconcurrency = 4",
        f'[provider]\nbase_url = "{url}"\nmode = "{mode}"',
    )


def asked(folder: Path, *stages: str, timeout: float = 600.0) -> Outcome:
    return run(folder, Options(stages=stages, policy=QUICK, timeout=timeout))


def invalid(folder: Path, stage: str) -> dict[str, int]:
    """Return how many replies of a stage say nothing, by type; all others are valid."""
    with Store.reading(folder) as store:
        found = {each.stage.name: each.requests for each in collect(store, read(folder)).stages}[stage]
    assert found.planned == found.valid + sum(found.invalid.values())
    return dict(found.invalid)


def created(served: Provider, path: str) -> int:
    """Count what was created at a path, whether or not its answer came."""
    wanted = ("POST", f"/v1/{path}", 200)
    return sum((each["method"], each["path"], each["status"]) == wanted for each in served.log())


def completions(served: Provider) -> list[dict]:
    return [each for each in served.log() if each["path"] == "/v1/chat/completions"]


def retries(folder: Path) -> list[list[str]]:
    """Return the failures before each reply, where there were any."""
    return [json.loads(told) for (told,) in rows(folder, "select retries from replies where retries != '[]'")]


def test_two_hundred_requests_in_a_storm(tmp_path: Path) -> None:
    with serving(tmp_path / "server", *FAULTS) as served:
        assert not decide(tmp_path / "study", served.url, 20, 10).stopped
        failures = weathered(tmp_path / "study", served, 200)
    assert set(failures) == {"HTTP 429", "HTTP 500", "no connection", "unreadable"}


def test_nobody_sends_before_retry_after_is_over(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "429@completions=#9:2") as served:
        asked(small(tmp_path / "study", served.url), DECIDE)
        log = completions(served)
    told = [each["time"] for each in log]
    (place,) = [n for n, each in enumerate(log) if each["status"] == 429]
    # What was under way then is answered at once.
    assert all(each < told[place] + 0.8 or each >= told[place] + 2 for each in told[place:])
    assert 0 < sum(each >= told[place] + 2 for each in told) <= 21 - 9
    assert retries(tmp_path / "study") == [["HTTP 429"]]


def test_a_slow_answer_is_waited_for_and_one_that_takes_too_long_is_asked_for_again(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "slow@completions=#3:0.4", "slow@completions=#7:2") as served:
        asked(small(tmp_path / "study", served.url), DECIDE, timeout=1.0)
        # The log tells of a request when it is answered.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and len(completions(served)) < 21:
            time.sleep(0.05)
        assert len(completions(served)) == 21
    assert rows(tmp_path / "study", "select state, count(*) from requests group by 1") == [("answered", 20)]
    assert retries(tmp_path / "study") == [["timeout"]]
    ((seconds,),) = rows(tmp_path / "study", "select max(seconds) from replies where retries = '[]'")
    assert 0.4 < seconds < 1


def test_a_page_in_place_of_a_reply_is_no_reply(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "wrong-type@completions=#2-4") as served:
        assert not asked(small(tmp_path / "study", served.url), DECIDE).stopped
        assert len(completions(served)) == 23
    assert rows(tmp_path / "study", "select count(*) from replies where body like '%<html%'") == [(0,)]
    assert sorted(kind for each in retries(tmp_path / "study") for kind in each) == ["unreadable"] * 3


def test_an_account_with_nothing_left_stops_the_stage_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with serving(tmp_path / "server", "quota@completions=#6") as served:
        found = asked(small(folder, served.url), DECIDE)
        # No worker begins another request, and this one is not tried again.
        assert len(completions(served)) <= 6 + 3
        assert "You exceeded your current quota, please check your plan and billing details" in found.stopped[DECIDE]
        assert "nothing was sent again" in found.stopped[DECIDE]
        states = dict(rows(folder, "select state, count(*) from requests group by 1"))
        assert states["failed"] == 1
        assert states["answered"] == len(completions(served)) - 1
        assert asked(folder, DECIDE).finished == (DECIDE,)
        assert len(completions(served)) == 21
    assert rows(folder, "select failure from replies where failure is not null") == [("HTTP 429",)]


@pytest.mark.parametrize(
    ("fault", "decisions", "reports"),
    [
        ("refuse", "refused", "refused"),
        ("malformed", "other text", "invalid JSON"),
        ("empty", "empty", "empty"),
        ("cut", "truncated", "truncated"),
        ("filtered", "filtered", "filtered"),
    ],
)
def test_a_reply_that_says_nothing_is_a_typed_failure(tmp_path: Path, fault: str, decisions: str, reports: str) -> None:
    with serving(tmp_path / "server", f"{fault}@completions=#1-7+21-22") as served:
        found = asked(small(tmp_path / "study", served.url), "native contexts")
        assert not found.stopped
        assert len(completions(served)) == 24
    assert invalid(tmp_path / "study", DECIDE) == {decisions: 7}
    assert invalid(tmp_path / "study", f"{BASE}: report, native contexts").get(reports, 0) >= 2
    assert retries(tmp_path / "study") == []


def test_a_failed_job_stops_its_stage_and_the_next_run_makes_another(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "job-fails=#1") as served:
        folder = small(tmp_path / "study", served.url, trained=20)
        found = asked(folder, TRAIN)
        assert "The job failed due to an internal error" in found.stopped[TRAIN]
        assert rows(folder, "select state from stages") == [("stopped",)]
        found = asked(folder, TRAIN)
        assert found.finished == (TRAIN,)
        assert created(served, "fine_tuning/jobs") == 2
    assert rows(folder, "select attempt, state from jobs order by 1") == [(1, "failed"), (2, "succeeded")]


def test_a_job_whose_creation_got_no_answer_is_adopted(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "create-timeout=#1") as served:
        folder = small(tmp_path / "study", served.url, trained=20)
        assert asked(folder, TRAIN, timeout=0.5).finished == (TRAIN,)
        assert created(served, "fine_tuning/jobs") == 1
    assert rows(folder, "select attempt, state from jobs") == [(1, "succeeded")]


def test_a_batch_whose_creation_got_no_answer_is_adopted(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "create-timeout=#1") as served:
        folder = small(tmp_path / "study", served.url, mode="batch")
        assert asked(folder, DECIDE, timeout=0.5).finished == (DECIDE,)
        assert created(served, "batches") == 1
    assert rows(folder, "select count(*), count(distinct key), count(failure) from replies") == [(20, 20, 0)]


@pytest.mark.parametrize(("fault", "lacking"), [("batch-expires=#1", 10), ("batch-partial=#1", 1)])
def test_what_a_batch_lacks_goes_into_the_next(tmp_path: Path, fault: str, lacking: int) -> None:
    with serving(tmp_path / "server", fault) as served:
        folder = small(tmp_path / "study", served.url, mode="batch")
        assert asked(folder, DECIDE).finished == (DECIDE,)
        assert created(served, "batches") == 2
    assert rows(folder, "select requests from batches order by attempt") == [(20,), (lacking,)]
    assert rows(folder, "select count(*), count(distinct key) from replies where failure is null") == [(20, 20)]
    assert rows(folder, "select count(*) from replies where failure is not null") == [(lacking,)]


def test_a_batch_that_fails_stops_its_stage_and_the_next_run_makes_another(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "batch-fails=#1") as served:
        folder = small(tmp_path / "study", served.url, mode="batch")
        found = asked(folder, DECIDE)
        assert "failed: " in found.stopped[DECIDE]
        assert rows(folder, "select count(*) from replies") == [(0,)]
        assert asked(folder, DECIDE).finished == (DECIDE,)
        assert created(served, "batches") == 2
    assert rows(folder, "select count(*), count(distinct key), count(failure) from replies") == [(20, 20, 0)]
