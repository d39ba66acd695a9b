"""Draft prompts: the rules for contexts as a model reads them, and the schema that its reply is to follow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from avowal.contexts import MAX_ATTRIBUTES, Context, Use, check_use
from avowal.errors import InputError
from avowal.json_values import check_text

_SYSTEM = "You write decision contexts for research on how choices are made."

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

_RULES = """Write {contexts} in this field of life: {field}.

A context is a kind of decision that a character faces again and again between two options. It has a name, an agent \
(the character), a question, and {attributes}: the quantities on which the options differ.

Rules:
- Each context has exactly {attributes}, no more and no fewer.
- An attribute is a quantity with natural units and a realistic range from min to max, which people meet or which the \
agent's story gives it. min is less than max. Values in a range 5 or more wide are rounded to whole numbers, and at \
least 8 must remain: make the range of anything that is counted wider than 7.
- Reasonable people can want more of an attribute or less. None is a verdict on the whole option: no overall score, \
rating or quality, and no price.
- The agent is a well-known character of fiction or legend, or a historical figure who has died; never a living \
person. Each context has another agent. Give the name alone, as it stands after "Imagine you are".
- The question is one sentence that begins with "Which", is put to the agent, and does not name the agent.
- Names of contexts and attributes are used as JSON keys: lower-case words joined by underscores, each with one \
meaning, and no two of one context alike.
- No context repeats an existing one, or another of yours, in its decision or its attributes.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be drafted.

    Attributes
    ----------
    field
        The field of life, as the contexts will name it.
    attributes
        How many each context has, 1 to 12.
    use
        What the contexts are marked for, if anything.

    Raises
    ------
    InputError
        For a blank field, a number of attributes out of range, or another use.
    """

    field: str
    attributes: int = 5
    use: Use | None = None

    def __post_init__(self) -> None:
        check_text(self.field, "field")
        if not 1 <= self.attributes <= MAX_ATTRIBUTES:
            raise InputError.at(f"1 to {MAX_ATTRIBUTES}", self.attributes, field="attributes")
        if self.use is not None:
            check_use(self.use)


def messages(task: Task, count: int, known: Sequence[Context]) -> list[dict[str, str]]:
    """Ask for contexts.

    Parameters
    ----------
    task
        What is to be drafted.
    count
        How many contexts to ask for.
    known
        All that exist. Those of the field are shown; of the others only the agents, none of which may be used again.

    Returns
    -------
    list of dict
        A system and a user message.
    """
    wanted = "one new decision context" if count == 1 else f"{_word(count)} new decision contexts"
    quantities = "one attribute" if task.attributes == 1 else f"{_word(task.attributes)} attributes"
    parts = [_RULES.format(contexts=wanted, field=task.field, attributes=quantities)]
    near = [each for each in known if (each.field or "").casefold() == task.field.casefold()]
    if near:
        parts.append("Existing contexts of this field:\n" + "\n".join(map(_line, near)) + "\n")
    agents = list(dict.fromkeys(each.agent for each in known if each.agent is not None))
    if agents:
        parts.append(f"Agents that are taken: {'; '.join(agents)}.\n")
    parts.append(f"Respond only with JSON of this form, with {_word(count)} in the list:\n{_form(task.attributes)}")
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": "\n".join(parts)}]


def response_format(task: Task, count: int) -> dict[str, Any]:
    """Return the structured output to ask for: the package's schema of contexts, narrowed to what a draft fills in.

    Parameters
    ----------
    task
        What is to be drafted.
    count
        How many contexts were asked for.

    Returns
    -------
    dict
        The value of ``response_format``, of type ``json_schema``.
    """
    schema = _schema()
    context, attribute = schema["$defs"]["context"]["properties"], schema["$defs"]["attribute"]["properties"]
    # A strict schema requires every key and knows no optional one; and grammars differ in the patterns they take.
    text = {"type": "string"}
    listed = {**context["attributes"], "items": _object({key: _plain(attribute[key]) for key in attribute})}
    listed |= {"minItems": task.attributes, "maxItems": task.attributes}
    item = _object({"name": text, "agent": text, "question": text, "attributes": listed})
    contexts = {"type": "array", "items": item, "minItems": count, "maxItems": count}
    return {
        "type": "json_schema",
        "json_schema": {"name": "contexts", "strict": True, "schema": _object({"contexts": contexts})},
    }


@cache
def _schema() -> dict[str, Any]:
    text = (files("avowal") / "data" / "contexts" / "schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": schema.get("type", "string")}


def _form(attributes: int) -> str:
    listed = ", ".join(
        f'{{"name": "attribute_{_word(place)}", "units": "...", "min": 0, "max": 100}}'
        for place in range(1, attributes + 1)
    )
    return f'{{"contexts": [{{"name": "...", "agent": "...", "question": "Which ...?", "attributes": [{listed}]}}]}}'


def _line(context: Context) -> str:
    return f"- {context.name}: {context.question} ({', '.join(each.name for each in context.attributes)})"


def _word(count: int) -> str:
    return _WORDS[count - 1] if count <= len(_WORDS) else str(count)
