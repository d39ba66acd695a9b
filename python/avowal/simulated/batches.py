"""The endpoints of batches, which are answered at the first look after their time, in one transaction."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from avowal.simulated.chat import complete
from avowal.simulated.files import described
from avowal.simulated.files import find as find_file
from avowal.simulated.service import Service
from avowal.simulated.store import name, public
from avowal.simulated.wire import ApiError, Document, body, digest, metadata, page, respond, text

MOST = 50_000
"""Requests that a batch may have."""

LARGEST = 200 * 2**20
"""Bytes that its file may have."""

ENDPOINT = "/v1/chat/completions"
_WINDOW = 24 * 3600
_AT_ONCE = 32


class Batches:
    """The batches of a service, each answered once.

    Parameters
    ----------
    service
        Keeps them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._busy = asyncio.Lock()

    def create(self, held: Document) -> Document:
        """Take a batch in."""
        endpoint, window = text(held, "endpoint"), text(held, "completion_window")
        if endpoint != ENDPOINT or window != "24h":
            raise ApiError(400, f"Invalid batch: expected the endpoint '{ENDPOINT}' and the window '24h'.")
        file = find_file(self._service, text(held, "input_file_id"), param="input_file_id", status=400)
        if file["purpose"] != "batch":
            raise ApiError(400, f"File '{file['id']}' has the purpose '{file['purpose']}'.", param="input_file_id")
        content = self._service.store.content(file["_digest"])
        total, model, errors = _checked(content)
        befalls, now = self._service.fate.befalls, time.time()
        if befalls(("batch-fails",), "", file["_digest"]):
            errors = [{"code": "server_error", "message": "The batch failed.", "line": None, "param": None}]
        document = {
            "object": "batch",
            "endpoint": endpoint,
            "completion_window": window,
            "input_file_id": file["id"],
            "metadata": metadata(held),
            "created_at": int(now),
            "expires_at": int(now) + _WINDOW,
            "model": None if errors else model,
            "output_file_id": None,
            "error_file_id": None,
            "request_counts": {"total": 0 if errors else total, "completed": 0, "failed": 0},
            "_created": now,
            "_content": file["_digest"],
            "_errors": errors,
            "_expires": befalls(("batch-expires",), "", file["_digest"]) is not None,
            "_cancelled": None,
            "_done": None,
        }
        return self.view(self._service.store.add("batch", "batch_", document))

    def view(self, batch: Document) -> Document:
        """Return a batch as it stands now."""
        status, share = self._status(batch), self._share(batch)
        start, seconds = batch["_created"], self._service.setup.batch_seconds
        counts = dict(batch["request_counts"])
        if status == "in_progress":
            counts["completed"] = int(counts["total"] * max(0.0, share - 0.2) / 0.8)
        ended = batch["_done"] or (start + 0.2 * seconds)
        errors = {"object": "list", "data": batch["_errors"]} if batch["_errors"] else None
        return {
            **public(batch),
            "status": status,
            "errors": errors,
            "request_counts": counts,
            "in_progress_at": int(start + 0.2 * seconds) if not errors and share >= 0.2 else None,
            "finalizing_at": int(start + seconds) if status in ("completed", "finalizing") else None,
            "cancelling_at": int(batch["_cancelled"]) if batch["_cancelled"] else None,
            **{
                f"{end}_at": int(ended) if status == end else None
                for end in ("completed", "failed", "expired", "cancelled")
            },
        }

    def _share(self, batch: Document) -> float:
        now = batch["_cancelled"] or time.time()
        return float((now - batch["_created"]) / max(self._service.setup.batch_seconds, 1e-9))

    def _status(self, batch: Document) -> str:
        share = self._share(batch)
        if batch["_errors"]:
            return "failed" if share >= 0.2 else "validating"
        if batch["_cancelled"]:
            return "cancelled" if batch["_done"] else "cancelling"
        if batch["_done"]:
            return "expired" if batch["_expires"] else "completed"
        return "validating" if share < 0.2 else "in_progress" if share < 1 else "finalizing"

    async def settled(self, batch: Document) -> Document:
        """Return a batch, answered if it is time for that."""
        if self._status(batch) not in ("finalizing", "cancelling"):
            return batch
        async with self._busy:
            # Someone else may have answered it while this one waited.
            batch = self._service.store.get("batch", batch["id"]) or batch
            return await self._answered(batch) if self._status(batch) in ("finalizing", "cancelling") else batch

    async def _answered(self, batch: Document) -> Document:
        total = batch["request_counts"]["total"]
        share = max(0.0, self._share(batch) - 0.2) / 0.8 if batch["_cancelled"] else 0.5 if batch["_expires"] else 1
        until = total if share >= 1 else int(total * share)
        told: list[Document] = []
        # As they will be written: a batch may have thousands, and several may be answered at a time.
        good: list[bytes] = []
        bad: list[bytes] = []
        for place, row in enumerate(_rows(self._service.store.content(batch["_content"]))):
            if place >= until:
                if batch["_expires"]:
                    bad.append(_line(batch, row, None, _EXPIRED))
                continue
            status, answer, entry = await self._answer(batch, row)
            told.append(entry)
            (good if status == 200 else bad).append(_line(batch, row, (status, answer), None))
            if place % _AT_ONCE == 0:
                # Others are served in between.
                await asyncio.sleep(0)
        counts = {"total": total, "completed": len(good), "failed": len(bad)}
        document = {**batch, "request_counts": counts, "_done": time.time()}
        # Last first: the order of results isn't that of the requests, and readers must go by custom_id.
        added = [
            (field, ("file", "file-", described(written, f"{batch['id']}_{part}.jsonl", "batch_output"), written))
            for field, part, lines in (("output_file_id", "output", good), ("error_file_id", "error", bad))
            if lines and (written := b"".join(lines[::-1]))
        ]
        changed = self._service.store.change(document, *added)
        # Not before: a server that is killed in between answers the batch anew, and the log would tell it twice.
        for entry in told:
            self._service.log(**entry)
        return changed

    async def _answer(self, batch: Document, row: Document) -> tuple[int, Document, Document]:
        """Answer one request; return its status, its body, and what the log is to say."""
        service, held = self._service, row["body"]
        status, answer, key = 200, {}, digest(held)
        fault = service.fate.befalls(("batch-partial",), "", key)
        try:
            if fault is not None:
                raise ApiError(500, "The server had an error while processing your request.", kind="server_error")
            answer = await complete(service, held)
        except ApiError as error:
            status, answer = error.status, error.document
        entry = {"method": "POST", "path": ENDPOINT, "body": key, "status": status, "batch": batch["id"]}
        return status, answer, {**entry, "fault": fault.kind if fault else None, "custom_id": row["custom_id"]}


