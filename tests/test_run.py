"""A run: it asks everything once, survives its end at any moment, and stops where it should."""

import signal
import subprocess
import time
from decimal import Decimal

import endpoint
import pytest
from runs import AVOWAL, BASE, avowal, bodies, provider, rows, write

from avowal.errors import InputError
from avowal.prices import parse
from avowal.provider import Policy
from avowal.study.run import Options, run

STAGES = 12
REQUESTS = 60 + 160 + 24 + 60 + 9 + 30 + 30 + 9


def states(folder):
    return dict(rows(folder, "select state, count(*) from requests group by 1"))


def test_a_study_runs_to_its_end_and_a_second_run_finds_nothing_to_do(tmp_path):
    folder = write(tmp_path / "study")
    out = avowal("run", folder)
    assert f"{STAGES} stages done, $0.00 spent in all." in out
    assert states(folder) == {"answered": REQUESTS}
    assert rows(folder, "select count(*) from replies") == [(REQUESTS,)]
    assert rows(folder, "select sum(unsure) from requests") == [(0,)]
    log = folder / "simulated" / "requests.jsonl"
    before = log.read_bytes()
    assert f"{STAGES} stages done" in avowal("run", folder)
    assert log.read_bytes() == before
    assert sorted(path.name for path in (folder / "training").iterdir()) == [
        f"{BASE}-train-introspection-all-targets.jsonl",
        f"{BASE}-train-introspection-first-fold-targets.jsonl",
        f"{BASE}-train-introspection-second-fold-targets.jsonl",
        f"{BASE}-train-weights-validation.jsonl",
        f"{BASE}-train-weights.jsonl",
    ]


