"""The run: what is left of a study carried out, stage after stage, by as many hands as it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from avowal.errors import InputError
from avowal.prices import Prices
from avowal.provider import Client, Policy, ProviderError, Throttle
from avowal.sends import Training
from avowal.study.budget import Budget
from avowal.study.ending import Interrupted, StageError
from avowal.study.place import Place, bind, place, serving
from avowal.study.plan import pricing
from avowal.study.shutdowns import refuse_closed
from avowal.study.spending import spent, under_way
from avowal.study.stages import Stage, stages
from avowal.study.store import Store
from avowal.study.training_checks import refuse_short
from avowal.study.watch import Watch, duration
from avowal.study.workshop import Workshop

__all__ = ["Options", "Outcome", "run"]

POLL = 10.0
"""Seconds between two looks at a job or a batch; a server on this machine is looked at ten times a second."""


ENDING = "ending: what is under way is waited for and kept (once more, and it is given up: possibly paid twice)"
"""What is told at Ctrl-C."""

LONG = 30.0
"""Seconds of a wait for the provider from which on somebody should know of it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a study is run.

    Attributes
    ----------
    provider
        ``simulated`` or an address, in place of the file's.
    max_cost
        US dollars for the whole study, in place of the file's limit.
    stages
        Names, or parts of names, of the stages to carry out; all if empty.
    detach
        Whether jobs and batches are submitted and not waited for.
    closed
        Whether models are asked for that have shut down, as far as anyone knows.
    prices
        The built-in prices if None.
    policy
        Of retries.
    timeout
        Seconds without a byte after which a try has failed.
    """

    provider: str | None = None
    max_cost: Decimal | None = None
    stages: tuple[str, ...] = ()
    detach: bool = False
    closed: bool = False
    prices: Prices | None = None
    policy: Policy | None = None
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    place
        Where it was.
    finished
        Names of the stages that are done.
    stopped
        By name of stage, why it stopped.
    waiting
        Names of the stages whose jobs or batches are under way, and of those that need them.
    spent
        US dollars, by all runs of the study.
    """

    place: Place
    finished: tuple[str, ...]
    stopped: dict[str, str]
    waiting: tuple[str, ...]
    spent: Decimal


def run(
    home: str | Path,
    options: Options | None = None,
    *,
    watch: Watch | None = None,
    confirm: Callable[[Place, Client], object] = lambda *_: None,
) -> Outcome:
    """Carry out what is left of a study.

    Parameters
    ----------
    home
        The study's folder.
    options
        How.
    watch
        Shows how far it is.
    confirm
        Is asked before the first request that costs anything; raises where the answer is no.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        For a bad file or database, a study that another process runs, or a model without a price.
    KeyboardInterrupt
        At Ctrl-C, once what was under way is on the disk; at a second one at once.
    """
    asked, shown = options or Options(), watch or Watch(lambda _: None)
    found = place(home, asked.provider)
    # A server on this machine costs nothing, unless somebody says what it costs.
    free = found.free and asked.prices is None
    table = pricing(found.study, free=free, prices=asked.prices)
    listed = stages(found.study)
    chosen = _chosen(listed, asked.stages)
    for stage in listed:
        refuse_short(stage.sends)
    limit = asked.max_cost if asked.max_cost is not None else _decimal(found.study.limits.spend)
    found.folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    with Store.writing(found.folder) as store, serving(found) as endpoint, _throttle(found) as throttle:
        bind(store, found)
        client = Client(
            endpoint,
            policy=asked.policy,
            timeout=asked.timeout,
            folder=found.home,
            sleep=lambda seconds: _rest(throttle, seconds),
            failed=_Failures(throttle, shown, found.endpoint).failed,
        )
        budget = Budget(table, limit, spent(store, table, free=free))
        budget.check(chosen, "batch" if found.study.provider.mode == "batch" else "sync")
        # What earlier runs have left under way is paid for, whatever this one does.
        budget.hold(Decimal(0) if free else under_way(store, table), begun=True)
        if not found.free:
            # Before anything is sent: the list of models takes the key along too.
            confirm(found, client)
            if not asked.closed:
                refuse_closed(found.study.models.base, datetime.now(UTC).date(), told=_shutdowns(client))
        workshop = Workshop(
            found, listed, store, client, throttle, budget, stop, shown, asked.detach, 0.1 if found.free else POLL
        )
        workshop.refuse_changed()
        ended = _Schedule(chosen, workshop, throttle).carry_out()
        return Outcome(found, ended.finished, ended.stopped, ended.waiting, budget.spent)


