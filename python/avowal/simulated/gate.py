"""The gate: every request passes it, is logged there, and meets there what goes wrong on the way in or out."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avowal.simulated.faults import Fault
from avowal.simulated.service import Service
from avowal.simulated.store import name
from avowal.simulated.wire import digest

SLOW = 5.0
"""Seconds that ``slow`` holds an answer up unless it says how many."""

ABORT = "avowal.abort"
"""Where a connection leaves the call that resets it."""

_BEFORE = ("slow", "wrong-type", "quota")
_AFTER = ("reset", "truncate")
_CREATING = ("/v1/fine_tuning/jobs", "/v1/batches")
_REQUESTS, _TOKENS = 10_000, 30_000_000
_MESSAGES = {
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    429: ("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
    503: ("The engine is currently overloaded, please try again later.", "server_error", None),
}
_QUOTA = ("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota")


class Gate:
    """An application in front of another.

    Parameters
    ----------
    app
        Does the work; answers in one part.
    service
        Says what goes wrong, and keeps the log.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._recent: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        content = await _content(receive)
        scope["avowal.body"] = held = _parsed(content)
        key, path, began = digest(content if held is None else held), scope["path"], time.perf_counter()
        fate = self._service.fate
        faults = [
            fault
            for fault in (*(fate.befalls((kind,), path, key) for kind in _BEFORE), fate.befalls(None, path, key))
            if fault is not None
        ]
        for slow in [each for each in faults if each.kind == "slow"]:
            await asyncio.sleep(SLOW if slow.seconds is None else slow.seconds)
        stops = next((each for each in faults if each.kind != "slow"), None)
        answer = _stopped(stops) if stops else await self._answered(scope, content)
        fault = stops or self._spoils(scope, path, key) or next(iter(faults), None)
        entry = {"method": scope["method"], "path": path, "body": scope.get("avowal.digest", key)}
        self._service.log(**entry, status=answer[0], fault=fault.kind if fault else None)
        await self._send(fault, answer, scope, receive, send, began)

    def _spoils(self, scope: Scope, path: str, key: str) -> Fault | None:
        fault = self._service.fate.befalls(_AFTER, path, key)
        if fault is None and scope["method"] == "POST" and path in _CREATING:
            fault = self._service.fate.befalls(("create-timeout",), path, key)
        return fault

    async def _answered(self, scope: Scope, content: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        got: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            got.append(message)

        await self._app(scope, receive, send)
        start, *parts = got
        return start["status"], list(start["headers"]), b"".join(part.get("body", b"") for part in parts)

    async def _send(
        self,
        fault: Fault | None,
        answer: tuple[int, list[tuple[bytes, bytes]], bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
        began: float,
    ) -> None:
        status, headers, content = answer
        kind = fault.kind if fault else ""
        if kind == "create-timeout":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if kind == "truncate":
            content = content[: len(content) // 2]
            headers = [each for each in headers if each[0] != b"content-length"]
            headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers + self._limits(scope, began)})
        if kind == "reset":
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            abort: Callable[[], None] = scope[ABORT]
            abort()
            # The loop tells the server of the loss before this returns, and it needn't complain of half an answer.
            await asyncio.sleep(0)
            return
        await send({"type": "http.response.body", "body": content})

    def _limits(self, scope: Scope, began: float) -> list[tuple[bytes, bytes]]:
        """Return the headers that tell a client of its limits; nothing enforces them."""
        minute = int(time.time() // 60)
        self._recent[minute] += 1
        for past in [each for each in self._recent if each < minute]:
            del self._recent[past]
        said = {
            "x-request-id": "req_" + name(f"{time.time_ns()} {id(scope)}", 32),
            "openai-processing-ms": str(int(1000 * (time.perf_counter() - began))),
            "openai-version": "2020-10-01",
            "openai-organization": "simulated",
        }
        if scope["path"].endswith("/completions"):
            said |= {
                "x-ratelimit-limit-requests": str(_REQUESTS),
                "x-ratelimit-remaining-requests": str(max(0, _REQUESTS - self._recent[minute])),
                "x-ratelimit-reset-requests": f"{60 - time.time() % 60:.0f}s",
                "x-ratelimit-limit-tokens": str(_TOKENS),
                "x-ratelimit-remaining-tokens": str(max(0, _TOKENS - 300 * self._recent[minute])),
                "x-ratelimit-reset-tokens": f"{60 - time.time() % 60:.0f}s",
            }
        return [(key.encode(), value.encode()) for key, value in said.items()]


async def _content(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _parsed(content: bytes) -> Any:
    """Return a body's JSON, or None where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _stopped(fault: Fault) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the answer to a request that isn't carried out."""
    if fault.kind == "wrong-type":
        return _whole(200, b"<html><body><h1>Welcome</h1></body></html>", b"text/html; charset=utf-8")
    status = 429 if fault.kind == "quota" else int(fault.kind)
    usual = ("The server had an error while processing your request.", "server_error", None)
    message, kind, code = _MESSAGES.get(status, usual) if fault.kind != "quota" else (_QUOTA[0], _QUOTA[1], _QUOTA[1])
    document = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    answer = _whole(status, json.dumps(document).encode(), b"application/json")
    if fault.seconds is not None:
        answer[1].append((b"retry-after", f"{fault.seconds:g}".encode()))
    return answer


def _whole(status: int, content: bytes, kind: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return status, [(b"content-type", kind), (b"content-length", str(len(content)).encode())], content
