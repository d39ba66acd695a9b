"""Checks of training files before an upload: what a job would refuse, what would teach nonsense, what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

from avowal import prices as price_tables
from avowal.errors import InputError
from avowal.prices import Prices
from avowal.sends import Kind, Queries, Training
from avowal.tokens import DEFAULT_ENCODING, message_tokens_many

__all__ = ["LEAST", "LONGEST", "Checked", "check", "refuse_short"]

LEAST = 10
"""Examples that OpenAI's fine-tuning asks for."""

LONGEST = 65_536
"""Tokens that an example may have, as OpenAI states it for GPT-4o and GPT-4.1."""

BALANCE = (0.35, 0.65)
"""Shares of A outside of which a file is warned of: it teaches a letter beside the weights."""

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is in a training file that passed.

    Attributes
    ----------
    lines
        Examples.
    tokens
        Of one reading of the file, as :func:`avowal.tokens.message_tokens` counts them.
    share_of_a
        Share of A among the decisions; None for reports.
    identical
        Lines that occur before them, word for word.
    warnings
        What is allowed and may not be meant.
    """

    lines: int
    tokens: int
    share_of_a: float | None
    identical: int
    warnings: tuple[str, ...]

    def price(self, model: str, epochs: int, prices: Prices | None = None) -> Decimal:
        """Return what a job on the file costs.

        Parameters
        ----------
        model
            The base model.
        epochs
            How often the file is read.
        prices
            The built-in prices if None.

        Returns
        -------
        decimal.Decimal
            US dollars, exact.

        Raises
        ------
        InputError
            For an unknown model or a missing rate.
        """
        table = price_tables.builtin() if prices is None else prices
        return table.training(model, self.tokens * epochs)


def refuse_short(sends: Training | Queries) -> None:
    """Refuse a job with too few lines, before anything is paid for on the way to it.

    Raises
    ------
    InputError
        For fewer than :data:`LEAST`.
    """
    if isinstance(sends, Training):
        lines = len(sends.contexts) * sends.trials * len(sends.markers)
        if lines < LEAST:
            raise InputError.at(f"{LEAST} lines of training or more", lines, field=f"stage {sends.name!r}")


def check(text: str, kind: Kind, *, file: str = "training file", encoding: str = DEFAULT_ENCODING) -> Checked:
    """Check a training file.

    Parameters
    ----------
    text
        JSON lines.
    kind
        What it teaches, decisions or reports.
    file
        Its name, for errors.
    encoding
        Of the base model.

    Returns
    -------
    Checked

    Raises
    ------
    InputError
        For the first line that isn't a system, a user and an assistant message, each with text, that is longer than
        :data:`LONGEST`, or whose answer is no letter or no report; for fewer lines than :data:`LEAST`; for one prompt
        with two answers; for decisions that are all the same.
    """
    rows = text.split("\n")
    if len(rows) < LEAST:
        raise InputError.at(f"{LEAST} lines or more", len(rows) if text else 0, file=file)
    spoken = [_messages(row, file, number) for number, row in enumerate(rows, 1)]
    answers = [messages[-1]["content"] for messages in spoken]
    for number, answer in enumerate(answers, 1):
        _check_answer(answer, kind, file, number)
    identical = _identical(spoken, file)
    tokens = message_tokens_many(spoken, encoding)
    if tokens.max() > LONGEST:
        raise InputError.at(
            f"{LONGEST:,} tokens at most", f"{tokens.max():,}", file=file, line=int(tokens.argmax()) + 1
        )
    share = answers.count("A") / len(answers) if kind == "decisions" else None
    return Checked(len(rows), int(tokens.sum()), share, identical, tuple(_warnings(share, identical, file)))


def _messages(row: str, file: str, number: int) -> list[dict[str, str]]:
    try:
        held = json.loads(row)
    except ValueError as error:
        raise InputError.at("JSON", error, file=file, line=number) from None
    messages = held.get("messages") if isinstance(held, dict) and len(held) == 1 else None
    if not isinstance(messages, list):
        raise InputError.at("an object with messages alone", row, file=file, line=number)
    roles = [each.get("role") if isinstance(each, dict) else None for each in messages]
    if roles != [*_ROLES]:
        raise InputError.at(f"messages of {', '.join(_ROLES)}", roles, file=file, line=number)
    for each in messages:
        content = each.get("content")
        if each.keys() != {"role", "content"} or not isinstance(content, str) or not content.strip():
            raise InputError.at(f"{each['role']} with a text as content", each, file=file, line=number)
    return messages


def _check_answer(answer: str, kind: Kind, file: str, number: int) -> None:
    if kind == "decisions":
        if answer not in ("A", "B"):
            raise InputError.at("A or B", repr(answer), file=file, line=number)
    elif not _is_report(answer):
        raise InputError.at("a JSON object of finite numbers", repr(answer), file=file, line=number)


def _is_report(answer: str) -> bool:
    try:
        held: Any = json.loads(answer)
    except ValueError:
        return False
    if not isinstance(held, dict) or not held:
        return False
    numbers = [value for value in held.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(held) and all(map(isfinite, numbers))


def _identical(spoken: Sequence[Sequence[Mapping[str, str]]], file: str) -> int:
    """Count lines that occur before; refuse one prompt with two answers."""
    known: dict[str, tuple[int, str]] = {}
    identical = 0
    for number, (*prompt, last) in enumerate(spoken, 1):
        first, answer = known.setdefault(json.dumps(prompt), (number, last["content"]))
        if answer != last["content"]:
            found = f"{answer!r} in line {first} and {last['content']!r} here"
            raise InputError.at("one answer to one prompt", found, file=file, line=number)
        identical += first != number
    return identical


def _warnings(share: float | None, identical: int, file: str) -> list[str]:
    told = []
    if share in (0.0, 1.0):
        raise InputError.at("decisions of both letters", "A alone" if share else "B alone", file=file)
    if share is not None and not BALANCE[0] <= share <= BALANCE[1]:
        told.append(f"{file}: {share:.0%} of the decisions are A; models learn the letter along with the weights.")
    if identical:
        told.append(f"{file}: {identical} lines occur before, word for word.")
    return told
