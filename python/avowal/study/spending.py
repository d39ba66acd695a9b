"""Spending: what the replies and jobs in a study's database were billed, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from avowal import prices as price_tables
from avowal.prices import Mode, Prices, priced_as
from avowal.provider import Endpoint
from avowal.study.place import SIMULATED
from avowal.study.store import Store

__all__ = ["Bill", "bills", "is_free", "spent", "under_way"]

_REPLIES = """
select requests.stage, requests.base,
    json_extract(requests.body, '$.model') <> requests.base, replies.batch is not null,
    count(*),
    sum(coalesce(prompt_tokens, requests.tokens - reply_tokens)),
    sum(coalesce(completion_tokens, reply_tokens)),
    sum(prompt_tokens is null or completion_tokens is null)
from replies join requests using (key)
where failure is null or prompt_tokens is not null
group by 1, 2, 3, 4 order by min(min(requests.rowid)) over (partition by requests.stage), 4
"""

_BATCHED = """
select base, json_extract(body, '$.model') <> base, sum(tokens - reply_tokens), sum(reply_tokens)
from requests where state = 'sent' and batch in (select id from batches where read = 0 and state <> 'intended')
group by 1, 2
"""

_UNSURE = """
select base, json_extract(body, '$.model') <> base, sum((tokens - reply_tokens) * unsure), sum(reply_tokens * unsure)
from requests where unsure > 0 group by 1, 2
"""

_TRAINING = """
select json_extract(jobs.body, '$.model'), cast(facts.value as integer)
from jobs join facts on facts.name = ? || jobs.digest
where tokens is null and tuned is null and state not in ('intended', 'failed', 'cancelled')
"""

EXPECTED = "tokens of job "
"""What stands before a job's digest in the name of the fact that says how many tokens it is expected to be billed."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one stage has been billed for.

    Attributes
    ----------
    stage, base
        The stage that asked first, and its base model.
    billing
        ``training``, ``sync`` or ``batch``.
    replies
        Replies that are billed, each one that came; for training, jobs.
    input_tokens, output_tokens
        As the provider counted them; for training, tokens trained and 0.
    untold
        How many of `replies` came without a count of tokens. They count with those expected, so that a limit is not
        passed unseen.
    price
        US dollars, exact.
    """

    stage: str
    base: str
    billing: Literal["training", "sync", "batch"]
    replies: int
    input_tokens: int
    output_tokens: int
    untold: int
    price: Decimal


def spent(store: Store, prices: Prices, *, free: bool | None = None) -> Decimal:
    """Add up what a study has been billed so far.

    Parameters
    ----------
    store
        The study's database.
    prices
        In which every base model has its rates.
    free
        Whether nothing is paid; if None, so it is where the provider is simulated, or on this machine.

    Returns
    -------
    decimal.Decimal
        US dollars, exact.

    Raises
    ------
    InputError
        For a model without a rate that is needed.
    """
    return price_tables.total(each.price for each in bills(store, prices, free=free))


def under_way(store: Store, prices: Prices) -> Decimal:
    """Add up what earlier runs may still be billed for: batches and jobs at the provider, and requests in doubt.

    Parameters
    ----------
    store, prices
        As for :func:`spent`.

    Returns
    -------
    decimal.Decimal
        US dollars that are expected, exact.

    Raises
    ------
    InputError
        As for :func:`spent`.
    """
    asked: list[tuple[tuple[Any, ...], Mode]] = [
        *((row, "batch") for row in store.rows(_BATCHED)),
        *((row, "sync") for row in store.rows(_UNSURE)),
    ]
    found = [
        prices.price(priced_as(base, tuned=bool(tuned)), prompt, reply, mode=mode)
        for (base, tuned, prompt, reply), mode in asked
    ]
    parents = _parents(store)
    found += [prices.training(_base(model, parents), tokens) for model, tokens in store.rows(_TRAINING, (EXPECTED,))]
    return price_tables.total(found)


def bills(store: Store, prices: Prices, *, free: bool | None = None) -> tuple[Bill, ...]:
    """List what a study has been billed so far.

    Every reply that came is billed, also a second one to the same request; prompts at the full rate, since they are
    too short for OpenAI's cached one. What the provider may have billed without a reply is not in it: that is what
    the account calls possibly paid twice.

    Parameters
    ----------
    store, prices, free
        As for :func:`spent`.

    Returns
    -------
    tuple of Bill
        Jobs first, then replies in the order in which their stages asked; one for each way in which a stage is billed.

    Raises
    ------
    InputError
        As for :func:`spent`.
    """
    free = is_free(store.fact("endpoint")) if free is None else free
    return (*_trained(store, prices, free), *_asked(store, prices, free))


def is_free(endpoint: str | None) -> bool:
    """Tell whether an endpoint, as the database names it, costs nothing: the simulated one, or one on this machine."""
    return endpoint is not None and (endpoint == SIMULATED or Endpoint(endpoint).local)


def _asked(store: Store, prices: Prices, free: bool) -> list[Bill]:
    found = []
    for stage, base, tuned, batch, replies, prompt, completion, untold in store.rows(_REPLIES):
        model = priced_as(base, tuned=bool(tuned))
        mode: Literal["sync", "batch"] = "batch" if batch else "sync"
        price = Decimal(0) if free else prices.price(model, prompt, completion, mode=mode)
        found.append(Bill(stage, base, mode, replies, prompt, completion, untold, price))
    return found


def _trained(store: Store, prices: Prices, free: bool) -> list[Bill]:
    parents = _parents(store)
    found = []
    for stage, model, tokens in store.rows(
        "select stage, json_extract(body, '$.model'), tokens from jobs where tokens is not null order by rowid"
    ):
        base = _base(model, parents)
        price = Decimal(0) if free else prices.training(base, tokens)
        found.append(Bill(stage, base, "training", 1, tokens, 0, 0, price))
    return found


def _parents(store: Store) -> dict[str, str]:
    return dict(store.rows("select tuned, json_extract(body, '$.model') from jobs where tuned is not null"))


def _base(model: str, parents: Mapping[str, str]) -> str:
    """Return what a model was tuned from, by the study's own jobs."""
    seen = set()
    while model in parents and model not in seen:
        seen.add(model)
        model = parents[model]
    return model
