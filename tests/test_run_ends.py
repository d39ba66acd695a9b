"""Ends: a run can be ended at any moment, twice if it must be, and says why it can't go on."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import endpoint
import pytest
from runs import AVOWAL, avowal, rows, write

from avowal.errors import InputError
from avowal.provider import Client, Policy, Reply, Throttle
from avowal.study import asking, workshop
from avowal.study.run import Options, run
from avowal.study.store import FILE, Store
from avowal.study.watch import Watch

SHELF = ("off the shelf",)

fcntl = pytest.importorskip("fcntl")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and locks of POSIX")


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_a_run_whose_provider_never_answers(tmp_path, sent, code):
    never = threading.Event()
    with endpoint.serve(lambda _: never.wait()) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 3", url=served.url)
        with subprocess.Popen(
            [*AVOWAL, "run", str(folder), "--stage", *SHELF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            until(lambda: len(served.bodies) == 3)
            client.send_signal(sent)
            assert "once more, and it is given up" in client.stderr.readline()
            client.send_signal(sent)
            try:
                _, err = client.communicate(timeout=20)
            finally:
                client.kill()
                never.set()
    assert client.returncode == code, err
    assert "Traceback" not in err
    assert dict(rows(folder, "select state, count(*) from requests group by 1")) == {"sent": 3, "planned": 57}
    with Store.writing(folder):
        pass
    assert rows(folder, "select sum(unsure), max(unsure) from requests") == [(3, 1)]


def test_what_a_provider_says_does_not_steer_the_terminal(tmp_path):
    told = []
    failed = {"id": "ftjob-1", "status": "failed", "error": {"message": "\x1b[2Jno\nmore [red]money[/red]"}}
    with endpoint.serve(endpoint.status(200, {"id": "file-1"}), endpoint.status(200, failed)) as served:
        served.listing = endpoint.status(200, {"data": []})
        folder = write(tmp_path / "study", url=served.url)
        real = Client.send

        def send(self, request, **options):
            if request.path == "/files" and request.method == "POST":
                return Reply('{"id": "file-1"}', 200)
            if request.path == "/fine_tuning/jobs" and request.method == "POST":
                return Reply(json.dumps(failed), 200)
            return real(self, request, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "send", send)
            found = run(folder, Options(stages=("train weights",)), watch=Watch(told.append))
    ((_, reason),) = found.stopped.items()
    assert "no more [red]money[/red]" in reason
    assert all(line.isprintable() for line in [reason, *told])


def test_a_database_that_can_not_be_written_is_one_line(tmp_path):
    folder = write(tmp_path / "study")
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); from avowal.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "study.db" in done.stderr.splitlines()[-1]
    assert "stages done" in avowal("run", folder, "--stage", SHELF[0]).replace("stage done", "stages done")


def test_an_end_while_the_database_is_made_leaves_one_that_is_made_again(tmp_path):
    folder = write(tmp_path / "study")
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("pragma journal_mode = wal")
    assert (folder / FILE).stat().st_size > 0
    with Store.reading(folder) as store:
        assert store is None
    assert len(run(folder, Options(stages=SHELF)).finished) == 1


def test_a_file_system_without_locks_is_told_from_another_run(tmp_path, monkeypatch):
    folder = write(tmp_path / "study")

    def without(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with pytest.raises(InputError, match=r"file system on which files can be locked.*No locks available"):
        run(folder, Options(stages=SHELF))


def test_one_worker_that_breaks_ends_the_others(tmp_path, monkeypatch):
    seen = []

    def breaking(body: str) -> None:
        seen.append(body)
        raise ArithmeticError("unforeseen")

    monkeypatch.setattr(asking, "usage", breaking)
    with endpoint.serve(endpoint.says("A")) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 2", url=served.url)
        with pytest.raises(ArithmeticError):
            run(folder, Options(stages=SHELF))
        assert len(served.bodies) <= 3


def test_a_wait_beyond_every_limit_stops_the_stage_and_not_the_clock(tmp_path):
    told = []
    busy = endpoint.error(429, "later", headers={"Retry-After": "100000000000"})
    with endpoint.serve(busy) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 4", url=served.url)
        found = run(folder, Options(stages=SHELF, policy=Policy(first=0.01)), watch=Watch(told.append))
        assert len(served.bodies) <= 4
    assert "would pass the limit" in next(iter(found.stopped.values()))
    assert any("the provider asks to wait" in line for line in told)


def test_a_wait_that_nobody_wants_ends():
    throttle = Throttle(1)
    assert throttle.try_acquire(1)
    given_up = threading.Event()
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(throttle.acquire(1, given_up.is_set)))
    waiting.start()
    until(lambda: throttle._waiting)
    given_up.set()
    throttle.wake()
    waiting.join(10)
    assert ended == [False]


def test_a_finished_study_is_not_looked_through_again(tmp_path, monkeypatch):
    folder = write(tmp_path / "study")
    assert len(run(folder).finished) == 12
    for name in ("requests", "build", "check_parity"):
        monkeypatch.delattr(workshop, name)
    assert len(run(folder).finished) == 12


def test_a_stage_that_the_file_asks_more_of_is_not_finished(tmp_path):
    folder = write(tmp_path / "study")
    run(folder, Options(stages=("train weights", "decide, trained")))
    design = "training = 10\nvalidation = 2\ndecisions = 9\nnative_decisions = 8\nreports = 3"
    write(folder, f"[design]\n{design}", '[training]\nintrospection = ["learned"]')
    # Training on learned weights would see eight decisions of nine.
    found = run(folder, Options(stages=("train introspection",)))
    assert found.finished == ()
    assert len(found.waiting) == 3
    assert len(run(folder, Options(stages=("decide, trained",))).finished) == 1
    assert rows(folder, "select count(*) from replies") == [(180,)]
