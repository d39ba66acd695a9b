"""The reply: what the raw body of a chat completion says, or the type of its failure to say anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Fault: TypeAlias = Literal["unreadable", "empty", "refused", "filtered", "truncated"]

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


def _first(choice: Any) -> Completion:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Completion("", "unreadable")
    refusal, text = message.get("refusal"), message.get("content")
    if isinstance(refusal, str) and refusal:
        return Completion(refusal, "refused")
    if text is not None and not isinstance(text, str):
        return Completion("", "unreadable")
    fault = _FINISHES.get(str(choice.get("finish_reason")))
    if fault is None and not (text or "").strip():
        fault = "empty"
    return Completion(text or "", fault)
