"""Whole files: what is written appears at its place when it is complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole"]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give another name to write to, and rename what was written to `path`.

    Parameters
    ----------
    path
        Of the file, in a folder that exists; what it held before stands until the end.

    Yields
    ------
    pathlib.Path
        In the same folder. Two processes that write one file at once have one each, and the later one stands.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
