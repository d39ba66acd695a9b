"""Programs: the Stan sources in the package, and where what is compiled from them is kept."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from avowal.errors import InputError

NAMES = ("choices", "accuracy", "joint")
"""The programs in the package, in ``avowal/stan/programs``."""

CACHE = "AVOWAL_CACHE"
"""Environment variable that names the folder for compiled programs."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Stan program.

    Attributes
    ----------
    name
        What results call it.
    source
        Its text.
    """

    name: str
    source: str = field(repr=False)

    def key(self, *build: str) -> str:
        """Return the content hash under which a build is kept: of the source and of whatever it was built with."""
        return hashlib.blake2b("\n".join((self.source, *build)).encode(), digest_size=16).hexdigest()


@cache
def program(name: str) -> Program:
    """Read one of the package's programs.

    Parameters
    ----------
    name
        One of :data:`NAMES`.

    Returns
    -------
    Program

    Raises
    ------
    InputError
        For another name.
    """
    if name not in NAMES:
        raise InputError.at(" or ".join(NAMES), repr(name), field="program")
    return Program(name, (files("avowal.stan") / "programs" / f"{name}.stan").read_text(encoding="utf-8"))


def cache_folder() -> Path:
    """Return the folder for compiled programs, made where it is missing.

    Returns
    -------
    Path
        What ``AVOWAL_CACHE`` names, or else the user's folder for caches.

    Raises
    ------
    OSError
        Where it can't be made.
    """
    if own := os.environ.get(CACHE):
        base = Path(own)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "avowal"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "avowal"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avowal"
    folder = base / "stan"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
