"""Collecting: a study's database becomes tables, each reply read once and every request counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from avowal import tables
from avowal.account import Account
from avowal.agents import targets
from avowal.analysis.probabilities import probability_weights
from avowal.errors import InputError
from avowal.fit import fit
from avowal.lines import Training
from avowal.prices import Prices, priced_as, total
from avowal.provider import completion
from avowal.replies import choices, reports
from avowal.study.chains import columns
from avowal.study.config import StudyFile
from avowal.study.gather import UNANSWERED, Gathered, gather
from avowal.study.odds import probability
from avowal.study.spending import Bill, bills, is_free
from avowal.study.stages import Stage, stages
from avowal.study.store import Store

__all__ = ["RUN", "Collected", "StageAccount", "choices_of", "collect"]

RUN = ("tuned", "reply_id")
"""The columns of choices and reports that differ between two runs of one study that got the same replies."""


@dataclass(frozen=True, slots=True)
class StageAccount:
    """What became of a stage.

    Attributes
    ----------
    stage
        The stage.
    state
        ``not begun``, ``running``, ``finished`` or ``stopped``.
    began, ended, error
        When, in seconds since 1970, and why it stopped.
    requests
        Planned requests: valid, invalid by type, and failed by type, which includes those without a reply yet; None
        for training, and for a stage without requests yet.
    strict, lenient
        The same, had reports been read strictly, and leniently; None but for reports.
    retries, unsure, surplus
        Failures before or without a reply; requests under way when a run died; replies beyond the first.
    spent
        US dollars; None where the model has no price.
    billed
        What `spent` is for.
    """

    stage: Stage
    state: str
    began: float | None
    ended: float | None
    error: str | None
    requests: Account | None
    strict: Account | None
    lenient: Account | None
    retries: int
    unsure: int
    surplus: int
    spent: Decimal | None
    billed: tuple[Bill, ...] = ()

    @property
    def untold(self) -> int:
        """Replies that came without a count of tokens: they are counted, and priced, with those expected."""
        return sum(bill.untold for bill in self.billed)


@dataclass(frozen=True, slots=True)
class Collected:
    """A study's tables.

    Attributes
    ----------
    study
        Its file.
    stages
        The account of each of its stages, in order.
    tables
        By name: ``choices``, ``reports``, ``weights``, ``targets``, ``requests``, ``jobs``, ``stages``, as
        :mod:`avowal.tables` describes them.
    unanswered
        The kinds of failures of requests without a reply.
    """

    study: StudyFile
    stages: tuple[StageAccount, ...]
    tables: Mapping[str, pl.DataFrame]
    unanswered: Collection[str]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one stage adds."""

    account: StageAccount
    requests: pl.DataFrame
    choices: pl.DataFrame | None = None
    reports: pl.DataFrame | None = None
    unanswered: frozenset[str] = frozenset()


def collect(store: Store | None, study: StudyFile, *, prices: Prices | None = None) -> Collected:
    """Turn a study's database into tables.

    Parameters
    ----------
    store
        The database, opened for reading; None where nothing has been run.
    study
        The study's file.
    prices
        The built-in prices if None; then the simulated provider and servers on this machine cost nothing.

    Returns
    -------
    Collected
        The rows stand in the order of the study's prompts, whatever the order in which replies came.

    Raises
    ------
    InputError
        Where the database asks about what the study's file does not.
    """
    from avowal.prices import builtin

    listed = stages(study)
    with nullcontext() if store is None else store.snapshot():
        free = prices is None and store is not None and is_free(store.fact("endpoint"))
        pricer = _Pricer(builtin() if prices is None else prices, free=free)
        billed, priced = _bills(store, pricer)
        parts = [
            _part(store, stage, study, pricer, [each for each in billed if each.stage == stage.name], priced=priced)
            for stage in listed
        ]
        jobs = [] if store is None else _jobs(store)
    chosen = _all([part.choices for part in parts], tables.STUDY_CHOICES)
    contexts = (*study.trained, *study.native)
    made = {
        "choices": chosen,
        "reports": _all([part.reports for part in parts], tables.STUDY_REPORTS),
        "weights": _weights(chosen, study),
        "targets": targets(contexts, seed=study.seed).filter(
            pl.col("context").is_in([context.name for context in study.trained])
        ),
        "requests": _all([part.requests for part in parts], tables.STUDY_REQUESTS),
        "jobs": pl.DataFrame(jobs, schema=dict(tables.STUDY_JOBS), orient="row"),
        "stages": _stages([part.account for part in parts]),
    }
    unanswered = frozenset[str]().union(*(part.unanswered for part in parts))
    return Collected(study, tuple(part.account for part in parts), made, unanswered)


