"""Prompts: the messages that ask a model for a decision or for a report, as in the authors' training files."""

from __future__ import annotations

import math
from collections.abc import Sequence

from avowal.contexts import Context
from avowal.errors import InputError

SYSTEM = "Your job is to make hypothetical decisions on behalf of different people or characters."

_DECISION = (
    '[DECISION TASK] Respond with "A" if you think Option A is better, or "B" if you think Option B is better. '
    'Never respond with anything except "A" or "B":'
)
# "each them" is the authors' wording; models were trained on it.
_REPORT = (
    "[INTROSPECTION TASK] Respond with how heavily you believe you weighted {dimensions} while making your decision on "
    "a scale from -100 to 100. Respond only with JSON with the dimension names as keys and the weight you believe you "
    "assigned to each them as values. Never respond with anything except this JSON object with {pairs}. "
    "(Do not report your decision itself.):"
)
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def decision_messages(context: Context, a: Sequence[float], b: Sequence[float]) -> list[dict[str, str]]:
    """Ask for a choice between two options.

    Parameters
    ----------
    context
        The kind of decision.
    a, b
        The options' values, one for each attribute, in the attributes' units.

    Returns
    -------
    list of dict
        A system and a user message, each with ``role`` and ``content``.

    Raises
    ------
    InputError
        Where an option has the wrong number of values, or one that is not finite.
    """
    return _messages(_DECISION, context, a, b)


def report_messages(context: Context, a: Sequence[float], b: Sequence[float]) -> list[dict[str, str]]:
    """Ask for the weights that the model believes it put on the attributes, with a pair of options shown.

    Parameters
    ----------
    context
        The kind of decision.
    a, b
        The options' values, one for each attribute, in the attributes' units.

    Returns
    -------
    list of dict
        A system and a user message, each with ``role`` and ``content``.

    Raises
    ------
    InputError
        Where an option has the wrong number of values, or one that is not finite.
    """
    count = len(context.attributes)
    # The authors ask about five attributes; the words for one alone are ours.
    dimensions = "the one dimension" if count == 1 else f"each of the {_WORDS[count - 2]} dimensions"
    pairs = f"{count} key-value pair{'s' if count > 1 else ''}"
    return _messages(_REPORT.format(dimensions=dimensions, pairs=pairs), context, a, b)


def _messages(task: str, context: Context, a: Sequence[float], b: Sequence[float]) -> list[dict[str, str]]:
    user = f"{task}\n\n{context.prompt}\nA:\n{_option(context, a, 'a')}\n\nB:\n{_option(context, b, 'b')}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def _option(context: Context, values: Sequence[float], name: str) -> str:
    if len(values) != len(context.attributes):
        raise InputError.at(f"{len(context.attributes)} values for {context.name!r}", len(values), field=name)
    lines = []
    for attribute, value in zip(context.attributes, values, strict=True):
        number = float(value)
        if not math.isfinite(number):
            raise InputError.at("finite values", number, field=f"{name}, {attribute.name}")
        lines.append(f"{attribute.name}: {number!r}" + (f" {attribute.units}" if attribute.units else ""))
    return "\n".join(lines)
