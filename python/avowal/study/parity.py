"""Parity: the proof that what a model is asked looks like what it was trained on, but for the values of the options."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from avowal.contexts import Context
from avowal.errors import InputError
from avowal.sends import Queries, Training, prompts
from avowal.study.config import StudyFile
from avowal.study.stages import Stage, stages
from avowal.study.training_files import TrainingFile

__all__ = ["check_parity", "parity", "skeleton"]

Messages = Sequence[Mapping[str, str]]

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_AROUND = 30


def skeleton(messages: Messages, context: Context, *, names: bool = True) -> list[tuple[str, str]]:
    """Take the values of the options out of a prompt.

    Parameters
    ----------
    messages
        The prompt.
    context
        What it is about.
    names
        Whether the context's own words stay; without them, prompts about contexts with equally many attributes agree.

    Returns
    -------
    list of (str, str)
        Role and text of each message.
    """
    pattern = _lines(context)

    def emptied(found: re.Match[str]) -> str:
        return f"{found['name']}: <value>{found['units']}" if names else "<attribute>: <value>"

    kept = []
    for message in messages:
        text = pattern.sub(emptied, message["content"])
        kept.append((message["role"], text if names else text.replace(context.prompt, "<context>")))
    return kept


# Compiling takes ten times as long as one use, and a study shows each context some hundred times.
@lru_cache(maxsize=4096)
def _lines(context: Context) -> re.Pattern[str]:
    """Return what matches the lines that give an option's values."""
    names = "|".join(re.escape(x.name) for x in context.attributes)
    units = "|".join(re.escape(f" {x.units}") if x.units else "" for x in context.attributes)
    return re.compile(rf"^(?P<name>{names}): {_NUMBER}(?P<units>{units})$", re.MULTILINE)


def parity(training: Messages, trained: Context, query: Messages, asked: Context) -> None:
    """Refuse a query that differs from a training prompt in more than the values of the options.

    Parameters
    ----------
    training, query
        Their messages before the reply.
    trained, asked
        What they are about. For two contexts with equally many attributes their own words may differ too.

    Raises
    ------
    InputError
        Shows the first difference.
    """
    names = trained.name == asked.name
    expected, found = skeleton(training, trained, names=names), skeleton(query, asked, names=names)
    for number, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one == other:
            continue
        field = f"prompt about {asked.name!r}, message {number}"
        if one[0] != other[0]:
            raise InputError.at(f"the role of the training, {one[0]}", other[0], field=field)
        at = next((i for i, (x, y) in enumerate(zip(one[1], other[1], strict=False)) if x != y), None)
        start = max(0, (min(len(one[1]), len(other[1])) if at is None else at) - _AROUND)
        shown = [repr(text[start : start + 2 * _AROUND]) for text in (one[1], other[1])]
        raise InputError.at(f"the text of the training, ...{shown[0]}...", f"...{shown[1]}...", field=field)
    if len(expected) != len(found):
        raise InputError.at(f"{len(expected)} messages", len(found), field=f"prompt about {asked.name!r}")


def check_parity(file: TrainingFile, stage: Stage, study: StudyFile) -> int:
    """Hold a training file against all requests of the study that its model and those tuned from it are sent.

    Requests for reports in other words than the paper's are meant to differ and are left out; so are those before any
    training on reports, and those about contexts whose number of attributes no trained one has. A marker that the file
    never shows is taken out of a request before they are compared.

    Parameters
    ----------
    file
        As :func:`avowal.study.training_files.build` made it.
    stage
        The stage that it trains.
    study
        It is a stage of this study.

    Returns
    -------
    int
        Requests compared.

    Raises
    ------
    InputError
        For a file that is not of the stage's size; for a difference, which it shows.
    """
    sends = stage.sends
    if not isinstance(sends, Training):
        raise InputError.at("a stage that trains", repr(stage.name), field="stage")
    shown = _shown(file, sends)
    known = {context.name: context for context in sends.contexts if (context.name, sends.markers[0]) in shown}
    like = {len(context.attributes): context for context in known.values()}
    compared = 0
    for each in _asked(stage, study):
        marker = each.marker if each.marker in sends.markers else None
        for prompt in prompts(each, seed=study.seed):
            trained = known.get(prompt.context.name, like.get(len(prompt.context.attributes)))
            if trained is not None:
                query = prompt.messages if marker == each.marker else _without(prompt.messages, each.marker)
                parity(shown[trained.name, marker], trained, query, prompt.context)
                compared += 1
    return compared


def _shown(file: TrainingFile, sends: Training) -> dict[tuple[str, str | None], Messages]:
    """Return one prompt for each context and marker, which all others of theirs are held against."""
    contexts = [context for context in sends.contexts if context.name not in file.left_out]
    examples = [(context, marker) for context in contexts for marker in sends.markers for _ in range(sends.trials)]
    if len(examples) != len(file.lines):
        raise InputError.at(f"a training file of {len(examples)} lines", len(file.lines), field=sends.name)
    shown: dict[tuple[str, str | None], Messages] = {}
    for (context, marker), line in zip(examples, file.lines, strict=True):
        messages = json.loads(line)["messages"][:-1]
        parity(shown.setdefault((context.name, marker), messages), context, messages, context)
    return shown


def _asked(stage: Stage, study: StudyFile) -> list[Queries]:
    """Return the requests of a kind with a stage's training that go to its model, or to models tuned from it in turn.

    A model that has been trained on that kind again answers to the later training.
    """
    listed = stages(study)
    tuned, asked = {stage.name}, []
    for each in listed:
        if each.model not in tuned or each.base != stage.base:
            continue
        if isinstance(each.sends, Training):
            tuned |= {each.name} if each.sends.kind != stage.sends.kind else set()
        elif each.sends.kind == stage.sends.kind and each.sends.wording == "paper":
            asked.append(each.sends)
    return asked


def _without(messages: Messages, marker: str | None) -> Messages:
    return [{**each, "content": each["content"].replace(f"{marker}\n", "", 1)} for each in messages]
