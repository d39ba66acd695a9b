"""The watch: how far every stage of a run is, kept by its workers and shown to whoever looks on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

from avowal.study.ending import printable

__all__ = ["DONE", "Progress", "Watch", "watching"]

EVERY = 0.25
"""Seconds between two looks of a terminal."""

ROOM = 100
"""Columns of a terminal from which stages stand in a table."""

DONE = "done"
"""The note of a stage that has finished."""


@dataclass(slots=True)
class Progress:
    """How far a stage is.

    Attributes
    ----------
    name
        The stage's.
    total
        Requests in all; 0 for training.
    valid, invalid, failed, retries
        Replies that say what was asked for, replies that don't, requests without a reply, and tries beyond the first.
    spend
        US dollars, of this run.
    before
        How many of `valid` and `invalid` were there when the run began.
    began, ended
        By the monotonic clock.
    note
        What it waits for, or why it stopped.
    """

    name: str
    total: int = 0
    valid: int = 0
    invalid: int = 0
    failed: int = 0
    retries: int = 0
    spend: Decimal = Decimal(0)
    before: int = 0
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    note: str = ""

    @property
    def done(self) -> int:
        """Requests with a reply."""
        return self.valid + self.invalid

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def rate(self) -> float:
        """Replies of this run for each second."""
        return (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until all have a reply, at this rate; None where nobody knows."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.ended is None else None

    def tell(self, line: str) -> None:
        """Note what it waits for."""
        self.note = printable(line.removeprefix(f"{self.name}: "))

    def line(self) -> str:
        """Tell of it in one line."""
        parts = [f"{self.done:,} of {self.total:,} replies"] if self.total else []
        parts += [f"{count:,} {what}" for what, count in (("invalid", self.invalid), ("failed", self.failed)) if count]
        if self.retries:
            parts.append(f"{self.retries:,} retries")
        if self.spend:
            parts.append(f"${self.spend:,.2f}")
        parts.append(duration(self.seconds))
        return f"{self.name}: {', '.join(parts)}" + (f": {self.note}" if self.note else "")


class Watch:
    """The progress of a run's stages; may be used from any thread.

    Parameters
    ----------
    tell
        Is told of each stage that ends and of all that a person should know, in one line.
    quiet
        Whether it is told of no stage that has simply finished.
    """

    begun: Callable[[], object] = staticmethod(lambda: None)
    """Called when a stage begins."""

    def __init__(self, tell: Callable[[str], object], *, quiet: bool = False) -> None:
        self._tell, self._quiet = tell, quiet
        self._guard = threading.Lock()
        self.stages: dict[str, Progress] = {}

    def begin(self, name: str) -> Progress:
        """Watch a stage from now on."""
        made = Progress(name)
        with self._guard:
            self.stages[name] = made
            self.begun()
        return made

    def end(self, name: str, note: str) -> None:
        """Tell how a stage has ended."""
        stage = self.stages[name]
        stage.ended, stage.note = time.monotonic(), printable(note)
        if note != DONE or not self._quiet:
            self.tell(stage.line())

    def tell(self, line: str) -> None:
        """Tell a line."""
        with self._guard:
            self._tell(printable(line))

    def table(self, width: int = ROOM) -> RenderableType:
        """Lay out the stages that are under way; in lines where the terminal has no room for columns."""
        from rich.table import Table
        from rich.text import Text

        with self._guard:
            under_way = [each for each in self.stages.values() if each.ended is None]
        if width < ROOM:
            return Text("\n".join(each.line() for each in under_way), overflow="fold")
        laid = Table(box=None, pad_edge=False)
        heads = ("stage", "done", "valid", "invalid", "failed", "retries", "a second", "spent", "left")
        for place, head in enumerate(heads):
            laid.add_column(Text(head), justify="left" if place == 0 else "right", overflow="fold", style="")
        for each in under_way:
            counts = (
                f"{each.done:,} of {each.total:,}",
                f"{each.valid:,}",
                f"{each.invalid:,}",
                f"{each.failed:,}",
                f"{each.retries:,}",
                f"{each.rate:.1f}",
                f"${each.spend:,.2f}",
                "" if each.left is None else duration(each.left),
            )
            cells = counts if each.total else (each.note, *[""] * 7)
            laid.add_row(*(Text(cell) for cell in (each.name, *cells)))
        return laid


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Examples
    --------
    >>> duration(7.4), duration(754), duration(7540)
    ('7 s', '12 min 34 s', '2 h 5 min')
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextmanager
def watching(*, quiet: bool = False) -> Iterator[Watch]:
    """Show a run on standard error: a table that lives on a terminal, one line for each stage elsewhere.

    Parameters
    ----------
    quiet
        Whether to show nothing but what a person should know.

    Yields
    ------
    Watch
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False, emoji=False)
    if quiet or not console.is_terminal:
        yield Watch(lambda line: print(line, file=sys.stderr, flush=True), quiet=quiet)  # noqa: T201
        return
    watch = Watch(lambda line: console.print(line, markup=False))

    def laid() -> RenderableType:
        return watch.table(console.width)

    live = Live(get_renderable=laid, console=console, refresh_per_second=1 / EVERY, transient=True)
    # Before the first stage there may be a question to answer, which the table would write over.
    watch.begun = live.start
    try:
        yield watch
    finally:
        live.stop()