def _chosen(listed: tuple[Stage, ...], asked: tuple[str, ...]) -> tuple[Stage, ...]:
    for part in asked:
        if not any(part in each.name for each in listed):
            raise InputError.at(f"a part of a stage's name, such as {listed[0].name!r}", repr(part), field="stage")
    return tuple(each for each in listed if not asked or any(part in each.name for part in asked))


@contextmanager
def _throttle(found: Place) -> Iterator[Throttle]:
    limits = found.study.limits
    throttle = Throttle(limits.concurrency, limits.requests_per_minute, limits.tokens_per_minute)
    try:
        yield throttle
    finally:
        throttle.stop()


def _rest(throttle: Throttle, seconds: float) -> None:
    if not throttle.rest(seconds):
        raise Interrupted


class _Failures:
    """Hands failed tries on to the throttle, and tells of those that keep a run waiting, once for each wait."""

    def __init__(self, throttle: Throttle, watch: Watch, address: str) -> None:
        self._throttle, self._watch, self._address = throttle, watch, address
        self._until = 0.0

    def failed(self, kind: str, status: int | None, asked: float | None) -> None:
        self._throttle.failed(kind, status, asked)
        now, wait = time.monotonic(), LONG if asked is None else asked
        if (asked is None and status is not None) or wait < LONG or now + wait <= self._until + 1:
            return
        self._until = now + wait
        told = f"{self._address} is tried again" if asked is None else f"the provider asks to wait {duration(asked)}"
        self._watch.tell(f"{kind}: {told}")


def _shutdowns(client: Client) -> dict[str, date]:
    """Return the days on which models shut down, as far as the provider tells."""
    try:
        offered = client.offers()
    except ProviderError:
        # Not every endpoint lists its models; whether this one can be reached shows soon enough.
        return {}
    return {each.name: each.shutdown for each in offered if each.shutdown is not None}


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@dataclass(frozen=True, slots=True)
class _Ended:
    finished: tuple[str, ...]
    stopped: dict[str, str]
    waiting: tuple[str, ...]


class _Schedule:
    """Begins every stage when those that it needs have finished.

    Jobs and batches go on at the provider and are waited for side by side; of the stages that send single requests one
    goes on at a time, since they share the limits.
    """

    def __init__(self, chosen: tuple[Stage, ...], workshop: Workshop, throttle: Throttle) -> None:
        self._left = list(chosen)
        self._chosen = {each.name for each in chosen}
        self._workshop, self._throttle = workshop, throttle
        self._under_way: dict[Future[bool], Stage] = {}
        self._finished: list[str] = []
        self._stopped: dict[str, str] = {}
        self._waiting: list[str] = []

    def carry_out(self) -> _Ended:
        """Do all that can be done."""
        hands = ThreadPoolExecutor(max(1, len(self._left)), thread_name_prefix="stage")
        try:
            while self._begin(hands) or self._under_way:
                done, _ = wait(self._under_way, timeout=0.2, return_when=FIRST_COMPLETED)
                for each in done:
                    self._end(each)
        except BaseException as error:
            self._workshop.stop.set()
            self._throttle.stop()
            if isinstance(error, KeyboardInterrupt | SystemExit):
                self._workshop.watch.tell(ENDING)
            # Look by look: a signal that comes just before a wait without end would never be seen.
            while wait(self._under_way, timeout=0.2).not_done:
                pass
            raise
        finally:
            hands.shutdown(wait=False)
        return _Ended(tuple(self._finished), self._stopped, (*self._waiting, *(each.name for each in self._left)))

    def _begin(self, hands: ThreadPoolExecutor) -> bool:
        begun = False
        for stage in list(self._left):
            asking = any(not self._alone(each) for each in self._under_way.values())
            if self._ready(stage) and (self._alone(stage) or not asking):
                self._left.remove(stage)
                self._under_way[hands.submit(self._workshop.carry_out, stage)] = stage
                begun = True
        return begun

    def _alone(self, stage: Stage) -> bool:
        return isinstance(stage.sends, Training) or self._workshop.place.study.provider.mode == "batch"

    def _ready(self, stage: Stage) -> bool:
        return all(
            each in self._finished if each in self._chosen else self._workshop.finished(each) for each in stage.needs
        )

    def _end(self, done: Future[bool]) -> None:
        stage = self._under_way.pop(done)
        try:
            finished = done.result()
        except StageError as error:
            self._stopped[stage.name] = str(error)
            return
        (self._finished if finished else self._waiting).append(stage.name)
