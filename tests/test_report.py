"""The command that writes the page: from every kind of folder, with one clear line where it can't."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from filled_study import BASE, MINI, fill, folder
from sweeps import GRID

from avowal.errors import InputError
from avowal.page.pdf import browser
from avowal.page.sources import SWEEP, read
from avowal.sweep.power import power
from avowal.sweep.stored import stored

QUICK = ("--resamples", 20)


def small(path):
    fill(folder(path, base=(BASE, MINI)), until=lambda stage: stage.role == "native")
    return path


def check_of(found, *, away=0.0):
    """Return what `avowal check` would say, were Stan away from the analysis by so much."""
    rows = []
    for model, its in found["models"].items():
        for name, values in its["accuracy"].items():
            if values["slope"] is not None:
                held = {"model": model, "quantity": name, "low": 0.1, "high": 0.9, "status": "ok", "problems": []}
                rows.append(held | {"method": "MAP", "estimate": values["slope"] + away, "difference": 0.0})
                rows.append(held | {"method": "Stan", "estimate": 0.123456, "difference": 0.01})
    empty = {key: [] for key in ("weights", "predictive", "gains", "joint", "warnings", "problems")}
    return {"engine": "stanli 0.24", **empty, "accuracies": rows, "missing": {}}


def test_a_sweep_has_a_page_with_the_numbers_of_its_folder(tmp_path, command, monkeypatch):
    out = tmp_path / "sweep"
    found = power(GRID, tests=["gain", "accuracy>0.4"], replicates=20, out=out)
    again = stored(out)
    assert again.table.equals(found.table, null_equal=True)
    assert [(each.values, each.key(1, 0.95)) for each in again.sweep.cells] == [
        (each.values, each.key(1, 0.95)) for each in found.sweep.cells
    ]
    document = json.loads(command("report", out, "--json"))
    table = document["tables"]["power"]
    for row, held in zip(table["rows"], found.table.iter_rows(named=True), strict=True):
        cells = dict(zip(table["columns"], row, strict=True))
        assert (cells["cell"], cells["test"], cells["agents"]) == (held["cell"], held["test"], held["agents"])
        assert cells["power"] == {"value": held["power"], "low": held["power_low"], "high": held["power_high"]}
        assert cells["price"] == held["price"]
    monkeypatch.chdir(tmp_path)
    assert command("report", out).strip() == "report.html"
    assert 'id="chart-sweep-power"' in (tmp_path / "report.html").read_text()
    assert not (out / "report.html").exists()


def test_a_study_shows_its_own_sweep_and_why_there_is_none(tmp_path):
    folder(tmp_path)
    assert "replies=3 --out" in read(tmp_path).sweep
    power(GRID, tests=["gain"], replicates=5, out=tmp_path / SWEEP)
    assert len(read(tmp_path).sweep.table) == 2
    plan = tmp_path / SWEEP / "sweep.json"
    whole = plan.read_text()
    plan.write_text("{}")
    with pytest.raises(InputError, match=r"sweep\.json"):
        stored(tmp_path / SWEEP)
    plan.write_text(whole)
    (tmp_path / SWEEP / "power.parquet").unlink()
    assert "a finished sweep" in read(tmp_path).sweep
    with pytest.raises(InputError, match="goes on"):
        read(tmp_path / SWEEP)


def test_stan_stands_beside_and_an_outdated_check_is_told(tmp_path, command):
    small(tmp_path)
    analysis = json.loads(command("analyze", tmp_path, "--json", *QUICK))
    assert "run avowal check" in json.loads(command("report", tmp_path, "--json", *QUICK))["check"][0]
    kept = tmp_path / "tables" / "check.json"
    kept.write_text(json.dumps(check_of(analysis)))
    document = json.loads(command("report", tmp_path, "--json", *QUICK))
    held = json.loads(kept.read_text())["accuracies"]
    rows = document["tables"]["methods-accuracies"]["rows"]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (each["model"], each["method"], {"value": each["estimate"], "low": 0.1, "high": 0.9}) for each in held
    ]
    assert [each["estimate"] for each in document["figures"]["multiverse"] if each["variant"] == "slope, by Stan"] == [
        0.123456
    ] * (len(held) // 2)
    assert document["check"] == ["Stan by stanli 0.24; intervals at .95, Stan's of highest density.",
                                 "No conclusion depends on the method."]  # fmt: skip
    other = tmp_path / "other.json"
    other.write_text(json.dumps(check_of(analysis, away=0.01)))
    told = json.loads(command("report", tmp_path, "--json", *QUICK, "--check", other))["check"]
    assert "other data" in told[-1]
    assert "No conclusion" not in " ".join(told)
    nothing = check_of(analysis) | {"problems": ["everything diverged"]}
    nothing["accuracies"] = [row | {"low": None} if row["method"] == "Stan" else row for row in nothing["accuracies"]]
    other.write_text(json.dumps(nothing))
    told = json.loads(command("report", tmp_path, "--json", *QUICK, "--check", other))["check"]
    assert told[1:] == ["Problem: everything diverged"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "expected JSON"),
        ("[]", "weights: expected the document of avowal check"),
        (json.dumps({"engine": 3} | check_of({"models": {}}) | {"engine": 3}), "engine: expected the name"),
        (json.dumps(check_of({"models": {}}) | {"gains": [1]}), "gains, row 1: expected an object"),
        (json.dumps(check_of({"models": {}}) | {"problems": [5]}), "problems: expected a list of texts"),
        (
            json.dumps(check_of({"models": {}}) | {"gains": [{"estimate": float("nan")}]}),
            "row 1, estimate: expected a finite",
        ),
        (
            json.dumps(check_of({"models": {}}) | {"weights": [{"agents": 10**400}]}),
            "row 1, agents: expected a finite",
        ),
        (json.dumps(check_of({"models": {}}) | {"joint": [{"set": 1}]}), "joint, row 1, set: expected a text"),
        ("[" * 200_000, "expected JSON"),
    ],
)
def test_a_bad_check_is_told_in_one_line(tmp_path, command, text, expected):
    folder(tmp_path)
    (tmp_path / "check.json").write_text(text)
    said = command("report", tmp_path, "--check", tmp_path / "check.json", code=2)
    assert said.count("\n") == 1
    assert "check.json" in said
    assert expected in said
    assert not (tmp_path / "report.html").exists()


def test_what_is_no_source_is_told_in_one_line(tmp_path, command):
    assert "no folder" in command("report", tmp_path / "nowhere", code=2)
    assert "expected the file of at least one model" in command("report", tmp_path, code=2)
    assert "--provider: expected a study" in command("report", tmp_path, "--provider", "simulated", code=2)
    folder(tmp_path)
    (tmp_path / "study.db").write_bytes(b"no database" * 300)
    assert command("report", tmp_path, code=2).count("\n") == 1


def test_without_a_browser_the_page_is_there_and_pdf_says_what_to_install(tmp_path, command, monkeypatch):
    folder(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert browser() is None
    said = command("report", tmp_path, "--pdf", tmp_path / "page.pdf", code=2)
    assert "install one" in said
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "page.pdf").exists()


def test_a_browser_that_fails_is_told(tmp_path, command, monkeypatch):
    folder(tmp_path)
    broken = tmp_path / "bin" / "chromium"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'no display' >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:/bin:/usr/bin")
    assert shutil.which("chromium") == str(broken)
    assert "no display" in command("report", tmp_path, "--pdf", tmp_path / "page.pdf", code=2)


def test_open_shows_the_page(tmp_path, command, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    folder(tmp_path)
    command("report", tmp_path, "--open")
    assert shown == [(Path(tmp_path) / "report.html").resolve().as_uri()]


def test_a_dry_run_has_a_page_of_its_own(tmp_path, command):
    folder(tmp_path)
    told = command("report", tmp_path, "--provider", "simulated").strip()
    assert told == str(tmp_path / "simulated-run" / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_only_an_earlier_page_is_written_over(tmp_path, command):
    folder(tmp_path / "study")
    study = tmp_path / "study"
    before = (study / "study.toml").read_bytes()
    thesis, page, pdf = tmp_path / "thesis.md", tmp_path / "page.html", tmp_path / "page.pdf"
    thesis.write_text("years of work")
    for option, file in (("--html", study / "study.toml"), ("--html", thesis), ("--pdf", thesis)):
        said = command("report", study, option, file, code=2)
        assert f"{file}, {option}: expected a new file" in said
    assert ((study / "study.toml").read_bytes(), thesis.read_text()) == (before, "years of work")
    for given in (("--html", page, "--pdf", page), ("--pdf", study / "report.html")):
        assert "another file than that of the page" in command("report", study, *given, code=2)
    (tmp_path / "loop.html").symlink_to(tmp_path / "loop.html")
    assert "can be written" in command("report", study, "--html", tmp_path / "loop.html", code=2)
    page.touch()
    (tmp_path / "link.html").symlink_to(page)
    for _ in range(2):
        command("report", study, "--html", tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert b"avowal" in page.read_bytes()
    (study / "report.html").write_text("my own notes")
    assert "an earlier page" in command("report", study, code=2)
    assert f"give {study}" in command("report", study / "study.toml", code=2)
    assert not pdf.exists()


@pytest.mark.parametrize("given", [("--weights", "published"), ("--replies", "3"), ("--json", "--open")])
def test_options_that_would_change_nothing_are_refused(tmp_path, command, given):
    folder(tmp_path)
    assert given[-1 if given[0] == "--json" else 0] in command("report", tmp_path, *given, code=2)
    assert not (tmp_path / "report.html").exists()


def test_options_of_analyses_are_refused_for_a_sweep(tmp_path, command):
    power(GRID, tests=["gain"], replicates=5, out=tmp_path / "sweep")
    assert "--level: expected no option" in command("report", tmp_path / "sweep", "--level", "0.8", code=2)


def test_the_page_s_commands_make_the_page_again(tmp_path, command):
    folder(tmp_path)
    prices, check = tmp_path / "my prices.toml", tmp_path / "check.json"
    known = 'as_of = 2026-11-01\nsource = "ours"\nencoding = "o200k_base"\ninput = 0.2\noutput = 0.8\n'
    prices.write_text(f'[models."house-7b"]\n{known}')
    check.write_text(json.dumps(check_of({"models": {}})))
    told = json.loads(
        command("report", tmp_path, "--json", "--level", "0.9999999", "--prices", prices, "--check", check, *QUICK)
    )
    again = [each["command"] for each in told["commands"] if each["makes"] == "everything on it as one document"]
    words = shlex.split(again[0])
    assert words[:2] == ["avowal", "report"]
    assert json.loads(command(*words[1:])) == told
