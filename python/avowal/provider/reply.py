"""The reply: what the raw body of a chat completion says, or the type of its failure to say anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Fault: TypeAlias = Literal["unreadable", "empty", "refused", "filtered", "truncated"]

MOST = 2**53
"""Tokens from which on a count is none: no database, table or price would hold it."""

_FINISHES: dict[str, Fault] = {"length": "truncated", "content_filter": "filtered"}


@dataclass(frozen=True, slots=True)
class Completion:
    """The text of a reply, or why there is none to use.

    Attributes
    ----------
    text
        What the model wrote; empty where it wrote nothing.
    fault
        ``unreadable`` (no completion in the body), ``empty`` (no choice, or no text), ``refused``, ``filtered`` (by the
        provider), ``truncated`` (the model's limit came before its end), or None for a whole text.
    """

    text: str
    fault: Fault | None = None


def completion(body: str) -> Completion:
    """Read the body of a chat completion.

    Parameters
    ----------
    body
        As it came.

    Returns
    -------
    Completion
        Of the first choice.

    Examples
    --------
    >>> completion('{"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]}')
    Completion(text='A', fault=None)
    >>> completion('{"choices": [')
    Completion(text='', fault='unreadable')
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return Completion("", "unreadable")
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        return Completion("", "unreadable")
    return _first(choices[0]) if choices else Completion("", "empty")


def usage(body: str) -> tuple[int | None, int | None]:
    """Read how many tokens a reply is billed for.

    Parameters
    ----------
    body
        Of a chat completion, as it came.

    Returns
    -------
    prompt, completion : int or None
        None where the reply doesn't say.

    Examples
    --------
    >>> usage('{"usage": {"prompt_tokens": 200, "completion_tokens": 1}}')
    (200, 1)
    """
    try:
        held = json.loads(body)["usage"]
        found = held["prompt_tokens"], held["completion_tokens"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None, None
    return found if all(type(each) is int and 0 <= each < MOST for each in found) else (None, None)


def _first(choice: Any) -> Completion:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Completion("", "unreadable")
    refusal, text = message.get("refusal"), message.get("content")
    if isinstance(refusal, str) and refusal:
        return Completion(_encodable(refusal), "refused")
    if text is not None and not isinstance(text, str):
        return Completion("", "unreadable")
    fault = _FINISHES.get(str(choice.get("finish_reason")))
    if fault is None and not (text or "").strip():
        fault = "empty"
    return Completion(_encodable(text or ""), fault)


def _encodable(text: str) -> str:
    # JSON may hold halves of characters, which no table and no file can.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
