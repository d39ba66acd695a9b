"""Whatever names and replies hold appears as text in what commands print, and steers no terminal."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from endpoint import context, error, says, serve
from filled_study import BASE, fill, folder
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from test_cli import write

from avowal.study.watch import Watch
from avowal.text import Table, plain, table

AVOWAL = [sys.executable, "-m", "avowal"]

ODD = "<img src=x onerror=alert(1)>[bold]:smile:\x1b[2J\x07\u202egnp.exe\u200f\r"
TEXT = r"<img src=x onerror=alert(1)>[bold]:smile:\x1b[2J\x07\u202egnp.exe\u200f\r"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def unfolded(printed: str) -> str:
    """Return what was printed without its line breaks and blanks: tables fold names."""
    return "".join(printed.split())


def holds(printed: str) -> None:
    assert not STEERING.search(printed)
    assert unfolded(TEXT) in unfolded(printed)


@pytest.fixture
def odd_contexts(tmp_path: Path) -> Path:
    """Return a file of one context in which every text is odd."""
    made = {**context(1), "name": ODD, "agent": ODD, "field": ODD, "question": f"{ODD}?"}
    made["attributes"][0] |= {"name": ODD, "units": ODD}
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"contexts": [made]}), encoding="utf-8")
    return path


@given(st.text())
def test_nothing_steers_and_nothing_is_lost(text: str) -> None:
    shown = plain(text)
    assert not STEERING.search(shown)
    assert "\n" not in shown
    assert plain(shown) == shown
    # What was printable stays, and the rest can be told from its escape.
    assert [letter for letter in text if letter.isprintable()] == [
        letter for letter in text if letter.isprintable() and letter in shown
    ]
    assert plain(text, lines=True).count("\n") == text.count("\n")


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="\u200c\u200d"), min_size=1))
def test_an_escape_says_which_letter_it_was(text: str) -> None:
    assert plain(text).isascii()
    assert ast.literal_eval(f"'{plain(text)}'") == text


def test_a_name_makes_no_row_of_its_own() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(table("a title\nb", ["name", "n"], [["tea\nall", "1"]]))
    assert [line.split() for line in console.file.getvalue().splitlines()[-2:]] == [[r"tea\nall", "1"], []]
    assert r"a title\nb" in console.file.getvalue()


def test_letters_of_all_scripts_stay() -> None:
    for text in ("שלום", "سلام", "می\u200cخواهم", "👩\u200d🔬", "日本　語", "naïve – “quoted”"):
        assert plain(text) == text


@pytest.mark.parametrize("columns", ["40", "80", "400"])
@pytest.mark.parametrize("words", [["list"], ["show", ODD], ["stats"]], ids=lambda words: words[0])
def test_contexts_appear_as_text(
    words: list[str], columns: str, odd_contexts: Path, command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    printed = command("contexts", *words, odd_contexts)
    if columns == "400":
        holds(printed)
    # Cells that are folded stand between each other.
    assert not STEERING.search(printed)
    assert Counter(unfolded(TEXT)) <= Counter(unfolded(printed))


def test_problems_of_contexts_appear_as_text(odd_contexts: Path, command: Callable[..., str], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(odd_contexts.read_text(encoding="utf-8"), encoding="utf-8")
    holds(command("contexts", "check", odd_contexts, other, code=2))


def test_what_is_typed_and_not_known_appears_as_text(command: Callable[..., str]) -> None:
    for words in (
        [ODD],
        ["contexts", "show", ODD],
        ["plan", ODD],
        ["power", ODD],
        ["demo", "--seed", ODD],
        [f"--{ODD}"],
    ):
        printed = command(*words, code=2)
        assert not STEERING.search(printed), words
        assert "<img src" in printed, words


def test_names_of_models_and_folders_appear_as_text(tmp_path: Path, command: Callable[..., str]) -> None:
    name = ODD.replace("\x07", "").replace("\r", "")
    place = tmp_path / "a\x1b]0;title\x07"
    place.mkdir()
    printed = command("replicate", write(place, name), "--resamples", 20)
    assert not STEERING.search(printed)
    assert unfolded(plain(name)) in unfolded(printed)
    assert r"a\x1b]0;title\x07" in unfolded(printed)


def test_replies_and_a_providers_words_appear_as_text(tmp_path: Path) -> None:
    made = {**context(1), "name": ODD, "agent": "Oscar Wilde", "units": ODD}
    for number, (step, code) in enumerate([(says(json.dumps({"contexts": [made]})), 1), (error(400, ODD), 2)]):
        for more in ([], ["-v"], ["-q"]):
            with serve(step, models=(ODD,)) as server:
                options = [
                    "--field",
                    "x",
                    "--base-url",
                    server.url,
                    "--out",
                    tmp_path / f"{number}{more}.json",
                    "--yes",
                ]
                done = subprocess.run(
                    [*AVOWAL, "contexts", "draft", "1", *map(str, options), *more], capture_output=True, text=True,
                    check=False,
                )  # fmt: skip
            assert done.returncode == code, done.stderr
            assert not STEERING.search(done.stdout + done.stderr)
            assert "<img src=x onerror=alert(1)>[bold]" in done.stdout + done.stderr
            assert r"\x1b[2J" in done.stdout + done.stderr


def test_a_studys_failures_appear_as_text(tmp_path: Path, command: Callable[..., str]) -> None:
    from avowal.study.store import Store

    fill(
        folder(tmp_path),
        spoil=lambda _stage, place, answer: replace(answer, body=ODD, failure=f"gone: {ODD}") if place == 0 else answer,
    )
    with Store.writing(tmp_path) as store:
        (name,) = store.rows("select name from stages where name like '%off the shelf'")[0]
        store.leave(name, f"HTTP 401: {ODD}")
        with store.transaction() as db:
            db.execute("insert into batches values ('b', ?, 'd', 1, 3, ?, 0, '{}')", (name, ODD))
    printed = command("status", tmp_path)
    holds(printed)
    assert unfolded(rf"stopped: HTTP 401: {TEXT}") in unfolded(printed)
    assert BASE in printed
    assert not STEERING.search(command("analyze", tmp_path, "--resamples", 20))


def test_everything_is_printed_by_the_module_that_cleans_it() -> None:
    """Only scripts, which print what they have computed, and completion, whose script a shell reads, go another way."""
    free = {"text.py", "cli.py", "commands_completion.py", "saving.py", "soundness.py", "likeness.py", "calibrate.py"}
    package = Path(sys.modules["avowal"].__file__ or "").parent
    found = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "click.secho", "print")
    }
    assert found - free == {"watch.py"}


NUMBER = re.compile(r"(?<![\w.-])[-~$]*\.?\d[\d.,]*%?")
"""A number that is no part of a name, such as that of a model with its date."""


def numbers(printed: str) -> Counter[str]:
    return Counter(each.rstrip(".,") for each in NUMBER.findall(printed))


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_narrow_terminals_lose_and_break_no_number(
    columns: int, tmp_path: Path, command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder(tmp_path / "study", base=["gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"]))
    write(tmp_path)
    commands: list[list[object]] = [
        ["replicate", tmp_path, "--resamples", 20],
        ["contexts", "stats"],
        ["contexts", "show", "honey_jar"],
        ["status", tmp_path / "study"],
        ["analyze", tmp_path / "study", "--resamples", 20],
        ["power", "agents=4,1200", "decisions=10", "--replicates", 20, "--no-charts", "--out", tmp_path / "power"],
        ["power", "--parameters"],
    ]
    for words in commands:
        monkeypatch.setenv("COLUMNS", "400")
        wide = numbers(command(*words))
        monkeypatch.setenv("COLUMNS", str(columns))
        narrow = command(*words)
        kept = [line for line in narrow.splitlines() if not line.startswith("kept in ")]
        assert max(map(len, kept)) <= columns
        lost = wide - numbers(narrow)
        # Columns that are left out are named, and a wider terminal has them.
        assert not lost or "Left out for want of room: " in narrow, (words, lost)
    assert "Left out" not in narrow


@pytest.mark.parametrize("width", [30, 60, 120])
def test_a_run_is_watched_on_terminals_of_any_width(width: int) -> None:
    watch = Watch(lambda _: None)
    stage = watch.begin("gpt-4o: decide, trained contexts, after all")
    stage.total, stage.valid, stage.invalid, stage.retries = 12345, 6789, 321, 55
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    console.print(watch.table(width))
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    # Of a narrow terminal's one line, valid replies are those that are not invalid.
    assert {"7,110", "12,345", "321", "55"} <= set(numbers(shown))


CELLS = ["1,234,567", ".54 [.47, .62]", "-.01", "a_long_name_of_something", "two words", ""]


@given(st.lists(st.lists(st.sampled_from(CELLS), min_size=4, max_size=4), min_size=1, max_size=4), st.integers(12, 90))
def test_a_table_of_any_width_has_every_number_whole(rows: list[list[str]], width: int) -> None:
    made: Table = table("title", ["first", "second header", "n", "price"], rows)
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    console.print(made)
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    assert numbers(" ".join(cell for row in rows for cell in row)) == numbers(shown)
