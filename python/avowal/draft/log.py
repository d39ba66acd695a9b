"""The log of a draft: every request is on disk before it is sent, every reply raw and whole before it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage
from typing import Any

from avowal.draft.prompts import Task
from avowal.errors import AvowalError, InputError
from avowal.locks import hold
from avowal.provider import ProviderError, Reply

ROOM = 10_000_000
"""Bytes to be free before a request is sent: far more than a reply takes."""

UNANSWERED = "no reply recorded"
"""The failure of a request that was in flight when its process ended; it may have been paid for."""

_KEYS: dict[str, dict[str, type]] = {
    "request": {"id": int, "asked": int, "field": str, "attributes": int, "messages": list},
    "reply": {"id": int, "body": str},
    "failure": {"id": int, "kind": str},
    "torn": {"text": str},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and what became of it.

    Attributes
    ----------
    number
        Counted from 1 in the log.
    count
        How many contexts it asked for.
    body
        The raw reply, if one came.
    failure
        The kind of failure, where none came.
    """

    number: int
    count: int
    body: str | None = None
    failure: str = UNANSWERED


def read(path: Path, task: Task) -> list[Asked]:
    """Read a log.

    Parameters
    ----------
    path
        The file; one that does not exist holds nothing.
    task
        What the log must be about.

    Returns
    -------
    list of Asked
        In the order in which they were sent.

    Raises
    ------
    InputError
        Names the line that is no record, or was written for another task.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError.at("a readable file", error.strerror or error, file=path) from None
    found: dict[int, Asked] = {}
    # What follows the last line end was being written when its process ended.
    for place, line in enumerate(data.split(b"\n")[:-1], start=1):
        record = _record(line, path, place)
        match record["type"]:
            case "request":
                _check(record, task, path, place)
                found[record["id"]] = Asked(record["id"], record["asked"])
            case "reply" | "failure" if record["id"] not in found:
                raise InputError.at("an answer to a request above", f"id {record['id']}", file=path, line=place)
            case "reply":
                found[record["id"]] = replace(found[record["id"]], body=record["body"])
            case "failure":
                found[record["id"]] = replace(found[record["id"]], failure=record["kind"])
    return list(found.values())


class Log:
    """A log that is open for writing, by this process alone.

    Parameters
    ----------
    path
        The file; it must exist.
    descriptor
        Open for appending.
    last
        The number of the last request in it.
    """

    def __init__(self, path: Path, descriptor: int, last: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._last = last

    def request(self, task: Task, count: int, model: str, url: str, messages: list[dict[str, str]]) -> int:
        """Record a request that is about to be sent, and return its number; refuse where its reply may find no room."""
        if disk_usage(self._path.parent).free < ROOM:
            wanted = f"{ROOM // 1_000_000} MB free on the disk, so that no reply is lost"
            raise InputError.at(wanted, "less; nothing more was sent", file=self._path)
        self._last += 1
        what = {"id": self._last, "asked": count, **asdict(task), "model": model, "url": url, "messages": messages}
        self._append("request", what)
        return self._last

    def reply(self, number: int, reply: Reply, *, structured: bool) -> None:
        """Record a reply as it came."""
        self._append("reply", {"id": number, "structured": structured, **asdict(reply)})

    def failure(self, number: int, error: ProviderError) -> None:
        """Record that no reply came, and why."""
        what = {"id": number, "kind": error.kind, "message": str(error), "retries": error.retries}
        self._append("failure", what)

    def _append(self, kind: str, what: dict[str, Any]) -> None:
        record = {"type": kind, "time": datetime.now(UTC).isoformat(timespec="seconds"), **what}
        data = json.dumps(record).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise AvowalError(f"{self._path} could not be written ({error.strerror}); nothing more was sent") from None


@contextmanager
def writing(path: Path, task: Task) -> Iterator[Log]:
    """Open a log for writing, and keep other processes out meanwhile.

    Parameters
    ----------
    path
        The file; made if it does not exist.
    task
        What it must be about.

    Yields
    ------
    Log

    Raises
    ------
    InputError
        Where it can't be opened, another process has it open, or :func:`read` refuses it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise InputError.at("a file that can be written", error.strerror or error, file=path) from None
    try:
        hold(descriptor, path, "a draft that no other process works on")
        torn = _cut_torn(path, descriptor)
        log = Log(path, descriptor, max((each.number for each in read(path, task)), default=0))
        if torn:
            log._append("torn", {"text": torn})
        yield log
    finally:
        os.close(descriptor)


def _cut_torn(path: Path, descriptor: int) -> str:
    """Cut off and return what follows the last line end: a record that its process did not finish."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.ftruncate(descriptor, whole)
    return data[whole:].decode("utf-8", errors="replace")


def _record(line: bytes, path: Path, place: int) -> dict[str, Any]:
    record: Any = None
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
    needed = _KEYS.get(str(record.get("type"))) if isinstance(record, dict) else None
    if (
        not isinstance(record, dict)
        or needed is None
        or not all(isinstance(record.get(key), kind) for key, kind in needed.items())
    ):
        expected = "a record as avowal writes it (move the file away to begin anew)"
        raise InputError.at(expected, line.decode("utf-8", errors="replace"), file=path, line=place)
    return record


def _check(record: dict[str, Any], task: Task, path: Path, place: int) -> None:
    for key, wanted in asdict(task).items():
        if record.get(key) != wanted:
            expected = f"{wanted!r}, as asked for now (choose another file for another draft)"
            raise InputError.at(expected, repr(record.get(key)), file=path, line=place, field=key)
