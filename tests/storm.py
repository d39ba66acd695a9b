"""A storm: a study of single requests whose provider fails at random, and what must hold when it is over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runs import Provider, bodies, rows, write

from avowal.provider import Policy
from avowal.simulated import running
from avowal.study.run import Options, Outcome, run

FAULTS = ("429@completions=0.2", "500@completions=0.05", "reset@completions=0.02", "truncate@completions=0.01")

KINDS = {"429": "HTTP 429", "500": "HTTP 500", "reset": "no connection", "truncate": "unreadable"}
"""What the client calls what the server did."""


@contextmanager
def serving(state: Path, *faults: str) -> Iterator[Provider]:
    """Serve simulated models from a thread of this process."""
    with running(state=state, faults=faults, job_seconds=0.1, batch_seconds=0.1) as url:
        yield Provider(url, state)


def options(*faults: str) -> list[str]:
    """Return what `avowal serve` takes."""
    return [word for fault in faults for word in ("--fault", fault)]


def decide(folder: Path, url: str, contexts: int, each: int, *, concurrency: int = 8, first: float = 0.01) -> Outcome:
    """Ask base models to decide as they are, with waits that a test can bear."""
    write(
        folder,
        f"[contexts]\ntrained = 0\nnative = {contexts}",
        f"[design]\nnative_decisions = {each}\nreports = 1",
        f"[limits]\nconcurrency = {concurrency}",
        url=url,
    )
    return run(folder, Options(stages=("decide",), policy=Policy(first=first)))


def weathered(folder: Path, served: Provider, count: int) -> Counter[str]:
    """Hold what the study has against what the server did, request by request; return the failures by kind."""
    assert rows(folder, "select state, count(*) from requests group by 1") == [("answered", count)]
    assert rows(folder, "select count(*), count(distinct key), count(failure) from replies") == [(count, count, 0)]
    log: dict[str, list[dict]] = {}
    for entry in served.log():
        if entry["path"] == "/v1/chat/completions":
            log.setdefault(entry["body"], []).append(entry)
    retries = {key: json.loads(told) for key, told in rows(folder, "select key, retries from replies")}
    known, total = bodies(folder), Counter[str]()
    assert set(log) == set(known)
    for body, keys in known.items():
        met = Counter(KINDS[entry["fault"]] for entry in log[body] if entry["fault"])
        # As many whole answers as requests: nothing is asked for again that has one.
        assert len(log[body]) - met.total() == len(keys)
        assert met == Counter(kind for key in keys for kind in retries[key])
        total += met
    return total
