"""The status of a study as the terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from avowal.study.gather import UNANSWERED
from avowal.study.status import StageStatus, Status
from avowal.text import NONE, Table, percent, table

__all__ = ["accounts", "printed"]


def printed(found: Status) -> Iterator[Table | str]:
    """Lay a status out for the terminal.

    Parameters
    ----------
    found
        The status.

    Yields
    ------
    Table or str
        In reading order.
    """
    where = "not run yet" if found.endpoint is None else f"replies from {found.endpoint}"
    running = "nobody runs it now" if found.holder is None else f"run by {found.holder}"
    yield f"{found.name}: {where}; {running}"
    yield from accounts(found)
    yield f"Spent: {_dollars(found.spent)} of {_dollars(found.price)} planned."


def accounts(found: Status) -> Iterator[Table | str]:
    """Lay out what became of every stage.

    Parameters
    ----------
    found
        The status.

    Yields
    ------
    Table or str
        A table for each base model, then what needs words.
    """
    for base in dict.fromkeys(each.account.stage.base for each in found.stages):
        yield _table(found, base)
    for each in found.stages:
        yield from _words(each)


def _table(found: Status, base: str) -> Table:
    own = [each for each in found.stages if each.account.stage.base == base]
    head = ["stage", "state", "valid", "planned", "invalid", "failed", "left", "retries", "twice?", "spent", "of"]
    rows = [
        [
            each.account.stage.name.removeprefix(f"{base}: "),
            each.account.state,
            *_counts(each),
            f"{each.account.retries:,}",
            f"{len(each.unsure):,}",
            _dollars(each.account.spent),
            _dollars(each.price),
        ]
        for each in own
    ]
    return table(f"{found.name}, {base}", head, rows)


def _counts(each: StageStatus) -> list[str]:
    if each.trains:
        return [NONE] * 5
    counts = each.counts
    failed = sum(counts.failed.values()) - each.left
    return [f"{n:,}" for n in (counts.valid, counts.planned, sum(counts.invalid.values()), failed, each.left)]


def _words(each: StageStatus) -> Iterator[str]:
    account, counts, name = each.account, each.counts, each.account.stage.name
    if account.error is not None:
        yield f"{name}: stopped: {account.error}"
    if each.jobs and account.state != "finished" and each.jobs[-1]["error"] is None:
        yield f"{name}: its job {each.jobs[-1]['id']} is {each.jobs[-1]['state']}"
    under_way = Counter(batch.state for batch in each.batches if not batch.read)
    if under_way:
        yield f"{name}: batches under way: {_listed([f'{count:,} {state}' for state, count in under_way.items()])}"
    for job in each.jobs:
        if job["error"] is not None:
            yield f"{name}: job {job['id']} {job['state']}: {job['error']}"
    for what, kinds in (("invalid", counts.invalid), ("failed", counts.failed)):
        told = [f"{count:,} {kind}" for kind, count in kinds.items() if kind != UNANSWERED]
        if told:
            yield f"{name}: {what}: {_listed(told)}"
    for how, read in (("strictly", account.strict), ("leniently", account.lenient)):
        if read is not None and read.valid != counts.valid:
            lost = percent(read.share_lost)
            yield f"{name}: read {how}, {read.valid:,} of {read.planned:,} would be valid ({lost} lost)"
    if each.unsure:
        yield f"{name}: {len(each.unsure):,} possibly paid twice: under way when a run died (--json names them)"
    if account.untold:
        yield f"{name}: {account.untold:,} replies without a count of tokens, counted with those expected"
    if account.surplus:
        yield f"{name}: {account.surplus:,} replies beyond the first, which are paid and not used"


def _listed(told: Sequence[str]) -> str:
    return ", ".join(told)


def _dollars(price: Decimal | None) -> str:
    return NONE if price is None else f"${price:,.2f}"
