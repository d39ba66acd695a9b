"""A study whose client is killed fifty times ends as one that nobody disturbed, and nothing is paid for in vain."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from runs import AVOWAL, Provider, avowal, bodies, provider, rows, write

pytestmark = pytest.mark.slow

KILLS = 25
CONCURRENCY = 4
TABLES = ("choices", "reports", "weights", "targets", "accuracies")


def study(folder: Path, url: str, mode: str) -> Path:
    design = "training = 10\nvalidation = 2\ndecisions = 30\nnative_decisions = 30\nreports = 6"
    return write(
        folder,
        "[contexts]\ntrained = 20\nnative = 4",
        f"[design]\n{design}\ndecide_again = true",
        '[training]\nintrospection = ["targets", "learned"]',
        f"[limits]\nconcurrency = {CONCURRENCY}",
        f'[provider]\nbase_url = "{url}"\nmode = "{mode}"',
    )


def disturbed(folder: Path, draws: random.Random) -> None:
    """Run a study to its end, killing it at random moments before."""
    kills = 0
    while True:
        with subprocess.Popen(
            [*AVOWAL, "run", str(folder), "--yes", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            # A process takes about a second to come to its first request.
            wait = None if kills == KILLS else draws.uniform(0.5, 2)
            try:
                out, err = client.communicate(timeout=wait)
            except subprocess.TimeoutExpired:
                client.send_signal(signal.SIGKILL)
                client.communicate()
                kills += 1
                continue
        assert client.returncode == 0, out + err
        assert kills == KILLS, f"the study came to its end after {kills} kills"
        return


def compare(one: Path, other: Path) -> None:
    for name in TABLES:
        first, second = (
            pl.read_parquet(folder / "tables" / f"{name}.parquet").drop("reply_id", strict=False)
            for folder in (one, other)
        )
        assert first.equals(second), name
        assert first.height > 0


def paid_once(served: Provider, folder: Path) -> None:
    """Hold what the server carried out against what the study's account says."""
    sent = served.sent()
    unsure = dict(rows(folder, "select key, unsure from requests"))
    by_body = bodies(folder)
    assert set(sent) <= set(by_body), "the server answered a request that the study knows nothing of"
    again = 0
    for body, keys in by_body.items():
        extra = sent[body] - len(keys)
        assert extra <= sum(unsure[key] for key in keys)
        again += max(0, extra)
    assert again <= KILLS * CONCURRENCY
    assert sum(unsure.values()) <= KILLS * CONCURRENCY
    told = json.loads(avowal("status", folder, "--json"))
    named = {each["key"]: each["times"] for stage in told["stages"] for each in stage["possibly_paid_twice"]}
    assert named == {key: count for key, count in unsure.items() if count}


def created_once(served: Provider, folder: Path) -> None:
    """No job and no batch was created twice: each digest occurs once at the server, and in the study."""
    for path, table in (("/v1/fine_tuning/jobs", "jobs"), ("/v1/batches", "batches")):
        made = [each for each in served.log() if (each["method"], each["path"], each["status"]) == ("POST", path, 200)]
        held = rows(folder, f"select digest, count(*) from {table} group by digest")  # noqa: S608
        assert Counter(dict(held)).total() == len(held)
        assert len(made) == len(held)


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_kills_change_nothing(tmp_path: Path, mode: str) -> None:
    draws = random.Random(11)  # noqa: S311
    with provider(tmp_path / "calm-server") as served:
        calm = study(tmp_path / "calm" / "study", served.url, mode)
        avowal("run", calm, "--yes")
        paid_once(served, calm)
    # What happens takes so long that the kills are spread over all stages.
    seconds = {"sync": "1", "batch": "12"}[mode]
    slow = ("--fault", "slow@completions=1:0.04", "--job-seconds", seconds, "--batch-seconds", seconds)
    with provider(tmp_path / "server", *slow) as served:
        killed = study(tmp_path / "killed" / "study", served.url, mode)
        disturbed(killed, draws)
        paid_once(served, killed)
        created_once(served, killed)
    for folder in (calm, killed):
        avowal("analyze", folder)
    compare(calm, killed)
