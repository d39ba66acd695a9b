"""The store of a sweep: the figures of every replicate, cell by cell, in a folder that outlives the process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal import __version__
from avowal.errors import InputError
from avowal.sweep.estimands import COLUMNS

__all__ = ["PLAN", "Folder", "Rows", "Store", "replace_whole", "write_whole"]

Floats = NDArray[np.float64]
Rows = tuple[NDArray[np.uint64], Floats]

_NOTHING: Rows = np.empty(0, dtype=np.uint64), np.empty((0, len(COLUMNS)))

PLAN = "sweep.json"
"""The file that says what the folder's tables are of."""


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
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise InputError.at("a folder", "a file", file=folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / PLAN).is_file():
            raise InputError.at(f"a new or empty folder, or one with {PLAN}", "other files", file=folder)

    def load(self, key: str) -> Rows:
        """Return the numbers of a cell's replicates, ascending, and their figures, shape (replicates, columns)."""
        path = self.path(key)
        return _read(path) if path.is_file() else _NOTHING

    def _write(self, key: str, numbers: NDArray[np.uint64], figures: Floats) -> None:
        columns = {"replicate": numbers} | {name: figures[:, place] for place, name in enumerate(COLUMNS)}
        frame = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
        path = self.path(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        frame.write_parquet(part, metadata={"avowal": __version__})
        part.replace(path)

    def path(self, key: str) -> Path:
        """Return the file of a cell."""
        return self.folder / "cells" / f"{key}.parquet"

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Write what the sweep is, so that the folder tells it and the next run knows the folder."""
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / PLAN, json.dumps(plan, indent=2, allow_nan=False) + "\n")

    def write_table(self, table: pl.DataFrame) -> None:
        """Write the sweep's table as ``power.parquet``, ``power.csv`` and ``power.json``."""
        for name, write in (("parquet", table.write_parquet), ("csv", table.write_csv), ("json", table.write_json)):
            path = self.folder / f"power.{name}"
            part = path.with_suffix(f".{name}.{os.getpid()}.part")
            write(part)
            part.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old one or the new one, never a part."""
    replace_whole(path, text.encode())


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part."""
    part = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def _read(path: Path) -> Rows:
    expected = "replicates of a cell"
    try:
        version = pl.read_parquet_metadata(path).get("avowal")
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError.at(expected, f"{error}; remove the file to have them simulated anew", file=path) from None
    if version != __version__:
        told = f"those of avowal {version}, which may differ: use another folder"
        raise InputError.at(f"{expected} of avowal {__version__}", told, file=path)
    if frame.columns != ["replicate", *COLUMNS]:
        raise InputError.at(f"{expected}, with columns replicate, {', '.join(COLUMNS)}", frame.columns, file=path)
    figures = frame.select(pl.col(COLUMNS).fill_null(float("nan"))).to_numpy()
    return frame["replicate"].to_numpy(), figures
