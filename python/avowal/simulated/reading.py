"""Reading: what a simulated model understands of messages: the task, the context, its attributes, the options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from avowal.prompts import SYSTEM

Task: TypeAlias = Literal["decision", "report", "other"]

_TAG = re.compile(r"\[(DECISION|INTROSPECTION|REPORT) TASK\]")
_VALUE = re.compile(r"(.+?): ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?: .*)?")
# A range in brackets ends a name that may hold brackets itself; anything else in them, or behind a colon, does as well.
_LISTED = re.compile(r"[-*•] +(?:(?P<ranged>.+) \(from .*\)|(?P<name>.+?)(?: \(.*\)|:.*)?)")
_OPTIONS = re.compile(r"^A:\n(.*?)\n\s*\nB:\n(.*?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a context one: what the prompt says of it, and the names of its attributes in alphabetical order.

    A marker in the prompt makes another context, as it would for a model that was trained on it.
    """

    prompt: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line that no other context shares."""
        return "\x1f".join((self.prompt, *self.names))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as understood.

    Attributes
    ----------
    task
        ``decision``, ``report``, or ``other`` for anything that is neither.
    key
        The context; without names where the prompt shows none.
    names
        The attributes in the order shown.
    a, b
        The options' values in the order of `key`'s names; empty where no pair is shown.
    """

    task: Task
    key: Key
    names: tuple[str, ...]
    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()


def read(messages: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> Asked:
    """Understand messages.

    Parameters
    ----------
    messages
        Those before the reply, each with ``role`` and ``content`` (a text, or parts with ``text``).
    names
        Attributes that the request itself names (a schema's properties), for prompts that show no pair.

    Returns
    -------
    Asked
    """
    system = "\n".join(text_of(each) for each in messages if each.get("role") in ("system", "developer"))
    user = next((text_of(each) for each in reversed(messages) if each.get("role") == "user"), "")
    return _read(system.replace(SYSTEM, "").strip(), user, tuple(names))


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, whose content may be in parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


# A prompt is mostly asked once, but a study's repeats and a batch's check read it again at once.
@lru_cache(maxsize=4096)
def _read(system: str, user: str, named: tuple[str, ...]) -> Asked:
    tag = _TAG.search(user)
    shown = _OPTIONS.search(user)
    pair = _pair(shown) if shown else None
    instruction, _, rest = (user[: shown.start()] if shown and pair else user).strip().partition("\n\n")
    if not rest:
        instruction, rest = "", instruction
    marker = instruction[: tag.start()].strip() if tag and tag.start() < len(instruction) else ""
    lines = rest.strip().split("\n")
    if pair is None:
        lines, listed = _listed(lines)
        names = named or listed
    else:
        names = tuple(pair[0])
    prompt = "\n".join(part for part in (system, marker, *lines) if part)
    key = Key(prompt, tuple(sorted(names)))
    task = _task(tag[1] if tag else None, user, paired=pair is not None)
    if pair is None:
        return Asked("other" if task == "decision" else task, key, names)
    a, b = pair
    return Asked(task, key, names, tuple(a[name] for name in key.names), tuple(b[name] for name in key.names))


def _listed(lines: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return what a prompt without options says of the context, and the attributes that it lists below."""
    found = {place: each for place, line in enumerate(lines) if place and (each := _LISTED.fullmatch(line))}
    if not found:
        return lines[:1], ()
    above = lines[: min(found)]
    heading = len(above) > 1 and above[-1].endswith(":")
    return above[:-1] if heading else above, tuple(each["ranged"] or each["name"] for each in found.values())


def _task(tag: str | None, text: str, *, paired: bool) -> Task:
    if tag is not None:
        return "decision" if tag == "DECISION" else "report"
    if "JSON" in text:
        return "report"
    return "decision" if paired else "other"


def _pair(shown: re.Match[str]) -> tuple[dict[str, float], dict[str, float]] | None:
    """Return both options' values by name, in the order shown; None where a line is no value or names differ."""
    options = []
    for block in shown.groups():
        found = [_VALUE.fullmatch(line) for line in block.strip().split("\n")]
        values = {each[1]: float(each[2]) for each in found if each}
        if len(values) != len(found):
            return None
        options.append(values)
    a, b = options
    return (a, b) if a and a.keys() == b.keys() else None
