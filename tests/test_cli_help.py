"""The help is a map, every command has an example that can be typed, and options mean the same everywhere."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from endpoint import contexts, error, serve
from filled_study import fill, folder
from test_cli import write

from avowal.cli import app
from avowal.commands import MAP, command
from avowal.progress import LOG, Volume, volume

AVOWAL = [sys.executable, "-m", "avowal"]

PRINTS_NO_DOCUMENT = {"init", "serve", "completion"}
"""What these print is a path, an address, or a script: one line, or nothing that a program would take apart."""


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from walk(found, (*path, name))


COMMANDS = dict(walk(app))
LEAVES = {path: found for path, found in COMMANDS.items() if not isinstance(found, click.Group)}


def words(path: tuple[str, ...]) -> str:
    return " ".join(path)


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [*AVOWAL, *map(str, arguments)], capture_output=True, text=True, check=False, env={**env, **environment}
    )


def test_the_help_is_the_map_with_one_line_for_each_command() -> None:
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    places = []
    for title, section in MAP.items():
        places.append(lines.index(f"{title}:"))
        for entry in section:
            (place,) = [n for n, line in enumerate(lines) if re.match(rf"  {entry.name} ", line)]
            assert lines[place].split(maxsplit=1) == [entry.name, entry.line]
            places.append(place)
    assert places == sorted(places)
    assert max(map(len, lines)) < 80


def test_the_help_imports_no_command() -> None:
    code = "import sys; from avowal.cli import app; app(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "avowal.commands'" in shown.stdout
    assert not re.findall(r"'(avowal\.commands_\w+|polars|numpy|rich|openai|altair|sqlite3)'", shown.stdout)


def test_every_line_of_the_map_leads_to_a_command_of_its_name() -> None:
    for section in MAP.values():
        for entry in section:
            found = command(entry.name)
            assert found is not None
            assert found.name == entry.name
    assert command("nothing") is None


def examples(found: click.Command) -> list[str]:
    return re.findall(r"^(?:\W*Example: |  )(avowal [^\n]*)$", (found.help or "").replace("\b", ""), re.MULTILINE)


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=words)
def test_every_command_has_an_example_that_can_be_typed(path: tuple[str, ...]) -> None:
    found = COMMANDS.get(path, app)
    told = examples(found)
    assert told
    assert all(f"avowal {words(path)}".strip() in each for each in told)
    shown = run(*path, "--help").stdout
    for each in told:
        # Lines of the help are folded.
        assert each in " ".join(shown.split())
        context, typed = click.Context(app), shlex.split(each.partition(" > ")[0])[1:]
        group: click.Command = app
        while isinstance(group, click.Group):
            _, group, typed = group.resolve_command(context, typed)
            assert group is not None
        with group.make_context(group.name, typed):
            pass


@pytest.mark.parametrize("path", LEAVES, ids=words)
def test_every_command_takes_quiet_and_verbose_but_not_both(path: tuple[str, ...]) -> None:
    opts = [each for found in LEAVES[path].params for each in found.opts]
    assert all(opts.count(each) == 1 for each in ("-q", "--quiet", "-v", "--verbose"))


@pytest.mark.parametrize("path", LEAVES, ids=words)
def test_every_command_prints_json_where_a_program_would_read_it(path: tuple[str, ...]) -> None:
    opts = {each for found in LEAVES[path].params for each in found.opts}
    assert ("--json" in opts) is (path[0] not in PRINTS_NO_DOCUMENT)


@pytest.mark.parametrize("arguments", [["-q", "-v"], ["-v", "--quiet"], ["--verbose", "-q"]])
def test_quiet_and_verbose_contradict_each_other(arguments: list[str], command: Callable[..., str]) -> None:
    before = logging.getLogger(LOG).handlers[:]
    assert "give one of them" in command("contexts", "stats", *arguments, code=2)
    assert logging.getLogger(LOG).handlers == before
    assert volume() is Volume.NORMAL


def test_a_command_that_does_not_exist_is_told_what_may_be_meant(command: Callable[..., str]) -> None:
    assert "did you mean plan?" in command("plam", code=2)
    assert "avowal --help lists all commands" in command("xyzzy", code=2)


def test_lists_of_contexts_as_documents(command: Callable[..., str], tmp_path: Path) -> None:
    listed = json.loads(command("contexts", "list", "--field", "food", "--json"))["contexts"]
    assert {each["field"] for each in listed} == {"food"}
    assert len(listed) == 10
    shown = json.loads(command("contexts", "show", listed[0]["name"], "--json"))
    assert shown["agent"] == listed[0]["agent"]
    assert len(shown["attributes"]) == 5
    counted = json.loads(command("contexts", "stats", "--json"))
    assert counted["all"]["contexts"] == 240
    assert sum(each["contexts"] for field, each in counted.items() if field != "all") == 240
    assert json.loads(command("contexts", "check", "--json"))["problems"] == []
    bad = tmp_path / "bad.json"
    bad.write_text("[]", encoding="utf-8")
    (problem,) = json.loads(command("contexts", "check", bad, "--json", code=2))["problems"]
    assert (problem["kind"], problem["file"]) == ("format", str(bad))
    held = json.loads(command("power", "--parameters", "--json"))
    assert set(held["parameters"]) == {"gpt-4o", "gpt-4o-mini"}
    assert "agents" in held["names"]


POWER = ["power", "agents=4", "decisions=10", "--replicates", 20, "--no-charts"]


def test_verbose_tells_how_far_it_is_where_there_is_no_terminal(tmp_path: Path) -> None:
    normal = run(*POWER, "--out", tmp_path / "one")
    verbose = run(*POWER, "--out", tmp_path / "two", "-v")
    quiet = run(*POWER, "--out", tmp_path / "three", "-q")
    assert [each.returncode for each in (normal, verbose, quiet)] == [0, 0, 0]
    assert normal.stderr == quiet.stderr == ""
    assert re.fullmatch(r"(simulating: [\d,]+ of [\d,]+\n){1,10}", verbose.stderr)
    shown = {each.stdout.replace(name, "") for each, name in ((normal, "one"), (verbose, "two"), (quiet, "three"))}
    assert len(shown) == 1


def drafted(folder: Path, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    with serve(error(503), contexts(0)) as server:
        options = ["--field", "travel", "--base-url", server.url, "--out", folder / name, "--yes", *more]
        done = run(
            "contexts", "draft", 2, *options,
            OPENAI_API_KEY="sk-a-key-that-must-not-be-seen-anywhere",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "must-not-be-seen" not in done.stdout + done.stderr
    return done


def test_verbose_tells_of_every_request_and_wait_and_quiet_of_none(tmp_path: Path) -> None:
    normal, verbose, quiet = (drafted(tmp_path, *each) for each in (("a",), ("b", "-v"), ("c", "-q")))
    assert normal.stderr.count("HTTP 503 from") == 1
    assert "POST" not in normal.stderr
    assert "2 of 2 contexts are good" in normal.stderr
    assert verbose.stderr.count("; waiting") == 1
    requests = re.findall(r"^(?:GET|POST) .*$", verbose.stderr, re.MULTILINE)
    assert [re.sub(r"\d+\.\d\d s", "S", each) for each in requests] == [
        "GET /models: 200 in S",
        "POST /chat/completions: HTTP 503 in S",
        "POST /chat/completions: 200 in S",
    ]
    assert "waiting" not in quiet.stderr
    assert "are good" not in quiet.stderr
    # What a person has to know before money is spent stays.
    assert "price unknown" in quiet.stderr
    assert len({each.stdout.replace(str(tmp_path / name), "") for each, name in ((normal, "a"), (quiet, "c"))}) == 1


def test_losses_beyond_the_threshold_are_failures_to_the_strict(tmp_path: Path, command: Callable[..., str]) -> None:
    (tmp_path / "files").mkdir()
    files, study = write(tmp_path / "files"), folder(tmp_path / "study")
    fill(study)
    # 24 of 80 replies are valid, and of the study all of them.
    for words, strict in ((["replicate", files], 1), (["analyze", study], 0)):
        for more in ([], ["--json"]):
            loose = command(*words, "--resamples", 20, *more)
            assert command(*words, "--resamples", 20, *more, "--strict", code=strict) == loose


def test_files_of_an_export_as_a_document(tmp_path: Path, command: Callable[..., str]) -> None:
    fill(folder(tmp_path))
    told = json.loads(command("export", tmp_path, "--json"))
    assert told["format"] == "parquet"
    assert {Path(each).suffix for each in told["files"]} == {".parquet"}
    assert all(Path(each).exists() for each in told["files"])
    assert command("export", tmp_path).splitlines() == told["files"]


def test_a_run_tells_how_it_ended_as_a_document(tmp_path: Path) -> None:
    assert run("init", tmp_path / "mine", "--template", "small").returncode == 0
    with serve(error(401, "no")) as server:
        file = tmp_path / "mine" / "study.toml"
        text = re.sub(r'base_url = ".*"', f'base_url = "{server.url}"', file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
        done = run("run", tmp_path / "mine", "--stage", "off the shelf", "--json", "--yes", OPENAI_API_KEY="sk-none")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["finished"] == told["waiting"] == []
    assert all("HTTP 401" in reason for reason in told["stopped"].values())
    assert any("off the shelf" in name for name in told["stopped"])
    assert told["spent"] == "0"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_taught_to_complete(shell: str) -> None:
    script = run("completion", shell)
    assert script.returncode == 0
    assert f"_AVOWAL_COMPLETE={shell}_complete" in script.stdout
    typed = {"COMP_WORDS": "avowal st", "COMP_CWORD": "st" if shell == "fish" else "1"}
    answer = run(_AVOWAL_COMPLETE=f"{shell}_complete", **typed)
    assert "status" in re.split(r"[,\s]", answer.stdout)
    assert "plan" not in answer.stdout
    options = run(
        _AVOWAL_COMPLETE=f"{shell}_complete",
        COMP_WORDS="avowal run --max",
        COMP_CWORD="--max" if shell == "fish" else "2",
    )
    assert "--max-cost" in options.stdout


def test_an_unknown_shell_is_told_which_ones_there_are(command: Callable[..., str]) -> None:
    assert "'bash', 'zsh', 'fish'" in command("completion", "tcsh", code=2)


def test_the_package_runs_as_the_command_does() -> None:
    assert run("--version").stdout.startswith("avowal, version ")
    assert run("run", "--help").stdout.startswith("Usage: avowal run ")
    assert "Usage: avowal [OPTIONS]" in run("bogus").stderr
