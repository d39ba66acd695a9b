"""Progress: a bar on standard error for work that takes its time, where somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["PATIENCE", "bar"]

PATIENCE = 2.0
"""Seconds after which work that goes on shows a progress bar."""


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error once the work has taken two seconds, if that is a terminal.

    Parameters
    ----------
    what
        The words beside the bar.

    Yields
    ------
    callable
        Takes how many steps are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import Progress

    shown = Progress(console=Console(stderr=True), transient=True)
    task = shown.add_task(what, total=None)
    started = time.monotonic()
    running = False

    def advance(done: int, steps: int) -> None:
        nonlocal running
        shown.update(task, completed=done, total=steps)
        if not running and shown.console.is_terminal and time.monotonic() - started > PATIENCE:
            shown.start()
            running = True

    try:
        yield advance
    finally:
        if running:
            shown.stop()
