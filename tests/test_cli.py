"""The command line: results on standard output, refusals that name the place on standard error, and no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avowal import __version__
from avowal.cli import main

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
QUICK = ["--resamples", "20"]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*AVOWAL, *map(str, arguments)]
    env = {**ENVIRONMENT, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60, env=env)


def numbers(rng: np.random.Generator, count: int) -> list[str]:
    return [str(round(x, 1)) for x in rng.uniform(0, 10, count)]


def write(folder: Path, model: str = "m") -> Path:
    """Write a rerun with 4 contexts of 3 attributes: choices, targets and two sets of reports."""
    rng = np.random.default_rng(0)
    names = ["tea", "boat", "hat", "kite"]
    span = range(1, 4)
    ranges = [f"attr{i}_{end}" for i in span for end in ("min", "max")]
    options = [f"{side}_attribute_{i}" for side in "AB" for i in span]
    lines = {
        "scenarios.csv": [["scenario", "question", *(f"attr{i}" for i in span), *ranges]]
        + [[n, "Imagine you are Ahab. Which?", "x", "y", "z", *["0", "10"] * 3] for n in names],
        "instilled_weights.csv": [["scenario", *(f"attr{i}" for i in span)]] + [[n, "100", "-50", "9"] for n in names],
        f"{model}_instilled_selections.csv": [["model", "scenario", "selection", *options]]
        + [["tuned", n, rng.choice(["A", "B"]), *numbers(rng, 6)] for n in names for _ in range(12)],
    }
    for ending in ("weight_reports", "instilled_weight_reports"):
        lines[f"{model}_{ending}.csv"] = [
            ["explaining_model", "scenario", *(f"report_attr{i}" for i in span), *options],
            *([model, n, *numbers(rng, 3), *numbers(rng, 6)] for n in names for _ in range(3)),
        ]
    for name, rows in lines.items():
        (folder / name).write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


def test_version_and_help() -> None:
    assert run("--version").stdout == f"avowal, version {__version__}\n"
    for arguments in (["--help"], ["-h"], ["demo", "--help"], ["replicate", "-h"]):
        found = run(*arguments)
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.startswith("Usage: ")
    assert "--weights [fitted|published]" in run("replicate", "--help").stdout


def test_the_demo_is_a_study_over_http_and_goes_on_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    started = time.monotonic()
    first = run("demo", folder)
    assert time.monotonic() - started < 60
    assert first.returncode == 0, first.stderr
    assert len(first.stderr.splitlines()) == 24
    assert "gpt-4o-2024-08-06: accuracy of reports" in first.stdout
    assert re.search(r"trained +mean of the models", first.stdout)
    assert {path.name for path in folder.iterdir()} >= {"study.toml", "study.db", "tables", "training"}
    log = folder / "simulated" / "requests.jsonl"
    before = log.read_bytes()
    again = run("demo", folder)
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)
    assert log.read_bytes() == before
    other = run("demo", folder, "--seed", "2")
    assert (other.returncode, other.stdout) == (2, "")
    assert "the demo's own study, or another DIR" in other.stderr
    docs = Path(__file__).parent.parent / "docs"
    drawn = subprocess.run(
        [sys.executable, "-c", f"import picture; print(picture.picture(picture.Path({str(folder)!r})), end='')"],
        cwd=docs, capture_output=True, text=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip
    assert drawn == (docs / "picture.svg").read_text(encoding="utf-8")


def test_the_paper_is_replicated_in_json_and_text(published: Path) -> None:
    started = time.monotonic()
    found = run("replicate", published, "--json")
    assert time.monotonic() - started < 30
    assert (found.returncode, found.stderr) == (0, "")
    document = json.loads(found.stdout, parse_constant=pytest.fail)
    assert document["models"]["gpt-4o-2024-08-06"]["accuracy"]["weight_trained"]["r"] == pytest.approx(0.543, abs=0.001)
    text = run("replicate", published, *QUICK)
    assert (text.returncode, text.stderr) == (0, "")
    assert max(map(len, text.stdout.splitlines())) <= 120
    assert re.search(r"slope \(the paper's\) +\.10 \[\.01, \.19\] +\.54 \[\.47, \.62\]", text.stdout)
    assert "gpt-4o-2024-08-06: 4966 of 5000 replies valid, 34 lost (0.68%)" in text.stdout


def test_options_reach_the_settings(folder: Path) -> None:
    options = ["--seed", "7", "--level", "0.9", "--replies", "3", "--resamples", "20"]
    found = run("replicate", folder, "--json", *options)
    settings = json.loads(found.stdout)["settings"]
    assert [settings[key] for key in ("seed", "level", "replies", "resamples")] == [7, 0.9, 3, 20]
    assert run("replicate", folder, "--json", *options).stdout == found.stdout
    # Lines break where the folder's name is long.
    assert "90% intervals" in " ".join(run("replicate", folder, *options).stdout.split())


def edited(name: str, *changes: tuple[str, str], line: int | None = None) -> Callable[[Path], None]:
    """Return an edit that replaces text in a file, or in one of its lines."""

    def change(folder: Path) -> None:
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        for old, new in changes:
            places = range(len(lines)) if line is None else [line - 1]
            assert any(old in lines[i] for i in places)
            for i in places:
                lines[i] = lines[i].replace(old, new, 1)
        (folder / name).write_text("".join(lines), encoding="utf-8")

    return change


def put(name: str, content: bytes | Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content(path.read_bytes()))

    return change


def unreadable(name: str) -> Callable[[Path], None]:
    """Return an edit that makes a file unreadable: root reads any file, and no user a folder as one."""

    def change(folder: Path) -> None:
        (folder / name).chmod(0)
        if os.access(folder / name, os.R_OK):
            (folder / name).unlink()
            (folder / name).mkdir()

    return change


CHOICES, REPORTS, SCENARIOS, TARGETS = (
    "m_instilled_selections.csv", "m_weight_reports.csv", "scenarios.csv", "instilled_weights.csv",
)  # fmt: skip
A, NUMBER = r"tuned,tea,[AB],[\d.]+", r"[\d.]+"

BAD = {
    "missing column": (edited(CHOICES, ("selection", "chosen"), line=1),
                       f"{CHOICES}, line 1, selection: expected this column in the header, found none"),
    "missing report column": (edited(REPORTS, ("report_attr2", "report_b"), line=1),
                              f"{REPORTS}, line 1, report_attr2: expected this column in the header"),
    "unknown scenario": (edited(CHOICES, ("tea", "tee"), line=3),
                         f"{CHOICES}, line 3, scenario: expected one of the 4 scenarios of scenarios.csv, found 'tee'"),
    "unknown scenario of a target": (edited(TARGETS, ("hat", "cap"), line=4), f"{TARGETS}, line 4, scenario"),
    "min above max": (edited(SCENARIOS, (",0,10", ",10,0"), line=3),
                      f"{SCENARIOS}, line 3, attr1_max: expected a number greater than attr1_min, found '0'"),
    "min equals max": (edited(SCENARIOS, (",0,10", ",10,10"), line=2), f"{SCENARIOS}, line 2, attr1_max"),
    "NaN value": (put(CHOICES, lambda b: re.sub(rb"(tuned,tea,[AB]),[\d.]+", rb"\1,NaN", b, count=1)),
                  f"{CHOICES}, line 2, A_attribute_1: expected a finite number, found 'NaN'"),
    "infinite report": (put(REPORTS, lambda b: re.sub(rb"(m,tea),[\d.]+", rb"\1,inf", b, count=1)),
                        f"{REPORTS}, line 2, report_attr1: expected a finite number, found 'inf'"),
    "text for a number": (put(REPORTS, lambda b: re.sub(rb"(m,hat),[\d.]+", rb"\1,ten", b, count=1)),
                          f"{REPORTS}, line 8, report_attr1: expected a finite number, found 'ten'"),
    "empty field": (put(REPORTS, lambda b: re.sub(rb"(m,hat),[\d.]+", rb"\1,", b, count=1)),
                    f"{REPORTS}, line 8, report_attr1: expected a finite number, found an empty field"),
    "neither A nor B": (put(CHOICES, lambda b: re.sub(rb"tuned,tea,[AB]", b"tuned,tea,C", b, count=1)),
                        f"{CHOICES}, line 2, selection: expected A or B, found 'C'"),
    "duplicate attributes": (edited(SCENARIOS, (",y,", ",x,"), line=4),
                             f"{SCENARIOS}, line 4, attr2: expected an attribute name used once"),
    "scenario twice": (edited(SCENARIOS, ("boat", "tea"), line=3),
                       f"{SCENARIOS}, line 3, scenario: expected each scenario in one row, found 'tea'"),
    "column twice": (edited(CHOICES, ("selection", "scenario"), line=1), f"{CHOICES}, line 1, scenario"),
    "two models in a file": (edited(REPORTS, ("m,", "n,"), line=5),
                             f"{REPORTS}, line 5, explaining_model: expected one model in the file, 'm', found 'n'"),
    "truncated": (put(CHOICES, lambda b: b[: b.rindex(b",")][: -1].rsplit(b",", 1)[0]),
                  f"{CHOICES}, line 49: expected 9 fields, as in the header, found"),
    "unclosed quote": (edited(REPORTS, ("m,tea", '"m,tea'), line=3), f"{REPORTS}, line"),
    "latin-1": (put(SCENARIOS, lambda b: b.replace(b"kite", "gän".encode("latin-1"))),
                f"{SCENARIOS}, line 5"),
    "empty choices": (put(CHOICES, b""), f"{CHOICES}: expected a header, found an empty file"),
    "unreadable": (unreadable(REPORTS), f"{REPORTS}: expected a readable file"),
    "unreadable scenarios": (unreadable(SCENARIOS), f"{SCENARIOS}: expected a readable file"),
    "no scenarios": (lambda folder: (folder / SCENARIOS).unlink(), f"{SCENARIOS}: expected"),
    "a further attribute": (edited(REPORTS, ("B_attribute_3", "report_attr4"), line=1), f"{REPORTS}, line 1"),
}  # fmt: skip


def refused(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run in this process, expect a refusal with nothing on standard output, and return its message."""
    monkeypatch.setattr(sys, "argv", ["avowal", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_by_file_line_and_expectation(
    case: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change, message = BAD[case]
    change(folder)
    err = refused(capfd, monkeypatch, "replicate", str(folder), "--json", *QUICK)
    assert err.startswith(f"avowal: {folder}{os.sep}{message}")
    assert "expected" in err
    assert err.count("\n") == 1


def test_a_refusal_in_a_process_of_its_own(folder: Path) -> None:
    BAD["neither A nor B"][0](folder)
    found = run("replicate", folder)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"avowal: {folder / CHOICES}, line 2, selection: expected A or B, found 'C'\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "empty: expected the file of at least one model, such as MODEL_instilled_selections.csv"),
        ("nowhere", "nowhere: expected a readable folder, found No such file or directory"),
        ("a file", "a file: expected a readable folder, found Not a directory"),
    ],
)
def test_bad_folders_are_named(
    name: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a file").touch()
    assert message in refused(capfd, monkeypatch, "replicate", str(tmp_path / name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "--seed"),
        (["--seed", "x"], "--seed"),
        (["--seed", str(2**64)], "--seed"),
        (["--replies", "0"], "--replies"),
        (["--level", "0"], "--level"),
        (["--level", "1"], "--level"),
        (["--level", "nan"], "level: expected a number between 0 and 1, found NaN"),
        (["--resamples", "1"], "--resamples"),
        (["--weights", "theirs"], "--weights"),
        (["--wrong"], "--wrong"),
        (["another"], "another"),
    ],
)
def test_bad_options_are_named(
    arguments: list[str],
    message: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert message in refused(capfd, monkeypatch, "replicate", str(folder), *arguments)


def test_bad_commands_are_named(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "DIR" in refused(capfd, monkeypatch, "replicate")
    assert "bogus" in refused(capfd, monkeypatch, "bogus")
    assert "--seed" in refused(capfd, monkeypatch, "demo", "--seed", "1.5")
    assert "Usage" in refused(capfd, monkeypatch)


def test_names_appear_as_they_are(tmp_path: Path) -> None:
    model = "[red]x[bold] :smile: &<b>"
    write(tmp_path, model)
    text = run("replicate", tmp_path, *QUICK)
    assert (text.returncode, text.stderr) == (0, "")
    for heading in ("choices", "accuracy of reports"):
        assert f"{model}: {heading}" in text.stdout
    assert f"{model}: 24 of 80 replies valid" in text.stdout
    assert list(json.loads(run("replicate", tmp_path, "--json", *QUICK).stdout)["models"]) == [model]


def test_a_closing_tag_is_no_markup_error(tmp_path: Path) -> None:
    # A slash can't stand in a file's name, but in a folder's path.
    (tmp_path / "[").mkdir()
    (tmp_path / "[" / "red]").mkdir()
    text = run("replicate", write(tmp_path / "[" / "red]"), *QUICK)
    assert (text.returncode, text.stderr) == (0, "")
    assert "[/red]" in text.stdout.replace("\n", "")


def terminal(*arguments: str | Path, **environment: str) -> str:
    """Run on a terminal of its own, and return what it shows."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*AVOWAL, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    # Linux ends the reading with an error once the other side is closed, macOS with nothing read.
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode().replace("\r\n", "\n")


def test_narrow_terminals_fold_and_lose_no_number(folder: Path) -> None:
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", terminal("replicate", folder, *QUICK, COLUMNS="60"))
    assert max(map(len, plain.splitlines())) <= 60
    wide = run("replicate", folder, *QUICK).stdout
    assert set(re.findall(r"\.\d\d", wide)) <= set(re.findall(r"\.\d\d", plain))


def test_no_color_means_none(folder: Path) -> None:
    assert not re.search(r"\x1b\[[\d;]*3\dm", terminal("replicate", folder, *QUICK, NO_COLOR="1"))
    assert "\x1b" not in run("replicate", folder, *QUICK).stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_other_encodings_show_what_they_can(folder: Path, encoding: str) -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": encoding}
    for options in ([], ["--json"]):
        command = [*AVOWAL, "replicate", str(folder), *QUICK, *options]
        found = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert (found.returncode, found.stderr) == (0, b"")
        assert b"accuracy" in found.stdout
        if options:
            assert json.loads(found.stdout)["models"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no broken pipes of this kind")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_leaves_causes_no_traceback(folder: Path, options: list[str]) -> None:
    command = [*AVOWAL, "replicate", str(folder), *QUICK, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) in (0, 1)


@pytest.mark.skipif(os.name != "posix", reason="Windows interrupts by console events")
def test_an_interrupt_ends_the_engines_work_soon(folder: Path) -> None:
    # Ready once everything is imported; then half a minute of bootstrap lies ahead.
    ready = "import sys, polars, avowal.analysis.printed, avowal.published.replicate; from avowal.cli import main"
    command = [sys.executable, "-c", f"{ready}; print('ready', flush=True); main()"]
    process = subprocess.Popen(
        [*command, "replicate", str(folder), "--resamples", "60000000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 3
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "avowal: interrupted"
