"""The endpoint of chat completions: checks what is asked as OpenAI does, and wraps a simulated reply in its shape."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from avowal.simulated.faults import REPLIES, Fault
from avowal.simulated.reading import Asked, read, text_of
from avowal.simulated.replying import Asking, Said, reply
from avowal.simulated.service import Service
from avowal.simulated.store import name
from avowal.simulated.wire import ApiError, Document, body, digest, respond, text
from avowal.tokens import count, message_tokens

REFUSAL = "I'm sorry, but I can't assist with that request."
_MALFORMED = "Both options have their merits; it depends on what matters most."
_MOST_CHOICES = 128
_LONGEST = 16_384
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_UNSUPPORTED = ("stream", "tools", "functions", "audio", "prediction")
_PIECES = re.compile(r"\w+|\s+|[^\w\s]")


async def chat(request: Request) -> Response:
    """POST /v1/chat/completions."""
    return respond(await complete(request.app.state.service, body(request)))


async def complete(service: Service, held: Document) -> Document:
    """Answer a request, or raise ApiError.

    Parameters
    ----------
    service
        Gives the models.
    held
        The request's body.

    Returns
    -------
    dict
        A chat completion.
    """
    model = text(held, "model")
    messages = _messages(held)
    mind = await service.mind(model)
    _check(held)
    named, keyed = _schema(held)
    asked = read(messages, named)
    if asked.task == "report" and not asked.names:
        asked = _known(service, asked)
    words, temperature = digest([messages, held.get("response_format")]), float(_number(held, "temperature", 1.0, 0, 2))
    first = 0
    if temperature > 0:
        seed = held.get("seed")
        words = f"{words} {seed}"
        if seed is None:
            first = service.asked[model + words]
            service.asked[model + words] += int(_number(held, "n", 1, 1, _MOST_CHOICES))
    choices, tokens = [], 0
    for place in range(int(_number(held, "n", 1, 1, _MOST_CHOICES))):
        asking = Asking(words, temperature, first + place, keyed and set(named) == set(asked.names))
        said = _enveloped(reply(mind, asked, asking), named if asked.task == "decision" else ())
        fault = service.fate.befalls(REPLIES, "/v1/chat/completions", words)
        choice, spent = _choice(said, place, held, fault)
        choices.append(choice)
        tokens += spent
    prompt = message_tokens([{"role": each["role"], "content": text_of(each)} for each in messages])
    return _completion(mind.family if service.base(model) else model, choices, prompt, tokens)


def _messages(held: Document) -> list[Document]:
    messages = held.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(
            400, "Missing required parameter: 'messages'.", code="missing_required_parameter", param="messages"
        )
    for place, each in enumerate(messages):
        if not isinstance(each, dict) or each.get("role") not in _ROLES:
            param = f"messages[{place}].role"
            raise ApiError(400, f"Invalid value at '{param}'.", code="invalid_value", param=param)
        if not isinstance(each.get("content"), str | list):
            param = f"messages[{place}].content"
            raise ApiError(400, f"Invalid type for '{param}': expected a string.", code="invalid_type", param=param)
    return messages


def _check(held: Document) -> None:
    for field in _UNSUPPORTED:
        if held.get(field):
            message = f"The simulated provider does not support '{field}'."
            raise ApiError(400, message, code="unsupported_parameter", param=field)
    if held.get("top_logprobs") is not None:
        _number(held, "top_logprobs", 0, 0, 20)
        if not held.get("logprobs"):
            message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
            raise ApiError(400, message, code="invalid_value", param="top_logprobs")


def _number(held: Document, field: str, usual: float, low: float, high: float) -> float:
    value = held.get(field)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        message = f"Invalid '{field}': expected a number from {low} to {high}, but got {value!r} instead."
        raise ApiError(400, message, code="invalid_value", param=field)
    return value


def _schema(held: Document) -> tuple[tuple[str, ...], bool]:
    """Return the names that a schema asks for, and whether the reply must have them."""
    asked = held.get("response_format") or {"type": "text"}
    kind = asked.get("type") if isinstance(asked, dict) else None
    if kind == "json_object":
        if "json" not in json.dumps(held["messages"]).lower():
            message = (
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            )
            raise ApiError(400, message, param="messages")
        return (), False
    if kind == "json_schema":
        wrapped = asked.get("json_schema")
        schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict) or not isinstance(wrapped, dict) or not wrapped.get("name"):
            message = "Invalid schema for response_format: expected a name, and an object with properties."
            raise ApiError(400, message, code="invalid_json_schema", param="response_format")
        return tuple(properties), bool(wrapped.get("strict", False))
    if kind != "text":
        raise ApiError(400, f"Invalid value: {kind!r}.", code="invalid_value", param="response_format.type")
    return (), False


def _known(service: Service, asked: Asked) -> Asked:
    """Return a report about a context that the prompt names without its attributes, where the world knows them."""
    names = service.world.names(asked.key.prompt)
    return replace(asked, names=names, key=replace(asked.key, names=tuple(sorted(names))))


def _enveloped(said: Said, names: tuple[str, ...]) -> Said:
    """Put a choice into the one field that a schema gives it."""
    return replace(said, text=json.dumps({names[0]: said.text})) if len(names) == 1 else said


def _choice(said: Said, place: int, held: Document, fault: Fault | None) -> tuple[Document, int]:
    """Return one choice of a completion, and its tokens."""
    written, refusal, finish = said.text, None, "stop"
    kind = fault.kind if fault else ""
    if kind == "refuse":
        written, refusal = "", REFUSAL
    elif kind == "malformed":
        written = _MALFORMED
    elif kind in ("empty", "filtered"):
        written, finish = "", "content_filter" if kind == "filtered" else "stop"
    tokens = count(refusal or written)
    most = tokens // 2 if kind == "cut" else _limit(held)
    if tokens > most:
        written, finish = _cut(written, most), "length"
        tokens = count(written)
    message: Document = {
        "role": "assistant",
        "content": None if refusal else written,
        "refusal": refusal,
        "annotations": [],
    }
    logprobs = _logprobs(said, written, held) if held.get("logprobs") else None
    return {"index": place, "message": message, "logprobs": logprobs, "finish_reason": finish}, tokens


def _limit(held: Document) -> int:
    """Return how many tokens a reply may have."""
    older = _number(held, "max_tokens", _LONGEST, 1, _LONGEST)
    return int(_number(held, "max_completion_tokens", older, 1, _LONGEST))


def _cut(written: str, most: int) -> str:
    """Return the longest beginning of whole pieces that has so many tokens."""
    pieces = _PIECES.findall(written)
    while pieces and count("".join(pieces)) > most:
        pieces.pop()
    return "".join(pieces)


def _logprobs(said: Said, written: str, held: Document) -> Document:
    """Return log probabilities: a choice's letter has its own, all else is as good as certain.

    Texts are cut into words rather than tokens, whose bounds the token counter doesn't tell.
    """
    most, content = int(held.get("top_logprobs") or 0), []
    for piece in _PIECES.findall(written):
        others = {piece: -1e-6}
        if said.odds is not None and piece in ("A", "B"):
            others = {"A": -_softplus(-said.odds), "B": -_softplus(said.odds), "Option": -18.0, "C": -20.0}
        ranked = sorted(others.items(), key=lambda each: -each[1])
        content.append({**_token(piece, others[piece]), "top_logprobs": [_token(*each) for each in ranked[:most]]})
    return {"content": content, "refusal": None}


def _token(piece: str, logprob: float) -> Document:
    return {"token": piece, "logprob": logprob, "bytes": list(piece.encode())}


def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


def _completion(model: str, choices: list[Document], prompt: int, tokens: int) -> Document:
    return {
        "id": "chatcmpl-" + name(f"{time.time_ns()} {time.perf_counter_ns()}", 29),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }
