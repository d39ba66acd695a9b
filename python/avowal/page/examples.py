"""Examples: for each context a prompt as it is sent, and what was answered, raw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from avowal.analysis.material import LABELS, SETS
from avowal.prompts import report_messages
from avowal.provider import completion
from avowal.sends import Queries, prompts

if TYPE_CHECKING:
    from avowal.published.read import Published
    from avowal.study.collect import Collected
    from avowal.study.stages import Stage
    from avowal.study.store import Store

__all__ = ["LONGEST", "Example", "Reply", "of_folder", "of_study"]

LONGEST = 2_000
"""Characters of a reply that are shown; a model that talks on must not make the page unreadable."""

_FIRST = """
select asks.context, asks.trial, requests.body, replies.body,
    min(case when requests.state = 'answered' then 0 else 1000000 end + asks.trial)
from asks join requests using (key)
    left join replies on replies.id = (select min(id) from replies as r where r.key = asks.key and r.failure is null)
where asks.stage = ? group by asks.context
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it came.

    Attributes
    ----------
    stage
        The stage that asked.
    text
        What the model wrote; None without a reply.
    became
        What was made of it: a valid report with its repairs, or why it is none.
    """

    stage: str
    text: str | None
    became: str


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt, and the replies to it.

    Attributes
    ----------
    messages
        The texts by role, as sent.
    replies
        One for each base model that was asked.
    note
        What is to be known about it.
    """

    messages: tuple[tuple[str, str], ...]
    replies: tuple[Reply, ...] = ()
    note: str = ""


def of_study(store: Store | None, collected: Collected) -> dict[str, tuple[Example, ...]]:
    """Take a prompt and a raw reply for each context from a study's database.

    Parameters
    ----------
    store
        None where nothing has been run: the prompts are those that will be sent.
    collected
        The study's tables.

    Returns
    -------
    dict of str to tuple of Example
        By context. The last stage of each base model that asked for reports on it has the word.
    """
    became = _became(collected)
    sent: dict[str, dict[tuple[tuple[str, str], ...], dict[str, Reply]]] = {}
    for stage in _reporting(collected):
        for context, trial, body, answer, _ in [] if store is None else store.rows(_FIRST, (stage.name,)):
            text = None if answer is None else _cut(completion(answer).text)
            reply = Reply(stage.name, text, became.get((stage.name, context, trial), "no reply yet"))
            shown = sent.setdefault(context, {})
            if text is None and any(stage.base in replies for replies in shown.values()):
                # A stage that is under way has no better example than the one before it.
                continue
            for replies in shown.values():
                replies.pop(stage.base, None)
            shown.setdefault(_messages(body), {})[stage.base] = reply
    found = {
        context: tuple(Example(messages, tuple(replies.values())) for messages, replies in shown.items() if replies)
        for context, shown in sent.items()
    }
    return _unsent(collected) | found


def of_folder(data: Published) -> dict[str, tuple[Example, ...]]:
    """Word the prompts of a folder of the authors' files; it holds no raw replies.

    Parameters
    ----------
    data
        The folder.

    Returns
    -------
    dict of str to tuple of Example
        By context: the question for the first pair on which a report of the last set is kept.
    """
    shown: dict[str, tuple[str, str, Any, Any]] = {}
    for model in data.models:
        for name in (file for _, files in tuple(SETS.values())[:5] for file in files if file in model.reports):
            label = next(LABELS[each] for each, (_, files) in SETS.items() if name in files)
            first = model.reports[name].unique("context", keep="first", maintain_order=True)
            for context, a, b in first.select("context", "a", "b").iter_rows():
                shown[context] = (model.name, label, a, b)
    note = "The pair is that of the first report kept, {label}, of {model}. The folder holds no raw replies."
    return {
        context.name: (
            Example(
                _texts(report_messages(context, *shown[context.name][2:])),
                note=note.format(model=shown[context.name][0], label=shown[context.name][1]),
            ),
        )
        for context in data.contexts
        if context.name in shown
    }


def _reporting(collected: Collected) -> list[Stage]:
    listed = [each.stage for each in collected.stages]
    return [stage for stage in listed if isinstance(stage.sends, Queries) and stage.sends.kind == "reports"]


def _unsent(collected: Collected) -> dict[str, tuple[Example, ...]]:
    """Word the prompts that will be sent, for contexts that nobody has been asked about yet."""
    found: dict[str, tuple[Example, ...]] = {}
    for stage in _reporting(collected):
        if not isinstance(stage.sends, Queries) or all(each.name in found for each in stage.sends.contexts):
            continue
        for prompt in prompts(replace(stage.sends, trials=1), seed=collected.study.seed):
            note = f"Not sent yet: {stage.name} will ask this first."
            found.setdefault(prompt.context.name, (Example(_texts(prompt.messages), note=note),))
    return found


def _became(collected: Collected) -> dict[tuple[str, str, int], str]:
    """Say of each report what was made of the reply."""
    columns = collected.tables["reports"].select("stage", "context", "trial", "report", "failure", "repairs")
    found = {}
    for stage, context, trial, report, failure, repairs in columns.iter_rows():
        valid = f"valid, repaired: {', '.join(repairs)}" if repairs else "valid"
        found[stage, context, trial] = valid if report is not None else f"no report: {failure}"
    return found


def _messages(body: str) -> tuple[tuple[str, str], ...]:
    return _texts(json.loads(body)["messages"])


def _texts(messages: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((each["role"], each["content"]) for each in messages)


def _cut(text: str) -> str:
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]} … and {more:,} more characters"