def choices_of(store: Store, stage: Stage, seed: int) -> pl.DataFrame:
    """Return what one stage of decisions has chosen so far, a table of :data:`avowal.tables.CHOICES`."""
    return choices(_replies(stage, gather(store, stage, seed))).table


def _part(
    store: Store | None, stage: Stage, study: StudyFile, pricer: _Pricer, billed: Sequence[Bill], *, priced: bool
) -> _Part:
    rows = [] if store is None else gather(store, stage, study.seed)
    state = _state(store, stage)
    requests = _requests(stage, rows, pricer)
    counts: dict[str, Any] = {
        "retries": sum(len(row.retries) + len(row.failures) for row in rows),
        "unsure": sum(row.unsure > 0 for row in rows),
        "surplus": sum(row.surplus for row in rows),
        "spent": total(each.price for each in billed) if priced else None,
        "billed": tuple(billed),
    }
    if isinstance(stage.sends, Training) or not rows:
        return _Part(StageAccount(stage, *state, None, None, None, **counts), requests)
    replies = _replies(stage, rows)
    kinds = frozenset(row.failure for row in rows if row.failure is not None)
    beside = _beside(stage, rows)
    # What the file asks since the stage was planned has no row yet, and is missing all the same.
    more = len(stage.sends.contexts) * stage.sends.trials - len(rows)
    unasked = Account(more, 0, failed={UNANSWERED: more} if more else {})
    if stage.sends.kind == "decisions":
        read = choices(replies)
        told = [None if row.body is None else probability(row.body) for row in rows]
        frame = read.table.with_columns(*beside, pl.Series("p_a", told, dtype=pl.Float64))
        account = StageAccount(stage, *state, read.account + unasked, None, None, **counts)
        return _Part(account, requests, choices=frame, unanswered=kinds)
    found = reports(replies, stage.sends.contexts, lenient=study.sampling.lenient)
    strict, lenient = found.strict + unasked, found.lenient + unasked
    account = StageAccount(stage, *state, lenient if found.is_lenient else strict, strict, lenient, **counts)
    return _Part(account, requests, reports=found.table.with_columns(*beside), unanswered=kinds)


def _state(store: Store | None, stage: Stage) -> tuple[str, float | None, float | None, str | None]:
    query = "select state, began, ended, error from stages where name = ?"
    found = [] if store is None else store.rows(query, (stage.name,))
    if not found:
        return "not begun", None, None, None
    state, began, ended, error = found[0]
    return state, began, ended, error


def _bills(store: Store | None, pricer: _Pricer) -> tuple[tuple[Bill, ...], bool]:
    """Return what was billed, and whether it has prices: where a model has none, tokens are all that is known."""
    if store is None:
        return (), True
    try:
        return bills(store, pricer.prices, free=pricer.free), True
    except InputError:
        return bills(store, pricer.prices, free=True), False


def _replies(stage: Stage, rows: Sequence[Gathered]) -> pl.DataFrame:
    """Return the rows as a table of :data:`avowal.tables.DECISION_REPLIES` or of REPORT_REPLIES."""
    whole = [None if row.body is None else completion(row.body) for row in rows]
    shown = [row.prompt for row in rows]
    columns: dict[str, Any] = {
        "context": [prompt.context.name for prompt in shown],
        "trial": [prompt.trial for prompt in shown],
        # Null where no pair is shown.
        "a": pl.Series([prompt.a or None for prompt in shown], dtype=pl.List(pl.Float64)),
        "b": pl.Series([prompt.b or None for prompt in shown], dtype=pl.List(pl.Float64)),
        "text": pl.Series([None if each is None else each.text for each in whole], dtype=pl.String),
        "fault": pl.Series(
            [row.failure if each is None else each.fault for row, each in zip(rows, whole, strict=True)],
            dtype=pl.String,
        ),
    }
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(stage.model or stage.base).alias("model"), pl.lit(stage.role).alias("set")
    )
    return frame.with_columns(pl.int_range(pl.len()).over("context").alias("reply"))


def _beside(stage: Stage, rows: Sequence[Gathered]) -> list[Any]:
    """Return the columns that a study's tables have beside those of the general ones."""
    kinds = tables.STAGE
    return [
        *(pl.lit(value, dtype=kinds[name]).alias(name) for name, value in columns(stage).items()),
        pl.Series("trial", [row.prompt.trial for row in rows], dtype=pl.Int64),
        pl.Series("swapped", [row.prompt.swapped for row in rows], dtype=pl.Boolean),
        pl.Series("tuned", [row.tuned for row in rows], dtype=pl.String),
        pl.Series("reply_id", [row.reply_id for row in rows], dtype=pl.Int64),
    ]


