"""Odds: the probability of A that a completion tells beside its letter."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["probability"]


def probability(body: str) -> float | None:
    """Read the probability of A among A and B from the log probabilities of a completion's first token.

    Parameters
    ----------
    body
        Of the chat completion, as it came.

    Returns
    -------
    float or None
        Of 0 to 1; None where neither letter is among the tokens told.

    Examples
    --------
    >>> tokens = [{"token": "A", "logprob": math.log(0.6)}, {"token": " B", "logprob": math.log(0.2)}]
    >>> choice = {"message": {"content": "A"}, "logprobs": {"content": [{"token": "A", "top_logprobs": tokens}]}}
    >>> round(probability(json.dumps({"choices": [choice]})), 12)
    0.75
    """
    # Most bodies say "logprobs": null, and need not be parsed again.
    if '"top_logprobs"' not in body:
        return None
    try:
        told = json.loads(body)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        sums = {letter: math.fsum(map(math.exp, _of(told, letter))) for letter in "AB"}
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError):
        return None
    whole = sums["A"] + sums["B"]
    return sums["A"] / whole if 0 < whole < math.inf else None


def _of(told: list[dict[str, Any]], letter: str) -> list[float]:
    return [each["logprob"] for each in told if each["token"].strip() == letter]
