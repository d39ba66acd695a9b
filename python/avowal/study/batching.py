"""Batching: a stage's requests sent in files, each batch written down before it is created, and read exactly once."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from avowal.provider import Client, ProviderError, batches, files
from avowal.study.batch_lines import answers, whole
from avowal.study.ending import Interrupted, StageError
from avowal.study.store import Answer, Left, Store, insert_answer

__all__ = ["Limits", "ask_in_batches", "waiting"]

INTENDED = "intended"
"""The state of a batch that may have been created, or not: its row has no name of the provider's yet."""

ROUNDS = 3
"""How many batches of one run may hold the same request."""

FULL = "token_limit_exceeded"
"""What a provider calls a batch that would exceed the tokens that may wait there; it fits once another has ended."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large batches may be.

    Attributes
    ----------
    requests, size
        Per batch: requests, and bytes of its file.
    tokens
        Expected tokens of prompts and replies in all batches that are under way; None for no limit.
    """

    requests: int = 50_000
    size: int = 200_000_000
    tokens: int | None = None


def ask_in_batches(
    store: Store,
    client: Client,
    stage: str,
    *,
    poll: float,
    stop: threading.Event,
    tell: Callable[[str], object],
    endpoint_path: str = "/v1/chat/completions",
    limits: Limits | None = None,
    detach: bool = False,
    more: bool = True,
    hold: Callable[[Sequence[Left], bool], object] = lambda *_: None,
    told: Callable[[Sequence[Answer]], object] = lambda _: None,
) -> bool:
    """Ask what a stage has left, batch after batch; batches that are under way already are picked up.

    Parameters
    ----------
    store, client
        Where requests stand, and what sends.
    stage
        The stage's name.
    poll
        Seconds between two looks.
    stop
        Ends the waiting; batches go on.
    tell
        Is told of every batch and state, in one line.
    endpoint_path
        That the requests are for.
    limits
        Of batches; the documented ones if None.
    detach
        Whether to return as soon as all that fits has been submitted. What has ended by then is read.
    more
        Whether anything is submitted; if not, what an earlier run has submitted is read.
    hold
        Is given the requests of a batch before it is written down, and whether it is under way already; what it raises
        ends the stage, once what is under way has been read.
    told
        Is given the replies of a batch once they are on the disk; of one that failed as a whole, a failure for each
        request, which is not on the disk, since nothing was asked.

    Returns
    -------
    bool
        Whether no batch is under way any more, and none is needed.

    Raises
    ------
    StageError
        Where a batch fails its validation or was cancelled, its files can't be read, the provider refuses a request, or
        requests got no reply in three batches; with its reason.
    Interrupted
        Where `stop` was set.
    """
    work = _Work(store, client, stage, endpoint_path, limits or Limits(), tell, hold, told)
    try:
        work.recover()
        while True:
            if stop.is_set():
                raise Interrupted
            if more:
                work.submit()
            ended = work.look()
            if not work.open() and (not more or work.limit or not store.left(stage) or work.stuck()):
                break
            if detach and not ended:
                return False
            if not ended and stop.wait(poll):
                raise Interrupted
    except ProviderError as error:
        raise StageError(str(error)) from None
    if work.limit is not None:
        raise work.limit
    if more and (left := store.left(stage)):
        named = ", ".join(each.key for each in left[:3])
        raise StageError(
            f"{len(left):,} requests got no reply in {ROUNDS} batches: {named}, ...; the next run asks them again"
        )
    return True


def waiting(store: Store, batch: str) -> list[Left]:
    """Return the requests that are in a batch."""
    found = store.rows(
        "select key, base, body, tokens, reply_tokens from requests where batch = ? order by rowid", (batch,)
    )
    return [Left(*row) for row in found]


