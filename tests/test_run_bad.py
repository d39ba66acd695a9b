"""A bad study gives one clear error that names the file and the field, and nothing is sent."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from runs import BASE, rows, write

from avowal.errors import InputError
from avowal.simulated import running
from avowal.study.place import Place
from avowal.study.run import Options, run
from avowal.study.store import Store

AWAY = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-of-nobody-at-all")


def refused(command: Any, folder: Path, *names: str, options: tuple[object, ...] = ("--yes",)) -> str:
    """Run a study, hold it to one line with these names in it before anything is sent, and return that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("avowal.provider.Client.send", lambda *_, **__: pytest.fail("something was sent"))
        told = command("run", folder, *options, code=2)
    assert re.fullmatch(r"avowal: [^\n]+\n", told), told
    for name in names:
        assert name in told, told
    return told


THREE = '["talking_parrot", "ark_stalls", "gorilla_group"]'


@pytest.mark.parametrize(
    ("section", "field"),
    [
        ("[design]\ndecisons = 3", "design.decisons"),
        ("[desing]\ndecisions = 3", "desing"),
        ("[design]\nreports = -1", "design.reports"),
        ("[design]\nnative_decisions = -5", "design.native_decisions"),
        ("[contexts]\ntrained = -20", "contexts.trained"),
        ("[limits]\nspend = -1", "limits.spend"),
        ("[sampling]\nmax_tokens = 0", "sampling.max_tokens"),
        ("[training]\nseeds = [-1]", "training.seeds"),
        ('[contexts]\ntrained = ["nowhere_at_all"]', "contexts.trained"),
        ('[contexts]\nnative = ["nowhere_at_all"]', "contexts.native"),
        (f'[contexts]\ntrained = {THREE}\nfirst_fold = ["ark_stalls"]\nsecond_fold = {THREE}', "contexts.second_fold"),
        (f'[contexts]\ntrained = {THREE}\nfirst_fold = ["nowhere_at_all"]', "contexts.first_fold"),
        ('[provider]\nbase_url = "https://me:hunter2@api.example.com/v1"', "provider.base_url"),
        ('[provider]\nbase_url = "ftp://api.example.com/v1"', "provider.base_url"),
    ],
)
def test_a_bad_field_is_named(section: str, field: str, command: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "study", section)
    told = refused(command, folder, "study.toml", field)
    assert "hunter2" not in told
    assert [path.name for path in folder.iterdir()] == ["study.toml"]


def test_a_model_without_a_price(command: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "study", base='["unheard-of"]', url=AWAY)
    refused(command, folder, "unheard-of", "price")
    assert [path.name for path in folder.iterdir()] == ["study.toml"]


def test_a_file_of_contexts_that_is_not_there(command: Any, tmp_path: Path) -> None:
    refused(command, write(tmp_path / "study", '[contexts]\nfiles = ["mine.json"]'), "mine.json")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"[[models]]", b"models = 3", b""])