def test_every_request_is_sent_once_whoever_serves(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        avowal("run", folder)
        assert served.sent() == {body: len(keys) for body, keys in bodies(folder).items()}


def test_progress_is_one_line_for_each_stage_where_nobody_looks(tmp_path):
    folder = write(tmp_path / "study")
    done = subprocess.run([*AVOWAL, "run", str(folder)], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert len(lines) == STAGES
    assert any(line.startswith(f"{BASE}: decide, trained contexts: 160 of 160 replies") for line in lines)


def test_a_dry_run_leaves_the_study_itself_alone(tmp_path):
    folder = write(tmp_path / "study", url="https://api.example.com/v1")
    assert f"{STAGES} stages done" in avowal("run", folder, "--provider", "simulated")
    assert sorted(path.name for path in folder.iterdir()) == ["simulated-run", "study.toml"]
    assert states(folder / "simulated-run") == {"answered": REQUESTS}


def test_a_study_holds_the_replies_of_one_provider(tmp_path):
    folder = write(tmp_path / "study")
    run(folder, Options(stages=("off the shelf",)))
    with pytest.raises(InputError, match="simulated, whose replies the study holds"):
        run(folder, Options(provider="http://127.0.0.1:9/v1"))


def test_nothing_is_paid_for_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-secret-secret")
    folder = write(tmp_path / "study", url="https://api.example.com/v1")
    done = subprocess.run(
        [*AVOWAL, "run", str(folder)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 2
    assert "Requests go to https://api.example.com/v1" in done.stderr
    assert "--yes" in done.stderr
    assert "secret" not in done.stderr
    assert states(folder) == {}


def test_a_part_of_a_study_runs_by_name(tmp_path):
    folder = write(tmp_path / "study")
    found = run(folder, Options(stages=("off the shelf", "train weights")))
    assert len(found.finished) == 2
    assert states(folder) == {"answered": 60}
    found = run(folder, Options(stages=("weight-trained",)))
    assert [name.split(": ")[1] for name in found.finished] == ["report, weight-trained"]
    with pytest.raises(InputError, match="part of a stage's name"):
        run(folder, Options(stages=("nothing of the kind",)))
    found = run(folder, Options(stages=("after all",)))
    assert found.finished == ()
    assert len(found.waiting) == 1


PRICES = f"""
[models."{BASE}"]
as_of = 2026-01-01
source = "a test"
encoding = "o200k_base"
input = 1000
output = 1000
training = 0
tuned_input = 1000
tuned_output = 1000
"""


def test_a_run_stops_before_it_has_cost_too_much(tmp_path):
    table = parse(PRICES, "prices.toml")
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        found = run(folder, Options(stages=("off the shelf",), max_cost=Decimal(5), prices=table))
        assert "the spending limit of $5.00" in next(iter(found.stopped.values()))
        assert Decimal("4.5") < found.spent <= 5
        done = states(folder)["answered"]
        assert 0 < done < 60
        assert states(folder) == {"answered": done, "planned": 60 - done}
        found = run(folder, Options(stages=("off the shelf",), max_cost=Decimal(100), prices=table))
        assert found.stopped == {}
        assert 10 < found.spent < 100
        assert sum(served.sent().values()) == 60


def test_a_refused_request_stops_its_stage_with_the_providers_words(tmp_path):
    steps = [endpoint.says("A"), endpoint.says("A"), endpoint.error(400, "no such parameter: temperature")]
    with endpoint.serve(*steps) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 1", url=served.url)
        found = run(folder, Options(stages=("off the shelf",), policy=Policy(first=0.01)))
    ((_, reason),) = found.stopped.items()
    assert "no such parameter: temperature" in reason
    assert states(folder) == {"answered": 2, "failed": 1, "planned": 57}
    assert len(served.bodies) == 3
    ((failure, status),) = rows(folder, "select failure, status from replies where failure is not null")
    assert (failure, status) == ("HTTP 400", 400)


def test_nobody_asks_on_where_nobody_answers(tmp_path):
    with endpoint.serve(endpoint.error(503)) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 3", url=served.url)
        found = run(folder, Options(stages=("off the shelf",), policy=Policy(attempts=2, first=0.01)))
        assert len(served.bodies) <= 2 * 5
    assert "HTTP 503" in next(iter(found.stopped.values()))
    assert states(folder)["planned"] >= 55


def test_what_failed_for_a_while_is_asked_again_in_the_same_run(tmp_path):
    steps = [endpoint.says("A")] * 5 + [endpoint.error(500)] + [endpoint.says("A")]
    with endpoint.serve(*steps) as served:
        folder = write(tmp_path / "study", "[limits]\nconcurrency = 2", url=served.url)
        found = run(folder, Options(stages=("off the shelf",), policy=Policy(attempts=1, first=0.01)))
    assert found.stopped == {}
    assert states(folder) == {"answered": 60}
    assert rows(folder, "select count(*) from replies where failure = 'HTTP 500'") == [(1,)]


def test_ctrl_c_keeps_what_was_under_way(tmp_path):
    with provider(tmp_path / "server", "--fault", "slow@completions=1:0.15") as served:
        folder = write(tmp_path / "study", url=served.url)
        with subprocess.Popen(
            [*AVOWAL, "run", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and len(served.log() if served.begun() else []) < 30:
                time.sleep(0.05)
            client.send_signal(signal.SIGINT)
            _, err = client.communicate(timeout=30)
        assert client.returncode == 130, err
        assert "Traceback" not in err
        assert states(folder).get("sent", 0) == 0
        assert sum(served.sent().values()) == states(folder)["answered"] > 0
        avowal("run", folder)
        assert served.sent() == {body: len(keys) for body, keys in bodies(folder).items()}
    assert rows(folder, "select sum(unsure) from requests") == [(0,)]


def test_two_runs_at_once(tmp_path):
    with provider(tmp_path / "server", "--fault", "slow@completions=1:0.1") as served:
        folder = write(tmp_path / "study", url=served.url)
        with subprocess.Popen(
            [*AVOWAL, "run", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as first:
            while not (folder / "study.db").exists():
                time.sleep(0.02)
            second = subprocess.run([*AVOWAL, "run", str(folder)], capture_output=True, text=True, check=False)
            first.send_signal(signal.SIGTERM)
            first.communicate(timeout=30)
    assert second.returncode == 2
    assert f"held by process {first.pid}" in second.stderr
    assert first.returncode == 143


def test_a_changed_study_is_refused_before_anything_is_sent_that_rests_on_it(tmp_path):
    folder = write(tmp_path / "study")
    run(folder, Options(stages=("off the shelf", "train weights")))
    log = folder / "simulated" / "requests.jsonl"
    before = log.read_bytes()
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("training = 10", "training = 11"))
    with pytest.raises(InputError, match="train weights' trains: expected what its job was created for"):
        run(folder)
    assert log.read_bytes() == before
    assert states(folder) == {"answered": 60}
