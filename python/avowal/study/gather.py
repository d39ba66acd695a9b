"""Gathering: what a study's database holds of one stage, request by request, in the order of its prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avowal.errors import InputError
from avowal.lines import Prompt, Queries, prompts
from avowal.study.stages import Stage
from avowal.study.store import Store

__all__ = ["UNANSWERED", "Gathered", "gather"]

UNANSWERED = "unanswered"
"""The failure of a request that has neither a reply nor a failure yet."""

_ASKED = """
select asks.context, asks.trial, asks.key, requests.state, unsure, coalesce(requests.batch, replies.batch),
    json_extract(requests.body, '$.model'), requests.base, replies.id, replies.body, replies.seconds, replies.retries,
    prompt_tokens, completion_tokens, replies.batch is not null
from asks join requests using (key)
    left join replies on replies.id = (select min(id) from replies as r where r.key = asks.key and r.failure is null)
where asks.stage = ?
"""

# Everything else that came for the same requests: failures, and replies behind the first.
_MORE = """
select key, failure, replies.retries, prompt_tokens, completion_tokens, replies.batch is not null, id
from replies where key in (select key from asks where stage = ?) and (failure is not null
    or id > (select min(id) from replies as r where r.key = replies.key and r.failure is null))
order by id
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One request with what came of it.

    Attributes
    ----------
    prompt
        What it shows.
    key, state, batch, model, base
        As in the database.
    unsure
        How often it was under way when a run died.
    reply_id, body, seconds, retries
        Of the first reply; None without one. `retries` are the kinds of the failures before it.
    bills
        Prompt tokens, completion tokens and whether by batch, of each reply.
    failures
        Kinds of the failures that were written down by themselves, each with those before it.
    surplus
        Replies beyond the first.
    """

    prompt: Prompt
    key: str
    state: str
    batch: str | None
    model: str
    base: str
    unsure: int
    reply_id: int | None
    body: str | None
    seconds: float | None
    retries: tuple[str, ...]
    bills: tuple[tuple[int | None, int | None, bool], ...]
    failures: tuple[str, ...]
    surplus: int

    @property
    def failure(self) -> str | None:
        """Why there is no reply; None beside one."""
        if self.body is not None:
            return None
        return self.failures[-1] if self.failures else UNANSWERED

    @property
    def tuned(self) -> str | None:
        """The provider's name of a model that a job of the study made."""
        return None if self.model == self.base else self.model


def gather(store: Store, stage: Stage, seed: int) -> list[Gathered]:
    """Read the requests of a stage.

    Parameters
    ----------
    store
        The study's database.
    stage
        One that asks.
    seed
        Of the study's pairs.

    Returns
    -------
    list of Gathered
        In the order of the prompts; empty where the stage has not begun.

    Raises
    ------
    InputError
        Where the database asks about what the study's file does not.
    """
    asked = {(row[0], row[1]): row[2:] for row in store.rows(_ASKED, (stage.name,))}
    if not asked or not isinstance(stage.sends, Queries):
        return []
    more: dict[str, list[tuple[Any, ...]]] = {}
    for key, *rest in store.rows(_MORE, (stage.name,)):
        more.setdefault(key, []).append(tuple(rest))
    found = []
    for prompt in prompts(stage.sends, seed=seed):
        row = asked.pop((prompt.context.name, prompt.trial), None)
        if row is not None:
            found.append(_gathered(prompt, row, more.get(row[0], ())))
    if asked:
        context, trial = next(iter(asked))
        expected = "the requests that study.toml describes (put it back as it was; a run adds what is new)"
        raise InputError.at(expected, f"trial {trial} of {context!r}", file=store.path, field=f"stage {stage.name!r}")
    return found


def _gathered(prompt: Prompt, row: Sequence[Any], more: Sequence[tuple[Any, ...]]) -> Gathered:
    key, state, unsure, batch, model, base, reply_id, body, seconds, retries, read, written, by_batch = row
    failures = [kind for failure, before, *_ in more if failure is not None for kind in (*json.loads(before), failure)]
    surplus = [rest for failure, *rest in more if failure is None]
    bills = [] if body is None else [(read, written, bool(by_batch))]
    bills += [(read, written, bool(by)) for failure, _, read, written, by, _ in more if failure is None or read]
    return Gathered(
        prompt,
        key,
        state,
        batch,
        model,
        base,
        unsure,
        reply_id,
        body,
        seconds,
        () if body is None or retries == "[]" else tuple(json.loads(retries)),
        tuple(bills),
        tuple(failures),
        len(surplus),
    )
