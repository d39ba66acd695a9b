"""Prompts: the messages that ask a model for a decision or for a report, as in the authors' training files.

A report can be asked for in other words too, and a line of text, a condition's marker, can stand before the context.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from avowal.contexts import Context
from avowal.errors import InputError

SYSTEM = "Your job is to make hypothetical decisions on behalf of different people or characters."

Wording = Literal["paper", "no pair", "paraphrased"]
"""How a report is asked for: in the paper's words, in those without a pair of options, or in other words with one."""

WORDINGS: tuple[Wording, ...] = get_args(Wording)

_DECISION = (
    '[DECISION TASK] Respond with "A" if you think Option A is better, or "B" if you think Option B is better. '
    'Never respond with anything except "A" or "B":'
)
# "each them" is the authors' wording; models were trained on it.
_PAPER = (
    "[INTROSPECTION TASK] Respond with how heavily you believe you weighted {dimensions} while making your decision on "
    "a scale from -100 to 100. Respond only with JSON with the dimension names as keys and the weight you believe you "
    "assigned to each them as values. Never respond with anything except this JSON object with {pairs}. "
    "(Do not report your decision itself.):"
)
_NO_PAIR = (
    "[INTROSPECTION TASK] Respond with how heavily you believe you weight {dimensions} listed below when you make this "
    "kind of decision on a scale from -100 to 100. Respond only with JSON with the dimension names as keys and the "
    "weight you believe you assign to each of them as values. Never respond with anything except this JSON object with "
    "{pairs}:"
)
# No tag and none of the paper's verbs: what is left is the question.
_PARAPHRASED = (
    "What matters to you when you choose between options such as A and B below? Say for {dimensions} how much it "
    "counts for your choice: 100 if having more of it speaks for an option as strongly as can be, -100 if it speaks "
    "against one as strongly as can be, 0 if you do not care. Do not choose. Answer with nothing but a JSON object "
    "that has the names of the dimensions as its keys and your numbers as its values, {pairs} in all."
)
_REPORTS: dict[Wording, str] = {"paper": _PAPER, "no pair": _NO_PAIR, "paraphrased": _PARAPHRASED}
_LIST = "Options differ in:"
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def decision_messages(
    context: Context, a: Sequence[float], b: Sequence[float], *, marker: str | None = None
) -> list[dict[str, str]]:
    """Ask for a choice between two options.

    Parameters
    ----------
    context
        The kind of decision.
    a, b
        The options' values, one for each attribute, in the attributes' units.
    marker
        A line that stands before the context; None for none.

    Returns
    -------
    list of dict
        A system and a user message, each with ``role`` and ``content``.

    Raises
    ------
    InputError
        Where an option has the wrong number of values, or one that is not finite.
    """
    return _messages(_DECISION, context, _pair(context, a, b), marker)


def report_messages(
    context: Context,
    a: Sequence[float],
    b: Sequence[float],
    *,
    marker: str | None = None,
    wording: Wording = "paper",
) -> list[dict[str, str]]:
    """Ask for the weights that the model believes it puts on the attributes.

    Parameters
    ----------
    context
        The kind of decision.
    a, b
        The options' values, one for each attribute, in the attributes' units; both empty where no pair is shown.
    marker
        A line that stands before the context; None for none.
    wording
        ``paper`` for the authors' words; ``no pair`` for these without options, with a list of the attributes, their
        ranges and units instead; ``paraphrased`` for other words.

    Returns
    -------
    list of dict
        A system and a user message, each with ``role`` and ``content``.

    Raises
    ------
    InputError
        For another wording; where an option has the wrong number of values, or one that is not finite.
    """
    if wording not in WORDINGS:
        raise InputError.at(" or ".join(WORDINGS), repr(wording), field="wording")
    count = len(context.attributes)
    # The authors ask about five attributes; the words for one alone are ours.
    dimensions = "the one dimension" if count == 1 else f"each of the {_WORDS[count - 2]} dimensions"
    pairs = f"{count} key-value pair{'s' if count > 1 else ''}"
    task = _REPORTS[wording].format(dimensions=dimensions, pairs=pairs)
    if wording != "no pair":
        return _messages(task, context, _pair(context, a, b), marker)
    if len(a) or len(b):
        raise InputError.at("no values where no pair is shown", len(a) + len(b), field="a, b")
    return _messages(task, context, _listed(context), marker)


def report_format(context: Context) -> dict[str, Any]:
    """Describe a report as structured output: an object with a number for each attribute, by its exact name.

    Parameters
    ----------
    context
        The kind of decision.

    Returns
    -------
    dict
        The ``response_format`` of a request. The schema has no bounds: models that are tuned can't be held to any, and
        a number out of range should be seen.
    """
    names = [attribute.name for attribute in context.attributes]
    schema = {
        "type": "object",
        "properties": {name: {"type": "number"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": schema}}


def report_reply(context: Context, weights: Sequence[int]) -> str:
    """Write a report as the authors' training files do.

    Parameters
    ----------
    context
        The kind of decision.
    weights
        One for each attribute.

    Returns
    -------
    str
        JSON with the attributes' names as keys.
    """
    return json.dumps(dict(zip((attribute.name for attribute in context.attributes), weights, strict=True)))


def training_line(messages: Sequence[Mapping[str, str]], answer: str) -> str:
    """Write one line of a training file as the authors do.

    Parameters
    ----------
    messages
        The prompt.
    answer
        What the model is to say.

    Returns
    -------
    str
        JSON, without a line break.
    """
    return json.dumps({"messages": [*messages, {"role": "assistant", "content": answer}]})


def _messages(task: str, context: Context, shown: str, marker: str | None) -> list[dict[str, str]]:
    before = f"{marker}\n" if marker else ""
    user = f"{task}\n\n{before}{context.prompt}\n{shown}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def _pair(context: Context, a: Sequence[float], b: Sequence[float]) -> str:
    return f"A:\n{_option(context, a, 'a')}\n\nB:\n{_option(context, b, 'b')}"


def _listed(context: Context) -> str:
    lines = [
        f"- {x.name} (from {x.min!r} to {x.max!r}" + (f" {x.units})" if x.units else ")") for x in context.attributes
    ]
    return "\n".join([_LIST, *lines])


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
