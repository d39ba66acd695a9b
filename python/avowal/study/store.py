"""The store: a study's database, in which every request stands before it is sent and every reply as it came."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avowal.errors import AvowalError, InputError
from avowal.locks import hold
from avowal.study.schema import SCHEMA, VERSION

__all__ = ["FILE", "Answer", "Left", "Request", "Store", "insert_answer"]

FILE = "study.db"
"""The name of the database in a study's folder."""

LOCK = "study.lock"
"""The file whose lock the one process that writes holds; it says who that is."""

SHOWN = 200
"""Characters of SQLite's own words that an error shows: some repeat the text that can't be read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a stage.

    Attributes
    ----------
    key
        Its name in the store.
    context, trial
        What it asks about.
    base
        The base model.
    body
        As sent, JSON.
    replicate
        How many requests of the same body come before it in the stage.
    tokens
        Expected, of prompt and reply together.
    reply_tokens
        Expected, of the reply alone.
    """

    key: str
    context: str
    trial: int
    base: str
    body: str
    replicate: int
    tokens: int
    reply_tokens: int


@dataclass(frozen=True, slots=True)
class Left:
    """A request that has no reply yet; fields as those of :class:`Request`."""

    key: str
    base: str
    body: str
    tokens: int
    reply_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended.

    Attributes
    ----------
    key
        The request's.
    body
        The reply, raw and whole; of a failure the provider's message.
    failure
        The kind of the failure; None for a reply.
    status, seconds, retries
        The HTTP status, the time it took, and the kinds of the failures before.
    prompt_tokens, completion_tokens
        As billed, where the reply says so.
    batch
        The batch it came with, if any.
    """

    key: str
    body: str
    failure: str | None = None
    status: int | None = None
    seconds: float | None = None
    retries: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    batch: str | None = None


class Store:
    """A study's database, open for reading or, in one process at a time, for writing.

    Use :meth:`writing` or :meth:`reading`. All methods may be called from any thread.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._guard = threading.RLock()

    @classmethod
    @contextmanager
    def writing(cls, folder: Path) -> Iterator[Store]:
        """Open or make the database of a study's folder, and hold the study until the end.

        Yields
        ------
        Store
            Requests that were under way when the last writer died are planned again, and counted as unsure.

        Raises
        ------
        InputError
            Where another process holds the study, or the file isn't a database of this version.
        AvowalError
            Where it can't be written any more.
        """
        with _held(folder / LOCK):
            try:
                with closing(_connect(folder / FILE, write=True)) as connection:
                    store = cls(folder / FILE, connection)
                    store._begin()
                    try:
                        yield store
                    finally:
                        # A thread that was given up may be in the middle of a transaction.
                        with store._guard:
                            connection.close()
            except sqlite3.Error as error:
                raise AvowalError(f"{folder / FILE}: {error}; the next run goes on from what stands there") from None

    def _begin(self) -> None:
        """Make the tables if there are none, and plan again what was under way when the last writer died."""
        made = _made(self.path, self._db)
        with self.transaction() as db:
            if not made:
                for statement in SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"pragma user_version = {VERSION}")
            db.execute(
                "update requests set state = 'planned', unsure = unsure + 1 where state = 'sent' and batch is null"
            )

    @classmethod
    @contextmanager
    def reading(cls, folder: Path) -> Iterator[Store | None]:
        """Open the database of a study's folder for reading, also while another process writes.

        Yields
        ------
        Store or None
            None where nothing has been run yet.

        Raises
        ------
        InputError
            Where the file isn't a database of this version.
        """
        if not (folder / FILE).exists():
            yield None
            return
        with closing(_connect(folder / FILE, write=False)) as connection:
            yield cls(folder / FILE, connection) if _made(folder / FILE, connection) else None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do several things or none; on the disk when it ends."""
        with self._guard:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See the database as it is now until the end, whatever a run writes meanwhile; once within another."""
        with self._guard:
            if self._db.in_transaction:
                yield
                return
            self.rows("begin")
            try:
                yield
            finally:
                self.rows("rollback")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; raises InputError where the file is damaged."""
        try:
            with self._guard:
                return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise _bad(self.path, error) from None

    def fact(self, name: str) -> str | None:
        """Return what is noted under a name: ``endpoint``, ``study`` (its name), ``avowal`` (the version)."""
        found = self.rows("select value from facts where name = ?", (name,))
        return str(found[0][0]) if found else None

    def note(self, facts: Mapping[str, str]) -> None:
        """Note facts."""
        with self.transaction() as db:
            db.executemany("insert or replace into facts values (?, ?)", facts.items())

    def plan(self, stage: str, requests: Iterable[Request]) -> None:
        """Write down a stage's requests; those that stand already keep their state and replies.

        Parameters
        ----------
        stage
            The stage's name.
        requests
            All of them.
        """
        listed = list(requests)
        with self.transaction() as db:
            db.executemany(
                "insert or ignore into requests (key, stage, base, body, replicate, tokens, reply_tokens, state)"
                " values (?, ?, ?, ?, ?, ?, ?, 'planned')",
                [
                    (each.key, stage, each.base, each.body, each.replicate, each.tokens, each.reply_tokens)
                    for each in listed
                ],
            )
            db.execute("delete from asks where stage = ?", (stage,))
            db.executemany(
                "insert into asks values (?, ?, ?, ?)", [(stage, each.context, each.trial, each.key) for each in listed]
            )

    def left(self, stage: str) -> list[Left]:
        """Return what a stage still has to ask, but for what is in a batch, in the order planned."""
        found = self.rows(
            "select key, base, body, tokens, reply_tokens from requests where key in"
            " (select key from asks where stage = ?) and state in ('planned', 'failed') and batch is null"
            " order by rowid",
            (stage,),
        )
        return [Left(*row) for row in found]

    def bodies(self, stage: str) -> list[tuple[str, str]]:
        """Return the replies of a stage, the first one of each request: keys and bodies."""
        return self.rows(
            "select key, body from replies where failure is null and key in (select key from asks where stage = ?)"
            " group by key having id = min(id)",
            (stage,),
        )

    def unsend(self, keys: Sequence[str]) -> None:
        """Plan requests again that were about to be sent and weren't, or whose every try failed."""
        with self.transaction() as db:
            db.executemany(
                "update requests set state = 'planned' where key = ? and state = 'sent'", [(k,) for k in keys]
            )

    def enter(self, stage: str, place: int) -> None:
        """Note that a stage is running."""
        with self.transaction() as db:
            db.execute(
                "insert into stages (name, place, state, began) values (?, ?, 'running', ?)"
                " on conflict (name) do update"
                " set place = excluded.place, state = 'running', ended = null, error = null",
                (stage, place, time.time()),
            )

    def leave(self, stage: str, error: str | None) -> None:
        """Note that a stage has finished, or why it has stopped."""
        state = "finished" if error is None else "stopped"
        with self.transaction() as db:
            db.execute(
                "update stages set state = ?, ended = ?, error = ? where name = ?", (state, time.time(), error, stage)
            )

    def step(self, answers: Sequence[Answer], sending: Sequence[str]) -> None:
        """Write replies down and, in the same transaction, requests that are about to be sent."""
        now = time.time()
        with self.transaction() as db:
            for each in answers:
                insert_answer(db, each, now)
            db.executemany("update requests set state = 'sent' where key = ?", [(key,) for key in sending])


