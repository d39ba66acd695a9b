"""The wire: OpenAI's shapes of errors and lists, and what every endpoint reads of a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Document = dict[str, Any]


class ApiError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status
        Of the answer.
    message
        For people.
    code, param
        For programs: what is wrong, and with which field.
    kind
        OpenAI's ``type``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.document: Document = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def respond(document: Document, status: int = 200) -> Response:
    """Answer with JSON."""
    return JSONResponse(document, status)


def refuse(_: Request, error: Exception) -> Response:
    """Answer with an error."""
    if not isinstance(error, ApiError):
        raise error
    return respond(error.document, error.status)


def body(request: Request) -> Document:
    """Return the object that a request sent, as the gate has read it."""
    held = request.scope["avowal.body"]
    if not isinstance(held, dict):
        raise ApiError(400, "We could not parse the JSON body of your request.")
    return held


def text(held: Document, name: str, *, optional: bool = False) -> str:
    """Return a field that must be a text; an empty one where it may be missing."""
    value = held.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)
    return value


def metadata(held: Document) -> Document | None:
    """Return the metadata of a request: up to 16 texts of up to 512 characters."""
    value = held.get("metadata")
    if value is None:
        return None
    texts = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    if not texts or len(value) > 16 or any(len(key) > 64 or len(each) > 512 for key, each in value.items()):
        message = "Invalid 'metadata': expected up to 16 strings of up to 512 characters, with keys of up to 64."
        raise ApiError(400, message, code="invalid_value", param="metadata")
    return dict(value)


def page(request: Request, documents: Sequence[Document], most: int = 100, usual: int = 20) -> Response:
    """Answer with the part of a list that ``after`` and ``limit`` ask for."""
    asked = request.query_params.get("limit", str(usual))
    if not asked.isdigit() or int(asked) < 1:
        raise ApiError(400, f"Invalid 'limit': {asked!r} is no integer from 1 to {most}.", param="limit")
    after, start = request.query_params.get("after"), 0
    if after is not None:
        places = [place for place, each in enumerate(documents) if each["id"] == after]
        if not places:
            raise ApiError(404, f"No such object: {after}", param="after")
        start = places[0] + 1
    limit = min(int(asked), most)
    part = list(documents[start : start + limit])
    ends = {"first_id": part[0]["id"] if part else None, "last_id": part[-1]["id"] if part else None}
    return respond({"object": "list", "data": part, **ends, "has_more": start + limit < len(documents)})


def digest(value: Any) -> str:
    """Return the SHA-256 of bytes as they are, or of a document whatever the order of its keys."""
    held = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(held).hexdigest()