class _Pricer:
    """Prices replies; most have as many tokens as some other."""

    def __init__(self, prices: Prices, *, free: bool) -> None:
        self.prices, self.free = prices, free
        self._known: dict[tuple[Any, ...], Decimal | None] = {}

    def price(self, row: Gathered) -> Decimal | None:
        """Return what all replies to a request cost; None where the model has no price."""
        if self.free:
            return Decimal(0)
        found = [self._one(row.base, row.tuned is not None, *bill) for bill in row.bills]
        told = [each for each in found if each is not None]
        return total(told) if len(told) == len(found) else None

    def _one(self, base: str, tuned: bool, read: int | None, written: int | None, batch: bool) -> Decimal | None:
        key = (base, tuned, read, written, batch)
        if read is None or written is None:
            return None
        if key not in self._known:
            mode: Any = "batch" if batch else "sync"
            try:
                self._known[key] = self.prices.price(priced_as(base, tuned=tuned), read, written, mode=mode)
            except InputError:
                self._known[key] = None
        return self._known[key]


def _requests(stage: Stage, rows: Sequence[Gathered], pricer: _Pricer) -> pl.DataFrame:
    failures = [[*row.retries, *row.failures] for row in rows]
    columns: dict[str, list[Any]] = {
        "stage": [stage.name] * len(rows),
        "context": [row.prompt.context.name for row in rows],
        "trial": [row.prompt.trial for row in rows],
        "key": [row.key for row in rows],
        "model": [row.model for row in rows],
        "state": [row.state for row in rows],
        "failures": failures,
        "retries": [len(each) for each in failures],
        "unsure": [row.unsure for row in rows],
        "surplus": [row.surplus for row in rows],
        "seconds": [row.seconds for row in rows],
        "prompt_tokens": [row.bills[0][0] if row.bills else None for row in rows],
        "completion_tokens": [row.bills[0][1] if row.bills else None for row in rows],
        "price": [pricer.price(row) for row in rows],
        "batch": [row.batch for row in rows],
        "reply_id": [row.reply_id for row in rows],
    }
    return pl.DataFrame(columns, schema=dict(tables.STUDY_REQUESTS))


def _jobs(store: Store) -> list[tuple[Any, ...]]:
    return store.rows(
        "select stage, id, attempt, jobs.state, json_extract(body, '$.model'), tuned, tokens,"
        " json_extract(body, '$.error.message') from jobs left join stages on stages.name = stage"
        " order by stages.place, jobs.rowid"
    )


def _stages(accounts: Sequence[StageAccount]) -> pl.DataFrame:
    listed = []
    for each in accounts:
        sends, found = each.stage.sends, each.requests
        listed.append(
            {
                **columns(each.stage),
                "kind": "train" if isinstance(sends, Training) else sends.kind,
                "state": each.state,
                "began": each.began,
                "ended": each.ended,
                "error": each.error,
                "planned": None if found is None else found.planned,
                "valid": None if found is None else found.valid,
                "invalid": None if found is None else sum(found.invalid.values()),
                "failed": None if found is None else sum(found.failed.values()),
                "retries": each.retries,
                "unsure": each.unsure,
                "surplus": each.surplus,
                "spent": each.spent,
            }
        )
    return pl.DataFrame(listed, schema=dict(tables.STUDY_STAGES))


def _weights(chosen: pl.DataFrame, study: StudyFile) -> pl.DataFrame:
    """Estimate the weights behind each stage's choices; stages are fitted one by one, whoever was asked in them."""
    if not len(chosen):
        return tables.empty(tables.STUDY_WEIGHTS)
    contexts = (*study.trained, *study.native)
    by_stage = chosen.with_columns(pl.col("stage").alias("model"))
    fitted = fit(by_stage, contexts)
    told = probability_weights(by_stage, contexts).select(
        "model", "context", "position", probability_weight=pl.col("weight")
    )
    known = chosen.select(*tables.STAGE, "model").unique(maintain_order=True)
    frame = (
        fitted.weights.join(
            fitted.agents.select("model", "context", "status", "planned", "valid"),
            on=["model", "context"],
            how="left",
            maintain_order="left",
        )
        .join(told, on=["model", "context", "position"], how="left", maintain_order="left")
        .rename({"model": "stage"})
        .join(known, on="stage", how="left", maintain_order="left")
    )
    return tables.conform(frame, tables.STUDY_WEIGHTS, "weights")


def _all(frames: Sequence[pl.DataFrame | None], schema: tables.Schema) -> pl.DataFrame:
    there = [tables.conform(frame, schema, "replies") for frame in frames if frame is not None]
    return pl.concat(there) if there else tables.empty(schema)
