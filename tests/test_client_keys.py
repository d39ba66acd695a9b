"""The key comes from the environment or a file .env, stays where it is, and is shown to nobody."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from endpoint import error, says, serve

from avowal import InputError
from avowal.provider import Client, Endpoint, ProviderError

KEY = "sk-another-key-that-must-not-be-seen"
AWAY = "https://example.org/v1"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    (tmp_path / "here").mkdir()
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize(
    "line",
    ["A_KEY={}", "export A_KEY={}", "A_KEY = '{}'", 'A_KEY="{}"  # of the lab', "A_KEY={} # of the lab", "  A_KEY={}  ",
     "OTHER=1\nA_KEY=x\n# A_KEY=y\nA_KEY={}\nA_KEY_2=z", "\ufeffA_KEY={}"],
)  # fmt: skip
def test_a_line_of_a_file_is_a_key(line: str, tmp_path: Path) -> None:
    Path(".env").write_text(line.format(KEY), encoding="utf-8")
    assert Endpoint(AWAY, "A_KEY").key() == KEY
    assert "A_KEY" not in os.environ


def test_the_environment_comes_first_then_the_study_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("A_KEY=here", encoding="utf-8")
    endpoint = Endpoint(AWAY, "A_KEY")
    assert endpoint.key(tmp_path / "study") == "here"
    (tmp_path / "study" / ".env").write_text("A_KEY=study", encoding="utf-8")
    assert endpoint.key(tmp_path / "study") == "study"
    assert endpoint.key() == "here"
    monkeypatch.setenv("A_KEY", "set")
    assert endpoint.key(tmp_path / "study") == "set"


@pytest.mark.parametrize("content", [f"A_KEY={KEY}\u00e9".encode(), f"A_KEY={KEY}\xff".encode("latin-1")])
def test_a_key_that_cant_be_sent_is_refused_unseen(content: bytes) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(InputError, match=r"\.env") as caught:
        Endpoint(AWAY, "A_KEY").key()
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.__cause__)


@pytest.mark.parametrize("line", ["", "A_KEY=", "A_KEY=''", "A_KEYS=x", "#A_KEY=x", "A_KEY # x"])
def test_without_a_key_the_error_says_what_to_set(line: str) -> None:
    Path(".env").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=r"export A_KEY=\.\.\., a line of that in \.env"):
        Endpoint(AWAY, "A_KEY").key()


def test_a_key_of_a_file_is_named_by_its_place_and_seen_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "study" / ".env").write_text(f"A_KEY={KEY}", encoding="utf-8")
    lines: list[str] = []
    with serve(error(500, KEY), says(KEY), error(401, f"wrong key: {KEY}")) as server:
        client = Client(
            Endpoint(server.url, "A_KEY"), folder=tmp_path / "study", sleep=lambda _: None, tell=lines.append
        )
        reply = client.chat("m", [])
        with pytest.raises(ProviderError, match=r"The key came from the file .*\.env, A_KEY") as caught:
            client.chat("m", [])
    assert server.keys == [f"Bearer {KEY}"] * 3
    shown = [reply.body, repr(client), repr(client.endpoint), str(caught.value), caught.value.body, *lines, caplog.text]
    assert not [text for text in shown if KEY in text]