_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


def _rows(content: bytes) -> Iterator[Document]:
    return (json.loads(row) for row in content.splitlines() if row.strip())


def _line(batch: Document, row: Document, response: tuple[int, Document] | None, error: Document | None) -> bytes:
    identity = name(f"{batch['id']} {row['custom_id']}")
    answered = None
    if response is not None:
        answered = {"status_code": response[0], "request_id": "req_" + identity, "body": response[1]}
    line = {"id": "batch_req_" + identity, "custom_id": row["custom_id"], "response": answered, "error": error}
    return (json.dumps(line) + "\n").encode()


def _checked(content: bytes) -> tuple[int, str | None, list[Document]]:
    """Return how many requests a batch's file has, the model that they ask, and what is wrong: at most ten things."""
    total, seen, models, found = 0, set[Any](), set[str](), list[Document]()
    for row in _rows(content):
        total += 1
        if isinstance(row.get("body"), dict):
            models.add(str(row["body"].get("model")))
        for code, param, message in _line_errors(row, seen):
            found.append({"code": code, "message": f"Line {total}: {message}", "line": total, "param": param})
    if len(content) > LARGEST or not 0 < total <= MOST:
        sizes = f"{total} requests and {len(content)} bytes"
        message = f"{sizes}; a batch has 1 to {MOST} requests and up to {LARGEST} bytes."
        return total, None, [{"code": "invalid_batch_size", "message": message, "line": None, "param": None}]
    if len(models) > 1:
        message = "All requests of a batch must ask the same model."
        found.append({"code": "mismatched_model", "message": message, "line": None, "param": "body.model"})
    return total, next(iter(models), None), found[:10]


def _line_errors(row: Document, seen: set[Any]) -> list[tuple[str, str, str]]:
    found = []
    identity = row.get("custom_id")
    if not isinstance(identity, str) or not identity:
        found.append(("missing_required_parameter", "custom_id", "custom_id must be a text."))
    elif identity in seen:
        found.append(("duplicate_custom_id", "custom_id", f"the custom_id {identity!r} is there already."))
    seen.add(identity)
    if row.get("method") != "POST":
        found.append(("invalid_method", "method", "the method must be POST."))
    if row.get("url") != ENDPOINT:
        found.append(("mismatched_url", "url", f"the url must be {ENDPOINT}, as the batch's endpoint."))
    if not isinstance(row.get("body"), dict):
        found.append(("missing_required_parameter", "body", "the body must be an object."))
    return found


def _find(request: Request) -> tuple[Service, Batches, Document]:
    service: Service = request.app.state.service
    batch = service.store.get("batch", request.path_params["id"])
    if batch is None:
        raise ApiError(404, f"No batch found with id '{request.path_params['id']}'.", param="batch_id")
    return service, request.app.state.batches, batch


async def create(request: Request) -> Response:
    """POST /v1/batches."""
    return respond(request.app.state.batches.create(body(request)))


async def batch(request: Request) -> Response:
    """GET /v1/batches/{id}."""
    _, held, found = _find(request)
    return respond(held.view(await held.settled(found)))


async def batches(request: Request) -> Response:
    """GET /v1/batches."""
    held: Batches = request.app.state.batches
    found = [await held.settled(each) for each in request.app.state.service.store.all("batch")]
    return page(request, [held.view(each) for each in found])


async def cancel(request: Request) -> Response:
    """POST /v1/batches/{id}/cancel."""
    service, held, found = _find(request)
    found = await held.settled(found)
    status = held.view(found)["status"]
    if status not in ("validating", "in_progress", "finalizing"):
        raise ApiError(400, f"Cannot cancel a batch with status '{status}'.", code="invalid_state")
    return respond(held.view(service.store.change({**found, "_cancelled": time.time()})))
