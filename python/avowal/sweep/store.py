"""The store of a sweep: the figures of every replicate, cell by cell, in a folder that outlives the process."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal import __version__
from avowal.errors import InputError
from avowal.locks import hold
from avowal.sweep.estimands import COLUMNS

__all__ = ["PLAN", "Folder", "Rows", "Store", "replace_whole", "replacing", "write_whole"]

Floats = NDArray[np.float64]
Rows = tuple[NDArray[np.uint64], Floats]

_NOTHING: Rows = np.empty(0, dtype=np.uint64), np.empty((0, len(COLUMNS)))

PLAN = "sweep.json"
"""The file that says what the folder's tables are of."""

LOCK = "sweep.lock"
"""The file whose lock the process holds that works on the folder."""


class Store:
    """Keeps the replicates of every cell as rows of :data:`COLUMNS`, in memory."""

    def __init__(self) -> None:
        self._held: dict[str, Rows] = {}

    def load(self, key: str) -> Rows:
        """Return the numbers of a cell's replicates, ascending, and their figures, shape (replicates, columns)."""
        return self._held.get(key, _NOTHING)

    def add(self, key: str, numbers: NDArray[np.uint64], figures: Floats) -> None:
        """Keep replicates of a cell beside those that are there; two of one number are equal."""
        before, held = self.load(key)
        every, places = np.unique(np.concatenate([before, numbers]), return_index=True)
        self._write(key, every, np.concatenate([held, figures])[places])

    def _write(self, key: str, numbers: NDArray[np.uint64], figures: Floats) -> None:
        self._held[key] = numbers, figures


class Folder(Store):
    """Keeps them in a folder instead: one parquet file for each cell, replaced whole.

    Parameters
    ----------
    folder
        New, empty, or that of a sweep.

    Raises
    ------
    InputError
        For a folder with other files.

    Notes
    -----
    Reading is open to everybody; :meth:`claim` comes before the first write.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._release: weakref.finalize[..., Folder] | None = None
        if folder.exists() and not folder.is_dir():
            raise InputError.at("a folder", "a file", file=folder)
        if folder.is_dir() and not (folder / PLAN).is_file():
            others = sorted(path.name for path in folder.iterdir() if path.name not in ("cells", LOCK))
            if others:
                raise InputError.at(f"a new or empty folder, or one with {PLAN}", ", ".join(others), file=folder)

    def load(self, key: str) -> Rows:
        """Return the numbers of a cell's replicates, ascending, and their figures, shape (replicates, columns)."""
        path = self.path(key)
        return _read(path) if path.is_file() else _NOTHING

    def _write(self, key: str, numbers: NDArray[np.uint64], figures: Floats) -> None:
        columns = {"replicate": numbers} | {name: figures[:, place] for place, name in enumerate(COLUMNS)}
        frame = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
        self.claim()
        metadata = {"avowal": __version__, "digest": _digest(numbers, figures)}
        with replacing(self.path(key)) as part:
            frame.write_parquet(part, metadata=metadata)

    def path(self, key: str) -> Path:
        """Return the file of a cell."""
        return self.folder / "cells" / f"{key}.parquet"

    def claim(self) -> None:
        """Keep other runs out until :meth:`release` or the store's end, and clear away what a run left half-written.

        Raises
        ------
        InputError
            Where another run works on it, or it can't be written.
        """
        if self._release is not None:
            return
        try:
            (self.folder / "cells").mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError.at("a folder that can be written", error.strerror or error, file=self.folder) from None
        release = weakref.finalize(self, os.close, descriptor)
        try:
            hold(descriptor, self.folder, "a folder that no other run works on")
        except InputError:
            release()
            raise
        self._release = release
        for path in (*self.folder.glob("*.part"), *self.folder.glob("cells/*.part")):
            path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the folder up; the next write claims it again."""
        if self._release is not None:
            self._release()
            self._release = None

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Write what the sweep is, so that the folder tells it and the next run knows the folder.

        Tables and charts of another plan are removed: the replicates behind them stay.
        """
        self.claim()
        path = self.folder / PLAN
        text = json.dumps(plan, indent=2, allow_nan=False) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") != text:
            for old in (*self.folder.glob("power.*"), *self.folder.glob("price.*")):
                old.unlink()
        write_whole(path, text)

    def write_table(self, table: pl.DataFrame) -> None:
        """Write the sweep's table as ``power.parquet``, ``power.csv`` and ``power.json``."""
        for name, write in (("parquet", table.write_parquet), ("csv", table.write_csv), ("json", table.write_json)):
            with replacing(self.folder / f"power.{name}") as part:
                write(part)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a reader finds the old one or the new one, never a part.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    pathlib.Path
        Where its new content is to be written.

    Raises
    ------
    InputError
        Where it can't be written: no room, no permission.
    """
    part = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        told = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise InputError.at("a file that can be written", told, file=path) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file as :func:`replacing` does."""
    replace_whole(path, text.encode())


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file as :func:`replacing` does."""
    with replacing(path) as part:
        part.write_bytes(content)


def _digest(numbers: NDArray[np.uint64], figures: Floats) -> str:
    plain = np.where(np.isnan(figures), np.nan, figures).astype("<f8")
    return blake2b(numbers.astype("<u8").tobytes() + plain.tobytes(), digest_size=16).hexdigest()


def _read(path: Path) -> Rows:
    expected = "replicates of a cell"
    anew = "remove the file to have them simulated anew"
    try:
        # All at once, since another process may replace the file at any moment.
        content = path.read_bytes()
        metadata = pl.read_parquet_metadata(BytesIO(content))
        frame = pl.read_parquet(BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError.at(expected, f"{error}; {anew}", file=path) from None
    version = metadata.get("avowal")
    if version != __version__:
        told = f"those of avowal {version}, which may differ: use another folder"
        raise InputError.at(f"{expected} of avowal {__version__}", told, file=path)
    if frame.columns != ["replicate", *COLUMNS]:
        raise InputError.at(f"{expected}, with columns replicate, {', '.join(COLUMNS)}", frame.columns, file=path)
    rows = frame["replicate"].to_numpy(), frame.select(pl.col(COLUMNS).fill_null(float("nan"))).to_numpy()
    if metadata.get("digest") != _digest(*rows):
        raise InputError.at(f"{expected} as they were written", f"others; {anew}", file=path)
    return rows
