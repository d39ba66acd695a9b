"""Uploads: what is wrong with a training file, as OpenAI finds it when the file arrives and when a job begins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from avowal.simulated.reading import text_of
from avowal.tokens import message_tokens_many

LEAST = 10
"""Examples that a training file must have."""

LONGEST = 65_536
"""Tokens that an example may have."""

LARGEST = 512 * 2**20
"""Bytes that a file may have."""

_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Examined:
    """What a training file is like.

    Attributes
    ----------
    problem
        Why no job can use it; empty if one can.
    examples, tokens
        How many.
    """

    problem: str
    examples: int = 0
    tokens: int = 0


def lines_problem(content: bytes) -> str:
    """Say why a file isn't one of JSON lines, or nothing."""
    try:
        rows = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return "Invalid file format. The file is not encoded as UTF-8."
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            held = json.loads(row)
        except ValueError:
            return f"Invalid file format. Line {number} is not valid JSON."
        if not isinstance(held, dict):
            return f"Invalid file format. Line {number} is not a JSON object."
    return ""


def examine(content: bytes) -> Examined:
    """Examine a training file as a job does when it begins.

    Parameters
    ----------
    content
        JSON lines, as :func:`lines_problem` passed them.

    Returns
    -------
    Examined
    """
    rows = [json.loads(row) for row in content.decode("utf-8").splitlines() if row.strip()]
    wrong = [(number, why) for number, row in enumerate(rows, 1) if (why := _example_problem(row))]
    if wrong:
        number, why = wrong[0]
        return Examined(f"The job failed due to an invalid training file. Line {number}: {why} ({len(wrong)} in all)")
    if len(rows) < LEAST:
        return Examined(f"Training file has {len(rows)} example(s), but must have at least {LEAST} examples", len(rows))
    spoken = [[{"role": each["role"], "content": text_of(each)} for each in row["messages"]] for row in rows]
    tokens = message_tokens_many(spoken, threads=1)
    if tokens.max() > LONGEST:
        line = int(tokens.argmax()) + 1
        return Examined(f"Line {line}: the example has {tokens.max()} tokens, more than {LONGEST}", len(rows))
    return Examined("", len(rows), int(tokens.sum()))


def _example_problem(row: dict[str, Any]) -> str:
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return "'messages' must be a list of at least one message."
    for each in messages:
        if not isinstance(each, dict) or each.get("role") not in _ROLES:
            return f"every message needs a role of {', '.join(_ROLES)}."
        if not text_of(each):
            return "every message needs a content of text."
        if unknown := each.keys() - {"role", "content", "name", "weight"}:
            return f"a message has the unknown key {sorted(unknown)[0]!r}."
    if messages[-1]["role"] != "assistant":
        return "the last message must be from the assistant."
    return "" if any(each["role"] == "user" for each in messages) else "there is no message from the user."
