"""`avowal contexts draft`: what it shows, asks, prints and exits with, and what is left when its process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from endpoint import Endpoint as Server
from endpoint import Handler, Step, asked, context, contexts, error, says, serve

from avowal.contexts import builtin, load
from avowal.draft import Task
from avowal.draft.log import UNANSWERED, writing

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]
KEY = "sk-a-key-that-must-not-be-seen-anywhere"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "drafts.json"


def cli(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [*AVOWAL, "contexts", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60, input=stdin)


def options(server: Server, file: Path, *more: object) -> list[object]:
    return ["--field", "space travel", "--base-url", server.url, "--key-env", "A_KEY", "--out", file, *more]


def test_contexts_come_in_small_batches_and_pass_the_check(file: Path) -> None:
    with serve(contexts(0), contexts(10), contexts(20)) as server:
        done = cli("draft", 12, *options(server, file, "--use", "native", "--yes"))
    assert done.returncode == 0, done.stderr
    assert "3 requests for 12 of 12 contexts to " in done.stderr
    assert "model a-model, key from A_KEY" in done.stderr
    assert "price unknown" in done.stderr
    assert done.stdout == (
        f"12 planned = 12 valid + 0 invalid + 0 failed\n12 of 12 contexts are in {file}\n"
    )  # fmt: skip
    assert [asked(body) for body in server.bodies] == [4, 4, 4]
    drafted = load(file)
    assert [each.name for each in drafted] == [f"thing{n}" for n in (0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23)]
    assert {(each.field, each.use, len(each.attributes)) for each in drafted} == {("space travel", "native", 5)}
    check = cli("check", file)
    assert (check.returncode, check.stdout) == (0, "12 contexts in 1 files, no problems\n")
    # A later request shows what the earlier ones brought.
    texts = [body["messages"][-1]["content"] for body in server.bodies]
    assert ["thing0" in text and "Agent 3" in text for text in texts] == [False, True, True]


def test_what_is_wrong_with_a_context_is_told_in_full(file: Path) -> None:
    bad = {**context(2), "name": "honey_jar", "agent": "Oscar Wilde"}
    bad["attributes"][1] |= {"min": 9, "max": 1}
    with serve(says(json.dumps({"contexts": [context(1), bad]}))) as server:
        done = cli("draft", 2, *options(server, file, "--yes"))
        again = cli("draft", 2, *options(server, file, "--yes", "--json"))
    assert done.returncode == 1
    assert done.stdout == (
        "request 1, context 2 (honey_jar): range\n"
        "  range: attributes[1].max: expected a number greater than min (9.0), found 1.0\n"
        "  name: name: expected names of contexts used once, found 'honey_jar', also in "
        "avowal/data/contexts/food.json, contexts[2] (honey_jar)\n"
        "  agent: agent: expected agents of contexts used once, found 'Oscar Wilde', also in "
        "avowal/data/contexts/clothing.json, contexts[9] (Oscar Wilde)\n"
        "2 planned = 1 valid + 1 invalid (1 range) + 0 failed\n"
        f"1 of 2 contexts are in {file}\n"
        f"1 missing: the same command again asks for as many; all replies are in {file}.replies.jsonl\n"
    ).replace("(Oscar Wilde)", f"({next(each.name for each in builtin() if each.agent == 'Oscar Wilde')})")
    # The rerun asks for one, gets two, of which the first is there already.
    document = json.loads(again.stdout)
    assert again.returncode == 1
    assert document["account"] == {"planned": 4, "valid": 1, "invalid": {"range": 2, "name": 1}, "failed": {}}
    assert [each["place"] for each in document["rejected"]][1:] == ["request 2, context 1", "request 2, context 2"]


def test_a_finished_draft_needs_no_provider(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(contexts(0)) as server:
        assert cli("draft", 3, *options(server, file, "--yes")).returncode == 0
    # As if the process had ended between the last reply and the file.
    file.unlink()
    monkeypatch.delenv("A_KEY")
    done = cli("draft", 3, *options(server, file, "--yes"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 planned = 3 valid")
    assert len(load(file)) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [(error(401, "wrong key"), "HTTP 401", 2), (error(404, "no such model"), "HTTP 404", 2)],
)
def test_what_came_before_a_refusal_is_kept(fault: Step, kind: str, code: int, file: Path) -> None:
    with serve(contexts(0), fault) as server:
        done = cli("draft", 4, *options(server, file, "--batch", 2, "--model", "m", "--yes"))
    assert done.returncode == code
    assert f"avowal: {server.url}/: {kind}: " in done.stderr
    assert f"4 planned = 2 valid + 0 invalid + 2 failed (2 {kind})\n2 of 4 contexts are in {file}" in done.stdout
    assert len(load(file)) == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows interrupts by console events")
@pytest.mark.parametrize(("kill", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_nothing_paid_for_is_lost_with_the_process(kill: signal.Signals, code: int, file: Path) -> None:
    """The process ends while its second request is in flight: the first one's contexts stay, the second is named."""
    waiting: list[bool] = [True]

    def hang(handler: Handler) -> None:
        while waiting:
            time.sleep(0.01)

    with serve(contexts(0), hang, contexts(9)) as server:
        arguments = ["draft", 4, *options(server, file, "--batch", 2, "--yes")]
        process = subprocess.Popen([*AVOWAL, "contexts", *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        while len(server.bodies) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(kill)
        assert process.wait(20) == code
        assert "Traceback" not in process.stderr.read()
        process.stderr.close()
        waiting.clear()
        assert len(load(file)) == 2
        done = cli(*arguments, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["account"] == {"planned": 6, "valid": 4, "invalid": {}, "failed": {UNANSWERED: 2}}
    assert [asked(body) for body in server.bodies] == [2, 2, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="no lock there")
def test_two_processes_dont_share_a_draft(file: Path) -> None:
    with serve(contexts(0)) as server, writing(file.with_name(f"{file.name}.replies.jsonl"), Task("space travel")):
        done = cli("draft", 2, *options(server, file, "--yes"))
    assert (done.returncode, len(server.bodies)) == (2, 0)
    assert "expected a draft that no other process works on" in done.stderr


def test_nothing_is_sent_without_a_yes(file: Path) -> None:
    with serve(contexts(0)) as server:
        for answer in ("n\n", "\n"):
            done = cli("draft", 2, *options(server, file), stdin=answer)
            assert (done.returncode, done.stdout) == (1, "")
            assert "Send them? [y/N]" in done.stderr
            assert done.stderr.endswith("nothing was sent\n")
        nobody = cli("draft", 2, *options(server, file), stdin="")
        assert nobody.returncode == 2
        assert "expected an answer, or --yes" in nobody.stderr
        assert (server.bodies, list(file.parent.iterdir())) == ([], [])
        assert cli("draft", 2, *options(server, file), stdin="y\n").returncode == 0


def test_a_model_is_needed_where_there_are_several(file: Path) -> None:
    with serve(contexts(0), models=["one", "two"]) as server:
        done = cli("draft", 2, *options(server, file, "--yes"))
        assert (done.returncode, server.bodies) == (2, [])
        assert "--model: expected one of the models of" in done.stderr
        assert "(one, two)" in done.stderr
        assert cli("draft", 2, *options(server, file, "--yes", "--model", "two")).returncode == 0
    assert server.bodies[0]["model"] == "two"


def test_the_key_is_in_no_file(file: Path) -> None:
    def echo(handler: Handler) -> None:
        says(f"{handler.headers['Authorization']}")(handler)

    with serve(echo, error(401, KEY)) as server:
        found = cli("draft", 2, *options(server, file, "--yes", "--batch", 1))
    assert found.returncode == 2
    written = [path.read_text() for path in file.parent.iterdir()]
    assert not [text for text in [found.stdout, found.stderr, *written] if KEY in text]


def test_a_models_words_dont_steer_the_terminal(file: Path) -> None:
    name = "\x1b[2Jbroken"
    with serve(says(json.dumps({"contexts": [{**context(1), "name": name, "agent": "Oscar Wilde"}]}))) as server:
        done = cli("draft", 1, *options(server, file, "--yes"))
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert r"\x1b[2Jbroken" in done.stdout
