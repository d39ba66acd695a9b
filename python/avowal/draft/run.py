"""The run of a draft: what is there, what it would cost to ask for the rest, and the asking; rerun, it continues."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from avowal import prices as price_tables
from avowal.account import Account
from avowal.context_checks import problems
from avowal.contexts import Context, builtin, builtin_documents, parse, read_entries
from avowal.draft.log import Log, read, writing
from avowal.draft.prompts import Task, messages, response_format
from avowal.draft.sift import Rejected, Sieve
from avowal.errors import AvowalError, InputError
from avowal.json_values import read_text
from avowal.prices import Prices
from avowal.provider import Client, ProviderError, Reply
from avowal.tokens import DEFAULT_ENCODING, count_many, message_tokens_many

BATCH = 5
"""Contexts per request: few enough that one bad reply loses little, and that the model keeps them apart."""

LARGEST_BATCH = 20

UNSTRUCTURED = (400, 422)
"""What endpoints answer that know no structured output; the same request without it then decides."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a draft has brought so far, in all its runs.

    Attributes
    ----------
    task
        What was to be drafted.
    wanted
        How many contexts.
    contexts
        The good ones, as they stand in `file`; at most `wanted`.
    spare
        Good ones beyond those: asking for more contexts takes them first.
    rejected
        All others, each with its reasons.
    account
        In contexts: planned (asked for, and those that came beyond), valid, invalid by kind, failed by kind of failure.
    extracted
        Replies whose JSON had to be taken out of other text.
    file, replies
        The good contexts, and the log of requests and raw replies.
    """

    task: Task
    wanted: int
    contexts: tuple[Context, ...]
    spare: tuple[Context, ...]
    rejected: tuple[Rejected, ...]
    account: Account
    extracted: int
    file: Path
    replies: Path

    @property
    def missing(self) -> int:
        """How many contexts have yet to come out good."""
        return self.wanted - len(self.contexts)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be asked, and for how much.

    Attributes
    ----------
    draft
        What is there already.
    model
        Which would be asked.
    requests
        The number of contexts that each request asks for; empty where nothing is missing. A request that is tried
        again is sent more than once, and the first one is if the endpoint refuses structured output.
    input_tokens, output_tokens
        Estimates: the prompts as they will be, but for the contexts that replies add to them, and the schema; replies
        as long as the built-in contexts.
    price
        US dollars, or None where the model has no price.
    """

    draft: Draft
    model: str
    requests: tuple[int, ...]
    input_tokens: int
    output_tokens: int
    price: Decimal | None


def plan(
    wanted: int,
    task: Task,
    model: str,
    file: str | Path,
    *,
    batch: int = BATCH,
    beside: Iterable[str | Path] = (),
    prices: Prices | None = None,
) -> Plan:
    """Say what a draft would ask for, without asking.

    Parameters
    ----------
    wanted
        How many good contexts to have in the end, 1 or more.
    task
        What is to be drafted.
    model
        Which is to be asked.
    file
        Where the good contexts go; the log stands beside it, with ``.replies.jsonl`` added to its name.
    batch
        Contexts per request, 1 to 20.
    beside
        Files of contexts from which the new ones must differ, as from the built-in ones.
    prices
        The built-in prices if None.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        For a number out of range, a log of another task, a file of contexts that is not the log's, or bad contexts in
        `beside`.
    """
    work = _Work.of(wanted, task, file, batch, beside)
    draft = work.result()
    requests = _split(draft.missing, batch)
    table = price_tables.builtin() if prices is None else prices
    try:
        tokens = _tokens(work, requests, table.encoding(model))
        price = table.price(model, *tokens)
    except InputError:
        tokens, price = _tokens(work, requests, DEFAULT_ENCODING), None
    return Plan(draft, model, requests, *tokens, price)


def draft(
    wanted: int,
    task: Task,
    model: str,
    file: str | Path,
    *,
    client: Client | None = None,
    batch: int = BATCH,
    beside: Iterable[str | Path] = (),
    advance: Callable[[Draft], object] | None = None,
) -> Draft:
    """Ask for contexts until as many requests are sent as :func:`plan` says; called again, it asks for what is missing.

    Each request is on disk before it is sent and each reply before it is read, so that a crash, Ctrl-C or a bad reply
    loses nothing that was paid for; what was in flight is asked again and counted as failed, ``no reply recorded``.

    Parameters
    ----------
    wanted, task, model, file, batch, beside
        As for :func:`plan`.
    client
        Which asks; needed where something is missing.
    advance
        Is told of the result after each reply, if given.

    Returns
    -------
    Draft
        `missing` is 0 where all came out good.

    Raises
    ------
    InputError
        As for :func:`plan`; where a client is needed and there is none, or another process works on the same draft.
    ProviderError
        Where a request got no reply; it is in the log, and what came before it in `file`.
    """
    path = Path(file)
    _Work.of(wanted, task, path, batch, beside)
    with writing(_log_of(path), task) as log:
        # Read again under the lock: another process may have gone on until it was taken.
        work = _Work.of(wanted, task, path, batch, beside)
        work.write()
        requests = _split(work.result().missing, batch)
        if client is None:
            if requests:
                raise InputError.at("a client, since contexts are missing", "none", field="client")
            return work.result()
        asking = _Asking(client, model, log)
        for count in requests:
            prompt = messages(task, count, [*work.known, *work.sieve.contexts])
            number = log.request(task, count, model, client.url, prompt)
            asking.ask(number, prompt, response_format(task, count))
            work.sieve.take(read(work.log, task)[-1])
            work.write()
            if advance is not None:
                advance(work.result())
        return work.result()


