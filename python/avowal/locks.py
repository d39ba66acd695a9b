"""Locks: one process at a time on what only one may change; a lock ends with its process, however that ends."""

from __future__ import annotations

import sys
from pathlib import Path

from avowal.errors import InputError

__all__ = ["held", "hold"]


def hold(descriptor: int, path: Path, expected: str) -> None:
    """Take a file's lock until the descriptor is closed; Windows has none that leaves the file readable.

    Parameters
    ----------
    descriptor
        Of the open file.
    path
        The file, for the error.
    expected
        What an error says was expected, such as "a draft that no other process works on".

    Raises
    ------
    InputError
        Where another process holds it, or the file system has no locks.
    """
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError.at(expected, "one that does", file=path) from None
        except OSError as error:
            wanted = "a file system on which files can be locked (such as a disk of this machine)"
            raise InputError.at(wanted, error.strerror, file=path) from None


def held(path: Path) -> bool:
    """Tell whether a process holds a file's lock; on Windows, which has none, no.

    Parameters
    ----------
    path
        The file; it may not exist.

    Returns
    -------
    bool
        As it is now: it may have changed when this returns.
    """
    if sys.platform == "win32" or not path.exists():
        return False
    import fcntl

    with path.open("rb") as file:
        try:
            # Shared, so that two who ask at once don't take each other for a holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
