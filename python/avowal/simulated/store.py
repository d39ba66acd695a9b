"""The store: files, jobs and batches in one SQLite database, on disk or in memory, changed by whole transactions."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from avowal.errors import InputError
from avowal.simulated.wire import Document

# The lock of a writing transaction is kept after it, so that a second server finds the database locked.
_TABLES = """
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contents (digest TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seeds (seed TEXT NOT NULL);
COMMIT;
"""
_VERSION = 1
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Store:
    """What outlives a request, and with a folder the server.

    Parameters
    ----------
    folder
        Where ``provider.db`` stands or is made; None keeps all in memory.
    seed
        Decides ids.

    Raises
    ------
    InputError
        Where the folder can't be used, another server holds it, or it belongs to another seed or a newer version.
    """

    def __init__(self, folder: Path | None, seed: int) -> None:
        self._seed = seed
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            place = ":memory:" if folder is None else str(folder / "provider.db")
            # Made in one thread and used in another, but never in two.
            self._held = sqlite3.connect(place, timeout=0.1, check_same_thread=False)
            self._held.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._held.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise InputError.at("a folder that no other server uses", error, field="state") from None
        self._check(folder)

    def _check(self, folder: Path | None) -> None:
        """Refuse a database of a newer version, or of another seed, under which its models would be others."""
        [[version]] = self._held.execute("PRAGMA user_version")
        if version > _VERSION:
            self._held.close()
            raise InputError.at(f"a database of version {_VERSION}", version, file=folder, field="state")
        [*seeds] = self._held.execute("SELECT seed FROM seeds")
        if seeds and seeds[0][0] != str(self._seed):
            self._held.close()
            raise InputError.at(f"the seed {seeds[0][0]} that its models have", self._seed, file=folder, field="seed")
        with self._held:
            self._held.execute(f"PRAGMA user_version = {_VERSION}")
            if not seeds:
                self._held.execute("INSERT INTO seeds VALUES (?)", (str(self._seed),))

    def close(self) -> None:
        """Let go of the database."""
        self._held.close()

    def add(self, kind: str, prefix: str, document: Document, content: bytes | None = None) -> Document:
        """Keep a new object.

        Parameters
        ----------
        kind, prefix
            What it is, and how its id begins.
        document
            Without the id.
        content
            Kept for good, and once, however many objects have it.

        Returns
        -------
        dict
            With its id, and the content's digest as ``_digest``.
        """
        with self._held:
            return self._add(kind, prefix, document, content)

    def change(self, document: Document, *added: tuple[str, tuple[str, str, Document, bytes]]) -> Document:
        """Replace an object, and add others, in one transaction.

        Parameters
        ----------
        document
            With its id.
        *added
            Field of `document` that gets a new object's id, and the arguments of :meth:`add` for it.

        Returns
        -------
        dict
            As kept.
        """
        with self._held:
            for field, arguments in added:
                document = {**document, field: self._add(*arguments)["id"]}
            self._held.execute("UPDATE objects SET document = ? WHERE id = ?", (json.dumps(document), document["id"]))
        return document

    def get(self, kind: str, identity: str) -> Document | None:
        """Return an object, or None."""
        row = self._held.execute("SELECT document FROM objects WHERE id = ? AND kind = ?", (identity, kind)).fetchone()
        return None if row is None else json.loads(row[0])

    def all(self, kind: str) -> list[Document]:
        """Return all objects of a kind, the newest first."""
        rows = self._held.execute("SELECT document FROM objects WHERE kind = ? ORDER BY number DESC", (kind,))
        return [json.loads(row[0]) for row in rows]

    def remove(self, identity: str) -> None:
        """Forget an object; its content stays for the models that were trained on it."""
        with self._held:
            self._held.execute("DELETE FROM objects WHERE id = ?", (identity,))

    def content(self, digest: str) -> bytes:
        """Return a content by its digest."""
        found = self._held.execute("SELECT content FROM contents WHERE digest = ?", (digest,)).fetchone()
        return bytes(found[0])

    def _add(self, kind: str, prefix: str, document: Document, content: bytes | None = None) -> Document:
        if content is not None:
            document = {**document, "_digest": hashlib.sha256(content).hexdigest()}
            self._held.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (document["_digest"], content))
        added = self._held.execute("INSERT INTO objects (id, kind, document) VALUES ('', ?, '')", (kind,))
        document = {"id": prefix + name(f"{self._seed} {kind} {added.lastrowid}"), **document}
        values = (document["id"], json.dumps(document), added.lastrowid)
        self._held.execute("UPDATE objects SET id = ?, document = ? WHERE number = ?", values)
        return document


def name(words: str, length: int = 24) -> str:
    """Return letters and digits that these words decide."""
    number = int.from_bytes(hashlib.sha256(words.encode()).digest(), "big")
    return "".join(_LETTERS[number // 62**place % 62] for place in range(length))


def public(document: Document) -> Document:
    """Return an object without what is the server's own."""
    return {key: value for key, value in document.items() if not key.startswith("_")}
