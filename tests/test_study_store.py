"""The database of a study: one writer, no reply asked for again, nothing lost that was written."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.study.schema import VERSION
from avowal.study.store import FILE, Answer, Request, Store


def request(number: int, key: str | None = None) -> Request:
    return Request(key or f"k{number}", "clay", number, "base", f'{{"model": "base", "n": {number}}}', 0, 100, 1)


def states(store: Store) -> dict[str, str]:
    return dict(store.rows("select key, state from requests"))


def test_what_has_a_reply_is_never_left(tmp_path):
    with Store.writing(tmp_path) as store:
        store.plan("ask", [request(n) for n in range(5)])
        store.step([], ["k0", "k1", "k2"])
        store.step([Answer("k0", "yes"), Answer("k1", "no", failure="timeout")], ["k3"])
        assert [each.key for each in store.left("ask")] == ["k1", "k4"]
    # k2 and k3 were under way when the process ended.
    with Store.writing(tmp_path) as store:
        assert [each.key for each in store.left("ask")] == ["k1", "k2", "k3", "k4"]
        assert dict(store.rows("select key, unsure from requests where unsure > 0")) == {"k2": 1, "k3": 1}
        store.plan("ask", [request(n) for n in range(6)])
        assert states(store)["k0"] == "answered"
        assert [each.key for each in store.left("ask")] == ["k1", "k2", "k3", "k4", "k5"]


def test_a_late_failure_takes_no_reply_away(tmp_path):
    with Store.writing(tmp_path) as store:
        store.plan("ask", [request(0)])
        store.step([Answer("k0", "yes")], [])
        store.step([Answer("k0", "no", failure="timeout"), Answer("k0", "again")], [])
        assert states(store) == {"k0": "answered"}
        assert store.bodies("ask") == [("k0", "yes")]
        assert store.rows("select count(*) from replies") == [(3,)]


def test_stages_share_the_reply_to_one_request(tmp_path):
    with Store.writing(tmp_path) as store:
        store.plan("one", [request(0, "same"), request(1)])
        store.step([Answer("same", "yes")], [])
        store.plan("other", [request(0, "same"), request(2)])
        assert [each.key for each in store.left("other")] == ["k2"]
        assert store.bodies("other") == [("same", "yes")]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "reply", "fail", "die"]), st.integers(0, 5)), max_size=40))
def test_the_account_adds_up_after_any_history(tmp_path_factory, history):
    folder = tmp_path_factory.mktemp("study")
    answered, under_way, unsure = set(), set(), 0

    def reopened():
        return Store.writing(folder)

    holder = reopened()
    store = holder.__enter__()
    try:
        store.plan("ask", [request(n) for n in range(6)])
        for what, number in history:
            key = f"k{number}"
            if what == "die":
                holder.__exit__(None, None, None)
                holder = reopened()
                store = holder.__enter__()
                unsure += len(under_way)
                under_way.clear()
            elif what == "send" and key not in answered | under_way:
                store.step([], [key])
                under_way.add(key)
            elif what in ("reply", "fail") and key in under_way:
                store.step([Answer(key, "body", failure=None if what == "reply" else "HTTP 500")], [])
                under_way.discard(key)
                answered |= {key} if what == "reply" else set()
        left = {each.key for each in store.left("ask")}
        assert left | under_way | answered == {f"k{n}" for n in range(6)}
        assert not left & (answered | under_way)
        assert store.rows("select sum(unsure) from requests") == [(unsure,)]
    finally:
        holder.__exit__(None, None, None)


HOLD = """
import sys, time
from pathlib import Path
from avowal.study.store import Store
with Store.writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_writer_is_told_who_the_first_is(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        told = rf"no other process runs \(held by process {other.pid}, since 20"
        with pytest.raises(InputError, match=told), Store.writing(tmp_path):
            pass
        # Whoever only looks is let in meanwhile.
        with Store.reading(tmp_path) as store:
            assert store.rows("select count(*) from requests") == [(0,)]
        os.kill(other.pid, signal.SIGKILL)
    with Store.writing(tmp_path):
        pass


def test_a_folder_without_a_run_holds_nothing(tmp_path):
    with Store.reading(tmp_path) as store:
        assert store is None


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {VERSION + 1}")


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("create table other (x)")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damaged, "database that is whole"),
        (lambda path: path.write_bytes(b"not a database" * 1000), "file is not a database"),
        (newer, f"found {VERSION + 1}"),
        (foreign, "another database"),
    ],
)
@pytest.mark.parametrize("way", [Store.writing, Store.reading])
def test_a_spoilt_database_is_one_clear_error(tmp_path, spoil, told, way):
    with Store.writing(tmp_path) as store:
        store.plan("ask", [request(n) for n in range(300)])
    for beside in tmp_path.glob(f"{FILE}-*"):
        beside.unlink()
    spoil(tmp_path / FILE)
    with pytest.raises(InputError, match=told) as error, way(tmp_path):
        pass
    assert str(tmp_path / FILE) in str(error.value)


def test_threads_write_without_losing_each_others_replies(tmp_path):
    with Store.writing(tmp_path) as store:
        store.plan("ask", [request(n) for n in range(200)])

        def work(first: int) -> None:
            for n in range(first, 200, 4):
                store.step([], [f"k{n}"])
                store.step([Answer(f"k{n}", str(n))], [])

        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert store.left("ask") == []
        assert sorted(store.bodies("ask")) == sorted((f"k{n}", str(n)) for n in range(200))


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    with Store.writing(tmp_path) as store:
        store.plan("ask", [request(0)])
        with pytest.raises(sqlite3.Error):
            store.step([Answer("k0", "yes"), Answer("k0", None)], [])
        assert store.rows("select count(*) from replies") == [(0,)]
        store.step([Answer("k0", "yes")], [])
        assert states(store) == {"k0": "answered"}
