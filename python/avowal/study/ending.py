"""Endings: why a stage ends before it is done."""

from __future__ import annotations

from avowal.errors import AvowalError
from avowal.text import plain

__all__ = ["Interrupted", "StageError", "printable"]


class StageError(AvowalError):
    """A stage that can't go on, with the reason in the words of whoever stopped it; another run may try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(printable(reason))


def printable(text: str) -> str:
    """Return a text in one line and without what would steer a terminal: providers' words are anybody's."""
    return plain(" ".join(text.split()))


class Interrupted(BaseException):
    """Work that is given up because the run was told to end; nothing is wrong with it."""
