"""The key, the headers and the paths of this machine are in nothing that a study keeps, prints or raises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import endpoint
import pytest
from runs import AVOWAL, rows, write
from storm import serving

from avowal.provider import Client, Endpoint, Policy, ProviderError
from avowal.study.run import Options, run

KEY = "sk-proj-0a1b2c3d4e5f-a-key-of-nobody"
WORDS = (KEY, KEY[:12], KEY[-12:])
HEADERS = ("Authorization", "authorization", "Bearer", "bearer ")

Command = Callable[..., str]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder whose path must not be seen, as a person does: with names relative to it."""
    (tmp_path / "someones-own-folder").mkdir()
    monkeypatch.chdir(tmp_path / "someones-own-folder")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def places(tmp_path: Path) -> list[str]:
    """Return what would tell whose machine this is."""
    return [str(tmp_path), str(tmp_path.resolve()), str(Path.home()), "someones-own-folder"]


def clean(where: str | bytes, what: str, forbidden: list[str]) -> None:
    content = where.encode() if isinstance(where, str) else where
    found = [each for each in forbidden if each.encode() in content]
    assert not found, f"{what} holds {found}"


def clean_files(folder: Path, forbidden: list[str]) -> None:
    """Look through every file of a folder, byte by byte: the database, its log and its tables too."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".env"]
    assert {"study.db", "study.toml", "study.lock"} <= {path.name for path in files}
    for path in files:
        clean(path.read_bytes(), str(path), forbidden)
        clean(str(path), "a name", [KEY])


def whole(command: Command, folder: Path) -> list[str]:
    """Carry a study out and look at it in every way there is."""
    outputs = [command("run", folder, "--yes")]
    outputs += [command("status", folder), command("status", folder, "--json"), command("plan", folder, "--json")]
    outputs += [command("analyze", folder, "--resamples", 20), command("analyze", folder, "--resamples", 20, "--json")]
    outputs.append(command("export", folder))
    return outputs


@pytest.mark.parametrize(("held", "mode"), [("environment", "sync"), (".env", "batch")])
def test_a_whole_study_keeps_its_key_to_itself(
    held: str, mode: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = ("500@completions=#3", "reset@completions=#7") if mode == "sync" else ("500=#9",)
    with serving(tmp_path / "server", *faults) as served:
        folder = write(Path("study"), f'[provider]\nbase_url = "{served.url}"\nmode = "{mode}"')
        if held == "environment":
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
        else:
            (folder / ".env").write_text(f"OPENAI_API_KEY={KEY}\n", encoding="utf-8")
        for output in whole(command, folder):
            clean(output, "an output", [*WORDS, *HEADERS, *places(tmp_path)])
        assert served.log()
    clean_files(folder, [*WORDS, *HEADERS, *places(tmp_path)])
    for path in (tmp_path / "server").iterdir():
        clean(path.read_bytes(), str(path), [*WORDS, *HEADERS])


def echo(code: int, before: str = "") -> endpoint.Step:
    """Answer with the header that held the key, in a message of any length, and in a header."""

    def step(handler: endpoint.Handler) -> None:
        told = f"{before}{handler.headers['Authorization']}"
        if code == 200:
            endpoint.says(told)(handler)
        else:
            endpoint.error(code, told, headers={"x-your-key": told})(handler)

    return step


@pytest.mark.parametrize(("code", "before"), [(400, ""), (401, "x" * 270), (429, "y " * 130), (500, "z" * 280)])
def test_an_endpoint_that_repeats_the_key_gets_it_nowhere(
    code: int, before: str, command: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    steps = [echo(200), echo(200, before), echo(code, before)]
    with endpoint.serve(*steps) as served:
        folder = write(Path("study"), "[limits]\nconcurrency = 1", url=served.url)
        found = run(folder, Options(stages=("off the shelf",), policy=Policy(attempts=2, first=0.001)))
        assert served.keys[0] == f"Bearer {KEY}"
    (reason,) = found.stopped.values()
    clean(reason, "a reason", list(WORDS))
    clean("".join(capfd.readouterr()), "what was printed", list(WORDS))
    for words in (("status", folder), ("status", folder, "--json"), ("export", folder)):
        clean(command(*words), "an output", list(WORDS))
    clean_files(folder, list(WORDS))
    ((first,),) = rows(folder, "select body from replies where failure is null order by id limit 1")
    assert json.loads(first)["choices"][0]["message"]["content"] == "Bearer [key]"


def test_an_exception_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with endpoint.serve(echo(400, "x" * 270)) as served, pytest.raises(ProviderError) as caught:
        Client(Endpoint(served.url)).complete({"model": "m", "messages": []})
    clean("".join(traceback.format_exception(caught.value)), "a traceback", list(WORDS))
    error: BaseException | None = caught.value
    while error is not None:
        clean(repr((error, vars(error))), "an exception", list(WORDS))
        error = error.__cause__ or error.__context__


def test_a_terminal_is_asked_in_a_line_of_its_own_and_no_sends_nothing() -> None:
    folder = write(Path("study"), url="http://192.0.2.1/v1")
    outer, inner = os.openpty()
    words = [*AVOWAL, "run", str(folder)]
    with subprocess.Popen(words, env={**os.environ, "OPENAI_API_KEY": KEY}, stdin=inner, stderr=inner) as asked:
        os.close(inner)
        told = b""
        while b"Go on? [y/N]:" not in told:
            told += os.read(outer, 1024)
        os.write(outer, b"n\n")
        with suppress(OSError):
            while part := os.read(outer, 1024):
                told += part
    os.close(outer)
    assert asked.returncode == 1
    assert b"Nothing was sent." in told
    clean(told.decode(), "a question", list(WORDS))


@pytest.mark.parametrize(("url", "exposed"), [("http://192.0.2.1/v1", True), ("https://192.0.2.1/v1", False)])
def test_an_address_elsewhere_is_shown_before_anything_is_sent(
    url: str, exposed: bool, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("avowal.provider.Client.send", lambda *_, **__: pytest.fail("something was sent"))
    told = command("run", write(Path("study"), url=url), code=2)
    assert f"Requests go to {url}/, with the key in OPENAI_API_KEY." in told
    assert "--yes" in told
    assert re.search(r"What is left will cost about \$\d+\.\d\d; no limit is set", told)
    assert "the limit for the study is $3.00" in command("run", "study", "--max-cost", 3, code=2)
    assert ("anyone on the way can read the prompts and the key" in told) is exposed
    clean(told, "a question", list(WORDS))
