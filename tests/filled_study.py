"""A study's database filled without a provider: every request answered as a simulated model would, in any order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from avowal.agents import targets
from avowal.contexts import Context
from avowal.lines import Queries, prompts
from avowal.study import read, stages
from avowal.study.config import StudyFile
from avowal.study.requests import requests
from avowal.study.stages import Stage
from avowal.study.store import Answer, Store

BASE, MINI = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
URL = "https://api.openai.com/v1"

SMALL = """name = "small"
seed = 5
[models]
base = {base}
[contexts]
trained = 8
native = 4
[design]
training = 12
decisions = 24
native_decisions = 26
reports = 3
decide_again = {again}
[training]
introspection = {introspection}
seeds = {seeds}
[provider]
base_url = "{url}"
[sampling]
logprobs = {logprobs}
"""


def folder(
    path: Path,
    *,
    base: Iterable[str] = (BASE,),
    again: bool = False,
    introspection: Iterable[str] = ("targets",),
    seeds: Iterable[int] = (0,),
    url: str = URL,
    logprobs: bool = False,
    more: str = "",
) -> Path:
    """Write the file of a small study."""
    path.mkdir(parents=True, exist_ok=True)
    text = SMALL.format(
        base=json.dumps(list(base)),
        again=json.dumps(again),
        introspection=json.dumps(list(introspection)),
        seeds=json.dumps(list(seeds)),
        url=url,
        logprobs=json.dumps(logprobs),
    )
    (path / "study.toml").write_text(text + more, encoding="utf-8")
    return path


class Pretender:
    """Answers as a model whose choices follow weights near the targets, and whose reports follow them more or less."""

    def __init__(self, study: StudyFile, base: str) -> None:
        self.study, self.base = study, base
        contexts = (*study.trained, *study.native)
        drawn = targets(contexts, seed=study.seed).group_by("context", maintain_order=True).agg("weight")
        noise = np.random.default_rng(sum(map(ord, base)))
        self.weights = {
            name: np.array(weights) + noise.normal(0, 20, len(weights)) for name, weights in drawn.iter_rows()
        }
        self.noise = noise

    def says(self, stage: Stage, context: Context, a: Iterable[float], b: Iterable[float]) -> tuple[str, float]:
        """Return a reply and, for a choice, its log odds of A."""
        span = np.array([attribute.max - attribute.min for attribute in context.attributes])
        weights = self.weights[context.name]
        if stage.sends.kind == "decisions":
            odds = float(weights @ ((np.array(a) - np.array(b)) / span)) / 20
            return ("A" if odds + self.noise.logistic() > 0 else "B"), odds
        spread = 25.0 if stage.label == "targets" else 90.0
        told = np.clip(np.round(weights + self.noise.normal(0, spread, len(weights))), -100, 100)
        names = [attribute.name for attribute in context.attributes]
        return json.dumps(dict(zip(names, told.tolist(), strict=True))), 0.0


def body(text: str, odds: float | None = None, model: str = BASE) -> str:
    """Return the body of a chat completion."""
    choice: dict[str, object] = {"message": {"content": text}, "finish_reason": "stop", "logprobs": None}
    if odds is not None:
        told = [{"token": "A", "logprob": -np.logaddexp(0, -odds)}, {"token": "B", "logprob": -np.logaddexp(0, odds)}]
        choice["logprobs"] = {"content": [{"token": text, "logprob": 0.0, "top_logprobs": told}]}
    return json.dumps({"model": model, "choices": [choice]})


def fill(
    path: Path,
    *,
    until: Callable[[Stage], bool] = lambda _: False,
    spoil: Callable[[Stage, int, Answer], Answer] = lambda _stage, _place, answer: answer,
    order: int | None = None,
    endpoint: str = URL,
    suffix: str = "x",
) -> StudyFile:
    """Fill the database of a study's folder.

    Parameters
    ----------
    path
        The folder.
    until
        Tells the stage before which the run ended.
    spoil
        Is given every answer by stage and place, and returns what is written down.
    order
        Seed of the order in which replies arrive; None for the order of the prompts.
    endpoint
        As the database names it.
    suffix
        Ends the tuned models' names.
    """
    study = read(path)
    listed = stages(study)
    minds = {base: Pretender(study, base) for base in study.models.base}
    with Store.writing(path) as store:
        store.note({"endpoint": endpoint, "study": study.name})
        tuned: dict[str, str] = {}
        for place, stage in enumerate(listed):
            if until(stage):
                return study
            store.enter(stage.name, place)
            parent = stage.base if stage.model is None else tuned[stage.model]
            if not isinstance(stage.sends, Queries):
                tuned[stage.name] = f"ft:{stage.base}:lab::{place}{suffix}"
                job(store, stage.name, parent, tuned[stage.name], place)
            else:
                answer(store, stage, study, minds[stage.base], parent, spoil, order)
            store.leave(stage.name, None)
    return study


def job(store: Store, stage: str, parent: str, tuned: str, place: int) -> None:
    """Write a job down that succeeded."""
    row = (f"job-{place}", stage, "digest", 1, "file-1", "succeeded", json.dumps({"model": parent}), tuned, 1000)
    with store.transaction() as db:
        db.execute("insert into jobs values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def answer(
    store: Store,
    stage: Stage,
    study: StudyFile,
    mind: Pretender,
    model: str,
    spoil: Callable[[Stage, int, Answer], Answer],
    order: int | None,
) -> None:
    """Plan a stage's requests and answer them."""
    listed = requests(stage, study, model, URL)
    store.plan(stage.name, listed)
    answers = []
    for place, (request, prompt) in enumerate(zip(listed, prompts(stage.sends, seed=study.seed), strict=True)):
        text, odds = mind.says(stage, prompt.context, prompt.a, prompt.b)
        told = odds if study.sampling.logprobs and stage.sends.kind == "decisions" else None
        reply = Answer(
            request.key,
            body(text, told, model),
            status=200,
            seconds=0.5,
            prompt_tokens=100,
            completion_tokens=len(text),
        )
        answers.append(spoil(stage, place, reply))
    if order is not None:
        answers = [answers[place] for place in np.random.default_rng(order).permutation(len(answers))]
    store.step(answers, [])
