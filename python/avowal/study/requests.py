"""Requests: what a stage asks of its model, each with the key under which it is paid for once."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from typing import Any

from avowal.contexts import Context
from avowal.lines import line_tokens
from avowal.prompts import report_format
from avowal.sends import Queries, prompts
from avowal.study.config import Sampling, StudyFile
from avowal.study.stages import Stage
from avowal.study.store import Request
from avowal.tokens import DEFAULT_ENCODING

__all__ = ["TOP", "requests"]

TOP = 5
"""Tokens whose probabilities are asked for beside a choice: A, B, and what is written in place of them."""


def requests(
    stage: Stage, study: StudyFile, model: str, endpoint: str, *, encoding: str = DEFAULT_ENCODING
) -> list[Request]:
    """List the requests of a stage.

    Parameters
    ----------
    stage
        One that asks.
    study
        It is a stage of this study.
    model
        The model that is asked, by the provider's name.
    endpoint
        Where; part of each key, like everything else that decides the reply.
    encoding
        Of the base model, to expect tokens.

    Returns
    -------
    list of Request
        In the order of the stage's prompts.
    """
    sends = stage.sends
    if not isinstance(sends, Queries):
        raise TypeError(f"{stage.name} trains and has no requests")
    counted = line_tokens(sends, seed=study.seed, encoding=encoding)
    seen: Counter[str] = Counter()
    listed = []
    for prompt, tokens, reply in zip(
        prompts(sends, seed=study.seed), counted["prompt"].to_list(), counted["reply"].to_list(), strict=True
    ):
        held = {"model": model, "messages": prompt.messages, **_parameters(study.sampling, sends, prompt.context)}
        body = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
        replicate = seen[body]
        seen[body] += 1
        key = sha256("\n".join((endpoint, str(replicate), body)).encode()).hexdigest()[:32]
        listed.append(
            Request(key, prompt.context.name, prompt.trial, stage.base, body, replicate, tokens + reply, reply)
        )
    return listed


def _parameters(sampling: Sampling, sends: Queries, context: Context) -> dict[str, Any]:
    """Return what is asked for beside the messages."""
    asked: dict[str, Any] = {"temperature": sampling.temperature}
    if sends.kind == "decisions" and sampling.logprobs:
        asked |= {"logprobs": True, "top_logprobs": TOP}
    if sends.kind == "reports" and sampling.structured:
        asked["response_format"] = report_format(context)
    if sampling.max_tokens is not None:
        asked["max_completion_tokens"] = sampling.max_tokens
    return asked
