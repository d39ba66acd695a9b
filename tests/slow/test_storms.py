"""Ten thousand requests through a storm of failures: all answered, none lost, none asked for again that has a reply."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import polars as pl
import pytest
from runs import avowal, provider, rows
from storm import FAULTS, decide, options, weathered

COUNT = 10_000


@pytest.mark.slow
def test_ten_thousand_requests_are_answered_once_each(tmp_path: Path) -> None:
    with provider(tmp_path / "server", *options(*FAULTS)) as served:
        began = time.monotonic()
        found = decide(tmp_path / "study", served.url, 100, 100)
        print(f"{COUNT} requests in {time.monotonic() - began:.0f} s")
        assert not found.stopped
        failures = weathered(tmp_path / "study", served, COUNT)
    print(dict(failures))
    sent = COUNT + failures.total()
    for kind, share in (("HTTP 429", 0.2), ("HTTP 500", 0.05), ("no connection", 0.02), ("unreadable", 0.01)):
        assert share / 2 < failures[kind] / sent < share * 1.5
    # Without the reports there is no accuracy to compute, which is a finding too.
    avowal("analyze", tmp_path / "study", code=1)
    choices = pl.read_parquet(tmp_path / "study" / "tables" / "choices.parquet")
    assert choices.height == COUNT == choices.select("context", "trial").n_unique()
    assert choices["choice"].null_count() == 0
    told = json.loads(avowal("status", tmp_path / "study", "--json"))["stages"][0]
    assert (told["valid"], told["retries"], told["possibly_paid_twice"]) == (COUNT, failures.total(), [])


@contextmanager
def mock(wait: float) -> Iterator[str]:
    """Serve LLMock from another process, with these seconds in its Retry-After and a journal that forgets nothing."""
    with subprocess.Popen([sys.executable, "-c", MOCK, str(wait)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


MOCK = """
import sys, time
import llmock.journal, llmock.simulation, llmock.state
from llmock.chaos import ChaosSettings
from llmock.testing import LLMockServer

llmock.simulation.DEFAULT_RETRY_AFTER_SECONDS = float(sys.argv[1])
llmock.state.Journal = lambda: llmock.journal.Journal(100_000)
with LLMockServer(chaos=ChaosSettings(error_rates={429: 0.2, 500: 0.05})) as server:
    print(server.url, flush=True)
    time.sleep(3600)
"""


# Each of its failures asks for a second, in which nobody begins anything: that many seconds for ten thousand requests
# are an hour. The larger study is asked to wait for less.
@pytest.mark.parametrize(
    ("contexts", "each", "wait"),
    [
        pytest.param(4, 10, 1.0, marks=pytest.mark.slow),
        pytest.param(40, 50, 0.01, marks=pytest.mark.slow),
        pytest.param(100, 100, 0.01, marks=pytest.mark.heavy),
    ],
)
def test_an_independent_mock_finds_the_client_clean(tmp_path: Path, contexts: int, each: int, wait: float) -> None:
    """LLMock judges each call by its attempts and their times; its replies are no letters, and are typed as such."""
    folder, count = tmp_path / "study", contexts * each
    with mock(wait) as url:
        began = time.monotonic()
        found = decide(folder, f"{url}/v1", contexts, each, first=0.1)
        print(f"{count} requests in {time.monotonic() - began:.0f} s")
        with urlopen(f"{url}/_llmock/verdict") as told:  # noqa: S310 (our own address)
            verdict = json.load(told)
        report = [sys.executable, "-m", "llmock.cli", "report", "--url", url]
        done = subprocess.run(report, capture_output=True, text=True, check=False)
    assert not found.stopped
    assert done.returncode == 0, done.stdout + done.stderr
    # Of two drawn waits the second is hardly longer than the first in one pair of a hundred: LLMock then warns of a
    # constant interval.
    assert verdict["errors"] == 0
    assert len(verdict["findings"]) < count / 1000 + 1, done.stdout
    assert rows(folder, "select state, count(*) from requests group by 1") == [("answered", count)]
    assert rows(folder, "select count(*), count(distinct key), count(failure) from replies") == [(count, count, 0)]
    retries = [kind for (told,) in rows(folder, "select retries from replies") for kind in json.loads(told)]
    # Of forty requests a tenth of all runs sees no 500.
    assert {"HTTP 429"} <= set(retries) <= {"HTTP 429", "HTTP 500"}
    assert (verdict["calls"], verdict["attempts"]) == (count, count + len(retries))
    assert verdict["faults_injected"] == len(retries) > count / 8
    told = json.loads(avowal("status", folder, "--json"))["stages"][0]
    assert (told["valid"], told["invalid"], told["retries"]) == (0, {"other text": count}, len(retries))
