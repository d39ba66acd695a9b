"""Left: what a study has still to send after the runs so far, and what that will cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from avowal.cost import Item
from avowal.lines import Queries
from avowal.prices import Mode, Prices, priced_as
from avowal.study.config import StudyFile
from avowal.study.requests import requests
from avowal.study.stages import Stage
from avowal.study.store import Store

__all__ = ["Left", "left"]


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a stage.

    Attributes
    ----------
    state
        ``not begun``, ``running``, ``finished`` or ``stopped``, as the last run left it.
    requests
        Without a reply, those that failed among them; for a job that has made no model yet, the lines of its file.
    input_tokens, output_tokens
        Of these, as in the plan.
    price
        US dollars, exact.
    """

    state: str
    requests: int
    input_tokens: int
    output_tokens: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class _Held:
    """What a database holds, as of one moment."""

    endpoint: str
    states: dict[str, str]
    begun: frozenset[str]
    tuned: dict[str, str]
    answered: frozenset[str]


def left(
    folder: Path, study: StudyFile, planned: Iterable[tuple[Stage, Item]], prices: Prices
) -> dict[str, Left] | None:
    """Tell what is left of each stage, also while a run is on; nothing is written.

    Parameters
    ----------
    folder
        The study's.
    study
        As its file asks for it now: what it asks in addition is left, what it no longer asks is not.
    planned
        Its stages with what each is billed for.
    prices
        In which every base model has its rates.

    Returns
    -------
    dict of str to Left, or None
        By the stage's name; None where nothing has been run.

    Raises
    ------
    InputError
        Where the database is not one of this version.
    """
    with Store.reading(folder) as store:
        if store is None:
            return None
        store.rows("begin")
        held = _Held(
            store.fact("endpoint") or study.provider.base_url,
            dict(_pairs(store, "select name, state from stages")),
            frozenset(name for (name,) in store.rows("select distinct stage from asks")),
            dict(_pairs(store, "select stage, tuned from jobs where tuned is not null order by rowid")),
            frozenset(key for (key,) in store.rows("select key from replies where failure is null")),
        )
        store.rows("rollback")
    return {stage.name: _left(stage, item, study, prices, held) for stage, item in planned}


def _pairs(store: Store, query: str) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one, other in store.rows(query)]


def _left(stage: Stage, item: Item, study: StudyFile, prices: Prices, held: _Held) -> Left:
    state = held.states.get(stage.name, "not begun")
    whole = Left(state, item.requests, item.input_tokens, item.output_tokens, item.price)
    if not isinstance(stage.sends, Queries):
        return Left(state, 0, 0, 0, Decimal(0)) if stage.name in held.tuned else whole
    model = stage.base if stage.model is None else held.tuned.get(stage.model)
    if model is None or stage.name not in held.begun:
        return whole
    listed = requests(stage, study, model, held.endpoint, encoding=prices.encoding(stage.base))
    missing = [each for each in listed if each.key not in held.answered]
    written = sum(each.reply_tokens for each in missing)
    read = sum(each.tokens for each in missing) - written
    mode: Mode = "batch" if item.billing == "batch" else "sync"
    asked = priced_as(stage.base, tuned=stage.sends.tuned)
    return Left(state, len(missing), read, written, prices.price(asked, read, written, mode=mode))