@dataclass(slots=True)
class _Asking:
    """One client asking one model; remembers that the endpoint knows no structured output."""

    client: Client
    model: str
    log: Log
    structured: bool = True

    def ask(self, number: int, prompt: Sequence[dict[str, str]], wanted: dict[str, Any]) -> None:
        try:
            reply = self._reply(prompt, wanted)
        except ProviderError as error:
            self.log.failure(number, error)
            raise
        self.log.reply(number, reply, structured=self.structured)

    def _reply(self, prompt: Sequence[dict[str, str]], wanted: dict[str, Any]) -> Reply:
        if self.structured:
            try:
                return self.client.chat(self.model, prompt, response_format=wanted)
            except ProviderError as error:
                if error.status not in UNSTRUCTURED:
                    raise
            self.structured = False
        return self.client.chat(self.model, prompt)


@dataclass(frozen=True, slots=True)
class _Work:
    """A draft as its files have it."""

    wanted: int
    file: Path
    log: Path
    known: tuple[Context, ...]
    sieve: Sieve

    @classmethod
    def of(cls, wanted: int, task: Task, file: str | Path, batch: int, beside: Iterable[str | Path]) -> _Work:
        if wanted < 1:
            raise InputError.at("1 or more", wanted, field="wanted")
        if not 1 <= batch <= LARGEST_BATCH:
            raise InputError.at(f"1 to {LARGEST_BATCH}", batch, field="batch")
        path, others = Path(file), {str(each): read_text(Path(each)) for each in beside}
        existing = {**builtin_documents(), **others}
        if others and (found := problems(existing)):
            raise InputError(f"{found[0]} (avowal contexts check names all problems)")
        known = (*builtin(), *(context for name, text in others.items() for context in parse(text, name)))
        sieve = Sieve(task, existing)
        log = _log_of(path)
        for asked in read(log, task):
            sieve.take(asked)
        _check_file(path, log, sieve)
        return cls(wanted, path, log, known, sieve)

    def result(self) -> Draft:
        contexts = self.sieve.contexts
        return Draft(
            self.sieve.task,
            self.wanted,
            contexts[: self.wanted],
            contexts[self.wanted :],
            tuple(self.sieve.rejected),
            self.sieve.account,
            self.sieve.extracted,
            self.file,
            self.log,
        )

    def write(self) -> None:
        """Put the good contexts into the file, which is either the old one or the new one at any moment."""
        entries = list(self.sieve.good.values())[: self.wanted]
        if not entries:
            return
        text = json.dumps({"contexts": entries}, indent=2, ensure_ascii=False) + "\n"
        beside = self.file.with_name(f"{self.file.name}.part")
        try:
            with beside.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self.file)
        except OSError as error:
            why = f"{self.file} could not be written ({error.strerror}); nothing more was sent"
            raise AvowalError(f"{why}, and all replies are in {self.log}") from None


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.replies.jsonl")


def _check_file(file: Path, log: Path, sieve: Sieve) -> None:
    """Refuse to write over contexts that are not the log's: another draft's, or ones that someone has edited."""
    if not file.exists():
        return
    ours = list(sieve.good.values())
    entries, _ = read_entries(read_text(file), file)
    for entry in entries:
        if entry not in ours:
            name = entry.get("name") if isinstance(entry, dict) else entry
            raise InputError.at(
                f"no file yet, or only the contexts of {log.name} (move an edited file, or choose another)",
                f"another context, {name!r}",
                file=file,
            )


def _split(missing: int, batch: int) -> tuple[int, ...]:
    """Divide what is missing evenly over as few requests as the batch size allows."""
    requests = math.ceil(missing / batch)
    return tuple(missing // requests + (place < missing % requests) for place in range(requests))


def _tokens(work: _Work, requests: Sequence[int], encoding: str) -> tuple[int, int]:
    """Estimate the tokens of prompts and replies, with built-in contexts in the place of those to come."""
    task = work.sieve.task
    stand_ins = [_stand_in(each, task) for each in builtin()]
    prompts, schemas, had = [], [], 0
    for count in requests:
        coming = [stand_ins[place % len(stand_ins)] for place in range(had)]
        prompts.append(messages(task, count, [*work.known, *work.sieve.contexts, *coming]))
        schemas.append(json.dumps(response_format(task, count)))
        had += count
    sent = int(message_tokens_many(prompts, encoding).sum()) + int(count_many(schemas, encoding).sum())
    replies = count_many((json.dumps(asdict(each), ensure_ascii=False) for each in stand_ins), encoding)
    return sent, math.ceil(float(replies.mean()) * sum(requests))


def _stand_in(context: Context, task: Task) -> Context:
    """Return a built-in context as one of the task's, with its attributes again where more are needed."""
    had = context.attributes
    listed = [replace(had[n % len(had)], name=f"{had[n % len(had)].name}{'_too' * (n // len(had))}") for n in range(12)]
    return replace(context, field=task.field, attributes=tuple(listed[: task.attributes]))
