"""Status: how far a study is, stage by stage, also while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from avowal.account import Account
from avowal.display import Shown
from avowal.errors import InputError
from avowal.lines import Training
from avowal.locks import held
from avowal.prices import Prices, total
from avowal.study.collect import Collected, StageAccount, collect
from avowal.study.gather import UNANSWERED
from avowal.study.place import Place
from avowal.study.plan import plan, pricing
from avowal.study.store import LOCK, Store
from avowal.text import Table

__all__ = ["Batch", "StageStatus", "Status", "look", "stage_document", "status", "status_of"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of a stage.

    Attributes
    ----------
    id, state
        The provider's name and word for it.
    attempt, requests
        How often it had been tried, counted from 1, and how many requests are in it.
    read
        Whether its replies are in the database.
    """

    id: str
    state: str
    attempt: int
    requests: int
    read: bool


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How far a stage is.

    Attributes
    ----------
    account
        What became of its requests.
    requests
        Planned by the study's file; for training, lines.
    price
        What that would cost, US dollars; None where the base model has no price.
    unsure
        Requests possibly paid twice: context, trial, key, and how often each was under way when a run died.
    jobs
        Rows of :data:`avowal.tables.STUDY_JOBS`.
    batches
        In the order in which they were made.
    """

    account: StageAccount
    requests: int
    price: Decimal | None
    unsure: tuple[tuple[str, int, str, int], ...]
    jobs: tuple[Mapping[str, Any], ...]
    batches: tuple[Batch, ...]

    @property
    def trains(self) -> bool:
        """Whether it is a training job."""
        return isinstance(self.account.stage.sends, Training)

    @property
    def counts(self) -> Account:
        """Its requests; those of a stage that has not begun are unanswered."""
        if self.account.requests is not None:
            return self.account.requests
        planned = 0 if self.trains else self.requests
        return Account(planned, 0, failed={UNANSWERED: planned} if planned else {})

    @property
    def left(self) -> int:
        """Requests that have neither a reply nor a failure yet."""
        return self.counts.failed.get(UNANSWERED, 0)


@dataclass(frozen=True, slots=True)
class Status(Shown):
    """How far a study is.

    Attributes
    ----------
    name
        The study's.
    endpoint
        Where its replies come from; None before the first run.
    holder
        The process that runs it now; None where none does.
    stages
        In order.
    """

    name: str
    endpoint: str | None
    holder: str | None
    stages: tuple[StageStatus, ...]

    def _shown(self) -> Iterable[Table | str]:
        from avowal.study.status_printed import printed

        return printed(self)

    @property
    def spent(self) -> Decimal | None:
        """US dollars so far; None where a model has no price."""
        return _sum([each.account.spent for each in self.stages])

    @property
    def price(self) -> Decimal | None:
        """US dollars for everything; None where a model has no price."""
        return _sum([each.price for each in self.stages])

    def to_dict(self) -> dict[str, Any]:
        """Return the status for a JSON document; prices are texts, exact."""
        return {
            "name": self.name,
            "endpoint": self.endpoint,
            "holder": self.holder,
            "spent": _text(self.spent),
            "price": _text(self.price),
            "stages": [stage_document(each) for each in self.stages],
        }


def look(place: Place, prices: Prices | None = None) -> Collected:
    """Read a study's database, also while it runs.

    Parameters
    ----------
    place
        Where the study runs.
    prices
        The built-in prices if None.

    Returns
    -------
    Collected

    Raises
    ------
    InputError
        Where the database is not one of this version, or not this study's.
    """
    with Store.reading(place.folder) as store:
        return collect(store, place.study, prices=prices)


def status(place: Place, prices: Prices | None = None) -> Status:
    """Say how far a study is.

    Parameters
    ----------
    place
        Where it runs.
    prices
        The built-in prices if None.

    Returns
    -------
    Status

    Raises
    ------
    InputError
        As for :func:`look`.
    """
    with Store.reading(place.folder) as store, nullcontext() if store is None else store.snapshot():
        return status_of(store, place, collect(store, place.study, prices=prices), prices)


def status_of(store: Store | None, place: Place, collected: Collected, prices: Prices | None = None) -> Status:
    """Say how far a study is whose tables have been read already.

    Parameters
    ----------
    store
        Its database, in the snapshot that the tables are of; None where nothing has been run.
    place, collected
        Where it runs, and its tables.
    prices
        The built-in prices if None.

    Returns
    -------
    Status
    """
    endpoint = None if store is None else store.fact("endpoint")
    batches = {} if store is None else _batches(store)
    quoted = _quoted(place, prices)
    unsure: dict[str, list[tuple[str, int, str, int]]] = {}
    doubtful = collected.tables["requests"].filter(collected.tables["requests"]["unsure"] > 0)
    for name, *row in doubtful.select("stage", "context", "trial", "key", "unsure").iter_rows():
        unsure.setdefault(name, []).append(tuple(row))
    jobs: dict[str, list[Mapping[str, Any]]] = {}
    for job in collected.tables["jobs"].iter_rows(named=True):
        jobs.setdefault(job["stage"], []).append(job)
    listed = []
    for account in collected.stages:
        name, sends = account.stage.name, account.stage.sends
        listed.append(
            StageStatus(
                account,
                len(sends.contexts) * sends.trials,
                quoted.get(name),
                tuple(unsure.get(name, ())),
                tuple(jobs.get(name, ())),
                tuple(batches.get(name, ())),
            )
        )
    return Status(place.study.name, endpoint, _holder(place), tuple(listed))


def stage_document(found: StageStatus) -> dict[str, Any]:
    """Return a stage's status for a JSON document."""
    account, counts = found.account, found.counts
    return {
        "stage": account.stage.name,
        "base": account.stage.base,
        "role": account.stage.role,
        "kind": "train" if found.trains else account.stage.sends.kind,
        "state": account.state,
        "began": account.began,
        "ended": account.ended,
        "error": account.error,
        "planned": counts.planned,
        "answered": counts.valid + sum(counts.invalid.values()),
        "valid": counts.valid,
        "invalid": dict(counts.invalid),
        "failed": {kind: count for kind, count in counts.failed.items() if kind != UNANSWERED},
        "left": found.left,
        "strict": _reading(account.strict),
        "lenient": _reading(account.lenient),
        "retries": account.retries,
        "surplus": account.surplus,
        "possibly_paid_twice": [
            dict(zip(("context", "trial", "key", "times"), row, strict=True)) for row in found.unsure
        ],
        "jobs": [{key: value for key, value in job.items() if key != "stage"} for job in found.jobs],
        "batches": [
            {
                "id": each.id,
                "state": each.state,
                "attempt": each.attempt,
                "requests": each.requests,
                "read": each.read,
            }
            for each in found.batches
        ],
        "spent": _text(account.spent),
        "untold": account.untold,
        "price": _text(found.price),
    }


def _reading(found: Account | None) -> dict[str, Any] | None:
    return None if found is None else {"valid": found.valid, "invalid": dict(found.invalid)}


def _quoted(place: Place, prices: Prices | None) -> dict[str, Decimal]:
    try:
        table = pricing(place.study, free=place.free and prices is None, prices=prices)
        return {each.stage.name: each.item.price for each in plan(place.study, prices=table, replicates=0).stages}
    except InputError:
        # A study may have been paid by prices of a file that isn't given here.
        return {}


def _batches(store: Store) -> dict[str, list[Batch]]:
    found: dict[str, list[Batch]] = {}
    rows = store.rows("select stage, id, state, attempt, requests, read from batches order by rowid")
    for stage, name, state, attempt, requests, read in rows:
        found.setdefault(stage, []).append(Batch(name, state, attempt, requests, bool(read)))
    return found


def _holder(place: Place) -> str | None:
    path = place.folder / LOCK
    if not held(path):
        return None
    return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"


def _sum(prices: Sequence[Decimal | None]) -> Decimal | None:
    told = [each for each in prices if each is not None]
    return total(told) if len(told) == len(prices) else None


def _text(price: Decimal | None) -> str | None:
    return None if price is None else str(price)