def insert_answer(db: sqlite3.Connection, answer: Answer, now: float) -> None:
    """Write one reply down within a transaction."""
    db.execute(
        "insert into replies (key, at, batch, seconds, status, retries, failure, body, prompt_tokens,"
        " completion_tokens) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            answer.key,
            now,
            answer.batch,
            answer.seconds,
            answer.status,
            json.dumps(answer.retries),
            answer.failure,
            answer.body,
            answer.prompt_tokens,
            answer.completion_tokens,
        ),
    )
    state = "answered" if answer.failure is None else "failed"
    # What is answered stays so, whatever comes later.
    db.execute("update requests set state = ?, batch = null where key = ? and state <> 'answered'", (state, answer.key))


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    try:
        uri = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        if write:
            connection.execute("pragma journal_mode = wal")
            # A reply that is paid for is on the disk before anything follows from it.
            connection.execute("pragma synchronous = full")
    except sqlite3.Error as error:
        raise _bad(path, error) from None
    return connection


def _made(path: Path, connection: sqlite3.Connection) -> bool:
    """Tell whether a database has its tables; an empty one is left where a process died while it made it."""
    try:
        version = connection.execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            expected = f"a database of version {VERSION} or earlier (a later avowal made this one: install that)"
            raise InputError.at(expected, version, file=path)
        found = connection.execute("pragma quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _bad(path, found)
        tables = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        if tables and (version != VERSION or "requests" not in tables):
            raise _bad(path, "another database")
    except sqlite3.Error as error:
        raise _bad(path, error) from None
    return bool(tables)


def _bad(path: Path, found: object) -> InputError:
    return InputError.at(
        "a study's database that is whole (put a copy back, or start in a new folder)",
        " ".join(str(found).split())[:SHOWN],
        file=path,
    )


@contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        holder = os.read(descriptor, 200).decode("utf-8", "replace").strip()
        by = f" (held by {holder})" if holder else ""
        hold(descriptor, path, f"a study that no other process runs{by}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
