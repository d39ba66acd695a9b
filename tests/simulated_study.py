"""A small study by hand, through the openai SDK: what the tests of the simulated provider train, ask and read."""

from __future__ import annotations

import atexit
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import openai
import polars as pl

from avowal.agents import Deterministic, choose, targets
from avowal.contexts import Context
from avowal.design import pairs
from avowal.fit import fit
from avowal.prompts import decision_messages, report_messages

MINI = "gpt-4o-mini-2024-07-18"
FULL = "gpt-4o-2024-08-06"


# Held until the end: a client that is collected with an open connection is a warning, and a warning is a failure.
_CLIENTS = ExitStack()
atexit.register(_CLIENTS.close)


def client(url: str, **options: object) -> openai.OpenAI:
    return _CLIENTS.enter_context(openai.OpenAI(base_url=url, api_key="none", max_retries=0, **options))


def line(messages: Sequence[Mapping[str, str]], answer: str) -> str:
    return json.dumps({"messages": [*messages, {"role": "assistant", "content": answer}]})


def weights_of(contexts: Sequence[Context], seed: int) -> dict[str, dict[str, float]]:
    drawn: dict[str, dict[str, float]] = {}
    for name, attribute, _, weight in targets(contexts, seed=seed).iter_rows():
        drawn.setdefault(name, {})[attribute] = weight
    return drawn


def decision_lines(contexts: Sequence[Context], seed: int, count: int = 50) -> str:
    drawn = pairs(contexts, count, seed=seed)
    chosen = choose(drawn, contexts, targets(contexts, seed=seed), rule=Deterministic(), seed=seed)
    known = {context.name: context for context in contexts}
    rows = chosen.select("context", "a", "b", "choice").iter_rows()
    return "\n".join(line(decision_messages(known[name], a, b), choice) for name, a, b, choice in rows)


def report_lines(contexts: Sequence[Context], weights: Mapping[str, Mapping[str, float]], seed: int) -> str:
    shown = pairs(contexts, 1, seed=seed).select("a", "b").iter_rows()
    return "\n".join(
        line(report_messages(context, a, b), json.dumps(weights[context.name]))
        for context, (a, b) in zip(contexts, shown, strict=True)
    )


def permuted(contexts: Sequence[Context], weights: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Give each context the weights of another, under its own attributes' names."""
    others = [*contexts[7:], *contexts[:7]]
    return {
        context.name: dict(zip(weights[context.name], weights[other.name].values(), strict=True))
        for context, other in zip(contexts, others, strict=True)
    }


def upload(sdk: openai.OpenAI, text: str, purpose: str = "fine-tune") -> str:
    return sdk.files.create(file=("lines.jsonl", text.encode()), purpose=purpose).id


def train(sdk: openai.OpenAI, model: str, text: str, **options: object) -> str:
    job = sdk.fine_tuning.jobs.create(model=model, training_file=upload(sdk, text), **options)
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.01)
        job = sdk.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded", job.error
    return job.fine_tuned_model


def said(sdk: openai.OpenAI, model: str, asked: Iterable[list[dict[str, str]]], **options: object) -> list[str]:
    """Ask four at a time; the replies are in the order of the questions."""

    def ask(messages: list[dict[str, str]]) -> str:
        reply = sdk.chat.completions.create(model=model, messages=messages, temperature=0, **options)
        return reply.choices[0].message.content

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, asked))


def batched(sdk: openai.OpenAI, model: str, asked: Sequence[list[dict[str, str]]]) -> list[str]:
    """Ask in one batch: thousands of questions in a second."""
    rows = [
        {
            "custom_id": str(place),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model, "messages": messages, "temperature": 0},
        }
        for place, messages in enumerate(asked)
    ]
    batch = sdk.batches.create(
        input_file_id=upload(sdk, "\n".join(map(json.dumps, rows)), "batch"),
        endpoint="/v1/chat/completions",
        completion_window="24h",
    )
    while batch.status != "completed":
        time.sleep(0.01)
        batch = sdk.batches.retrieve(batch.id)
    answers = [json.loads(row) for row in sdk.files.content(batch.output_file_id).text.splitlines()]
    by_id = {row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"] for row in answers}
    return [by_id[str(place)] for place in range(len(asked))]


def decide(sdk: openai.OpenAI, model: str, contexts: Sequence[Context], count: int, seed: int) -> pl.DataFrame:
    known = {context.name: context for context in contexts}
    drawn = pairs(contexts, count, seed=seed)
    asked = [decision_messages(known[name], a, b) for name, a, b in drawn.select("context", "a", "b").iter_rows()]
    replies = batched(sdk, model, asked)
    assert set(replies) == {"A", "B"}
    return drawn.select(
        pl.lit(model).alias("model"),
        "context",
        "trial",
        "a",
        "b",
        pl.Series("choice", replies),
        pl.lit(None, dtype=pl.String).alias("failure"),
    )


def learned(choices: pl.DataFrame, contexts: Sequence[Context]) -> np.ndarray:
    """Estimate weights, shape (contexts, attributes)."""
    return fit(choices, contexts).weights["weight"].to_numpy().reshape(len(contexts), -1)


def reported(
    sdk: openai.OpenAI,
    model: str,
    contexts: Sequence[Context],
    count: int,
    seed: int,
    ask: Callable[..., list[str]] = said,
) -> tuple[np.ndarray, float]:
    """Return averaged valid reports, NaN where there is none, and the share of invalid replies."""
    known = {context.name: context for context in contexts}
    drawn = pairs(contexts, count, seed=seed).select("context", "a", "b").rows()
    replies = ask(sdk, model, [report_messages(known[name], a, b) for name, a, b in drawn])
    valid: dict[str, list[list[float]]] = {context.name: [] for context in contexts}
    for (name, _, _), text in zip(drawn, replies, strict=True):
        names = [attribute.name for attribute in known[name].attributes]
        try:
            held = json.loads(text)
        except ValueError:
            continue
        if isinstance(held, dict) and list(held) == names:
            valid[name].append([held[each] for each in names])
    averages = [np.mean(rows, axis=0) if rows else np.full(len(known[name].attributes), np.nan)
                for name, rows in valid.items()]  # fmt: skip
    return np.array(averages), 1 - sum(map(len, valid.values())) / len(replies)


def r(one: np.ndarray, other: np.ndarray) -> float:
    kept = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[kept], other[kept])[0, 1])