class _Work:
    """The batches of one stage."""

    def __init__(
        self,
        store: Store,
        client: Client,
        stage: str,
        path: str,
        limits: Limits,
        tell: Callable[[str], object],
        hold: Callable[[Sequence[Left], bool], object],
        told: Callable[[Sequence[Answer]], object],
    ) -> None:
        self._store, self._client, self._stage, self._path, self._limits = store, client, stage, path, limits
        self._tell, self._hold, self._told = tell, hold, told
        self._sent: Counter[str] = Counter()
        self._full = False
        self.limit: StageError | None = None

    def open(self) -> list[tuple[str, str, str]]:
        """Return the batches whose replies aren't read: their names, states and digests."""
        return self._store.rows(
            "select id, state, digest from batches where stage = ? and read = 0 order by rowid", (self._stage,)
        )

    def stuck(self) -> bool:
        """Whether all that is left was in as many batches as may be."""
        return all(self._sent[each.key] >= ROUNDS for each in self._store.left(self._stage))

    def recover(self) -> None:
        """Adopt what was submitted when a process died, and plan again what was not."""
        for identity, state, digest in self.open():
            if state != INTENDED:
                continue
            batch = batches.find(self._client, digest)
            if batch is None:
                with self._store.transaction() as db:
                    db.execute("update requests set state = 'planned', batch = null where batch = ?", (identity,))
                    db.execute("delete from batches where id = ?", (identity,))
                continue
            self._hold(waiting(self._store, identity), True)
            self._adopt(identity, batch, "found")

    def submit(self) -> None:
        """Submit what is left and fits; at the spending limit nothing more."""
        while not self._full and self.limit is None and (part := self._part()):
            try:
                self._hold(part, False)
            except StageError as limit:
                self.limit = limit
                return
            self._create(*self._intend(part))
            self._sent.update(each.key for each in part)

    def look(self) -> bool:
        """Look at the batches that are under way; tell whether one has ended."""
        ended = False
        for identity, state, _ in self.open():
            batch = batches.batch(self._client, identity)
            if batch.get("status") != state:
                self._tell(f"{self._stage}: batch {identity} is {batch.get('status')}")
            if batch.get("status") in batches.ENDED:
                self._read(identity, batch)
                ended = True
            elif batch.get("status") != state:
                with self._store.transaction() as db:
                    _see(db, identity, batch)
        self._full = self._full and not ended
        return ended

    def _part(self) -> list[Left]:
        """Return the requests of the next batch."""
        room = self._limits.tokens
        if room is not None:
            room -= self._store.rows(
                "select coalesce(sum(tokens), 0) from requests where state = 'sent' and batch in"
                " (select id from batches where read = 0)"
            )[0][0]
        part: list[Left] = []
        size = tokens = 0
        for each in self._store.left(self._stage):
            if self._sent[each.key] >= ROUNDS:
                continue
            size, tokens = size + len(self._line(each.key, each.body)), tokens + each.tokens
            # A request beyond all limits goes alone when nothing else is under way, and the provider decides.
            over = size > self._limits.size or (room is not None and tokens > room)
            if (over and (part or self.open())) or len(part) == self._limits.requests:
                break
            part.append(each)
        return part

    def _line(self, key: str, body: str) -> bytes:
        fields = {"custom_id": key, "method": "POST", "url": self._path}
        return f'{json.dumps(fields)[:-1]}, "body": {body}}}\n'.encode()

    def _intend(self, part: Sequence[Left]) -> tuple[str, str]:
        """Write a batch down before it is created: whoever comes after a sudden end looks for it by its digest."""
        attempt = self._store.rows("select count(*) from batches where stage = ?", (self._stage,))[0][0] + 1
        held = [self._store.fact("number") or "", self._stage, str(attempt), *(each.key for each in part)]
        digest = sha256("\n".join(held).encode()).hexdigest()[:32]
        with self._store.transaction() as db:
            db.execute(
                "insert into batches (id, stage, digest, attempt, requests, state, body)"
                " values (?, ?, ?, ?, ?, ?, '{}')",
                (f"new:{digest}", self._stage, digest, attempt, len(part), INTENDED),
            )
            db.executemany(
                "update requests set state = 'sent', batch = ? where key = ?",
                [(f"new:{digest}", each.key) for each in part],
            )
        return f"new:{digest}", digest

    def _create(self, identity: str, digest: str) -> None:
        batch = batches.find(self._client, digest)
        if batch is not None:
            self._adopt(identity, batch, "found")
            return
        lines = [self._line(each.key, each.body) for each in waiting(self._store, identity)]
        content = b"".join(lines)
        file = files.upload(self._client, "batch", f"avowal-{sha256(content).hexdigest()[:24]}.jsonl", content)
        batch = batches.create(self._client, file, digest, endpoint=self._path)
        self._adopt(identity, batch, f"with {len(lines):,} requests submitted")

    def _adopt(self, identity: str, batch: dict[str, Any], how: str) -> None:
        with self._store.transaction() as db:
            db.execute("update batches set id = ? where id = ?", (batch["id"], identity))
            db.execute("update requests set batch = ? where batch = ?", (batch["id"], identity))
            _see(db, str(batch["id"]), batch)
        self._tell(f"{self._stage}: batch {batch['id']} {how}")

    def _read(self, identity: str, batch: dict[str, Any]) -> None:
        """Write down all that a batch brought, at once."""
        keys = [each.key for each in waiting(self._store, identity)]
        texts, lost = self._texts(batch)
        found = answers(texts, keys, identity)
        failed = batch.get("status") == "failed"
        if not failed:
            had = {each.key for each in found}
            found += [Answer(key, "", "missing in batch", batch=identity) for key in keys if key not in had]
        now = time.time()
        with self._store.transaction() as db:
            for each in found:
                insert_answer(db, each, now)
            db.execute("update requests set state = 'planned', batch = null where batch = ?", (identity,))
            db.execute("update batches set read = 1 where id = ?", (identity,))
            _see(db, identity, batch)
        self._told([Answer(key, "", "batch failed", batch=identity) for key in keys] if failed else found)
        if lost:
            # Its replies are paid for: whether they are asked for again is for a person to say.
            raise StageError(f"batch {identity}: {lost}; the next run asks again for what it held")
        self._stop_at(identity, batch, found)

    def _texts(self, batch: dict[str, Any]) -> tuple[list[str], str]:
        """Return what the files of a batch say, and why that isn't all; empty where it is."""
        counts = batch.get("request_counts") or {}
        done = counts.get("completed")
        texts, lost = [], ""
        if type(done) is int and done > 0 and not batch.get("output_file_id"):
            lost = f"there is no file with its {done:,} replies"
        for field, least in (("output_file_id", done), ("error_file_id", 0)):
            if batch.get(field):
                check = partial(whole, least=least if type(least) is int else 0)
                try:
                    texts.append(files.content(self._client, str(batch[field]), check))
                except ProviderError as error:
                    if error.status != 404 and error.kind != "unreadable":
                        raise
                    # What can be read of it is kept.
                    texts.append(error.body if error.kind == "unreadable" else "")
                    lost = str(error)
        return texts, lost

    def _stop_at(self, identity: str, batch: dict[str, Any], found: Sequence[Answer]) -> None:
        """End the stage where asking again would not help."""
        errors = (batch.get("errors") or {}).get("data") or []
        if batch.get("status") == "failed":
            if errors and all(each.get("code") == FULL for each in errors) and self.open():
                self._full = True
                return
            reasons = "; ".join(str(each.get("message")) for each in errors) or "the provider gives no reason"
            raise StageError(f"batch {identity} failed: {reasons}")
        if batch.get("status") == "cancelled":
            raise StageError(f"batch {identity} was cancelled")
        refused = [each for each in found if each.status in (400, 401, 403, 404, 422)]
        if refused:
            raise StageError(f"batch {identity}: {len(refused):,} requests were refused: {refused[0].body[:300]}")


def _see(db: sqlite3.Connection, identity: str, batch: dict[str, Any]) -> None:
    db.execute(
        "update batches set state = ?, body = ? where id = ?", (str(batch.get("status")), json.dumps(batch), identity)
    )
