"""Endings: why a stage ends before it is done."""

from __future__ import annotations

from avowal.errors import AvowalError

__all__ = ["Interrupted", "StageError"]


class StageError(AvowalError):
    """A stage that can't go on, with the reason in the words of whoever stopped it; another run may try again."""


class Interrupted(BaseException):
    """Work that is given up because the run was told to end; nothing is wrong with it."""
