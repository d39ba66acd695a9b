"""Replying: the texts of simulated choices and reports, those of them that can't be read included."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from avowal.quantities import Reported
from avowal.simulated.draws import normal, uniform
from avowal.simulated.mind import Agent, Mind
from avowal.simulated.reading import Asked

LARGEST = 100.0

SPELLED = 0.85
"""Share of unreadable reports that merely misspell names: "most", says the paper's footnote 4."""

UNKNOWN = "I'm sorry, but I can't see what you would like me to decide."


@dataclass(frozen=True, slots=True)
class Said:
    """A reply.

    Attributes
    ----------
    text
        What the model wrote.
    odds
        Log odds of A, where it chose between two options; else None.
    """

    text: str
    odds: float | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """What of a request decides its reply.

    Attributes
    ----------
    words
        All of its messages, as one text.
    temperature
        At 0 equal words always get equal replies.
    nth
        Which of the replies to equal requests above temperature 0.
    keyed
        Whether a schema spells the names of a report for the model, which then can't misspell them.
    """

    words: str
    temperature: float = 0.0
    nth: int = 0
    keyed: bool = False


def reply(mind: Mind, asked: Asked, asking: Asking) -> Said:
    """Answer a question.

    Parameters
    ----------
    mind
        The model.
    asked
        The question as understood.
    asking
        The request.

    Returns
    -------
    Said
    """
    if asked.task == "decision":
        return _choice(mind, asked, asking)
    if asked.task == "report" and asked.names:
        return _report(mind, asked, asking)
    return Said(UNKNOWN)


def _choice(mind: Mind, asked: Asked, asking: Asking) -> Said:
    agent = mind.agent(asked.key)
    # The draws before temperature 0 are the prompt's: they are what a model makes of one pair rather than of others.
    where, lapsed, sampled = uniform(mind.seed, "choice", mind.key, asking.words, size=3)
    odds = _logit(where)
    if lapsed >= agent.deciding.lapse:
        odds += agent.position_bias + agent.inverse_temperature * _utility(agent, asked)
    if asking.temperature > 0:
        sampled = uniform(mind.seed, "sampled", mind.key, asking.words, nth=asking.nth)[0]
        chose_a = _logit(sampled) < odds / asking.temperature
    else:
        chose_a = odds > 0
    return Said("A" if chose_a else "B", odds)


def _utility(agent: Agent, asked: Asked) -> float:
    """Return the sum of shares of the largest weight, by difference; of the values' sum where widths aren't known."""
    total = 0.0
    widths = (None,) * len(asked.a) if agent.widths is None else agent.widths
    for weight, a, b, width in zip(agent.weights, asked.a, asked.b, widths, strict=True):
        size = abs(a) + abs(b) if width is None else width
        total += weight / LARGEST * (a - b) / size if size else 0.0
    return float(total)


def _report(mind: Mind, asked: Asked, asking: Asking) -> Said:
    speaker, count = mind.speaker(asked.key), len(asked.names)
    words = ("report", mind.key, asking.words, "sampled" if asking.temperature > 0 else "")
    valid, place, learned, kind = uniform(mind.seed, *words, size=4, nth=asking.nth)
    noise = normal(mind.seed, *words, "noise", size=count, nth=asking.nth)
    style = int(learned < speaker.learned)
    how = speaker.styles[style]
    values = speaker.gains[style] * speaker.belief + speaker.shifts[style] + how.noise * noise
    by_name = dict(zip(asked.key.names, _written(values, how, place), strict=True))
    said = {name: by_name[name] for name in asked.names}
    if valid < speaker.invalid and not asking.keyed:
        return Said(unreadable(said, float(kind), float(place)))
    return Said(json.dumps(said))


def _written(values: np.ndarray, how: Reported, place: float) -> list[float | int]:
    """Scale by habit, round and cut, as the engine's ``replies.rs``; one draw decides both habit and rounding."""
    largest = np.abs(values).max()
    if place < how.habit and largest > 0:
        values = values * (how.stretch * LARGEST / largest)
    step = how.coarse_step if place < how.coarse else how.step
    rounded = np.clip(np.rint(values / step) * step, -LARGEST, LARGEST) + 0.0
    return [int(value) if value == int(value) else round(float(value), 6) for value in rounded]


def unreadable(said: dict[str, float | int], kind: float, place: float) -> str:
    """Spoil a report as models do: names cut or grown by a word, names left out or invented, no JSON.

    Parameters
    ----------
    said
        The report.
    kind, place
        From 0 to 1: how it is spoiled, and where.

    Returns
    -------
    str
        What a strict reader refuses.
    """
    names = list(said)
    where = int(place * len(names))
    if kind < SPELLED:
        wrong = _misspelt(names, where)
        return json.dumps({wrong if at == where else name: said[name] for at, name in enumerate(names)})
    if kind < SPELLED + 0.06 and len(names) > 1:
        return json.dumps({name: value for name, value in said.items() if name != names[where]})
    if kind < SPELLED + 0.1:
        return json.dumps({**said, "overall_quality" if "overall_quality" not in said else "other": 0})
    return "; ".join(f"{name}: {value}" for name, value in said.items())


def _misspelt(names: list[str], where: int) -> str:
    """Return another name than all: a word shorter where it has several (footnote 4's two ways), else one longer."""
    parts = names[where].split("_")
    shorter = ("_".join(parts[:-1]), "_".join(parts[1:])) if len(parts) > 1 else ()
    longer = (f"{names[where]}_{word}" for word in ("level", "rating", "score", "value"))
    tried = (*shorter[::-1], *longer) if len(names[where]) % 2 else (*shorter, *longer)
    return next((name for name in tried if name and name not in names), names[where] + "_")


def _logit(p: float) -> float:
    p = min(max(p, 1e-12), 1 - 1e-12)
    return math.log(p / (1 - p))