def test_a_file_that_is_no_study(content: bytes, command: Any, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(content)
    refused(command, tmp_path, "study.toml")


def test_no_study_at_all(command: Any, tmp_path: Path) -> None:
    refused(command, tmp_path / "nowhere", "nowhere", "study.toml")


def test_bad_options(command: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "study")
    told = refused(command, folder, "password", options=("--provider", "https://me:hunter2@example.com/v1"))
    assert "hunter2" not in told
    (tmp_path / "prices.toml").write_text(f'[models."{BASE}"]\ninput = "much"\n', encoding="utf-8")
    refused(command, folder, "prices.toml", BASE, options=("--prices", tmp_path / "prices.toml"))
    (tmp_path / "prices.toml").write_text("[models", encoding="utf-8")
    refused(command, folder, "prices.toml", options=("--prices", tmp_path / "prices.toml"))
    refused(command, folder, "part of a stage's name", options=("--stage", "nothing of the kind"))
    assert [path.name for path in folder.iterdir()] == ["study.toml"]


@pytest.mark.parametrize("content", [None, b"OPENAI_API_KEY=sk-\xff"])
def test_a_file_with_the_key_that_cant_be_read(
    content: bytes | None, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    folder = write(tmp_path / "study", url=AWAY)
    if content is None:
        (folder / ".env").mkdir()
    else:
        (folder / ".env").write_bytes(content)
    refused(command, folder, ".env")


def test_a_key_that_is_not_there(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    refused(command, write(tmp_path / "study", url=AWAY), "environment variable OPENAI_API_KEY")


def test_a_model_that_has_shut_down_by_the_list(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"as_of": "2020-01-02", "source": "a list", "models": {BASE: datetime.date(2020, 1, 1)}}
    monkeypatch.setattr("avowal.study.shutdowns._listed", lambda: listed)
    monkeypatch.setattr("avowal.provider.Client.offers", lambda _: ())
    refused(command, write(tmp_path / "study", url=AWAY), "models.base", BASE, "2020-01-01", "a list")


def test_a_model_that_has_shut_down_as_its_provider_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(shutdown={BASE: "2020-01-01"}, state=tmp_path / "server") as url:
        folder = write(tmp_path / "study", url=url)
        # A server on this machine is asked all the same, and its own words stop the stage.
        found = run(folder, Options(stages=("off the shelf",)))
        assert BASE in next(iter(found.stopped.values()))
        assert "HTTP 404" in next(iter(found.stopped.values()))
        monkeypatch.setattr(Place, "free", False)
        with pytest.raises(InputError, match=r"models\.base: .* which shut down on 2020-01-01 \(the provider's list"):
            run(write(tmp_path / "other", url=url))
    assert rows(tmp_path / "other", "select count(*) from requests") == [(0,)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of which a part has been run."""
    folder = write(tmp_path_factory.mktemp("done") / "study")
    run(folder, Options(stages=("off the shelf", "train weights")))
    return folder


@pytest.fixture
def begun(done: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be spoilt."""
    return Path(shutil.copytree(done, tmp_path / "study"))


COMMANDS = (("run",), ("status",), ("analyze", "--resamples", 5), ("export",))


def spoilt(command: Any, folder: Path, *names: str) -> None:
    for name, *options in COMMANDS:
        # A run tells of its stages, each in a line of its own, until it comes to what can't be read.
        told = command(name, folder, *options, code=2).splitlines()
        assert len(told) == 1 or name == "run"
        assert told[-1].startswith("avowal: ")
        assert all(each in told[-1] for each in ("study.db", *names)), told


def test_a_database_of_a_newer_version(begun: Path, command: Any) -> None:
    with closing(sqlite3.connect(begun / "study.db")) as db:
        db.execute("pragma user_version = 2")
    spoilt(command, begun, "a later avowal made this one")


@pytest.mark.parametrize("where", ["header", "middle", "cut", "short", "text", "other"])
def test_a_database_that_was_spoilt_by_hand(where: str, begun: Path, command: Any) -> None:
    path = begun / "study.db"
    content = bytearray(path.read_bytes())
    if where == "header":
        content[:32] = b"\0" * 32
    elif where == "middle":
        for page in range(1, len(content) // 4096):
            content[4096 * page : 4096 * page + 16] = os.urandom(16)
    elif where == "cut":
        del content[len(content) // 2 // 4096 * 4096 :]
    elif where == "short":
        del content[50:]
    elif where == "text":
        content = bytearray(b"Dear diary,\n" * 1000)
    path.write_bytes(content)
    if where == "other":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("create table diary (day text)")
    spoilt(command, begun, "a study's database that is whole")


def test_any_spoilt_page_is_an_error_or_changes_nothing(begun: Path, tmp_path: Path) -> None:
    whole = (begun / "study.db").read_bytes()
    before = rows(begun, "select key, body from replies order by id")
    for page in range(0, len(whole) // 4096, 3):
        content = bytearray(whole)
        content[4096 * page : 4096 * (page + 1)] = bytes(4096)
        (begun / "study.db").write_bytes(content)
        try:
            with Store.reading(begun) as store:
                found = store.rows("select key, body from replies order by id")
        except InputError as error:
            assert "study.db" in str(error)  # noqa: PT017 (an error is one of two good ends)
        else:
            assert found == before


def test_a_text_that_was_spoilt_within_a_page(begun: Path, command: Any) -> None:
    path = begun / "study.db"
    path.write_bytes(path.read_bytes().replace(b'"assistant"', b'"assist\xff\xfet"'))
    spoilt(command, begun)


def test_a_log_of_changes_that_is_none_is_left_aside(begun: Path, command: Any) -> None:
    before = rows(begun, "select key, body from replies order by id")
    (begun / "study.db-wal").write_bytes(b"not a log" * 1000)
    command("status", begun)
    command("run", begun, "--stage", "off the shelf")
    assert rows(begun, "select key, body from replies order by id") == before


def test_a_study_whose_training_changed_after_its_job(begun: Path, command: Any) -> None:
    path = begun / "study.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("training = 10", "training = 12"), encoding="utf-8")
    log = (begun / "simulated" / "requests.jsonl").read_bytes()
    told = command("run", begun, "--quiet", "--stage", "train weights", code=2)
    assert "put the study's file back" in told
    assert "train weights" in told
    assert "ftjob-" in told
    assert "Traceback" not in told
    assert (begun / "simulated" / "requests.jsonl").read_bytes() == log


def test_two_runs_at_once(begun: Path, command: Any) -> None:
    with Store.writing(begun):
        refused(command, begun, f"held by process {os.getpid()}", "study.lock")


@pytest.mark.parametrize("name", ["study.lock", "study.db", "training", "simulated"])
def test_something_in_the_way(name: str, command: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "study")
    (folder / name).write_text("in the way", encoding="utf-8") if "." not in name else (folder / name).mkdir()
    told = command("run", folder, "--quiet", code=2)
    assert re.search(rf"^avowal: .*{name}", told, re.MULTILINE)
    assert "Traceback" not in told


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_must_not_be_written(command: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "study")
    folder.chmod(0o500)
    refused(command, folder, "study.lock")


def test_a_disk_that_refuses(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "study")

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "plan", full)
    told = command("run", folder, "--quiet", "--stage", "off the shelf", code=2)
    assert "database or disk is full" in told
    assert "Traceback" not in told
