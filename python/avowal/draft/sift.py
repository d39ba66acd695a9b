"""Sifting: which contexts of a reply are good, and what is wrong with each of the others; none goes unmentioned."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from avowal.account import Account
from avowal.context_checks import problems
from avowal.contexts import Context, parse
from avowal.draft.log import Asked
from avowal.draft.prompts import Task
from avowal.errors import InputError
from avowal.json_values import describe, parse_document
from avowal.provider import Completion, completion

OPENINGS = 100
"""Places at which a list of contexts is looked for in other text; without an end, 10 MB of braces take an hour."""

_OPENING = re.compile(r'\{\s*"contexts"|\[\s*\{')

DEEPEST = 16
"""Lists and objects within each other in a context; it needs three, and Python's JSON ends in the hundreds."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A context that can't be used, or all that one reply lacks.

    Attributes
    ----------
    place
        The request in the log, and the context in its reply.
    name
        The context's, where it has one.
    kind
        For a context, the kind of its first problem (:class:`avowal.context_checks.Problem`). For a reply,
        ``unreadable``, ``empty``, ``refused``, ``filtered``, ``truncated`` (:class:`avowal.provider.Completion`) or
        ``invalid JSON`` or ``no contexts`` (other JSON); ``missing`` where it held fewer contexts than were asked for.
    count
        How many contexts are lost by it.
    problems
        What is wrong, in full.
    """

    place: str
    name: str | None
    kind: str
    count: int
    problems: tuple[str, ...]


class _NoEntriesError(Exception):
    """A reply without a list of contexts; its text is the type."""


@dataclass(slots=True)
class Sieve:
    """Takes replies one after the other and keeps what is good.

    Attributes
    ----------
    task
        What was to be drafted.
    existing
        JSON text by file name: the contexts that the new ones must differ from.
    good
        Contexts by place, as avowal's format has them.
    rejected
        All others.
    planned
        Contexts asked for, and those that came beyond.
    failed
        Contexts without a reply, by kind of failure.
    extracted
        Replies whose JSON had to be taken out of other text.
    """

    task: Task
    existing: Mapping[str, str]
    good: dict[str, dict[str, Any]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    planned: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    extracted: int = 0

    def take(self, asked: Asked) -> None:
        """Sort what a request brought."""
        place = f"request {asked.number}"
        if asked.body is None:
            self.planned += asked.count
            self.failed[asked.failure] += asked.count
            return
        reply = completion(asked.body)
        try:
            entries, extracted = _entries(reply)
        except _NoEntriesError as error:
            self.planned += asked.count
            text = _shortened(reply.text or asked.body)
            self.rejected.append(Rejected(place, None, str(error), asked.count, (text,)))
            return
        self.extracted += extracted
        self.planned += max(asked.count, len(entries))
        if len(entries) < asked.count:
            fault = f"expected {asked.count} contexts, found {len(entries)}"
            self.rejected.append(Rejected(place, None, "missing", asked.count - len(entries), (fault,)))
        self._sort({f"{place}, context {n}": entry for n, entry in enumerate(entries, start=1)})

    @property
    def account(self) -> Account:
        """What became of all that was asked for."""
        invalid: Counter[str] = Counter()
        for each in self.rejected:
            invalid[each.kind] += each.count
        return Account(self.planned, len(self.good), dict(invalid), dict(self.failed))

    @property
    def contexts(self) -> tuple[Context, ...]:
        """The good contexts, in the order in which they came."""
        return parse(json.dumps({"contexts": list(self.good.values())}), "draft") if self.good else ()

    def _sort(self, entries: Mapping[str, Any]) -> None:
        pending: dict[str, dict[str, Any]] = {}
        for place, entry in entries.items():
            if not isinstance(entry, dict):
                self._reject(place, None, [("format", f"expected an object, found {describe(entry)}")])
            elif _depth(entry, DEEPEST) > DEEPEST:
                self._reject(
                    place,
                    entry,
                    [("format", f"entry: expected {DEEPEST} lists and objects within each other at most, found more")],
                )
            elif faults := _faults(entry, self.task):
                self._reject(place, entry, [*faults, *self._problems({place: entry}).get(place, [])])
            else:
                pending[place] = _marked(entry, self.task)
        # A context is compared with the good ones before it, so the first that has a problem goes, and with it perhaps
        # the only problem of a later one.
        while found := self._problems(pending):
            place = next(each for each in pending if each in found)
            self._reject(place, pending.pop(place), found[place])
        self.good |= pending

    def _problems(self, pending: Mapping[str, dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
        """Run the check on what exists, what is good and what is pending; return the faults of the pending by place."""
        if not pending:
            return {}
        drafted = {place: json.dumps({"contexts": [entry]}) for place, entry in {**self.good, **pending}.items()}
        found: dict[str, list[tuple[str, str]]] = {}
        for problem in problems({**self.existing, **drafted}):
            if problem.file in pending:
                name = pending[problem.file].get("name")
                text = problem.text.removeprefix("contexts[0]").removeprefix(f" ({name})").lstrip(",: ")
                found.setdefault(problem.file, []).append((problem.kind, text))
        return found

    def _reject(self, place: str, entry: dict[str, Any] | None, faults: list[tuple[str, str]]) -> None:
        name = entry.get("name") if entry is not None else None
        texts = tuple(f"{kind}: {text}" for kind, text in faults)
        self.rejected.append(Rejected(place, name if isinstance(name, str) else None, faults[0][0], 1, texts))


def _marked(entry: dict[str, Any], task: Task) -> dict[str, Any]:
    """Add the field and the use that were asked for, in place of what the model may have put there."""
    marks = {"field": task.field, **({} if task.use is None else {"use": task.use})}
    rest = {key: value for key, value in entry.items() if key not in ("name", "field", "use")}
    return {**({"name": entry["name"]} if "name" in entry else {}), **marks, **rest}


def _faults(entry: dict[str, Any], task: Task) -> list[tuple[str, str]]:
    """Find what contexts in general may lack or have, but drafts may not."""
    faults = []
    if entry.get("agent") is None:
        faults.append(("format", "agent: expected a character, found nothing"))
    attributes = entry.get("attributes")
    if isinstance(attributes, list) and len(attributes) != task.attributes:
        fault = f"attributes: expected {task.attributes}, as asked for, found {len(attributes)}"
        faults.append(("format", fault))
    hidden = {letter for letter in _letters(entry) if unicodedata.category(letter).startswith("C")}
    if hidden:
        # They steer terminals, hide in names so that two look alike, or can't be written as UTF-8.
        fault = f"entry: expected characters that can be seen, found {', '.join(map(ascii, sorted(hidden)))}"
        faults.append(("format", fault))
    return faults


def _letters(value: Any) -> set[str]:
    """Return the characters of all texts and keys in a JSON value."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return (
        set().union(*map(_letters, value)) if isinstance(value, list) else set(value if isinstance(value, str) else "")
    )


