"""What tests of a study's parts share: planned requests, a quick client, and processes that kill themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulated_study import FULL, decision_lines

from avowal.contexts import builtin
from avowal.prompts import decision_messages
from avowal.provider import Client, Endpoint, Policy
from avowal.study.batching import Limits, ask_in_batches
from avowal.study.store import Request, Store
from avowal.study.training_jobs import train

STAGE = "a stage"
TEXT = decision_lines(builtin()[:4], 1, 3)
AUTO: dict[str, float | str] = {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 2}


@contextmanager
def client(url: str, **options: Any) -> Iterator[Client]:
    made = Client(Endpoint(url), **{"policy": Policy(first=0.01, longest=0.05), **options})
    try:
        yield made
    finally:
        made.close()


def requests(count: int) -> list[Request]:
    context = builtin()[0]
    low, high = [each.min for each in context.attributes], [each.max for each in context.attributes]
    bodies = [
        json.dumps(
            {"model": FULL, "messages": decision_messages(context, low, [h - n for h in high]), "temperature": 0}
        )
        for n in range(count)
    ]
    return [Request(f"key{n:05}", context.name, n, FULL, body, 0, 300, 1) for n, body in enumerate(bodies)]


def trained(folder: Path, url: str, stage: str = STAGE, text: str = TEXT, **options: Any) -> str:
    with Store.writing(folder) as store, client(url, **options.pop("client", {})) as sender:
        store.note({"endpoint": "simulated"})
        settings = {"poll": 0.02, "tell": lambda _: None, "stop": threading.Event(), **options}
        return train(store, sender, stage, FULL, text, None, AUTO, 7, "x", **settings)


def asked(folder: Path, url: str, count: int, **options: Any) -> bool:
    with Store.writing(folder) as store, client(url) as sender:
        store.plan(STAGE, requests(count))
        settings = {"poll": 0.02, "tell": lambda _: None, "stop": threading.Event(), **options}
        return ask_in_batches(store, sender, STAGE, **settings)


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with Store.reading(folder) as store:
        assert store is not None
        return store.rows(query)


def log(state: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (state / "requests.jsonl").read_text(encoding="utf-8").splitlines()]


def killed(code: str, *arguments: object) -> None:
    """Run code in a process of its own, which is expected to end by SIGKILL."""
    here = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{code}", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert found.returncode == -signal.SIGKILL, found.stderr


__all__ = ["AUTO", "STAGE", "TEXT", "Limits", "asked", "client", "killed", "log", "requests", "rows", "trained"]
