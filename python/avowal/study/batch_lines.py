"""Batch lines: what the output and error files of a batch say of each request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from avowal.provider import usage
from avowal.study.store import Answer

__all__ = ["UNKNOWN", "answers", "whole"]

UNKNOWN = "unknown:"
"""What stands before a custom id that is none of the batch's, in place of a request's key."""


def whole(text: str, least: int) -> bool:
    """Tell whether a file is all of it.

    Parameters
    ----------
    text
        Its content.
    least
        Lines that it has at least.

    Returns
    -------
    bool
        Whether it has that many lines, and each is a whole JSON object.
    """
    lines = _lines(text)
    return len(lines) >= least and all(_object(line) is not None for line in lines)


def answers(texts: Iterable[str], keys: Sequence[str], batch: str) -> list[Answer]:
    """Read the files of a batch.

    Parameters
    ----------
    texts
        Of its output file and its error file.
    keys
        Of the requests in it.
    batch
        Its name.

    Returns
    -------
    list of Answer
        One for each line; those of other requests under a key that begins with :data:`UNKNOWN`.
    """
    known = set(keys)
    return [_answer(held, known, batch) for text in texts for line in _lines(text) if (held := _object(line))]


def _lines(text: str) -> list[str]:
    # Not splitlines: JSON may hold the other characters that it takes for ends of lines.
    return [line for line in text.split("\n") if line.strip()]


def _object(line: str) -> dict[str, Any] | None:
    try:
        held = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def _answer(line: dict[str, Any], known: set[str], batch: str) -> Answer:
    identity = str(line.get("custom_id"))
    response, error = line.get("response"), line.get("error")
    held = response if isinstance(response, dict) else {}
    status = held.get("status_code") if type(held.get("status_code")) is int else None
    body = json.dumps(held["body"] if held.get("body") is not None else line)
    failure = None
    if identity not in known:
        identity, failure, body = UNKNOWN + _plain(identity), "unknown id", json.dumps(line)
    elif error:
        failure = _plain(error.get("code") or "error") if isinstance(error, dict) else "error"
        body = json.dumps(line)
    elif status is None or not 200 <= status < 300:
        failure = "unreadable" if status is None else f"HTTP {status}"
    prompt, completion = usage(body)
    return Answer(identity, body, failure, status, None, (), prompt, completion, batch)


def _plain(told: object) -> str:
    # JSON may hold halves of characters, which no database can.
    return str(told).encode("ascii", "backslashreplace").decode()