def _depth(value: Any, limit: int) -> int:
    """Count the lists and objects within each other in a JSON value, to one more than the limit at most."""
    if not isinstance(value, (list, dict)):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(each, limit - 1) for each in inner), default=0) if limit >= 0 else 1


def _entries(reply: Completion) -> tuple[list[Any], bool]:
    """Return the list of contexts in a reply, and whether other text stood around it."""
    if reply.fault is not None:
        raise _NoEntriesError(reply.fault)
    try:
        return _listed(parse_document(reply.text, "reply")), False
    except InputError:
        for part in _lists(reply.text):
            with suppress(InputError, _NoEntriesError):
                found = _listed(parse_document(part, "reply"))
                # A list without an object around it can be any list, such as one of attributes.
                if part.startswith("{") or all(isinstance(each, dict) and "attributes" in each for each in found):
                    return found, True
    raise _NoEntriesError("invalid JSON")


def _listed(document: Any) -> list[Any]:
    found = document.get("contexts") if isinstance(document, dict) else document
    if not isinstance(found, list):
        raise _NoEntriesError("no contexts")
    return found


def _lists(text: str) -> Iterator[str]:
    """Yield the JSON values in a text that may list contexts, outermost ones only."""
    decoder = json.JSONDecoder()
    start = 0
    for _ in range(OPENINGS):
        found = _OPENING.search(text, start)
        if found is None:
            return
        start = found.start() + 1
        with suppress(ValueError, RecursionError):
            _, start = decoder.raw_decode(text, found.start())
            yield text[found.start() : start]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
