"""Progress: what a command shows on standard error while it works, and how much of it was asked for."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from avowal.text import plain

__all__ = ["PATIENCE", "Volume", "bar", "listen", "volume"]

PATIENCE = 2.0
"""Seconds after which work that goes on shows a progress bar."""

TENTHS = 10
"""Lines in which verbose work tells how far it is where there is no terminal for a bar."""

LOG = "avowal"
"""The logger that verbose commands print: each request with its outcome, and each wait with its reason."""

_KEY = f"{__name__}.volume"


class Volume(Enum):
    """How much a command shows on standard error."""

    QUIET = "quiet"
    """No progress: only questions, warnings and errors."""
    NORMAL = "normal"
    """Bars on a terminal, and a line for each stage of a run."""
    VERBOSE = "verbose"
    """Also lines of progress where there is no terminal, and the log of :data:`LOG`."""


def volume() -> Volume:
    """Return how much the command that runs is to show; ``NORMAL`` where none runs.

    Returns
    -------
    Volume
        Known to the thread of the command alone.
    """
    if "click" not in sys.modules:
        return Volume.NORMAL
    import click

    context = click.get_current_context(silent=True)
    found = Volume.NORMAL if context is None else context.meta.get(_KEY, Volume.NORMAL)
    return Volume(found)


def listen(asked: Volume) -> None:
    """Set how much the command that runs shows, until it ends.

    Parameters
    ----------
    asked
        By its options.

    Raises
    ------
    click.UsageError
        Where both less and more were asked for.
    """
    import click

    context = click.get_current_context()
    if context.meta.get(_KEY, asked) is not asked:
        raise click.UsageError("--quiet and --verbose contradict each other: give one of them.")
    context.meta[_KEY] = asked
    if asked is Volume.VERBOSE:
        log, handler = logging.getLogger(LOG), _Lines()
        before = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)

        def unheard() -> None:
            log.removeHandler(handler)
            log.setLevel(before)

        # Not on its own closing: it is never opened where a later option is wrong.
        context.find_root().call_on_close(unheard)


class _Lines(logging.Handler):
    """Writes each record to standard error as it is then: a live table takes its place while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        _line(record.getMessage())


def _line(text: str) -> None:
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error once the work has taken two seconds, if that is a terminal.

    Elsewhere verbose commands tell how far it is, in ten lines at most; quiet ones show nothing.

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

    asked = volume()
    shown = Progress(console=Console(stderr=True), transient=True)
    task = shown.add_task(what, total=None)
    looked_at = shown.console.is_terminal and asked is not Volume.QUIET
    in_lines = asked is Volume.VERBOSE and not looked_at
    started, told = time.monotonic(), 0
    running = False

    def advance(done: int, steps: int) -> None:
        nonlocal running, told
        shown.update(task, completed=done, total=steps)
        if not running and looked_at and time.monotonic() - started > PATIENCE:
            shown.start()
            running = True
        if in_lines and steps and (tenth := TENTHS * done // steps) > told:
            told = tenth
            _line(f"{what}: {done:,} of {steps:,}")

    try:
        yield advance
    finally:
        if running:
            shown.stop()
