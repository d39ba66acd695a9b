"""What the tests of runs share: small studies, a simulated provider in a process of its own, and a look at its log."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from avowal.simulated.wire import digest

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]

BASE = "gpt-4o-mini-2024-07-18"


def write(folder: Path, *more: str, base: str = f'["{BASE}"]', seed: int = 5, url: str = "simulated") -> Path:
    """Write a study of a few contexts; `more` are sections, of which a later one takes the place of an earlier one."""
    sections = {
        "models": f"base = {base}",
        "contexts": "trained = 20\nnative = 3",
        "design": "training = 10\nvalidation = 2\ndecisions = 8\nnative_decisions = 8\nreports = 3",
        "provider": f'base_url = "{url}"',
    }
    for text in more:
        name, _, body = text.partition("\n")
        sections[name.strip("[]")] = body
    folder.mkdir(parents=True, exist_ok=True)
    text = f'name = "{folder.name}"\nseed = {seed}\n' + "".join(
        f"[{name}]\n{body}\n" for name, body in sections.items()
    )
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder


def avowal(*arguments: object, code: int = 0, timeout: float = 120) -> str:
    """Run a command, hold it to an exit code, and return what it printed."""
    done = subprocess.run([*AVOWAL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@dataclass(frozen=True)
class Provider:
    """A simulated provider in a process of its own."""

    url: str
    state: Path

    def sent(self) -> Counter[str]:
        """Count the requests for completions that were carried out, by the digest of their body."""
        return Counter(
            each["body"]
            for each in self.log()
            if each["path"] == "/v1/chat/completions" and each["method"] == "POST" and each["status"] == 200
        )

    def begun(self) -> bool:
        """Tell whether any request has come."""
        return (self.state / "requests.jsonl").exists()

    def log(self) -> list[dict]:
        """Return every request that came."""
        return [json.loads(line) for line in (self.state / "requests.jsonl").read_text().splitlines()]


@contextmanager
def provider(state: Path, *options: str) -> Iterator[Provider]:
    """Serve simulated models from another process, as `avowal serve` does."""
    command = [*AVOWAL, "serve", "--port", "0", "--state", str(state), "--job-seconds", "0.2", "--batch-seconds", "0.2"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("serving on "), line
            yield Provider(line.split()[-1], state)
        finally:
            process.terminate()


def rows(folder: Path, query: str) -> list[tuple]:
    """Look into a study's database."""
    with closing(sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def bodies(folder: Path) -> dict[str, list[str]]:
    """Return the keys of a study's requests by the digest of their body."""
    found: dict[str, list[str]] = {}
    for key, body in rows(folder, "select key, body from requests"):
        found.setdefault(digest(json.loads(body)), []).append(key)
    return found
