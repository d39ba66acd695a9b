"""The client's own time: a request through the whole runner against a bare loop of the SDK's calls."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest
from openai import OpenAI
from runs import provider, rows, write

from avowal.study.run import run

pytestmark = pytest.mark.slow

ROUNDS = 3
REQUESTS = 1000


def test_a_request_takes_at_most_twice_the_time_of_a_bare_call(tmp_path: Path) -> None:
    ratios = []
    with provider(tmp_path / "server") as served:
        for number in range(ROUNDS):
            folder = write(
                tmp_path / str(number),
                "[contexts]\ntrained = 0\nnative = 20",
                f"[design]\nnative_decisions = {REQUESTS // 20 - 2}\nreports = 2",
                url=served.url,
                seed=number,
            )
            began = time.process_time()
            run(folder)
            ours = time.process_time() - began
            bodies = [json.loads(body) for (body,) in rows(folder, "select body from requests")]
            assert len(bodies) == REQUESTS
            sdk = OpenAI(base_url=served.url, api_key="none", max_retries=0)
            began = time.process_time()
            for body in bodies:
                sdk.chat.completions.create(**body)
            ratios.append(ours / (time.process_time() - began))
    print("CPU time of a run over that of a bare loop:", [round(each, 2) for each in ratios])
    assert statistics.median(ratios) <= 2
